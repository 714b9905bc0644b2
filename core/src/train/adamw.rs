//! AdamW (Loshchilov and Hutter 2019) over plain numbers and over tensors, with groups that climb instead of descend.
//!
//! `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; p = p (1 - lr wd) -+ lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`. A Lagrange multiplier is trained by
//! the same rule with the sign turned. One fused pass over the CPU's memory; other devices take tensor operations.

use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::model::cpu;

/// Constants of the rule; the learning rate comes with each step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    /// Decoupled: multiplied by the learning rate.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

/// Whether a group's objective is made smaller or larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Descend,
    Ascend,
}

/// First and second moments of one group, as plain numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Moments {
    /// Zeros for `n` parameters.
    pub fn zeros(n: usize) -> Self {
        Self { first: vec![0.0; n], second: vec![0.0; n] }
    }
}

/// The factors of one step, computed once for all parameters.
#[derive(Debug, Clone, Copy)]
struct Factors {
    b1: f32,
    b2: f32,
    keep: f32,
    rate: f32,
    second_scale: f32,
    eps: f32,
}

impl AdamW {
    fn factors(&self, step: u64, lr: f64, direction: Direction) -> Factors {
        let t = i32::try_from(step.max(1)).unwrap_or(i32::MAX);
        let sign = if direction == Direction::Ascend { -1.0 } else { 1.0 };
        Factors {
            b1: self.beta1 as f32,
            b2: self.beta2 as f32,
            keep: (1.0 - lr * self.weight_decay) as f32,
            rate: (sign * lr / (1.0 - self.beta1.powi(t))) as f32,
            second_scale: (1.0 / (1.0 - self.beta2.powi(t))) as f32,
            eps: self.eps as f32,
        }
    }

    /// One step (counted from 1) on plain numbers. `params`, `gradient` and the moments have equal lengths.
    pub fn step(&self, params: &mut [f32], gradient: &[f32], moments: &mut Moments, step: u64, lr: f64, direction: Direction) {
        let f = self.factors(step, lr, direction);
        pulp::Arch::new().dispatch(|| {
            for (((p, &g), m), v) in params.iter_mut().zip(gradient).zip(&mut moments.first).zip(&mut moments.second) {
                *m = f.b1 * *m + (1.0 - f.b1) * g;
                *v = f.b2 * *v + (1.0 - f.b2) * g * g;
                *p = *p * f.keep - f.rate * *m / ((*v * f.second_scale).sqrt() + f.eps);
            }
        });
    }

    /// One step on a tensor; `moments` are made on the first.
    pub fn step_tensor<const D: usize>(
        &self,
        param: Tensor<D>,
        gradient: Tensor<D>,
        moments: &mut Option<[Tensor<1>; 2]>,
        step: u64,
        lr: f64,
    ) -> Tensor<D> {
        let (shape, device) = (param.dims(), param.device());
        let n = shape.iter().product();
        let [first, second] = moments.take().unwrap_or_else(|| [Tensor::zeros([n], &device), Tensor::zeros([n], &device)]);
        if cpu::is_host(&param) {
            let mut host = Moments { first: cpu::into_vec(first), second: cpu::into_vec(second) };
            let mut values = cpu::into_vec(param);
            self.step(&mut values, &cpu::into_vec(gradient), &mut host, step, lr, Direction::Descend);
            *moments = Some([cpu::tensor(host.first, [n], &device), cpu::tensor(host.second, [n], &device)]);
            return cpu::tensor(values, shape, &device);
        }
        let f = self.factors(step, lr, Direction::Descend);
        let g: Tensor<1> = gradient.reshape([n]);
        let first = first * f.b1 + g.clone() * (1.0 - f.b1);
        let second = second * f.b2 + g.square() * (1.0 - f.b2);
        let delta = first.clone() * f.rate / ((second.clone() * f.second_scale).sqrt() + f.eps);
        *moments = Some([first, second]);
        param * f.keep - delta.reshape(shape)
    }

    /// One step on a row of numbers that lies on a device; weight decay pulls where `decays` is 1.
    #[cfg(feature = "burn")]
    pub fn step_row(
        &self,
        params: &mut Tensor<1>,
        gradient: Tensor<1>,
        moments: &mut [Tensor<1>; 2],
        decays: &Tensor<1>,
        step: u64,
        lr: f64,
    ) {
        let f = self.factors(step, lr, Direction::Descend);
        let [first, second] = moments;
        first.inplace(|first| first * f.b1 + gradient.clone() * (1.0 - f.b1));
        second.inplace(|second| second * f.b2 + gradient.square() * (1.0 - f.b2));
        let delta = first.clone() * f.rate / ((second.clone() * f.second_scale).sqrt() + f.eps);
        params.inplace(|params| params.clone() - params * decays.clone() * (lr * self.weight_decay) as f32 - delta);
    }
}

/// Scales `gradients` so that their joint Euclidean norm is at most `max_norm`; returns the norm before.
pub fn clip_norm(gradients: &mut [&mut [f32]], max_norm: f64) -> f64 {
    let square: f64 = gradients.iter().flat_map(|g| g.iter()).map(|&x| f64::from(x) * f64::from(x)).sum();
    let norm = square.sqrt();
    if norm > max_norm {
        let scale = (max_norm / (norm + 1e-6)) as f32;
        gradients.iter_mut().flat_map(|g| g.iter_mut()).for_each(|x| *x *= scale);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Device, TensorData};

    #[test]
    fn the_first_step_is_the_learning_rate_against_the_sign_and_ascent_mirrors_it() {
        let adam = AdamW { weight_decay: 0.0, ..AdamW::default() };
        for (direction, expected) in [(Direction::Descend, [0.9, -0.9]), (Direction::Ascend, [1.1, -1.1])] {
            let (mut p, mut moments) = ([1.0, -1.0], Moments::zeros(2));
            adam.step(&mut p, &[3.0, -0.002], &mut moments, 1, 0.1, direction);
            for (p, e) in p.iter().zip(expected) {
                assert!((p - e).abs() < 1e-4, "{p} {e}");
            }
        }
    }

    #[test]
    fn three_steps_match_the_formula_in_double_precision_on_numbers_and_tensors() {
        let adam = AdamW::default();
        let gradients = [0.5_f64, -0.25, 1.5];
        let (mut p, mut m, mut v) = (2.0_f64, 0.0, 0.0);
        let (mut host, mut moments) = ([2.0_f32], Moments::zeros(1));
        let device = Device::flex();
        let (mut tensor, mut tensor_moments) = (Tensor::<1>::from_data(TensorData::new(vec![2.0_f32], [1]), &device), None);
        for (i, g) in gradients.into_iter().enumerate() {
            let (t, lr) = (i as i32 + 1, 0.1);
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            p = p * (1.0 - lr * 0.01) - lr * (m / (1.0 - 0.9_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
            adam.step(&mut host, &[g as f32], &mut moments, t as u64, lr, Direction::Descend);
            let gradient = Tensor::from_data(TensorData::new(vec![g as f32], [1]), &device);
            tensor = adam.step_tensor(tensor, gradient, &mut tensor_moments, t as u64, lr);
        }
        assert!((f64::from(host[0]) - p).abs() < 1e-5, "{} {p}", host[0]);
        assert_eq!(tensor.into_data().try_into_vec::<f32>().unwrap(), host);
    }

    #[test]
    fn clipping_bounds_the_joint_norm() {
        let (mut a, mut b) = ([3.0_f32], [4.0_f32]);
        assert!((clip_norm(&mut [&mut a, &mut b], 1.0) - 5.0).abs() < 1e-9);
        assert!((a[0] - 0.6).abs() < 1e-5 && (b[0] - 0.8).abs() < 1e-5);
    }
}

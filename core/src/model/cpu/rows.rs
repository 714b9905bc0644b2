//! The row kernels: norms, activations, softmax.

use burn::tensor::Tensor;

use super::{into_vec, tensor};
use crate::model::{activation::{GELU_CUBIC, GELU_LINEAR}, config::Activation};

/// Runs `body` on every row of `data` (rows of `width`), several rows a task where threads are there.
fn for_rows(data: &mut [f32], width: usize, body: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let rows_a_task = (16_384 / width.max(1)).max(1);
    let task = |task: usize, rows: &mut [f32]| {
        pulp::Arch::new().dispatch(|| {
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                body(task * rows_a_task + i, row);
            }
        });
    };
    #[cfg(feature = "native-cpu")]
    {
        use rayon::prelude::*;
        data.par_chunks_mut(rows_a_task * width).enumerate().for_each(|(i, rows)| task(i, rows));
    }
    #[cfg(not(feature = "native-cpu"))]
    data.chunks_mut(rows_a_task * width).enumerate().for_each(|(i, rows)| task(i, rows));
}

/// Lanes of a running sum: fixed, so that every instruction set adds in the same order.
const LANES: usize = 16;

#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|&x| term(x)).sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += term(x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let whole = a.len() / LANES * LANES;
    for ((a, b), c) in a[..whole].chunks_exact(LANES).zip(b[..whole].chunks_exact(LANES)).zip(c[..whole].chunks_exact(LANES)) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i] * c[i];
        }
    }
    let rest: f32 = a[whole..].iter().zip(&b[whole..]).zip(&c[whole..]).map(|((a, b), c)| a * b * c).sum();
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let whole = a.len() / LANES * LANES;
    for (a, b) in a[..whole].chunks_exact(LANES).zip(b[..whole].chunks_exact(LANES)) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f32>() + a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum::<f32>()
}

/// `e^x` to about 2 units in the last place, as arithmetic that vectorises: `2^n * e^r` with `|r| <= ln(2)/2` and a polynomial of
/// degree 6 for `e^r`. Saturates at the ends of the f32 range.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = ((((1.388_889e-3 * r + 8.333_334e-3) * r + 4.166_666_6e-2) * r + 1.666_666_7e-1) * r + 0.5) * r * r + r + 1.0;
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Weights of a norm as slices; an absent shift means RMSNorm.
pub fn norm(x: Tensor<2>, scale: &Tensor<1>, shift: Option<&Tensor<1>>, eps: f64) -> Tensor<2> {
    let (shape, device) = (x.dims(), x.device());
    let width = shape[1];
    let (scale, shift) = (into_vec(scale.clone()), shift.map(|s| into_vec(s.clone())));
    let mut values = into_vec(x);
    for_rows(&mut values, width, |_, row| {
        let (mean, inverse) = moments(row, shift.is_some(), eps as f32);
        match &shift {
            Some(shift) => row.iter_mut().zip(&scale).zip(shift).for_each(|((x, s), b)| *x = (*x - mean) * inverse * s + b),
            None => row.iter_mut().zip(&scale).for_each(|(x, s)| *x = *x * inverse * s),
        }
    });
    tensor(values, shape, &device)
}

/// Mean (0 for RMSNorm) and inverse root mean square of a row.
#[inline(always)]
fn moments(row: &[f32], centred: bool, eps: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = if centred { sum(row, |x| x) / n } else { 0.0 };
    let square = sum(row, |x| (x - mean) * (x - mean)) / n;
    (mean, 1.0 / (square + eps).sqrt())
}

/// Gradient at the input of a norm: see [`crate::model::norm`] for the formula.
pub fn norm_pullback(x: Tensor<2>, d_out: Tensor<2>, scale: &Tensor<1>, centred: bool, eps: f64) -> Tensor<2> {
    let (shape, device) = (x.dims(), x.device());
    let width = shape[1];
    let scale = into_vec(scale.clone());
    let x = into_vec(x);
    let mut grad = into_vec(d_out);
    for_rows(&mut grad, width, |i, g| {
        let x = &x[i * width..(i + 1) * width];
        let (mean, inverse) = moments(x, centred, eps as f32);
        let n = width as f32;
        // mean(g * unit) with unit = (x - mean) * inverse
        let plain = dot(g, &scale);
        let along = (dot3(g, &scale, x) - mean * plain) * inverse / n;
        let shift = if centred { plain / n } else { 0.0 };
        for ((g, s), x) in g.iter_mut().zip(&scale).zip(x) {
            *g = (*g * s - shift - (x - mean) * inverse * along) * inverse;
        }
    });
    tensor(grad, shape, &device)
}

/// Softmax of every row, in place where possible.
pub fn softmax_rows(x: Tensor<2>) -> Tensor<2> {
    let (shape, device) = (x.dims(), x.device());
    let mut values = into_vec(x);
    for_rows(&mut values, shape[1], |_, row| {
        let top = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        row.iter_mut().for_each(|x| *x = exp(*x - top));
        let inverse = 1.0 / sum(row, |x| x);
        row.iter_mut().for_each(|x| *x *= inverse);
    });
    tensor(values, shape, &device)
}

/// Hidden values from pre-activations; see [`Activation::apply`].
pub fn activation(kind: Activation, pre: Tensor<2>) -> Tensor<2> {
    let ([rows, width], device) = (pre.dims(), pre.device());
    match kind {
        Activation::Relu | Activation::GeluTanh => {
            let mut values = into_vec(pre);
            for_rows(&mut values, width, |_, row| match kind {
                Activation::Relu => row.iter_mut().for_each(|x| *x = x.max(0.0)),
                _ => row.iter_mut().for_each(|x| *x *= sigmoid(*x * (*x * *x * GELU_CUBIC + GELU_LINEAR))),
            });
            tensor(values, [rows, width], &device)
        }
        Activation::SwiGlu => {
            let pre = into_vec(pre);
            let half = width / 2;
            let mut hidden = vec![0.0; rows * half];
            for_rows(&mut hidden, half, |i, out| {
                let (gate, up) = pre[i * width..(i + 1) * width].split_at(half);
                for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                    *out = gate * sigmoid(gate) * up;
                }
            });
            tensor(hidden, [rows, half], &device)
        }
    }
}

/// Gradient at the pre-activations; see [`Activation::pullback`].
pub fn activation_pullback(kind: Activation, pre: Tensor<2>, d_hidden: Tensor<2>) -> Tensor<2> {
    let (shape, device) = (pre.dims(), pre.device());
    let (width, hidden_width) = (shape[1], d_hidden.dims()[1]);
    let mut pre = into_vec(pre);
    let d_hidden = into_vec(d_hidden);
    for_rows(&mut pre, width, |i, row| {
        let d = &d_hidden[i * hidden_width..(i + 1) * hidden_width];
        match kind {
            Activation::Relu => row.iter_mut().zip(d).for_each(|(x, &d)| *x = if *x > 0.0 { d } else { 0.0 }),
            Activation::GeluTanh => row.iter_mut().zip(d).for_each(|(x, &d)| {
                let square = *x * *x;
                let s = sigmoid(*x * (square * GELU_CUBIC + GELU_LINEAR));
                *x = d * (s + *x * s * (1.0 - s) * (square * 3.0 * GELU_CUBIC + GELU_LINEAR));
            }),
            Activation::SwiGlu => {
                let (gate, up) = row.split_at_mut(hidden_width);
                for ((gate, up), &d) in gate.iter_mut().zip(up).zip(d) {
                    let s = sigmoid(*gate);
                    let d_up = d * *gate * s;
                    *gate = d * *up * s * (1.0 + *gate * (1.0 - s));
                    *up = d_up;
                }
            }
        }
    });
    tensor(pre, shape, &device)
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_close_to_the_library_function_over_the_whole_range() {
        let worst = (-8700..8800).map(|i| i as f32 * 0.01).map(|x| ((super::exp(x) / x.exp()) - 1.0).abs()).fold(0.0_f32, f32::max);
        assert!(worst < 4e-7, "{worst}");
    }
}

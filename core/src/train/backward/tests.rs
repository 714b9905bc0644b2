//! The closed forms against burn's autodiff and against finite differences.

use crate::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};

use super::*;
use crate::{
    model::{
        config::{Activation, Biases, NormKind, Positions, TransformerConfig},
        params::ParamVisitor,
    },
    train::rng,
};

fn configs() -> [TransformerConfig; 3] {
    let gpt2 = TransformerConfig {
        n_layers: 2,
        d_model: 12,
        n_heads: 3,
        n_kv_heads: 3,
        d_head: 4,
        d_mlp: 20,
        vocab_size: 11,
        d_out: 11,
        max_positions: 9,
        ..TransformerConfig::gpt2_small()
    };
    let llama = TransformerConfig {
        n_heads: 4,
        n_kv_heads: 2,
        norm: NormKind::Rms { eps: 1e-5 },
        positions: Positions::Rotary { base: 1e4 },
        activation: Activation::SwiGlu,
        biases: Biases::NONE,
        ..gpt2
    };
    let plain = TransformerConfig { norm: NormKind::None, activation: Activation::Relu, causal: false, tied: false, d_out: 7, ..gpt2 };
    [gpt2, llama, plain]
}

/// Adds normal noise to every weight, so that no gradient vanishes by the initial zeros and ones.
struct Noise;

impl ParamVisitor for Noise {
    fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
        value.inplace(|v| noisy(name, &v));
    }
    fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
        value.inplace(|v| noisy(name, &v));
    }
}

fn noisy<const D: usize>(name: &str, value: &Tensor<D>) -> Tensor<D> {
    let mut stream = rng::Stream::new(8, name, 0);
    let noise: Vec<f32> = (0..value.dims().iter().product()).map(|_| (stream.normal() * 0.3) as f32).collect();
    value.clone() + Tensor::from_data(TensorData::new(noise, value.dims()), &value.device())
}

struct Case {
    model: Transformer,
    sequences: Vec<Vec<u32>>,
    targets: Vec<u32>,
    weights: Vec<f32>,
}

fn case(config: TransformerConfig) -> Case {
    let mut model = Transformer::init(config, 1, &Device::flex());
    model.visit(&mut Noise);
    let sequences: Vec<Vec<u32>> = (0..3).map(|b| (0..6).map(|t| (b * 5 + t * 3) % 11).collect()).collect();
    let targets = (0..18).map(|i| (i * 5 + 2) % config.d_out as u32).collect();
    let weights = (0..18).map(|i| 0.02 + 0.01 * (i % 4) as f32).collect();
    Case { model, sequences, targets, weights }
}

impl Case {
    fn found(&self) -> (f64, Gradients) {
        loss_and_gradients(&self.model, &self.model.batch(&self.sequences).unwrap(), &self.targets, &self.weights).unwrap()
    }

    /// The loss through the tensor operations of the plain forward.
    fn loss(&self, model: &Transformer) -> Tensor<1> {
        let device = model.device();
        let batch = model.batch(&self.sequences).unwrap();
        let targets =
            Tensor::<2, Int>::from_data(TensorData::new(self.targets.iter().map(|&t| t as i32).collect::<Vec<_>>(), [18, 1]), &device);
        let weights = Tensor::<2>::from_data(TensorData::new(self.weights.clone(), [18, 1]), &device);
        (log_softmax(model.logits(&batch), 1).gather(1, targets) * weights).sum().neg()
    }
}

fn values(x: Tensor<1>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

#[cfg(feature = "autodiff")]
#[test]
fn gradients_of_every_weight_agree_with_autodiff() {
    /// Takes each weight's gradient off an autodiff graph and compares.
    struct Compare(burn::tensor::Gradients, Gradients);
    impl Compare {
        fn one<const D: usize>(&mut self, name: &str, value: &Tensor<D>) {
            let n = value.dims().iter().product::<usize>();
            let expected = values(value.grad(&self.0).unwrap().reshape([n]));
            let found = values(self.1.remove(name).unwrap_or_else(|| panic!("{name} has no gradient")));
            let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
            let size = norm(&mut expected.iter().copied());
            let apart = norm(&mut expected.iter().zip(&found).map(|(a, b)| a - b));
            assert!(size > 1e-6 && apart < 1e-4 * size, "{name}: {apart} of {size}");
        }
    }
    impl ParamVisitor for Compare {
        fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
            self.one(name, value);
        }
        fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
            self.one(name, value);
        }
    }
    for config in configs() {
        let case = case(config);
        let (loss, gradients) = case.found();
        let mut tracked = case.model.tracked();
        let expected = case.loss(&tracked);
        assert!((loss - f64::from(expected.clone().inner().into_scalar::<f32>())).abs() < 1e-5 * loss);
        let mut compare = Compare(expected.backward(), gradients);
        tracked.visit(&mut compare);
        assert!(compare.1.is_empty(), "gradients of no weight: {:?}", compare.1.keys());
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    /// Moves every weight along its gradient.
    struct Move<'a>(&'a Gradients, f32);
    impl ParamVisitor for Move<'_> {
        fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
            value.inplace(|v| v.clone() + self.0[name].clone() * self.1);
        }
        fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
            value.inplace(|v| v.clone() + self.0[name].clone().reshape(v.dims()) * self.1);
        }
    }
    for config in configs() {
        let case = case(config);
        let (_, gradients) = case.found();
        let square: f64 = gradients.values().flat_map(|g| values(g.clone())).map(|x| f64::from(x) * f64::from(x)).sum();
        // Small beside the kinks of ReLU, large beside the rounding of the loss.
        let step = 2e-3 / square.sqrt();
        let loss_at = |by: f64| {
            let mut model = case.model.clone();
            model.visit(&mut Move(&gradients, by as f32));
            loss_and_gradients(&model, &model.batch(&case.sequences).unwrap(), &case.targets, &case.weights).unwrap().0
        };
        let slope = (loss_at(step) - loss_at(-step)) / (2.0 * step);
        assert!((slope / square - 1.0).abs() < 5e-3, "{slope} {square}");
    }
}

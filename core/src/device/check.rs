//! The self-check: a device has to agree with the CPU on a small model.
//!
//! **Idea.** Drivers exist that take every call and return wrong numbers. Before a device is used it computes, once, the kinds of things vitrine computes, and
//! the result is compared with the CPU's.
//!
//! **Method.** Two tiny models, one built like GPT-2 (`LayerNorm`, learned positions, GELU) and one like Llama (`RMSNorm`, grouped heads, rotation, `SwiGLU`), on two
//! sequences of different length: the masked forward, the gradients of its edge masks, and the gradients of all weights under next-token loss by autodiff.
//! Sizes are no powers of two and reach beyond one tile of a matrix kernel. The largest difference of each part is measured in units of that part's
//! root mean square, so that a gradient which is all zeros cannot pass for a small one.

use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};
use thiserror::Error;

use crate::{
    model::{
        Activation, Biases, NormKind, Positions, Transformer, TransformerConfig,
        batch::BatchError,
        graph::GraphError,
        params::ParamVisitor,
        stream::{Capture, EdgeMasked, Workspace},
    },
    train::rng::Stream,
};

/// Largest difference allowed, in units of a part's root mean square. Tensor cores that round factors to TF32's 10 bits differ by some 1e-3, plain
/// float32 by some 1e-6; wrong kernels by 1 and more.
pub const TOLERANCE: f64 = 1e-2;

/// What the check could not set up; never expected.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// One thing the check computes.
#[derive(Debug)]
pub struct Part {
    pub name: &'static str,
    pub values: Tensor<1>,
}

const BASE: TransformerConfig = TransformerConfig {
    n_layers: 2,
    d_model: 36,
    n_heads: 6,
    n_kv_heads: 6,
    d_head: 6,
    d_mlp: 68,
    vocab_size: 41,
    d_out: 41,
    max_positions: 23,
    ..TransformerConfig::gpt2_small()
};

const LLAMA: TransformerConfig = TransformerConfig {
    n_kv_heads: 2,
    norm: NormKind::Rms { eps: 1e-5 },
    positions: Positions::Rotary { base: 100.0 },
    activation: Activation::SwiGlu,
    biases: Biases::NONE,
    ..BASE
};

/// All parts, computed on `device` and not read back: in a page reading has to be awaited.
///
/// # Errors
/// [`CheckError`]; a device that fails does so by its own ways, panics included.
pub fn compute(device: &Device) -> Result<Vec<Part>, CheckError> {
    let mut parts = vec![];
    for (config, names) in [
        (BASE, ["GPT-2 outputs", "GPT-2 mask gradients", "GPT-2 weight gradients"]),
        (LLAMA, ["Llama outputs", "Llama mask gradients", "Llama weight gradients"]),
    ] {
        let values = masked(config, device)?.into_iter().chain([weights(config, device)?]);
        parts.extend(names.into_iter().zip(values).map(|(name, values)| Part { name, values }));
    }
    Ok(parts)
}

/// Largest difference of `found` from `expected`, in units of the latter's root mean square; infinite where numbers are missing or are none.
pub fn difference(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() || expected.is_empty() {
        return f64::INFINITY;
    }
    let mean_square = expected.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / expected.len() as f64;
    let unit = mean_square.sqrt().max(f64::MIN_POSITIVE);
    let worst = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs() / unit);
    worst.map(|d| if d.is_finite() { d } else { f64::INFINITY }).fold(0.0, f64::max)
}

/// Token sequences of different length, and their partners.
fn sequences(salt: usize) -> Vec<Vec<u32>> {
    [19, 13].iter().map(|&len| (0..len).map(|t| ((t * 7 + salt + len) % BASE.vocab_size) as u32).collect()).collect()
}

fn noise(name: &str, shape: usize, scale: f64) -> Vec<f32> {
    let mut stream = Stream::new(11, name, 0);
    (0..shape).map(|_| (stream.normal() * scale) as f32).collect()
}

/// A fresh model's weights are small and its biases 0; larger ones make every term count.
fn model(config: TransformerConfig, device: &Device) -> Transformer {
    struct Enlarge;
    fn add<const D: usize>(name: &str, value: &mut Tensor<D>, scale: f64) {
        let shape = value.dims();
        let noise = TensorData::new(noise(name, shape.iter().product(), scale), shape);
        value.inplace(|v| {
            let device = v.device();
            v + Tensor::from_data(noise, &device)
        });
    }
    impl ParamVisitor for Enlarge {
        fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
            add(name, value, 0.1);
        }
        fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
            add(name, value, 0.2);
        }
    }
    let mut model = Transformer::init(config, 1, device);
    model.visit(&mut Enlarge);
    model
}

/// Outputs of the masked forward, and the gradients of its masks under a loss that weighs every output differently.
fn masked(config: TransformerConfig, device: &Device) -> Result<[Tensor<1>; 2], CheckError> {
    let model = model(config, device);
    let (clean, corrupted) = (model.batch(&sequences(0))?, model.batch(&sequences(3))?);
    let graph = config.graph(config.default_embedding_nodes())?;
    let mut capture = Capture::default();
    model.forward(&corrupted, &mut capture);
    let reference = capture.into_reference();
    let n = graph.n_edges();
    let mut random = Stream::new(5, "masks", 0);
    let masks: Vec<f32> = (0..n).map(|_| random.uniform() as f32).collect();
    let mut workspace = Workspace::default();
    let mut stream = EdgeMasked::new(&model, &graph, &masks, reference.as_ref(), &clean, &mut workspace, true);
    let reads = model.forward(&clean, &mut stream);
    let rows = clean.n_tokens();
    let weights = Tensor::from_data(TensorData::new(noise("loss", rows * config.d_model, 1.0), [rows, config.d_model]), device);
    let gradient = stream.backward(&model, &clean, weights, None, None);
    Ok([model.unembed(reads).reshape([rows * config.d_out]), gradient])
}

/// Gradients of all weights under next-token loss.
fn weights(config: TransformerConfig, device: &Device) -> Result<Tensor<1>, CheckError> {
    struct Collect<'a> {
        gradients: &'a burn::tensor::Gradients,
        found: Vec<Tensor<1>>,
    }
    impl ParamVisitor for Collect<'_> {
        fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
            self.found.extend(value.grad(self.gradients));
        }
        fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
            self.found.extend(value.grad(self.gradients).map(|g| g.flatten::<1>(0, 1)));
        }
    }
    let mut model = model(config, device).tracked();
    let batch = model.batch(&sequences(0))?;
    let rows = batch.n_tokens();
    let targets: Vec<i32> = (0..rows).map(|r| ((r * 5 + 1) % config.d_out) as i32).collect();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [rows, 1]), &model.device());
    let loss = log_softmax(model.logits(&batch), 1).gather(1, targets).mean().neg();
    let gradients = loss.backward();
    let mut collect = Collect { gradients: &gradients, found: vec![] };
    model.visit(&mut collect);
    Ok(Tensor::cat(collect.found, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<(&'static str, Vec<f32>)> {
        let parts = compute(&Device::flex()).unwrap();
        parts.into_iter().map(|p| (p.name, p.values.into_data().try_into_vec::<f32>().unwrap())).collect()
    }

    #[test]
    fn every_part_has_numbers_and_repeats_itself() {
        let (first, second) = (values(), values());
        assert_eq!(first.len(), 6);
        for ((name, a), (_, b)) in first.iter().zip(&second) {
            assert!(difference(a, b) == 0.0, "{name}");
            assert!(a.iter().all(|x| x.is_finite()), "{name}");
            // A part that is nearly all zeros would check nothing.
            assert!(a.iter().filter(|x| **x != 0.0).count() * 2 > a.len(), "{name}");
        }
    }

    #[test]
    fn zeros_noise_and_missing_numbers_do_not_pass() {
        let expected = [1e-4_f32, -2e-4, 3e-4];
        assert!(difference(&[0.0; 3], &expected) > 0.5);
        assert!(difference(&[1.02e-4, -2e-4, 3e-4], &expected) < TOLERANCE);
        assert!(difference(&[1.1e-4, -2e-4, 3e-4], &expected) > TOLERANCE);
        for wrong in [&[f32::NAN, -2e-4, 3e-4][..], &[1e-4, f32::INFINITY, 3e-4], &[1e-4, -2e-4], &[]] {
            assert!(difference(wrong, &expected).is_infinite());
        }
    }
}

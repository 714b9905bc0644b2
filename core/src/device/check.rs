//! The self-check: a device has to agree with the CPU on a small model.
//!
//! **Idea.** Drivers exist that take every call and return wrong numbers. Before a device is used it computes, once, the kinds of things vitrine computes, and
//! the result is compared with the CPU's.
//!
//! **Method.** A tiny model with one of everything (`LayerNorm`, rotation, grouped heads, GELU, biases) on two sequences of different length: the masked forward, and the
//! gradients of its edge masks. One layer, because every new shape is a new kernel, and drivers take long to compile one. Sizes are no powers of two and reach beyond one
//! tile of a matrix kernel. The largest difference of each part is measured in units of that part's root mean square, so that a gradient which is all zeros cannot pass
//! for a small one.

use crate::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

use crate::{
    model::{
        Positions, Transformer, TransformerConfig,
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

const CONFIG: TransformerConfig = TransformerConfig {
    n_layers: 1,
    d_model: 36,
    n_heads: 6,
    n_kv_heads: 2,
    d_head: 6,
    d_mlp: 68,
    vocab_size: 41,
    d_out: 41,
    max_positions: 23,
    positions: Positions::Rotary { base: 100.0 },
    ..TransformerConfig::gpt2_small()
};

/// Outputs of the masked forward, and the gradients of its masks under a loss that weighs every final read differently; computed on `device` and not read
/// back: in a page reading has to be awaited.
///
/// # Errors
/// [`CheckError`]; a device that fails does so by its own ways, panics included.
pub fn compute(device: &Device) -> Result<[Part; 2], CheckError> {
    let model = model(device);
    let (clean, corrupted) = (model.batch(&sequences(0))?, model.batch(&sequences(3))?);
    let graph = CONFIG.graph(CONFIG.default_embedding_nodes())?;
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
    let weights = Tensor::from_data(TensorData::new(noise("loss", rows * CONFIG.d_model, 1.0), [rows, CONFIG.d_model]), device);
    let gradients = stream.backward(&model, &clean, weights, None, None);
    let outputs = model.unembed(reads).reshape([rows * CONFIG.d_out]);
    Ok([Part { name: "outputs", values: outputs }, Part { name: "mask gradients", values: gradients }])
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
    [19, 13].iter().map(|&len| (0..len).map(|t| ((t * 7 + salt + len) % CONFIG.vocab_size) as u32).collect()).collect()
}

fn noise(name: &str, shape: usize, scale: f64) -> Vec<f32> {
    let mut stream = Stream::new(11, name, 0);
    (0..shape).map(|_| (stream.normal() * scale) as f32).collect()
}

/// A fresh model's weights are small and its biases 0; larger ones make every term count. They are made on the host, so that the device has nothing to compute before
/// the forward.
fn model(device: &Device) -> Transformer {
    struct Enlarge;
    fn replace<const D: usize>(name: &str, value: &mut Tensor<D>, scale: f64) {
        let shape = value.dims();
        // Scales of norms lie around 1, all else around 0.
        let middle = if name.rsplit('.').next() == Some("scale") { 1.0 } else { 0.0 };
        let values: Vec<f32> = noise(name, shape.iter().product(), scale).iter().map(|x| x + middle).collect();
        value.inplace(|v| Tensor::from_data(TensorData::new(values, shape), &v.device()));
    }
    impl ParamVisitor for Enlarge {
        fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
            replace(name, value, 0.1);
        }
        fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
            replace(name, value, 0.2);
        }
    }
    let mut model = Transformer::init(CONFIG, 1, device);
    model.visit(&mut Enlarge);
    model
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
        assert_eq!(first.len(), 2);
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

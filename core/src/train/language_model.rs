//! Training a transformer on token sequences: next-token cross-entropy through the plain forward.
//!
//! Every position is predicted from those before it; the last position, where the sentences of a task put their answer, counts once more. AdamW with linear warm-up and decay.

use std::collections::BTreeMap;

use burn::tensor::{Gradients, Int, Tensor, TensorData, activation::log_softmax};

use super::{adamw::AdamW, schedule};
use crate::{
    lab::{Lab, LabError},
    model::{Transformer, batch::BatchError, params::ParamVisitor},
};

/// Why a language model could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum LanguageModelError {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("the training loss is not a finite number at step {0}")]
    NotFinite(u64),
    #[error("could not read the loss back from the device: {0}")]
    Device(String),
}

/// Settings of a training run.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageModelConfig {
    pub steps: u64,
    pub batch_size: usize,
    pub lr: f64,
    pub lr_warm_up: u64,
    pub adamw: AdamW,
}

impl Default for LanguageModelConfig {
    fn default() -> Self {
        Self { steps: 1500, batch_size: 64, lr: 3e-3, lr_warm_up: 100, adamw: AdamW::default() }
    }
}

/// Moments of every weight, by name.
#[derive(Debug, Default)]
pub struct ModelMoments(BTreeMap<String, Option<[Tensor<1>; 2]>>);

/// What a model is trained on in one step: inputs, and what each position should predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// Token sequences of equal length.
    pub inputs: Vec<Vec<u32>>,
    /// The token each position should predict, `[batch * position]`.
    pub targets: Vec<u32>,
    /// What each position's cross-entropy counts in the loss, `[batch * position]`.
    pub weights: Vec<f32>,
}

impl Examples {
    /// Next-token prediction within sequences of equal length: the mean over all positions, plus the mean over the last ones.
    pub fn next_token(sequences: &[Vec<u32>]) -> Self {
        let inputs: Vec<Vec<u32>> = sequences.iter().map(|s| s[..s.len().saturating_sub(1)].to_vec()).collect();
        let targets: Vec<u32> = sequences.iter().flat_map(|s| s.iter().skip(1).copied()).collect();
        let (n, size) = (targets.len().max(1) as f32, inputs.len() as f32);
        let weight = |position: usize, len: usize| 1.0 / n + if position + 1 == len { 1.0 / size } else { 0.0 };
        let weights = inputs.iter().flat_map(|s| (0..s.len()).map(|p| weight(p, s.len()))).collect();
        Self { inputs, targets, weights }
    }

    /// The mean over all positions.
    pub fn mean(inputs: Vec<Vec<u32>>, targets: Vec<u32>) -> Self {
        let weights = vec![1.0 / targets.len().max(1) as f32; targets.len()];
        Self { inputs, targets, weights }
    }
}

/// One step; returns the loss in nats. `step` counts from 1.
///
/// # Errors
/// [`LanguageModelError`] for bad sequences or a loss that is not finite.
pub fn step(
    model: &mut Transformer,
    examples: &Examples,
    moments: &mut ModelMoments,
    adamw: &AdamW,
    step: u64,
    lr: f64,
) -> Result<f64, LanguageModelError> {
    let mut tracked = model.tracked();
    let batch = tracked.batch(&examples.inputs)?;
    let tokens = batch.n_tokens();
    let targets: Vec<i32> = examples.targets.iter().map(|&id| i32::try_from(id).unwrap_or(0)).collect();
    let device = tracked.device();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [tokens, 1]), &device);
    let weights = Tensor::<2>::from_data(TensorData::new(examples.weights.clone(), [tokens, 1]), &device);
    let loss = (log_softmax(tracked.logits(&batch), 1).gather(1, targets) * weights).sum().neg();
    let value = loss.clone().inner().try_into_scalar::<f32>().map_err(|e| LanguageModelError::Device(e.to_string()))?;
    if !value.is_finite() {
        return Err(LanguageModelError::NotFinite(step));
    }
    let gradients = loss.backward();
    tracked.visit(&mut Update { gradients: &gradients, moments, adamw, step, lr });
    *model = tracked;
    Ok(value.into())
}

/// Trains `model` on `sequences(step)`; returns (step, loss) pairs.
///
/// # Errors
/// As [`step`]; [`LabError::Stopped`].
pub fn train(
    model: &mut Transformer,
    config: &LanguageModelConfig,
    mut sequences: impl FnMut(u64) -> Vec<Vec<u32>>,
    phase: &str,
    lab: &mut dyn Lab,
) -> Result<Vec<(u64, f64)>, LanguageModelError> {
    let mut moments = ModelMoments::default();
    let mut history = vec![];
    for at in 0..config.steps {
        let lr = config.lr * schedule::linear_with_warm_up(at, config.lr_warm_up, config.steps);
        let loss = step(model, &Examples::next_token(&sequences(at)), &mut moments, &config.adamw, at + 1, lr)?;
        if (at + 1) % 10 == 0 {
            lab.metrics(phase, at + 1, &BTreeMap::from([("loss", loss), ("lr", lr)]));
            history.push((at + 1, loss));
        }
        lab.progress(phase, at + 1, config.steps);
        if lab.stop_requested() {
            return Err(LabError::Stopped { step: at + 1 }.into());
        }
    }
    Ok(history)
}

struct Update<'a> {
    gradients: &'a Gradients,
    moments: &'a mut ModelMoments,
    adamw: &'a AdamW,
    step: u64,
    lr: f64,
}

impl Update<'_> {
    /// Replaces a tracked weight by its updated, untracked value.
    fn apply<const D: usize>(&mut self, name: &str, value: &mut Tensor<D>) {
        let gradient = value.grad(self.gradients);
        let moments = self.moments.0.entry(name.to_owned()).or_default();
        value.inplace(|v| match gradient {
            Some(gradient) => self.adamw.step_tensor(v.inner(), gradient, moments, self.step, self.lr),
            None => v.inner(),
        });
    }
}

impl ParamVisitor for Update<'_> {
    fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
        self.apply(name, value);
    }

    fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
        self.apply(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lab::MemoryLab, model::TransformerConfig};
    use burn::tensor::Device;

    #[test]
    fn a_copying_rule_is_learned_and_the_same_seed_gives_the_same_weights() {
        let config = TransformerConfig {
            n_layers: 1,
            d_model: 16,
            n_heads: 2,
            n_kv_heads: 2,
            d_head: 8,
            d_mlp: 16,
            vocab_size: 8,
            d_out: 8,
            max_positions: 4,
            ..TransformerConfig::gpt2_small()
        };
        let run = || {
            let mut model = Transformer::init(config, 3, &Device::flex());
            let settings = LanguageModelConfig { steps: 150, batch_size: 8, lr: 1e-2, lr_warm_up: 10, ..LanguageModelConfig::default() };
            let rows = |step: u64| (0..8).map(|i| vec![(i + step as u32) % 8, (i * 3) % 8, (i + step as u32) % 8]).collect();
            let history = train(&mut model, &settings, rows, "copy", &mut MemoryLab::new(Device::flex())).unwrap();
            (history, model.tok_embed.into_data().try_into_vec::<f32>().unwrap())
        };
        let (history, weights) = run();
        let (first, last) = (history[0].1, history[history.len() - 1].1);
        assert!(last < 0.75 * first, "{first} {last}");
        assert_eq!(run().1, weights);
    }
}

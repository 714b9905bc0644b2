//! Training a transformer on token sequences: next-token cross-entropy through the plain forward.
//!
//! Every position is predicted from those before it; the last position, where the sentences of a task put their answer, counts once more. AdamW with linear warm-up and decay.

use std::collections::BTreeMap;

use crate::tensor::Tensor;

use super::{
    adamw::AdamW,
    backward::{Gradients, loss_and_gradients},
    checkpoint::{self, Progress},
    cross_entropy::ReadError,
    schedule,
};
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
    #[error("a training batch needs sequences of equal length, and one target and one weight for each of their tokens")]
    Unequal,
    #[error(transparent)]
    Device(#[from] ReadError),
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
pub struct ModelMoments(pub(super) BTreeMap<String, Option<[Tensor<1>; 2]>>);

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
    let batch = model.batch(&examples.inputs)?;
    let (seq, n) = (batch.seq_len(), batch.n_tokens());
    if batch.lengths().iter().any(|&len| len != seq) || examples.targets.len() != n || examples.weights.len() != n {
        return Err(LanguageModelError::Unequal);
    }
    let vocab = model.config.d_out;
    if let Some((row, &id)) = examples.targets.iter().enumerate().find(|(_, id)| **id as usize >= vocab) {
        return Err(BatchError::UnknownToken { row: row / seq, id, vocab }.into());
    }
    let (loss, gradients) = loss_and_gradients(model, &batch, &examples.targets, &examples.weights)?;
    if !loss.is_finite() {
        return Err(LanguageModelError::NotFinite(step));
    }
    model.visit(&mut Update { gradients, moments, adamw, step, lr });
    Ok(loss)
}

/// Steps between two checkpoints.
const CHECKPOINT_EVERY: u64 = 500;

/// Trains `model` on `sequences(step)`; returns (step, loss) pairs. Goes on from the newest checkpoint of `phase`, to the same weights that an unbroken run ends with.
///
/// # Errors
/// As [`step`]; [`LabError`]: stopped, or a checkpoint that cannot be written or used.
pub fn train(
    model: &mut Transformer,
    config: &LanguageModelConfig,
    mut sequences: impl FnMut(u64) -> Vec<Vec<u32>>,
    phase: &str,
    lab: &mut dyn Lab,
) -> Result<Vec<(u64, f64)>, LanguageModelError> {
    let mut progress = match lab.resume(phase) {
        Some(bytes) => checkpoint::load(&bytes, model, config)?,
        None => Progress::default(),
    };
    while progress.step < config.steps {
        let at = progress.step;
        let lr = config.lr * schedule::linear_with_warm_up(at, config.lr_warm_up, config.steps);
        let loss = step(model, &Examples::next_token(&sequences(at)), &mut progress.moments, &config.adamw, at + 1, lr)?;
        if (at + 1) % 10 == 0 {
            lab.metrics(phase, at + 1, &BTreeMap::from([("loss", loss), ("lr", lr)]));
            progress.history.push((at + 1, loss));
        }
        progress.step = at + 1;
        lab.progress(phase, progress.step, config.steps);
        let stop = lab.stop_requested();
        if stop || progress.step.is_multiple_of(CHECKPOINT_EVERY) {
            lab.save_checkpoint(phase, progress.step, checkpoint::save(model, &progress, config)?)?;
        }
        if stop {
            return Err(LabError::Stopped { step: progress.step }.into());
        }
    }
    Ok(progress.history)
}

struct Update<'a> {
    gradients: Gradients,
    moments: &'a mut ModelMoments,
    adamw: &'a AdamW,
    step: u64,
    lr: f64,
}

impl Update<'_> {
    fn apply<const D: usize>(&mut self, name: &str, value: &mut Tensor<D>) {
        if let Some(gradient) = self.gradients.remove(name) {
            let moments = self.moments.0.entry(name.to_owned()).or_default();
            let shape = value.dims();
            value.inplace(|v| self.adamw.step_tensor(v, gradient.reshape(shape), moments, self.step, self.lr));
        }
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
    use crate::tensor::Device;
    use crate::{lab::MemoryLab, model::TransformerConfig};

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

    #[test]
    fn a_training_run_that_goes_on_ends_with_the_same_bits_and_foreign_checkpoints_are_refused() {
        let config = TransformerConfig {
            n_layers: 1,
            vocab_size: 8,
            d_out: 8,
            max_positions: 4,
            d_model: 16,
            n_heads: 2,
            n_kv_heads: 2,
            d_head: 8,
            d_mlp: 16,
            ..TransformerConfig::gpt2_small()
        };
        let settings = LanguageModelConfig { steps: 30, batch_size: 4, lr_warm_up: 5, ..LanguageModelConfig::default() };
        let rows = |step: u64| (0..4).map(|i| vec![(i + step as u32) % 8, (i * 3) % 8, (i + step as u32) % 8]).collect();
        let run = |settings: &LanguageModelConfig, lab: &mut MemoryLab| {
            let mut model = Transformer::init(config, 3, &Device::flex());
            let history = train(&mut model, settings, rows, "copy", lab)?;
            let progress = Progress { step: settings.steps, history, ..Progress::default() };
            checkpoint::save(&mut model, &progress, settings)
        };
        let whole = run(&settings, &mut MemoryLab::new(Device::flex())).unwrap();
        let mut broken = MemoryLab::new(Device::flex());
        for at in [1, 17, 29] {
            broken.stop_at = Some(at);
            assert!(matches!(run(&settings, &mut broken), Err(LanguageModelError::Lab(LabError::Stopped { step })) if step == at));
        }
        broken.stop_at = None;
        let bytes = broken.checkpoints["copy"].1.clone();
        assert_eq!(run(&settings, &mut broken).unwrap(), whole);
        // Other settings, another shape, a cut file, a number that is none.
        let refused = |result: Result<Vec<u8>, LanguageModelError>| {
            assert!(matches!(result, Err(LanguageModelError::Lab(LabError::BadCheckpoint { .. }))));
        };
        refused(run(&LanguageModelConfig { lr: 1.0, ..settings }, &mut broken));
        let mut wider = Transformer::init(TransformerConfig { d_mlp: 24, ..config }, 3, &Device::flex());
        refused(checkpoint::load(&bytes, &mut wider, &settings).map(|_| vec![]));
        for end in [0, 9, bytes.len() - 1] {
            broken.checkpoints.insert("copy".into(), (29, bytes[..end].to_vec()));
            refused(run(&settings, &mut broken));
        }
        let mut poisoned = bytes;
        let last = poisoned.len() - 4;
        poisoned[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        broken.checkpoints.insert("copy".into(), (29, poisoned));
        refused(run(&settings, &mut broken));
    }
}

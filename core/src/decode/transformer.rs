//! A transformer as a scorer, with a cache that forks.
//!
//! The forward pass is the model's only one, over the plain residual stream; what a hypothesis has seen stays in a [`Cache`]. A prompt that begins as the last one did
//! goes on from their common part.

use crate::tensor::Tensor;

use super::scorer::{Scorer, ScorerError, Step, log_softmax};
use crate::model::{Cache, Transformer, stream::Plain, transformer::select_rows};

/// A transformer and what it remembers.
pub struct TransformerScorer<'m> {
    model: &'m Transformer,
    cache: Cache,
    prompt: Vec<u32>,
}

impl<'m> TransformerScorer<'m> {
    pub fn new(model: &'m Transformer) -> Self {
        Self { model, cache: Cache::new(model), prompt: vec![] }
    }

    /// The memory of what was seen.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Log-probabilities after the last of the new tokens of each row.
    fn more(&mut self, new: &[Vec<u32>]) -> Result<Vec<Vec<f64>>, ScorerError> {
        let batch = self.model.batch(new)?;
        let read = self.model.forward_cached(&batch, &mut self.cache, &mut Plain::default())?;
        let rows: Vec<usize> = (0..batch.size()).map(|row| batch.row(row, batch.seq_len() - 1)).collect();
        log_probs(self.model.unembed(select_rows(read, &rows)), self.cache.tokens())
    }
}

/// Log-probabilities from logits `[row, vocab]`; `tokens` is the prefixes' length, for the message.
pub(super) fn log_probs(logits: Tensor<2>, tokens: usize) -> Result<Vec<Vec<f64>>, ScorerError> {
    let width = logits.dims()[1];
    let device = |e: &dyn std::fmt::Debug| ScorerError::Device(format!("{e:?}"));
    let logits = logits.try_into_data().map_err(|e| device(&e))?.try_into_vec::<f32>().map_err(|e| device(&e))?;
    logits.chunks_exact(width.max(1)).map(|row| log_softmax(row).ok_or(ScorerError::NotFinite { tokens })).collect()
}

impl Scorer for TransformerScorer<'_> {
    fn vocab_size(&self) -> usize {
        self.model.unembedding().dims()[1]
    }

    fn max_tokens(&self) -> usize {
        self.model.config.max_positions
    }

    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError> {
        let common = self.prompt.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        // The last token is run again: its logits are wanted.
        self.cache.restart(common.min(prompt.len().saturating_sub(1)));
        let new = prompt[self.cache.tokens()..].to_vec();
        if new.is_empty() {
            return Err(ScorerError::EmptyPrompt);
        }
        self.prompt.clear();
        let mut scores = self.more(&[new])?;
        self.cache.keep();
        self.prompt = prompt.to_vec();
        scores.pop().ok_or(ScorerError::EmptyPrompt)
    }

    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError> {
        let parents: Vec<usize> = steps.iter().map(|step| step.parent).collect();
        let new: Vec<Vec<u32>> = steps.iter().map(|step| vec![step.token]).collect();
        self.cache.fork(&parents)?;
        self.more(&new)
    }
}

//! A transformer without memory: every prefix is run again, all of a step in one batch.
//!
//! What a cache is measured against and compared with; nothing else should use it.

use super::{
    scorer::{Scorer, ScorerError, Step, forked},
    transformer::log_probs,
};
use crate::model::{Transformer, stream::Plain, transformer::select_rows};

/// Runs whole prefixes.
pub struct Rerun<'m> {
    model: &'m Transformer,
    rows: Vec<Vec<u32>>,
}

impl<'m> Rerun<'m> {
    pub fn new(model: &'m Transformer) -> Self {
        Self { model, rows: vec![] }
    }

    fn scores(&self) -> Result<Vec<Vec<f64>>, ScorerError> {
        let batch = self.model.batch(&self.rows)?;
        let last: Vec<usize> = self.rows.iter().enumerate().map(|(row, tokens)| batch.row(row, tokens.len() - 1)).collect();
        let read = self.model.forward(&batch, &mut Plain::default());
        log_probs(self.model.unembed(select_rows(read, &last)), batch.seq_len())
    }
}

impl Scorer for Rerun<'_> {
    fn vocab_size(&self) -> usize {
        self.model.unembedding().dims()[1]
    }

    fn max_tokens(&self) -> usize {
        self.model.config.max_positions
    }

    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError> {
        self.rows = vec![prompt.to_vec()];
        self.scores()?.pop().ok_or(ScorerError::EmptyPrompt)
    }

    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError> {
        self.rows = forked(&self.rows, steps)?;
        self.scores()
    }
}

//! Scorers that are a function of the prefix: small models with known answers.

use super::scorer::{Scorer, ScorerError, Step, forked};

/// A scorer made of a function from the prefix (prompt included) to log-probabilities `[vocab]`.
pub struct FnScorer<F> {
    vocab: usize,
    of: F,
    rows: Vec<Vec<u32>>,
}

impl<F: Fn(&[u32]) -> Vec<f64>> FnScorer<F> {
    pub fn new(vocab: usize, of: F) -> Self {
        Self { vocab, of, rows: vec![] }
    }

    fn scores(&self, prefix: &[u32]) -> Result<Vec<f64>, ScorerError> {
        let scores = (self.of)(prefix);
        if scores.len() != self.vocab {
            return Err(ScorerError::Width { found: scores.len(), vocab: self.vocab });
        }
        if scores.iter().any(|x| x.is_nan()) {
            return Err(ScorerError::NotFinite { tokens: prefix.len() });
        }
        Ok(scores)
    }
}

impl<F: Fn(&[u32]) -> Vec<f64>> Scorer for FnScorer<F> {
    fn vocab_size(&self) -> usize {
        self.vocab
    }

    fn max_tokens(&self) -> usize {
        usize::MAX
    }

    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError> {
        self.rows = vec![prompt.to_vec()];
        self.scores(prompt)
    }

    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError> {
        self.rows = forked(&self.rows, steps)?;
        self.rows.iter().map(|row| self.scores(row)).collect()
    }
}

/// A Markov chain of order one: the next token depends on the last alone.
#[derive(Debug, Clone)]
pub struct Markov {
    /// `[last token][next token]`.
    pub log_probs: Vec<Vec<f64>>,
    /// Last token of each row.
    rows: Vec<u32>,
}

impl Markov {
    pub fn new(log_probs: Vec<Vec<f64>>) -> Self {
        Self { log_probs, rows: vec![] }
    }

    fn scores(&self, last: u32) -> Result<Vec<f64>, ScorerError> {
        let vocab = self.log_probs.len();
        match self.log_probs.get(last as usize) {
            Some(scores) if scores.len() == vocab => Ok(scores.clone()),
            other => Err(ScorerError::Width { found: other.map_or(0, Vec::len), vocab }),
        }
    }
}

impl Scorer for Markov {
    fn vocab_size(&self) -> usize {
        self.log_probs.len()
    }

    fn max_tokens(&self) -> usize {
        usize::MAX
    }

    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError> {
        let last = *prompt.last().ok_or(ScorerError::EmptyPrompt)?;
        self.rows = vec![last];
        self.scores(last)
    }

    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError> {
        if let Some(step) = steps.iter().find(|step| step.parent >= self.rows.len()) {
            return Err(ScorerError::Parent { row: step.parent, rows: self.rows.len() });
        }
        self.rows = steps.iter().map(|step| step.token).collect();
        self.rows.iter().map(|&last| self.scores(last)).collect()
    }
}

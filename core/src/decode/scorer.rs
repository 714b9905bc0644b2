//! What every decoding method runs over: the next token's log-probabilities for a batch of prefixes that fork.
//!
//! A scorer holds rows, one a live hypothesis. [`Scorer::begin`] makes one row of the prompt; [`Scorer::advance`] names for each new row its parent and the token it adds.
//! Rows that nobody names are forgotten, so forks share whatever the scorer remembers of their common past.

use thiserror::Error;

use crate::model::{batch::BatchError, cache::CacheError};

/// Why prefixes cannot be scored.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScorerError {
    #[error("the prompt has no tokens")]
    EmptyPrompt,
    #[error("row {row} is named as a parent, but there are {rows}")]
    Parent { row: usize, rows: usize },
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("the scorer gives {found} numbers for a vocabulary of {vocab}")]
    Width { found: usize, vocab: usize },
    #[error("the model's logits after {tokens} tokens are not finite numbers")]
    NotFinite { tokens: usize },
    #[error("the device failed: {0}")]
    Device(String),
}

/// A new row: a fork of `parent` with one more token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub parent: usize,
    pub token: u32,
}

/// Next-token log-probabilities.
pub trait Scorer {
    /// Tokens there are.
    fn vocab_size(&self) -> usize;

    /// Longest prefix, prompt and continuation together.
    fn max_tokens(&self) -> usize;

    /// Forgets all rows, makes one of the prompt, and gives its next token's log-probabilities, `[vocab]`. A forbidden token has negative infinity.
    ///
    /// # Errors
    /// [`ScorerError`] for a prompt that cannot be scored.
    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError>;

    /// The rows become those named, in this order, and their next token's log-probabilities are returned, `[row][vocab]`.
    ///
    /// # Errors
    /// [`ScorerError`] for a parent that is not there, or a context that is full.
    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError>;
}

/// The prefixes that `steps` make of `rows`: what a scorer without memory runs.
///
/// # Errors
/// [`ScorerError::Parent`] for a row that is not there.
pub(super) fn forked(rows: &[Vec<u32>], steps: &[Step]) -> Result<Vec<Vec<u32>>, ScorerError> {
    let fork = |step: &Step| match rows.get(step.parent) {
        Some(row) => Ok([&row[..], &[step.token]].concat()),
        None => Err(ScorerError::Parent { row: step.parent, rows: rows.len() }),
    };
    steps.iter().map(fork).collect()
}

/// `log sum exp x`, where the largest x is a number.
pub fn log_sum_exp(largest: f64, x: impl Iterator<Item = f64>) -> f64 {
    largest + x.map(|x| (x - largest).exp()).sum::<f64>().ln()
}

/// `x - log sum exp x`, in double precision; `None` where that is no number.
pub fn log_softmax(logits: &[f32]) -> Option<Vec<f64>> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !largest.is_finite() || logits.iter().any(|x| x.is_nan()) {
        return None;
    }
    let normalizer = log_sum_exp(f64::from(largest), logits.iter().map(|&x| f64::from(x)));
    Some(logits.iter().map(|&x| f64::from(x) - normalizer).collect())
}

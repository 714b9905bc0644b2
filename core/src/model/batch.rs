//! A batch of token sequences, padded on the right.

use crate::tensor::{Device, Int, Tensor, TensorData};
use thiserror::Error;

/// Why sequences make no batch.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BatchError {
    #[error("a batch needs at least one sequence of at least one token")]
    Empty,
    #[error("sequence {row} has {len} tokens, but the model's context is {max}")]
    TooLong { row: usize, len: usize, max: usize },
    #[error("sequence {row} has token id {id}, but the vocabulary has {vocab} entries")]
    UnknownToken { row: usize, id: u32, vocab: usize },
}

/// Token ids `[batch, position]`, padded on the right with id 0 to the longest sequence.
#[derive(Debug, Clone)]
pub struct Batch {
    ids: Tensor<2, Int>,
    lengths: Vec<usize>,
    seq_len: usize,
}

impl Batch {
    /// Pads and checks `sequences` against a vocabulary and a context length.
    ///
    /// # Errors
    /// [`BatchError`] for an empty batch, a sequence above `max_positions` or an id outside the vocabulary.
    pub fn new<S: AsRef<[u32]>>(sequences: &[S], vocab_size: usize, max_positions: usize, device: &Device) -> Result<Self, BatchError> {
        let lengths: Vec<usize> = sequences.iter().map(|s| s.as_ref().len()).collect();
        let seq_len = lengths.iter().copied().max().unwrap_or(0);
        if lengths.contains(&0) || seq_len == 0 {
            return Err(BatchError::Empty);
        }
        let mut ids = vec![0_i32; sequences.len() * seq_len];
        for (row, sequence) in sequences.iter().enumerate() {
            let sequence = sequence.as_ref();
            if sequence.len() > max_positions {
                return Err(BatchError::TooLong { row, len: sequence.len(), max: max_positions });
            }
            for (slot, &id) in ids[row * seq_len..].iter_mut().zip(sequence) {
                match i32::try_from(id) {
                    Ok(id_i32) if (id as usize) < vocab_size => *slot = id_i32,
                    _ => return Err(BatchError::UnknownToken { row, id, vocab: vocab_size }),
                }
            }
        }
        Ok(Self { ids: Tensor::from_data(TensorData::new(ids, [sequences.len(), seq_len]), device), lengths, seq_len })
    }

    /// Token ids `[batch, position]`.
    pub fn ids(&self) -> Tensor<2, Int> {
        self.ids.clone()
    }

    /// Sequences in the batch.
    pub fn size(&self) -> usize {
        self.lengths.len()
    }

    /// Padded length, in tokens.
    pub fn seq_len(&self) -> usize {
        self.seq_len
    }

    /// Rows of a flattened `[batch * position, ...]` tensor.
    pub fn n_tokens(&self) -> usize {
        self.lengths.len() * self.seq_len
    }

    /// Unpadded length of each sequence.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Row of (`sequence`, `position`) in a flattened `[batch * position, ...]` tensor.
    pub fn row(&self, sequence: usize, position: usize) -> usize {
        sequence * self.seq_len + position
    }
}

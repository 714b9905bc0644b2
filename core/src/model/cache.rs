//! What a transformer remembers of the tokens it has seen, so that a new token costs one row of each product.
//!
//! **Idea.** Keys and values of earlier tokens do not change. A cache holds those of several rows (hypotheses) of equal length; rows fork by naming their parents.
//!
//! **Method.** On the CPU's plain memory a row is a list of slots in one pool and forking copies nothing ([`super::cpu::cached`]). On other devices keys and values are one tensor a layer,
//! `[row, kv_head, position, d_head]`, and forking takes rows by index. The first row can be kept aside ([`Cache::keep`]): a later prompt that begins as this one did goes on from there.

use thiserror::Error;

use super::{
    attention::{AttentionContext, Qkv},
    batch::Batch,
    config::TransformerConfig,
    cpu::{
        self, Host,
        attention::Angles,
        cached::{Pool, Sizes},
    },
    transformer::Transformer,
};
use crate::tensor::{Device, Int, Tensor, TensorData};

/// Why new tokens do not fit the cache.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CacheError {
    #[error("the cache holds {cached} rows, but {new} sequences are to be added")]
    Rows { cached: usize, new: usize },
    #[error("sequences of different lengths cannot be added to a cache together")]
    Ragged,
    #[error("{tokens} tokens do not fit the model's context of {max}")]
    Full { tokens: usize, max: usize },
    #[error("this model looks at later tokens too, so it cannot go on from a cache")]
    NotCausal,
    #[error("row {row} is named as a parent, but the cache holds {cached} rows")]
    Parent { row: usize, cached: usize },
}

/// Keys and values of some rows of equal length.
#[derive(Debug, Clone)]
pub struct Cache {
    config: TransformerConfig,
    rows: usize,
    tokens: usize,
    store: Store,
}

#[derive(Debug, Clone)]
enum Store {
    Host { pool: Pool, rows: Vec<Vec<u32>>, kept: Vec<u32> },
    Tensors { layers: Vec<KeysValues>, kept: Vec<KeysValues>, device: Device },
}

/// Rotated keys and values, `[row, kv_head, position, d_head]`.
type KeysValues = [Tensor<4>; 2];

impl Cache {
    /// An empty cache for `model`.
    pub fn new(model: &Transformer) -> Self {
        let (config, device) = (model.config, model.device());
        let store = if cpu::is_host_device(&device) {
            let sizes = Sizes { heads: config.n_heads, kv_heads: config.n_kv_heads, d_head: config.d_head };
            Store::Host { pool: Pool::new(sizes, config.n_layers), rows: vec![], kept: vec![] }
        } else {
            Store::Tensors { layers: vec![], kept: vec![], device }
        };
        Self { config, rows: 0, tokens: 0, store }
    }

    /// Rows held.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens of each row.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens in memory, shared ones once; `None` where the device keeps rows apart.
    pub fn slots(&self) -> Option<usize> {
        match &self.store {
            Store::Host { pool, .. } => Some(pool.used()),
            Store::Tensors { .. } => None,
        }
    }

    /// The rows become forks of the named ones, in the order of `parents`; rows that nobody names are forgotten.
    ///
    /// # Errors
    /// [`CacheError::Parent`] for a row that is not there.
    pub fn fork(&mut self, parents: &[usize]) -> Result<(), CacheError> {
        if let Some(&row) = parents.iter().find(|&&p| p >= self.rows) {
            return Err(CacheError::Parent { row, cached: self.rows });
        }
        match &mut self.store {
            Store::Host { pool, rows, .. } => {
                let forks: Vec<Vec<u32>> = parents.iter().map(|&p| rows[p].clone()).collect();
                for row in &forks {
                    pool.hold(row);
                }
                for row in rows.iter() {
                    pool.release(row);
                }
                *rows = forks;
            }
            Store::Tensors { layers, device, .. } if !parents.iter().copied().eq(0..self.rows) => {
                let indices: Vec<i32> = parents.iter().map(|&p| p as i32).collect();
                let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [parents.len()]), &*device);
                for part in layers.iter_mut().flatten() {
                    *part = part.clone().select(0, indices.clone());
                }
            }
            Store::Tensors { .. } => {}
        }
        self.rows = parents.len();
        Ok(())
    }

    /// Puts the first row aside, for [`Cache::restart`].
    pub fn keep(&mut self) {
        match &mut self.store {
            Store::Host { pool, rows, kept } => {
                let row = rows.first().cloned().unwrap_or_default();
                pool.hold(&row);
                pool.release(kept);
                *kept = row;
            }
            Store::Tensors { layers, kept, .. } => {
                *kept = layers.iter().map(|parts| parts.clone().map(|x| x.narrow(0, 0, 1))).collect();
            }
        }
    }

    /// One row: the first `tokens` tokens of what was put aside; an empty cache for 0.
    pub fn restart(&mut self, tokens: usize) {
        match &mut self.store {
            Store::Host { pool, rows, kept } => {
                let row = kept[..tokens.min(kept.len())].to_vec();
                pool.hold(&row);
                for row in rows.iter() {
                    pool.release(row);
                }
                self.tokens = row.len();
                *rows = if row.is_empty() { vec![] } else { vec![row] };
                self.rows = rows.len();
            }
            Store::Tensors { layers, kept, .. } => {
                let held = kept.first().map_or(0, |[keys, _]| keys.dims()[2]);
                self.tokens = tokens.min(held);
                self.rows = usize::from(self.tokens > 0);
                *layers = if self.tokens == 0 {
                    vec![]
                } else {
                    kept.iter().map(|parts| parts.clone().map(|x| x.narrow(2, 0, self.tokens))).collect()
                };
            }
        }
    }

    /// Makes room for the tokens of `batch` and returns the attention that fills it, layer by layer.
    pub(super) fn extend<'a>(&'a mut self, model: &Transformer, batch: &'a Batch) -> Result<CachedAttention<'a>, CacheError> {
        let (size, seq, past) = (batch.size(), batch.seq_len(), self.tokens);
        let tokens = past + seq;
        if !self.config.causal {
            return Err(CacheError::NotCausal);
        }
        if self.rows != 0 && self.rows != size {
            return Err(CacheError::Rows { cached: self.rows, new: size });
        }
        if batch.lengths().iter().any(|&length| length != seq) {
            return Err(CacheError::Ragged);
        }
        if tokens > self.config.max_positions {
            return Err(CacheError::Full { tokens, max: self.config.max_positions });
        }
        (self.rows, self.tokens) = (size, tokens);
        let how = match &mut self.store {
            Store::Host { pool, rows, .. } => {
                rows.resize(size, vec![]);
                for row in rows {
                    row.extend((0..seq).map(|_| pool.take()));
                }
                // From nothing the fused kernel of whole sequences is faster.
                let whole = (past == 0 && seq > 1).then(|| AttentionContext::new(&self.config, batch, &model.device()));
                How::Host { angles: Angles::of(&self.config, past..tokens), whole }
            }
            Store::Tensors { device, .. } => How::Tensors(AttentionContext::going_on(&self.config, past..tokens, device)),
        };
        Ok(CachedAttention { cache: self, how, seq })
    }
}

/// The attention of one forward over a cache.
pub(super) struct CachedAttention<'a> {
    cache: &'a mut Cache,
    how: How,
    /// New tokens of each row.
    seq: usize,
}

/// What the forward's layers share, by where the cache keeps its keys and values.
enum How {
    /// Angles of the new positions, and the attention of whole sequences where they begin from nothing.
    Host {
        angles: Option<Angles>,
        whole: Option<AttentionContext>,
    },
    Tensors(AttentionContext),
}

impl CachedAttention<'_> {
    /// Head outputs `[row, head, new position, d_head]`; the layer's keys and values are remembered.
    pub(super) fn attend(&mut self, layer: usize, qkv: Qkv) -> Tensor<4> {
        let Cache { config, rows: n_rows, store, .. } = &mut *self.cache;
        match (store, &self.how) {
            (Store::Host { pool, rows, .. }, How::Host { angles, whole }) => {
                let device = qkv.0.device();
                let by_token = Host::new(qkv.0.clone().permute([0, 2, 1, 3])).map(Host::contiguous);
                let by_token = by_token.unwrap_or_else(|_| unreachable!("the store was chosen by the device"));
                pool.store(layer, rows, self.seq, by_token.values(), angles.as_ref());
                if let Some(whole) = whole {
                    return whole.attend(qkv);
                }
                let z = pool.attend(layer, rows, self.seq, &by_token, angles.as_ref());
                cpu::tensor(z, [*n_rows, self.seq, config.n_heads, config.d_head], &device).permute([0, 2, 1, 3])
            }
            (Store::Tensors { layers, .. }, How::Tensors(context)) => {
                let (z, held) = context.go_on(qkv.0, layers.get(layer).cloned());
                match layers.get_mut(layer) {
                    Some(place) => *place = held,
                    None => layers.push(held),
                }
                z
            }
            _ => unreachable!("the way follows from the store"),
        }
    }
}

#[cfg(test)]
mod tests;

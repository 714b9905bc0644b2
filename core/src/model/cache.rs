//! What a transformer remembers of the tokens it has seen, so that a new token costs one row of each product.
//!
//! **Idea.** Keys and values of earlier tokens do not change. A cache holds those of several rows (hypotheses) of equal length; rows fork by naming their parents.
//!
//! **Method.** On the CPU's plain memory a row is a list of slots in one pool and forking copies nothing ([`super::cpu::cached`]). On other devices keys and values are one tensor a layer,
//! `[row, kv_head, position, d_head]`, and forking takes rows by index. The first row can be kept aside ([`Cache::keep`]): a later prompt that begins as this one did goes on from there.

use crate::tensor::{Device, Int, Tensor, TensorData, activation::softmax};
use thiserror::Error;

use super::{
    attention::{AttentionContext, Qkv},
    batch::Batch,
    config::{Positions, TransformerConfig},
    cpu::{
        self, Host,
        attention::Angles,
        cached::{Pool, Sizes},
    },
    transformer::Transformer,
};

/// Added to the scores of keys that a query may not see.
const HIDDEN: f32 = -1e30;

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
        let angles = match self.config.positions {
            Positions::Learned => None,
            Positions::Rotary { base } => Some(Angles::of(base, self.config.d_head, past..tokens)),
        };
        // From nothing the fused kernel of whole sequences is faster.
        let whole = (past == 0 && seq > 1).then(|| AttentionContext::new(&self.config, batch, &model.device()));
        (self.rows, self.tokens) = (size, tokens);
        if let Store::Host { pool, rows, .. } = &mut self.store {
            rows.resize(size, vec![]);
            for row in rows {
                row.extend((0..seq).map(|_| pool.take()));
            }
        }
        Ok(CachedAttention { cache: self, angles, whole, past, seq })
    }
}

/// The attention of one forward over a cache.
pub(super) struct CachedAttention<'a> {
    cache: &'a mut Cache,
    /// Of the new positions.
    angles: Option<Angles>,
    whole: Option<AttentionContext>,
    past: usize,
    seq: usize,
}

impl CachedAttention<'_> {
    /// Head outputs `[row, head, new position, d_head]`; the layer's keys and values are remembered.
    pub(super) fn attend(&mut self, layer: usize, qkv: Qkv) -> Tensor<4> {
        let Cache { config, rows: n_rows, store, .. } = &mut *self.cache;
        match store {
            Store::Host { pool, rows, .. } => {
                let device = qkv.0.device();
                let by_token = qkv.0.clone().permute([0, 2, 1, 3]);
                match Host::new(by_token).map(Host::contiguous) {
                    Ok(host) => {
                        pool.store(layer, rows, self.seq, host.values(), self.angles.as_ref());
                        if let Some(whole) = &self.whole {
                            return whole.attend(qkv);
                        }
                        let z = pool.attend(layer, rows, self.seq, &host, self.angles.as_ref());
                        cpu::tensor(z, [*n_rows, self.seq, config.n_heads, config.d_head], &device).permute([0, 2, 1, 3])
                    }
                    // Not reached: the store was chosen by the device.
                    Err(by_token) => by_token.permute([0, 2, 1, 3]).narrow(1, 0, config.n_heads),
                }
            }
            Store::Tensors { layers, device, .. } => {
                let (h, g) = (config.n_heads, config.n_kv_heads);
                let [q, k, v] = [(0, h), (h, g), (h + g, g)].map(|(from, n)| qkv.0.clone().narrow(1, from, n));
                let [q, k] = [q, k].map(|x| rotate(x, self.angles.as_ref(), device));
                let [keys, values] = match layers.get(layer).cloned() {
                    Some([keys, values]) => [Tensor::cat(vec![keys, k], 2), Tensor::cat(vec![values, v], 2)],
                    None => [k, v],
                };
                let held = [keys.clone(), values.clone()];
                match layers.get_mut(layer) {
                    Some(place) => *place = held,
                    None => layers.push(held),
                }
                attend_tensors(config, q, keys, values, self.past, device)
            }
        }
    }
}

/// Turns the pairs (i, i + d/2) of `[row, head, position, d_head]`.
fn rotate(x: Tensor<4>, angles: Option<&Angles>, device: &Device) -> Tensor<4> {
    let Some(angles) = angles else { return x };
    let [_, _, seq, width] = x.dims();
    let half = width / 2;
    let table = |values: &[f32]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, seq, half]), device);
    let (cos, sin) = (table(&angles.cos), table(&angles.sin));
    let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
    Tensor::cat(vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin], 3)
}

/// `softmax(q k^T / sqrt(d) + mask) v` for queries that begin at position `past`.
fn attend_tensors(config: &TransformerConfig, q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, past: usize, device: &Device) -> Tensor<4> {
    let [rows, heads, seq, d_head] = q.dims();
    let (kv_heads, keys) = (config.n_kv_heads, past + seq);
    let scores = q.reshape([rows, kv_heads, heads / kv_heads * seq, d_head]).matmul(k.swap_dims(2, 3)) * (d_head as f64).powf(-0.5);
    let mut scores = scores.reshape([rows, heads, seq, keys]);
    if seq > 1 {
        let mask: Vec<f32> = (0..seq).flat_map(|i| (0..keys).map(move |k| if k <= past + i { 0.0 } else { HIDDEN })).collect();
        scores = scores + Tensor::<4>::from_data(TensorData::new(mask, [1, 1, seq, keys]), device);
    }
    let pattern = softmax(scores, 3).reshape([rows, kv_heads, heads / kv_heads * seq, keys]);
    pattern.matmul(v).reshape([rows, heads, seq, d_head])
}

#[cfg(test)]
mod tests;

//! Softmax attention with grouped heads and rotary positions, and its pullback.
//!
//! `z = softmax(q k^T / sqrt(d_head) + mask) v`, one key/value head serving `n_heads / n_kv_heads` neighbouring query heads (Ainslie et al. 2023). Rotary positions
//! (Su et al. 2021) turn the pair (i, i + d/2) of q and k by `position * base^(-2i/d)`; turning is orthogonal, so its pullback turns back.

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

use super::{
    batch::Batch,
    config::{Positions, TransformerConfig},
};

/// Added to the scores of keys that a query may not see: far below any real score, yet finite.
const HIDDEN: f32 = -1e30;

/// What one layer's attention takes in, before rotation: `q` is `[batch, heads, query, d_head]`, `k` and `v` are `[batch, kv_heads, key, d_head]`.
#[derive(Debug, Clone)]
pub struct Qkv {
    pub q: Tensor<4>,
    pub k: Tensor<4>,
    pub v: Tensor<4>,
}

/// What all layers of one forward share: the mask and the rotation angles.
#[derive(Debug, Clone)]
pub struct AttentionContext {
    /// `[1 or batch, 1, 1 or query, key]`, 0 where seen.
    mask: Tensor<4>,
    /// cosine and sine, `[1, 1, position, d_head / 2]`.
    rotation: Option<[Tensor<4>; 2]>,
    scale: f64,
    group: usize,
}

impl AttentionContext {
    /// Mask and angles for `batch`. Padding is to the right: causal models never see it, others mask it by `batch.lengths`.
    pub fn new(config: &TransformerConfig, batch: &Batch, device: &Device) -> Self {
        let seq = batch.seq_len();
        let mask = if config.causal {
            let rows = (0..seq).flat_map(|q| (0..seq).map(move |k| if k <= q { 0.0 } else { HIDDEN })).collect::<Vec<f32>>();
            Tensor::from_data(TensorData::new(rows, [1, 1, seq, seq]), device)
        } else {
            let rows =
                batch.lengths().iter().flat_map(|&len| (0..seq).map(move |k| if k < len { 0.0 } else { HIDDEN })).collect::<Vec<f32>>();
            Tensor::from_data(TensorData::new(rows, [batch.size(), 1, 1, seq]), device)
        };
        let rotation = match config.positions {
            Positions::Learned => None,
            Positions::Rotary { base } => {
                let half = config.d_head / 2;
                let angles: Vec<f64> =
                    (0..seq).flat_map(|p| (0..half).map(move |i| p as f64 * base.powf(-2.0 * i as f64 / config.d_head as f64))).collect();
                let table = |f: fn(f64) -> f64| {
                    let values = angles.iter().map(|&a| f(a) as f32).collect::<Vec<f32>>();
                    Tensor::from_data(TensorData::new(values, [1, 1, seq, half]), device)
                };
                Some([table(f64::cos), table(f64::sin)])
            }
        };
        Self { mask, rotation, scale: (config.d_head as f64).powf(-0.5), group: config.n_heads / config.n_kv_heads }
    }

    /// Head outputs z, `[batch, heads, query, d_head]`.
    pub fn attend(&self, qkv: Qkv) -> Tensor<4> {
        let dims = qkv.q.dims();
        let (q, k) = (self.rotate(qkv.q, false), self.rotate(qkv.k, false));
        let pattern = self.pattern(self.grouped(q), k);
        pattern.matmul(qkv.v).reshape(dims)
    }

    /// Gradients at q, k and v from the gradient `d_z` at the head outputs; the pattern is computed again.
    pub fn pullback(&self, qkv: Qkv, d_z: Tensor<4>) -> Qkv {
        let dims = qkv.q.dims();
        let q = self.grouped(self.rotate(qkv.q, false));
        let k = self.rotate(qkv.k, false);
        let d_z = self.grouped(d_z);
        let pattern = self.pattern(q.clone(), k.clone());
        let d_v = pattern.clone().swap_dims(2, 3).matmul(d_z.clone());
        let d_pattern = d_z.matmul(qkv.v.swap_dims(2, 3));
        let along = (d_pattern.clone() * pattern.clone()).sum_dim(3);
        let d_scores = pattern * (d_pattern - along) * self.scale;
        let d_k = d_scores.clone().swap_dims(2, 3).matmul(q);
        let d_q = d_scores.matmul(k).reshape(dims);
        Qkv { q: self.rotate(d_q, true), k: self.rotate(d_k, true), v: d_v }
    }

    /// `[batch, heads, query, d]` to `[batch, kv_heads, group * query, d]`: the query heads of a group become more queries of one head.
    fn grouped(&self, x: Tensor<4>) -> Tensor<4> {
        if self.group == 1 {
            return x;
        }
        let [batch, heads, query, d] = x.dims();
        x.reshape([batch, heads / self.group, self.group * query, d])
    }

    /// Attention pattern `[batch, kv_heads, group * query, key]` of rotated q (grouped) and k.
    fn pattern(&self, q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
        let scores = q.matmul(k.swap_dims(2, 3)) * self.scale;
        let dims = scores.dims();
        let [batch, kv_heads, grouped_query, key] = dims;
        let per_head = scores.reshape([batch, kv_heads * self.group, grouped_query / self.group, key]);
        softmax(per_head + self.mask.clone(), 3).reshape(dims)
    }

    /// Turns the pairs (i, i + d/2) by their angles, or back.
    fn rotate(&self, x: Tensor<4>, back: bool) -> Tensor<4> {
        let Some([cos, sin]) = self.rotation.clone() else { return x };
        let half = x.dims()[3] / 2;
        let sin = if back { sin.neg() } else { sin };
        let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        Tensor::cat(vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin], 3)
    }
}

//! Softmax attention with grouped heads and rotary positions, and its pullback.
//!
//! `z = softmax(q k^T / sqrt(d_head) + mask) v`, one key/value head serving `n_heads / n_kv_heads` neighbouring query heads (Ainslie et al. 2023). Rotary positions
//! (Su et al. 2021) turn the pair (i, i + d/2) of q and k by `position * base^(-2i/d)`; turning is orthogonal, so its pullback turns back.
//!
//! On the CPU's plain memory both are one fused kernel ([`super::cpu::attention`]); other devices, and tensors that autodiff follows, take the tensor operations here.

use std::ops::Range;

use crate::tensor::{Device, Tensor, TensorData, activation::softmax};

use super::{
    batch::Batch,
    config::TransformerConfig,
    cpu::{
        self, Host,
        attention::{Angles, Visible},
        back,
    },
};

/// Added to the scores of keys that a query may not see: far below any real score, yet finite.
const HIDDEN: f32 = -1e30;

/// What one layer's attention takes in, before rotation: q of each head, then k, then v of each key/value head, `[batch, heads + 2 kv_heads, position, d_head]`.
#[derive(Debug, Clone)]
pub struct Qkv(pub Tensor<4>);

/// What all layers of one forward share: who sees whom, and the rotation angles.
#[derive(Debug, Clone)]
pub struct AttentionContext {
    visible: Visible,
    angles: Option<Angles>,
    heads: usize,
    kv_heads: usize,
    d_head: usize,
    /// The same as tensors, where the fused kernels do not run.
    tables: Option<Tables>,
}

#[derive(Debug, Clone)]
struct Tables {
    /// `[1 or batch, 1, 1 or query, key]`, 0 where seen; none where all is.
    mask: Option<Tensor<4>>,
    /// cosine and sine, `[1, 1, position, d_head / 2]`.
    rotation: Option<[Tensor<4>; 2]>,
}

impl AttentionContext {
    /// Mask and angles for `batch`. Padding is to the right: causal models never see it, others mask it by `batch.lengths`.
    pub fn new(config: &TransformerConfig, batch: &Batch, device: &Device) -> Self {
        let mut context = Self::on_host(config, batch);
        context.tables = (!cpu::is_host_device(device)).then(|| context.tables(0..batch.seq_len(), device));
        context
    }

    fn on_host(config: &TransformerConfig, batch: &Batch) -> Self {
        let visible = if config.causal { Visible::Causal } else { Visible::Lengths(batch.lengths().to_vec()) };
        Self::seeing(config, visible, 0..batch.seq_len())
    }

    /// Mask and angles for tokens at `positions` that go on from those before them, of a causal model, as tensors: for [`AttentionContext::go_on`].
    pub(super) fn going_on(config: &TransformerConfig, positions: Range<usize>, device: &Device) -> Self {
        let mut context = Self::seeing(config, Visible::Causal, positions.clone());
        context.tables = Some(context.tables(positions, device));
        context
    }

    fn seeing(config: &TransformerConfig, visible: Visible, positions: Range<usize>) -> Self {
        let TransformerConfig { n_heads: heads, n_kv_heads: kv_heads, d_head, .. } = *config;
        Self { visible, angles: Angles::of(config, positions), heads, kv_heads, d_head, tables: None }
    }

    fn tables(&self, positions: Range<usize>, device: &Device) -> Tables {
        let (seq, keys) = (positions.len(), positions.end);
        let shown = |seen: bool| if seen { 0.0 } else { HIDDEN };
        let mask = match &self.visible {
            Visible::Causal if seq == 1 => None,
            Visible::Causal => {
                let rows = positions.flat_map(|q| (0..keys).map(move |k| shown(k <= q))).collect::<Vec<f32>>();
                Some(Tensor::from_data(TensorData::new(rows, [1, 1, seq, keys]), device))
            }
            Visible::Lengths(lengths) => {
                let rows = lengths.iter().flat_map(|&len| (0..seq).map(move |k| shown(k < len))).collect::<Vec<f32>>();
                Some(Tensor::from_data(TensorData::new(rows, [lengths.len(), 1, 1, seq]), device))
            }
        };
        let table = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [1, 1, seq, self.d_head / 2]), device);
        Tables { mask, rotation: self.angles.as_ref().map(|a| [table(&a.cos), table(&a.sin)]) }
    }

    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    fn scale(&self) -> f64 {
        (self.d_head as f64).powf(-0.5)
    }

    fn host_heads(&self) -> cpu::attention::Heads<'_> {
        cpu::attention::Heads { heads: self.heads, kv_heads: self.kv_heads, visible: &self.visible, angles: self.angles.as_ref() }
    }

    /// Head outputs z, `[batch, heads, query, d_head]`.
    pub fn attend(&self, qkv: Qkv) -> Tensor<4> {
        let (shape, device) = (qkv.0.dims(), qkv.0.device());
        match (&self.tables, Host::new(qkv.0)) {
            (None, Ok(qkv)) => cpu::attention::attend(self.host_heads(), qkv, shape, &device),
            (_, qkv) => self.attend_tensors(back(qkv)),
        }
    }

    /// Gradients at q, k and v from the gradient `d_z` at the head outputs; the pattern is computed again.
    pub fn pullback(&self, qkv: Qkv, d_z: Tensor<4>) -> Qkv {
        let (shape, device) = (qkv.0.dims(), qkv.0.device());
        Qkv(match (&self.tables, Host::new(qkv.0), Host::new(d_z)) {
            (None, Ok(qkv), Ok(d_z)) => cpu::attention::pullback(self.host_heads(), qkv, d_z, shape, &device),
            (_, qkv, d_z) => self.pullback_tensors(back(qkv), back(d_z)),
        })
    }

    /// q, k and v apart, before rotation.
    fn apart(&self, qkv: Tensor<4>) -> [Tensor<4>; 3] {
        let (h, g) = (self.heads, self.kv_heads);
        [qkv.clone().narrow(1, 0, h), qkv.clone().narrow(1, h, g), qkv.narrow(1, h + g, g)]
    }

    fn attend_tensors(&self, qkv: Tensor<4>) -> Tensor<4> {
        self.go_on(qkv, None).0
    }

    /// Head outputs of new tokens, `[batch, heads, query, d_head]`, which see the rotated keys and the values of `earlier` ones, `[batch, kv_head, position, d_head]`, too;
    /// and keys and values of all.
    pub(super) fn go_on(&self, qkv: Tensor<4>, earlier: Option<[Tensor<4>; 2]>) -> (Tensor<4>, [Tensor<4>; 2]) {
        let [q, k, v] = self.apart(qkv);
        let dims = q.dims();
        let (q, k) = (self.rotate(q, false), self.rotate(k, false));
        let [keys, values] = match earlier {
            Some([keys, values]) => [Tensor::cat(vec![keys, k], 2), Tensor::cat(vec![values, v], 2)],
            None => [k, v],
        };
        (self.pattern(self.grouped(q), keys.clone()).matmul(values.clone()).reshape(dims), [keys, values])
    }

    fn pullback_tensors(&self, qkv: Tensor<4>, d_z: Tensor<4>) -> Tensor<4> {
        let [q, k, v] = self.apart(qkv);
        let dims = q.dims();
        let q = self.grouped(self.rotate(q, false));
        let k = self.rotate(k, false);
        let d_z = self.grouped(d_z);
        let pattern = self.pattern(q.clone(), k.clone());
        let d_v = pattern.clone().swap_dims(2, 3).matmul(d_z.clone());
        let d_pattern = d_z.matmul(v.swap_dims(2, 3));
        let along = (d_pattern.clone() * pattern.clone()).sum_dim(3);
        let d_scores = pattern * (d_pattern - along) * self.scale();
        let d_k = d_scores.clone().swap_dims(2, 3).matmul(q);
        let d_q = d_scores.matmul(k).reshape(dims);
        Tensor::cat(vec![self.rotate(d_q, true), self.rotate(d_k, true), d_v], 1)
    }

    /// `[batch, heads, query, d]` to `[batch, kv_heads, group * query, d]`: the query heads of a group become more queries of one head.
    fn grouped(&self, x: Tensor<4>) -> Tensor<4> {
        if self.group() == 1 {
            return x;
        }
        let [batch, _, query, d] = x.dims();
        x.reshape([batch, self.kv_heads, self.group() * query, d])
    }

    /// Attention pattern `[batch, kv_heads, group * query, key]` of rotated q (grouped) and k.
    fn pattern(&self, q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
        let scores = q.matmul(k.swap_dims(2, 3)) * self.scale();
        let dims = scores.dims();
        let [batch, _, grouped_query, key] = dims;
        let per_head = scores.reshape([batch, self.heads, grouped_query / self.group(), key]);
        let masked = match self.tables.as_ref().and_then(|tables| tables.mask.clone()) {
            Some(mask) => per_head + mask,
            None => per_head,
        };
        softmax(masked, 3).reshape(dims)
    }

    /// Turns the pairs (i, i + d/2) by their angles, or back.
    fn rotate(&self, x: Tensor<4>, back: bool) -> Tensor<4> {
        let Some([cos, sin]) = self.tables.as_ref().and_then(|t| t.rotation.clone()) else { return x };
        let half = x.dims()[3] / 2;
        let sin = if back { sin.neg() } else { sin };
        let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        Tensor::cat(vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin], 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Positions, train::rng::Stream};

    fn values(name: &str, n: usize) -> Vec<f32> {
        let mut stream = Stream::new(5, name, 0);
        (0..n).map(|_| stream.normal() as f32).collect()
    }

    fn largest_difference(a: Tensor<4>, b: Tensor<4>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar::<f32>()
    }

    /// The fused kernels and the tensor operations give the same, for both orders in memory in which projections come.
    #[test]
    fn fused_and_tensor_attention_agree_with_each_other_and_with_autodiff() {
        let device = Device::flex();
        // (heads, kv heads, d_head, lengths, causal, rotary)
        let cases = [
            (2, 2, 4, vec![5, 5], true, false),
            (6, 2, 8, vec![7, 3, 5], true, true),
            (9, 3, 64, vec![20, 20], true, true),
            (4, 4, 16, vec![4, 9, 1], false, false),
            (4, 1, 32, vec![33, 20], false, true),
            (2, 1, 20, vec![150], true, true),
            (1, 1, 64, vec![300], true, false),
        ];
        for (heads, kv_heads, d_head, lengths, causal, rotary) in cases {
            let positions = if rotary { Positions::Rotary { base: 1e4 } } else { Positions::Learned };
            let sizes = TransformerConfig {
                n_heads: heads,
                n_kv_heads: kv_heads,
                d_head,
                d_model: heads * d_head,
                ..TransformerConfig::gpt2_small()
            };
            let config = TransformerConfig { positions, causal, ..sizes };
            let sequences: Vec<Vec<u32>> = lengths.iter().map(|&n| vec![0; n]).collect();
            let batch = Batch::new(&sequences, 1, 1024, &device).unwrap();
            let (size, seq, readers) = (batch.size(), batch.seq_len(), config.n_attn_readers());
            let n = size * readers * seq * d_head;
            let by_token =
                Tensor::<4>::from_data(TensorData::new(values("qkv", n), [size, seq, readers, d_head]), &device).permute([0, 2, 1, 3]);
            let by_reader =
                by_token.clone().permute([1, 0, 2, 3]).reshape([readers, size * seq * d_head]).reshape([readers, size, seq, d_head]);
            let d_z =
                Tensor::<4>::from_data(TensorData::new(values("d_z", size * heads * seq * d_head), [size, heads, seq, d_head]), &device);
            let context = AttentionContext::new(&config, &batch, &device);
            assert!(context.tables.is_none());
            let mut slow = AttentionContext::on_host(&config, &batch);
            slow.tables = Some(slow.tables(0..seq, &device));
            let z = slow.attend_tensors(by_token.clone());
            let d = slow.pullback_tensors(by_token.clone(), d_z.clone());
            for qkv in [by_token.clone(), by_reader.permute([1, 0, 2, 3])] {
                let case = format!("{heads} {kv_heads} {d_head} {lengths:?} {causal} {rotary}");
                let found = largest_difference(context.attend(Qkv(qkv.clone())), z.clone());
                assert!(found < 1e-5, "z: {case}: {found}");
                let found = largest_difference(context.pullback(Qkv(qkv.clone()), d_z.clone()).0, d.clone());
                assert!(found < 1e-5 * f32::sqrt(seq as f32), "gradients: {case}: {found}");
            }
            #[cfg(feature = "autodiff")]
            {
                let tracked = by_token.autodiff().require_grad();
                let on_graph = AttentionContext::new(&config, &batch, &tracked.device());
                let gradients = (on_graph.attend(Qkv(tracked.clone())) * d_z.clone().autodiff()).sum().backward();
                let found = largest_difference(tracked.grad(&gradients).unwrap(), d);
                assert!(found < 1e-4, "autodiff: {found}");
            }
        }
    }
}

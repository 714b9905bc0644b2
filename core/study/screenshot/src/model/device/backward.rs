//! The way back over what was computed on a device.

use std::ops::Range;

use super::{
    DeviceTape, Node, Op,
    parts::{self, Heads, product},
    ragged::{Lists, numbers},
};
use crate::model::calls::{Calls as _, Var};
use vitrine_core::tensor::Tensor;

/// Gradients so far, for each call.
type Grads = Vec<Option<Tensor<2>>>;

impl DeviceTape {
    /// Gradients of all losses at the parameters, in order, on the device.
    #[must_use]
    pub fn backward(mut self) -> Vec<Tensor<2>> {
        let mut grads: Grads = self.nodes.iter().map(|_| None).collect();
        // A call's value goes with it: behind it only its gradient is needed.
        while self.nodes.len() > self.params {
            let (Some(node), Some(d)) = (self.nodes.pop(), grads.pop()) else { break };
            match (node.op, d) {
                (Op::Loss { of, gradient }, _) => self.give(&mut grads, of, gradient),
                (op, Some(d)) => self.pull(op, node.value, d, &mut grads),
                (_, None) => {}
            }
        }
        let zeros = |node: &Node| Tensor::zeros(node.shape, &self.device);
        grads.into_iter().zip(&self.nodes).map(|(grad, node)| grad.unwrap_or_else(|| zeros(node))).collect()
    }

    fn wants(&self, var: Var) -> bool {
        !matches!(self.nodes[var.0].op, Op::Given) && self.nodes[var.0].value.is_some()
    }

    /// Adds to a gradient, or becomes it; nothing for what needs none.
    fn give(&self, grads: &mut Grads, var: Var, d: Tensor<2>) {
        if self.wants(var) {
            grads[var.0] = Some(match grads[var.0].take() {
                Some(before) => before + d,
                None => d,
            });
        }
    }

    /// One over the number of rows of each span, `[spans, 1]`.
    pub(super) fn parts_of(&self, spans: &[Range<usize>]) -> Tensor<2> {
        numbers(spans.iter().map(|span| 1.0 / span.len().max(1) as f32).collect(), [spans.len(), 1], &self.device)
    }

    /// Gradients of some columns as one of a whole matrix.
    fn columns(&self, mut parts: Vec<(usize, Tensor<2>)>, var: Var) -> Tensor<2> {
        parts.sort_by_key(|(from, _)| *from);
        let [rows, cols] = self.nodes[var.0].shape;
        let (mut all, mut at) = (vec![], 0);
        let gap = |from: usize, to: usize| (to > from).then(|| Tensor::zeros([rows, to - from], &self.device));
        for (from, part) in parts {
            all.extend(gap(at, from));
            at = from + part.dims()[1];
            all.push(part);
        }
        all.extend(gap(at, cols));
        Tensor::cat(all, 1)
    }

    /// What a call's gradient gives to what it was computed from; `out` is its value.
    fn pull(&self, op: Op, out: Option<Tensor<2>>, d: Tensor<2>, grads: &mut Grads) {
        match op {
            Op::Given | Op::Param | Op::Loss { .. } => {}
            Op::Linear { x, w, b } => {
                if let Some(b) = b {
                    self.give(grads, b, d.clone().sum_dim(0));
                }
                if self.wants(x) {
                    self.give(grads, x, product(d.clone(), self.weights(w).transpose(), self.precision));
                }
                self.give(grads, w, product(self.weights(x).transpose(), d, self.precision));
            }
            Op::LinearTied { x, w } => {
                if self.wants(x) {
                    self.give(grads, x, product(d.clone(), self.weights(w), self.precision));
                }
                self.give(grads, w, product(d.transpose(), self.weights(x), self.precision));
            }
            Op::Rows { of, index } => {
                if self.wants(of) {
                    self.give(grads, of, Lists::places(&index, self.rows_of(of)).sums(d));
                }
            }
            Op::Means { of, spans } => {
                if self.wants(of) {
                    let parts = self.parts_of(&spans);
                    self.give(grads, of, Lists::holders(&spans, self.rows_of(of)).sums(d * parts));
                }
            }
            Op::Under(parts) => {
                let mut from = 0;
                for part in parts {
                    let rows = self.rows_of(part);
                    if self.wants(part) {
                        self.give(grads, part, d.clone().narrow(0, from, rows));
                    }
                    from += rows;
                }
            }
            Op::Add(a, b) => {
                self.give(grads, b, d.clone());
                self.give(grads, a, d);
            }
            Op::Scaled(a, by) => self.give(grads, a, d * by),
            Op::Norm { x, scale, shift, eps } => {
                let [dx, d_scale, d_shift] = parts::norm_pullback(self.weights(x), d, self.weights(scale), shift.is_some(), eps);
                self.give(grads, scale, d_scale);
                if let Some(shift) = shift {
                    self.give(grads, shift, d_shift);
                }
                self.give(grads, x, dx);
            }
            Op::Gelu(a) => self.give(grads, a, d * parts::gelu_slope(self.weights(a))),
            Op::Gated(gate, a) => self.give(grads, a, parts::gated_pullback(gate, self.weights(a), d)),
            Op::Rotated(of, turn) => self.give(grads, of, turn.of(d, true)),
            Op::Tanh(a) => {
                if let Some(y) = out {
                    self.give(grads, a, d * (y.square().neg() + 1.0));
                }
            }
            Op::Attend { q, kv, attention, layout } => {
                let heads = Heads::new(&self.weights(q), &self.weights(kv), attention, &layout, self.precision);
                let [dq, dk, dv] = heads.pullback(d, attention, &layout, self.precision);
                let (query, keys) = ((attention.q, dq), [(attention.k, dk), (attention.v, dv)]);
                if q == kv {
                    self.give(grads, q, self.columns([vec![query], keys.into()].concat(), q));
                } else {
                    self.give(grads, q, self.columns(vec![query], q));
                    self.give(grads, kv, self.columns(keys.into(), kv));
                }
            }
        }
    }
}

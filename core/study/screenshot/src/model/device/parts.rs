//! The closed forms of the calls, as tensor operations; each beside its pullback.
//!
//! What a pullback needs beside the inputs is computed again rather than kept: attention's weights alone would be most of a step's memory.

use burn::tensor::FloatDType;

use super::{super::place::Precision, ragged::Layout};
use crate::model::kernels::{Attention, Gate};
use vitrine_core::tensor::{
    IndexingUpdateOp, Int, Tensor,
    activation::{sigmoid, softmax},
};

const GELU_LINEAR: f32 = 1.595_769_1;
const GELU_CUBIC: f32 = 0.071_354_82;

/// A matrix product; in bfloat16 its factors, and what comes out, are rounded to 8 bits, while the device sums in single precision.
pub fn product<const D: usize>(a: Tensor<D>, b: Tensor<D>, precision: Precision) -> Tensor<D> {
    match precision {
        Precision::F32 => a.matmul(b),
        Precision::Bf16 => a.cast(FloatDType::BF16).matmul(b.cast(FloatDType::BF16)).cast(FloatDType::F32),
    }
}

/// Rows with mean 0 (where centred) and mean square 1, and what they were divided by, inverted: `[n, width]` and `[n, 1]`.
fn normal(x: Tensor<2>, centred: bool, eps: f32) -> (Tensor<2>, Tensor<2>) {
    let x = if centred { x.clone() - x.mean_dim(1) } else { x };
    let inverse = (x.clone().square().mean_dim(1) + eps).sqrt().recip();
    (x * inverse.clone(), inverse)
}

pub fn norm(x: Tensor<2>, scale: Tensor<2>, shift: Option<Tensor<2>>, eps: f32) -> Tensor<2> {
    let out = normal(x, shift.is_some(), eps).0 * scale;
    match shift {
        Some(shift) => out + shift,
        None => out,
    }
}

/// Gradients of input, scale and shift.
pub fn norm_pullback(x: Tensor<2>, d: Tensor<2>, scale: Tensor<2>, centred: bool, eps: f32) -> [Tensor<2>; 3] {
    let (normal, inverse) = normal(x, centred, eps);
    let d_scale = (d.clone() * normal.clone()).sum_dim(0);
    let d_shift = d.clone().sum_dim(0);
    let d = d * scale;
    let along = (d.clone() * normal.clone()).mean_dim(1);
    let d = if centred { d.clone() - d.mean_dim(1) } else { d };
    [(d - normal * along) * inverse, d_scale, d_shift]
}

/// GELU's sigmoid: of `x (L + C x^2)`.
fn gelu_sigmoid(x: Tensor<2>) -> Tensor<2> {
    sigmoid(x.clone() * (x.square() * GELU_CUBIC + GELU_LINEAR))
}

pub fn gelu(x: Tensor<2>) -> Tensor<2> {
    x.clone() * gelu_sigmoid(x)
}

pub fn gelu_slope(x: Tensor<2>) -> Tensor<2> {
    let s = gelu_sigmoid(x.clone());
    s.clone() + x.clone() * s.clone() * (s.neg() + 1.0) * (x.square() * (3.0 * GELU_CUBIC) + GELU_LINEAR)
}

fn gate_of(gate: Gate, x: Tensor<2>) -> Tensor<2> {
    match gate {
        Gate::Gelu => gelu(x),
        Gate::Silu => x.clone() * sigmoid(x),
    }
}

fn gate_slope(gate: Gate, x: Tensor<2>) -> Tensor<2> {
    match gate {
        Gate::Gelu => gelu_slope(x),
        Gate::Silu => {
            let s = sigmoid(x.clone());
            s.clone() + x * s.clone() * (s.neg() + 1.0)
        }
    }
}

fn halves(x: Tensor<2>) -> [Tensor<2>; 2] {
    let half = x.dims()[1] / 2;
    [x.clone().narrow(1, 0, half), x.narrow(1, half, half)]
}

pub fn gated(gate: Gate, x: Tensor<2>) -> Tensor<2> {
    let [a, up] = halves(x);
    gate_of(gate, a) * up
}

pub fn gated_pullback(gate: Gate, x: Tensor<2>, d: Tensor<2>) -> Tensor<2> {
    let [a, up] = halves(x);
    Tensor::cat(vec![d.clone() * up * gate_slope(gate, a.clone()), d * gate_of(gate, a)], 1)
}

/// Cosines and sines of every row, `[n, 1, d_head / 2]` each, and the columns that are turned.
#[derive(Debug, Clone)]
pub struct Turn {
    pub width: usize,
    pub d_head: usize,
    pub cos: Tensor<3>,
    pub sin: Tensor<3>,
}

impl Turn {
    /// Turns the first columns, head by head; back where asked.
    pub fn of(&self, x: Tensor<2>, back: bool) -> Tensor<2> {
        let ([n, cols], half) = (x.dims(), self.d_head / 2);
        let head: Tensor<3> = x.clone().narrow(1, 0, self.width).reshape([n, self.width / self.d_head, self.d_head]);
        let (a, b) = (head.clone().narrow(2, 0, half), head.narrow(2, half, half));
        let (cos, sin) = (self.cos.clone(), if back { self.sin.clone().neg() } else { self.sin.clone() });
        let turned = vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin];
        let turned: Tensor<2> = Tensor::cat(turned, 2).reshape([n, self.width]);
        if cols == self.width { turned } else { Tensor::cat(vec![turned, x.narrow(1, self.width, cols - self.width)], 1) }
    }
}

/// What attention reads, padded: queries, keys and values of every text and head, `[texts, heads, length, d_head]`.
pub struct Heads {
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    weights: Tensor<4>,
}

impl Heads {
    pub fn new(q: &Tensor<2>, kv: &Tensor<2>, attention: Attention, layout: &Layout, precision: Precision) -> Self {
        let (width, heads) = (attention.width(), attention.heads);
        let columns = |x: &Tensor<2>, from: usize| x.clone().narrow(1, from, width);
        let q = layout.queries.pad(columns(q, attention.q), heads);
        let k = layout.keys.pad(columns(kv, attention.k), heads);
        let v = layout.keys.pad(columns(kv, attention.v), heads);
        let scores = product(q.clone(), k.clone().swap_dims(2, 3), precision) * attention.scale;
        Self { q, k, v, weights: softmax(layout.hide(scores), 3) }
    }

    pub fn read(self, layout: &Layout, precision: Precision) -> Tensor<2> {
        layout.queries.unpad(product(self.weights, self.v, precision))
    }

    /// Gradients of queries, keys and values, `[rows, width]` each.
    pub fn pullback(self, d: Tensor<2>, attention: Attention, layout: &Layout, precision: Precision) -> [Tensor<2>; 3] {
        let Self { q, k, v, weights } = self;
        let d = layout.queries.pad_gradient(d, attention.heads);
        let dv = product(weights.clone().swap_dims(2, 3), d.clone(), precision);
        let d = product(d, v.swap_dims(2, 3), precision);
        let mean = (d.clone() * weights.clone()).sum_dim(3);
        let d = (d - mean) * weights * attention.scale;
        let dq = product(d.clone(), k, precision);
        let dk = product(d.swap_dims(2, 3), q, precision);
        [layout.queries.unpad(dq), layout.keys.unpad(dk), layout.keys.unpad(dv)]
    }
}

/// Losses, `[n, 1]`, and their gradient at the logits.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2, Int>, weights: Tensor<2>) -> [Tensor<2>; 2] {
    let logits = logits.clone() - logits.max_dim(1);
    let wanted = logits.clone().gather(1, targets.clone());
    let shares = logits.exp();
    let sum = shares.clone().sum_dim(1);
    let losses = (sum.clone().log() - wanted) * weights.clone();
    let gradient = shares / sum * weights.clone();
    [losses, gradient.scatter(1, targets, weights.neg(), IndexingUpdateOp::Add)]
}

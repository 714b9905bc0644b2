//! The row kernels of the tape: norms, activations, rotations, attention over ragged texts.
//!
//! Rows are worked on in blocks, in parallel where threads are there; each block is written by one task and sums over rows are taken block by block in order, so that the thread count does
//! not show. GELU is the tanh form.

use super::tape::Spans;
use vitrine_core::model::cpu::{
    for_each_task,
    matmul::{Start, View, product_rows},
    rows::{dot, exp, moments, softmax},
};
use vitrine_core::train::mat::Mat;

/// Rows of a block.
const BLOCK: usize = 128;
const GELU_LINEAR: f32 = 1.595_769_1;
const GELU_CUBIC: f32 = 0.071_354_82;

/// Runs `body` on blocks of rows of `out`, each with the number of its first row, compiled for the machine's vectors.
fn by_blocks(out: &mut [f32], width: usize, body: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let width = width.max(1);
    for_each_task(out.chunks_mut(BLOCK * width).collect(), |block, rows: &mut [f32]| {
        pulp::Arch::new().dispatch(|| body(block * BLOCK, rows));
    });
}

/// LayerNorm of every row, in place; RMSNorm where there is no shift.
pub fn norm(x: &mut [f32], scale: &[f32], shift: Option<&[f32]>, eps: f32) {
    by_blocks(x, scale.len(), |_, rows| {
        for row in rows.chunks_exact_mut(scale.len().max(1)) {
            let (mean, inverse) = moments(row, shift.is_some(), eps);
            row.iter_mut().zip(scale).for_each(|(x, scale)| *x = (*x - mean) * inverse * scale);
            for (x, shift) in row.iter_mut().zip(shift.into_iter().flatten()) {
                *x += shift;
            }
        }
    });
}

/// Turns the gradient at the output into that at the input, in place; returns the gradients of scale and shift. `centred` is true of LayerNorm.
pub fn norm_pullback(x: &[f32], d: &mut [f32], scale: &[f32], centred: bool, eps: f32) -> [Vec<f32>; 2] {
    let width = scale.len().max(1);
    let blocks = d.len().div_ceil(BLOCK * width);
    let mut sums = vec![0.0_f32; blocks * 2 * width];
    let tasks: Vec<_> = d.chunks_mut(BLOCK * width).zip(sums.chunks_mut(2 * width)).collect();
    for_each_task(tasks, |block, (rows, sums): (&mut [f32], &mut [f32])| {
        pulp::Arch::new().dispatch(|| {
            let (d_scale, d_shift) = sums.split_at_mut(width);
            for (i, d) in rows.chunks_exact_mut(width).enumerate() {
                let from = (block * BLOCK + i) * width;
                let x = &x[from..from + width];
                let (mean, inverse) = moments(x, centred, eps);
                let (mut sum, mut along) = (0.0, 0.0);
                for (((x, d), scale), (d_scale, d_shift)) in
                    x.iter().zip(d.iter_mut()).zip(scale).zip(d_scale.iter_mut().zip(d_shift.iter_mut()))
                {
                    let normal = (x - mean) * inverse;
                    *d_scale += *d * normal;
                    *d_shift += *d;
                    *d *= scale;
                    sum += *d;
                    along += *d * normal;
                }
                let (sum, along) = (if centred { sum / width as f32 } else { 0.0 }, along / width as f32);
                for (x, d) in x.iter().zip(d) {
                    *d = inverse * (*d - sum - (x - mean) * inverse * along);
                }
            }
        });
    });
    let mut out = [vec![0.0; width], vec![0.0; width]];
    for block in sums.chunks_exact(2 * width) {
        for (out, sums) in out.iter_mut().zip(block.chunks_exact(width)) {
            out.iter_mut().zip(sums).for_each(|(to, x)| *to += x);
        }
    }
    out
}

/// GELU and its slope.
#[inline(always)]
fn gelu_of(x: f32) -> [f32; 2] {
    let square = x * x;
    let s = 1.0 / (1.0 + exp(-x * (square * GELU_CUBIC + GELU_LINEAR)));
    [x * s, s + x * s * (1.0 - s) * (square * 3.0 * GELU_CUBIC + GELU_LINEAR)]
}

pub fn gelu(x: &mut [f32], width: usize) {
    by_blocks(x, width, |_, rows| rows.iter_mut().for_each(|x| *x = gelu_of(*x)[0]));
}

pub fn gelu_pullback(x: &[f32], d: &mut [f32], width: usize) {
    by_blocks(d, width, |row, rows| {
        let x = &x[row * width..];
        rows.iter_mut().zip(x).for_each(|(d, x)| *d *= gelu_of(*x)[1]);
    });
}

/// `SiLU` and its slope.
#[inline(always)]
fn silu_of(x: f32) -> [f32; 2] {
    let s = 1.0 / (1.0 + exp(-x));
    [x * s, s + x * s * (1.0 - s)]
}

/// What a gate is put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Gelu,
    Silu,
}

/// `gate(first half) * second half` of each row: `x` is `[n, 2 width]`, `out` `[n, width]`.
pub fn gated(gate: Gate, x: &[f32], out: &mut [f32], width: usize) {
    match gate {
        Gate::Gelu => gated_by(gelu_of, x, out, width),
        Gate::Silu => gated_by(silu_of, x, out, width),
    }
}

/// The gradient at `x`, into `to`.
pub fn gated_pullback(gate: Gate, x: &[f32], d: &[f32], to: &mut [f32], width: usize) {
    match gate {
        Gate::Gelu => gated_by_pullback(gelu_of, x, d, to, width),
        Gate::Silu => gated_by_pullback(silu_of, x, d, to, width),
    }
}

fn gated_by(of: impl Fn(f32) -> [f32; 2] + Sync + Send, x: &[f32], out: &mut [f32], width: usize) {
    by_blocks(out, width, |row, rows| {
        for (out, x) in rows.chunks_exact_mut(width).zip(x[row * 2 * width..].chunks_exact(2 * width)) {
            let (gate, up) = x.split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = of(*gate)[0] * up;
            }
        }
    });
}

fn gated_by_pullback(of: impl Fn(f32) -> [f32; 2] + Sync + Send, x: &[f32], d: &[f32], to: &mut [f32], width: usize) {
    by_blocks(to, 2 * width, |row, rows| {
        let given = x[row * 2 * width..].chunks_exact(2 * width).zip(d[row * width..].chunks_exact(width));
        for (to, (x, d)) in rows.chunks_exact_mut(2 * width).zip(given) {
            let ((gate, up), (d_gate, d_up)) = (x.split_at(width), to.split_at_mut(width));
            for ((((d_gate, d_up), gate), up), d) in d_gate.iter_mut().zip(d_up).zip(gate).zip(up).zip(d) {
                let [value, slope] = of(*gate);
                (*d_gate, *d_up) = (d * up * slope, d * value);
            }
        }
    });
}

/// Cosines and sines of rotary positions: for each place `[d_head / 2]` of both, frequencies `base^(-2 i / d_head)`.
#[must_use]
pub fn rotations(places: &[usize], d_head: usize, base: f64) -> Vec<[f32; 2]> {
    let half = d_head / 2;
    let frequencies: Vec<f64> = (0..half).map(|i| base.powf(-2.0 * i as f64 / d_head as f64)).collect();
    // Lines share their places: each is looked up, not computed again. A line that goes on has one place, far from the first.
    let (first, end) = places.iter().fold((usize::MAX, 0), |(first, end), &place| (first.min(place), end.max(place + 1)));
    let angles = (first..end).flat_map(|place| frequencies.iter().map(move |frequency| place as f64 * frequency));
    let table: Vec<[f32; 2]> = angles.map(|angle| [angle.cos() as f32, angle.sin() as f32]).collect();
    places.iter().flat_map(|&place| &table[(place - first) * half..(place - first + 1) * half]).copied().collect()
}

/// Turns the first `width` columns of every row of `cols`, head by head (number `i` with number `i + d_head / 2`, as Llama does), by [`rotations`]; back by `back`.
pub fn rotate(x: &mut [f32], cols: usize, width: usize, d_head: usize, by: &[[f32; 2]], back: bool) {
    let half = d_head / 2;
    by_blocks(x, cols, |first, rows| {
        for (i, row) in rows.chunks_exact_mut(cols).enumerate() {
            let by = &by[(first + i) * half..(first + i + 1) * half];
            for head in row[..width].chunks_exact_mut(d_head) {
                let (a, b) = head.split_at_mut(half);
                for ((a, b), [cos, sin]) in a.iter_mut().zip(b).zip(by) {
                    let sin = if back { -sin } else { *sin };
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    });
}

/// Heads, and the first columns of queries, keys and values in their matrices.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    pub heads: usize,
    pub d_head: usize,
    pub q: usize,
    pub k: usize,
    pub v: usize,
    /// What scores are multiplied by.
    pub scale: f32,
}

impl Attention {
    /// Columns of queries, keys and values each.
    #[must_use]
    pub fn width(&self) -> usize {
        self.heads * self.d_head
    }
}

/// One text's parts of a matrix, cut off the front of the rest.
#[expect(clippy::mut_mut, reason = "the slice itself is moved forward")]
fn cut<'d>(data: &mut &'d mut [f32], length: usize) -> &'d mut [f32] {
    let (head, rest) = std::mem::take(data).split_at_mut(length);
    *data = rest;
    head
}

/// The columns of one head in rows of `width`.
fn head_rows(rows: &mut [f32], width: usize, head: usize, d_head: usize) -> Vec<&mut [f32]> {
    rows.chunks_exact_mut(width).map(|row| &mut row[head * d_head..(head + 1) * d_head]).collect()
}

/// Numbers of one text's attention: queries times keys, for every head.
fn sizes(attention: &Attention, spans: &Spans) -> Vec<usize> {
    spans.queries.iter().zip(&spans.keys).map(|(q, k)| attention.heads * q.len() * k.len()).collect()
}

fn causal_keys(causal: bool, query: usize, keys: usize) -> usize {
    if causal { (query + 1).min(keys) } else { keys }
}

/// Attention of every text, into `out` `[queries, width]`; returns the weights, `[queries, keys]` for each text and head.
pub fn attend(q: &Mat, kv: &Mat, attention: &Attention, spans: &Spans, out: &mut [f32]) -> Vec<f32> {
    let (width, d_head) = (attention.width(), attention.d_head);
    let sizes = sizes(attention, spans);
    let mut weights = vec![0.0; sizes.iter().sum()];
    let (mut rest, mut rest_out) = (&mut weights[..], out);
    let tasks: Vec<_> = sizes
        .iter()
        .zip(&spans.queries)
        .map(|(&size, queries)| (cut(&mut rest, size), cut(&mut rest_out, queries.len() * width)))
        .collect();
    for_each_task(tasks, |text, (weights, out): (&mut [f32], &mut [f32])| {
        let (queries, keys) = (&spans.queries[text], &spans.keys[text]);
        let size = queries.len() * keys.len();
        for (head, weights) in weights.chunks_exact_mut(size.max(1)).enumerate() {
            let column = head * d_head;
            let query = View::rows(&q.data, q.cols).from(queries.start, attention.q + column);
            let key = View::rows(&kv.data, kv.cols).from(keys.start, attention.k + column);
            let value = View::rows(&kv.data, kv.cols).from(keys.start, attention.v + column);
            let mut rows: Vec<&mut [f32]> = weights.chunks_exact_mut(keys.len()).collect();
            product_rows(d_head, query, key.transposed(), Start::Zero, &mut rows);
            pulp::Arch::new().dispatch(|| {
                for (number, row) in rows.iter_mut().enumerate() {
                    let (seen, hidden) = row.split_at_mut(causal_keys(spans.causal, number, keys.len()));
                    for x in &mut *seen {
                        *x *= attention.scale;
                    }
                    softmax(seen);
                    hidden.fill(0.0);
                }
            });
            product_rows(keys.len(), View::rows(weights, keys.len()), value, Start::Zero, &mut head_rows(out, width, head, d_head));
        }
    });
    weights
}

/// Gradients of queries, keys and values, `[rows, width]` each.
pub fn attend_pullback(q: &Mat, kv: &Mat, attention: &Attention, spans: &Spans, weights: &[f32], d: &[f32]) -> [Vec<f32>; 3] {
    let (width, d_head) = (attention.width(), attention.d_head);
    let sizes = sizes(attention, spans);
    let mut grads = [q.rows, kv.rows, kv.rows].map(|rows| vec![0.0; rows * width]);
    let [dq, dk, dv] = &mut grads;
    let (mut dq, mut dk, mut dv) = (&mut dq[..], &mut dk[..], &mut dv[..]);
    let (mut from, mut tasks) = (0, vec![]);
    for ((&size, queries), keys) in sizes.iter().zip(&spans.queries).zip(&spans.keys) {
        let parts = [cut(&mut dq, queries.len() * width), cut(&mut dk, keys.len() * width), cut(&mut dv, keys.len() * width)];
        tasks.push((&weights[from..from + size], parts));
        from += size;
    }
    for_each_task(tasks, |text, (weights, [dq, dk, dv]): (&[f32], [&mut [f32]; 3])| {
        let (queries, keys) = (&spans.queries[text], &spans.keys[text]);
        let (n, m) = (queries.len(), keys.len());
        let mut scores = vec![0.0; n * m];
        for (head, weights) in weights.chunks_exact((n * m).max(1)).enumerate() {
            let column = head * d_head;
            let out = View::rows(d, width).from(queries.start, column);
            let query = View::rows(&q.data, q.cols).from(queries.start, attention.q + column);
            let key = View::rows(&kv.data, kv.cols).from(keys.start, attention.k + column);
            let value = View::rows(&kv.data, kv.cols).from(keys.start, attention.v + column);
            let weight = View::rows(weights, m);
            product_rows(n, weight.transposed(), out, Start::Zero, &mut head_rows(dv, width, head, d_head));
            product_rows(d_head, out, value.transposed(), Start::Zero, &mut scores.chunks_exact_mut(m).collect::<Vec<_>>());
            pulp::Arch::new().dispatch(|| {
                for (row, weights) in scores.chunks_exact_mut(m).zip(weights.chunks_exact(m)) {
                    let mean = dot(row, weights);
                    for (x, weight) in row.iter_mut().zip(weights) {
                        *x = attention.scale * weight * (*x - mean);
                    }
                }
            });
            let score = View::rows(&scores, m);
            product_rows(m, score, key, Start::Zero, &mut head_rows(dq, width, head, d_head));
            product_rows(n, score.transposed(), query, Start::Zero, &mut head_rows(dk, width, head, d_head));
        }
    });
    grads
}

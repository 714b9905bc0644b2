//! Reverse-mode differentiation for one small network, with operations as coarse as the network needs.
//!
//! **Idea.** The network is written once, as calls that compute at once and note what they did; walking the notes backwards gives the gradient of the summed losses. Decoding writes
//! the same calls and never walks back.
//!
//! **Method.** Matrices in plain memory, products by the CPU kernels of the other models. Each operation's pullback is its closed form and is compared with finite differences.

pub mod attention;

use std::ops::Range;

use vitrine_core::{
    model::cpu::matmul::{Start, View, product},
    train::mat::Mat,
};

/// A matrix on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var(usize);

/// How candidates are linked with the words of their question: `[candidate, word, kind of link]`.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    pub values: &'a [f32],
    pub candidates: usize,
    pub kinds: usize,
}

enum Value<'a> {
    Own(Mat),
    Lent(&'a Mat),
}

enum Op<'a> {
    /// Nothing flows back.
    Given,
    /// Its gradient is what is asked for.
    Param,
    Linear {
        x: Var,
        w: Var,
        b: Option<Var>,
    },
    Rows {
        of: Var,
        index: Vec<usize>,
    },
    Under(Vec<Var>),
    Beside(Vec<Var>),
    Add(Var, Var),
    Scaled(Var, Vec<f32>),
    Tanh(Var),
    Relu(Var),
    /// Reset, update and new gate of each row.
    Gru {
        x: Var,
        gates: Var,
        h: Var,
        saved: Vec<f32>,
    },
    Attend {
        q: Var,
        keys: Var,
        spans: Vec<Range<usize>>,
        weights: Vec<f32>,
    },
    Point {
        q: Var,
        keys: Var,
        spans: Vec<Range<usize>>,
        links: Vec<Links<'a>>,
        weights: Vec<f32>,
    },
    Dots(Var, Var),
    Against {
        x: Var,
        w: Var,
    },
    Heads {
        q: Var,
        k: Var,
        v: Var,
        spans: Vec<Range<usize>>,
        heads: usize,
        weights: Vec<f32>,
    },
    Norm {
        x: Var,
        gain: Var,
        bias: Var,
        normal: Vec<f32>,
        factors: Vec<f32>,
    },
    Near {
        q: Var,
        keys: Var,
        spans: Vec<Range<usize>>,
    },
    CopyLoss {
        words: Var,
        copies: Var,
        gradients: [Vec<f32>; 2],
    },
    /// The gradient at the scores.
    Loss {
        scores: Var,
        gradient: Vec<f32>,
    },
}

/// What was computed, in order.
pub struct Tape<'a> {
    nodes: Vec<(Value<'a>, Op<'a>)>,
}

/// The inner product, eight sums side by side.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[inline]
fn add_scaled(to: &mut [f32], by: f32, x: &[f32]) {
    to.iter_mut().zip(x).for_each(|(to, x)| *to += by * x);
}

/// Softmax in place; the logarithm of the sum of exponentials is returned.
#[inline]
pub fn softmax(row: &mut [f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for x in row.iter_mut() {
        *x = (*x - largest).exp();
        sum += *x;
    }
    for x in row.iter_mut() {
        *x /= sum;
    }
    largest + sum.ln()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl<'a> Tape<'a> {
    /// A tape whose first variables are the parameters, in order.
    pub fn new(params: &'a [Mat]) -> Self {
        Self { nodes: params.iter().map(|mat| (Value::Lent(mat), Op::Param)).collect() }
    }

    /// The parameter of this number.
    pub fn param(&self, number: usize) -> Var {
        Var(number)
    }

    pub fn value(&self, var: Var) -> &Mat {
        match &self.nodes[var.0].0 {
            Value::Own(mat) => mat,
            Value::Lent(mat) => mat,
        }
    }

    fn push(&mut self, mat: Mat, op: Op<'a>) -> Var {
        self.nodes.push((Value::Own(mat), op));
        Var(self.nodes.len() - 1)
    }

    pub fn given(&mut self, mat: Mat) -> Var {
        self.push(mat, Op::Given)
    }

    pub fn lent(&mut self, mat: &'a Mat) -> Var {
        self.nodes.push((Value::Lent(mat), Op::Given));
        Var(self.nodes.len() - 1)
    }

    /// `x w + b` for `x` `[n, k]`, `w` `[k, m]` and `b` `[1, m]`.
    pub fn linear(&mut self, x: Var, w: Var, b: Option<Var>) -> Var {
        let (xm, wm) = (self.value(x), self.value(w));
        let mut out = Mat::zeros(xm.rows, wm.cols);
        let start = b.map_or(Start::Zero, |b| Start::Row(&self.value(b).data));
        product([xm.rows, xm.cols, wm.cols], View::rows(&xm.data, xm.cols), View::rows(&wm.data, wm.cols), start, &mut out.data);
        self.push(out, Op::Linear { x, w, b })
    }

    /// The rows of these numbers.
    pub fn rows(&mut self, of: Var, index: Vec<usize>) -> Var {
        let mat = self.value(of);
        let data = index.iter().flat_map(|&i| mat.row(i).iter().copied()).collect();
        let out = Mat { rows: index.len(), cols: mat.cols, data };
        self.push(out, Op::Rows { of, index })
    }

    /// One under the other; all of one width.
    pub fn under(&mut self, parts: Vec<Var>) -> Var {
        let cols = parts.first().map_or(0, |&part| self.value(part).cols);
        let data = parts.iter().flat_map(|&part| self.value(part).data.iter().copied()).collect();
        self.push(Mat::of(cols, data), Op::Under(parts))
    }

    /// Side by side; all of one height.
    pub fn beside(&mut self, parts: Vec<Var>) -> Var {
        let rows = parts.first().map_or(0, |&part| self.value(part).rows);
        let cols = parts.iter().map(|&part| self.value(part).cols).sum();
        let mut data = Vec::with_capacity(rows * cols);
        for row in 0..rows {
            for &part in &parts {
                data.extend_from_slice(self.value(part).row(row));
            }
        }
        self.push(Mat { rows, cols, data }, Op::Beside(parts))
    }

    pub fn add(&mut self, a: Var, b: Var) -> Var {
        let mut out = self.value(a).clone();
        add_scaled(&mut out.data, 1.0, &self.value(b).data);
        self.push(out, Op::Add(a, b))
    }

    /// Number by number by constants: dropout, a common factor.
    pub fn scaled(&mut self, a: Var, by: Vec<f32>) -> Var {
        let mut out = self.value(a).clone();
        out.data.iter_mut().zip(&by).for_each(|(x, by)| *x *= by);
        self.push(out, Op::Scaled(a, by))
    }

    pub fn tanh(&mut self, a: Var) -> Var {
        let mut out = self.value(a).clone();
        out.data.iter_mut().for_each(|x| *x = x.tanh());
        self.push(out, Op::Tanh(a))
    }

    pub fn relu(&mut self, a: Var) -> Var {
        let mut out = self.value(a).clone();
        out.data.iter_mut().for_each(|x| *x = x.max(0.0));
        self.push(out, Op::Relu(a))
    }

    /// A gated recurrent unit from its input's and its state's products, `[n, 3 d]` each (reset, update, new), and the state `[n, d]`.
    pub fn gru(&mut self, x: Var, gates: Var, h: Var) -> Var {
        let (xm, gm, hm) = (self.value(x), self.value(gates), self.value(h));
        let d = hm.cols;
        let (mut out, mut saved) = (Mat::zeros(hm.rows, d), vec![0.0; hm.rows * 3 * d]);
        for row in 0..hm.rows {
            let (x, g, h) = (xm.row(row), gm.row(row), hm.row(row));
            let saved = &mut saved[row * 3 * d..][..3 * d];
            for i in 0..d {
                let (r, z) = (sigmoid(x[i] + g[i]), sigmoid(x[d + i] + g[d + i]));
                let n = (x[2 * d + i] + r * g[2 * d + i]).tanh();
                (saved[i], saved[d + i], saved[2 * d + i]) = (r, z, n);
                out.data[row * d + i] = (1.0 - z) * n + z * h[i];
            }
        }
        self.push(out, Op::Gru { x, gates, h, saved })
    }

    /// Each row's mean of the keys of its span, weighted by the softmax of `q key / sqrt d`.
    pub fn attend(&mut self, q: Var, keys: Var, spans: Vec<Range<usize>>) -> Var {
        let (qm, km) = (self.value(q), self.value(keys));
        let scale = 1.0 / (qm.cols as f32).sqrt();
        let (mut out, mut weights) = (Mat::zeros(qm.rows, km.cols), Vec::new());
        for (row, span) in spans.iter().enumerate() {
            let from = weights.len();
            weights.extend(span.clone().map(|j| scale * dot(qm.row(row), km.row(j))));
            softmax(&mut weights[from..]);
            for (j, &weight) in span.clone().zip(&weights[from..]) {
                add_scaled(&mut out.data[row * km.cols..][..km.cols], weight, km.row(j));
            }
        }
        self.push(out, Op::Attend { q, keys, spans, weights })
    }

    /// Links of candidates with the words that several heads point at: row i of `q` holds a query a head; each head's softmax over the words of the span weighs the
    /// links of that row's candidates. `[sum of candidates, heads * kinds]`.
    pub fn point(&mut self, q: Var, keys: Var, spans: Vec<Range<usize>>, links: Vec<Links<'a>>) -> Var {
        let (qm, km) = (self.value(q), self.value(keys));
        let (d, kinds) = (km.cols, links.first().map_or(1, |links| links.kinds));
        let heads = qm.cols / d.max(1);
        let scale = 1.0 / (d as f32).sqrt();
        let (mut data, mut weights) = (Vec::new(), Vec::new());
        for (row, (span, links)) in spans.iter().zip(&links).enumerate() {
            let (from, words) = (weights.len(), span.len());
            for head in 0..heads {
                let start = weights.len();
                weights.extend(span.clone().map(|j| scale * dot(&qm.row(row)[head * d..(head + 1) * d], km.row(j))));
                softmax(&mut weights[start..]);
            }
            for of_candidate in links.values.chunks_exact(words * kinds).take(links.candidates) {
                for pointed in weights[from..].chunks_exact(words) {
                    let start = data.len();
                    data.resize(start + kinds, 0.0);
                    for (weight, link) in pointed.iter().zip(of_candidate.chunks_exact(kinds)) {
                        add_scaled(&mut data[start..], *weight, link);
                    }
                }
            }
        }
        self.push(Mat::of(heads * kinds, data), Op::Point { q, keys, spans, links, weights })
    }

    /// `x wᵀ` for `x` `[n, k]` and `w` `[m, k]`.
    pub fn against(&mut self, x: Var, w: Var) -> Var {
        let (xm, wm) = (self.value(x), self.value(w));
        let mut out = Mat::zeros(xm.rows, wm.rows);
        product(
            [xm.rows, xm.cols, wm.rows],
            View::rows(&xm.data, xm.cols),
            View::rows(&wm.data, wm.cols).transposed(),
            Start::Zero,
            &mut out.data,
        );
        self.push(out, Op::Against { x, w })
    }

    /// Attention of several heads: each row of `q` to the rows of its span of `k` and `v`.
    pub fn heads(&mut self, [q, k, v]: [Var; 3], spans: Vec<Range<usize>>, heads: usize) -> Var {
        let (out, weights) = attention::heads(self.value(q), self.value(k), self.value(v), &spans, heads);
        self.push(out, Op::Heads { q, k, v, spans, heads, weights })
    }

    /// Rows with mean 0 and variance 1, times `gain` `[1, d]` plus `bias` `[1, d]`.
    pub fn norm(&mut self, x: Var, gain: Var, bias: Var) -> Var {
        let (out, normal, factors) = attention::norm(self.value(x), &self.value(gain).data, &self.value(bias).data);
        self.push(out, Op::Norm { x, gain, bias, normal, factors })
    }

    /// `q key / sqrt d` of each row with the keys of its span, one under the other, `[sum of spans, 1]`.
    pub fn near(&mut self, q: Var, keys: Var, spans: Vec<Range<usize>>) -> Var {
        let (qm, km) = (self.value(q), self.value(keys));
        let scale = 1.0 / (qm.cols as f32).sqrt();
        let data =
            spans.iter().enumerate().flat_map(|(row, span)| span.clone().map(move |j| scale * dot(qm.row(row), km.row(j)))).collect();
        self.push(Mat::of(1, data), Op::Near { q, keys, spans })
    }

    /// Losses of words that may be said or copied ([`attention::copy_loss`]); their sum is what is differentiated.
    pub fn copy_loss(&mut self, words: Var, copies: Var, said: &[&[u32]], targets: &[u32]) -> Vec<f32> {
        let (losses, d_words, d_copies) = attention::copy_loss(self.value(words), &self.value(copies).data, said, targets);
        self.push(Mat::default(), Op::CopyLoss { words, copies, gradients: [d_words, d_copies] });
        losses
    }

    /// Inner products row by row, `[n, 1]`.
    pub fn dots(&mut self, a: Var, b: Var) -> Var {
        let (am, bm) = (self.value(a), self.value(b));
        let data = (0..am.rows).map(|i| dot(am.row(i), bm.row(i))).collect();
        self.push(Mat::of(1, data), Op::Dots(a, b))
    }

    /// The summed cross-entropy of distributions over stretches of `scores` (one number after another, row by row): each with its length, which of its numbers may be
    /// chosen (all, where nothing is said) and which is right. Returns the losses, one a stretch.
    pub fn loss(&mut self, scores: Var, stretches: &[Stretch<'_>]) -> Vec<f32> {
        let data = &self.value(scores).data;
        let mut gradient = vec![0.0; data.len()];
        let (mut losses, mut from) = (Vec::with_capacity(stretches.len()), 0);
        for stretch in stretches {
            let row = &mut gradient[from..from + stretch.len];
            row.copy_from_slice(&data[from..from + stretch.len]);
            if let Some(allowed) = stretch.allowed {
                row.iter_mut().zip(allowed).filter(|(_, allowed)| !**allowed).for_each(|(x, _)| *x = f32::NEG_INFINITY);
            }
            let right = row.get(stretch.target).copied().unwrap_or(f32::NEG_INFINITY);
            let normalizer = softmax(row);
            if right > f32::NEG_INFINITY {
                row[stretch.target] -= 1.0;
                losses.push(normalizer - right);
            } else {
                row.fill(0.0);
                losses.push(0.0);
            }
            from += stretch.len;
        }
        self.push(Mat::default(), Op::Loss { scores, gradient });
        losses
    }

    /// Gradients of all losses at the parameters, in order.
    pub fn backward(self) -> Vec<Vec<f32>> {
        let n_params = self.nodes.iter().take_while(|(_, op)| matches!(op, Op::Param)).count();
        let mut grads: Vec<Vec<f32>> = self.nodes.iter().map(|_| Vec::new()).collect();
        for i in (n_params..self.nodes.len()).rev() {
            let d = std::mem::take(&mut grads[i]);
            if d.is_empty() && !matches!(self.nodes[i].1, Op::Loss { .. } | Op::CopyLoss { .. }) {
                continue;
            }
            self.pull(i, &d, &mut grads);
        }
        grads.truncate(n_params);
        for (i, grad) in grads.iter_mut().enumerate() {
            if grad.is_empty() {
                *grad = vec![0.0; self.value(Var(i)).data.len()];
            }
        }
        grads
    }

    /// The gradient of a variable, made where it is not there yet; nothing for what needs none.
    fn grad<'g>(&self, grads: &'g mut [Vec<f32>], var: Var) -> Option<&'g mut Vec<f32>> {
        if matches!(self.nodes[var.0].1, Op::Given) {
            return None;
        }
        let grad = &mut grads[var.0];
        if grad.is_empty() {
            grad.resize(self.value(var).data.len(), 0.0);
        }
        Some(grad)
    }

    fn add_all<const N: usize>(&self, vars: [Var; N], found: [Vec<f32>; N], grads: &mut [Vec<f32>]) {
        for (var, d) in vars.into_iter().zip(found) {
            if let Some(to) = self.grad(grads, var) {
                add_scaled(to, 1.0, &d);
            }
        }
    }

    fn pull(&self, i: usize, d: &[f32], grads: &mut [Vec<f32>]) {
        let out = self.value(Var(i));
        match &self.nodes[i].1 {
            Op::Given | Op::Param => {}
            Op::Linear { x, w, b } => {
                let (xm, wm) = (self.value(*x), self.value(*w));
                let [n, k, m] = [xm.rows, xm.cols, wm.cols];
                if let Some(to) = self.grad(grads, *x) {
                    product([n, m, k], View::rows(d, m), View::rows(&wm.data, m).transposed(), Start::Keep, to);
                }
                if let Some(to) = self.grad(grads, *w) {
                    product([k, n, m], View::rows(&xm.data, k).transposed(), View::rows(d, m), Start::Keep, to);
                }
                if let Some(to) = b.and_then(|b| self.grad(grads, b)) {
                    d.chunks_exact(m).for_each(|row| add_scaled(to, 1.0, row));
                }
            }
            Op::Rows { of, index } => {
                if let Some(to) = self.grad(grads, *of) {
                    for (&row, d) in index.iter().zip(d.chunks_exact(out.cols.max(1))) {
                        add_scaled(&mut to[row * out.cols..(row + 1) * out.cols], 1.0, d);
                    }
                }
            }
            Op::Under(parts) => {
                let mut from = 0;
                for &part in parts {
                    let n = self.value(part).data.len();
                    if let Some(to) = self.grad(grads, part) {
                        add_scaled(to, 1.0, &d[from..from + n]);
                    }
                    from += n;
                }
            }
            Op::Beside(parts) => {
                let mut from = 0;
                for &part in parts {
                    let cols = self.value(part).cols;
                    if let Some(to) = self.grad(grads, part) {
                        for (to, d) in to.chunks_exact_mut(cols).zip(d.chunks_exact(out.cols)) {
                            add_scaled(to, 1.0, &d[from..from + cols]);
                        }
                    }
                    from += cols;
                }
            }
            Op::Add(a, b) => {
                for var in [*a, *b] {
                    if let Some(to) = self.grad(grads, var) {
                        add_scaled(to, 1.0, d);
                    }
                }
            }
            Op::Scaled(a, by) => {
                if let Some(to) = self.grad(grads, *a) {
                    to.iter_mut().zip(d).zip(by).for_each(|((to, d), by)| *to += d * by);
                }
            }
            Op::Tanh(a) => {
                if let Some(to) = self.grad(grads, *a) {
                    to.iter_mut().zip(d).zip(&out.data).for_each(|((to, d), y)| *to += d * (1.0 - y * y));
                }
            }
            Op::Relu(a) => {
                if let Some(to) = self.grad(grads, *a) {
                    to.iter_mut().zip(d).zip(&out.data).for_each(|((to, d), y)| *to += if *y > 0.0 { *d } else { 0.0 });
                }
            }
            Op::Gru { x, gates, h, saved } => self.pull_gru([*x, *gates, *h], saved, d, grads),
            Op::Attend { q, keys, spans, weights } => self.pull_attend([*q, *keys], spans, weights, d, grads),
            Op::Point { q, keys, spans, links, weights } => self.pull_point([*q, *keys], spans, links, weights, d, grads),
            Op::Dots(a, b) => {
                for (to, other) in [(*a, *b), (*b, *a)] {
                    let other = self.value(other);
                    if let Some(to) = self.grad(grads, to) {
                        for (row, d) in d.iter().enumerate() {
                            add_scaled(&mut to[row * other.cols..(row + 1) * other.cols], *d, other.row(row));
                        }
                    }
                }
            }
            Op::Against { x, w } => {
                let (xm, wm) = (self.value(*x), self.value(*w));
                let [n, k, m] = [xm.rows, xm.cols, wm.rows];
                if let Some(to) = self.grad(grads, *x) {
                    product([n, m, k], View::rows(d, m), View::rows(&wm.data, k), Start::Keep, to);
                }
                if let Some(to) = self.grad(grads, *w) {
                    product([m, n, k], View::rows(d, m).transposed(), View::rows(&xm.data, k), Start::Keep, to);
                }
            }
            Op::Heads { q, k, v, spans, heads, weights } => {
                let found = attention::pull_heads([*q, *k, *v].map(|var| self.value(var)), spans, *heads, weights, d);
                self.add_all([*q, *k, *v], found, grads);
            }
            Op::Norm { x, gain, bias, normal, factors } => {
                let found = attention::pull_norm(&self.value(*gain).data, normal, factors, d);
                self.add_all([*x, *gain, *bias], found, grads);
            }
            Op::Near { q, keys, spans } => {
                let (qm, km) = (self.value(*q), self.value(*keys));
                let (width, scale) = (qm.cols, 1.0 / (qm.cols as f32).sqrt());
                let (mut dq, mut dk) = (vec![0.0; qm.data.len()], vec![0.0; km.data.len()]);
                let places = spans.iter().enumerate().flat_map(|(row, span)| span.clone().map(move |j| (row, j)));
                for ((row, j), d) in places.zip(d) {
                    add_scaled(&mut dq[row * width..(row + 1) * width], d * scale, km.row(j));
                    add_scaled(&mut dk[j * width..(j + 1) * width], d * scale, qm.row(row));
                }
                self.add_all([*q, *keys], [dq, dk], grads);
            }
            Op::CopyLoss { words, copies, gradients } => self.add_all([*words, *copies], gradients.clone(), grads),
            Op::Loss { scores, gradient } => {
                if let Some(to) = self.grad(grads, *scores) {
                    add_scaled(to, 1.0, gradient);
                }
            }
        }
    }

    fn pull_gru(&self, [x, gates, h]: [Var; 3], saved: &[f32], d: &[f32], grads: &mut [Vec<f32>]) {
        let (gm, hm) = (self.value(gates), self.value(h));
        let width = hm.cols;
        let (mut dx, mut dg, mut dh) = (vec![0.0; gm.data.len()], vec![0.0; gm.data.len()], vec![0.0; hm.data.len()]);
        for row in 0..hm.rows {
            let base = row * 3 * width;
            for i in 0..width {
                let (r, z, n) = (saved[base + i], saved[base + width + i], saved[base + 2 * width + i]);
                let d = d[row * width + i];
                let state = gm.data[base + 2 * width + i];
                let d_new = d * (1.0 - z) * (1.0 - n * n);
                let d_update = d * (hm.data[row * width + i] - n) * z * (1.0 - z);
                let d_reset = d_new * state * r * (1.0 - r);
                (dx[base + i], dx[base + width + i], dx[base + 2 * width + i]) = (d_reset, d_update, d_new);
                (dg[base + i], dg[base + width + i], dg[base + 2 * width + i]) = (d_reset, d_update, d_new * r);
                dh[row * width + i] = d * z;
            }
        }
        for (var, d) in [(x, dx), (gates, dg), (h, dh)] {
            if let Some(to) = self.grad(grads, var) {
                add_scaled(to, 1.0, &d);
            }
        }
    }

    fn pull_attend(&self, [q, keys]: [Var; 2], spans: &[Range<usize>], weights: &[f32], d: &[f32], grads: &mut [Vec<f32>]) {
        let (qm, km) = (self.value(q), self.value(keys));
        let (width, scale) = (km.cols, 1.0 / (qm.cols as f32).sqrt());
        let (mut dq, mut dk) = (vec![0.0; qm.data.len()], vec![0.0; km.data.len()]);
        let mut from = 0;
        for (row, span) in spans.iter().enumerate() {
            let (weights, d) = (&weights[from..from + span.len()], &d[row * width..(row + 1) * width]);
            let d_weights: Vec<f32> = span.clone().map(|j| dot(d, km.row(j))).collect();
            let mean = dot(weights, &d_weights);
            for ((j, weight), d_weight) in span.clone().zip(weights).zip(&d_weights) {
                let d_score = scale * weight * (d_weight - mean);
                let to = &mut dk[j * width..(j + 1) * width];
                add_scaled(to, *weight, d);
                add_scaled(to, d_score, qm.row(row));
                add_scaled(&mut dq[row * width..(row + 1) * width], d_score, km.row(j));
            }
            from += span.len();
        }
        for (var, d) in [(q, dq), (keys, dk)] {
            if let Some(to) = self.grad(grads, var) {
                add_scaled(to, 1.0, &d);
            }
        }
    }

    fn pull_point(
        &self,
        [q, keys]: [Var; 2],
        spans: &[Range<usize>],
        links: &[Links<'_>],
        weights: &[f32],
        d: &[f32],
        grads: &mut [Vec<f32>],
    ) {
        let (qm, km) = (self.value(q), self.value(keys));
        let (width, kinds) = (km.cols, links.first().map_or(1, |links| links.kinds));
        let (heads, scale) = (qm.cols / width.max(1), 1.0 / (width as f32).sqrt());
        let (mut dq, mut dk) = (vec![0.0; qm.data.len()], vec![0.0; km.data.len()]);
        let (mut from, mut at) = (0, 0);
        for (row, (span, links)) in spans.iter().zip(links).enumerate() {
            let words = span.len();
            let mut d_weights = vec![0.0_f32; heads * words];
            for of_candidate in links.values.chunks_exact(words * kinds).take(links.candidates) {
                for (head, d) in d[at..at + heads * kinds].chunks_exact(kinds).enumerate() {
                    for (to, link) in d_weights[head * words..].iter_mut().zip(of_candidate.chunks_exact(kinds)) {
                        *to += dot(d, link);
                    }
                }
                at += heads * kinds;
            }
            for head in 0..heads {
                let (weights, d_weights) = (&weights[from + head * words..][..words], &d_weights[head * words..][..words]);
                let mean = dot(weights, d_weights);
                let place = row * qm.cols + head * width..row * qm.cols + (head + 1) * width;
                for ((j, weight), d_weight) in span.clone().zip(weights).zip(d_weights) {
                    let d_score = scale * weight * (d_weight - mean);
                    add_scaled(&mut dk[j * width..(j + 1) * width], d_score, &qm.data[place.clone()]);
                    add_scaled(&mut dq[place.clone()], d_score, km.row(j));
                }
            }
            from += heads * words;
        }
        for (var, d) in [(q, dq), (keys, dk)] {
            if let Some(to) = self.grad(grads, var) {
                add_scaled(to, 1.0, &d);
            }
        }
    }
}

/// One distribution of [`Tape::loss`].
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'s> {
    pub len: usize,
    pub allowed: Option<&'s [bool]>,
    pub target: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::train::rng::Stream;

    fn random(name: &str, rows: usize, cols: usize) -> Mat {
        let mut stream = Stream::new(1, name, 0);
        Mat::of(cols, (0..rows * cols).map(|_| stream.normal() as f32 * 0.7).collect())
    }

    type Network = for<'a> fn(&'a [Mat], &'a [f32], &mut Tape<'a>) -> f64;

    /// What a transformer needs more, as one loss.
    fn transformer<'a>(params: &'a [Mat], _: &'a [f32], tape: &mut Tape<'a>) -> f64 {
        let p: Vec<Var> = (0..params.len()).map(|i| tape.param(i)).collect();
        let x = tape.norm(p[0], p[1], p[2]);
        let [q, k, v] = [3, 4, 5].map(|w| tape.linear(x, p[w], None));
        let mixed = tape.heads([q, k, v], vec![0..1, 0..2, 0..3, 3..5, 1..4], 2);
        let x = tape.add(x, mixed);
        let words = tape.against(x, p[6]);
        let copies = tape.near(q, x, vec![0..2, 3..4, 0..0, 1..5, 2..5]);
        let said: [&[u32]; 5] = [&[1, 6], &[0], &[], &[2, 2, 9, 3], &[3, 0, 3]];
        tape.copy_loss(words, copies, &said, &[1, 4, 0, 2, 9]).iter().map(|&x| f64::from(x)).sum()
    }

    /// Every operation once, as one loss; also the losses summed in double precision.
    fn network<'a>(params: &'a [Mat], links: &'a [f32], tape: &mut Tape<'a>) -> f64 {
        let p: Vec<Var> = (0..params.len()).map(|i| tape.param(i)).collect();
        let x = tape.rows(p[0], vec![0, 2, 2]);
        let gates = tape.linear(x, p[1], Some(p[2]));
        let state = tape.rows(p[3], vec![1, 0, 1]);
        let h_gates = tape.linear(state, p[4], None);
        let h = tape.gru(gates, h_gates, state);
        let h = tape.scaled(h, (0..12).map(|i| 0.5 + 0.1 * i as f32).collect());
        let context = tape.attend(h, p[5], vec![0..2, 1..5, 3..4]);
        let context = tape.tanh(context);
        let both = tape.beside(vec![h, context]);
        let q = tape.linear(both, p[6], None);
        let all = [Links { values: &links[..12], candidates: 2, kinds: 2 }, Links { values: &links[12..], candidates: 1, kinds: 2 }];
        let two = tape.rows(q, vec![0, 2]);
        let pointed = tape.point(two, p[5], vec![0..3, 1..3], all.to_vec());
        let hidden = tape.linear(pointed, p[7], None);
        let hidden = tape.relu(hidden);
        let again = tape.rows(h, vec![0, 0, 2]);
        let hidden = tape.add(hidden, again);
        let scores = tape.dots(hidden, again);
        let stacked = tape.under(vec![scores, scores]);
        let stretch = |len, target| Stretch { len, allowed: None, target };
        let allowed = [true, false];
        let mut losses = tape.loss(stacked, &[stretch(2, 1), stretch(1, 0), stretch(3, 2)]);
        losses.extend(tape.loss(q, &[stretch(8, 3), stretch(8, 0), stretch(6, 1), Stretch { len: 2, allowed: Some(&allowed), target: 0 }]));
        losses.iter().map(|&x| f64::from(x)).sum()
    }

    /// Compares the gradients of a network with finite differences.
    fn compare(shapes: &[(usize, usize)], network: Network) {
        let mut params: Vec<Mat> = shapes.iter().enumerate().map(|(i, &(r, c))| random(&format!("p{i}"), r, c)).collect();
        let links = random("links", 1, 16).data;
        let mut tape = Tape::new(&params);
        network(&params, &links, &mut tape);
        let gradients = tape.backward();
        let step = 1e-2;
        for (p, gradient) in gradients.iter().enumerate() {
            for (i, found) in gradient.iter().enumerate() {
                let mut at = |delta: f32| {
                    let before = params[p].data[i];
                    params[p].data[i] = before + delta;
                    let params_now = params.clone();
                    params[p].data[i] = before;
                    let mut tape = Tape::new(&params_now);
                    network(&params_now, &links, &mut tape)
                };
                // Fourth order, so that single precision is what limits.
                let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * f64::from(step));
                let found = f64::from(*found);
                assert!((slope - found).abs() < 2e-3 * (1.0 + slope.abs()), "parameter {p}, {i}: {slope} {found}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        compare(&[(3, 5), (5, 12), (1, 12), (2, 4), (4, 12), (5, 4), (8, 8), (4, 4)], network);
        compare(&[(5, 6), (1, 6), (1, 6), (6, 6), (6, 6), (6, 6), (10, 6)], transformer);
    }

    #[test]
    fn a_target_that_may_not_be_chosen_teaches_nothing() {
        let params = [random("s", 1, 3)];
        let mut tape = Tape::new(&params);
        let scores = tape.param(0);
        let losses = tape.loss(scores, &[Stretch { len: 3, allowed: Some(&[true, true, false]), target: 2 }]);
        assert_eq!((losses, tape.backward()), (vec![0.0], vec![vec![0.0; 3]]));
    }
}

//! Reverse-mode differentiation for encoders and decoders over ragged batches, with operations as coarse as a transformer's parts.
//!
//! **Idea.** A model's calls ([`Calls`]) compute at once and note what they did; walking the notes backwards gives the gradient of the summed losses. Reading a picture writes
//! the same calls and never walks back. **Method.** Matrices in plain memory, a row a position of some text, texts one after another without padding: what a model may not see (the white tail,
//! hidden patches) is not there, which is what an attention mask of -10000 comes to. Products are the CPU kernels of the other models; each pullback is its closed form, compared with finite
//! differences in the tests. Sums run in a fixed order, whatever the threads.

use std::ops::Range;

pub use super::calls::{Calls, Spans, Var};
use super::kernels::{self, Attention, Gate};
use crate::ScreenshotError;
use vitrine_core::{
    model::cpu::{
        cross_entropy,
        matmul::{Start, View, product},
    },
    train::mat::Mat,
};

enum Value<'a> {
    Own(Mat),
    Lent(&'a Mat),
}

enum Op {
    /// Nothing flows back.
    Given,
    /// Its gradient is what is asked for.
    Param,
    Linear {
        x: Var,
        w: Var,
        b: Option<Var>,
    },
    /// `x w^T`: the tied output matrix.
    LinearTied {
        x: Var,
        w: Var,
    },
    Rows {
        of: Var,
        index: Vec<usize>,
    },
    Under(Vec<Var>),
    /// The mean of the rows of each span.
    Means {
        of: Var,
        spans: Vec<Range<usize>>,
    },
    Add(Var, Var),
    Scaled(Var, Vec<f32>),
    Norm {
        x: Var,
        scale: Var,
        /// RMSNorm has none.
        shift: Option<Var>,
        eps: f32,
    },
    Gelu(Var),
    /// `gate(first half) * second half` of each row.
    Gated(Gate, Var),
    Rotated {
        of: Var,
        /// Columns that are turned.
        width: usize,
        d_head: usize,
        by: Vec<[f32; 2]>,
    },
    Tanh(Var),
    Attend {
        q: Var,
        kv: Var,
        attention: Attention,
        spans: Spans,
        weights: Vec<f32>,
    },
    /// The gradient at an input of a loss.
    Loss {
        of: Var,
        gradient: Vec<f32>,
    },
}

/// What was computed, in order.
pub struct Tape<'a> {
    nodes: Vec<(Value<'a>, Op)>,
    params: usize,
}

fn add(to: &mut [f32], x: &[f32]) {
    to.iter_mut().zip(x).for_each(|(to, x)| *to += x);
}

impl<'a> Tape<'a> {
    /// A tape whose first variables are the parameters, in order.
    #[must_use]
    pub fn new(params: &'a [Mat]) -> Self {
        Self { nodes: params.iter().map(|mat| (Value::Lent(mat), Op::Param)).collect(), params: params.len() }
    }

    #[must_use]
    pub fn value(&self, var: Var) -> &Mat {
        match &self.nodes[var.0].0 {
            Value::Own(mat) => mat,
            Value::Lent(mat) => mat,
        }
    }

    fn push(&mut self, mat: Mat, op: Op) -> Var {
        self.nodes.push((Value::Own(mat), op));
        Var(self.nodes.len() - 1)
    }

    /// The attention of the last call of [`Self::attend`] that made `var`: for each text and head `[queries, keys]`, one after another.
    #[must_use]
    pub fn attention_weights(&self, var: Var) -> &[f32] {
        match &self.nodes[var.0].1 {
            Op::Attend { weights, .. } => weights,
            _ => &[],
        }
    }

    /// Gradients of all losses at the parameters, in order.
    #[must_use]
    pub fn backward(self) -> Vec<Vec<f32>> {
        let mut grads: Vec<Vec<f32>> = self.nodes.iter().map(|_| Vec::new()).collect();
        for i in (self.params..self.nodes.len()).rev() {
            let d = std::mem::take(&mut grads[i]);
            if d.is_empty() && !matches!(self.nodes[i].1, Op::Loss { .. }) {
                continue;
            }
            self.pull(i, d, &mut grads);
        }
        grads.truncate(self.params);
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

    /// As [`Self::grad`], for a product that is added: with the start that lets it write over what was not there yet.
    fn sum<'g>(&self, grads: &'g mut [Vec<f32>], var: Var) -> Option<(&'g mut Vec<f32>, Start<'static>)> {
        let start = if grads[var.0].is_empty() { Start::Zero } else { Start::Keep };
        self.grad(grads, var).map(|to| (to, start))
    }

    /// Adds to a gradient, or becomes it.
    fn give(&self, grads: &mut [Vec<f32>], var: Var, d: Vec<f32>) {
        if matches!(self.nodes[var.0].1, Op::Given) {
            return;
        }
        let grad = &mut grads[var.0];
        if grad.is_empty() { *grad = d } else { add(grad, &d) }
    }

    fn pull(&self, i: usize, mut d: Vec<f32>, grads: &mut [Vec<f32>]) {
        let cols = self.value(Var(i)).cols.max(1);
        match &self.nodes[i].1 {
            Op::Given | Op::Param => {}
            Op::Linear { x, w, b } => {
                let (xm, wm) = (self.value(*x), self.value(*w));
                let [n, k, m] = [xm.rows, xm.cols, wm.cols];
                if let Some((to, start)) = self.sum(grads, *x) {
                    product([n, m, k], View::rows(&d, m), View::rows(&wm.data, m).transposed(), start, to);
                }
                if let Some((to, start)) = self.sum(grads, *w) {
                    product([k, n, m], View::rows(&xm.data, k).transposed(), View::rows(&d, m), start, to);
                }
                if let Some(to) = b.and_then(|b| self.grad(grads, b)) {
                    d.chunks_exact(m).for_each(|row| add(to, row));
                }
            }
            Op::LinearTied { x, w } => {
                let (xm, wm) = (self.value(*x), self.value(*w));
                let [n, k, m] = [xm.rows, xm.cols, wm.rows];
                if let Some((to, start)) = self.sum(grads, *x) {
                    product([n, m, k], View::rows(&d, m), View::rows(&wm.data, k), start, to);
                }
                if let Some((to, start)) = self.sum(grads, *w) {
                    product([m, n, k], View::rows(&d, m).transposed(), View::rows(&xm.data, k), start, to);
                }
            }
            Op::Rows { of, index } => {
                if let Some(to) = self.grad(grads, *of) {
                    for (&row, d) in index.iter().zip(d.chunks_exact(cols)) {
                        add(&mut to[row * cols..(row + 1) * cols], d);
                    }
                }
            }
            Op::Means { of, spans } => {
                if let Some(to) = self.grad(grads, *of) {
                    for (span, d) in spans.iter().zip(d.chunks_exact(cols)) {
                        let part = 1.0 / span.len().max(1) as f32;
                        for row in to[span.start * cols..span.end * cols].chunks_exact_mut(cols) {
                            row.iter_mut().zip(d).for_each(|(to, d)| *to += part * d);
                        }
                    }
                }
            }
            Op::Under(parts) => {
                let mut from = 0;
                for &part in parts {
                    let n = self.value(part).data.len();
                    if let Some(to) = self.grad(grads, part) {
                        add(to, &d[from..from + n]);
                    }
                    from += n;
                }
            }
            Op::Add(a, b) => {
                if let Some(to) = self.grad(grads, *b) {
                    add(to, &d);
                }
                self.give(grads, *a, d);
            }
            Op::Scaled(a, by) => {
                d.iter_mut().zip(by).for_each(|(d, by)| *d *= by);
                self.give(grads, *a, d);
            }
            Op::Norm { x, scale, shift, eps } => {
                let sums = kernels::norm_pullback(&self.value(*x).data, &mut d, &self.value(*scale).data, shift.is_some(), *eps);
                for (var, sum) in [*scale].into_iter().chain(*shift).zip(sums) {
                    self.give(grads, var, sum);
                }
                self.give(grads, *x, d);
            }
            Op::Gelu(a) => {
                kernels::gelu_pullback(&self.value(*a).data, &mut d, cols);
                self.give(grads, *a, d);
            }
            Op::Gated(gate, a) => {
                let given = self.value(*a);
                let mut to = vec![0.0; given.data.len()];
                kernels::gated_pullback(*gate, &given.data, &d, &mut to, cols);
                self.give(grads, *a, to);
            }
            Op::Rotated { of, width, d_head, by } => {
                kernels::rotate(&mut d, cols, *width, *d_head, by, true);
                self.give(grads, *of, d);
            }
            Op::Tanh(a) => {
                d.iter_mut().zip(&self.value(Var(i)).data).for_each(|(d, y)| *d *= 1.0 - y * y);
                self.give(grads, *a, d);
            }
            Op::Attend { q, kv, attention, spans, weights } => {
                let (qm, kvm) = (self.value(*q), self.value(*kv));
                let [dq, dk, dv] = kernels::attend_pullback(qm, kvm, attention, spans, weights, &d);
                let width = attention.width();
                for (var, part, column) in [(*q, dq, attention.q), (*kv, dk, attention.k), (*kv, dv, attention.v)] {
                    let cols = self.value(var).cols;
                    if let Some(to) = self.grad(grads, var) {
                        for (to, d) in to.chunks_exact_mut(cols).zip(part.chunks_exact(width)) {
                            add(&mut to[column..column + width], d);
                        }
                    }
                }
            }
            Op::Loss { of, gradient } => {
                if let Some(to) = self.grad(grads, *of) {
                    add(to, gradient);
                }
            }
        }
    }
}

impl Calls for Tape<'_> {
    fn param(&self, number: usize) -> Var {
        Var(number)
    }

    fn rows_of(&self, var: Var) -> usize {
        self.value(var).rows
    }

    fn read(&self, var: Var) -> Result<Mat, ScreenshotError> {
        Ok(self.value(var).clone())
    }

    fn given(&mut self, mat: Mat) -> Var {
        self.push(mat, Op::Given)
    }

    fn linear(&mut self, x: Var, w: Var, b: Option<Var>) -> Var {
        let (xm, wm) = (self.value(x), self.value(w));
        let mut out = Mat::zeros(xm.rows, wm.cols);
        let start = b.map_or(Start::Zero, |b| Start::Row(&self.value(b).data));
        product([xm.rows, xm.cols, wm.cols], View::rows(&xm.data, xm.cols), View::rows(&wm.data, wm.cols), start, &mut out.data);
        self.push(out, Op::Linear { x, w, b })
    }

    fn linear_tied(&mut self, x: Var, w: Var) -> Var {
        let (xm, wm) = (self.value(x), self.value(w));
        let mut out = Mat::zeros(xm.rows, wm.rows);
        let weights = View::rows(&wm.data, wm.cols).transposed();
        product([xm.rows, xm.cols, wm.rows], View::rows(&xm.data, xm.cols), weights, Start::Zero, &mut out.data);
        self.push(out, Op::LinearTied { x, w })
    }

    fn rows(&mut self, of: Var, index: Vec<usize>) -> Var {
        let mat = self.value(of);
        let mut data = Vec::with_capacity(index.len() * mat.cols);
        for &i in &index {
            data.extend_from_slice(mat.row(i));
        }
        let out = Mat { rows: index.len(), cols: mat.cols, data };
        // Rows of a constant are one.
        let constant = matches!(self.nodes[of.0].1, Op::Given);
        self.push(out, if constant { Op::Given } else { Op::Rows { of, index } })
    }

    fn under(&mut self, parts: Vec<Var>) -> Var {
        let cols = parts.first().map_or(0, |&part| self.value(part).cols);
        let data = parts.iter().flat_map(|&part| self.value(part).data.iter().copied()).collect();
        self.push(Mat::of(cols, data), Op::Under(parts))
    }

    fn means(&mut self, of: Var, spans: Vec<Range<usize>>) -> Var {
        let mat = self.value(of);
        let mut out = Mat::zeros(spans.len(), mat.cols);
        for (span, to) in spans.iter().zip(out.data.chunks_exact_mut(mat.cols.max(1))) {
            span.clone().for_each(|row| add(to, mat.row(row)));
            for x in &mut *to {
                *x /= span.len().max(1) as f32;
            }
        }
        self.push(out, Op::Means { of, spans })
    }

    fn add(&mut self, a: Var, b: Var) -> Var {
        let (am, bm) = (self.value(a), self.value(b));
        let out = Mat { data: am.data.iter().zip(&bm.data).map(|(a, b)| a + b).collect(), ..*am };
        self.push(out, Op::Add(a, b))
    }

    fn scaled(&mut self, a: Var, by: Vec<f32>) -> Var {
        let am = self.value(a);
        let out = Mat { data: am.data.iter().zip(&by).map(|(x, by)| x * by).collect(), ..*am };
        self.push(out, Op::Scaled(a, by))
    }

    fn norm(&mut self, x: Var, scale: Var, shift: Var, eps: f32) -> Var {
        let mut out = self.value(x).clone();
        kernels::norm(&mut out.data, &self.value(scale).data, Some(&self.value(shift).data), eps);
        self.push(out, Op::Norm { x, scale, shift: Some(shift), eps })
    }

    fn rms_norm(&mut self, x: Var, scale: Var, eps: f32) -> Var {
        let mut out = self.value(x).clone();
        kernels::norm(&mut out.data, &self.value(scale).data, None, eps);
        self.push(out, Op::Norm { x, scale, shift: None, eps })
    }

    fn gelu(&mut self, a: Var) -> Var {
        let mut out = self.value(a).clone();
        kernels::gelu(&mut out.data, out.cols);
        self.push(out, Op::Gelu(a))
    }

    fn gated(&mut self, gate: Gate, a: Var) -> Var {
        let mat = self.value(a);
        let mut out = Mat::zeros(mat.rows, mat.cols / 2);
        kernels::gated(gate, &mat.data, &mut out.data, out.cols);
        self.push(out, Op::Gated(gate, a))
    }

    fn rotated(&mut self, of: Var, width: usize, d_head: usize, places: &[usize], base: f64) -> Var {
        let by = kernels::rotations(places, d_head, base);
        let mut out = self.value(of).clone();
        kernels::rotate(&mut out.data, out.cols, width, d_head, &by, false);
        self.push(out, Op::Rotated { of, width, d_head, by })
    }

    fn tanh(&mut self, a: Var) -> Var {
        let mut out = self.value(a).clone();
        out.data.iter_mut().for_each(|x| *x = x.tanh());
        self.push(out, Op::Tanh(a))
    }

    fn attend(&mut self, q: Var, kv: Var, attention: Attention, spans: Spans) -> Var {
        let (qm, kvm) = (self.value(q), self.value(kv));
        let mut out = Mat::zeros(qm.rows, attention.width());
        let weights = kernels::attend(qm, kvm, &attention, &spans, &mut out.data);
        self.push(out, Op::Attend { q, kv, attention, spans, weights })
    }

    fn cross_entropy(&mut self, logits: Var, targets: &[u32], weights: &[f32]) -> Var {
        let mat = self.value(logits);
        let (mut gradient, cols) = (mat.data.clone(), mat.cols);
        let losses = cross_entropy(&mut gradient, cols, targets, weights);
        self.push(Mat::of(1, losses), Op::Loss { of: logits, gradient })
    }

    fn squared_error(&mut self, of: Var, targets: &[f32], weight: f32) -> Var {
        let mat = self.value(of);
        let cols = mat.cols.max(1);
        let scale = 2.0 * weight / cols as f32;
        let gradient: Vec<f32> = mat.data.iter().zip(targets).map(|(p, t)| scale * (p - t)).collect();
        let error = |(p, t): (&[f32], &[f32])| p.iter().zip(t).map(|(p, t)| (p - t) * (p - t)).sum::<f32>() / cols as f32;
        let errors = mat.data.chunks_exact(cols).zip(targets.chunks_exact(cols)).map(error).collect();
        self.push(Mat::of(1, errors), Op::Loss { of, gradient })
    }
}

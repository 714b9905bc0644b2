//! Reverse-mode differentiation for one small network, with operations as coarse as the network needs.
//!
//! **Idea.** The network is written once, as calls that compute at once and note what they did; walking the notes backwards gives the gradient of the summed losses. Decoding writes
//! the same calls and never walks back.
//!
//! **Method.** Matrices in plain memory, products by the CPU kernels of the other models. Each operation's pullback is its closed form and is compared with finite differences.

pub mod attention;
mod backward;

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
}

/// One distribution of [`Tape::loss`].
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'s> {
    pub len: usize,
    pub allowed: Option<&'s [bool]>,
    pub target: usize,
}
#[cfg(test)]
mod tests;

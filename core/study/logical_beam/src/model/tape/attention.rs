//! Operations of a transformer as functions of plain memory, each with its pullback: attention of several heads, normalised rows, losses that may copy.
//!
//! Sums run row by row in a fixed order, in code for the widest vectors that the processor has.

use std::ops::Range;

use super::{Mat, add_scaled, dot, softmax};

/// Each row of `q` attends to the rows of its span of `k` and takes those of `v`, head by head. Returns the result and the weights, row by row and head by head.
pub fn heads(q: &Mat, k: &Mat, v: &Mat, spans: &[Range<usize>], heads: usize) -> (Mat, Vec<f32>) {
    pulp::Arch::new().dispatch(|| heads_inner(q, k, v, spans, heads))
}

#[inline]
fn heads_inner(q: &Mat, k: &Mat, v: &Mat, spans: &[Range<usize>], heads: usize) -> (Mat, Vec<f32>) {
    let width = q.cols / heads.max(1);
    let scale = 1.0 / (width as f32).sqrt();
    let mut out = Mat::zeros(q.rows, q.cols);
    let mut weights = Vec::with_capacity(spans.iter().map(|span| span.len() * heads).sum());
    for (row, span) in spans.iter().enumerate() {
        for head in 0..heads {
            let place = head * width..(head + 1) * width;
            let from = weights.len();
            let asked = &q.row(row)[place.clone()];
            weights.extend(span.clone().map(|j| scale * dot(asked, &k.row(j)[place.clone()])));
            softmax(&mut weights[from..]);
            let to = &mut out.data[row * q.cols..][place.clone()];
            for (j, &weight) in span.clone().zip(&weights[from..]) {
                add_scaled(to, weight, &v.row(j)[place.clone()]);
            }
        }
    }
    (out, weights)
}

/// The gradients of [`heads`] at `q`, `k` and `v`.
pub fn pull_heads(qkv: [&Mat; 3], spans: &[Range<usize>], heads: usize, weights: &[f32], d: &[f32]) -> [Vec<f32>; 3] {
    pulp::Arch::new().dispatch(|| pull_heads_inner(qkv, spans, heads, weights, d))
}

#[inline]
fn pull_heads_inner([q, k, v]: [&Mat; 3], spans: &[Range<usize>], heads: usize, weights: &[f32], d: &[f32]) -> [Vec<f32>; 3] {
    let (width, cols) = (q.cols / heads.max(1), q.cols);
    let scale = 1.0 / (width as f32).sqrt();
    let [mut dq, mut dk, mut dv] = [q, k, v].map(|mat| vec![0.0; mat.data.len()]);
    let (mut from, mut d_weights) = (0, Vec::new());
    for (row, span) in spans.iter().enumerate() {
        for head in 0..heads {
            let place = head * width..(head + 1) * width;
            let (weights, d) = (&weights[from..from + span.len()], &d[row * cols..][place.clone()]);
            d_weights.clear();
            d_weights.extend(span.clone().map(|j| dot(d, &v.row(j)[place.clone()])));
            let mean = dot(weights, &d_weights);
            let to_q = &mut dq[row * cols..][place.clone()];
            for ((j, &weight), &d_weight) in span.clone().zip(weights).zip(&d_weights) {
                let d_score = scale * weight * (d_weight - mean);
                add_scaled(&mut dv[j * cols..][place.clone()], weight, d);
                add_scaled(to_q, d_score, &k.row(j)[place.clone()]);
                add_scaled(&mut dk[j * cols..][place.clone()], d_score, &q.row(row)[place.clone()]);
            }
            from += span.len();
        }
    }
    [dq, dk, dv]
}

/// Added to variances.
const LEAST_VARIANCE: f32 = 1e-5;

/// Rows with mean 0 and variance 1, times `gain` plus `bias`. Also the rows before gain and bias, and what each was multiplied by.
pub fn norm(x: &Mat, gain: &[f32], bias: &[f32]) -> (Mat, Vec<f32>, Vec<f32>) {
    let (mut out, mut normal, mut factors) = (x.clone(), Vec::with_capacity(x.data.len()), Vec::with_capacity(x.rows));
    for row in out.data.chunks_exact_mut(x.cols.max(1)) {
        let n = row.len() as f32;
        let mean = row.iter().sum::<f32>() / n;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n;
        let factor = 1.0 / (variance + LEAST_VARIANCE).sqrt();
        factors.push(factor);
        for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
            let y = (*x - mean) * factor;
            normal.push(y);
            *x = y * gain + bias;
        }
    }
    (out, normal, factors)
}

/// The gradients of [`norm`] at x, gain and bias.
pub fn pull_norm(gain: &[f32], normal: &[f32], factors: &[f32], d: &[f32]) -> [Vec<f32>; 3] {
    let cols = gain.len();
    let (mut dx, mut d_gain, mut d_bias) = (vec![0.0; d.len()], vec![0.0; cols], vec![0.0; cols]);
    for (row, &factor) in factors.iter().enumerate() {
        let (y, d) = (&normal[row * cols..][..cols], &d[row * cols..][..cols]);
        let (mut sum, mut sum_y) = (0.0, 0.0);
        for i in 0..cols {
            d_gain[i] += d[i] * y[i];
            d_bias[i] += d[i];
            sum += d[i] * gain[i];
            sum_y += d[i] * gain[i] * y[i];
        }
        let n = cols as f32;
        for i in 0..cols {
            dx[row * cols + i] = factor * (d[i] * gain[i] - sum / n - y[i] * sum_y / n);
        }
    }
    [dx, d_gain, d_bias]
}

/// Minus the log-probability of `target` where row i of `words` and the i-th stretch of `copies` share one softmax, and copying place j of that stretch says `said[i][j]`. The losses, and the
/// gradients at both.
///
/// **Source.** Gu et al., "Incorporating Copying Mechanism in Sequence-to-Sequence Learning", ACL 2016: generating and copying compete in one distribution.
pub fn copy_loss(words: &Mat, copies: &[f32], said: &[&[u32]], targets: &[u32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (mut d_words, mut d_copies) = (words.data.clone(), copies.to_vec());
    let (mut losses, mut from) = (Vec::with_capacity(targets.len()), 0);
    for ((row, said), &target) in d_words.chunks_exact_mut(words.cols.max(1)).zip(said).zip(targets) {
        let copied = &mut d_copies[from..from + said.len()];
        from += said.len();
        let largest = row.iter().chain(copied.iter()).copied().fold(f32::NEG_INFINITY, f32::max);
        for x in row.iter_mut().chain(copied.iter_mut()) {
            *x = (*x - largest).exp();
        }
        let total = row.iter().sum::<f32>() + copied.iter().sum::<f32>();
        let is = |place: &u32| *place == target;
        let right =
            row.get(target as usize).copied().unwrap_or(0.0) + copied.iter().zip(*said).filter(|(_, s)| is(s)).map(|(x, _)| x).sum::<f32>();
        let right = right.max(f32::MIN_POSITIVE);
        losses.push((total / right).ln());
        // The softmax of all, less the softmax of what says the target.
        for (place, x) in row.iter_mut().enumerate() {
            *x = *x / total - if place == target as usize { *x / right } else { 0.0 };
        }
        for (x, said) in copied.iter_mut().zip(*said) {
            *x = *x / total - if is(said) { *x / right } else { 0.0 };
        }
    }
    (losses, d_words, d_copies)
}

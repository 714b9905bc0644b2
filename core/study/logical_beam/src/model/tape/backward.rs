//! The way back: each operation's pullback in closed form.

use std::ops::Range;

use vitrine_core::model::cpu::matmul::{Start, View, product};

use super::{Links, Op, Tape, Var, add_scaled, attention, dot};

impl Tape<'_> {
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

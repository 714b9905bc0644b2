//! Attention and its pullback on the CPU, one task a batch entry and key/value head.
//!
//! **Why.** As tensor operations attention rotates, scales, masks, exponentiates and divides in passes of their own over scores that no cache holds, and copies heads apart and back.
//!
//! **Method.** Queries are taken in blocks: the block's scores fit the second-level cache, keys that causality hides from the whole block are not computed, and the softmax runs over each row
//! while it is there. q, k and v are read by strides out of the projection's output, and results go where the next product reads them. Sums run in the same order whatever the thread count.

use crate::{
    model::config::{Positions, TransformerConfig},
    tensor::{Device, Tensor},
};

use super::{
    Host, for_each_task,
    matmul::{Start, View, product_rows},
    rows::{dot, softmax},
    tensor,
};

/// Which keys a query sees.
#[derive(Debug, Clone)]
pub enum Visible {
    /// Itself and those before it.
    Causal,
    /// The first so many of its sequence, one number a batch entry.
    Lengths(Vec<usize>),
}

/// Cosine and sine of each position's angles, `[position, d_head / 2]` each.
#[derive(Debug, Clone)]
pub struct Angles {
    pub cos: Vec<f32>,
    pub sin: Vec<f32>,
}

impl Angles {
    /// Those of the given positions, the first of them in the first row; none for a model that does not rotate.
    pub fn of(config: &TransformerConfig, positions: std::ops::Range<usize>) -> Option<Self> {
        let Positions::Rotary { base } = config.positions else { return None };
        let d_head = config.d_head;
        let rates: Vec<f64> = (0..d_head / 2).map(|i| base.powf(-2.0 * i as f64 / d_head as f64)).collect();
        let table = |f: fn(f64) -> f64| positions.clone().flat_map(|p| rates.iter().map(move |r| f(p as f64 * r) as f32)).collect();
        Some(Self { cos: table(f64::cos), sin: table(f64::sin) })
    }

    /// Cosine and sine of one row, for heads of `d_head` numbers.
    pub(super) fn row(&self, row: usize, d_head: usize) -> [&[f32]; 2] {
        let half = d_head / 2;
        [&self.cos[row * half..][..half], &self.sin[row * half..][..half]]
    }
}

/// What the kernels know about heads and positions.
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a> {
    pub heads: usize,
    pub kv_heads: usize,
    pub visible: &'a Visible,
    pub angles: Option<&'a Angles>,
}

/// Rows of scores computed at once.
const ROWS: usize = 128;

/// Where the rows of `[batch, readers, position, d_head]` lie.
#[derive(Clone, Copy)]
struct Layout {
    batch: usize,
    readers: usize,
    seq: usize,
    width: usize,
    /// Whether a reader's rows lie together, rather than a token's.
    by_reader: bool,
}

impl Layout {
    fn of(shape: [usize; 4], strides: [usize; 4]) -> Self {
        let [batch, readers, seq, width] = shape;
        Self { batch, readers, seq, width, by_reader: strides[1] > strides[2] }
    }

    /// Batch entry, reader and position of the row at `index` in memory.
    fn row(&self, index: usize) -> [usize; 3] {
        if self.by_reader {
            let per_reader = self.batch * self.seq;
            [index % per_reader / self.seq, index / per_reader, index % self.seq]
        } else {
            let per_entry = self.readers * self.seq;
            [index / per_entry, index % self.readers, index % per_entry / self.readers]
        }
    }

    /// Values in this order as a tensor `[batch, readers, position, d_head]`.
    fn tensor(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        let Self { batch, readers, seq, width, by_reader } = *self;
        if by_reader {
            tensor(values, [readers, batch, seq, width], device).permute([1, 0, 2, 3])
        } else {
            tensor(values, [batch, seq, readers, width], device).permute([0, 2, 1, 3])
        }
    }
}

/// Rows `[batch, readers, position, d_head]` in memory, numbers of a row together.
struct Rows<'a> {
    data: &'a [f32],
    strides: [usize; 4],
}

impl Rows<'_> {
    fn row(&self, entry: usize, reader: usize, position: usize, width: usize) -> &[f32] {
        &self.data[entry * self.strides[0] + reader * self.strides[1] + position * self.strides[2]..][..width]
    }

    /// One reader of one batch entry, `[position, d_head]`.
    fn matrix(&self, entry: usize, reader: usize) -> View<'_> {
        View { data: &self.data[entry * self.strides[0] + reader * self.strides[1]..], strides: [self.strides[2], 1] }
    }
}

/// A tensor whose rows lie each together.
fn with_whole_rows(x: Host) -> Host {
    if x.strides::<4>()[3] == 1 { x } else { x.contiguous() }
}

/// One task: a batch entry, a key/value head, and the query heads that share it.
struct Task<'a> {
    heads: Heads<'a>,
    entry: usize,
    kv_head: usize,
    qkv: &'a Rows<'a>,
    seq: usize,
    width: usize,
}

impl Task<'_> {
    fn group(&self) -> usize {
        self.heads.heads / self.heads.kv_heads
    }

    /// Positions in a block of queries, so that the block has about [`ROWS`] rows of all heads together.
    fn block(&self) -> usize {
        let rows = if self.seq > 2 * ROWS { ROWS } else { ROWS / 2 };
        (rows / self.group()).max(16)
    }

    fn angles(&self, position: usize) -> Option<[&[f32]; 2]> {
        self.heads.angles.map(|angles| angles.row(position, self.width))
    }

    /// Rotated and scaled queries of the block, head by head, `[group * positions, d_head]`.
    fn queries(&self, positions: std::ops::Range<usize>, out: &mut Vec<f32>) {
        out.clear();
        let scale = (self.width as f32).powf(-0.5);
        for head in 0..self.group() {
            for position in positions.clone() {
                let from = out.len();
                out.extend_from_slice(self.qkv.row(self.entry, self.kv_head * self.group() + head, position, self.width));
                let row = &mut out[from..];
                for x in row.iter_mut() {
                    *x *= scale;
                }
                if let Some(angles) = self.angles(position) {
                    turn(row, angles, 1.0);
                }
            }
        }
    }

    /// Rotated keys, or none where they need no rotation.
    fn rotated_keys(&self) -> Option<Vec<f32>> {
        self.heads.angles?;
        let mut keys = Vec::with_capacity(self.seq * self.width);
        for position in 0..self.seq {
            keys.extend_from_slice(self.qkv.row(self.entry, self.key_reader(), position, self.width));
            if let Some(angles) = self.angles(position) {
                turn(&mut keys[position * self.width..], angles, 1.0);
            }
        }
        Some(keys)
    }

    fn key_reader(&self) -> usize {
        self.heads.heads + self.kv_head
    }

    fn keys<'a>(&'a self, rotated: Option<&'a [f32]>) -> View<'a> {
        rotated.map_or_else(|| self.qkv.matrix(self.entry, self.key_reader()), |keys| View::rows(keys, self.width))
    }

    fn values(&self) -> View<'_> {
        self.qkv.matrix(self.entry, self.heads.heads + self.heads.kv_heads + self.kv_head)
    }

    /// Keys that any query of the block sees.
    fn keys_of(&self, positions: &std::ops::Range<usize>) -> usize {
        match self.heads.visible {
            Visible::Causal => positions.end,
            Visible::Lengths(lengths) => lengths[self.entry],
        }
    }

    /// The attention pattern of a block in `scores`, `[group * positions, keys]`.
    fn pattern(&self, positions: &std::ops::Range<usize>, queries: &[f32], keys: View<'_>, scores: &mut Vec<f32>) {
        let (rows, n) = (queries.len() / self.width, self.keys_of(positions));
        scores.resize(rows * n, 0.0);
        serial([rows, self.width, n], View::rows(queries, self.width), keys.transposed(), Start::Zero, scores);
        let causal = matches!(self.heads.visible, Visible::Causal).then_some(positions);
        pulp::Arch::new().dispatch(Softmax { scores, keys: n, causal });
    }
}

/// Softmax of rows of scores in place.
struct Softmax<'a> {
    scores: &'a mut [f32],
    keys: usize,
    /// Positions of the rows, where they see only keys up to their own.
    causal: Option<&'a std::ops::Range<usize>>,
}

impl pulp::WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        for (i, row) in self.scores.chunks_exact_mut(self.keys.max(1)).enumerate() {
            let seen = self.causal.map_or(self.keys, |positions| positions.start + i % positions.len() + 1);
            let (row, hidden) = row.split_at_mut(seen);
            softmax(row);
            hidden.fill(0.0);
        }
    }
}

/// `d_pattern` to `d_scores = pattern * (d_pattern - <d_pattern, pattern>)`, row by row.
struct SoftmaxPullback<'a> {
    d_pattern: &'a mut [f32],
    pattern: &'a [f32],
    keys: usize,
}

impl pulp::WithSimd for SoftmaxPullback<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let n = self.keys.max(1);
        for (d, p) in self.d_pattern.chunks_exact_mut(n).zip(self.pattern.chunks_exact(n)) {
            let along = dot(d, p);
            d.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - along));
        }
    }
}

/// Turns the pairs (i, i + half) by the angles, or back for `sign` -1.
pub(super) fn turn(row: &mut [f32], [cos, sin]: [&[f32]; 2], sign: f32) {
    let (a, b) = row.split_at_mut(cos.len());
    for (((a, b), &c), &s) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        (*a, *b) = (*a * c - *b * (s * sign), *b * c + *a * (s * sign));
    }
}

/// `out = start + a b` into rows one after another, on this thread.
fn serial([m, k, n]: [usize; 3], a: View<'_>, b: View<'_>, start: Start<'_>, out: &mut [f32]) {
    let mut rows: Vec<&mut [f32]> = out[..m * n].chunks_exact_mut(n.max(1)).collect();
    product_rows(k, a, b, start, &mut rows);
}

/// Head outputs `[batch, heads, query, d_head]` from q, k and v of all readers, `[batch, heads + 2 kv_heads, position, d_head]`, before rotation. They lie in memory as the
/// readers do.
pub fn attend(heads: Heads<'_>, qkv: Host, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let [batch, _, seq, width] = shape;
    let qkv = with_whole_rows(qkv);
    let out = Layout { readers: heads.heads, ..Layout::of(shape, qkv.strides()) };
    let qkv = Rows { data: qkv.data(), strides: qkv.strides() };
    let group = heads.heads / heads.kv_heads;
    let mut values = vec![0.0_f32; batch * heads.heads * seq * width];
    let tasks = rows_by_task(&mut values, &out, heads.kv_heads, |head| [head / group, head % group]);
    for_each_task(tasks, |task, rows| {
        let task = Task { heads, entry: task / heads.kv_heads, kv_head: task % heads.kv_heads, qkv: &qkv, seq, width };
        let mut rows = ByPosition::new(rows, &out, group);
        let (mut queries, mut scores) = (vec![], vec![]);
        let rotated = task.rotated_keys();
        let keys = task.keys(rotated.as_deref());
        for from in (0..seq).step_by(task.block()) {
            let positions = from..(from + task.block()).min(seq);
            task.queries(positions.clone(), &mut queries);
            task.pattern(&positions, &queries, keys, &mut scores);
            let n = task.keys_of(&positions);
            let mut z = rows.take(&positions, 0..group);
            product_rows(n, View::rows(&scores, n), task.values(), Start::Zero, &mut z);
        }
    });
    out.tensor(values, device)
}

/// Gradients at q, k and v of all readers, as they came, from those at the head outputs, `[batch, heads, query, d_head]`; the pattern is computed again.
pub fn pullback(heads: Heads<'_>, qkv: Host, d_z: Host, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let [batch, readers, seq, width] = shape;
    let (qkv, d_z) = (with_whole_rows(qkv), with_whole_rows(d_z));
    let out = Layout::of(shape, qkv.strides());
    let qkv = Rows { data: qkv.data(), strides: qkv.strides() };
    let d_z = Rows { data: d_z.data(), strides: d_z.strides() };
    let (group, h, g) = (heads.heads / heads.kv_heads, heads.heads, heads.kv_heads);
    let mut values = vec![0.0_f32; batch * readers * seq * width];
    let of_reader = |reader: usize| match reader {
        q if q < h => [q / group, q % group],
        k if k < h + g => [k - h, group],
        v => [v - h - g, group + 1],
    };
    let tasks = rows_by_task(&mut values, &out, g, of_reader);
    for_each_task(tasks, |task, rows| {
        let task = Task { heads, entry: task / g, kv_head: task % g, qkv: &qkv, seq, width };
        let mut rows = ByPosition::new(rows, &out, group + 2);
        let [mut queries, mut pattern, mut d_scores, mut gradients] = [const { Vec::new() }; 4];
        let (mut d_k, mut d_q) = (vec![0.0; seq * width], vec![]);
        let rotated = task.rotated_keys();
        let keys = task.keys(rotated.as_deref());
        let mut d_v = rows.take(&(0..seq), group + 1..group + 2);
        let scale = (width as f32).powf(-0.5);
        for from in (0..seq).step_by(task.block()) {
            let positions = from..(from + task.block()).min(seq);
            task.queries(positions.clone(), &mut queries);
            task.pattern(&positions, &queries, keys, &mut pattern);
            let (m, n) = (queries.len() / width, task.keys_of(&positions));
            gradients.clear();
            for head in 0..group {
                for position in positions.clone() {
                    gradients.extend_from_slice(d_z.row(task.entry, task.kv_head * group + head, position, width));
                }
            }
            let at_z = View::rows(&gradients, width);
            product_rows(m, View::rows(&pattern, n).transposed(), at_z, Start::Keep, &mut d_v[..n]);
            d_scores.resize(m * n, 0.0);
            serial([m, width, n], at_z, task.values().transposed(), Start::Zero, &mut d_scores);
            pulp::Arch::new().dispatch(SoftmaxPullback { d_pattern: &mut d_scores, pattern: &pattern, keys: n });
            let at_scores = View::rows(&d_scores, n);
            serial([n, m, width], at_scores.transposed(), View::rows(&queries, width), Start::Keep, &mut d_k);
            d_q.resize(m * width, 0.0);
            serial([m, n, width], at_scores, keys, Start::Zero, &mut d_q);
            for ((i, row), d) in rows.take(&positions, 0..group).into_iter().enumerate().zip(d_q.chunks_exact(width)) {
                row.iter_mut().zip(d).for_each(|(x, d)| *x = d * scale);
                if let Some(angles) = task.angles(positions.start + i % positions.len()) {
                    turn(row, angles, -1.0);
                }
            }
        }
        for ((position, row), d) in rows.take(&(0..seq), group..group + 1).into_iter().enumerate().zip(d_k.chunks_exact(width)) {
            row.copy_from_slice(d);
            if let Some(angles) = task.angles(position) {
                turn(row, angles, -1.0);
            }
        }
    });
    out.tensor(values, device)
}

/// Output rows, handed to the task (batch entry, key/value head) that writes them, each task's in the order of memory. `of` names a reader's key/value head and its place within.
fn rows_by_task<'a>(values: &'a mut [f32], out: &Layout, kv_heads: usize, of: impl Fn(usize) -> [usize; 2]) -> Vec<Vec<&'a mut [f32]>> {
    let mut tasks: Vec<Vec<&mut [f32]>> = (0..out.batch * kv_heads).map(|_| Vec::new()).collect();
    for (index, row) in values.chunks_exact_mut(out.width.max(1)).enumerate() {
        let [entry, reader, _] = out.row(index);
        tasks[entry * kv_heads + of(reader)[0]].push(row);
    }
    tasks
}

/// A task's output rows, to be taken once each.
struct ByPosition<'a> {
    rows: Vec<&'a mut [f32]>,
    seq: usize,
    /// Readers of the task.
    readers: usize,
    by_reader: bool,
}

impl<'a> ByPosition<'a> {
    fn new(rows: Vec<&'a mut [f32]>, out: &Layout, readers: usize) -> Self {
        Self { rows, seq: out.seq, readers, by_reader: out.by_reader }
    }

    /// The rows of the given readers and positions, reader by reader.
    fn take(&mut self, positions: &std::ops::Range<usize>, readers: std::ops::Range<usize>) -> Vec<&'a mut [f32]> {
        let mut taken = Vec::with_capacity(readers.len() * positions.len());
        for reader in readers {
            for position in positions.clone() {
                let at = if self.by_reader { reader * self.seq + position } else { position * self.readers + reader };
                taken.push(std::mem::take(&mut self.rows[at]));
            }
        }
        taken
    }
}

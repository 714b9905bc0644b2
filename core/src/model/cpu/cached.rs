//! Attention over remembered keys and values, on the CPU.
//!
//! **Why.** A hypothesis grows by a token, and only that token's queries are new. Hypotheses that come from one prompt share most of their past.
//!
//! **Method.** Memory is a pool of slots, one a token, each with the rotated keys and the values of every layer; a row is the list of its slots. Rows that fork share
//! the slots of their common past, and a slot is used anew when no row names it: nothing is ever copied. New queries meet the slots of their row one after another.
//! Each task is a query and a key/value head, so sums do not depend on the thread count or on the other rows.
//!
//! **Source.** Kwon et al. 2023 ("`PagedAttention`"), with pages of one token.

use super::{
    Host,
    attention::{Angles, turn},
    for_each_task,
    rows::{dot, softmax},
};

/// Sizes of one layer's attention.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub heads: usize,
    pub kv_heads: usize,
    pub d_head: usize,
}

impl Sizes {
    fn kv_width(self) -> usize {
        self.kv_heads * self.d_head
    }

    fn group(self) -> usize {
        self.heads / self.kv_heads
    }
}

/// The pool of slots.
#[derive(Debug, Clone)]
pub struct Pool {
    sizes: Sizes,
    /// Rotated keys and values of each layer, `[slot, kv_heads * d_head]`.
    layers: Vec<[Vec<f32>; 2]>,
    /// How many rows name each slot.
    holders: Vec<u32>,
    free: Vec<u32>,
}

impl Pool {
    pub fn new(sizes: Sizes, layers: usize) -> Self {
        Self { sizes, layers: vec![Default::default(); layers], holders: vec![], free: vec![] }
    }

    /// Slots in use.
    pub fn used(&self) -> usize {
        self.holders.len() - self.free.len()
    }

    /// A slot for a new token, held once.
    pub fn take(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.holders[slot as usize] = 1;
            return slot;
        }
        self.holders.push(1);
        let numbers = self.holders.len() * self.sizes.kv_width();
        for part in self.layers.iter_mut().flatten() {
            part.resize(numbers, 0.0);
        }
        self.holders.len() as u32 - 1
    }

    pub fn hold(&mut self, slots: &[u32]) {
        for &slot in slots {
            self.holders[slot as usize] += 1;
        }
    }

    pub fn release(&mut self, slots: &[u32]) {
        // The last token's slot first, so that a new token takes the oldest again and neighbours stay neighbours.
        for &slot in slots.iter().rev() {
            let holders = &mut self.holders[slot as usize];
            *holders -= 1;
            if *holders == 0 {
                self.free.push(slot);
            }
        }
    }

    /// Stores keys and values of the new tokens, rotated, in the last `seq` slots of each row. `qkv` is `[row, seq, reader, d_head]`, one after another.
    pub fn store(&mut self, layer: usize, rows: &[Vec<u32>], seq: usize, qkv: &[f32], angles: Option<&Angles>) {
        let Sizes { heads, kv_heads, d_head } = self.sizes;
        let (width, token) = (self.sizes.kv_width(), (heads + 2 * kv_heads) * d_head);
        let [keys, values] = &mut self.layers[layer];
        let slots = rows.iter().flat_map(|row| row[row.len() - seq..].iter().enumerate());
        for (qkv, (i, &slot)) in qkv.chunks_exact(token).zip(slots) {
            let at = slot as usize * width;
            let key = &mut keys[at..at + width];
            key.copy_from_slice(&qkv[heads * d_head..][..width]);
            if let Some(angles) = angles {
                key.chunks_exact_mut(d_head).for_each(|key| turn(key, angles.row(i, d_head), 1.0));
            }
            values[at..at + width].copy_from_slice(&qkv[heads * d_head + width..][..width]);
        }
    }

    /// Head outputs of the new tokens, `[row, seq, head, d_head]`; their keys and values are stored already.
    pub fn attend(&self, layer: usize, rows: &[Vec<u32>], seq: usize, qkv: &Host, angles: Option<&Angles>) -> Vec<f32> {
        let Sizes { heads, kv_heads, d_head } = self.sizes;
        let (group, token) = (self.sizes.group(), (heads + 2 * kv_heads) * d_head);
        let qkv = qkv.values();
        let mut out = vec![0.0; rows.len() * seq * heads * d_head];
        let tasks = out.chunks_exact_mut(group * d_head).collect();
        for_each_task(tasks, |task, z: &mut [f32]| {
            let (new, kv_head) = (task / kv_heads, task % kv_heads);
            let (row, i) = (&rows[new / seq], new % seq);
            let slots = &row[..=row.len() - seq + i];
            let queries = &qkv[new * token + kv_head * group * d_head..][..group * d_head];
            let angles = angles.map(|angles| angles.row(i, d_head));
            let [keys, values] = &self.layers[layer];
            let at = [kv_head * d_head, self.sizes.kv_width()];
            pulp::Arch::new().dispatch(Query { queries, angles, slots, keys, values, at, d_head, z });
        });
        out
    }
}

/// The queries of one token that share a key/value head.
struct Query<'a> {
    queries: &'a [f32],
    angles: Option<[&'a [f32]; 2]>,
    slots: &'a [u32],
    keys: &'a [f32],
    values: &'a [f32],
    /// Where the head begins within a slot, and the numbers of a slot.
    at: [usize; 2],
    d_head: usize,
    z: &'a mut [f32],
}

impl pulp::WithSimd for Query<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { queries, angles, slots, keys, values, at: [head, slot_width], d_head, z } = self;
        let mut queries = queries.to_vec();
        let scale = (d_head as f32).powf(-0.5);
        let n = slots.len();
        for query in queries.chunks_exact_mut(d_head) {
            for x in query.iter_mut() {
                *x *= scale;
            }
            if let Some(angles) = angles {
                turn(query, angles, 1.0);
            }
        }
        let mut scores = vec![0.0; queries.len() / d_head * n];
        for (i, &slot) in slots.iter().enumerate() {
            let key = &keys[slot as usize * slot_width + head..][..d_head];
            for (j, query) in queries.chunks_exact(d_head).enumerate() {
                scores[j * n + i] = dot(query, key);
            }
        }
        for row in scores.chunks_exact_mut(n) {
            softmax(row);
        }
        for (i, &slot) in slots.iter().enumerate() {
            let value = &values[slot as usize * slot_width + head..][..d_head];
            for (j, z) in z.chunks_exact_mut(d_head).enumerate() {
                let share = scores[j * n + i];
                z.iter_mut().zip(value).for_each(|(z, v)| *z += share * v);
            }
        }
    }
}

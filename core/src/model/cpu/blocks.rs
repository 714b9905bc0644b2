//! Products of few rows with weights that stay in the file's blocks.
//!
//! **Why.** A decoded token meets each weight once, so what it costs is reading them. Four-bit blocks are a sixth of the single-precision numbers they stand for.
//!
//! **Method.** A block is 32 inputs of one output: small integers q with a scale d, and in some types an offset m; its numbers are `d q + m`. Sixteen outputs make a panel: their
//! bytes are laid side by side, so that one vector holds the same inputs of all sixteen; no bit changes. The inputs are rounded to `x ~ e c` with whole c of 16 bits,
//! one scale e for 32 of them: with 8 bits, as is usual, greedy decoding soon takes another token at a near tie. A block then adds `d e sum(q c) + m e sum(c)`, and the sums are exact in integers. Sums over blocks are single precision, in order of depth and
//! without fused operations, so neither threads nor the instruction set show in the result.
//!
//! **Source.** The blocks `Q4_0`, `Q4_1` and `Q8_0` of ggml.

use half::f16;

use super::for_each_task;

#[cfg(all(feature = "native-cpu", target_arch = "x86_64"))]
mod avx512;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use portable::{bytes, halves};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use wasm::{bytes, halves};

/// Inputs that share a scale.
pub const BLOCK: usize = 32;
/// Outputs that lie side by side.
const PANEL: usize = 16;
/// Most rows on the left for which this pays: with more, single precision reads its weights often enough.
pub const FEW: usize = 16;
/// Rows on the left that one reading of a panel serves.
const TOGETHER: usize = 4;

/// How a block holds its integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `q - 8` in half bytes, no offset.
    Q4_0,
    /// q in half bytes, with an offset.
    Q4_1,
    /// Signed bytes, no offset.
    Q8_0,
}

impl Kind {
    /// The kind of this name in a file, where it has a kernel.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Q4_0" => Self::Q4_0,
            "Q4_1" => Self::Q4_1,
            "Q8_0" => Self::Q8_0,
            _ => return None,
        })
    }

    /// Bytes of the scales before the integers.
    fn head(self) -> usize {
        if self == Self::Q4_1 { 4 } else { 2 }
    }

    /// Bytes of the integers.
    fn codes(self) -> usize {
        if self == Self::Q8_0 { 32 } else { 16 }
    }

    /// Bytes of one block in the file.
    pub fn bytes(self) -> usize {
        self.head() + self.codes()
    }
}

/// The two inputs of a block that are multiplied and added at once, in the order in which half bytes of 16-bit words come: low and high half of the even bytes, then of the odd ones.
const PAIRS: [[usize; 2]; BLOCK / 2] = {
    let mut pairs = [[0; 2]; BLOCK / 2];
    let mut i = 0;
    while i < 16 {
        let first = i / 4 * 4 + i % 2 * 16 + i % 4 / 2;
        pairs[i] = [first, first + 2];
        i += 1;
    }
    pairs
};

/// A matrix `[d_in, d_out]`, stored by output.
#[derive(Debug, Clone)]
struct Part {
    kind: Kind,
    d_out: usize,
    /// `[panel][block][unit][output of the panel][byte]`: a unit is four bytes of half bytes as in the file, or the two whole bytes of a pair.
    codes: Vec<u8>,
    /// `[panel][block][output]`.
    scales: Vec<f32>,
    /// As the scales; empty without offsets.
    offsets: Vec<f32>,
}

/// Matrices over the same inputs, side by side: `[d_in, d_out]`.
#[derive(Debug, Clone)]
pub struct Blocks {
    d_in: usize,
    d_out: usize,
    parts: Vec<Part>,
}

impl Blocks {
    /// No outputs yet; `None` where inputs are no whole number of blocks.
    pub fn new(d_in: usize) -> Option<Self> {
        (d_in > 0 && d_in.is_multiple_of(BLOCK)).then_some(Self { d_in, d_out: 0, parts: vec![] })
    }

    /// Outputs.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Adds outputs from a file's blocks, `[d_out][d_in / 32]` of them; output i takes the row `order(i)`. `None` where the bytes are of another length.
    pub fn push(&mut self, kind: Kind, d_out: usize, bytes: &[u8], order: impl Fn(usize) -> usize) -> Option<()> {
        let depth = self.d_in / BLOCK;
        let row = depth * kind.bytes();
        if Some(bytes.len()) != row.checked_mul(d_out) {
            return None;
        }
        let panels = d_out.div_ceil(PANEL);
        let mut part = Part {
            kind,
            d_out,
            codes: vec![0; panels * depth * PANEL * kind.codes()],
            scales: vec![0.0; panels * depth * PANEL],
            offsets: vec![0.0; if kind == Kind::Q8_0 { 0 } else { panels * depth * PANEL }],
        };
        let half = |bytes: &[u8], at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32();
        for output in 0..d_out {
            let (panel, lane) = (output / PANEL, output % PANEL);
            let blocks = bytes.get(order(output) * row..)?.get(..row)?;
            for (b, block) in blocks.chunks_exact(kind.bytes()).enumerate() {
                let at = (panel * depth + b) * PANEL;
                let scale = half(block, 0);
                part.scales[at + lane] = scale;
                match kind {
                    Kind::Q4_0 => part.offsets[at + lane] = -8.0 * scale,
                    Kind::Q4_1 => part.offsets[at + lane] = half(block, 2),
                    Kind::Q8_0 => {}
                }
                let (from, to) = (&block[kind.head()..], &mut part.codes[at * kind.codes()..][..PANEL * kind.codes()]);
                if kind == Kind::Q8_0 {
                    for (u, [first, second]) in PAIRS.into_iter().enumerate() {
                        to[(u * PANEL + lane) * 2..][..2].copy_from_slice(&[from[first], from[second]]);
                    }
                } else {
                    for (u, from) in from.chunks_exact(4).enumerate() {
                        to[(u * PANEL + lane) * 4..][..4].copy_from_slice(from);
                    }
                }
            }
        }
        self.d_out += d_out;
        self.parts.push(part);
        Some(())
    }

    /// `x` `[rows, d_in]` times the matrix, `[rows, d_out]`, each row beginning from `bias` `[d_out]`.
    pub fn apply(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let rows = x.len() / self.d_in;
        let rounded: Vec<Rounded> = x.chunks_exact(self.d_in).map(Rounded::new).collect();
        let mut out = vec![0.0; rows * self.d_out];
        // A task is some panels of one part, for all rows.
        let mut tasks: Vec<(&Part, usize, Vec<&mut [f32]>)> = vec![];
        let most = self.d_out.div_ceil(4 * super::threads()).next_multiple_of(PANEL).max(4 * PANEL);
        for row in out.chunks_exact_mut(self.d_out) {
            let (mut rest, mut task) = (row, 0);
            for part in &self.parts {
                let (own, after) = rest.split_at_mut(part.d_out);
                rest = after;
                for (i, piece) in own.chunks_mut(most).enumerate() {
                    if task == tasks.len() {
                        tasks.push((part, i * most / PANEL, Vec::with_capacity(rows)));
                    }
                    tasks[task].2.push(piece);
                    task += 1;
                }
            }
        }
        let depth = self.d_in / BLOCK;
        for_each_task(tasks, |_, (part, panel, mut out)| {
            for (out, x) in out.chunks_mut(TOGETHER).zip(rounded.chunks(TOGETHER)) {
                part.product(depth, panel, x, out);
            }
        });
        if let Some(bias) = bias {
            out.chunks_exact_mut(self.d_out).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, b)| *y += b));
        }
        out
    }
}

/// Inputs rounded to whole numbers, a scale for each block.
struct Rounded {
    /// Of each block, in the order of [`PAIRS`].
    pairs: Vec<[[i16; 2]; BLOCK / 2]>,
    scales: Vec<f32>,
    /// The scale times the sum of the block's whole numbers.
    sums: Vec<f32>,
}

impl Rounded {
    fn new(x: &[f32]) -> Self {
        let n = x.len() / BLOCK;
        let mut rounded = Self { pairs: Vec::with_capacity(n), scales: Vec::with_capacity(n), sums: Vec::with_capacity(n) };
        for block in x.as_chunks::<BLOCK>().0 {
            let largest = block.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            let scale = largest / f32::from(i16::MAX);
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            // Adding 1.5 * 2^23 leaves no room for a fraction: rounds to even without a call.
            let codes = block.map(|x| (x * inverse + 12_582_912.0 - 12_582_912.0) as i16);
            rounded.pairs.push(PAIRS.map(|pair| pair.map(|i| codes[i])));
            rounded.scales.push(scale);
            rounded.sums.push(scale * codes.iter().map(|&c| i32::from(c)).sum::<i32>() as f32);
        }
        rounded
    }
}

impl Part {
    /// Outputs from panel `first` on, for at most [`TOGETHER`] rows; `out` holds each row's piece.
    fn product(&self, depth: usize, first: usize, x: &[Rounded], out: &mut [&mut [f32]]) {
        let width = out.first().map_or(0, |row| row.len());
        for (i, at) in (0..width).step_by(PANEL).enumerate() {
            let sums = match x {
                [a] => self.panel([a], depth, first + i).to_vec(),
                [a, b] => self.panel([a, b], depth, first + i).to_vec(),
                [a, b, c] => self.panel([a, b, c], depth, first + i).to_vec(),
                [a, b, c, d] => self.panel([a, b, c, d], depth, first + i).to_vec(),
                _ => return,
            };
            for (row, sums) in out.iter_mut().zip(sums) {
                let end = (at + PANEL).min(width);
                row[at..end].copy_from_slice(&sums[..end - at]);
            }
        }
    }

    /// The sums of one panel for R rows.
    fn panel<const R: usize>(&self, x: [&Rounded; R], depth: usize, panel: usize) -> [[f32; PANEL]; R] {
        let from = panel * depth;
        let read = Panel {
            codes: &self.codes[from * PANEL * self.kind.codes()..][..depth * PANEL * self.kind.codes()],
            scales: self.scales[from * PANEL..][..depth * PANEL].as_chunks().0,
            offsets: self.offsets.get(from * PANEL..).unwrap_or_default().as_chunks().0,
        };
        #[cfg(all(feature = "native-cpu", target_arch = "x86_64"))]
        if let Some(simd) = pulp::x86::V4::try_new() {
            return if self.kind == Kind::Q8_0 { avx512::bytes(simd, read, x) } else { avx512::halves(simd, read, x) };
        }
        if self.kind == Kind::Q8_0 { bytes(read, x) } else { halves(read, x) }
    }
}

/// One panel's memory.
#[derive(Clone, Copy)]
struct Panel<'a> {
    codes: &'a [u8],
    scales: &'a [[f32; PANEL]],
    offsets: &'a [[f32; PANEL]],
}

#[cfg(test)]
mod tests;

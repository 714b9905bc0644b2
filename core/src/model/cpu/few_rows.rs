//! Products with few rows on the left: what decoding consists of.
//!
//! **Why.** One row meets each weight once, so reading the weights from memory is the work. Packing them into panels first, as the general product does, reads, writes and reads again.
//!
//! **Method.** Where the rows of B lie in one piece, eight of them are added to all rows of the result in one pass, and a block of depth is summed apart before it is added: the
//! same chain of sums as in the general product, bit for bit. Where its columns lie in one piece (a transpose), each number is a dot product in fixed lanes.

use super::{
    matmul::{Start, View, begin, depth_of_blocks},
    rows::dot,
};

/// Most rows on the left.
pub const FEW: usize = 16;
/// Rows of B taken in one pass.
const PASS: usize = 8;

/// Whether [`product`] reads these operands, of which the left has at most [`FEW`] rows.
pub fn fits(k: usize, a: View<'_>, b: View<'_>) -> bool {
    k > 0 && (b.strides[1] == 1 || (b.strides[0] == 1 && a.strides[1] == 1))
}

/// `out = start + a b` for the few rows of `out`; `sums` is scratch memory.
#[inline(always)]
pub fn product<S: pulp::Simd>(simd: S, k: usize, a: View<'_>, b: View<'_>, start: Start<'_>, rows: &mut [&mut [f32]], sums: &mut Vec<f32>) {
    if b.strides[1] == 1 {
        by_rows(simd, k, a, b, start, rows, sums);
    } else {
        by_columns(k, a, b, start, rows);
    }
}

#[inline(always)]
fn by_columns(k: usize, a: View<'_>, b: View<'_>, start: Start<'_>, rows: &mut [&mut [f32]]) {
    let n = rows[0].len();
    for row in rows.iter_mut() {
        begin(row, start);
    }
    for j in 0..n {
        let column = &b.data[j * b.strides[1]..][..k];
        for (i, row) in rows.iter_mut().enumerate() {
            row[j] += dot(&a.data[i * a.strides[0]..][..k], column);
        }
    }
}

#[inline(always)]
fn by_rows<S: pulp::Simd>(simd: S, k: usize, a: View<'_>, b: View<'_>, start: Start<'_>, rows: &mut [&mut [f32]], sums: &mut Vec<f32>) {
    let n = rows[0].len();
    let depth = depth_of_blocks(k);
    for at in (0..k).step_by(depth) {
        sums.clear();
        sums.resize(rows.len() * n, 0.0);
        let end = (at + depth).min(k);
        for from in (at..end).step_by(PASS) {
            let here = PASS.min(end - from);
            let b: [&[f32]; PASS] = std::array::from_fn(|t| &b.data[(from + t.min(here - 1)) * b.strides[0]..][..n]);
            for (i, sums) in sums.chunks_exact_mut(n).enumerate() {
                let a: [f32; PASS] = std::array::from_fn(|t| a.data[i * a.strides[0] + (from + t.min(here - 1)) * a.strides[1]]);
                if here == PASS {
                    pass(simd, a, b, sums);
                } else {
                    for t in 0..here {
                        one(simd, a[t], b[t], sums);
                    }
                }
            }
        }
        let start = if at == 0 { start } else { Start::Keep };
        for (row, sums) in rows.iter_mut().zip(sums.chunks_exact(n)) {
            match start {
                Start::Zero => row.copy_from_slice(sums),
                Start::Row(bias) => row.iter_mut().zip(sums).zip(bias).for_each(|((o, s), b)| *o = s + b),
                Start::Keep => row.iter_mut().zip(sums).for_each(|(o, s)| *o += s),
            }
        }
    }
}

/// Adds `PASS` rows of B, each with its factor, in their order.
#[inline(always)]
fn pass<S: pulp::Simd>(simd: S, a: [f32; PASS], b: [&[f32]; PASS], sums: &mut [f32]) {
    let factors = a.map(|x| simd.splat_f32s(x));
    let whole = sums.len() / S::F32_LANES;
    let (head, tail) = S::as_mut_simd_f32s(sums);
    let vectors: [&[S::f32s]; PASS] = b.map(|row| &S::as_simd_f32s(row).0[..whole]);
    for (j, sum) in head.iter_mut().enumerate() {
        let mut x = *sum;
        for t in 0..PASS {
            x = simd.mul_add_e_f32s(factors[t], vectors[t][j], x);
        }
        *sum = x;
    }
    let done = whole * S::F32_LANES;
    for t in 0..PASS {
        last(simd, a[t], &b[t][done..], tail);
    }
}

/// Adds one row of B.
#[inline(always)]
fn one<S: pulp::Simd>(simd: S, a: f32, b: &[f32], sums: &mut [f32]) {
    let factor = simd.splat_f32s(a);
    let (vectors, rest) = S::as_simd_f32s(b);
    let (head, tail) = S::as_mut_simd_f32s(sums);
    for (sum, b) in head.iter_mut().zip(vectors) {
        *sum = simd.mul_add_e_f32s(factor, *b, *sum);
    }
    last(simd, a, rest, tail);
}

/// The numbers that fill no vector, rounded as the others are.
#[inline(always)]
fn last<S: pulp::Simd>(simd: S, a: f32, b: &[f32], sums: &mut [f32]) {
    for (sum, &b) in sums.iter_mut().zip(b) {
        let vector = simd.mul_add_e_f32s(simd.splat_f32s(a), simd.splat_f32s(b), simd.splat_f32s(*sum));
        let mut lanes = [0.0; 64];
        let n = S::F32_LANES;
        S::as_mut_simd_f32s(&mut lanes[..n]).0[0] = vector;
        *sum = lanes[0];
    }
}

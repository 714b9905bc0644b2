//! The disentangled stream's store on the CPU, and its three products.
//!
//! **Why.** Few rows (the 16-odd readers of a layer) times hundreds of stored rows of some hundred thousand numbers: general matrix kernels reach a quarter of the arithmetic peak, because
//! each stored row starts on another page and each value is used only 16 times. Here the store is kept *tile-major*: of every [`TILE`] columns all rows
//! lie one after another, so a product streams through memory once, in order, while the 16 output rows of the tile stay in the first-level cache.
//!
//! **Products.** [`TiledRows::mix`] `out += weights x rows`, [`TiledRows::dots`] `out = rows x other^T`. Sums run in a fixed order, whatever the thread count.

use super::for_each_task;

/// Columns of a tile: 16 output rows of it fill the first-level cache.
const TILE: usize = 512;
/// Stored rows taken at a time in [`TiledRows::mix`].
const DEPTH: usize = 4;

/// Rows of equal length, tile-major: tile `t` holds columns `t * TILE ..` of every row; the last tile is padded with zeros.
#[derive(Debug, Default)]
pub struct TiledRows {
    data: Vec<f32>,
    rows: usize,
    width: usize,
}

impl TiledRows {
    /// Whether this store has the given shape, so that it can be used again.
    pub fn fits(&self, rows: usize, width: usize) -> bool {
        (self.rows, self.width) == (rows, width)
    }

    /// Zeros of the given shape.
    pub fn zeros(rows: usize, width: usize) -> Self {
        Self { data: vec![0.0; rows * width.div_ceil(TILE) * TILE], rows, width }
    }

    fn tile_len(&self) -> usize {
        self.rows * TILE
    }

    /// Writes rows (row-major, each of the store's width) from row `at`.
    pub fn put(&mut self, at: usize, values: &[f32]) {
        let (width, tile_len) = (self.width, self.tile_len());
        let n = values.len() / width.max(1);
        for_each_task(self.data.chunks_mut(tile_len.max(1)).collect(), |tile, data| {
            let from = tile * TILE;
            let len = TILE.min(width - from);
            for i in 0..n {
                data[(at + i) * TILE..][..len].copy_from_slice(&values[i * width + from..][..len]);
            }
        });
    }

    /// `base + weights x rows[first..first + columns]`, `[n, width]` row-major; `weights` is `[n, columns]`, `base` one row for all outputs.
    pub fn mix(&self, weights: &[f32], first: usize, columns: usize, base: Option<&[f32]>) -> Vec<f32> {
        let n = weights.len().checked_div(columns).unwrap_or(0);
        let mut out = Vec::with_capacity(n * self.width);
        for _ in 0..n {
            match base {
                Some(base) => out.extend_from_slice(base),
                None => out.resize(out.len() + self.width, 0.0),
            }
        }
        let mut tiles: Vec<Vec<&mut [f32]>> = (0..self.width.div_ceil(TILE)).map(|_| Vec::with_capacity(n)).collect();
        for row in out.chunks_exact_mut(self.width.max(1)) {
            for (tile, part) in tiles.iter_mut().zip(row.chunks_mut(TILE)) {
                tile.push(part);
            }
        }
        // Rows that no output wants are not read: with sparse masks that is most of them.
        let active: Vec<usize> = (0..columns).filter(|c| weights.iter().skip(*c).step_by(columns).any(|&w| w != 0.0)).collect();
        let task = |tile: usize, outs: Vec<&mut [f32]>| {
            let rows = &self.data[tile * self.tile_len() + first * TILE..][..columns * TILE];
            pulp::Arch::new().dispatch(Mix { outs, rows, weights, columns, active: &active });
        };
        for_each_task(tiles, task);
        out
    }

    /// Inner products of the first `columns` stored rows with `other` (row-major, the store's width): `[other rows, columns]`.
    pub fn dots(&self, other: &[f32], columns: usize) -> Vec<f32> {
        let n = other.len() / self.width.max(1);
        let tiles = self.width.div_ceil(TILE);
        // A fixed number of partial sums, added in order: the same bits for any thread count.
        let groups = tiles.min(16);
        let mut partial = vec![0.0_f32; groups * n * columns];
        for_each_task(partial.chunks_mut((n * columns).max(1)).collect(), |group, sums| {
            let mut packed = vec![0.0_f32; n * TILE];
            for tile in (tiles * group / groups)..(tiles * (group + 1) / groups) {
                let from = tile * TILE;
                let len = TILE.min(self.width - from);
                for i in 0..n {
                    let row = &mut packed[i * TILE..(i + 1) * TILE];
                    row[..len].copy_from_slice(&other[i * self.width + from..][..len]);
                    row[len..].fill(0.0);
                }
                let rows = &self.data[tile * self.tile_len()..][..columns * TILE];
                pulp::Arch::new().dispatch(Dots { sums, rows, packed: &packed, n, columns });
            }
        });
        let (first, rest) = partial.split_at_mut(n * columns);
        for group in rest.chunks_exact((n * columns).max(1)) {
            first.iter_mut().zip(group).for_each(|(a, b)| *a += b);
        }
        partial.truncate(n * columns);
        partial
    }
}

/// One tile of [`TiledRows::mix`].
struct Mix<'a> {
    outs: Vec<&'a mut [f32]>,
    /// `[columns, TILE]`.
    rows: &'a [f32],
    /// `[outs, columns]`.
    weights: &'a [f32],
    columns: usize,
    /// Columns with a weight that is not 0.
    active: &'a [usize],
}

impl pulp::WithSimd for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Mix { mut outs, rows, weights, columns, active } = self;
        let row = |c: usize| &rows[c * TILE..(c + 1) * TILE];
        let (groups, rest) = active.as_chunks::<DEPTH>();
        for &group in groups {
            let x = group.map(row);
            let weights_of = |i: usize| group.map(|c| weights[i * columns + c]);
            for (pair, outs) in outs.chunks_mut(2).enumerate() {
                match outs {
                    [a, b] => accumulate2(simd, a, b, x, weights_of(2 * pair), weights_of(2 * pair + 1)),
                    [a] => accumulate1(simd, a, x, weights_of(2 * pair)),
                    _ => {}
                }
            }
        }
        for &column in rest {
            for (i, out) in outs.iter_mut().enumerate() {
                let w = weights[i * columns + column];
                out.iter_mut().zip(row(column)).for_each(|(o, x)| *o += w * x);
            }
        }
    }
}

/// `a += wa . x`, `b += wb . x` for [`DEPTH`] rows `x` at once.
#[inline(always)]
fn accumulate2<S: pulp::Simd>(simd: S, a: &mut [f32], b: &mut [f32], x: [&[f32]; DEPTH], wa: [f32; DEPTH], wb: [f32; DEPTH]) {
    let len = a.len();
    let (va, vb) = (wa.map(|w| simd.splat_f32s(w)), wb.map(|w| simd.splat_f32s(w)));
    let [(x0, _), (x1, _), (x2, _), (x3, _)] = x.map(|x| S::as_simd_f32s(&x[..len]));
    let (a_body, a_tail) = S::as_mut_simd_f32s(a);
    let (b_body, b_tail) = S::as_mut_simd_f32s(b);
    for (((((a, b), &x0), &x1), &x2), &x3) in a_body.iter_mut().zip(b_body).zip(x0).zip(x1).zip(x2).zip(x3) {
        let (mut s, mut t) = (*a, *b);
        s = simd.mul_add_e_f32s(va[0], x0, s);
        t = simd.mul_add_e_f32s(vb[0], x0, t);
        s = simd.mul_add_e_f32s(va[1], x1, s);
        t = simd.mul_add_e_f32s(vb[1], x1, t);
        s = simd.mul_add_e_f32s(va[2], x2, s);
        t = simd.mul_add_e_f32s(vb[2], x2, t);
        s = simd.mul_add_e_f32s(va[3], x3, s);
        t = simd.mul_add_e_f32s(vb[3], x3, t);
        (*a, *b) = (s, t);
    }
    tail(a_tail, x, wa, len);
    tail(b_tail, x, wb, len);
}

/// `a += wa . x`.
#[inline(always)]
fn accumulate1<S: pulp::Simd>(simd: S, a: &mut [f32], x: [&[f32]; DEPTH], wa: [f32; DEPTH]) {
    let len = a.len();
    let va = wa.map(|w| simd.splat_f32s(w));
    let [(x0, _), (x1, _), (x2, _), (x3, _)] = x.map(|x| S::as_simd_f32s(&x[..len]));
    let (body, a_tail) = S::as_mut_simd_f32s(a);
    for ((((a, &x0), &x1), &x2), &x3) in body.iter_mut().zip(x0).zip(x1).zip(x2).zip(x3) {
        let s = simd.mul_add_e_f32s(va[1], x1, simd.mul_add_e_f32s(va[0], x0, *a));
        *a = simd.mul_add_e_f32s(va[3], x3, simd.mul_add_e_f32s(va[2], x2, s));
    }
    tail(a_tail, x, wa, len);
}

/// The last numbers of a short tile: those that fill no register.
#[inline(always)]
fn tail(out: &mut [f32], x: [&[f32]; DEPTH], w: [f32; DEPTH], len: usize) {
    let from = len - out.len();
    for (x, w) in x.iter().zip(w) {
        out.iter_mut().zip(&x[from..]).for_each(|(o, x)| *o += w * x);
    }
}

/// One tile of [`TiledRows::dots`].
struct Dots<'a> {
    /// `[n, columns]`.
    sums: &'a mut [f32],
    /// `[columns, TILE]`.
    rows: &'a [f32],
    /// `[n, TILE]`.
    packed: &'a [f32],
    n: usize,
    columns: usize,
}

impl pulp::WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Dots { sums, rows, packed, n, columns } = self;
        let stored = |c: usize| S::as_simd_f32s(&rows[c * TILE..(c + 1) * TILE]).0;
        let other = |i: usize| S::as_simd_f32s(&packed[i * TILE..(i + 1) * TILE]).0;
        let (whole_columns, whole_n) = (columns / 4 * 4, n / 2 * 2);
        for c in (0..whole_columns).step_by(4) {
            let (a0, a1, a2, a3) = (stored(c), stored(c + 1), stored(c + 2), stored(c + 3));
            for i in (0..whole_n).step_by(2) {
                let zero = simd.splat_f32s(0.0);
                let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
                let (mut t0, mut t1, mut t2, mut t3) = (zero, zero, zero, zero);
                for (((((&a0, &a1), &a2), &a3), &b), &d) in a0.iter().zip(a1).zip(a2).zip(a3).zip(other(i)).zip(other(i + 1)) {
                    s0 = simd.mul_add_e_f32s(a0, b, s0);
                    s1 = simd.mul_add_e_f32s(a1, b, s1);
                    s2 = simd.mul_add_e_f32s(a2, b, s2);
                    s3 = simd.mul_add_e_f32s(a3, b, s3);
                    t0 = simd.mul_add_e_f32s(a0, d, t0);
                    t1 = simd.mul_add_e_f32s(a1, d, t1);
                    t2 = simd.mul_add_e_f32s(a2, d, t2);
                    t3 = simd.mul_add_e_f32s(a3, d, t3);
                }
                for (p, (s, t)) in [(s0, t0), (s1, t1), (s2, t2), (s3, t3)].into_iter().enumerate() {
                    sums[i * columns + c + p] += simd.reduce_sum_f32s(s);
                    sums[(i + 1) * columns + c + p] += simd.reduce_sum_f32s(t);
                }
            }
        }
        let one = |c: usize, i: usize| {
            let sum = stored(c).iter().zip(other(i)).fold(simd.splat_f32s(0.0), |sum, (&a, &b)| simd.mul_add_e_f32s(a, b, sum));
            simd.reduce_sum_f32s(sum)
        };
        for i in 0..n {
            let from = if i < whole_n { whole_columns } else { 0 };
            for c in from..columns {
                sums[i * columns + c] += one(c, i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::rng::Stream;

    #[test]
    fn products_agree_with_double_precision_for_odd_shapes() {
        for (n, columns, first, width) in [(1, 1, 0, 1), (4, 3, 2, 64), (5, 17, 1, 700), (16, 33, 0, 1100), (9, 8, 3, 513), (3, 0, 0, 10)] {
            let mut random = Stream::new(1, "tiles", (n * columns * width) as u64);
            let mut numbers = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<f32>>();
            let rows = first + columns;
            let (weights, stored, base, other) = (numbers(n * columns), numbers(rows * width), numbers(width), numbers(n * width));
            let mut tiled = TiledRows::zeros(rows, width);
            tiled.put(0, &stored[..first * width]);
            tiled.put(first, &stored[first * width..]);
            let mixed = tiled.mix(&weights, first, columns, Some(&base));
            for (k, &found) in mixed.iter().enumerate() {
                let (i, j) = (k / width, k % width);
                let sum: f64 = (0..columns).map(|c| f64::from(weights[i * columns + c]) * f64::from(stored[(first + c) * width + j])).sum();
                assert!((f64::from(found) - f64::from(base[j]) - sum).abs() < 1e-4, "mix {n} {columns} {width}: {i} {j}");
            }
            let dots = tiled.dots(&other, rows);
            for i in 0..n {
                for r in 0..rows {
                    let expected: f64 = (0..width).map(|j| f64::from(stored[r * width + j]) * f64::from(other[i * width + j])).sum();
                    assert!((f64::from(dots[i * rows + r]) - expected).abs() < 1e-3, "dots {n} {rows} {width}: {i} {r}");
                }
            }
        }
    }
}

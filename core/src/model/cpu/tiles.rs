//! The disentangled stream's store on the CPU, and its products.
//!
//! **Why.** Some ten rows of results from hundreds of stored rows of some hundred thousand numbers: general matrix kernels reach a quarter of the arithmetic peak here, because
//! each stored row starts on another page. The store is kept *tile-major* instead: of every [`TILE`] columns all rows lie one after another, so a product streams
//! through memory once, in order.
//!
//! **Products.** [`TiledRows::mix`] (`out += weights x rows`) and [`TiledRows::dots`] (`rows x other^T`) keep a block of results in registers while the tile, which fits the
//! second-level cache, goes by: at most a load for every second multiplication. What is left is the memory's speed, so callers ask for many rows of results at once.
//! Sums run in a fixed order, whatever the thread count.

use std::ops::Range;

use pulp::Simd;

use super::{
    for_each_task,
    matmul::{Start, View, product_rows},
    rows::RowKernel,
};

/// Columns of a tile: 300 rows of it fit the second-level cache.
const TILE: usize = 64;
/// Columns of a task of [`TiledRows::mix`], and columns over which [`TiledRows::dots`] sums in registers: a whole number of tiles.
const SPAN: usize = 512;

/// Whether rows of `width` numbers, one after another, fill whole tiles.
pub fn whole_tiles(width: usize) -> bool {
    width > 0 && width.is_multiple_of(TILE)
}

/// Rows of equal length, tile-major: tile `t` holds columns `t * TILE ..` of every row; the last tile is padded with zeros.
#[derive(Debug, Default)]
pub struct TiledRows {
    data: Vec<f32>,
    rows: usize,
    width: usize,
}

/// A row of results of [`TiledRows::mix`].
#[derive(Debug)]
pub struct MixedRow<'a> {
    /// As long as the store is wide.
    pub values: &'a mut [f32],
    /// Adds to what `values` holds; else overwrites it.
    pub add: bool,
    /// Added too.
    pub base: Option<&'a [f32]>,
}

/// Some rows of results that are computed together, with their weights.
struct Chunk {
    /// Which results.
    first: usize,
    n: usize,
    /// Stored rows that any of them wants: with sparse masks few are read.
    active: Vec<usize>,
    /// `[active, n]`.
    weights: Vec<f32>,
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

    /// How many rows there is room for.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn tile_len(&self) -> usize {
        (self.rows * TILE).max(1)
    }

    /// Writes rows (row-major, each of the store's width) from row `at`.
    pub fn put(&mut self, at: usize, values: &[f32]) {
        let (width, tile_len) = (self.width, self.tile_len());
        let n = values.len() / width.max(1);
        for_each_task(self.data.chunks_mut(tile_len * (SPAN / TILE)).collect(), |span, data| {
            for (tile, data) in data.chunks_mut(tile_len).enumerate() {
                let from = span * SPAN + tile * TILE;
                let len = TILE.min(width - from);
                for i in 0..n {
                    data[(at + i) * TILE..][..len].copy_from_slice(&values[i * width + from..][..len]);
                }
            }
        });
    }

    /// Writes `start + a b` of as many entries as `entries` says, `a` `[m, k]` and `b` `[k, n]`, each a row of `m * n` numbers, from row `at`: products go to their tiles without a pass in
    /// between. Only where `n` is a whole number of tiles ([`whole_tiles`]).
    pub fn put_products<'a>(
        &mut self,
        at: usize,
        entries: usize,
        [m, k, n]: [usize; 3],
        operands: impl Fn(usize) -> [View<'a>; 2] + Sync,
        start: Start<'_>,
    ) {
        let (blocks, tile_len) = (n / TILE, self.tile_len());
        let mut tasks: Vec<Vec<&mut [f32]>> = (0..entries * blocks).map(|_| Vec::with_capacity(m)).collect();
        for (tile, data) in self.data.chunks_mut(tile_len).enumerate() {
            for (entry, row) in data[at * TILE..(at + entries) * TILE].chunks_exact_mut(TILE).enumerate() {
                tasks[entry * blocks + tile % blocks].push(row);
            }
        }
        for_each_task(tasks, |task, mut rows| {
            let ([a, b], column) = (operands(task / blocks), task % blocks * TILE);
            product_rows(k, a, b.from(0, column), start.from(column), &mut rows);
        });
    }

    /// Writes what `kernel` makes of `values`' rows of `piece` numbers, several of which are one row here, from row `at`. Only where `piece` is a whole number of tiles.
    pub(super) fn put_made(&mut self, at: usize, values: &[f32], piece: usize, kernel: &impl RowKernel) {
        let (pieces, tile_len) = (self.width / piece, self.tile_len());
        for_each_task(self.data.chunks_mut(tile_len * (piece / TILE)).collect(), |number, data| {
            pulp::Arch::new().dispatch(Made { values, piece, number, pieces, kernel, data, tile_len, at });
        });
    }

    /// `outs[i] (+)= base + sum_c weight(i, c) rows[first + c]` for `columns` stored rows from `first`.
    pub fn mix(&self, weight: impl Fn(usize, usize) -> f32, first: usize, columns: usize, outs: Vec<MixedRow<'_>>) {
        let chunks = chunks(outs.len(), columns, weight);
        let mut spans: Vec<Vec<MixedRow<'_>>> = (0..self.width.div_ceil(SPAN)).map(|_| Vec::with_capacity(outs.len())).collect();
        for out in outs {
            for (i, (span, values)) in spans.iter_mut().zip(out.values.chunks_mut(SPAN)).enumerate() {
                let base = out.base.map(|base| &base[i * SPAN..][..values.len()]);
                span.push(MixedRow { values, add: out.add, base });
            }
        }
        for_each_task(spans, |span, mut outs| {
            for tile in 0..SPAN / TILE {
                let from = (span * SPAN + tile * TILE) / TILE * self.tile_len();
                let Some(data) = self.data.get(from + first * TILE..from + (first + columns) * TILE) else { break };
                for chunk in &chunks {
                    pulp::Arch::new().dispatch(Mix { outs: &mut outs[chunk.first..chunk.first + chunk.n], tile, data, chunk });
                }
            }
        });
    }

    /// Inner products of rows `theirs` of `other` with the first `columns` rows of this store: `[theirs, columns]`. Those that are not `wanted` may be left 0.
    pub fn dots(&self, columns: usize, other: &Self, theirs: Range<usize>, wanted: impl Fn(usize, usize) -> bool) -> Vec<f32> {
        let n = theirs.len();
        let by_column: Vec<Vec<usize>> = (0..columns).map(|c| (0..n).filter(|&i| wanted(i, c)).collect()).collect();
        let share = by_column.iter().map(Vec::len).sum::<usize>() as f64 / (n * columns).max(1) as f64;
        let spans = self.width.div_ceil(SPAN);
        // A fixed number of partial sums, added in order: the same bits for any thread count.
        let groups = spans.clamp(1, 16);
        let mut partial = vec![0.0_f32; groups * n * columns];
        for_each_task(partial.chunks_mut((n * columns).max(1)).collect(), |group, sums| {
            let mut packed = vec![0.0_f32; n * SPAN];
            for span in (spans * group / groups)..(spans * (group + 1) / groups) {
                let tiles = |of: &Self| {
                    let from = span * (SPAN / TILE) * of.tile_len();
                    from..(from + SPAN / TILE * of.tile_len()).min(of.data.len())
                };
                for (tile, data) in other.data[tiles(other)].chunks(other.tile_len()).enumerate() {
                    for (i, row) in theirs.clone().enumerate() {
                        packed[i * SPAN + tile * TILE..][..TILE].copy_from_slice(&data[row * TILE..][..TILE]);
                    }
                }
                let data = &self.data[tiles(self)];
                let span = Span { sums, data, tile_len: self.tile_len(), packed: &packed, columns };
                if share < DENSE {
                    pulp::Arch::new().dispatch(SomeDots { span, by_column: &by_column });
                } else {
                    pulp::Arch::new().dispatch(AllDots { span, n });
                }
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

/// One piece of every row of [`TiledRows::put_made`].
struct Made<'a, K> {
    values: &'a [f32],
    piece: usize,
    /// Which piece of a row, and how many there are.
    number: usize,
    pieces: usize,
    kernel: &'a K,
    /// The tiles of the piece.
    data: &'a mut [f32],
    tile_len: usize,
    at: usize,
}

impl<K: RowKernel> pulp::WithSimd for Made<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Made { values, piece, number, pieces, kernel, data, tile_len, at } = self;
        let mut made = vec![0.0; piece];
        for row in 0..values.len() / (piece * pieces) {
            let index = row * pieces + number;
            made.copy_from_slice(&values[index * piece..(index + 1) * piece]);
            kernel.row(index, &mut made);
            for (tile, part) in data.chunks_exact_mut(tile_len).zip(made.chunks_exact(TILE)) {
                tile[(at + row) * TILE..][..TILE].copy_from_slice(part);
            }
        }
    }
}

/// Cuts `n` results into chunks of at most [`LARGEST_CHUNK`], nearly equal, each with the weights it needs.
fn chunks(n: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) -> Vec<Chunk> {
    let parts = n.div_ceil(LARGEST_CHUNK);
    let chunk = |part: usize| {
        let (first, end) = (n * part / parts, n * (part + 1) / parts);
        let mut chunk = Chunk { first, n: end - first, active: vec![], weights: vec![] };
        for c in 0..columns {
            if (first..end).any(|i| weight(i, c) != 0.0) {
                chunk.active.push(c);
                chunk.weights.extend((first..end).map(|i| weight(i, c)));
            }
        }
        chunk
    };
    (0..parts).map(chunk).collect()
}

/// Results computed together. Four times as many registers hold their sums where there are 32 (with AVX-512 a whole row of a tile at a time), twice as many where there are 16: each stored number is
/// read once either way.
const LARGEST_CHUNK: usize = 6;

/// One tile of [`TiledRows::mix`] for one chunk of results.
struct Mix<'a, 'b> {
    outs: &'a mut [MixedRow<'b>],
    /// Which tile of the span.
    tile: usize,
    /// `[columns, TILE]`.
    data: &'a [f32],
    chunk: &'a Chunk,
}

impl pulp::WithSimd for Mix<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Mix { outs, tile, data, chunk } = self;
        macro_rules! by_size {
            ($($n:literal)*) => {
                match outs.len() {
                    $($n if S::REGISTER_COUNT >= 32 => mix_block::<S, $n, 4>(simd, outs, tile, data, chunk),
                    $n => mix_block::<S, $n, 2>(simd, outs, tile, data, chunk),)*
                    _ => {}
                }
            };
        }
        by_size!(1 2 3 4 5 6);
    }
}

/// `N` results of one tile, `WIDE` registers of columns at a time.
#[inline(always)]
fn mix_block<S: Simd, const N: usize, const WIDE: usize>(simd: S, outs: &mut [MixedRow<'_>], tile: usize, data: &[f32], chunk: &Chunk) {
    let step = WIDE * S::F32_LANES;
    for at in (0..TILE).step_by(step) {
        let mut sums = [[simd.splat_f32s(0.0); WIDE]; N];
        for (&c, w) in chunk.active.iter().zip(chunk.weights.chunks_exact(chunk.n)) {
            let x = S::as_simd_f32s(&data[c * TILE + at..c * TILE + at + step]).0;
            let x: [S::f32s; WIDE] = std::array::from_fn(|k| x[k]);
            let w = &w[..N];
            for i in 0..N {
                let w = simd.splat_f32s(w[i]);
                for k in 0..WIDE {
                    sums[i][k] = simd.mul_add_e_f32s(w, x[k], sums[i][k]);
                }
            }
        }
        let from = tile * TILE + at;
        for (out, sums) in outs.iter_mut().zip(sums) {
            if let Some(values) = out.values.get_mut(from..from + step) {
                let base = out.base.map(|base| S::as_simd_f32s(&base[from..from + step]).0);
                for (k, (value, sum)) in S::as_mut_simd_f32s(values).0.iter_mut().zip(sums).enumerate() {
                    let sum = base.map_or(sum, |base| simd.add_f32s(sum, base[k]));
                    *value = if out.add { simd.add_f32s(sum, *value) } else { sum };
                }
            } else if from < out.values.len() {
                // The end of the last tile.
                let mut held = [0.0_f32; TILE];
                S::as_mut_simd_f32s(&mut held[..step]).0.copy_from_slice(&sums);
                let base = |k: usize| out.base.map_or(0.0, |base| base[from + k]);
                for (k, (value, sum)) in out.values[from..].iter_mut().zip(held).enumerate() {
                    *value = sum + base(k) + if out.add { *value } else { 0.0 };
                }
            }
        }
    }
}

/// Share of wanted products from which computing all of them, in larger blocks, is faster.
const DENSE: f64 = 0.4;

/// One span of [`TiledRows::dots`].
struct Span<'a> {
    /// `[n, columns]`.
    sums: &'a mut [f32],
    /// Tiles of `tile_len`, each `[rows, TILE]`.
    data: &'a [f32],
    tile_len: usize,
    /// `[n, SPAN]`.
    packed: &'a [f32],
    columns: usize,
}

/// The products of a span that are wanted, column by column.
struct SomeDots<'a> {
    span: Span<'a>,
    by_column: &'a [Vec<usize>],
}

impl pulp::WithSimd for SomeDots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Span { sums, data, tile_len, packed, columns } = self.span;
        for (column, wanted) in self.by_column.iter().enumerate() {
            for some in wanted.chunks(6) {
                macro_rules! by_size {
                    ($($n:literal)*) => {
                        match some.len() {
                            $($n => {
                                let rows: [usize; $n] = std::array::from_fn(|i| some[i]);
                                let totals = span_dots::<S, $n, 1>(simd, data, tile_len, column, packed, rows);
                                for (row, [total]) in rows.into_iter().zip(totals) {
                                    sums[row * columns + column] += total;
                                }
                            })*
                            _ => {}
                        }
                    };
                }
                by_size!(1 2 3 4 5 6);
            }
        }
    }
}

/// All products of a span.
struct AllDots<'a> {
    span: Span<'a>,
    n: usize,
}

impl pulp::WithSimd for AllDots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (Span { sums, data, tile_len, packed, columns }, n) = (self.span, self.n);
        let (most, most_columns) = if S::REGISTER_COUNT >= 32 { (6, 4) } else { (4, 3) };
        let parts = n.div_ceil(most);
        for column in (0..columns).step_by(most_columns) {
            let wide = most_columns.min(columns - column);
            for part in 0..parts {
                let (first, end) = (n * part / parts, n * (part + 1) / parts);
                macro_rules! by_size {
                    ($($n:literal: $($m:literal)*;)*) => {
                        match (end - first, wide) {
                            $($(($n, $m) => {
                                let rows: [usize; $n] = std::array::from_fn(|i| first + i);
                                let totals = span_dots::<S, $n, $m>(simd, data, tile_len, column, packed, rows);
                                for (row, totals) in rows.into_iter().zip(totals) {
                                    for (sum, total) in sums[row * columns + column..].iter_mut().zip(totals) {
                                        *sum += total;
                                    }
                                }
                            })*)*
                            _ => {}
                        }
                    };
                }
                by_size!(1: 1 2 3 4; 2: 1 2 3 4; 3: 1 2 3 4; 4: 1 2 3 4; 5: 1 2 3 4; 6: 1 2 3 4;);
            }
        }
    }
}

/// Inner products over one span: rows `rows` of `packed` with stored rows `column..column + M`.
#[inline(always)]
fn span_dots<S: Simd, const N: usize, const M: usize>(
    simd: S,
    data: &[f32],
    tile_len: usize,
    column: usize,
    packed: &[f32],
    rows: [usize; N],
) -> [[f32; M]; N] {
    let mut totals = [[simd.splat_f32s(0.0); M]; N];
    for (tile, data) in data.chunks(tile_len).enumerate() {
        let x: [&[S::f32s]; M] = std::array::from_fn(|k| S::as_simd_f32s(&data[(column + k) * TILE..][..TILE]).0);
        let y: [&[S::f32s]; N] = rows.map(|row| S::as_simd_f32s(&packed[row * SPAN + tile * TILE..][..TILE]).0);
        for v in 0..TILE / S::F32_LANES {
            let x: [S::f32s; M] = std::array::from_fn(|k| x[k][v]);
            for i in 0..N {
                for k in 0..M {
                    totals[i][k] = simd.mul_add_e_f32s(y[i][v], x[k], totals[i][k]);
                }
            }
        }
    }
    // Not by `map`: its closures are compiled apart, without the registers that `simd` stands for.
    let mut sums = [[0.0; M]; N];
    for i in 0..N {
        for k in 0..M {
            sums[i][k] = simd.reduce_sum_f32s(totals[i][k]);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::rng::Stream;

    #[test]
    fn products_that_go_to_their_tiles_are_those_that_are_put() {
        let (entries, m, k) = (3, 5, 7);
        for n in [TILE, 3 * TILE] {
            let mut random = Stream::new(2, "tiles", n as u64);
            let mut numbers = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<f32>>();
            let (a, b, bias) = (numbers(entries * m * k), numbers(entries * k * n), numbers(n));
            let operands = |entry: usize| [View::rows(&a[entry * m * k..], k), View::rows(&b[entry * k * n..], n)];
            for start in [Start::Zero, Start::Row(&bias)] {
                let mut products = vec![0.0; entries * m * n];
                super::super::matmul::products([m, k, n], operands, |_| start, &mut products);
                let [mut put, mut direct] = [(); 2].map(|()| TiledRows::zeros(entries + 3, m * n));
                put.put(2, &products);
                direct.put_products(2, entries, [m, k, n], operands, start);
                assert_eq!(put.data, direct.data);
            }
        }
        assert!(whole_tiles(576) && !whole_tiles(100) && !whole_tiles(0));
    }

    #[test]
    fn rows_that_are_made_on_their_way_are_those_that_are_put() {
        struct Numbered;
        impl RowKernel for Numbered {
            fn row(&self, index: usize, row: &mut [f32]) {
                for x in row {
                    *x += index as f32;
                }
            }
        }
        let (entries, pieces, piece) = (3, 4, 2 * TILE);
        let values: Vec<f32> = (0..entries * pieces * piece).map(|i| 0.25 * i as f32).collect();
        let changed: Vec<f32> = values.iter().enumerate().map(|(i, x)| x + (i / piece) as f32).collect();
        let [mut put, mut made] = [(); 2].map(|()| TiledRows::zeros(entries + 2, pieces * piece));
        put.put(1, &changed);
        made.put_made(1, &values, piece, &Numbered);
        assert_eq!(put.data, made.data);
    }

    #[test]
    fn products_agree_with_double_precision_for_odd_shapes() {
        for (n, columns, first, width) in [(1, 1, 0, 1), (4, 3, 2, 64), (5, 17, 1, 700), (16, 33, 0, 1100), (25, 8, 3, 513), (3, 0, 0, 10)]
        {
            let mut random = Stream::new(1, "tiles", (n * columns * width) as u64);
            let mut numbers = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<f32>>();
            let rows = first + columns;
            let (weights, stored, base, other) = (numbers(n * columns), numbers(rows * width), numbers(width), numbers(n * width));
            // A third of the weights are 0, whole columns among them.
            let weight = |i: usize, c: usize| if c.is_multiple_of(5) || (i + c).is_multiple_of(7) { 0.0 } else { weights[i * columns + c] };
            let mut tiled = TiledRows::zeros(rows, width);
            tiled.put(0, &stored[..first * width]);
            tiled.put(first, &stored[first * width..]);
            let mut mixed = other.clone();
            let outs = mixed.chunks_mut(width).enumerate().map(|(i, values)| MixedRow {
                values,
                add: i % 2 == 0,
                base: (i % 3 != 0).then_some(&base[..]),
            });
            tiled.mix(weight, first, columns, outs.collect());
            for (k, &found) in mixed.iter().enumerate() {
                let (i, j) = (k / width, k % width);
                let mut sum: f64 = (0..columns).map(|c| f64::from(weight(i, c)) * f64::from(stored[(first + c) * width + j])).sum();
                sum += if i % 2 == 0 { f64::from(other[k]) } else { 0.0 };
                sum += if i % 3 != 0 { f64::from(base[j]) } else { 0.0 };
                assert!((f64::from(found) - sum).abs() < 1e-4, "mix {n} {columns} {width}: {i} {j}");
            }
            let mut others = TiledRows::zeros(n + 2, width);
            others.put(1, &other);
            for sparse in [false, true] {
                let wanted = |i: usize, r: usize| !sparse || (i * 7 + r).is_multiple_of(4);
                let dots = tiled.dots(rows, &others, 1..n + 1, wanted);
                assert_eq!(dots.len(), n * rows);
                for (i, r) in (0..n).flat_map(|i| (0..rows).map(move |r| (i, r))).filter(|&(i, r)| wanted(i, r)) {
                    let expected: f64 = (0..width).map(|j| f64::from(stored[r * width + j]) * f64::from(other[i * width + j])).sum();
                    assert!((f64::from(dots[i * rows + r]) - expected).abs() < 1e-3, "dots {n} {rows} {width}: {i} {r}");
                }
            }
        }
    }
}

//! Matrix products on the CPU, written straight into memory that the caller owns.
//!
//! **Why.** The CPU backend's product fills a fresh matrix with zeros, copies it once to align it, and leaves bias and residual sum to further passes. Here a product starts from zero, from
//! a bias row or from what is there already, reads operands by their strides (a transpose costs nothing), and writes each number once a block of depth.
//!
//! **Method.** As Goto and van de Geijn 2008: a block of B is packed into panels that stay in the second-level cache, a panel of A into one that stays in the first, and a
//! register tile of the result takes their outer products. The tile is one of a few shapes, whichever fits the width with the least padding.
//! Each number of the result is a sum in order of depth, whatever the blocks and threads, so the thread count does not show. A product of few rows has a kernel of its own
//! (`few_rows`), by the rows of the whole: a thread's part of a larger one never takes it.

use std::cell::RefCell;

use super::{few_rows, for_each_task, pack::pack};

/// Most depth packed at once.
const DEPTH: usize = 384;
/// An A of at most so many numbers is packed whole.
const PACKED_ONCE: usize = 1 << 20;
/// About so many columns of B are packed at once.
const COLUMNS: usize = 480;
/// About so many rows of A are packed at once.
const ROWS: usize = 192;

/// A matrix in memory: element (i, j) lies at `i * strides[0] + j * strides[1]`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub data: &'a [f32],
    pub strides: [usize; 2],
}

impl<'a> View<'a> {
    /// Rows of `width`, one after another.
    pub fn rows(data: &'a [f32], width: usize) -> Self {
        Self { data, strides: [width, 1] }
    }

    /// Matrix `entry` of several in one memory; `step` numbers lie from one to the next.
    pub fn entry(data: &'a [f32], [step, row, column]: [usize; 3], entry: usize) -> Self {
        Self { data, strides: [row, column] }.skip(entry * step)
    }

    /// The same memory as the transpose.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { strides: [self.strides[1], self.strides[0]], ..self }
    }

    /// Without the first `row` rows and `column` columns.
    #[must_use]
    pub fn from(self, row: usize, column: usize) -> Self {
        self.skip(row * self.strides[0] + column * self.strides[1])
    }

    /// From another first element.
    #[must_use]
    pub fn skip(self, numbers: usize) -> Self {
        Self { data: self.data.get(numbers..).unwrap_or_default(), ..self }
    }
}

/// What the products are added to.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    Zero,
    /// The same row everywhere: a bias.
    Row(&'a [f32]),
    /// What the output holds.
    Keep,
}

impl Start<'_> {
    pub(super) fn from(self, column: usize) -> Self {
        match self {
            Self::Row(row) => Self::Row(&row[column..]),
            other => other,
        }
    }
}

/// `out = start + a b` for `a` `[m, k]`, `b` `[k, n]` and `out` `[m, n]`, row-major; in parallel where threads are there.
pub fn product(shape: [usize; 3], a: View<'_>, b: View<'_>, start: Start<'_>, out: &mut [f32]) {
    products(shape, |_| [a, b], |_| start, out);
}

/// As [`product`] for as many entries as `out` has room for; `operands` and `start` are asked for each.
pub fn products<'a>(
    [m, k, n]: [usize; 3],
    operands: impl Fn(usize) -> [View<'a>; 2] + Sync,
    start: impl Fn(usize) -> Start<'a> + Sync,
    out: &mut [f32],
) {
    if m * n == 0 {
        return;
    }
    let entries = out.len() / (m * n);
    let [row_parts, column_parts] = parts(entries, [m, k, n]);
    let (height, width) = (m.div_ceil(row_parts), n.div_ceil(column_parts));
    let mut tasks: Vec<Vec<&mut [f32]>> = (0..entries * row_parts * column_parts).map(|_| Vec::with_capacity(height)).collect();
    for (i, row) in out.chunks_exact_mut(n).enumerate() {
        let (entry, i) = (i / m, i % m);
        for (c, part) in row.chunks_mut(width).enumerate() {
            tasks[(entry * row_parts + i / height) * column_parts + c].push(part);
        }
    }
    for_each_task(tasks, |task, mut rows| {
        let (entry, part) = (task / (row_parts * column_parts), task % (row_parts * column_parts));
        let (row, column) = (part / column_parts * height, part % column_parts * width);
        let [a, b] = operands(entry);
        let (a, b, start) = (a.from(row, 0), b.from(0, column), start(entry).from(column));
        pulp::Arch::new().dispatch(Product { k, a, b, start, few: m <= few_rows::FEW, rows: &mut rows });
    });
}

/// How many parts of rows and of columns to work on at once in each of `entries` products.
fn parts(entries: usize, [m, k, n]: [usize; 3]) -> [usize; 2] {
    let threads = super::threads();
    if threads == 1 || m * k * n < 1 << 18 {
        return [1, 1];
    }
    // More parts than threads, as threads are not equally fast.
    let wanted = (3 * threads).div_ceil(entries);
    let columns = (n / 256).clamp(1, wanted);
    [(wanted / columns).clamp(1, m.div_ceil(64)), columns]
}

/// As [`product`], on this thread, into rows that may lie anywhere; all have the same length.
pub fn product_rows(k: usize, a: View<'_>, b: View<'_>, start: Start<'_>, rows: &mut [&mut [f32]]) {
    if rows.first().is_some_and(|row| !row.is_empty()) {
        pulp::Arch::new().dispatch(Product { k, a, b, start, few: rows.len() <= few_rows::FEW, rows });
    }
}

thread_local! {
    /// Packed panels of B and of A: kept, so that they are not allocated and cleared for each product.
    static PACKED: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

struct Product<'a, 'r, 'o> {
    k: usize,
    a: View<'a>,
    b: View<'a>,
    start: Start<'a>,
    /// Whether the whole product, of which these may be a part, has few rows.
    few: bool,
    rows: &'r mut [&'o mut [f32]],
}

impl pulp::WithSimd for Product<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        if self.few && few_rows::fits(self.k, self.a, self.b) {
            let Product { k, a, b, start, rows, .. } = self;
            let [mut sums, a_packed] = PACKED.take();
            few_rows::product(simd, k, a, b, start, rows, &mut sums);
            PACKED.set([sums, a_packed]);
            return;
        }
        let n = self.rows[0].len();
        let padded = |width: usize| n.next_multiple_of(width);
        // Tiles of 24 registers where there are 32, of 12 where there are 16.
        match S::F32_LANES {
            16 if padded(48) <= padded(64).min(padded(32)) => blocks::<S, 8, 3, 48>(simd, self),
            16 if padded(64) <= padded(32) => blocks::<S, 6, 4, 64>(simd, self),
            16 => blocks::<S, 12, 2, 32>(simd, self),
            8 => blocks::<S, 6, 2, 16>(simd, self),
            4 => blocks::<S, 6, 2, 8>(simd, self),
            _ => blocks::<S, 4, 2, 2>(simd, self),
        }
    }
}

/// Depth of a block, all of about the same depth; at least 1.
pub(super) fn depth_of_blocks(k: usize) -> usize {
    k.div_ceil(k.div_ceil(DEPTH).max(1)).max(1)
}

/// All blocks of a product with tiles of `HEIGHT` rows and `VECTORS` registers, `WIDTH` numbers, across.
#[inline(always)]
fn blocks<S: pulp::Simd, const HEIGHT: usize, const VECTORS: usize, const WIDTH: usize>(simd: S, product: Product<'_, '_, '_>) {
    let Product { k, a, b, start, rows, .. } = product;
    let (m, n) = (rows.len(), rows[0].len());
    let depth = depth_of_blocks(k);
    let columns = (COLUMNS / WIDTH * WIDTH).min(n.next_multiple_of(WIDTH));
    // A row of A is read where it lies; columns of A are packed: all at once where that is little, else some at a time.
    let direct = a.strides[1] == 1;
    let once = n > columns && m * k <= PACKED_ONCE;
    let padded = m.next_multiple_of(HEIGHT);
    let block = if once || direct { padded } else { (ROWS / HEIGHT * HEIGHT).min(padded) };
    let [mut b_packed, mut a_packed] = PACKED.take();
    grow(&mut b_packed, columns * depth);
    if !direct {
        grow(&mut a_packed, block * if once { k } else { depth });
    }
    for column in (0..n).step_by(columns) {
        let here = columns.min(n - column);
        if k == 0 {
            for row in rows.iter_mut() {
                begin(&mut row[column..column + here], start.from(column));
            }
        }
        for at in (0..k).step_by(depth.max(1)) {
            let depth = depth.min(k - at);
            let b_packed = &mut b_packed[..here.next_multiple_of(WIDTH) * depth];
            pack::<S, WIDTH>(simd, b_packed, b.transposed().from(column, at), here, depth);
            let strip = Strip { b: b_packed, depth, columns: column..column + here, start: if at == 0 { start } else { Start::Keep } };
            if direct {
                for (i, rows) in rows.chunks_mut(HEIGHT).enumerate() {
                    let a: [&[f32]; HEIGHT] = std::array::from_fn(|r| &a.from(i * HEIGHT + r.min(rows.len() - 1), at).data[..depth]);
                    strip.tiles::<S, HEIGHT, VECTORS, WIDTH>(simd, rows, |b| tile_of_rows::<S, HEIGHT, VECTORS>(simd, a, b));
                }
                continue;
            }
            for first in (0..m).step_by(block) {
                let height = block.min(m - first);
                let a_packed = &mut a_packed[if once { padded * at } else { 0 }..][..height.next_multiple_of(HEIGHT) * depth];
                if !once || column == 0 {
                    pack::<S, HEIGHT>(simd, a_packed, a.from(first, at), height, depth);
                }
                for (a, rows) in a_packed.chunks_exact(HEIGHT * depth).zip(rows[first..first + height].chunks_mut(HEIGHT)) {
                    strip.tiles::<S, HEIGHT, VECTORS, WIDTH>(simd, rows, |b| tile::<S, HEIGHT, VECTORS>(simd, a.as_chunks().0, b));
                }
            }
        }
    }
    PACKED.set([b_packed, a_packed]);
}

/// A packed block of B and where its products go.
struct Strip<'a> {
    b: &'a [f32],
    depth: usize,
    columns: std::ops::Range<usize>,
    start: Start<'a>,
}

impl Strip<'_> {
    /// The tiles of up to `HEIGHT` rows; `tile` multiplies them with a panel of B.
    #[inline(always)]
    fn tiles<S: pulp::Simd, const HEIGHT: usize, const VECTORS: usize, const WIDTH: usize>(
        &self,
        simd: S,
        rows: &mut [&mut [f32]],
        tile: impl Fn(&[[S::f32s; VECTORS]]) -> [[S::f32s; VECTORS]; HEIGHT],
    ) {
        for (j, panel) in self.columns.clone().step_by(WIDTH).zip(self.b.chunks_exact(WIDTH * self.depth)) {
            let tile = tile(S::as_simd_f32s(panel).0.as_chunks().0);
            let (width, start) = (WIDTH.min(self.columns.end - j), self.start.from(j));
            match rows.first_chunk_mut::<HEIGHT>() {
                // Loops of fixed length, so that the sums go from registers to their places.
                Some(rows) if width == WIDTH => match start {
                    Start::Zero => write_tile::<S, HEIGHT, VECTORS>(rows, j, tile, |sum, _, _| sum),
                    Start::Keep => write_tile::<S, HEIGHT, VECTORS>(rows, j, tile, |sum, old, _| simd.add_f32s(sum, old)),
                    Start::Row(row) => {
                        let row = S::as_simd_f32s(&row[..WIDTH]).0;
                        write_tile::<S, HEIGHT, VECTORS>(rows, j, tile, |sum, _, v| simd.add_f32s(sum, row[v]));
                    }
                },
                _ => {
                    for (row, sums) in rows.iter_mut().zip(tile) {
                        write_part::<S, VECTORS, WIDTH>(&mut row[j..j + width], sums, start);
                    }
                }
            }
        }
    }
}

fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}

/// The sums of outer products of a panel of A and one of B.
#[inline(always)]
fn tile<S: pulp::Simd, const HEIGHT: usize, const VECTORS: usize>(
    simd: S,
    a: &[[f32; HEIGHT]],
    b: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; HEIGHT] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; HEIGHT];
    for (a, b) in a.iter().zip(b) {
        for i in 0..HEIGHT {
            let x = simd.splat_f32s(a[i]);
            for j in 0..VECTORS {
                sums[i][j] = simd.mul_add_e_f32s(x, b[j], sums[i][j]);
            }
        }
    }
    sums
}

/// As [`tile`], for rows of A where they lie.
#[inline(always)]
fn tile_of_rows<S: pulp::Simd, const HEIGHT: usize, const VECTORS: usize>(
    simd: S,
    a: [&[f32]; HEIGHT],
    b: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; HEIGHT] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; HEIGHT];
    let a = a.map(|row| &row[..b.len()]);
    for (k, b) in b.iter().enumerate() {
        for i in 0..HEIGHT {
            let x = simd.splat_f32s(a[i][k]);
            for j in 0..VECTORS {
                sums[i][j] = simd.mul_add_e_f32s(x, b[j], sums[i][j]);
            }
        }
    }
    sums
}

/// A tile into its place; `value` makes a number from a sum, the number there and which vector of the row it is.
#[inline(always)]
fn write_tile<S: pulp::Simd, const HEIGHT: usize, const VECTORS: usize>(
    rows: &mut [&mut [f32]; HEIGHT],
    column: usize,
    sums: [[S::f32s; VECTORS]; HEIGHT],
    value: impl Fn(S::f32s, S::f32s, usize) -> S::f32s,
) {
    for i in 0..HEIGHT {
        if let Some(out) = S::as_mut_simd_f32s(&mut rows[i][column..]).0.first_chunk_mut::<VECTORS>() {
            for v in 0..VECTORS {
                out[v] = value(sums[i][v], out[v], v);
            }
        }
    }
}

/// One row of a tile into its place, for the last rows and columns.
#[inline(always)]
fn write_part<S: pulp::Simd, const VECTORS: usize, const WIDTH: usize>(out: &mut [f32], sums: [S::f32s; VECTORS], start: Start<'_>) {
    let mut whole = [0.0; WIDTH];
    S::as_mut_simd_f32s(&mut whole).0.iter_mut().zip(sums).for_each(|(o, s)| *o = s);
    match start {
        Start::Zero => out.copy_from_slice(&whole[..out.len()]),
        Start::Row(_) | Start::Keep => {
            begin(out, start);
            out.iter_mut().zip(whole).for_each(|(o, s)| *o += s);
        }
    }
}

/// Fills a row with what the products are added to.
#[inline(always)]
pub(super) fn begin(out: &mut [f32], start: Start<'_>) {
    match start {
        Start::Zero => out.fill(0.0),
        Start::Row(row) => out.iter_mut().zip(row).for_each(|(o, &b)| *o = b),
        Start::Keep => {}
    }
}

#[cfg(test)]
mod tests;

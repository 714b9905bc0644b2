//! Operands of matrix products, packed as the register tiles read them.
//!
//! **Why.** A tile takes a few neighbouring rows, column by column. Where columns lie in one piece in memory that is copying; where rows do, as in a product with a transposed matrix, it is a
//! transposition, and number by number (or by scatters, which the compiler makes of it) that costs several cycles a number.
//!
//! **Method.** Rows that lie apart are transposed by the registers' shuffles, four rows at a time.

use super::matmul::View;

/// Numbers of a line of the cache, and of the largest register.
const LINE: usize = 16;

/// Packs the first `rows` rows of `from`, `depth` long, as panels of `WIDTH` rows side by side: in a panel column after column. Missing rows become zeros.
#[inline(always)]
pub fn pack<S: pulp::Simd, const WIDTH: usize>(simd: S, to: &mut [f32], from: View<'_>, rows: usize, depth: usize) {
    let panel = WIDTH * depth;
    if from.strides[0] != 1 {
        let order = transposed_order(simd);
        for (i, to) in to.chunks_exact_mut(panel).enumerate() {
            pack_panel::<S, WIDTH>(simd, &order, to.as_chunks_mut().0, from.from(i * WIDTH, 0), WIDTH.min(rows - i * WIDTH));
        }
        return;
    }
    // Columns lie in one piece: read each from end to end, as memory likes it, and spread it over the panels.
    for k in 0..depth {
        let (whole, rest) = from.data[k * from.strides[1]..][..rows].as_chunks::<WIDTH>();
        for (i, x) in whole.iter().enumerate() {
            if let Some(to) = to[i * panel + k * WIDTH..].first_chunk_mut() {
                *to = *x;
            }
        }
        if !rest.is_empty() {
            let to = &mut to[whole.len() * panel + k * WIDTH..][..WIDTH];
            to[..rest.len()].copy_from_slice(rest);
            to[rest.len()..].fill(0.0);
        }
    }
}

/// One panel of [`pack`], of rows that lie apart.
#[inline(always)]
fn pack_panel<S: pulp::Simd, const WIDTH: usize>(simd: S, order: &[usize; LINE], to: &mut [[f32; WIDTH]], from: View<'_>, rows: usize) {
    let ([row, column], depth) = (from.strides, to.len());
    if rows < WIDTH {
        to.as_flattened_mut().fill(0.0);
    }
    let lanes = S::F32_LANES;
    // Four rows at a time by shuffles, where there are such.
    let (whole, long) = if column == 1 && (4..=LINE).contains(&lanes) { (rows / 4 * 4, depth / lanes * lanes) } else { (0, 0) };
    for i in (0..whole).step_by(4) {
        let x: [&[f32]; 4] = std::array::from_fn(|j| &from.data[(i + j) * row..][..depth]);
        let [a, b, c, d] = x.map(|x| S::as_simd_f32s(x).0);
        for ((((to, a), b), c), d) in to.chunks_exact_mut(lanes).zip(a).zip(b).zip(c).zip(d) {
            let mut block = [[0.0; 4]; LINE];
            S::as_mut_simd_f32s(block.as_flattened_mut()).0[..4].copy_from_slice(&simd.interleave_shfl_f32s([*a, *b, *c, *d]));
            for (block, &k) in block[..lanes].iter().zip(order) {
                to[k][i..i + 4].copy_from_slice(block);
            }
        }
        for (k, to) in to.iter_mut().enumerate().skip(long) {
            to[i..i + 4].copy_from_slice(&x.map(|x| x[k]));
        }
    }
    for i in whole..rows {
        to.iter_mut().zip(from.data[i * row..].iter().step_by(column)).for_each(|(to, &x)| to[i] = x);
    }
}

/// The order in which pulp's shuffle leaves the columns of four rows of a register each; it differs between instruction sets and is nowhere promised, so it is looked at.
#[inline(always)]
fn transposed_order<S: pulp::Simd>(simd: S) -> [usize; LINE] {
    let mut order = [0; LINE];
    if (4..=LINE).contains(&S::F32_LANES) {
        let columns: [f32; LINE] = std::array::from_fn(|k| k as f32);
        let columns = S::as_simd_f32s(&columns).0[0];
        let mut block = [[0.0; 4]; LINE];
        S::as_mut_simd_f32s(block.as_flattened_mut()).0[..4].copy_from_slice(&simd.interleave_shfl_f32s([columns; 4]));
        order = block.map(|block| block[0] as usize);
    }
    order
}

//! The same sums with WebAssembly's vectors of 128 bits: four outputs at once, the same bits.
//!
//! The page's code is compiled for size, where loops stay loops and arrays stay in memory: what has to lie in registers is written out. Rows are done one after another, as a panel stays in the
//! first-level cache.

use core::arch::wasm32::{
    f32x4, f32x4_add, f32x4_convert_i32x4, f32x4_extract_lane, f32x4_mul, f32x4_splat, i16x8_extend_high_i8x16, i16x8_extend_low_i8x16,
    i32x4_add, i32x4_dot_i16x8, i32x4_splat, u16x8_shr, u16x8_splat, u64x2, v128, v128_and,
};

use super::{PANEL, Panel, Rounded};

/// Sums of sixteen outputs, four a vector.
type Sums = [v128; 4];

pub fn halves<const R: usize>(panel: Panel<'_>, x: [&Rounded; R]) -> [[f32; PANEL]; R] {
    x.map(|x| {
        let mut sums = [f32x4_splat(0.0); 4];
        let blocks = panel.codes.as_chunks::<{ 4 * 4 * PANEL }>().0;
        for ((((codes, scales), offsets), pairs), (&scale, &sum)) in
            blocks.iter().zip(panel.scales).zip(panel.offsets).zip(&x.pairs).zip(x.scales.iter().zip(&x.sums))
        {
            let mut dots = [i32x4_splat(0); 4];
            for ([a, b, c, d], [p, q, r, s]) in codes.as_chunks::<16>().0.as_chunks::<4>().0.iter().zip(pairs.as_chunks::<4>().0) {
                let pairs = [pair(*p), pair(*q), pair(*r), pair(*s)];
                dots = [
                    add_halves(dots[0], vector(a), pairs),
                    add_halves(dots[1], vector(b), pairs),
                    add_halves(dots[2], vector(c), pairs),
                    add_halves(dots[3], vector(d), pairs),
                ];
            }
            let sum = f32x4_splat(sum);
            let offset = |sums: v128, q: usize| f32x4_add(sums, f32x4_mul(quarter(offsets, q), sum));
            sums = [offset(sums[0], 0), offset(sums[1], 1), offset(sums[2], 2), offset(sums[3], 3)];
            sums = scaled(sums, dots, scales, scale);
        }
        numbers(sums)
    })
}

pub fn bytes<const R: usize>(panel: Panel<'_>, x: [&Rounded; R]) -> [[f32; PANEL]; R] {
    x.map(|x| {
        let mut sums = [f32x4_splat(0.0); 4];
        let blocks = panel.codes.as_chunks::<{ 16 * 2 * PANEL }>().0;
        for (((codes, scales), pairs), &scale) in blocks.iter().zip(panel.scales).zip(&x.pairs).zip(&x.scales) {
            let mut dots = [i32x4_splat(0); 4];
            for ([a, b], p) in codes.as_chunks::<16>().0.as_chunks::<2>().0.iter().zip(pairs) {
                let (a, b, p) = (vector(a), vector(b), pair(*p));
                dots = [
                    i32x4_add(dots[0], i32x4_dot_i16x8(i16x8_extend_low_i8x16(a), p)),
                    i32x4_add(dots[1], i32x4_dot_i16x8(i16x8_extend_high_i8x16(a), p)),
                    i32x4_add(dots[2], i32x4_dot_i16x8(i16x8_extend_low_i8x16(b), p)),
                    i32x4_add(dots[3], i32x4_dot_i16x8(i16x8_extend_high_i8x16(b), p)),
                ];
            }
            sums = scaled(sums, dots, scales, scale);
        }
        numbers(sums)
    })
}

/// Adds four outputs' products of eight half bytes with four pairs of inputs.
#[inline(always)]
fn add_halves(dot: v128, words: v128, [p, q, r, s]: [v128; 4]) -> v128 {
    let low = u16x8_splat(15);
    let first = i32x4_add(i32x4_dot_i16x8(v128_and(words, low), p), i32x4_dot_i16x8(v128_and(u16x8_shr(words, 4), low), q));
    let second = i32x4_add(i32x4_dot_i16x8(v128_and(u16x8_shr(words, 8), low), r), i32x4_dot_i16x8(u16x8_shr(words, 12), s));
    i32x4_add(dot, i32x4_add(first, second))
}

/// Adds a block's dot products times its scales.
#[inline(always)]
fn scaled(sums: Sums, dots: Sums, scales: &[f32; PANEL], scale: f32) -> Sums {
    let scale = f32x4_splat(scale);
    let one = |q: usize| f32x4_add(sums[q], f32x4_mul(f32x4_convert_i32x4(dots[q]), f32x4_mul(quarter(scales, q), scale)));
    [one(0), one(1), one(2), one(3)]
}

/// A pair of inputs for each of four outputs.
#[inline(always)]
fn pair([first, second]: [i16; 2]) -> v128 {
    i32x4_splat(i32::from(first.cast_unsigned()) | i32::from(second) << 16)
}

/// The compiler makes one load of this.
#[inline(always)]
fn vector(bytes: &[u8; 16]) -> v128 {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
    u64x2(u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]))
}

#[inline(always)]
fn quarter(numbers: &[f32; PANEL], q: usize) -> v128 {
    f32x4(numbers[4 * q], numbers[4 * q + 1], numbers[4 * q + 2], numbers[4 * q + 3])
}

fn numbers(sums: Sums) -> [f32; PANEL] {
    let sums =
        sums.map(|v| [f32x4_extract_lane::<0>(v), f32x4_extract_lane::<1>(v), f32x4_extract_lane::<2>(v), f32x4_extract_lane::<3>(v)]);
    std::array::from_fn(|i| sums[i / 4][i % 4])
}

//! The "K" types: blocks of 256 values, cut into groups with their own small scales.
//!
//! A block has one or two half floats and, per group, a 6-bit (or 8-bit) integer scale. `Q4_K` and `Q5_K`
//! have 8 groups of 32 with `d * scale * q - dmin * min`; `Q6_K` has 16 groups of 16 with
//! `d * scale * (q - 32)`. Packing and order of operations follow `ggml-quants.c`.

use super::dequant::half_at;

/// Scales and minima of the 8 groups, unpacked from 12 bytes of 6-bit numbers.
///
/// Groups 0 to 3 sit in the low six bits of bytes 0..4 (scale) and 4..8 (min). Groups 4 to 7 take four
/// bits from bytes 8..12 and their upper two from the spare top bits of bytes 0..8.
fn scales_and_mins(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for i in 0..4 {
        scales[i] = packed[i] & 63;
        mins[i] = packed[i + 4] & 63;
        scales[i + 4] = (packed[i + 8] & 15) | ((packed[i] >> 6) << 4);
        mins[i + 4] = (packed[i + 8] >> 4) | ((packed[i + 4] >> 6) << 4);
    }
    (scales, mins)
}

/// Reads the head of a `Q4_K` or `Q5_K` block: per group the scale and the offset to subtract.
fn groups<const B: usize>(block: &[u8; B]) -> ([f32; 8], [f32; 8]) {
    let (d, d_min) = (half_at(block, 0), half_at(block, 2));
    let packed = std::array::from_fn(|i| block[4 + i]);
    let (scales, mins) = scales_and_mins(&packed);
    (scales.map(|scale| d * f32::from(scale)), mins.map(|min| d_min * f32::from(min)))
}

/// `d, dmin: f16, scales: [u8; 12], q: [u4; 256]`; each 32 bytes of q serve two groups.
pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, m) = groups(block);
    let pairs = out.as_chunks_mut::<64>().0;
    for (pair, (row, q)) in pairs.iter_mut().zip(block[16..].as_chunks::<32>().0).enumerate() {
        let (low, high) = (2 * pair, 2 * pair + 1);
        for i in 0..32 {
            row[i] = d[low] * f32::from(q[i] & 15) - m[low];
            row[i + 32] = d[high] * f32::from(q[i] >> 4) - m[high];
        }
    }
}

/// As `Q4_K`, with the fifth bits in 32 bytes before q: bit g of byte i belongs to value i of group g.
pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, m) = groups(block);
    let fifth: [u8; 32] = std::array::from_fn(|i| block[16 + i]);
    let pairs = out.as_chunks_mut::<64>().0;
    for (pair, (row, q)) in pairs.iter_mut().zip(block[48..].as_chunks::<32>().0).enumerate() {
        let (low, high) = (2 * pair, 2 * pair + 1);
        for i in 0..32 {
            let low_q = q[i] & 15 | ((fifth[i] >> low) & 1) << 4;
            let high_q = q[i] >> 4 | ((fifth[i] >> high) & 1) << 4;
            row[i] = d[low] * f32::from(low_q) - m[low];
            row[i + 32] = d[high] * f32::from(high_q) - m[high];
        }
    }
}

/// `low: [u4; 256], high: [u2; 256], scales: [i8; 16], d: f16`, in two halves of 128 values.
pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = half_at(block, 208);
    let scales: [f32; 16] = std::array::from_fn(|i| d * f32::from(block[192 + i].cast_signed()));
    for (half, row) in out.as_chunks_mut::<128>().0.iter_mut().enumerate() {
        let low: &[u8] = &block[64 * half..64 * half + 64];
        let high: &[u8] = &block[128 + 32 * half..160 + 32 * half];
        for quarter in 0..4 {
            // Quarters 0 and 1 use the low nibbles of both 32-byte runs, 2 and 3 the high nibbles.
            let run = &low[32 * (quarter & 1)..32 * (quarter & 1) + 32];
            let shift = 4 * (quarter >> 1);
            for group in 0..2 {
                let scale = scales[8 * half + 2 * quarter + group];
                for i in 16 * group..16 * group + 16 {
                    let q = (run[i] >> shift) & 15 | ((high[i] >> (2 * quarter)) & 3) << 4;
                    row[32 * quarter + i] = scale * (f32::from(q) - 32.0);
                }
            }
        }
    }
}

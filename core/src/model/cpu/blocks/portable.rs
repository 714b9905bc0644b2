//! The same sums by loops over numbers.

use super::{PANEL, Panel, Rounded};

/// The sums of a panel of half bytes.
pub fn halves<const R: usize>(panel: Panel<'_>, x: [&Rounded; R]) -> [[f32; PANEL]; R] {
    let mut sums = [[0.0; PANEL]; R];
    let blocks = panel.codes.as_chunks::<{ 4 * 4 * PANEL }>().0;
    for (b, ((codes, scales), offsets)) in blocks.iter().zip(panel.scales).zip(panel.offsets).enumerate() {
        for (x, sums) in x.iter().zip(&mut sums) {
            let mut dot = [0_i32; PANEL];
            for (codes, pairs) in codes.as_chunks::<{ 4 * PANEL }>().0.iter().zip(x.pairs[b].as_chunks::<4>().0) {
                for (dot, codes) in dot.iter_mut().zip(codes.as_chunks::<4>().0) {
                    let words = codes.as_chunks::<2>().0;
                    for (i, pair) in pairs.iter().enumerate() {
                        for (word, input) in words.iter().zip(pair) {
                            *dot += i32::from(u16::from_le_bytes(*word) >> (4 * i) & 15) * i32::from(*input);
                        }
                    }
                }
            }
            let (scale, sum) = (x.scales[b], x.sums[b]);
            for lane in 0..PANEL {
                sums[lane] = sums[lane] + offsets[lane] * sum + dot[lane] as f32 * (scales[lane] * scale);
            }
        }
    }
    sums
}

/// The sums of a panel of whole bytes.
pub fn bytes<const R: usize>(panel: Panel<'_>, x: [&Rounded; R]) -> [[f32; PANEL]; R] {
    let mut sums = [[0.0; PANEL]; R];
    let blocks = panel.codes.as_chunks::<{ 16 * 2 * PANEL }>().0;
    for (b, (codes, scales)) in blocks.iter().zip(panel.scales).enumerate() {
        for (x, sums) in x.iter().zip(&mut sums) {
            let mut dot = [0_i32; PANEL];
            for (codes, [first, second]) in codes.as_chunks::<{ 2 * PANEL }>().0.iter().zip(x.pairs[b]) {
                for (dot, codes) in dot.iter_mut().zip(codes.as_chunks::<2>().0) {
                    *dot += i32::from(codes[0].cast_signed()) * i32::from(first) + i32::from(codes[1].cast_signed()) * i32::from(second);
                }
            }
            for lane in 0..PANEL {
                sums[lane] += dot[lane] as f32 * (scales[lane] * x.scales[b]);
            }
        }
    }
    sums
}

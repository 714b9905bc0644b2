//! Packed products against plain loops over the file's own numbers, and the instruction sets against each other.

use super::*;
use crate::{
    formats::gguf::{GgmlType, dequantize},
    train::rng::Stream,
};

/// Blocks of random bytes with scales that are small numbers.
fn file(kind: Kind, rows: usize, depth: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![];
    for i in 0..(rows * depth) as u64 {
        let mut draw = Stream::new(seed, "blocks", i);
        for _ in 0..kind.head() / 2 {
            bytes.extend(f16::from_f64(draw.uniform() - 0.5).to_le_bytes());
        }
        bytes.extend((0..kind.codes()).map(|_| (draw.uniform() * 256.0) as u8));
    }
    bytes
}

fn rows(n: usize, d_in: usize) -> Vec<f32> {
    let mut draw = Stream::new(5, "inputs", 0);
    (0..n * d_in).map(|_| draw.normal() as f32).collect()
}

#[test]
fn products_are_those_of_the_files_numbers() {
    for (seed, kind) in [Kind::Q4_0, Kind::Q4_1, Kind::Q8_0].into_iter().enumerate() {
        // Outputs that fill no panel, and a second matrix in another order beside the first.
        let (depth, outs) = (3, [21, 40]);
        let d_in = depth * BLOCK;
        let files = outs.map(|n| file(kind, n, depth, seed as u64));
        let mut blocks = Blocks::new(d_in).unwrap();
        blocks.push(kind, outs[0], &files[0], |i| i).unwrap();
        blocks.push(kind, outs[1], &files[1], |i| (i + 7) % 40).unwrap();
        assert_eq!(blocks.d_out(), 61);
        let ty = GgmlType::from_name(&format!("{kind:?}")).unwrap();
        let numbers = files.map(|file| {
            let mut numbers = vec![0.0; file.len() / kind.bytes() * BLOCK];
            dequantize(ty, &file, &mut numbers).unwrap();
            numbers
        });
        let weights = |output: usize| match output.checked_sub(21) {
            None => &numbers[0][output * d_in..][..d_in],
            Some(i) => &numbers[1][(i + 7) % 40 * d_in..][..d_in],
        };
        let bias: Vec<f32> = (0..61_u8).map(f32::from).collect();
        for n in [1, 2, 3, 4, 5, 9] {
            let x = rows(n, d_in);
            let y = blocks.apply(&x, Some(&bias));
            for (i, row) in x.chunks_exact(d_in).enumerate() {
                for output in 0..61 {
                    let product = |(x, w): (&f32, &f32)| f64::from(*w) * f64::from(*x);
                    let terms: Vec<f64> = row.iter().zip(weights(output)).map(product).collect();
                    let exact = terms.iter().sum::<f64>() + f64::from(bias[output]);
                    // Inputs are rounded to a 65,534th of the largest.
                    let bound = 1e-4 * terms.iter().map(|t| t.abs()).sum::<f64>() + 1e-5;
                    let error = (f64::from(y[i * 61 + output]) - exact).abs();
                    assert!(error < bound, "{kind:?} {n} rows, output {output}: {error} over {bound}");
                }
            }
        }
    }
}

#[test]
fn rounding_keeps_inputs_within_half_a_step() {
    let x = rows(1, 4 * BLOCK);
    let rounded = Rounded::new(&x);
    for (b, pairs) in rounded.pairs.iter().enumerate() {
        let step = rounded.scales[b];
        for (places, codes) in PAIRS.iter().flatten().zip(pairs.as_flattened()) {
            assert!((f32::from(*codes) * step - x[b * BLOCK + places]).abs() <= 0.51 * step);
        }
    }
    let mut places = PAIRS.as_flattened().to_vec();
    places.sort_unstable();
    assert!(places.into_iter().eq(0..BLOCK));
    let zero = Rounded::new(&[0.0; BLOCK]);
    assert_eq!((zero.scales[0], zero.sums[0], zero.pairs[0]), (0.0, 0.0, [[0; 2]; BLOCK / 2]));
}

#[test]
#[cfg(all(feature = "native-cpu", target_arch = "x86_64"))]
fn instruction_sets_give_the_same_bits() {
    let Some(simd) = pulp::x86::V4::try_new() else { return };
    let depth = 5;
    let x = rows(3, depth * BLOCK);
    let x: Vec<Rounded> = x.chunks_exact(depth * BLOCK).map(Rounded::new).collect();
    let x = [&x[0], &x[1], &x[2]];
    for kind in [Kind::Q4_1, Kind::Q8_0] {
        let mut blocks = Blocks::new(depth * BLOCK).unwrap();
        blocks.push(kind, PANEL, &file(kind, PANEL, depth, 9), |i| i).unwrap();
        let part = &blocks.parts[0];
        let read = Panel { codes: &part.codes, scales: part.scales.as_chunks().0, offsets: part.offsets.as_chunks().0 };
        let (plain, fast) = match kind {
            Kind::Q8_0 => (bytes(read, x), avx512::bytes(simd, read, x)),
            _ => (halves(read, x), avx512::halves(simd, read, x)),
        };
        assert_eq!(plain.map(|row| row.map(f32::to_bits)), fast.map(|row| row.map(f32::to_bits)), "{kind:?}");
    }
}

#[test]
fn refuses_what_does_not_fit() {
    assert!(Blocks::new(0).is_none() && Blocks::new(33).is_none());
    let mut blocks = Blocks::new(BLOCK).unwrap();
    assert!(blocks.push(Kind::Q4_1, 2, &[0; 39], |i| i).is_none());
    assert!(blocks.push(Kind::Q4_1, 2, &[0; 40], |i| i + 1).is_none(), "a row that is not there");
    assert_eq!(blocks.d_out(), 0);
}

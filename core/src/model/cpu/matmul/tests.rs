use super::*;
use crate::train::rng::Stream;

#[test]
fn products_agree_with_double_precision_for_any_strides_shapes_and_starts() {
    let shapes = [[1, 1, 1], [3, 0, 4], [5, 7, 3], [20, 64, 20], [13, 400, 49], [60, 64, 96], [9, 770, 33], [70, 65, 1100], [130, 64, 520]];
    for [m, k, n] in shapes {
        for layout in 0..4 {
            let mut random = Stream::new(1, "matmul", (m * k * n * 4 + layout) as u64);
            let mut numbers = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<f32>>();
            let (a, b, bias, old) = (numbers(m * k + 3), numbers(k * n + 3), numbers(n), numbers(m * n));
            let a = if layout & 1 == 0 { View::rows(&a, k) } else { View::rows(&a, m).transposed() };
            let b = if layout & 2 == 0 { View::rows(&b, n) } else { View::rows(&b, k).transposed() };
            for (start, value) in [(Start::Zero, 0), (Start::Row(&bias), 1), (Start::Keep, 2)] {
                let mut out = old.clone();
                product([m, k, n], a, b, start, &mut out);
                for (at, &found) in out.iter().enumerate() {
                    let (i, j) = (at / n, at % n);
                    let of = |x: View<'_>, i: usize, j: usize| f64::from(x.data[i * x.strides[0] + j * x.strides[1]]);
                    let from = [0.0, f64::from(bias[j]), f64::from(old[at])][value];
                    let expected = (0..k).map(|l| of(a, i, l) * of(b, l, j)).sum::<f64>() + from;
                    assert!((f64::from(found) - expected).abs() < 2e-4, "{m} {k} {n} {layout} {start:?}: {i} {j}: {found} {expected}");
                }
            }
        }
    }
}

#[test]
fn every_width_of_register_gives_the_same_product() {
    fn with<S: pulp::Simd>(simd: S, [m, k, n]: [usize; 3], a: View<'_>, b: View<'_>) -> Vec<f32> {
        let [few, many] = [true, false].map(|few| {
            let mut out = vec![0.0; m * n];
            let mut rows: Vec<&mut [f32]> = out.chunks_exact_mut(n).collect();
            pulp::WithSimd::with_simd(Product { k, a, b, start: Start::Zero, few, rows: &mut rows }, simd);
            out
        });
        assert_eq!(few, many);
        many
    }
    let shape @ [m, k, n] = [7, 30, 75];
    let numbers: Vec<f32> = (0..m * k + k * n).map(|i| ((i * 37 % 23) as f32) - 11.0).collect();
    for layout in 0..4 {
        let a = if layout & 1 == 0 { View::rows(&numbers, k) } else { View::rows(&numbers, m).transposed() };
        let b = &numbers[m * k..];
        let b = if layout & 2 == 0 { View::rows(b, n) } else { View::rows(b, k).transposed() };
        let of = |x: View<'_>, i: usize, j: usize| x.data[i * x.strides[0] + j * x.strides[1]];
        // Whole numbers: exact in any order.
        let expected: Vec<f32> = (0..m * n).map(|at| (0..k).map(|l| of(a, at / n, l) * of(b, l, at % n)).sum()).collect();
        assert_eq!(with(pulp::Scalar, shape, a, b), expected);
        assert_eq!(with(pulp::Scalar128b, shape, a, b), expected);
        assert_eq!(with(pulp::Scalar256b, shape, a, b), expected);
        assert_eq!(with(pulp::Scalar512b, shape, a, b), expected);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            assert_eq!(with(simd, shape, a, b), expected);
        }
    }
}

/// With 24 threads the last part of these rows is small.
#[cfg(feature = "native-cpu")]
#[test]
fn the_number_of_threads_does_not_show() {
    let [m, k, n] = [3790, 24, 8];
    let mut random = Stream::new(2, "matmul", 0);
    let numbers: Vec<f32> = (0..m * k + k * n).map(|_| random.normal() as f32).collect();
    let b = &numbers[m * k..];
    for b in [View::rows(b, n), View::rows(b, k).transposed()] {
        let [one, many] = [1, 24].map(|threads| {
            let mut out = vec![0.0; m * n];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| product([m, k, n], View::rows(&numbers, k), b, Start::Zero, &mut out));
            out
        });
        assert_eq!(one, many);
    }
}

#[test]
fn strides_that_are_neither_rows_nor_columns_are_read_right() {
    let data: Vec<f32> = (0..200).map(|i| i as f32).collect();
    let (a, b) = (View { data: &data, strides: [20, 2] }, View { data: &data, strides: [3, 7] });
    let mut out = vec![0.0; 6];
    product([2, 4, 3], a, b, Start::Zero, &mut out);
    let expected = |i: usize, j: usize| (0..4).map(|k| data[i * 20 + k * 2] * data[k * 3 + j * 7]).sum::<f32>();
    assert_eq!(out, (0..6).map(|at| expected(at / 3, at % 3)).collect::<Vec<f32>>());
}

//! Kendall's tau-b: agreement of two orders, ties allowed.
//!
//! **Method.** Knight (1966): sort by x (then y); the number of swaps a merge sort by y needs is the number of discordant pairs. With `n0` pairs in
//! all, `n1`/`n2`/`n3` tied in x, y and both: tau-b = (n0 − n1 − n2 + n3 − 2·swaps) / √((n0 − n1)(n0 − n2)). O(n log n).

/// Tau-b of two equally long sequences; `None` where lengths differ, values are not finite, or one side is all tied.
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.iter().chain(y).any(|v| !v.is_finite()) {
        return None;
    }
    // Adding zero turns -0 into 0, which total_cmp would keep apart.
    let mut pairs: Vec<(f64, f64)> = x.iter().zip(y).map(|(&x, &y)| (x + 0.0, y + 0.0)).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let tied_x = tied_pairs(pairs.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len));
    let tied_both = tied_pairs(pairs.chunk_by(|a, b| a == b).map(<[_]>::len));
    let mut ys: Vec<f64> = pairs.into_iter().map(|pair| pair.1).collect();
    let swaps = sort_counting_swaps(&mut ys);
    let tied_y = tied_pairs(ys.chunk_by(|a, b| a == b).map(<[_]>::len));
    let all = pairs_of(x.len());
    let scale = ((all - tied_x) * (all - tied_y)).sqrt();
    (scale > 0.0).then(|| (all - tied_x - tied_y + tied_both - 2.0 * swaps) / scale)
}

fn pairs_of(n: usize) -> f64 {
    let n = n as f64;
    n * (n - 1.0) / 2.0
}

fn tied_pairs(runs: impl Iterator<Item = usize>) -> f64 {
    runs.map(pairs_of).sum()
}

/// Bottom-up merge sort; each time an element passes others that are greater, their number is added.
fn sort_counting_swaps(values: &mut Vec<f64>) -> f64 {
    let n = values.len();
    let mut buffer = Vec::with_capacity(n);
    let (mut swaps, mut width) = (0.0, 1);
    while width < n {
        buffer.clear();
        for block in values.chunks(2 * width) {
            let (left, right) = block.split_at(width.min(block.len()));
            let (mut i, mut j) = (0, 0);
            while i < left.len() || j < right.len() {
                let take_right = j < right.len() && (i == left.len() || right[j] < left[i]);
                if take_right {
                    swaps += (left.len() - i) as f64;
                    buffer.push(right[j]);
                    j += 1;
                } else {
                    buffer.push(left[i]);
                    i += 1;
                }
            }
        }
        std::mem::swap(values, &mut buffer);
        width *= 2;
    }
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::train::rng::Stream;

    /// The definition: signs over all pairs.
    fn brute(x: &[f64], y: &[f64]) -> Option<f64> {
        let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
        let (mut s, mut nx, mut ny) = (0.0, 0.0, 0.0);
        for i in 0..x.len() {
            for j in 0..i {
                let (a, b) = (sign(x[i], x[j]), sign(y[i], y[j]));
                s += a * b;
                nx += a * a;
                ny += b * b;
            }
        }
        (nx * ny > 0.0).then(|| s / (nx * ny).sqrt())
    }

    #[test]
    fn equals_the_definition_with_and_without_ties() {
        let mut stream = Stream::new(1, "tau", 0);
        for round in 0..400 {
            let (n, levels) = (stream.below(25), 1 + stream.below(30));
            let mut values = || (0..n).map(|_| stream.below(levels) as f64 - 2.0).collect::<Vec<_>>();
            let (x, y) = (values(), values());
            match (kendall_tau_b(&x, &y), brute(&x, &y)) {
                (Some(fast), Some(slow)) => assert!((fast - slow).abs() < 1e-12, "round {round}: {fast} {slow}"),
                (fast, slow) => assert_eq!(fast, slow, "round {round}"),
            }
        }
        assert_eq!(kendall_tau_b(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(kendall_tau_b(&[-0.0, 0.0], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau_b(&[1.0], &[f64::NAN]), None);
    }
}

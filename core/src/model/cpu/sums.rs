//! Sums over the rows of a matrix: gradients of biases and of norms' weights.
//!
//! A fixed number of groups of rows is summed apart and then in order, so the thread count does not show in the bits.

use super::{for_each_task, rows::moments};

/// Groups of rows.
const GROUPS: usize = 8;

/// What one row adds to the sums.
trait RowTerm: Sync {
    fn add(&self, index: usize, sums: &mut [f32]);
}

struct Group<'a, T> {
    term: &'a T,
    rows: std::ops::Range<usize>,
    sums: &'a mut [f32],
}

impl<T: RowTerm> pulp::WithSimd for Group<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        for row in self.rows {
            self.term.add(row, self.sums);
        }
    }
}

fn over_rows(rows: usize, width: usize, term: &impl RowTerm) -> Vec<f32> {
    let mut partial = vec![0.0_f32; GROUPS * width];
    for_each_task(partial.chunks_mut(width.max(1)).collect(), |group, sums| {
        let rows = rows * group / GROUPS..rows * (group + 1) / GROUPS;
        pulp::Arch::new().dispatch(Group { term, rows, sums });
    });
    let (first, rest) = partial.split_at_mut(width);
    for group in rest.chunks_exact(width.max(1)) {
        first.iter_mut().zip(group).for_each(|(a, b)| *a += b);
    }
    partial.truncate(width);
    partial
}

struct Plain<'a>(&'a [f32]);

impl RowTerm for Plain<'_> {
    #[inline(always)]
    fn add(&self, index: usize, sums: &mut [f32]) {
        let row = &self.0[index * sums.len()..];
        sums.iter_mut().zip(row).for_each(|(s, x)| *s += x);
    }
}

/// The sum of rows of `width`, one after another.
pub fn sum_of_rows(values: &[f32], width: usize) -> Vec<f32> {
    over_rows(values.len() / width.max(1), width, &Plain(values))
}

struct Normed<'a> {
    x: &'a [f32],
    d_out: &'a [f32],
    centred: bool,
    eps: f32,
}

impl RowTerm for Normed<'_> {
    #[inline(always)]
    fn add(&self, index: usize, sums: &mut [f32]) {
        let n = sums.len();
        let (x, d) = (&self.x[index * n..(index + 1) * n], &self.d_out[index * n..(index + 1) * n]);
        let (mean, inverse) = moments(x, self.centred, self.eps);
        for ((s, x), d) in sums.iter_mut().zip(x).zip(d) {
            *s += d * ((x - mean) * inverse);
        }
    }
}

/// Gradient of a norm's scale, from its inputs and the gradient at its outputs, both rows of `width`.
pub fn norm_scale_gradient(x: &[f32], d_out: &[f32], width: usize, centred: bool, eps: f64) -> Vec<f32> {
    over_rows(x.len() / width.max(1), width, &Normed { x, d_out, centred, eps: eps as f32 })
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_are_summed_for_any_number_of_them() {
        for rows in [0, 1, 5, 8, 19] {
            let values: Vec<f32> = (0..rows * 3).map(|i| i as f32).collect();
            let expected: Vec<f32> = (0..3).map(|j| (0..rows).map(|i| (i * 3 + j) as f32).sum()).collect();
            assert_eq!(super::sum_of_rows(&values, 3), expected);
        }
    }
}

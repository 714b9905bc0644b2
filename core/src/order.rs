//! Sorting the numbers of things (edges, tokens, rows) by what they stand for.
//!
//! The library's sort is compiled anew for every comparison, some 9 kB each time, which a page would download: here all comparisons share one.

use std::cmp::Ordering;

/// Sorts `ids` so that `compare` never finds a pair the wrong way round; in which order equals stand is left open.
pub fn sort(ids: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    ids.sort_unstable_by(|&a, &b| compare(a, b));
}

/// The positions of `values`, largest first; equals in their order.
pub fn descending(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    sort(&mut order, &|a, b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    order
}

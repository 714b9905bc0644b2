//! Logits to losses and gradients, in place.

use super::{
    for_each_task,
    rows::{exp, largest, sum},
};

struct Rows<'a> {
    logits: &'a mut [f32],
    losses: &'a mut [f32],
    targets: &'a [u32],
    weights: &'a [f32],
    vocab: usize,
}

impl pulp::WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let rows = self.logits.chunks_exact_mut(self.vocab).zip(self.losses);
        for (((row, loss), &target), &weight) in rows.zip(self.targets).zip(self.weights) {
            let target = target as usize;
            let largest = largest(row);
            let chosen = row.get(target).map_or(f32::NAN, |x| x - largest);
            for x in row.iter_mut() {
                *x = exp(*x - largest);
            }
            let total = sum(row, |x| x);
            *loss = weight * (total.ln() - chosen);
            let factor = weight / total;
            for x in row.iter_mut() {
                *x *= factor;
            }
            if let Some(x) = row.get_mut(target) {
                *x -= weight;
            }
        }
    }
}

/// Turns rows of `vocab` logits into the gradient of `weight * -log p(target)`, and returns those losses, one a row; not a number for a target outside the vocabulary.
pub fn cross_entropy(logits: &mut [f32], vocab: usize, targets: &[u32], weights: &[f32]) -> Vec<f32> {
    const ROWS: usize = 16;
    let mut losses = vec![0.0; targets.len()];
    let tasks = logits.chunks_mut(ROWS * vocab.max(1)).zip(losses.chunks_mut(ROWS)).zip(targets.chunks(ROWS).zip(weights.chunks(ROWS)));
    let tasks = tasks.map(|((logits, losses), (targets, weights))| Rows { logits, losses, targets, weights, vocab }).collect();
    for_each_task(tasks, |_, rows: Rows<'_>| pulp::Arch::new().dispatch(rows));
    losses
}

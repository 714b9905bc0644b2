//! The two losses as plain numbers: the reference that golden values are compared with. Training computes them with their gradients (`model`).

/// Added to the variance of a patch.
pub const PIXEL_EPS: f64 = 1e-6;
/// A label that counts for nothing.
pub const IGNORE: i64 = -100;

/// Mean of a patch and the deviation it is standardised with, of its variance (N - 1) and [`PIXEL_EPS`].
#[must_use]
pub fn mean_and_deviation(patch: &[f64]) -> (f64, f64) {
    let n = patch.len() as f64;
    let mean = patch.iter().sum::<f64>() / n;
    let variance = patch.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (variance + PIXEL_EPS).sqrt())
}

/// A patch standardised by its own mean and variance; a flat one becomes zeros.
#[must_use]
pub fn standardised(patch: &[f64]) -> Vec<f64> {
    let (mean, deviation) = mean_and_deviation(patch);
    let scale = 1.0 / deviation;
    patch.iter().map(|v| (v - mean) * scale).collect()
}

/// What was redrawn standardised as pixels again, by the mean and the variance of the `true_patch`, which nobody but the one who asks knows.
#[must_use]
pub fn destandardised(redrawn: &[f64], true_patch: &[f64]) -> Vec<f64> {
    let (mean, deviation) = mean_and_deviation(true_patch);
    redrawn.iter().map(|v| mean + v * deviation).collect()
}

/// Mean squared error of each patch, and their mean over the counted ones (0 where none is).
#[must_use]
pub fn pixel_loss(targets: &[Vec<f64>], predictions: &[Vec<f64>], counted: &[bool], standardise: bool) -> (Vec<f64>, f64) {
    let error = |(target, prediction): (&Vec<f64>, &Vec<f64>)| {
        let target = if standardise { standardised(target) } else { target.clone() };
        target.iter().zip(prediction).map(|(t, p)| (t - p) * (t - p)).sum::<f64>() / target.len().max(1) as f64
    };
    let errors: Vec<f64> = targets.iter().zip(predictions).map(error).collect();
    let count = counted.iter().filter(|&&counted| counted).count();
    let sum: f64 = errors.iter().zip(counted).filter(|(_, counted)| **counted).map(|(error, _)| error).sum();
    (errors, if count == 0 { 0.0 } else { sum / count as f64 })
}

/// Mean cross-entropy over rows whose label counts, and their number.
#[must_use]
pub fn text_loss(logits: &[Vec<f64>], labels: &[i64]) -> (f64, usize) {
    let (mut sum, mut count) = (0.0, 0);
    for (row, &label) in logits.iter().zip(labels) {
        if label == IGNORE {
            continue;
        }
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let normaliser = largest + row.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
        sum += usize::try_from(label).ok().and_then(|label| row.get(label)).map_or(f64::NAN, |x| normaliser - x);
        count += 1;
    }
    (if count == 0 { 0.0 } else { sum / count as f64 }, count)
}

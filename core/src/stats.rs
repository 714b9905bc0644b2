//! Means, spreads and intervals, for every study that compares.

use crate::train::rng::Stream;

/// Resamples of a bootstrap.
const RESAMPLES: u64 = 1000;

/// The mean; 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The standard deviation of a sample (N - 1); 0 of fewer than two values.
#[must_use]
pub fn spread(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0).max(1.0)).sqrt()
}

/// The middle 95 % of the mean of `values` over resamples (percentile bootstrap; Efron 1979). For a paired comparison, hand over differences.
#[must_use]
pub fn interval(values: &[f64], seed: u64) -> [f64; 2] {
    if values.is_empty() {
        return [0.0; 2];
    }
    let resample = |i| {
        let mut draw = Stream::new(seed, "bootstrap", i);
        (0..values.len()).map(|_| values[draw.below(values.len())]).sum::<f64>() / values.len() as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(resample).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    [at(0.025), at(0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_the_mean_and_narrow_with_more_values() {
        let wide = interval(&[0.0, 1.0].repeat(8), 1);
        let narrow = interval(&[0.0, 1.0].repeat(200), 1);
        assert!(wide[0] < narrow[0] && narrow[0] < 0.5 && 0.5 < narrow[1] && narrow[1] < wide[1]);
        // Of 400 tosses the middle 95 % are within about 0.05.
        assert!((narrow[1] - narrow[0] - 0.098).abs() < 0.02, "{narrow:?}");
        assert_eq!(interval(&[1.0; 9], 3), [1.0, 1.0]);
        assert_eq!((mean(&[1.0, 2.0]), mean(&[])), (1.5, 0.0));
        assert!((spread(&[1.0, 3.0]) - 2.0_f64.sqrt()).abs() < 1e-12 && spread(&[4.0]) == 0.0);
    }
}

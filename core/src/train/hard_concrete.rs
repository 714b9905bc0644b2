//! Hard-concrete masks: random gates that are exactly 0 or 1 with some probability and still have a gradient.
//!
//! **Idea.** A binary mask cannot be trained by gradient. Draw instead a number from a stretched, squashed and clamped logistic distribution with one parameter, log alpha:
//! the clamp makes exact zeros and ones likely, the middle carries gradient.
//!
//! **Method.** `s = sigmoid((ln u - ln(1 - u) + a) / b)`, `z = clamp(s (zeta - gamma) + gamma, 0, 1)`, with `gamma = -0.1`, `zeta = 1.1`, `b = 2/3`. `P(z = 0) = sigmoid(b ln(-gamma / zeta) - a)`. For evaluation the
//! soft value is `sigmoid(0.8 a / b)`, and of each group the `round(sum P(z = 0))` smallest become 0.
//!
//! **Source.** Louizos, Welling and Kingma 2018 (the distribution); the public code of Bhaskar et al. 2024 (constants, the factor 0.8).

use crate::{golden::Agreement, order};

/// Lower end of the stretched interval.
pub const GAMMA: f64 = -0.1;
/// Upper end of the stretched interval.
pub const ZETA: f64 = 1.1;
/// Temperature.
pub const BETA: f64 = 2.0 / 3.0;
/// Keeps `u` and probabilities off 0 and 1.
pub const EPSILON: f64 = 1e-6;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A draw: the mask `z` and its slope `dz / da` (0 where clamped).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    pub z: f32,
    pub slope: f32,
}

/// The mask that the uniform number `u` gives at log alpha `a`.
pub fn draw(a: f32, u: f64) -> Draw {
    let u = u.clamp(EPSILON, 1.0 - EPSILON);
    let s = sigmoid((u.ln() - (-u).ln_1p() + f64::from(a)) / BETA);
    let stretched = s * (ZETA - GAMMA) + GAMMA;
    if stretched <= 0.0 {
        Draw { z: 0.0, slope: 0.0 }
    } else if stretched >= 1.0 {
        Draw { z: 1.0, slope: 0.0 }
    } else {
        Draw { z: stretched as f32, slope: ((ZETA - GAMMA) * s * (1.0 - s) / BETA) as f32 }
    }
}

/// Probability that a draw is exactly 0.
pub fn probability_zero(a: f32) -> f64 {
    sigmoid(BETA * (-GAMMA / ZETA).ln() - f64::from(a)).clamp(EPSILON, 1.0 - EPSILON)
}

/// The deterministic value used for evaluation, before the smallest are set to 0.
pub fn soft(a: f32) -> f32 {
    sigmoid(0.8 * f64::from(a) / BETA) as f32
}

/// Evaluation masks of one group: soft values, the `round(sum P(z = 0))` smallest set to 0 (ties by index).
pub fn evaluation_masks(log_alpha: &[f32]) -> Vec<f32> {
    let mut masks: Vec<f32> = log_alpha.iter().map(|&a| soft(a)).collect();
    let zeros = log_alpha.iter().map(|&a| probability_zero(a)).sum::<f64>().round() as usize;
    for i in order::descending(log_alpha).into_iter().rev().take(zeros) {
        masks[i] = 0.0;
    }
    masks
}

/// The binary masks that keep the `round(sum of evaluation masks)` largest.
pub fn discretise(log_alpha: &[f32]) -> Vec<bool> {
    let keep = evaluation_masks(log_alpha).iter().map(|&m| f64::from(m)).sum::<f64>().round() as usize;
    keep_largest(log_alpha, keep)
}

/// Binary masks that keep the `keep` largest values (ties: the smaller index is kept).
pub fn keep_largest(values: &[f32], keep: usize) -> Vec<bool> {
    let mut kept = vec![false; values.len()];
    for i in order::descending(values).into_iter().take(keep) {
        kept[i] = true;
    }
    kept
}

/// Published values of the distribution, six decimals.
#[must_use]
pub fn golden() -> Agreement {
    const TOLERANCE: f64 = 1e-5;
    let mut found = Agreement::of("hard-concrete");
    for (a, p0, soft_value) in [
        (0.0_f32, 0.168_178, 0.5),
        (2.0, 0.026_633, 0.916_827),
        (-2.0, 0.599_025, 0.083_173),
        (10.0, 0.000_009, 0.999_994),
        (-10.0, 0.999_775, 0.000_006),
    ] {
        found.case((probability_zero(a) - p0).abs(), TOLERANCE, || format!("P(z = 0) at {a}"));
        found.case((f64::from(soft(a)) - soft_value).abs(), TOLERANCE, || format!("soft value at {a}"));
    }
    for (a, u, z) in [(0.0_f32, 0.3, 0.162_914), (0.0, 0.5, 0.5), (2.0, 0.3, 0.919_150), (2.0, 0.5, 1.0), (-2.0, 0.3, 0.0)] {
        found.case((f64::from(draw(a, u).z) - z).abs(), TOLERANCE, || format!("draw at {a}, u {u}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::rng::Stream;

    #[test]
    fn published_values() {
        let found = golden();
        assert!(found.passed(), "{found}");
        assert_eq!(found.cases, 15);
    }

    #[test]
    fn zeros_come_as_often_as_their_probability_says() {
        for a in [-3.0_f32, -1.0, 0.0, 1.0, 3.0] {
            let mut stream = Stream::new(11, "zeros", 0);
            let zeros = (0..100_000).filter(|_| draw(a, stream.uniform()).z == 0.0).count();
            assert!((zeros as f64 / 1e5 - probability_zero(a)).abs() < 0.01);
        }
    }

    #[test]
    fn the_slope_is_the_finite_difference() {
        for a in [-1.5_f32, -0.3, 0.0, 0.8] {
            for u in [0.2, 0.35, 0.5, 0.65] {
                let numeric = (f64::from(draw(a + 0.01, u).z) - f64::from(draw(a - 0.01, u).z)) / 0.02;
                let slope = f64::from(draw(a, u).slope);
                assert!(slope == 0.0 || (numeric / slope - 1.0).abs() < 1e-2, "a {a} u {u}: {numeric} {slope}");
            }
        }
    }

    #[test]
    fn discretising_keeps_the_rounded_sum_of_the_evaluation_masks() {
        let mut stream = Stream::new(2, "discretise", 0);
        for _ in 0..50 {
            let a: Vec<f32> = (0..200).map(|_| (stream.normal() * 4.0) as f32).collect();
            let sum: f64 = evaluation_masks(&a).iter().map(|&m| f64::from(m)).sum();
            let kept = discretise(&a);
            assert_eq!(kept.iter().filter(|&&k| k).count(), sum.round() as usize);
            let lowest_kept = a.iter().zip(&kept).filter(|(_, k)| **k).map(|(a, _)| *a).fold(f32::INFINITY, f32::min);
            assert!(a.iter().zip(&kept).all(|(&a, &k)| k || a <= lowest_kept));
        }
    }
}

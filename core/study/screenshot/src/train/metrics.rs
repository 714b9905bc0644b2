//! How good predictions are: accuracy, F1, Matthews' and the two correlations that GLUE asks for.

use serde::{Deserialize, Serialize};

/// What a task is measured by; all are higher where better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Accuracy,
    /// Of class 1.
    F1,
    /// Matthews' correlation of two classes.
    Matthews,
    /// Correlation of ranks.
    Spearman,
}

impl Metric {
    /// The metric of found against wanted values (numbers of classes, or numbers); 0 where it is not defined.
    #[must_use]
    pub fn of(self, found: &[f64], wanted: &[f64]) -> f64 {
        let count = |f: f64, w: f64| found.iter().zip(wanted).filter(|&(&a, &b)| a == f && b == w).count() as f64;
        let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
        match self {
            Self::Accuracy => ratio(found.iter().zip(wanted).filter(|(f, w)| f == w).count() as f64, wanted.len() as f64),
            Self::F1 => {
                let hits = count(1.0, 1.0);
                ratio(2.0 * hits, 2.0 * hits + count(1.0, 0.0) + count(0.0, 1.0))
            }
            Self::Matthews => {
                let [tp, tn, fp, fn_] = [count(1.0, 1.0), count(0.0, 0.0), count(1.0, 0.0), count(0.0, 1.0)];
                ratio(tp * tn - fp * fn_, ((tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_)).sqrt())
            }
            Self::Spearman => pearson(&ranks(found), &ranks(wanted)),
        }
    }

    /// The name that is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "F1",
            Self::Matthews => "Matthews' correlation",
            Self::Spearman => "Spearman's correlation",
        }
    }
}

/// Linear correlation; 0 where one side does not vary.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len()).max(1) as f64;
    let [mean_a, mean_b] = [a, b].map(|x| x.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let same = order[from..].iter().take_while(|&&i| values[i] == values[order[from]]).count();
        for &i in &order[from..from + same] {
            ranks[i] = from as f64 + f64::midpoint(same as f64, 1.0);
        }
        from += same;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_those_of_textbooks() {
        let (found, wanted) = ([1.0, 1.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert!((Metric::Accuracy.of(&found, &wanted) - 4.0 / 6.0).abs() < 1e-12);
        assert!((Metric::F1.of(&found, &wanted) - 2.0 / 3.0).abs() < 1e-12);
        // (2 * 2 - 1 * 1) / sqrt(3 * 3 * 3 * 3)
        assert!((Metric::Matthews.of(&found, &wanted) - 3.0 / 9.0).abs() < 1e-12);
        assert_eq!(Metric::Matthews.of(&[1.0; 3], &[1.0, 0.0, 1.0]), 0.0, "one class found");
        // Ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5).
        let rho = Metric::Spearman.of(&[0.1, 0.5, 0.5, 9.0], &[1.0, 4.0, 3.0, 5.0]);
        assert!((rho - 4.5 / (4.5_f64 * 5.0).sqrt()).abs() < 1e-12, "{rho}");
        assert_eq!(Metric::Spearman.of(&[2.0; 3], &[1.0, 2.0, 3.0]), 0.0);
        assert!((pearson(&[1.0, 2.0, 3.0], &[-2.0, -4.0, -6.0]) + 1.0).abs() < 1e-12);
        assert_eq!(Metric::Accuracy.of(&[], &[]), 0.0);
    }
}

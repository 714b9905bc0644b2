//! Figures of faithfulness, as functions of plain logits.
//!
//! Every function takes the logits of one position (any float scale) and computes in double precision. With a `subset` the softmax runs over
//! those ids only, in their order. Ties of an argmax go to the lowest index, so results never depend on how a maximum is searched.

use thiserror::Error;

/// Why a figure is not defined.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum MetricError {
    #[error("the two sides have {left} and {right} values; they must have the same number")]
    Lengths { left: usize, right: usize },
    #[error("id {id} is outside the {size} logits")]
    Id { id: usize, size: usize },
    #[error("there are no values")]
    Empty,
    #[error("value {index} is not a finite number")]
    NotFinite { index: usize },
}

/// The chosen logits, in double precision, checked to be finite.
fn chosen(logits: &[f32], subset: Option<&[u32]>) -> Result<Vec<f64>, MetricError> {
    let at = |id: usize| logits.get(id).copied().ok_or(MetricError::Id { id, size: logits.len() });
    let values: Vec<f64> = match subset {
        Some(ids) => ids.iter().map(|&id| at(id as usize).map(f64::from)).collect::<Result<_, _>>()?,
        None => logits.iter().map(|&x| f64::from(x)).collect(),
    };
    match values.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { index }),
        None if values.is_empty() => Err(MetricError::Empty),
        None => Ok(values),
    }
}

/// Log-probabilities over the whole vocabulary or a subset.
///
/// # Errors
/// [`MetricError`] for no values, ids outside, or values that are not finite.
pub fn log_softmax(logits: &[f32], subset: Option<&[u32]>) -> Result<Vec<f64>, MetricError> {
    let mut values = chosen(logits, subset)?;
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = top + values.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
    for x in &mut values {
        *x -= log_sum;
    }
    Ok(values)
}

/// Probabilities over the whole vocabulary or a subset.
///
/// # Errors
/// As [`log_softmax`].
pub fn softmax(logits: &[f32], subset: Option<&[u32]>) -> Result<Vec<f64>, MetricError> {
    Ok(log_softmax(logits, subset)?.into_iter().map(f64::exp).collect())
}

/// KL(reference ‖ other) in nats, never below zero.
///
/// # Errors
/// [`MetricError`], also where the two differ in length.
pub fn kl(reference: &[f32], other: &[f32], subset: Option<&[u32]>) -> Result<f64, MetricError> {
    if reference.len() != other.len() {
        return Err(MetricError::Lengths { left: reference.len(), right: other.len() });
    }
    let (p, q) = (log_softmax(reference, subset)?, log_softmax(other, subset)?);
    Ok(p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>().max(0.0))
}

/// Index (in the vocabulary, or in the subset) of the largest logit.
///
/// # Errors
/// As [`log_softmax`].
pub fn argmax(logits: &[f32], subset: Option<&[u32]>) -> Result<usize, MetricError> {
    let values = chosen(logits, subset)?;
    Ok(values.iter().enumerate().fold(0, |best, (i, x)| if *x > values[best] { i } else { best }))
}

/// Logit of the answer minus logit of the wrong answer.
///
/// # Errors
/// [`MetricError::Id`], [`MetricError::NotFinite`].
pub fn logit_difference(logits: &[f32], answer: u32, wrong: u32) -> Result<f64, MetricError> {
    let pair = chosen(logits, Some(&[answer, wrong]))?;
    Ok(pair[0] - pair[1])
}

/// Greater-than: probability above `yy` minus probability below it, over the probabilities of 00..99 (or any range of values).
/// With `within`, only values at most that far from `yy` count (`Some(10)` gives "PD10").
pub fn probability_difference(probabilities: &[f64], yy: usize, within: Option<usize>) -> f64 {
    let counts = |value: usize| within.is_none_or(|within| value.abs_diff(yy) <= within);
    let signed = probabilities.iter().enumerate().filter(|(value, _)| counts(*value)).map(|(value, p)| match value.cmp(&yy) {
        std::cmp::Ordering::Greater => *p,
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Less => -*p,
    });
    signed.sum()
}

/// Greater-than where digits are tokens: probability of tens digits that are at least the year's, minus that of smaller ones.
pub fn tens_digit_difference(probabilities: &[f64], yy: usize) -> f64 {
    probabilities.iter().enumerate().map(|(digit, p)| if digit >= yy / 10 { *p } else { -*p }).sum()
}

/// Mean, or `None` of no values.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0_u32), |(sum, count), x| (sum + x, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Area under the ROC curve of scores against a truth: the chance that a true item scores above a false one, ties counting one half.
///
/// # Errors
/// [`MetricError::Empty`] where one side is empty, so that the area is undefined; lengths and values that are not finite.
pub fn auroc(scores: &[f32], truth: &[bool]) -> Result<f64, MetricError> {
    if scores.len() != truth.len() {
        return Err(MetricError::Lengths { left: scores.len(), right: truth.len() });
    }
    if let Some(index) = scores.iter().position(|x| !x.is_finite()) {
        return Err(MetricError::NotFinite { index });
    }
    let mut order: Vec<(f32, bool)> = scores.iter().copied().zip(truth.iter().copied()).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Within a run of equal scores, every (true, false) pair counts one half. -0 and 0 sort apart but are equal here.
    let (mut wins, mut negatives_below, mut positives) = (0.0, 0.0, 0.0);
    for run in order.chunk_by(|a, b| a.0 == b.0) {
        let true_here = run.iter().filter(|item| item.1).count() as f64;
        let false_here = run.len() as f64 - true_here;
        wins += true_here * (negatives_below + 0.5 * false_here);
        negatives_below += false_here;
        positives += true_here;
    }
    if positives == 0.0 || negatives_below == 0.0 { Err(MetricError::Empty) } else { Ok(wins / (positives * negatives_below)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::train::rng::Stream;

    fn logits(stream: &mut Stream, n: usize) -> Vec<f32> {
        (0..n).map(|_| (stream.uniform() * 8.0 - 4.0) as f32).collect()
    }

    #[test]
    fn divergence_equals_its_definition() {
        let mut stream = Stream::new(1, "kl", 0);
        for _ in 0..50 {
            let (a, b) = (logits(&mut stream, 7), logits(&mut stream, 7));
            let naive = |ids: &[u32]| {
                let p = |x: &[f32]| {
                    let e: Vec<f64> = ids.iter().map(|&i| f64::from(x[i as usize]).exp()).collect();
                    let sum: f64 = e.iter().sum();
                    e.into_iter().map(|e| e / sum).collect::<Vec<_>>()
                };
                p(&a).iter().zip(p(&b)).map(|(p, q)| p * (p / q).ln()).sum::<f64>()
            };
            assert!((kl(&a, &b, None).unwrap() - naive(&[0, 1, 2, 3, 4, 5, 6])).abs() < 1e-12);
            assert!((kl(&a, &b, Some(&[6, 2, 3])).unwrap() - naive(&[6, 2, 3])).abs() < 1e-12);
            assert_eq!(kl(&a, &a, None).unwrap(), 0.0);
        }
        // A shift of all logits changes nothing, even a large one.
        let (a, b) = ([1000.0, 1001.0], [-3000.0_f32, -3001.0]);
        let p = 1.0 / (1.0 + (-1.0_f64).exp());
        assert!((kl(&a, &b, None).unwrap() - (2.0 * p - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn undefined_figures_are_errors() {
        assert_eq!(kl(&[1.0], &[1.0, 2.0], None), Err(MetricError::Lengths { left: 1, right: 2 }));
        assert_eq!(kl(&[1.0, f32::NAN], &[1.0, 2.0], None), Err(MetricError::NotFinite { index: 1 }));
        assert_eq!(kl(&[1.0], &[1.0], Some(&[3])), Err(MetricError::Id { id: 3, size: 1 }));
        assert_eq!(argmax(&[], None), Err(MetricError::Empty));
        assert_eq!(logit_difference(&[1.0, 4.0], 1, 0), Ok(3.0));
        assert_eq!(argmax(&[1.0, 5.0, 5.0], None), Ok(1));
        assert_eq!(argmax(&[9.0, 5.0, 6.0], Some(&[1, 2])), Ok(1));
        assert_eq!(auroc(&[1.0, 2.0], &[true, true]), Err(MetricError::Empty));
        assert_eq!(mean([]), None);
    }

    #[test]
    fn year_differences_count_the_right_sides() {
        let mut p = vec![0.0; 100];
        (p[31], p[32], p[33], p[42], p[43], p[21]) = (0.1, 0.2, 0.3, 0.05, 0.25, 0.1);
        assert!((probability_difference(&p, 32, None) - 0.4).abs() < 1e-12);
        assert!((probability_difference(&p, 32, Some(10)) - 0.25).abs() < 1e-12);
        let digits = [0.1, 0.1, 0.1, 0.4, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert!((tens_digit_difference(&digits, 32) - 0.4).abs() < 1e-12);
        assert!((tens_digit_difference(&digits, 2) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn area_equals_the_count_of_ordered_pairs() {
        let mut stream = Stream::new(2, "auroc", 0);
        for round in 0..200 {
            let n = 2 + stream.below(30);
            let scores: Vec<f32> = (0..n).map(|_| stream.below(6) as f32 - 3.0).collect();
            let truth: Vec<bool> = (0..n).map(|_| stream.below(3) == 0).collect();
            let (mut wins, mut pairs) = (0.0, 0.0);
            for i in (0..n).filter(|&i| truth[i]) {
                for j in (0..n).filter(|&j| !truth[j]) {
                    pairs += 1.0;
                    wins += if scores[i] > scores[j] {
                        1.0
                    } else if scores[i] == scores[j] {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
            match auroc(&scores, &truth) {
                Ok(area) => assert!((area - wins / pairs).abs() < 1e-12, "round {round}"),
                Err(error) => assert!(error == MetricError::Empty && pairs == 0.0),
            }
        }
        assert_eq!(auroc(&[0.0, -0.0], &[true, false]), Ok(0.5));
    }
}

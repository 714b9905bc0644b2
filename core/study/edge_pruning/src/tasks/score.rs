//! All figures of one example at once, from the logits of the full model and of the circuit.

use super::encode::{Encoded, NumericScoring, Scoring, TargetKind, YearForm};
use super::kendall::kendall_tau_b;
use super::metrics::{MetricError, argmax, kl, logit_difference, mean, probability_difference, softmax, tens_digit_difference};
use serde::{Deserialize, Serialize};

/// Figures of one example, or means over many. `None`: the task does not define it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// KL(full model ‖ circuit), mean over positions, in nats. For numbers with squared error: that error.
    pub kl: f64,
    /// Share of positions whose argmax equals the full model's.
    pub exact_match: Option<f64>,
    /// Share of positions whose argmax is right (for years: above `yy`, or a tens digit at least the year's).
    pub accuracy: Option<f64>,
    /// Logit of the answer minus that of the wrong answer, mean over the positions that have one.
    pub logit_difference: Option<f64>,
    /// Share of those positions where it is positive.
    pub answer_above_wrong: Option<f64>,
    /// Greater-than: probability above the year minus below it (tens digits: at least minus below).
    pub probability_difference: Option<f64>,
    /// The same over values within ten of the year; two-digit tokens only.
    pub probability_difference_10: Option<f64>,
    /// Kendall's tau-b between the circuit's and the full model's 100 probabilities; two-digit tokens only.
    pub kendall_tau: Option<f64>,
}

/// Scores one language-model example. `reference` and `circuit` hold the logits of `example.positions`, one row a position.
///
/// # Errors
/// [`MetricError`] where rows are missing, differ in length, hold values that are not finite, or ids outside.
pub fn score(example: &Encoded, scoring: &Scoring, reference: &[&[f32]], circuit: &[&[f32]]) -> Result<Scores, MetricError> {
    let positions = example.positions.len();
    for rows in [reference.len(), circuit.len()] {
        if rows != positions {
            return Err(MetricError::Lengths { left: positions, right: rows });
        }
    }
    let subset = if let Scoring::Subset(ids) = scoring { Some(ids.as_slice()) } else { None };
    let rows = || reference.iter().zip(circuit);
    let divergences = rows().map(|(r, c)| kl(r, c, subset)).collect::<Result<Vec<_>, _>>()?;
    let matches = rows().map(|(r, c)| Ok(share(argmax(r, subset)? == argmax(c, subset)?))).collect::<Result<Vec<_>, _>>()?;
    let mut scores = Scores { kl: mean(divergences).ok_or(MetricError::Empty)?, exact_match: mean(matches), ..Scores::default() };
    match example.target {
        TargetKind::Tokens => {
            let best = circuit.iter().map(|row| argmax(row, None)).collect::<Result<Vec<_>, _>>()?;
            scores.accuracy = mean(best.iter().zip(&example.answers).map(|(&best, &answer)| share(best == answer as usize)));
            let contrasted = circuit.iter().zip(&example.answers).zip(&example.wrong);
            let differences = contrasted
                .filter_map(|((row, &answer), wrong)| wrong.map(|wrong| logit_difference(row, answer, wrong)))
                .collect::<Result<Vec<_>, _>>()?;
            scores.logit_difference = mean(differences.iter().copied());
            scores.answer_above_wrong = mean(differences.iter().map(|&d| share(d > 0.0)));
        }
        TargetKind::Year { yy, form } => {
            let (Some(reference), Some(circuit)) = (reference.last(), circuit.last()) else { return Err(MetricError::Empty) };
            let (p, best, yy) = (softmax(circuit, subset)?, argmax(circuit, subset)?, usize::from(yy));
            match form {
                YearForm::TwoDigits => {
                    scores.accuracy = Some(share(best > yy));
                    scores.probability_difference = Some(probability_difference(&p, yy, None));
                    scores.probability_difference_10 = Some(probability_difference(&p, yy, Some(10)));
                    scores.kendall_tau = kendall_tau_b(&p, &softmax(reference, subset)?);
                }
                YearForm::Digits => {
                    scores.accuracy = Some(share(best >= yy / 10));
                    scores.probability_difference = Some(tens_digit_difference(&p, yy));
                }
            }
        }
    }
    Ok(scores)
}

/// Divergence of one input of a compiled program, from the outputs of the positions after the first.
///
/// Classes: mean KL over positions. Numbers (rows of one value): the sequence's values as logits, or the mean squared difference.
///
/// # Errors
/// [`MetricError`].
pub fn tracr_divergence(numeric: Option<NumericScoring>, reference: &[&[f32]], circuit: &[&[f32]]) -> Result<f64, MetricError> {
    if reference.len() != circuit.len() {
        return Err(MetricError::Lengths { left: reference.len(), right: circuit.len() });
    }
    let Some(numeric) = numeric else {
        let all = reference.iter().zip(circuit).map(|(r, c)| kl(r, c, None)).collect::<Result<Vec<_>, _>>()?;
        return mean(all).ok_or(MetricError::Empty);
    };
    let column = |rows: &[&[f32]]| -> Result<Vec<f32>, MetricError> {
        rows.iter().map(|row| if let [x] = row { Ok(*x) } else { Err(MetricError::Lengths { left: row.len(), right: 1 }) }).collect()
    };
    let (reference, circuit) = (column(reference)?, column(circuit)?);
    match numeric {
        NumericScoring::AsLogits => kl(&reference, &circuit, None),
        NumericScoring::SquaredError => {
            if let Some(index) = reference.iter().chain(&circuit).position(|x| !x.is_finite()) {
                return Err(MetricError::NotFinite { index: index % reference.len() });
            }
            mean(reference.iter().zip(&circuit).map(|(r, c)| (f64::from(*r) - f64::from(*c)).powi(2))).ok_or(MetricError::Empty)
        }
    }
}

/// Mean of each figure over the examples that have it; `None` of no examples.
pub fn mean_scores(all: &[Scores]) -> Option<Scores> {
    let over = |field: fn(&Scores) -> Option<f64>| mean(all.iter().filter_map(field));
    Some(Scores {
        kl: mean(all.iter().map(|s| s.kl))?,
        exact_match: over(|s| s.exact_match),
        accuracy: over(|s| s.accuracy),
        logit_difference: over(|s| s.logit_difference),
        answer_above_wrong: over(|s| s.answer_above_wrong),
        probability_difference: over(|s| s.probability_difference),
        probability_difference_10: over(|s| s.probability_difference_10),
        kendall_tau: over(|s| s.kendall_tau),
    })
}

fn share(hit: bool) -> f64 {
    f64::from(u8::from(hit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(answers: Vec<u32>, wrong: Vec<Option<u32>>, target: TargetKind, n: usize) -> Encoded {
        Encoded { clean: vec![0; 4], corrupted: vec![0; 4], positions: (0..n).collect(), answers, wrong, target }
    }

    #[test]
    fn token_tasks_have_token_figures() {
        let e = example(vec![2, 0], vec![Some(1), None], TargetKind::Tokens, 2);
        let (full, circuit): ([&[f32]; 2], [&[f32]; 2]) = ([&[0.0, 1.0, 3.0], &[5.0, 0.0, 0.0]], [&[0.0, 4.0, 3.0], &[5.0, 0.0, 0.0]]);
        let s = score(&e, &Scoring::FullVocab, &full, &circuit).unwrap();
        assert!((s.kl - kl(full[0], circuit[0], None).unwrap() / 2.0).abs() < 1e-15 && s.kl > 0.1);
        assert_eq!((s.exact_match, s.accuracy), (Some(0.5), Some(0.5)));
        assert_eq!((s.logit_difference, s.answer_above_wrong, s.kendall_tau), (Some(-1.0), Some(0.0), None));
        assert_eq!(score(&e, &Scoring::FullVocab, &full[..1], &circuit), Err(MetricError::Lengths { left: 2, right: 1 }));
        let both = mean_scores(&[s, Scores { kl: 0.0, ..Scores::default() }]).unwrap();
        assert_eq!((both.kl, both.accuracy), (s.kl / 2.0, Some(0.5)));
        assert_eq!(mean_scores(&[]), None);
    }

    #[test]
    fn years_are_scored_over_their_subset_only() {
        // Ids 100..200 stand for 00..99; a huge logit outside the subset must not matter.
        let ids: Vec<u32> = (100..200).collect();
        let logits = |peak: usize, outside: f32| {
            let mut row: Vec<f32> = (0..200).map(|i| if i >= 100 { -((i as f32 - 100.0 - peak as f32).abs()) } else { outside }).collect();
            row[0] = outside;
            row
        };
        let e = example(vec![], vec![], TargetKind::Year { yy: 32, form: YearForm::TwoDigits }, 1);
        let (full, circuit) = (logits(60, 0.0), logits(60, 99.0));
        let s = score(&e, &Scoring::Subset(ids.clone()), &[&full], &[&circuit]).unwrap();
        assert!(s.kl < 1e-12 && s.kendall_tau.unwrap() > 1.0 - 1e-12);
        assert_eq!((s.accuracy, s.exact_match, s.logit_difference), (Some(1.0), Some(1.0), None));
        assert!(s.probability_difference.unwrap() > 0.999 && s.probability_difference_10.unwrap() < 0.01);
        let low = logits(20, 0.0);
        let s = score(&e, &Scoring::Subset(ids), &[&full], &[&low]).unwrap();
        assert!(s.accuracy == Some(0.0) && s.probability_difference.unwrap() < -0.99 && s.kendall_tau.unwrap() < 0.5);
    }

    #[test]
    fn programs_are_compared_by_class_or_by_number() {
        let (r, c): ([&[f32]; 2], [&[f32]; 2]) = ([&[0.5], &[1.0]], [&[0.25], &[1.0]]);
        assert!((tracr_divergence(Some(NumericScoring::SquaredError), &r, &c).unwrap() - 0.03125).abs() < 1e-12);
        let as_logits = tracr_divergence(Some(NumericScoring::AsLogits), &r, &c).unwrap();
        assert!((as_logits - kl(&[0.5, 1.0], &[0.25, 1.0], None).unwrap()).abs() < 1e-15);
        assert_eq!(tracr_divergence(None, &r, &c).unwrap(), 0.0);
        assert_eq!(
            tracr_divergence(Some(NumericScoring::AsLogits), &[&[1.0, 2.0]], &[&[1.0, 2.0]]),
            Err(MetricError::Lengths { left: 2, right: 1 })
        );
    }
}

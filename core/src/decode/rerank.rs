//! Choosing among hypotheses after the search.
//!
//! **Minimum Bayes risk** (Kumar and Byrne 2004; Eikema and Aziz 2020): the hypothesis most like the others, `argmax_h sum_r p(r) u(h, r)`, for any measure of likeness. Exact equality as
//! the measure, with equal weights, is voting (self-consistency, Wang et al. 2023). Orders are stable: of equals the earlier stays first.

use super::{beam::LengthPenalty, search::Hypothesis};

/// Best first by log-probability for the length.
pub fn by_length(hypotheses: &mut [Hypothesis], penalty: LengthPenalty) {
    for hypothesis in hypotheses.iter_mut() {
        hypothesis.score = penalty.score(hypothesis.log_prob, hypothesis.tokens.len());
    }
    hypotheses.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// Probabilities of hypotheses among themselves, from their log-probabilities.
pub fn posterior(log_probs: &[f64]) -> Vec<f64> {
    let largest = log_probs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_probs.iter().map(|log_prob| (log_prob - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Places of the items, the one of least risk first: `weights` are the references' probabilities, `utility(h, r)` how well h serves where r is right.
pub fn minimum_bayes_risk<T>(items: &[T], weights: &[f64], utility: impl Fn(&T, &T) -> f64) -> Vec<usize> {
    let gain = |h: &T| items.iter().zip(weights).map(|(r, weight)| weight * utility(h, r)).sum::<f64>();
    let gains: Vec<f64> = items.iter().map(gain).collect();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| gains[b].total_cmp(&gains[a]));
    order
}

/// Harmonic mean of the shares of tokens that each has in common with the other, counted with repetition; 1 for two empty sequences.
pub fn token_f1(a: &[u32], b: &[u32]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_unstable();
    b.sort_unstable();
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    2.0 * f64::from(common) / (a.len() + b.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Ending;

    #[test]
    fn likeness_counts_repetitions() {
        assert_eq!(token_f1(&[], &[]), 1.0);
        assert_eq!(token_f1(&[1], &[]), 0.0);
        assert!((token_f1(&[1, 1, 2], &[1, 3]) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn least_risk_is_the_middle_and_equality_is_voting() {
        let numbers = [1.0, 5.0, 6.0, 7.0, 30.0];
        let near = |a: &f64, b: &f64| -(a - b).abs();
        assert_eq!(minimum_bayes_risk(&numbers, &[0.2; 5], near)[0], 2, "the median");
        assert_eq!(minimum_bayes_risk(&numbers, &[0.96, 0.01, 0.01, 0.01, 0.01], near)[0], 0, "weights count");
        let votes = minimum_bayes_risk(&["b", "a", "c", "a"], &[0.25; 4], |a, b| f64::from(u8::from(a == b)));
        assert_eq!(votes, [1, 3, 0, 2]);
    }

    #[test]
    fn length_penalties_reorder_and_posteriors_sum_to_one() {
        let hypothesis = |log_prob, n| Hypothesis { node: 0, tokens: vec![0; n], log_prob, score: 0.0, ending: Ending::Eos, group: 0 };
        let mut all = [hypothesis(-2.0, 1), hypothesis(-3.0, 3)];
        assert!((posterior(&[-2.0, -3.0]).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        by_length(&mut all, LengthPenalty::Power(1.0));
        assert_eq!(all[0].tokens.len(), 3);
        by_length(&mut all, LengthPenalty::None);
        assert_eq!(all[0].tokens.len(), 1);
        assert!((LengthPenalty::Wu(1.0).score(-6.0, 1) + 6.0).abs() < 1e-12);
    }
}

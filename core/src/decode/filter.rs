//! Which tokens sampling may draw from.
//!
//! Each filter keeps a set of tokens of a distribution, always the likeliest one among them (typical sampling, which may prefer others, excepted). Ties go to the lower token id.
//!
//! **Sources.** Top-k: Fan et al. 2018. Top-p (nucleus): Holtzman et al. 2020. Min-p: Nguyen et al. 2024. Typical: Meister et al. 2023. Epsilon and eta: Hewitt et al. 2022.

use serde::{Deserialize, Serialize};

use super::search::{DecodeError, setting, top};

/// A filter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "at")]
pub enum Filter {
    /// The k likeliest.
    TopK(usize),
    /// The likeliest until their mass reaches p, the one that crosses included.
    TopP(f64),
    /// Those of at least m times the largest probability.
    MinP(f64),
    /// Those whose information is nearest to the entropy, until their mass reaches p.
    Typical(f64),
    /// Those of at least this probability.
    Epsilon(f64),
    /// Those of at least `min(e, sqrt(e) exp(-entropy))`.
    Eta(f64),
}

impl Filter {
    /// Refuses a setting out of range.
    ///
    /// # Errors
    /// [`DecodeError::Setting`].
    pub fn check(&self) -> Result<(), DecodeError> {
        let share = |name, x: f64| setting(x > 0.0 && x <= 1.0, name, x, "above 0 and at most 1");
        match *self {
            Self::TopK(k) => setting(k > 0, "k", k, "at least 1"),
            Self::TopP(p) => share("p", p),
            Self::MinP(m) => share("min-p", m),
            Self::Typical(p) => share("the typical mass", p),
            Self::Epsilon(e) => share("epsilon", e),
            Self::Eta(e) => share("eta", e),
        }
    }

    /// The tokens kept, ascending. `log_probs` `[vocab]` is normalised; negative infinity is never kept.
    pub fn keep(&self, log_probs: &[f64]) -> Vec<u32> {
        let best = || top(log_probs, 1);
        let least = |bound: f64| {
            let kept = tokens_where(log_probs, |log_prob| log_prob >= bound);
            if kept.is_empty() { best() } else { kept }
        };
        let mut kept = match *self {
            Self::TopK(k) => top(log_probs, k),
            Self::TopP(p) => {
                // Usually few tokens hold the mass: sort as many as that takes.
                let mut asked = 64;
                loop {
                    let ranked = top(log_probs, asked);
                    let taken = until(p, &ranked, log_probs);
                    if taken < ranked.len() || ranked.len() < asked {
                        break ranked[..taken].to_vec();
                    }
                    asked *= 8;
                }
            }
            Self::MinP(m) => least(best().first().map_or(0.0, |&token| log_probs[token as usize] + m.ln())),
            Self::Typical(p) => {
                let entropy = entropy(log_probs);
                let mut ranked = tokens_where(log_probs, |_| true);
                let distance = |token: &u32| (-log_probs[*token as usize] - entropy).abs();
                ranked.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.cmp(b)));
                ranked.truncate(until(p, &ranked, log_probs));
                ranked
            }
            Self::Epsilon(e) => least(e.ln()),
            Self::Eta(e) => least(e.ln().min(0.5 * e.ln() - entropy(log_probs))),
        };
        kept.sort_unstable();
        kept
    }
}

fn tokens_where(log_probs: &[f64], keep: impl Fn(f64) -> bool) -> Vec<u32> {
    (0..).zip(log_probs).filter(|(_, x)| **x > f64::NEG_INFINITY && keep(**x)).map(|(token, _)| token).collect()
}

/// How many of the ranked tokens it takes until their mass reaches `p`.
fn until(p: f64, ranked: &[u32], log_probs: &[f64]) -> usize {
    let mut mass = 0.0;
    for (i, &token) in ranked.iter().enumerate() {
        mass += log_probs[token as usize].exp();
        if mass >= p {
            return i + 1;
        }
    }
    ranked.len()
}

/// In nats.
fn entropy(log_probs: &[f64]) -> f64 {
    -log_probs.iter().filter(|x| **x > f64::NEG_INFINITY).map(|x| x.exp() * x).sum::<f64>()
}

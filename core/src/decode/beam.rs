//! Beam search.
//!
//! **Method.** At each step the `width` best continuations of all live hypotheses together are kept. What ends leaves the beam for the pool of finished hypotheses, and its place stays
//! empty for that step. Lengths differ in the pool, so it may be ranked by a score that accounts for length.
//!
//! **Sources.** Lowerre 1976; length penalties: Wu et al. 2016, section 7 (`(5 + n)^a / 6^a`), and the plain power `n^a`.

use serde::{Deserialize, Serialize};

use super::{
    Method,
    search::{DecodeError, Hypothesis, Live, MAX_WIDTH, Search, setting},
    trace::Cut,
};

/// What a log-probability is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "power")]
pub enum LengthPenalty {
    /// 1.
    #[default]
    None,
    /// `n^a` for n tokens.
    Power(f64),
    /// `(5 + n)^a / 6^a`.
    Wu(f64),
}

impl LengthPenalty {
    /// The score of a hypothesis.
    pub fn score(self, log_prob: f64, tokens: usize) -> f64 {
        let n = tokens as f64;
        match self {
            Self::None => log_prob,
            Self::Power(a) => log_prob / n.powf(a),
            Self::Wu(a) => log_prob / ((5.0 + n).powf(a) / 6_f64.powf(a)),
        }
    }

    /// The best score that a hypothesis may still reach, as more tokens only lower its log-probability.
    fn attainable(self, live: &Live, max_tokens: usize) -> f64 {
        let at = |tokens| self.score(live.log_prob, tokens);
        at(live.tokens.len() + 1).max(at(max_tokens))
    }

    pub(super) fn check(self) -> Result<(), DecodeError> {
        let (Self::Power(a) | Self::Wu(a)) = self else { return Ok(()) };
        setting((-10.0..=10.0).contains(&a), "the length penalty", a, "between -10 and 10")
    }
}

/// When a search ends before all hypotheses have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStop {
    /// Never.
    Never,
    /// When no live hypothesis can overtake what would be returned: the same result, sooner.
    #[default]
    Certain,
    /// When as many have ended as are returned.
    Enough,
}

/// Beam search.
#[derive(Debug, Clone, Copy)]
pub struct Beam {
    pub width: usize,
    pub penalty: LengthPenalty,
    pub early_stop: EarlyStop,
}

impl Beam {
    /// Without length penalty; stops when the result is certain.
    pub fn new(width: usize) -> Self {
        Self { width, penalty: LengthPenalty::None, early_stop: EarlyStop::Certain }
    }
}

impl Method for Beam {
    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError> {
        let Self { width, penalty, early_stop } = *self;
        setting((1..=MAX_WIDTH).contains(&width), "the beam's width", width, "between 1 and 4096")?;
        penalty.check()?;
        let wanted = search.outputs(width);
        let mut live = vec![search.begin()?];
        let mut pool: Vec<Hypothesis> = vec![];
        while !live.is_empty() {
            let mut candidates = vec![];
            for (i, hypothesis) in live.iter().enumerate() {
                candidates.extend(search.best(hypothesis, i, width));
            }
            candidates.sort_by(|a, b| a.rank(b, &live));
            let (chosen, rest) = candidates.split_at(width.min(candidates.len()));
            for candidate in rest {
                search.cut(&live[candidate.parent], candidate, Cut::OutOfBeam);
            }
            let next = search.advance(&live, chosen)?;
            live = next.live.into_iter().map(|(_, live)| live).collect();
            pool.extend(next.ended.into_iter().map(|(_, hypothesis)| scored(hypothesis, penalty)));
            rank(&mut pool);
            stop_early(search, (early_stop, penalty), &pool, &mut live, wanted);
        }
        pool.truncate(wanted);
        Ok(pool)
    }
}

/// The hypothesis with its score by length.
pub(super) fn scored(hypothesis: Hypothesis, penalty: LengthPenalty) -> Hypothesis {
    Hypothesis { score: penalty.score(hypothesis.log_prob, hypothesis.tokens.len()), ..hypothesis }
}

/// The best score first, then the lexicographically smaller sequence.
pub(super) fn rank(pool: &mut [Hypothesis]) {
    pool.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.tokens.cmp(&b.tokens)));
}

/// Gives up what is live once the ranked pool is what the search returns.
pub(super) fn stop_early(
    search: &mut Search<'_>,
    (early_stop, penalty): (EarlyStop, LengthPenalty),
    pool: &[Hypothesis],
    live: &mut Vec<Live>,
    wanted: usize,
) {
    let Some(last) = wanted.checked_sub(1).and_then(|last| pool.get(last)) else { return };
    let is_over = match early_stop {
        EarlyStop::Never => false,
        EarlyStop::Enough => true,
        EarlyStop::Certain => live.iter().all(|hypothesis| penalty.attainable(hypothesis, search.max_tokens()) < last.score),
    };
    if is_over {
        for hypothesis in live.drain(..) {
            search.give_up(hypothesis.node, Cut::Beaten);
        }
    }
}

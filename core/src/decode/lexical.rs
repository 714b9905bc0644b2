//! Lexically constrained beam search: given phrases appear in the text.
//!
//! **Method.** A hypothesis counts the tokens of phrases it has met. Beside the best continuations of all hypotheses, each one's best continuation and those that bring it further with a phrase are
//! candidates, so a phrase that the model would not have said is still tried. The beam is divided evenly among the numbers of tokens met ("banks"); places that a bank cannot fill go to the banks that
//! have met more. A phrase is followed until it breaks off, one at a time. The text may end when all phrases are met.
//!
//! **Source.** Post and Vilar 2018, dynamic beam allocation.

use super::{
    Method,
    beam::{EarlyStop, LengthPenalty, rank, scored, stop_early},
    search::{Candidate, DecodeError, Hypothesis, MAX_WIDTH, Search, setting},
    trace::Cut,
};

/// Beam search for texts that contain all the phrases.
#[derive(Debug, Clone)]
pub struct Lexical {
    pub width: usize,
    pub phrases: Vec<Vec<u32>>,
    pub penalty: LengthPenalty,
    pub early_stop: EarlyStop,
}

/// What a hypothesis has met.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Met {
    whole: Vec<bool>,
    /// A phrase under way, and how many of its tokens are there.
    partial: Option<(usize, usize)>,
}

impl Lexical {
    /// The phrase tokens that bring a hypothesis further.
    fn wanted(&self, met: &Met) -> Vec<u32> {
        match met.partial {
            Some((phrase, at)) => vec![self.phrases[phrase][at]],
            None => self
                .phrases
                .iter()
                .zip(&met.whole)
                .filter(|(_, whole)| !**whole)
                .filter_map(|(phrase, _)| phrase.first().copied())
                .collect(),
        }
    }

    /// What is met after one more token.
    fn after(&self, met: &Met, token: u32) -> Met {
        let mut met = met.clone();
        // What broke off may have begun anew within itself: the longest end of it that begins the phrase.
        let under_way = met.partial.take().and_then(|(phrase, at)| {
            let tokens = &self.phrases[phrase];
            let seen = [&tokens[..at], &[token]].concat();
            (1..=at + 1).rev().find(|&n| seen.ends_with(&tokens[..n])).map(|n| (phrase, n - 1))
        });
        let begins = || {
            let open = |phrase: &usize| !met.whole[*phrase] && self.phrases[*phrase].first() == Some(&token);
            (0..self.phrases.len()).find(open).map(|phrase| (phrase, 0))
        };
        if let Some((phrase, at)) = under_way.or_else(begins) {
            if at + 1 == self.phrases[phrase].len() {
                met.whole[phrase] = true;
            } else {
                met.partial = Some((phrase, at + 1));
            }
        }
        met
    }

    /// Phrase tokens met.
    fn bank(&self, met: &Met) -> usize {
        let whole: usize = self.phrases.iter().zip(&met.whole).filter(|(_, whole)| **whole).map(|(phrase, _)| phrase.len()).sum();
        whole + met.partial.map_or(0, |(_, at)| at)
    }
}

/// How many of each bank's candidates are taken: an even share of `width`, what is left over to those that have met most.
fn allocate(width: usize, banks: &[usize]) -> Vec<usize> {
    let share = width / banks.len().max(1);
    let mut taken: Vec<usize> = banks.iter().map(|&candidates| candidates.min(share)).collect();
    let mut left = width.saturating_sub(taken.iter().sum());
    for (taken, &candidates) in taken.iter_mut().zip(banks).rev() {
        let more = left.min(candidates - *taken);
        *taken += more;
        left -= more;
    }
    taken
}

impl Method for Lexical {
    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError> {
        let width = self.width;
        setting((1..=MAX_WIDTH).contains(&width), "the beam's width", width, "between 1 and 4096")?;
        self.penalty.check()?;
        let tokens: usize = self.phrases.iter().map(Vec::len).sum();
        setting(self.phrases.iter().all(|phrase| !phrase.is_empty()), "a phrase", "empty", "at least one token")?;
        setting(tokens <= search.max_tokens(), "the phrases' length together", tokens, "at most the tokens asked for")?;
        let wanted = search.outputs(width);
        let mut live = vec![search.begin()?];
        let mut states = vec![Met { whole: vec![false; self.phrases.len()], partial: None }];
        let mut pool: Vec<Hypothesis> = vec![];
        while !live.is_empty() {
            // By bank; within a bank the best first.
            let mut banks: Vec<Vec<(Candidate, Met)>> = vec![vec![]; tokens + 1];
            for (i, (hypothesis, met)) in live.iter().zip(&states).enumerate() {
                // The end is no continuation while phrases are missing.
                let complete = self.bank(met) == tokens;
                let mut candidates = search.best(hypothesis, i, width.saturating_add(search.settings.eos.len()));
                if !complete {
                    candidates.retain(|candidate| !search.settings.eos.contains(&candidate.token));
                }
                candidates.truncate(width);
                for token in self.wanted(met) {
                    let step = hypothesis.next.get(token as usize).copied().unwrap_or(f64::NEG_INFINITY);
                    let known = candidates.iter().any(|candidate| candidate.token == token);
                    if !known && step > f64::NEG_INFINITY && hypothesis.check(token).is_ok() {
                        let log_prob = hypothesis.log_prob + step;
                        candidates.push(Candidate { parent: i, token, log_prob, score: log_prob });
                    }
                }
                for candidate in candidates {
                    let after = self.after(met, candidate.token);
                    banks[self.bank(&after)].push((candidate, after));
                }
            }
            for bank in &mut banks {
                bank.sort_by(|(a, _), (b, _)| a.rank(b, &live));
            }
            let sizes: Vec<usize> = banks.iter().map(Vec::len).collect();
            let mut chosen = vec![];
            for (taken, bank) in allocate(width, &sizes).into_iter().zip(banks) {
                for (place, (candidate, met)) in bank.into_iter().enumerate() {
                    if place < taken {
                        chosen.push((candidate, met));
                    } else {
                        search.cut(&live[candidate.parent], &candidate, Cut::OutOfBeam);
                    }
                }
            }
            let candidates: Vec<Candidate> = chosen.iter().map(|(candidate, _)| *candidate).collect();
            let next = search.advance(&live, &candidates)?;
            states = next.live.iter().map(|(index, _)| chosen[*index].1.clone()).collect();
            live = next.live.into_iter().map(|(_, live)| live).collect();
            for (index, hypothesis) in next.ended {
                if self.bank(&chosen[index].1) == tokens {
                    pool.push(scored(hypothesis, self.penalty));
                } else {
                    search.give_up(hypothesis.node, Cut::Constraint("a phrase is missing".into()));
                }
            }
            rank(&mut pool);
            stop_early(search, (self.early_stop, self.penalty), &pool, &mut live, wanted);
        }
        pool.truncate(wanted);
        Ok(pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_a_bank_cannot_fill_go_to_those_that_have_met_more() {
        assert_eq!(allocate(6, &[9, 9, 9]), [2, 2, 2]);
        assert_eq!(allocate(7, &[9, 9, 9]), [2, 2, 3]);
        assert_eq!(allocate(6, &[9, 9, 1]), [2, 3, 1]);
        assert_eq!(allocate(6, &[1, 0, 2]), [1, 0, 2]);
        assert_eq!(allocate(2, &[9, 9, 9]), [0, 0, 2]);
    }
}

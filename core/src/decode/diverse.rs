//! Diverse beam search: groups that shun each other's tokens.
//!
//! **Method.** Groups take their step one after another; a group ranks a continuation by its log-probability less `strength` times the number of times earlier groups chose the same token at
//! this step. Each group is a beam with a pool of its own, and what it returns is ranked by plain log-probability.
//!
//! **Source.** Vijayakumar et al. 2018, Hamming diversity.

use super::{
    Method,
    beam::rank,
    search::{Candidate, DecodeError, Hypothesis, Live, MAX_WIDTH, Search, setting},
    trace::Cut,
};

/// Diverse beam search.
#[derive(Debug, Clone, Copy)]
pub struct Diverse {
    pub groups: usize,
    /// Hypotheses of each group.
    pub width: usize,
    /// Penalty for each time an earlier group chose the token, in nats.
    pub strength: f64,
}

impl Method for Diverse {
    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError> {
        let Self { groups, width, strength } = *self;
        setting((1..=MAX_WIDTH).contains(&groups), "the number of groups", groups, "between 1 and 4096")?;
        let fits = width > 0 && groups.checked_mul(width).is_some_and(|all| all <= MAX_WIDTH);
        setting(fits, "a group's width", width, "at least 1, and 4096 at most in all groups together")?;
        setting(strength.is_finite() && strength >= 0.0, "the diversity strength", strength, "0 or more")?;
        // All groups begin as the prompt; later each live hypothesis belongs to one.
        let mut live: Vec<Live> = vec![search.begin()?];
        let mut members: Vec<Vec<usize>> = vec![vec![0]; groups];
        let mut pools: Vec<Vec<Hypothesis>> = vec![vec![]; groups];
        while !live.is_empty() {
            let mut chosen: Vec<(usize, Candidate)> = vec![];
            for (group, members) in members.iter().enumerate() {
                let mut candidates = vec![];
                let earlier: Vec<u32> = chosen.iter().map(|(_, candidate)| candidate.token).collect();
                for &member in members {
                    // So many that the best are among them whatever the penalties.
                    let best = search.best(&live[member], member, width.saturating_add(earlier.len()));
                    candidates.extend(best.into_iter().map(|candidate| {
                        let times = earlier.iter().filter(|&&token| token == candidate.token).count();
                        Candidate { score: candidate.log_prob - strength * times as f64, ..candidate }
                    }));
                }
                candidates.sort_by(|a, b| a.rank(b, &live));
                let (best, rest) = candidates.split_at(width.min(candidates.len()));
                chosen.extend(best.iter().map(|&candidate| (group, candidate)));
                for candidate in rest {
                    search.cut(&live[candidate.parent], candidate, Cut::OutOfBeam);
                }
            }
            let candidates: Vec<Candidate> = chosen.iter().map(|(_, candidate)| *candidate).collect();
            let next = search.advance(&live, &candidates)?;
            members = vec![vec![]; groups];
            live = vec![];
            for (index, hypothesis) in next.live {
                members[chosen[index].0].push(live.len());
                live.push(hypothesis);
            }
            for (index, hypothesis) in next.ended {
                let group = chosen[index].0;
                pools[group].push(Hypothesis { score: hypothesis.log_prob, group, ..hypothesis });
            }
        }
        for pool in &mut pools {
            rank(pool);
            pool.truncate(width);
        }
        Ok(pools.concat())
    }
}

//! Ancestral sampling: each token drawn from its distribution, tempered and filtered.
//!
//! **Method.** Log-probabilities are divided by the temperature and normalised over what the constraint allows; filters apply one after another, each to the distribution normalised
//! again; a token is drawn by inverting the cumulative distribution in the order of ids. What is drawn depends on seed, sample and position alone. A hypothesis's log-probability is the model's,
//! whatever the temperature.

use super::{
    Method,
    filter::Filter,
    scorer::log_sum_exp,
    search::{Candidate, DecodeError, Hypothesis, Live, MAX_WIDTH, Search, setting},
    trace::Cut,
};
use crate::train::rng::Stream;

/// Sampling.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Independent samples.
    pub samples: usize,
    pub temperature: f64,
    pub filters: Vec<Filter>,
}

impl Sample {
    /// One sample, unfiltered, temperature 1.
    pub fn plain() -> Self {
        Self { samples: 1, temperature: 1.0, filters: vec![] }
    }

    /// One sample through a filter.
    pub fn filtered(filter: Filter) -> Self {
        Self { filters: vec![filter], ..Self::plain() }
    }

    /// Probabilities, tempered and filtered.
    fn probabilities(&self, next: &[f64]) -> Vec<f64> {
        let mut log_probs: Vec<f64> = next.iter().map(|x| x / self.temperature).collect();
        normalize(&mut log_probs);
        for filter in &self.filters {
            let kept = filter.keep(&log_probs);
            let mut filtered = vec![f64::NEG_INFINITY; log_probs.len()];
            for token in kept {
                filtered[token as usize] = log_probs[token as usize];
            }
            normalize(&mut filtered);
            log_probs = filtered;
        }
        log_probs.iter().map(|x| x.exp()).collect()
    }

    /// A continuation of `live` that its constraint accepts.
    fn continue_one(&self, search: &mut Search<'_>, live: &Live, parent: usize, sample: usize) -> Option<Candidate> {
        let mut random = Stream::new(search.settings.seed, "decode/sample", (sample as u64) << 32 | live.tokens.len() as u64);
        let mut next = live.next.clone();
        if !live.may_branch {
            return search.best(live, parent, 1).pop();
        }
        // What is left of the probabilities when refused tokens are out; computed anew where filters may choose others then, and before the rest gets too small to be exact.
        let (mut weights, mut left) = (self.probabilities(&next), 1.0);
        loop {
            let token = draw(&weights, random.uniform() * left)?;
            let log_prob = live.log_prob + live.next[token as usize];
            let candidate = Candidate { parent, token, log_prob, score: log_prob };
            match live.check(token) {
                Ok(()) => return Some(candidate),
                Err(why) => {
                    search.cut(live, &candidate, Cut::Constraint(why));
                    next[token as usize] = f64::NEG_INFINITY;
                    left -= weights[token as usize];
                    weights[token as usize] = 0.0;
                    if left < 0.5 || !self.filters.is_empty() {
                        (weights, left) = (self.probabilities(&next), 1.0);
                    }
                }
            }
        }
    }
}

/// The token in whose share of the weights a number lies; `None` where nothing is allowed.
fn draw(weights: &[f64], number: f64) -> Option<u32> {
    let (mut mass, mut last) = (0.0, None);
    for (token, weight) in (0..).zip(weights) {
        if *weight > 0.0 {
            mass += weight;
            last = Some(token);
            if number < mass {
                break;
            }
        }
    }
    last
}

/// Makes the probabilities sum to 1.
fn normalize(log_probs: &mut [f64]) {
    let largest = log_probs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return;
    }
    let normalizer = log_sum_exp(largest, log_probs.iter().copied());
    for x in log_probs {
        *x -= normalizer;
    }
}

impl Method for Sample {
    fn is_single(&self) -> bool {
        self.samples == 1
    }

    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError> {
        setting((1..=MAX_WIDTH).contains(&self.samples), "the number of samples", self.samples, "between 1 and 4096")?;
        let t = self.temperature;
        setting(t.is_finite() && t > 0.0, "the temperature", t, "above 0 (method greedy is its limit at 0)")?;
        self.filters.iter().try_for_each(Filter::check)?;
        let mut live = vec![search.begin()?];
        // The live hypothesis of each sample still going, and the sample.
        let mut going: Vec<(usize, usize)> = (0..self.samples).map(|sample| (0, sample)).collect();
        let mut ended: Vec<(usize, Hypothesis)> = vec![];
        while !going.is_empty() {
            let mut chosen = vec![];
            let mut samples = vec![];
            for &(at, sample) in &going {
                if let Some(candidate) = self.continue_one(search, &live[at], at, sample) {
                    chosen.push(candidate);
                    samples.push(sample);
                }
            }
            let next = search.advance(&live, &chosen)?;
            going = next.live.iter().enumerate().map(|(at, (index, _))| (at, samples[*index])).collect();
            live = next.live.into_iter().map(|(_, live)| live).collect();
            ended.extend(next.ended.into_iter().map(|(index, hypothesis)| (samples[index], hypothesis)));
        }
        ended.sort_by_key(|(sample, _)| *sample);
        Ok(ended.into_iter().map(|(_, hypothesis)| hypothesis).collect())
    }
}

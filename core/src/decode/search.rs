//! What all methods share: masks, forks, ends, budgets and the trace.
//!
//! A method asks [`Search::best`] (or reads [`Live::next`]) for what may follow, chooses, and hands its choice to [`Search::advance`], which ends what has ended and scores the rest
//! in one batch. Nothing else touches the scorer.

use serde::Serialize;
use thiserror::Error;

use super::{
    Method,
    constraint::{Constraint, Mask},
    scorer::{Scorer, ScorerError, Step},
    trace::{Cut, Ending, Fate, Node, Trace},
};

/// Most hypotheses a search holds at once.
pub const MAX_WIDTH: usize = 4096;

/// Why nothing was decoded.
#[derive(Debug, Error, PartialEq)]
pub enum DecodeError {
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    #[error("{name} is {value}, but has to be {range}")]
    Setting { name: &'static str, value: String, range: &'static str },
    #[error("the prompt has {prompt} tokens and the context {context}: there is no room to go on")]
    NoRoom { prompt: usize, context: usize },
    #[error("token {token} is named to end a text, but the vocabulary has {vocab} entries")]
    Eos { token: u32, vocab: usize },
    #[error("the constraint allows no token after the prompt")]
    NothingAllowed,
    #[error("no hypothesis of at most {max_tokens} tokens satisfies the constraint; allow more tokens or a wider beam")]
    Unsatisfied { max_tokens: usize },
}

/// Refuses a setting outside its range.
pub(super) fn setting(
    fine: bool,
    name: &'static str,
    value: impl std::fmt::Display + Copy,
    range: &'static str,
) -> Result<(), DecodeError> {
    if fine { Ok(()) } else { Err(DecodeError::Setting { name, value: value.to_string(), range }) }
}

/// What all methods are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Longest continuation, the token that ends it included.
    pub max_tokens: usize,
    /// Tokens that end a text.
    pub eos: Vec<u32>,
    /// Hypotheses returned; 0 for as many as the method holds.
    pub outputs: usize,
    pub seed: u64,
    /// Whether the trace remembers what was cut, too.
    pub trace_cuts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_tokens: 32, eos: vec![], outputs: 0, seed: 0, trace_cuts: false }
    }
}

/// A finished continuation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hypothesis {
    /// Its place in the trace.
    pub node: usize,
    /// Tokens since the prompt, the one that ends it included.
    pub tokens: Vec<u32>,
    /// Sum of the log-probabilities of its tokens.
    pub log_prob: f64,
    /// What it was ranked by.
    pub score: f64,
    pub ending: Ending,
    /// Group, where the method has groups.
    pub group: usize,
}

/// What a search found and cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decoded {
    /// The best first.
    pub hypotheses: Vec<Hypothesis>,
    /// Batches scored, the prompt's included.
    pub forwards: usize,
    /// Prefixes scored, the prompt's included.
    pub scored: usize,
    pub trace: Trace,
}

/// A hypothesis that may go on.
pub struct Live {
    pub node: usize,
    pub tokens: Vec<u32>,
    pub log_prob: f64,
    /// Log-probabilities of the next token; negative infinity where it is forbidden.
    pub next: Vec<f64>,
    /// Whether several continuations may be tried.
    pub may_branch: bool,
    constraint: Box<dyn Constraint>,
    row: usize,
}

impl Live {
    /// Whether the constraint accepts the token, which its mask allows.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, token: u32) -> Result<(), String> {
        self.constraint.check(token)
    }
}

/// A continuation by one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Index among the live hypotheses.
    pub parent: usize,
    pub token: u32,
    /// Of the whole hypothesis.
    pub log_prob: f64,
    /// What the method ranks by.
    pub score: f64,
}

impl Candidate {
    /// The higher score first, then the lexicographically smaller sequence.
    pub fn rank(&self, other: &Self, live: &[Live]) -> std::cmp::Ordering {
        let sequence = |c: &Self| live.get(c.parent).map_or(&[][..], |parent| &parent.tokens[..]);
        other.score.total_cmp(&self.score).then_with(|| sequence(self).cmp(sequence(other))).then(self.token.cmp(&other.token))
    }
}

/// What became of the chosen candidates, each with its index among them.
#[derive(Default)]
pub struct Advanced {
    pub live: Vec<(usize, Live)>,
    pub ended: Vec<(usize, Hypothesis)>,
}

/// A search under way.
pub struct Search<'a> {
    scorer: &'a mut dyn Scorer,
    prompt: &'a [u32],
    constraint: &'a dyn Constraint,
    pub settings: &'a Settings,
    pub trace: Trace,
    watch: &'a mut dyn FnMut(&Trace, usize),
    max_tokens: usize,
    forwards: usize,
    scored: usize,
}

/// Decodes from `prompt` by `method`; `watch` is shown each new node of the trace.
///
/// # Errors
/// [`DecodeError`] for settings out of range, a constraint that cannot be met and a scorer that fails.
pub fn decode(
    method: &dyn Method,
    scorer: &mut dyn Scorer,
    prompt: &[u32],
    settings: &Settings,
    constraint: &dyn Constraint,
    watch: &mut dyn FnMut(&Trace, usize),
) -> Result<Decoded, DecodeError> {
    let max_tokens = settings.max_tokens.min(scorer.max_tokens().saturating_sub(prompt.len()));
    let found = explore(method, scorer, prompt, settings, constraint, watch)?;
    if found.hypotheses.is_empty() { Err(DecodeError::Unsatisfied { max_tokens }) } else { Ok(found) }
}

/// The same; that nothing satisfies the constraint is no error, so what the search cost is known then, too.
///
/// # Errors
/// As [`decode`], [`DecodeError::Unsatisfied`] excepted.
pub fn explore(
    method: &dyn Method,
    scorer: &mut dyn Scorer,
    prompt: &[u32],
    settings: &Settings,
    constraint: &dyn Constraint,
    watch: &mut dyn FnMut(&Trace, usize),
) -> Result<Decoded, DecodeError> {
    setting(settings.max_tokens > 0, "max_tokens", settings.max_tokens, "at least 1")?;
    setting(settings.outputs <= MAX_WIDTH, "outputs", settings.outputs, "at most 4096")?;
    let (vocab, context) = (scorer.vocab_size(), scorer.max_tokens());
    if let Some(&token) = settings.eos.iter().find(|&&token| token as usize >= vocab) {
        return Err(DecodeError::Eos { token, vocab });
    }
    let max_tokens = settings.max_tokens.min(context.saturating_sub(prompt.len()));
    if max_tokens == 0 {
        return Err(DecodeError::NoRoom { prompt: prompt.len(), context });
    }
    let mut search = Search { scorer, prompt, constraint, settings, trace: Trace::default(), watch, max_tokens, forwards: 0, scored: 0 };
    let mut hypotheses = method.search(&mut search)?;
    if settings.outputs > 0 {
        hypotheses.truncate(settings.outputs);
    }
    Ok(Decoded { hypotheses, forwards: search.forwards, scored: search.scored, trace: search.trace })
}

impl Search<'_> {
    /// Hypotheses to return by a method that holds `width`.
    pub fn outputs(&self, width: usize) -> usize {
        if self.settings.outputs == 0 { width } else { self.settings.outputs }
    }

    /// Longest continuation: what was asked for, or what fits the model.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The prompt as the one live hypothesis.
    ///
    /// # Errors
    /// [`DecodeError::NothingAllowed`], or what the scorer says.
    pub fn begin(&mut self) -> Result<Live, DecodeError> {
        let next = self.scorer.begin(self.prompt)?;
        (self.forwards, self.scored) = (self.forwards + 1, self.scored + 1);
        let constraint = self.constraint.fork();
        let mask = self.mask(&*constraint);
        let root = Node {
            parent: None,
            token: None,
            tokens: 0,
            log_prob: 0.0,
            score: 0.0,
            fate: Fate::Kept,
            allowed: Some(mask.count()),
            reason: constraint.reason(),
        };
        let node = self.trace.add(root);
        if mask.count() == 0 {
            return Err(DecodeError::NothingAllowed);
        }
        Ok(Live {
            node,
            tokens: vec![],
            log_prob: 0.0,
            next: nearest(masked(next, &mask), constraint.looks()),
            may_branch: constraint.may_branch(),
            constraint,
            row: 0,
        })
    }

    fn mask(&self, constraint: &dyn Constraint) -> Mask {
        let mut mask = Mask::all(self.scorer.vocab_size());
        constraint.mask(&mut mask);
        let is_final = constraint.is_final();
        for &token in &self.settings.eos {
            if is_final { mask.allow(token) } else { mask.forbid(token) }
        }
        mask
    }

    /// The `n` likeliest continuations of a hypothesis (one, where it may not branch), best first. `parent` is its index.
    pub fn best(&mut self, live: &Live, parent: usize, n: usize) -> Vec<Candidate> {
        let n = if live.may_branch { n } else { 1 };
        let candidate = |token: u32| {
            let log_prob = live.log_prob + live.next[token as usize];
            Candidate { parent, token, log_prob, score: log_prob }
        };
        let mut asked = n;
        loop {
            let ranked = top(&live.next, asked);
            let mut refused = vec![];
            let mut taken = vec![];
            for &token in &ranked {
                match live.check(token) {
                    Ok(()) if taken.len() < n => taken.push(candidate(token)),
                    Ok(()) => break,
                    Err(why) => refused.push((candidate(token), why)),
                }
            }
            if taken.len() == n || ranked.len() < asked {
                for (candidate, why) in refused {
                    self.cut(live, &candidate, Cut::Constraint(why));
                }
                return taken;
            }
            asked = asked.saturating_mul(2);
        }
    }

    /// Notes a continuation that is not followed, where the trace is to hold such.
    pub fn cut(&mut self, parent: &Live, candidate: &Candidate, why: Cut) {
        if self.settings.trace_cuts {
            self.node(parent, candidate, Fate::Cut(why));
        }
    }

    /// Notes that a hypothesis in the trace is followed no further.
    pub fn give_up(&mut self, node: usize, why: Cut) {
        if let Some(node) = self.trace.nodes.get_mut(node) {
            node.fate = Fate::Cut(why);
        }
    }

    fn node(&mut self, parent: &Live, candidate: &Candidate, fate: Fate) -> usize {
        let Candidate { token, log_prob, score, .. } = *candidate;
        let (parent, tokens) = (Some(parent.node), parent.tokens.len() + 1);
        self.trace.add(Node { parent, token: Some(token), tokens, log_prob, score, fate, allowed: None, reason: None })
    }

    /// Follows the chosen candidates: ends those that end, scores the others in one batch. The rest of `live` is forgotten.
    ///
    /// # Errors
    /// What the scorer says.
    pub fn advance(&mut self, live: &[Live], chosen: &[Candidate]) -> Result<Advanced, DecodeError> {
        let mut out = Advanced::default();
        let (mut steps, mut masks) = (vec![], vec![]);
        for (index, candidate) in chosen.iter().enumerate() {
            let Some(parent) = live.get(candidate.parent) else { continue };
            let node = self.node(parent, candidate, Fate::Kept);
            let tokens = [&parent.tokens[..], &[candidate.token]].concat();
            let is_eos = self.settings.eos.contains(&candidate.token);
            let mut constraint = parent.constraint.fork();
            let mut mask = Mask::all(0);
            if !is_eos {
                constraint.advance(candidate.token);
                mask = self.mask(&*constraint);
            }
            let ending = match (is_eos, mask.count()) {
                (true, _) => Some(Ending::Eos),
                (false, 0) if constraint.is_final() => Some(Ending::Complete),
                (false, 0) => {
                    self.trace.nodes[node].reason = constraint.reason();
                    self.give_up(node, Cut::DeadEnd);
                    (self.watch)(&self.trace, node);
                    continue;
                }
                _ if tokens.len() >= self.max_tokens => Some(Ending::Length),
                _ => None,
            };
            let log_prob = candidate.log_prob;
            if let Some(ending) = ending {
                self.trace.nodes[node].fate = Fate::Ended { by: ending };
                out.ended.push((index, Hypothesis { node, tokens, log_prob, score: candidate.score, ending, group: 0 }));
            } else {
                (self.trace.nodes[node].allowed, self.trace.nodes[node].reason) = (Some(mask.count()), constraint.reason());
                let (row, may_branch) = (steps.len(), constraint.may_branch());
                steps.push(Step { parent: parent.row, token: candidate.token });
                masks.push(mask);
                out.live.push((index, Live { node, tokens, log_prob, next: vec![], may_branch, constraint, row }));
            }
            (self.watch)(&self.trace, node);
        }
        if !steps.is_empty() {
            let scores = self.scorer.advance(&steps)?;
            (self.forwards, self.scored) = (self.forwards + 1, self.scored + steps.len());
            for (((_, live), scores), mask) in out.live.iter_mut().zip(scores).zip(&masks) {
                live.next = nearest(masked(scores, mask), live.constraint.looks());
            }
        }
        Ok(out)
    }
}

fn masked(mut scores: Vec<f64>, mask: &Mask) -> Vec<f64> {
    if mask.count() < scores.len() {
        for (token, score) in (0..).zip(&mut scores) {
            if !mask.allows(token) {
                *score = f64::NEG_INFINITY;
            }
        }
    }
    scores
}

/// Only the `looks` likeliest stay.
fn nearest(scores: Vec<f64>, looks: usize) -> Vec<f64> {
    if looks >= scores.len() {
        return scores;
    }
    let mut kept = vec![f64::NEG_INFINITY; scores.len()];
    for token in top(&scores, looks) {
        kept[token as usize] = scores[token as usize];
    }
    kept
}

/// The `n` tokens of the highest scores, best first, ties by the lower id; none of negative infinity.
pub fn top(scores: &[f64], n: usize) -> Vec<u32> {
    let better = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if n == 0 {
        return vec![];
    }
    if n <= 16 {
        // Few are wanted: one pass that looks at the last of the best.
        let mut best: Vec<u32> = Vec::with_capacity(n + 1);
        let mut last = f64::NEG_INFINITY;
        for (token, &score) in (0..).zip(scores) {
            // At equal scores the earlier token, which is there already, is better.
            if score > last {
                let at = best.partition_point(|&other| scores[other as usize] >= score);
                best.insert(at, token);
                best.truncate(n);
                if best.len() == n {
                    last = scores[best[n - 1] as usize];
                }
            }
        }
        return best;
    }
    let mut tokens: Vec<u32> = (0..).zip(scores).filter(|(_, score)| **score > f64::NEG_INFINITY).map(|(token, _)| token).collect();
    if n < tokens.len() {
        tokens.select_nth_unstable_by(n, better);
        tokens.truncate(n);
    }
    tokens.sort_unstable_by(better);
    tokens
}

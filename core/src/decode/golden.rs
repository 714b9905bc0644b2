//! Golden check of the decoders: Markov chains with the answers of greedy, beam (plain, by length, constrained), diverse beam and exhaustive search, and the sets that filters keep.
//!
//! Sequences have to be equal, log-probabilities within 1e-4 (the file holds six decimals), sets equal. Stochastic beams of two are drawn 20,000 times from each chain: two different sequences
//! each time, and each sequence as often as a sample of two without replacement holds it, within 0.015.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use super::{
    Beam, Constraint, DecodeError, Diverse, EarlyStop, Filter, Greedy, Hypothesis, LengthPenalty, Markov, Mask, Method, Settings,
    Stochastic, Unconstrained, decode,
};
use crate::golden::Agreement;

/// Largest difference of a log-probability.
const TOLERANCE: f64 = 1e-4;
/// Token that ends a text.
const EOS: u32 = 0;
/// Largest vocabulary and length of a table, so that exhaustive search stays small.
const MAX_VOCAB: usize = 16;
const MAX_LEN: usize = 8;
/// Most prefixes that exhaustive search looks at.
const MAX_PREFIXES: usize = 1 << 20;
/// How often stochastic beams are drawn from a table, and how far a share may lie from its probability.
const DRAWS: u32 = 20_000;
const SHARE_TOLERANCE: f64 = 0.015;

/// Why the file cannot be compared.
#[derive(Debug, Error)]
pub enum DecoderGoldenError {
    #[error("the golden file is not of the expected form: {0}")]
    Json(#[from] serde_json::Error),
    #[error("table {table}: {problem}")]
    Table { table: usize, problem: &'static str },
    #[error("`{name}` is no filter or width")]
    Name { name: String },
    #[error("table {table}: {source}")]
    Decode { table: usize, source: DecodeError },
}

#[derive(Deserialize)]
struct File {
    tables: Vec<Table>,
    filters: Vec<Filtered>,
}

/// Log-probability and tokens.
type Answer = (f64, Vec<u32>);

#[derive(Deserialize)]
struct Table {
    bos: u32,
    max_len: usize,
    log_probs: Vec<Vec<f64>>,
    greedy: Answer,
    exact_top10: Vec<Answer>,
    beam: BTreeMap<String, Vec<Answer>>,
    beam_lenpen1: BTreeMap<String, Vec<Answer>>,
    beam_constrained_no_two_odd: BTreeMap<String, Vec<Answer>>,
    #[serde(rename = "diverse_G3_B2_lam0_8")]
    diverse: Vec<Vec<Answer>>,
}

#[derive(Deserialize)]
struct Filtered {
    log_probs: Vec<f64>,
    keep: BTreeMap<String, Vec<u32>>,
}

/// No two odd tokens in a row.
#[derive(Clone, Default)]
struct NoTwoOdd {
    last_is_odd: bool,
    vocab: u32,
}

impl Constraint for NoTwoOdd {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, allowed: &mut Mask) {
        if self.last_is_odd {
            (1..self.vocab).step_by(2).for_each(|token| allowed.forbid(token));
        }
    }

    fn advance(&mut self, token: u32) {
        self.last_is_odd = token % 2 == 1;
    }
}

/// Compares all decoders with the file.
///
/// # Errors
/// [`DecoderGoldenError`] for a file of another form.
pub fn decoders(json: &str) -> Result<Vec<Agreement>, DecoderGoldenError> {
    let file: File = serde_json::from_str(json)?;
    let names = ["greedy", "exhaustive search", "beam", "beam by length", "constrained beam", "diverse beam", "stochastic beam"];
    let [mut greedy, mut exact, mut beam, mut by_length, mut constrained, mut diverse, mut stochastic] = names.map(Agreement::of);
    for (i, table) in file.tables.iter().enumerate() {
        table.check(i)?;
        let free = Unconstrained;
        let no_two_odd = NoTwoOdd { last_is_odd: false, vocab: table.log_probs.len() as u32 };
        let found = table.decode(i, &Greedy, &free)?;
        compare(&mut greedy, &found, std::slice::from_ref(&table.greedy), || format!("table {i}"));
        let mut found = table.exhaustive();
        table.draw(i, &found, &mut stochastic)?;
        found.truncate(10);
        compare_answers(&mut exact, &found, &table.exact_top10, || format!("table {i}"));
        let whole = |width, penalty| Beam { width, penalty, early_stop: EarlyStop::Never };
        let cases: [(&mut Agreement, _, LengthPenalty, &dyn Constraint); 3] = [
            (&mut beam, &table.beam, LengthPenalty::None, &free),
            (&mut by_length, &table.beam_lenpen1, LengthPenalty::Power(1.0), &free),
            (&mut constrained, &table.beam_constrained_no_two_odd, LengthPenalty::None, &no_two_odd),
        ];
        for (agreement, answers, penalty, constraint) in cases {
            for (name, expected) in answers {
                let width = name.parse().map_err(|_| DecoderGoldenError::Name { name: name.clone() })?;
                let found = table.decode(i, &whole(width, penalty), constraint)?;
                compare(agreement, &found, expected, || format!("table {i}, width {width}"));
            }
        }
        let groups = Diverse { groups: table.diverse.len().max(1), width: 2, strength: 0.8 };
        let found = table.decode(i, &groups, &free)?;
        for (group, expected) in table.diverse.iter().enumerate() {
            let found: Vec<Hypothesis> = found.iter().filter(|h| h.group == group).cloned().collect();
            compare(&mut diverse, &found, expected, || format!("table {i}, group {group}"));
        }
    }
    let mut filters = Agreement::of("filters");
    for (i, filtered) in file.filters.iter().enumerate() {
        for (name, expected) in &filtered.keep {
            let filter = filter(name)?;
            filters.yes_or_no(filter.keep(&filtered.log_probs) == *expected, || format!("distribution {i}, {name}"));
        }
    }
    Ok(vec![greedy, exact, beam, by_length, constrained, diverse, stochastic, filters])
}

/// `top_p=0.9` and the like.
fn filter(name: &str) -> Result<Filter, DecoderGoldenError> {
    let known = || {
        let (kind, value) = name.split_once('=')?;
        let number: f64 = value.parse().ok()?;
        let filter = match kind {
            "top_k" => Filter::TopK(value.parse().ok()?),
            "top_p" => Filter::TopP(number),
            "min_p" => Filter::MinP(number),
            "typical" => Filter::Typical(number),
            "epsilon" => Filter::Epsilon(number),
            "eta" => Filter::Eta(number),
            _ => return None,
        };
        filter.check().ok().map(|()| filter)
    };
    known().ok_or_else(|| DecoderGoldenError::Name { name: name.into() })
}

impl Table {
    fn check(&self, table: usize) -> Result<(), DecoderGoldenError> {
        let vocab = self.log_probs.len();
        let square = (1..=MAX_VOCAB).contains(&vocab) && self.log_probs.iter().all(|row| row.len() == vocab);
        let small = (1..=MAX_LEN).contains(&self.max_len) && vocab.pow(self.max_len as u32 - 1) <= MAX_PREFIXES;
        let problem = match (square, small) {
            (false, _) => "log_probs is not square, or has more than 16 rows",
            (_, false) => "max_len is too large for exhaustive search",
            _ if self.bos as usize >= vocab => "bos is no token",
            _ => return Ok(()),
        };
        Err(DecoderGoldenError::Table { table, problem })
    }

    fn decode(&self, table: usize, method: &dyn Method, constraint: &dyn Constraint) -> Result<Vec<Hypothesis>, DecoderGoldenError> {
        self.decode_seeded(table, method, constraint, 0)
    }

    fn decode_seeded(
        &self,
        table: usize,
        method: &dyn Method,
        constraint: &dyn Constraint,
        seed: u64,
    ) -> Result<Vec<Hypothesis>, DecoderGoldenError> {
        let settings = Settings { max_tokens: self.max_len, eos: vec![EOS], seed, ..Settings::default() };
        let mut scorer = Markov::new(self.log_probs.clone());
        let found = decode(method, &mut scorer, &[self.bos], &settings, constraint, &mut |_, _| {});
        found.map(|found| found.hypotheses).map_err(|source| DecoderGoldenError::Decode { table, source })
    }

    /// Draws stochastic beams of two. `all` are all sequences with their log-probabilities.
    fn draw(&self, table: usize, all: &[Answer], agreement: &mut Agreement) -> Result<(), DecoderGoldenError> {
        let weights: Vec<f64> = all.iter().map(|(log_prob, _)| log_prob.exp()).collect();
        let places: BTreeMap<&[u32], usize> = all.iter().enumerate().map(|(place, (_, tokens))| (&tokens[..], place)).collect();
        let mut counts = vec![0_u32; all.len()];
        let (mut twice, possible) = (0, weights.iter().filter(|weight| **weight > 0.0).count().min(2));
        for seed in 0..DRAWS {
            let drawn = self.decode_seeded(table, &Stochastic { width: 2 }, &Unconstrained, seed.into())?;
            let found: BTreeSet<usize> = drawn.iter().filter_map(|h| places.get(&h.tokens[..]).copied()).collect();
            twice += u32::from(found.len() != possible);
            for place in found {
                counts[place] += 1;
            }
        }
        let share = |count: u32| f64::from(count) / f64::from(DRAWS);
        let apart = counts.iter().zip(inclusion_of_two(&weights)).map(|(&count, wanted)| (share(count) - wanted).abs()).fold(0.0, f64::max);
        agreement.case(if twice == 0 { apart } else { f64::INFINITY }, SHARE_TOLERANCE, || {
            format!("table {table}, {twice} draws of one sequence")
        });
        Ok(())
    }

    /// All sequences, the likeliest first.
    fn exhaustive(&self) -> Vec<Answer> {
        let mut open: Vec<Answer> = vec![(0.0, vec![])];
        let mut all: Vec<Answer> = vec![];
        while let Some((log_prob, tokens)) = open.pop() {
            let row = &self.log_probs[tokens.last().copied().unwrap_or(self.bos) as usize];
            for (token, step) in (0..).zip(row) {
                let next = (log_prob + step, [&tokens[..], &[token]].concat());
                if token == EOS || next.1.len() == self.max_len { all.push(next) } else { open.push(next) }
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        all
    }
}

/// Probabilities that a sample of two without replacement holds each item: drawn first, or second behind any other.
fn inclusion_of_two(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let odds = |weight: f64| weight / (total - weight);
    let all: f64 = weights.iter().map(|&weight| odds(weight)).sum();
    weights.iter().map(|&weight| weight / total * (1.0 + all - odds(weight))).collect()
}

fn compare(agreement: &mut Agreement, found: &[Hypothesis], expected: &[Answer], name: impl Fn() -> String) {
    let found: Vec<Answer> = found.iter().map(|h| (h.log_prob, h.tokens.clone())).collect();
    compare_answers(agreement, &found, expected, name);
}

/// One case: as many sequences, each equal and in its place, log-probabilities close.
fn compare_answers(agreement: &mut Agreement, found: &[Answer], expected: &[Answer], name: impl Fn() -> String) {
    let same = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.1 == b.1);
    let largest = found.iter().zip(expected).map(|(a, b)| (a.0 - b.0).abs()).fold(0.0, f64::max);
    agreement.case(if same { largest } else { f64::INFINITY }, TOLERANCE, || format!("{}: found {found:?}, expected {expected:?}", name()));
}

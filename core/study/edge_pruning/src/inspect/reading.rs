//! Next-token distributions of the three runs, side by side.
//!
//! Of a vocabulary of tens of thousands only the tokens matter that at least one run finds likely: each run's likeliest, joined. Divergences are over all of it, in double
//! precision: `KL(full ‖ other) = sum_t p(t) (log p(t) - log q(t))`, in nats; for outputs that are numbers, the squared difference.

use serde::Serialize;

use super::{
    InspectError,
    contrast::{Contrast, Logits},
};
use vitrine_core::order::sort;

/// One token (or class, or number) in the three runs: full, pruned, corrupted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Index of the output.
    pub id: usize,
    pub text: String,
    pub logits: [f32; 3],
    /// Absent where outputs are numbers.
    pub probabilities: Option<[f64; 3]>,
}

/// The outputs after one token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    pub position: usize,
    pub tokens: usize,
    /// Whether the output is a number.
    pub numeric: bool,
    /// Number of outputs.
    pub outputs: usize,
    /// Likeliest first, by the full model's probability.
    pub rows: Vec<Row>,
    /// How far the circuit, and the corrupted run, are from the full model: nats, or a squared difference.
    pub pruned_distance: f64,
    pub corrupted_distance: f64,
    /// Whether the circuit's likeliest output is the full model's.
    pub same_top: bool,
}

/// One position of a short prompt: tokens, and the likeliest outputs of the three runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    pub clean: String,
    pub corrupted: String,
    /// Likeliest output, or the number; absent where the model has too many outputs to run all positions.
    pub outputs: Option<[String; 3]>,
}

/// Most logits that [`places`] computes.
const MOST_LOGITS: usize = 1 << 20;

/// `log p` of every output.
fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| (f64::from(l) - f64::from(top)).exp()).sum();
    let shift = f64::from(top) + sum.ln();
    logits.iter().map(|&l| f64::from(l) - shift).collect()
}

fn kl(full: &[f64], other: &[f64]) -> f64 {
    full.iter().zip(other).map(|(p, q)| p.exp() * (p - q)).sum::<f64>().max(0.0)
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

fn top(values: &[f32]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// The outputs after the token at `position`; `most` of each run's likeliest.
///
/// # Errors
/// As [`Contrast::logits`].
pub fn reading(contrast: &Contrast, position: usize, most: usize) -> Result<Reading, InspectError> {
    Ok(of_logits(contrast, position, most, contrast.logits(position)?))
}

/// As [`reading`], where the device has to be awaited: a GPU in a page.
///
/// # Errors
/// As [`reading`].
pub async fn reading_async(contrast: &Contrast<'_>, position: usize, most: usize) -> Result<Reading, InspectError> {
    Ok(of_logits(contrast, position, most, contrast.logits_async(position).await?))
}

fn of_logits(contrast: &Contrast, position: usize, most: usize, logits: Logits) -> Reading {
    let Logits { full, pruned, corrupted } = logits;
    let subject = contrast.subject();
    let numeric = subject.numeric();
    let runs = [&full, &pruned, &corrupted];
    let log = runs.map(|run| log_probabilities(run));
    let mut ids: Vec<usize> = Vec::new();
    for run in runs {
        let mut order: Vec<usize> = (0..run.len()).collect();
        let most = most.min(order.len());
        let by_value = |&a: &usize, &b: &usize| run[b].total_cmp(&run[a]).then(a.cmp(&b));
        if most > 0 && most < order.len() {
            order.select_nth_unstable_by(most - 1, by_value);
        }
        ids.extend(order.into_iter().take(most));
    }
    sort(&mut ids, &|a, b| full[b].total_cmp(&full[a]).then(a.cmp(&b)));
    ids.dedup();
    let rows = ids.into_iter().map(|id| Row {
        id,
        text: subject.output(id),
        logits: runs.map(|run| run[id]),
        probabilities: if numeric { None } else { Some([0, 1, 2].map(|run: usize| log[run][id].exp())) },
    });
    let rows = rows.collect();
    let distance = |run: usize| if numeric { squared(&full, runs[run]) } else { kl(&log[0], &log[run]) };
    let (pruned_distance, corrupted_distance) = (distance(1), distance(2));
    let same_top = if numeric { pruned_distance < 1e-4 } else { top(&full) == top(&pruned) };
    Reading { position, tokens: contrast.tokens(), numeric, outputs: full.len(), rows, pruned_distance, corrupted_distance, same_top }
}

/// All positions of the pair.
///
/// # Errors
/// Device errors.
pub fn places(contrast: &Contrast) -> Result<Vec<Place>, InspectError> {
    let asked = asked(contrast);
    let rows = if asked.is_empty() { vec![] } else { contrast.rows(&asked)? };
    Ok(of_rows(contrast, &rows))
}

/// As [`places`], where the device has to be awaited: a GPU in a page.
///
/// # Errors
/// Device errors.
pub async fn places_async(contrast: &Contrast<'_>) -> Result<Vec<Place>, InspectError> {
    let asked = asked(contrast);
    let rows = if asked.is_empty() { vec![] } else { contrast.rows_async(&asked).await? };
    Ok(of_rows(contrast, &rows))
}

/// Positions whose outputs are shown: all or, with too many outputs, none.
fn asked(contrast: &Contrast) -> Vec<usize> {
    let n = contrast.tokens();
    if n * contrast.subject().model.config.d_out <= MOST_LOGITS { (0..n).collect() } else { vec![] }
}

/// `rows` holds all positions of the first run, then of the others, or nothing.
fn of_rows(contrast: &Contrast, rows: &[Vec<f32>]) -> Vec<Place> {
    let subject = contrast.subject();
    let (clean, corrupted) = contrast.ids();
    let n = contrast.tokens();
    let word = |row: &[f32]| match row {
        [x] if subject.numeric() => format!("{x:.3}"),
        row => subject.output(top(row)),
    };
    let outputs = |at: usize| {
        let of = |run: usize| rows.get(run * n + at).map_or_else(String::new, |row| word(row));
        (!rows.is_empty()).then(|| [0, 1, 2].map(of))
    };
    let tokens = clean.iter().zip(corrupted).enumerate();
    tokens.map(|(at, (&a, &b))| Place { clean: subject.token(a), corrupted: subject.token(b), outputs: outputs(at) }).collect()
}

//! What the text decoder reads: given the true words before each token, and freely.
//!
//! **Freely** the likeliest token is taken each time, as many as the text has (the model never learned where a text ends). One pass of the decoder guesses all places at once from the guesses of
//! the last pass; every place whose predecessors have stopped changing is settled, so each pass settles at least one and, where the model is sure, many. What comes out is exactly the greedy
//! reading, token by token. **Source** of the parallel reading: Santilli et al., "Accelerating Transformer Inference for Translation via Parallel Decoding" (2023), Jacobi decoding.

use serde::Serialize;

use crate::{
    bpe::{Bpe, END, PAD, START, UNKNOWN},
    model::{
        params::{count, text_specs},
        ptp::{Encoded, Ptp},
        tape::Tape,
    },
};

use super::picture::mean_heads;

/// Tokens listed where the model is asked for its likeliest.
pub const TOP: usize = 5;
/// Products that a free reading may take.
const MOST_WORK: usize = 2_000_000_000;

/// A token the model might write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guess {
    pub id: u32,
    pub text: String,
    /// Nats.
    pub log_prob: f64,
}

impl Guess {
    #[must_use]
    pub fn new(bpe: &Bpe, id: u32, log_prob: f64) -> Self {
        let text = match id {
            START => "<s>".to_owned(),
            PAD => "<pad>".to_owned(),
            END => "</s>".to_owned(),
            UNKNOWN => "<unk>".to_owned(),
            _ => String::from_utf8_lossy(bpe.piece(id)).into_owned(),
        };
        Self { id, text, log_prob }
    }
}

/// One place of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Nats of the label.
    pub log_prob: f64,
    /// The likeliest tokens, best first.
    pub top: Vec<(u32, f64)>,
    /// Over the encoder's rows, mean over the heads of the last layer.
    pub attention: Vec<f32>,
}

/// A greedy reading.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Free {
    pub text: String,
    pub tokens: Vec<Guess>,
    /// Less than the text's tokens were settled: the model is too large for more.
    pub cut: bool,
}

/// The likeliest numbers of a row of logits with their log-probabilities, best first, and the logarithm of the normaliser.
pub fn top(logits: &[f32], most: usize) -> (Vec<(u32, f64)>, f64) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let normaliser = f64::from(largest) + logits.iter().map(|&x| f64::from(x - largest).exp()).sum::<f64>().ln();
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(most + 1);
    for (id, &logit) in logits.iter().enumerate() {
        if best.len() == most && best.last().is_some_and(|&(_, least)| logit <= least) {
            continue;
        }
        // Behind those that are as good: of equals the first goes first.
        let place = best.partition_point(|&(_, other)| other >= logit);
        best.insert(place, (id as u32, logit));
        best.truncate(most);
    }
    (best.into_iter().map(|(id, logit)| (id, f64::from(logit) - normaliser)).collect(), normaliser)
}

/// Reads `labels` by teacher forcing; nothing for no label.
pub fn forced(ptp: &Ptp, tape: &mut Tape<'_>, encoded: &Encoded, labels: &[u32]) -> Vec<Read> {
    if labels.is_empty() {
        return vec![];
    }
    let keys = encoded.spans.first().map_or(0, ExactSizeIterator::len);
    let written = ptp.written(tape, encoded, &[shifted(labels)]);
    let attention = written.cross.map(|var| mean_heads(tape.attention_weights(var), ptp.config.text.heads, keys)).unwrap_or_default();
    let logits = tape.value(written.logits);
    let one = |(place, &label): (usize, &u32)| {
        let row = logits.row(place);
        let (top, normaliser) = top(row, TOP);
        let log_prob = row.get(label as usize).map_or(f64::NEG_INFINITY, |&logit| f64::from(logit) - normaliser);
        Read { log_prob, top, attention: attention.get(place).cloned().unwrap_or_default() }
    };
    labels.iter().enumerate().map(one).collect()
}

/// The decoder's inputs for these tokens.
fn shifted(tokens: &[u32]) -> Vec<u32> {
    std::iter::once(START).chain(tokens.iter().copied()).take(tokens.len()).collect()
}

/// Reads freely as many tokens as were read by teacher forcing, beginning from those guesses.
pub fn free(ptp: &Ptp, tape: &mut Tape<'_>, encoded: &Encoded, bpe: &Bpe, forced: &[Read]) -> Free {
    let n = forced.len();
    let mut guesses: Vec<(u32, f64)> = forced.iter().filter_map(|read| read.top.first().copied()).collect();
    // The first token is what it is: nothing stands before it.
    let mut settled = n.min(1);
    let mut passes = MOST_WORK / count(&text_specs(&ptp.config)).saturating_mul(n).max(1);
    while settled < n && passes > 0 {
        passes -= 1;
        let before: Vec<u32> = guesses.iter().map(|&(id, _)| id).collect();
        let logits = ptp.write(tape, encoded, &[shifted(&before)]);
        let logits = tape.value(logits);
        guesses = (0..n).filter_map(|place| top(logits.row(place), 1).0.first().copied()).collect();
        // Places whose predecessors are all as they were.
        settled = before.iter().zip(&guesses).take_while(|(before, now)| **before == now.0).count() + 1;
    }
    guesses.truncate(settled.min(n));
    let ids: Vec<u32> = guesses.iter().map(|&(id, _)| id).collect();
    let tokens = guesses.into_iter().map(|(id, log_prob)| Guess::new(bpe, id, log_prob)).collect();
    Free { text: bpe.decode(&ids), tokens, cut: settled < n }
}

//! The same encoder over words instead of pixels: what a screenshot model is compared with.
//!
//! CLS and the embeddings of tokens with learned positions go through a tower of the same size; masked-word prediction trains it (a linear layer on the hidden words, tied to the embeddings).

use super::{
    calls::{Calls, Spans, Var},
    config::ModelConfig,
    params::{self, Begin, Params, Spec},
    ptp::Walk,
};

/// The shape: the encoder of a [`ModelConfig`], its vocabulary and longest text.
#[derive(Debug, Clone, PartialEq)]
pub struct WordModel {
    pub config: ModelConfig,
}

impl WordModel {
    /// The token that stands for a hidden one: one more than the vocabulary has.
    #[must_use]
    pub fn mask(&self) -> u32 {
        self.config.vocab as u32
    }

    /// All matrices, those of the prediction of words last.
    #[must_use]
    pub fn specs(&self) -> Vec<Spec> {
        let mut to = self.encoder_specs();
        to.push(Spec { name: "words.bias".into(), rows: 1, cols: self.config.vocab + 1, begin: Begin::Constant(0.0) });
        to
    }

    /// What fine-tuning keeps.
    #[must_use]
    pub fn encoder_specs(&self) -> Vec<Spec> {
        let (width, std) = (self.config.encoder.width, Begin::Normal(0.02));
        let mut to = vec![];
        for (name, rows) in [("words.embedding", self.config.vocab + 1), ("words.cls", 1), ("words.positions", self.config.tokens + 1)] {
            to.push(Spec { name: name.into(), rows, cols: width, begin: std });
        }
        params::vision(&mut to, "words", self.config.encoder);
        to
    }

    /// Fresh numbers.
    #[must_use]
    pub fn init(&self, seed: u64) -> Params {
        Params::new(self.specs(), seed)
    }

    /// Reads texts; rows of CLS and tokens, text by text, and where each begins and ends. What is too long is cut.
    pub fn encode(&self, tape: &mut impl Calls, texts: &[impl AsRef<[u32]>]) -> (Var, Vec<std::ops::Range<usize>>) {
        let mut walk = Walk { next: 0 };
        let [embedding, cls, table] = std::array::from_fn(|_| walk.take(tape));
        let all = tape.under(vec![embedding, cls]);
        let (mut order, mut places, mut spans) = (vec![], vec![], vec![]);
        for text in texts {
            let start = order.len();
            let text = text.as_ref();
            let text = &text[..text.len().min(self.config.tokens)];
            order.push(self.config.vocab + 1);
            order.extend(text.iter().map(|&id| id as usize));
            places.extend(0..=text.len());
            spans.push(start..order.len());
        }
        let words = tape.rows(all, order);
        let at = tape.rows(table, places);
        let x = tape.add(words, at);
        let inside = Spans { queries: spans.clone(), keys: spans.clone(), causal: false };
        (walk.vision(tape, x, self.config.encoder, &inside).0, spans)
    }

    /// Logits of these rows, `[rows, vocab + 1]`.
    pub fn predict(&self, tape: &mut impl Calls, read: Var, rows: Vec<usize>) -> Var {
        let bias = tape.param(self.encoder_specs().len());
        let n = rows.len();
        let hidden = tape.rows(read, rows);
        let logits = tape.linear_tied(hidden, tape.param(0));
        let bias = tape.rows(bias, vec![0; n]);
        tape.add(logits, bias)
    }
}

//! A text-to-SQL model from scratch: a small encoder-decoder over sub-words, which copies names from what it read.
//!
//! **Idea.** The paper's models are sequence to sequence: text in, text out, nothing known about SQL. This is one of under a million numbers, for what such a model can and cannot do without pretraining. It
//! fills the same seam as the other model, so every decoder runs on it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`subwords`] | one vocabulary for what is read and written |
//! | [`examples`] | the inputs and outputs of the stages, in pieces |
//! | [`net`] | two layers that read, two that write, a head that copies |
//! | [`train`], [`scorer`], [`mod@file`] | training, decoding with kept keys and values, two files |
//!
//! **Sources.** Bhaskar et al., EMNLP 2023, section 4 (inputs and stages); Vaswani et al., NeurIPS 2017; Gu et al., ACL 2016 (copying).

pub mod examples;
pub mod file;
pub mod net;
pub mod scorer;
pub mod subwords;
pub mod train;

#[cfg(test)]
mod tests;

use super::{
    sql::schema::Schema,
    stages::{Pieces, Reading, StageError, TextToSql},
};
use net::NetConfig;
use scorer::Seq2SeqReading;
use subwords::{END, SubWords};
use vitrine_core::train::mat::Mat;

/// What training makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Databases that were learned from.
    pub databases: Vec<String>,
    pub config: NetConfig,
    pub words: SubWords,
    /// In the order of [`net::shapes`].
    pub params: Vec<Mat>,
}

/// A model that writes SQL.
pub struct Seq2Seq {
    pub weights: Weights,
    pieces: Pieces,
}

impl Seq2Seq {
    pub fn new(weights: Weights) -> Self {
        let pieces = Pieces { pieces: weights.words.pieces().to_vec(), end: END };
        Self { weights, pieces }
    }
}

impl TextToSql for Seq2Seq {
    fn read<'a>(&'a self, question: &str, schema: &'a Schema) -> Result<Box<dyn Reading + 'a>, StageError> {
        Ok(Box::new(Seq2SeqReading::new(self, question, schema)?))
    }
}

//! A text-to-SQL model that trains in minutes on a CPU: a decoder of template words and a pointer to names, over features of a frozen sentence encoder.
//!
//! **Idea.** What a pretrained encoder knows about words carries over to databases never seen; what is left to learn is small. Words of templates come from a small vocabulary, names from
//! the schema at hand. Both together are one distribution over sub-word text, so every decoder, from beam search to `LogicalBeam`, decodes the same model.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`words`], [`spelling`] | templates and queries as words; words and names as sub-word pieces |
//! | [`items`], [`question`], [`scope`] | a schema's names as choices; how a question is linked with them; what the text so far says about the next name |
//! | [`encode`] | vectors of texts, computed once |
//! | [`tape`], [`net`] | differentiation; the network |
//! | [`boundary`], [`scorer`] | what may follow a word, and its pieces' exact probabilities |
//! | [`examples`], [`variants`], [`pools`], [`train`], [`evaluate`] | training data as numbers, both readings of ambiguous questions, training, how good a model is |
//! | [`mod@file`] | weights and vocabulary as two files |
//!
//! **Sources.** Bhaskar et al., EMNLP 2023, for the stages; Reimers and Gurevych, EMNLP 2019, for the encoder; Guo et al., ACL 2019, and Wang et al., ACL 2020, for linking.

pub mod boundary;
pub mod encode;
pub mod evaluate;
pub mod examples;
pub mod file;
pub mod items;
pub mod net;
pub mod pools;
pub mod question;
pub mod scope;
pub mod scorer;
pub mod spelling;
pub mod tape;
pub mod train;
pub mod variants;
pub mod words;

#[cfg(test)]
mod tests;

use super::{
    sql::schema::Schema,
    stages::{Reading, StageError, TextToSql},
};
use encode::{Cache, Encoder};
use net::NetConfig;
use scorer::ModelReading;
use spelling::Fragments;
use vitrine_core::train::mat::Mat;
use words::Vocabulary;

/// What training makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Name of the encoder whose vectors these were trained on.
    pub encoder: String,
    /// Databases that were learned from: questions about them say nothing about how good a model is.
    pub databases: Vec<String>,
    pub config: NetConfig,
    pub vocabulary: Vocabulary,
    pub fragments: Fragments,
    /// In the order of [`net::shapes`].
    pub params: Vec<Mat>,
}

/// A model that writes SQL.
pub struct SqlModel {
    pub weights: Weights,
    pub cache: Cache,
    /// Whether each name is one piece.
    pub whole_names: bool,
}

impl SqlModel {
    /// # Errors
    /// When the encoder's vectors are not those the weights were trained on.
    pub fn new(weights: Weights, encoder: Box<dyn Encoder>) -> Result<Self, StageError> {
        let (found, expected) = (encoder.width(), weights.config.features);
        if found != expected {
            return Err(StageError::Model(format!("the encoder gives {found} numbers a text, the model needs {expected}")));
        }
        Ok(Self { weights, cache: Cache::new(encoder), whole_names: false })
    }
}

impl TextToSql for SqlModel {
    fn read<'a>(&'a self, question: &str, schema: &'a Schema) -> Result<Box<dyn Reading + 'a>, StageError> {
        Ok(Box::new(ModelReading::new(self, question, schema)?))
    }
}

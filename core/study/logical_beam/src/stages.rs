//! What decoding asks of a text-to-SQL model: one distribution over text, read at four stages.
//!
//! **Idea.** A method of decoding knows no model. It asks a [`Reading`] (a question read beside a schema) for a [`Scorer`] of a [`Stage`], and knows what each token of the
//! vocabulary spells. LogicalBeam asks for templates behind a plan, then for queries of a template; the baselines ask for queries.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4: the inputs `template generation`, `template fill` and `semantic parse` of the released models.

use thiserror::Error;

use super::sql::schema::Schema;
use vitrine_core::decode::{Scorer, ScorerError};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// A plan and a template: `1 joins @ 2 selects @ select column , column from table ...` ([`super::sql::plan::Plan`] is the prefix).
    Template,
    /// The query of this template (without its plan).
    Fill(&'a str),
    /// A query.
    Query,
    /// A plan and a query: the one-stage ablation.
    PlannedQuery,
}

/// What each token spells. A text is its tokens' pieces one after the other, nothing between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    pub pieces: Vec<String>,
    /// Ends a text; spells nothing.
    pub end: u32,
}

impl Pieces {
    /// The text of tokens; unknown ones spell nothing.
    pub fn text(&self, tokens: &[u32]) -> String {
        tokens.iter().filter_map(|&token| self.pieces.get(token as usize)).map(String::as_str).collect()
    }
}

/// Why a question cannot be read, or a stage not be scored.
#[derive(Debug, Error)]
pub enum StageError {
    #[error("the question is empty")]
    EmptyQuestion,
    #[error("the schema has no {0}")]
    EmptySchema(&'static str),
    #[error("this model has no stage for {0}")]
    NoStage(&'static str),
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    #[error("{0}")]
    Model(String),
}

/// A question read beside a schema: what does not change while its queries are decoded is computed once.
pub trait Reading {
    fn pieces(&self) -> &Pieces;

    /// The scorer of a stage and the prompt it begins from.
    ///
    /// # Errors
    /// [`StageError::NoStage`] for a stage this model was not trained for.
    fn scorer(&self, stage: Stage<'_>) -> Result<(Box<dyn Scorer + '_>, Vec<u32>), StageError>;
}

/// A model that writes SQL.
pub trait TextToSql {
    /// Reads a question beside a schema.
    ///
    /// # Errors
    /// [`StageError`] for an empty question or schema, and what running the model finds.
    fn read<'a>(&'a self, question: &str, schema: &'a Schema) -> Result<Box<dyn Reading + 'a>, StageError>;
}

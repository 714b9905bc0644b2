//! A question being decoded: the model's reading of it, its schema's words, and how a search is run and written down.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::record::{Output, Purpose, Record, Run};
use crate::{
    sql::{schema::Schema, template::SchemaWords},
    stages::{Pieces, Reading, Stage, StageError, TextToSql},
};
use vitrine_core::decode::{Constraint, DecodeError, Ending, Lexicon, Method, Settings, Trace, explore};

/// Most characters of a question.
pub const LONGEST_QUESTION: usize = 4_000;

/// Queries drawn by methods that sample: as many as the paper's beam holds.
pub const SAMPLES: usize = 10;

/// Told what a search is for, its tree so far and the node that is new, while it runs.
pub type Watch<'a> = &'a dyn Fn(&Purpose, &Trace, usize);

/// Why a question has no list of queries.
#[derive(Debug, Error)]
pub enum BeamError {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the question has {characters} characters; at most {LONGEST_QUESTION} are read")]
    LongQuestion { characters: usize },
    #[error("the vocabulary of this model cannot spell `{0}`")]
    Unspellable(String),
}

/// What all decoders are told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Queries wanted.
    pub k: usize,
    /// Longest text of a search, in tokens.
    pub max_tokens: usize,
    pub seed: u64,
    /// Whether trees hold what was cut, too.
    pub trace_cuts: bool,
    /// Queries drawn by methods that sample.
    pub samples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { k: 5, max_tokens: 192, seed: 0, trace_cuts: false, samples: SAMPLES }
    }
}

/// A question, its schema, and a model that has read both.
pub struct Asked<'a> {
    pub model: &'a dyn TextToSql,
    pub question: &'a str,
    pub schema: &'a Schema,
    pub words: SchemaWords,
    pub lexicon: Rc<Lexicon>,
    reading: Box<dyn Reading + 'a>,
    pub limits: Limits,
    pub(super) watch: Option<Watch<'a>>,
}

impl<'a> Asked<'a> {
    /// Lets the model read.
    ///
    /// # Errors
    /// [`BeamError`] for a question that is empty or too long, and what the model finds.
    pub fn new(model: &'a dyn TextToSql, question: &'a str, schema: &'a Schema, limits: Limits) -> Result<Self, BeamError> {
        let characters = question.chars().count();
        if characters > LONGEST_QUESTION {
            return Err(BeamError::LongQuestion { characters });
        }
        if question.trim().is_empty() {
            return Err(StageError::EmptyQuestion.into());
        }
        for (is_there, what) in [(!schema.tables.is_empty(), "tables"), (!schema.columns.is_empty(), "columns")] {
            if !is_there {
                return Err(StageError::EmptySchema(what).into());
            }
        }
        let reading = model.read(question, schema)?;
        let lexicon = Rc::new(Lexicon::new(&reading.pieces().pieces));
        Ok(Self { model, question, schema, words: SchemaWords::new(schema), lexicon, reading, limits, watch: None })
    }

    /// The same, and `watch` looks on while searches run.
    pub fn watched(self, watch: Option<Watch<'a>>) -> Self {
        Self { watch, ..self }
    }

    /// What each token spells.
    pub fn pieces(&self) -> &Pieces {
        self.reading.pieces()
    }

    /// Runs a search and writes it down; `outputs` texts, 0 for as many as the method holds. A constraint that nothing satisfies is no error: the search found nothing, and says why.
    ///
    /// # Errors
    /// A stage that the model does not have, settings out of range, a scorer that fails.
    pub fn search(
        &self,
        purpose: Purpose,
        stage: Stage<'_>,
        (method, outputs): (&dyn Method, usize),
        constraint: &dyn Constraint,
        record: &mut Record,
    ) -> Result<Vec<Output>, BeamError> {
        let (mut scorer, prompt) = self.reading.scorer(stage)?;
        let pieces = self.reading.pieces();
        let settings = Settings {
            max_tokens: self.limits.max_tokens,
            eos: vec![pieces.end],
            outputs,
            seed: self.limits.seed,
            trace_cuts: self.limits.trace_cuts,
        };
        let mut run = Run { purpose, forwards: 0, scored: 0, outputs: vec![], problem: None, search: Trace::default() };
        let mut tell = |trace: &Trace, node: usize| {
            if let Some(watch) = self.watch {
                watch(&run.purpose, trace, node);
            }
        };
        match explore(method, &mut *scorer, &prompt, &settings, constraint, &mut tell) {
            Ok(found) => {
                (run.forwards, run.scored, run.search) = (found.forwards, found.scored, found.trace);
                for hypothesis in found.hypotheses {
                    let text = pieces.text(&hypothesis.tokens);
                    let dropped = (hypothesis.ending == Ending::Length).then(|| "it did not end".to_owned());
                    let (log_prob, score, node) = (hypothesis.log_prob, hypothesis.score, hypothesis.node);
                    run.outputs.push(Output { text, log_prob, score, node, dropped });
                }
            }
            // The prompt was scored all the same.
            Err(error @ DecodeError::NothingAllowed) => (run.forwards, run.scored, run.problem) = (1, 1, Some(error.to_string())),
            Err(error) => return Err(error.into()),
        }
        if run.outputs.is_empty() && run.problem.is_none() {
            run.problem = Some(DecodeError::Unsatisfied { max_tokens: settings.max_tokens }.to_string());
        }
        let outputs = run.outputs.clone();
        record.runs.push(run);
        Ok(outputs)
    }
}

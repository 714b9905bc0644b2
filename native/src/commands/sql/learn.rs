//! Training either kind of text-to-SQL model: what it needs of the questions, then the steps, then its two files.

use anyhow::{Result, bail};
use clap::ValueEnum;
use vitrine_core::lab::{Lab as _, LabError};
use vitrine_logical_beam::{
    model::{
        encode::{Cache, Encoder},
        examples::{self, Pair},
        file::{self, Saved},
        spelling::Fragments,
        train::{self, TrainConfig, TrainError},
        words::Vocabulary,
    },
    seq2seq,
    sql::{ambiguate::Kind, schema::Schema},
};

use crate::{lab::NativeLab, resources};

/// Kinds of text-to-SQL models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    /// Template words and a pointer to names, over a frozen sentence encoder.
    #[default]
    Slots,
    /// An encoder-decoder over sub-words from scratch.
    Seq2seq,
}

/// What is found in the questions before anything is written.
pub enum Prepared {
    Slots { vocabulary: Vocabulary, fragments: Fragments, encoder: Box<dyn Encoder>, name: String },
    Seq2Seq { words: seq2seq::subwords::SubWords, data: seq2seq::examples::Data },
}

/// A trained model's files, and what it learned from.
pub struct Learned {
    pub saved: Saved,
    /// Examples as they are, and those of both readings.
    pub plain: usize,
    pub ambiguous: usize,
    pub left_out: usize,
    pub cpu_seconds: Option<f64>,
}

/// Writes what was trained.
type Save = Box<dyn FnOnce() -> Result<Saved, file::FileError>>;

impl Prepared {
    /// For a model over an encoder of this name.
    pub fn slots(pairs: &[Pair], schemas: &[Schema], (name, encoder): (&str, Box<dyn Encoder>)) -> Result<Self> {
        let (vocabulary, fragments) = examples::vocabulary(pairs, schemas)?;
        Ok(Self::Slots { vocabulary, fragments, encoder, name: name.to_owned() })
    }

    /// For one from scratch.
    pub fn seq2seq(pairs: &[Pair], schemas: &[Schema]) -> Result<Self> {
        let words = seq2seq::examples::vocabulary(pairs, schemas)?;
        let data = seq2seq::examples::encode(pairs, schemas, &words)?;
        Ok(Self::Seq2Seq { words, data })
    }

    /// Trains.
    ///
    /// # Errors
    /// What training says; a run that was stopped says how to go on.
    pub fn learn(
        self,
        config: &TrainConfig,
        (pairs, schemas, databases): (&[Pair], &[Schema], Vec<String>),
        lab: &mut NativeLab,
        place: &std::path::Path,
    ) -> Result<Learned> {
        let count = |kinds: &mut dyn Iterator<Item = Option<Kind>>| {
            let (plain, ambiguous): (Vec<_>, Vec<_>) = kinds.partition(Option::is_none);
            [plain.len(), ambiguous.len()]
        };
        let mut began = resources::cpu_seconds();
        let ([plain, ambiguous], left_out, trained, saved): (_, _, _, Save) = match self {
            Self::Slots { vocabulary, fragments, encoder, name } => {
                let cache = Cache::new(encoder);
                let data = examples::encode(pairs, schemas, &vocabulary, &cache, &mut |done, all| {
                    lab.progress("encoding", done as u64, all as u64);
                })?;
                let mut state = train::TrainState::new(config, (&name, cache.encoder.width()), vocabulary, fragments);
                state.weights.databases = databases;
                began = resources::cpu_seconds();
                let trained = train::train(config, &data, &mut state, "train", lab);
                let counts = count(&mut data.examples.iter().map(|example| example.kind));
                (counts, data.left_out, trained, Box::new(move || file::save(&state.weights)))
            }
            Self::Seq2Seq { words, data } => {
                let mut state = seq2seq::train::TrainState::new(config, words, databases);
                let trained = seq2seq::train::train(config, &data, &mut state, "train", lab);
                let counts = count(&mut data.examples.iter().map(|example| example.kind));
                (counts, data.left_out, trained, Box::new(move || seq2seq::file::save(&state.weights)))
            }
        };
        lab.end_task();
        if let Err(TrainError::Lab(LabError::Stopped { step })) = trained {
            bail!("stopped at step {step} of {}; repeat the command with --resume to go on (saved in {})", config.steps, place.display());
        }
        trained?;
        let cpu_seconds = resources::cpu_seconds().zip(began).map(|(now, began)| now - began);
        Ok(Learned { saved: saved()?, plain, ambiguous, left_out, cpu_seconds })
    }
}

//! Text-to-SQL models as folders, and the encoders they read with.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use vitrine_logical_beam::{
    model::{
        SqlModel,
        encode::{Encoder, Letters},
        file,
    },
    seq2seq::{self, Seq2Seq},
    stages::TextToSql,
};

use crate::{
    atomic::read_bounded,
    open::{self, text},
    registry,
};

/// Name of the encoder that needs no weights, and numbers of its vectors.
pub const LETTERS: &str = Letters::NAME;
pub const LETTERS_WIDTH: usize = 256;
/// Largest file of weights of such a model.
const MOST_WEIGHTS: u64 = 1 << 30;

/// The encoder to train with where none is named: the fetched one where it is there.
pub fn preferred() -> &'static str {
    let minilm = "minilm";
    let installed =
        registry::find(minilm).ok().zip(registry::cache_dir().ok()).and_then(|(model, cache)| registry::installed(model, &cache));
    if installed.is_some() { minilm } else { LETTERS }
}

/// An encoder with its files' hashes: `letters`, a fetched one's name, or a folder.
///
/// # Errors
/// An encoder that is not there or cannot be read.
pub fn encoder(name: &str, letters_width: usize) -> Result<(Box<dyn Encoder>, BTreeMap<String, String>)> {
    if name == LETTERS {
        return Ok((Box::new(Letters { width: letters_width }), BTreeMap::new()));
    }
    let (sentences, hashes) = open::encoder(name)?;
    Ok((Box::new(sentences), hashes))
}

/// A model that `sql train` made.
pub enum Trained {
    /// Over a frozen encoder.
    Slots(Box<SqlModel>),
    /// From scratch.
    Seq2Seq(Box<Seq2Seq>),
}

impl Trained {
    /// The model as decoding sees it.
    pub fn model(&self) -> &dyn TextToSql {
        match self {
            Self::Slots(model) => &**model,
            Self::Seq2Seq(model) => &**model,
        }
    }

    /// Databases that were learned from.
    pub fn databases(&self) -> &[String] {
        match self {
            Self::Slots(model) => &model.weights.databases,
            Self::Seq2Seq(model) => &model.weights.databases,
        }
    }

    /// Parameters.
    pub fn numbers(&self) -> usize {
        let params = match self {
            Self::Slots(model) => &model.weights.params,
            Self::Seq2Seq(model) => &model.weights.params,
        };
        params.iter().map(|mat| mat.data.len()).sum()
    }

    /// What kind of model it is, in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Slots(_) => "behind a frozen encoder",
            Self::Seq2Seq(_) => "from scratch, over sub-words",
        }
    }
}

/// Whether a `config.json` is that of a text-to-SQL model.
pub fn is_config(config: &str) -> bool {
    file::is_config(config) || seq2seq::file::is_config(config)
}

/// Opens the model in a folder (`config.json`, `model.safetensors`), with the encoder it names.
///
/// # Errors
/// A folder that holds no such model, or an encoder that is not there.
pub fn open(folder: &Path) -> Result<Trained> {
    let place = || format!("in {}", folder.display());
    let config = text(&folder.join("config.json")).context("a text-to-SQL model needs config.json")?;
    let weights = read_bounded(&folder.join("model.safetensors"), MOST_WEIGHTS)?;
    if seq2seq::file::is_config(&config) {
        let weights = seq2seq::file::load(&config, &weights).with_context(place)?;
        return Ok(Trained::Seq2Seq(Box::new(Seq2Seq::new(weights))));
    }
    let weights = file::load(&config, &weights).with_context(place)?;
    let (encoder, _) = encoder(&weights.encoder, weights.config.features).with_context(place)?;
    Ok(Trained::Slots(Box::new(SqlModel::new(weights, encoder).with_context(place)?)))
}

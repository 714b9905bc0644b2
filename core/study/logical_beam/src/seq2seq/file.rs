//! A trained model as `config.json` and `model.safetensors`, and a training run as one checkpoint.

use serde::{Deserialize, Serialize};

use super::{
    Weights,
    net::{NetConfig, shapes},
    subwords::SubWords,
    train::TrainState,
};
use crate::model::file::{FileError, Saved, go_on, params, same_version, says, written};
use vitrine_core::formats::safetensors::SafeTensors;

const SCHEMA: &str = "vitrine.text-to-sql-seq2seq/1";
/// What the schemas of all versions of this model begin with.
const KIND: &str = "vitrine.text-to-sql-seq2seq/";
/// Longest `config.json`, in bytes.
const MOST_CONFIG: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    schema: String,
    databases: Vec<String>,
    net: NetConfig,
    words: SubWords,
}

/// Whether a `config.json` is that of this kind of model, of any version.
pub fn is_config(json: &str) -> bool {
    says(json, KIND)
}

/// Writes a model.
///
/// # Errors
/// What the formats say.
pub fn save(weights: &Weights) -> Result<Saved, FileError> {
    let config = Config { schema: SCHEMA.into(), databases: weights.databases.clone(), net: weights.config, words: weights.words.clone() };
    Ok(Saved { config: serde_json::to_string_pretty(&config)?, weights: written(&shapes(&weights.config), &weights.params)? })
}

/// Reads a model.
///
/// # Errors
/// [`FileError`] for files that are too long, are none of this model, or do not fit each other.
pub fn load(config: &str, weights: &[u8]) -> Result<Weights, FileError> {
    if config.len() > MOST_CONFIG {
        return Err(FileError::Config("longer than any of this model"));
    }
    same_version(config, KIND, SCHEMA)?;
    let Config { schema, databases, net, words } = serde_json::from_str(config)?;
    if schema != SCHEMA {
        return Err(FileError::Config("of another kind of model"));
    }
    if !net.is_sound() || net.pieces != words.len() {
        return Err(FileError::Config("sizes out of bounds"));
    }
    let params = params(&SafeTensors::open(weights)?, &shapes(&net), "")?;
    Ok(Weights { databases, config: net, words, params })
}

/// Goes on from a checkpoint of a run that began as `fresh`.
///
/// # Errors
/// [`FileError`] for a checkpoint of another run.
pub fn resume(bytes: &[u8], fresh: &TrainState) -> Result<TrainState, FileError> {
    let (step, params, moments) = go_on(bytes, &shapes(&fresh.weights.config))?;
    Ok(TrainState { step, weights: Weights { params, ..fresh.weights.clone() }, moments })
}

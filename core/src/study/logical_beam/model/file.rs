//! A trained model as `config.json` and `model.safetensors`, and a training run as one checkpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Weights,
    net::{NetConfig, shapes},
    spelling::Fragments,
    tape::Mat,
    train::TrainState,
    words::Vocabulary,
};
use crate::{
    formats::{
        FormatError, WeightSource,
        safetensors::{SafeTensors, TensorData, write},
        weights::check_finite,
    },
    train::adamw::Moments,
};

const SCHEMA: &str = "vitrine.text-to-sql/2";
/// Longest `config.json`, in bytes.
const MOST_CONFIG: usize = 4 << 20;
const STEP: &str = "step";

/// Why files make no model.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("config.json is none of this model: {0}")]
    Json(#[from] serde_json::Error),
    #[error("config.json: {0}")]
    Config(&'static str),
    #[error(transparent)]
    Format(#[from] FormatError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    schema: String,
    encoder: String,
    databases: Vec<String>,
    net: NetConfig,
    words: Vocabulary,
    fragments: Fragments,
}

/// The two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub config: String,
    pub weights: Vec<u8>,
}

fn tensors<'m>(params: impl Iterator<Item = (String, &'m [usize; 2], &'m [f32])>) -> BTreeMap<String, (Vec<usize>, TensorData<'m>)> {
    params.map(|(name, shape, data)| (name, (shape.to_vec(), TensorData::F32(data)))).collect()
}

/// Whether a `config.json` is that of a text-to-SQL model, rather than of a language model.
pub fn is_config(json: &str) -> bool {
    let schema = serde_json::from_str::<serde_json::Value>(json).ok().and_then(|config| Some(config.get("schema")?.as_str()? == SCHEMA));
    schema == Some(true)
}

/// Writes a model.
///
/// # Errors
/// What the formats say.
pub fn save(weights: &Weights) -> Result<Saved, FileError> {
    let config = Config {
        schema: SCHEMA.into(),
        encoder: weights.encoder.clone(),
        databases: weights.databases.clone(),
        net: weights.config,
        words: weights.vocabulary.clone(),
        fragments: weights.fragments.clone(),
    };
    let shapes = shapes(&weights.config);
    let named = shapes.iter().zip(&weights.params).map(|((name, shape), mat)| (name.clone(), shape, &mat.data[..]));
    Ok(Saved { config: serde_json::to_string_pretty(&config)?, weights: write(&tensors(named), &BTreeMap::new())? })
}

/// Reads a model.
///
/// # Errors
/// [`FileError`] for files that are too long, are none of this model, or do not fit each other.
pub fn load(config: &str, weights: &[u8]) -> Result<Weights, FileError> {
    if config.len() > MOST_CONFIG {
        return Err(FileError::Config("longer than any of this model"));
    }
    let Config { schema, encoder, databases, net, words, fragments } = serde_json::from_str(config)?;
    if schema != SCHEMA {
        return Err(FileError::Config("of another kind of model"));
    }
    if !net.is_sound() || net.words != words.len() {
        return Err(FileError::Config("sizes out of bounds"));
    }
    let source = SafeTensors::open(weights)?;
    Ok(Weights { encoder, databases, config: net, vocabulary: words, fragments, params: params(&source, &net, "")? })
}

fn params(source: &dyn WeightSource, net: &NetConfig, prefix: &str) -> Result<Vec<Mat>, FileError> {
    let read = |(name, shape): (String, [usize; 2])| {
        let name = format!("{prefix}{name}");
        let data = source.read_shaped(&name, &shape)?;
        check_finite(&name, &data)?;
        Ok(Mat { rows: shape[0], cols: shape[1], data })
    };
    shapes(net).into_iter().map(read).collect()
}

/// A training run between two steps.
///
/// # Errors
/// What the format says.
pub fn checkpoint(state: &TrainState) -> Result<Vec<u8>, FileError> {
    let shapes = shapes(&state.weights.config);
    let one = |(((name, shape), mat), moments)| -> [(String, &[usize; 2], &[f32]); 3] {
        let (mat, moments): (&Mat, &Moments) = (mat, moments);
        let name: &String = name;
        [
            (name.clone(), shape, &mat.data[..]),
            (format!("first.{name}"), shape, &moments.first[..]),
            (format!("second.{name}"), shape, &moments.second[..]),
        ]
    };
    let named = shapes.iter().map(|(name, shape)| (name, shape)).zip(&state.weights.params).zip(&state.moments).flat_map(one);
    Ok(write(&tensors(named), &BTreeMap::from([(STEP.to_owned(), state.step.to_string())]))?)
}

/// Goes on from a checkpoint of a run that began as `fresh`.
///
/// # Errors
/// [`FileError`] for a checkpoint of another run.
pub fn resume(bytes: &[u8], fresh: &TrainState) -> Result<TrainState, FileError> {
    let source = SafeTensors::open(bytes)?;
    let step = source.metadata().get(STEP).and_then(|step| step.parse().ok()).ok_or(FileError::Config("the checkpoint has no step"))?;
    let net = &fresh.weights.config;
    let [values, first, second] = ["", "first.", "second."].map(|prefix| params(&source, net, prefix));
    let moments = first?.into_iter().zip(second?).map(|(first, second)| Moments { first: first.data, second: second.data }).collect();
    Ok(TrainState { step, weights: Weights { params: values?, ..fresh.weights.clone() }, moments })
}

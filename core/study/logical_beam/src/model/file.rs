//! A trained model as `config.json` and `model.safetensors`, and a training run as one checkpoint.

use std::collections::BTreeMap;
use vitrine_core::train::mat::Mat;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Weights,
    net::{NetConfig, shapes},
    spelling::Fragments,
    train::TrainState,
    words::Vocabulary,
};
use vitrine_core::{
    formats::{
        FormatError, WeightSource,
        safetensors::{SafeTensors, TensorData, write},
    },
    train::adamw::Moments,
};

const SCHEMA: &str = "vitrine.text-to-sql/2";
/// What the schemas of all versions of this model begin with.
const KIND: &str = "vitrine.text-to-sql/";
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
    #[error(
        "config.json: the model has the format {found}, and this version reads {wanted}; train it again: vitrine sql train --out FOLDER"
    )]
    Version { found: String, wanted: &'static str },
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

/// The schema that a `config.json` names.
fn schema_of(json: &str) -> Option<String> {
    let config = serde_json::from_str::<serde_json::Value>(json).ok()?;
    config.get("schema")?.as_str().map(str::to_owned)
}

/// Whether a `config.json` names a schema that begins so.
pub fn says(json: &str, kind: &str) -> bool {
    schema_of(json).is_some_and(|schema| schema.starts_with(kind))
}

/// Refuses another version of a kind of model.
///
/// # Errors
/// [`FileError::Version`].
pub fn same_version(json: &str, kind: &str, wanted: &'static str) -> Result<(), FileError> {
    match schema_of(json).filter(|schema| schema.starts_with(kind) && schema != wanted) {
        Some(schema) => Err(FileError::Version { found: schema.chars().take(60).collect(), wanted }),
        None => Ok(()),
    }
}

/// Whether a `config.json` is that of a text-to-SQL model of any version, rather than of a language model.
pub fn is_config(json: &str) -> bool {
    says(json, KIND)
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
    let Config { schema, encoder, databases, net, words, fragments } = serde_json::from_str(config)?;
    if schema != SCHEMA {
        return Err(FileError::Config("of another kind of model"));
    }
    if !net.is_sound() || net.words != words.len() {
        return Err(FileError::Config("sizes out of bounds"));
    }
    let source = SafeTensors::open(weights)?;
    Ok(Weights { encoder, databases, config: net, vocabulary: words, fragments, params: params(&source, &shapes(&net), "")? })
}

/// Parameters of these names and shapes.
///
/// # Errors
/// What is not there, of another shape, or no number.
pub fn params(source: &dyn WeightSource, shapes: &[(String, [usize; 2])], prefix: &str) -> Result<Vec<Mat>, FileError> {
    let read = |(name, shape): &(String, [usize; 2])| Ok(Mat::read(source, &format!("{prefix}{name}"), *shape)?);
    shapes.iter().map(read).collect()
}

/// Parameters as a file.
///
/// # Errors
/// What the format says.
pub fn written(shapes: &[(String, [usize; 2])], params: &[Mat]) -> Result<Vec<u8>, FileError> {
    let named = shapes.iter().zip(params).map(|((name, shape), mat)| (name.clone(), shape, &mat.data[..]));
    Ok(write(&tensors(named), &BTreeMap::new())?)
}

/// Parameters and moments behind a step of a training run.
pub type Between = (u64, Vec<Mat>, Vec<Moments>);

/// A training run between two steps.
///
/// # Errors
/// What the format says.
pub fn between(shapes: &[(String, [usize; 2])], step: u64, params: &[Mat], moments: &[Moments]) -> Result<Vec<u8>, FileError> {
    let one = |(((name, shape), mat), moments)| -> [(String, &[usize; 2], &[f32]); 3] {
        let (mat, moments): (&Mat, &Moments) = (mat, moments);
        let name: &String = name;
        [
            (name.clone(), shape, &mat.data[..]),
            (format!("first.{name}"), shape, &moments.first[..]),
            (format!("second.{name}"), shape, &moments.second[..]),
        ]
    };
    let named = shapes.iter().map(|(name, shape)| (name, shape)).zip(params).zip(moments).flat_map(one);
    Ok(write(&tensors(named), &BTreeMap::from([(STEP.to_owned(), step.to_string())]))?)
}

/// Reads what [`between`] wrote of parameters of these shapes.
///
/// # Errors
/// [`FileError`] for a checkpoint of another run.
pub fn go_on(bytes: &[u8], shapes: &[(String, [usize; 2])]) -> Result<Between, FileError> {
    let source = SafeTensors::open(bytes)?;
    let step = source.metadata().get(STEP).and_then(|step| step.parse().ok()).ok_or(FileError::Config("the checkpoint has no step"))?;
    let [values, first, second] = ["", "first.", "second."].map(|prefix| params(&source, shapes, prefix));
    let moments = first?.into_iter().zip(second?).map(|(first, second)| Moments { first: first.data, second: second.data }).collect();
    Ok((step, values?, moments))
}

/// A training run between two steps.
///
/// # Errors
/// What the format says.
pub fn checkpoint(state: &TrainState) -> Result<Vec<u8>, FileError> {
    between(&shapes(&state.weights.config), state.step, &state.weights.params, &state.moments)
}

/// Goes on from a checkpoint of a run that began as `fresh`.
///
/// # Errors
/// [`FileError`] for a checkpoint of another run.
pub fn resume(bytes: &[u8], fresh: &TrainState) -> Result<TrainState, FileError> {
    let (step, params, moments) = go_on(bytes, &shapes(&fresh.weights.config))?;
    Ok(TrainState { step, weights: Weights { params, ..fresh.weights.clone() }, moments })
}

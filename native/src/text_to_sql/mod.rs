//! What writes queries: a model on this machine, or a server of one.
//!
//! The one place where a text-to-SQL model is opened is [`open()`].

pub mod endpoint;
pub mod preference;

use std::path::Path;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use vitrine_logical_beam::{causal::Causal, stages::TextToSql};

use crate::{
    open::{self, Opened, text},
    sql_model,
};

/// A model in memory.
pub enum Model {
    /// A causal language model, asked by a prompt.
    Causal(Box<Opened>),
    /// One that `sql train` made.
    Trained(sql_model::Trained),
}

/// Opens the model of this name or path: a Hugging Face folder, a GGUF file, a name of the registry. A folder of a trained text-to-SQL model is told apart here, before the others.
pub fn open(name: &str, device: &Device) -> Result<Model> {
    let folder = Path::new(name);
    if folder.is_dir() && text(&folder.join("config.json")).is_ok_and(|config| sql_model::is_config(&config)) {
        return Ok(Model::Trained(sql_model::open(folder)?));
    }
    Ok(Model::Causal(Box::new(open::model(name, device)?)))
}

impl Model {
    /// The model as decoding sees it.
    ///
    /// # Errors
    /// When a language model has no token that ends a text.
    pub fn with<T>(&self, use_it: impl FnOnce(&dyn TextToSql) -> Result<T>) -> Result<T> {
        match self {
            Self::Causal(opened) => use_it(&Causal::new(&opened.model, &opened.tokenizer).context("this model cannot write SQL")?),
            Self::Trained(model) => use_it(model.model()),
        }
    }

    /// The decoder to use when none is named: the best one whose stages the model has.
    pub fn decoder(&self) -> &'static str {
        match self {
            Self::Causal(_) => "beam",
            Self::Trained(_) => "logical-beam",
        }
    }
}

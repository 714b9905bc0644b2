//! The model of the circuit page, owned by its worker.
//!
//! What is run borrows the model, and JavaScript cannot hold a borrow: the model is given to the worker for as long as the worker lives. One worker holds one
//! model at a time; to let go of a large one the page ends the worker.

use std::collections::BTreeMap;

use vitrine_core::{
    formats::{
        gguf::Gguf,
        safetensors::SafeTensors,
        weights::{ShardIndex, Sharded},
    },
    lab::MemoryLab,
};
#[cfg(feature = "gpu")]
use vitrine_edge_pruning::inspect::reading::{places_async, reading_async};
use vitrine_edge_pruning::{
    circuit::native,
    inspect::{
        self, Contrast, Faithfulness,
        reading::{places, reading},
    },
};
use wasm_bindgen::prelude::*;

use crate::{
    backend::Backend,
    json,
    sheet::ablation,
    source::{Ranges, Source},
};

/// A model with its words, a prompt pair on it, and a set of examples.
#[wasm_bindgen]
pub struct Subject {
    subject: &'static inspect::Subject,
    contrast: Option<Contrast<'static>>,
    curve: Option<Faithfulness<'static>>,
}

fn masks_of(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&on| f32::from(on.min(1))).collect()
}

#[wasm_bindgen]
impl Subject {
    pub(crate) fn of(subject: inspect::Subject) -> Self {
        Self { subject: Box::leak(Box::new(subject)), contrast: None, curve: None }
    }

    /// The model itself, for what borrows it.
    pub(crate) fn inner(&self) -> &'static inspect::Subject {
        self.subject
    }

    /// A compiled program.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn program(config: &str, weights: &[u8], backend: &Backend) -> Result<Self, JsError> {
        Ok(Self::of(inspect::Subject::program(config, &SafeTensors::open(weights)?, &backend.0)?))
    }

    /// A small transformer with a closed vocabulary.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn small(config: &[u8], weights: &[u8], words: &str, backend: &Backend) -> Result<Self, JsError> {
        Ok(Self::of(inspect::Subject::small(config, &SafeTensors::open(weights)?, words, &backend.0)?))
    }

    /// A GGUF.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn gguf(file: &Source, backend: &Backend) -> Result<Self, JsError> {
        Ok(Self::of(inspect::Subject::gguf(&Gguf::open(Ranges::of(file))?, &backend.0)?))
    }

    /// A Hugging Face folder with one file of weights.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn folder(config: &[u8], tokenizer: &[u8], weights: &Source, backend: &Backend) -> Result<Self, JsError> {
        Ok(Self::of(inspect::Subject::checkpoint(config, &SafeTensors::open(Ranges::of(weights))?, tokenizer, &backend.0)?))
    }

    /// A Hugging Face folder with several files of weights and their index; `names` and `files` go together.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn sharded(
        config: &[u8],
        tokenizer: &[u8],
        index: &[u8],
        names: Vec<String>,
        files: Vec<Source>,
        backend: &Backend,
    ) -> Result<Self, JsError> {
        let index = ShardIndex::parse(index)?;
        let mut shards = BTreeMap::new();
        for (name, file) in names.into_iter().zip(&files) {
            shards.insert(name, SafeTensors::open(Ranges::of(file))?);
        }
        Ok(Self::of(inspect::Subject::checkpoint(config, &Sharded::new(index, shards)?, tokenizer, &backend.0)?))
    }

    /// What it is, as JSON: shape of its graph, sizes, what may be typed.
    ///
    /// # Errors
    /// None in practice.
    pub fn describe(&self) -> Result<String, JsError> {
        let config = &self.subject.model.config;
        let mut words = self.subject.input_words();
        words.truncate(400);
        json(&serde_json::json!({
            "shape": self.subject.graph.shape(), "d_model": config.d_model, "parameters": config.n_parameters(), "outputs": config.d_out,
            "most_tokens": self.subject.most_tokens(), "words": words, "numeric": self.subject.numeric(), "own_task": self.subject.suggestion(0)?.is_some(),
        }))
    }

    /// An example of the model's own task, as JSON: `[clean, corrupted]`, or null.
    ///
    /// # Errors
    /// None in practice.
    pub fn suggestion(&self, index: u32) -> Result<String, JsError> {
        json(&self.subject.suggestion(u64::from(index))?)
    }

    /// A prompt pair: runs the full model on both.
    ///
    /// # Errors
    /// Prompts that cannot be compared.
    #[wasm_bindgen(js_name = setPair)]
    pub fn set_pair(&mut self, clean: &str, corrupted: &str, cut: &str) -> Result<usize, JsError> {
        let contrast = Contrast::new(self.subject, clean, corrupted, ablation(cut)?)?;
        Ok(self.contrast.insert(contrast).tokens())
    }

    /// Runs a circuit on the pair: one byte an edge.
    ///
    /// # Errors
    /// No pair yet, another number of edges.
    pub fn prune(&mut self, masks: &[u8]) -> Result<(), JsError> {
        Ok(self.contrast.as_mut().ok_or_else(no_pair)?.prune(&masks_of(masks))?)
    }

    /// The outputs after one token in the three runs, as JSON.
    ///
    /// # Errors
    /// No pair yet, no such position.
    pub fn reading(&self, position: usize, most: usize) -> Result<String, JsError> {
        json(&reading(self.contrast.as_ref().ok_or_else(no_pair)?, position, most)?)
    }

    /// As [`Subject::reading`], where the device has to be awaited.
    ///
    /// # Errors
    /// As [`Subject::reading`].
    #[cfg(feature = "gpu")]
    #[wasm_bindgen(js_name = readingAsync)]
    pub async fn reading_async(&self, position: usize, most: usize) -> Result<String, JsError> {
        json(&reading_async(self.contrast.as_ref().ok_or_else(no_pair)?, position, most).await?)
    }

    /// As [`Subject::places`], where the device has to be awaited.
    ///
    /// # Errors
    /// As [`Subject::places`].
    #[cfg(feature = "gpu")]
    #[wasm_bindgen(js_name = placesAsync)]
    pub async fn places_async(&self) -> Result<String, JsError> {
        json(&places_async(self.contrast.as_ref().ok_or_else(no_pair)?).await?)
    }

    /// All positions of the pair, as JSON.
    ///
    /// # Errors
    /// No pair yet.
    pub fn places(&self) -> Result<String, JsError> {
        json(&places(self.contrast.as_ref().ok_or_else(no_pair)?)?)
    }

    /// Prepares up to `examples` examples of the model's own task, or, where it brings none, the typed pair; gives their number.
    ///
    /// # Errors
    /// Prompts that cannot be compared.
    #[wasm_bindgen(js_name = prepareCurve)]
    pub fn prepare_curve(&mut self, examples: usize, cut: &str, clean: &str, corrupted: &str) -> Result<usize, JsError> {
        let cut = ablation(cut)?;
        let curve = match examples {
            0 => Faithfulness::of_pair(self.subject, clean, corrupted, cut)?,
            n => Faithfulness::of_task(self.subject, n, cut)?,
        };
        Ok(self.curve.insert(curve).examples())
    }

    /// Mean loss of a circuit over the prepared examples.
    ///
    /// # Errors
    /// Nothing prepared, another number of edges.
    pub fn loss(&mut self, masks: &[u8]) -> Result<f64, JsError> {
        Ok(self.curve.as_mut().ok_or_else(nothing_prepared)?.loss(&masks_of(masks))?)
    }

    /// A circuit of the best edges by attribution on the prepared examples, with a score for every edge, as a file.
    ///
    /// # Errors
    /// Nothing prepared, scores that are no numbers.
    pub fn scored(&self) -> Result<String, JsError> {
        let curve = self.curve.as_ref().ok_or_else(nothing_prepared)?;
        Ok(native::to_json(&curve.scored(&mut MemoryLab::new(self.subject.model.device()))?)?)
    }
}

fn nothing_prepared() -> JsError {
    JsError::new("no examples are prepared")
}

fn no_pair() -> JsError {
    JsError::new("there is no prompt pair yet")
}

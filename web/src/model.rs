//! A language model and its tokenizer, owned by the page's worker.

use vitrine_core::{
    formats::{config::ModelDescription, gguf::Gguf, safetensors::SafeTensors},
    model::{Transformer, load},
    text::tokenizer::Tokenizer,
};
use vitrine_edge_pruning::golden;
use wasm_bindgen::prelude::*;

use crate::{
    backend::Backend,
    golden::Agreement,
    source::{Ranges, Source},
};

/// A loaded model.
#[wasm_bindgen]
pub struct Model {
    model: Transformer,
    tokenizer: Tokenizer,
}

#[wasm_bindgen]
impl Model {
    /// Reads a GGUF: weights and tokenizer from one file, a range at a time.
    ///
    /// # Errors
    /// What is wrong with the file.
    #[wasm_bindgen(js_name = fromGguf)]
    pub fn from_gguf(file: &Source, backend: &Backend) -> Result<Self, JsError> {
        let file = Gguf::open(Ranges::of(file))?;
        let description = ModelDescription::from_gguf(&file)?;
        let tokenizer = Tokenizer::from_gguf(&file)?;
        Ok(Self { model: load::load(&description, &file, &backend.0)?, tokenizer })
    }

    /// Reads a Hugging Face folder: `config.json`, `tokenizer.json` and `model.safetensors`.
    ///
    /// # Errors
    /// What is wrong with which file.
    #[wasm_bindgen(js_name = fromSafetensors)]
    pub fn from_safetensors(config: &[u8], tokenizer: &[u8], weights: &Source, backend: &Backend) -> Result<Self, JsError> {
        let description = ModelDescription::from_hf_config(config)?;
        let tokenizer = Tokenizer::from_json(tokenizer)?;
        let weights = SafeTensors::open(Ranges::of(weights))?;
        Ok(Self { model: load::load(&description, &weights, &backend.0)?, tokenizer })
    }

    /// Number of weights.
    #[wasm_bindgen(getter)]
    pub fn parameters(&self) -> f64 {
        self.model.config.n_parameters() as f64
    }

    /// Token ids of `text`; nothing is added.
    ///
    /// # Errors
    /// A text that is too long.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, JsError> {
        Ok(self.tokenizer.encode(text)?)
    }

    /// Text of `ids`, special tokens included.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids)
    }

    /// One token for people to read.
    #[wasm_bindgen(js_name = tokenText)]
    #[must_use]
    pub fn token_text(&self, id: u32) -> String {
        self.tokenizer.token_text(id)
    }

    /// Logits of the token after `ids`, one per entry of the vocabulary.
    ///
    /// # Errors
    /// No ids, too many, or one outside the vocabulary.
    pub async fn logits(&self, ids: Vec<u32>) -> Result<Vec<f32>, JsError> {
        let batch = self.model.batch(&[&ids])?;
        let logits = self.model.logits_at(&batch, &[ids.len().saturating_sub(1)]);
        // A GPU in a page can only be waited for.
        let logits = logits.into_data_async().await?;
        logits.try_into_vec::<f32>().map_err(|e| JsError::new(&format!("the logits are no f32: {e:?}")))
    }

    /// On the CPU backend: the largest logits, their order and the log-partition after every prompt of a golden file (JSON lines).
    ///
    /// # Errors
    /// A file that holds no such rows.
    #[wasm_bindgen(js_name = goldenLogits)]
    pub fn golden_logits(&self, rows: &str) -> Result<Agreement, JsError> {
        Ok(golden::logits(rows, &self.model)?.into())
    }

    /// The token ids of every row of a circuit task's file (JSON lines).
    ///
    /// # Errors
    /// A file that holds no such rows.
    #[wasm_bindgen(js_name = goldenTokens)]
    pub fn golden_tokens(&self, rows: &str) -> Result<Agreement, JsError> {
        Ok(golden::token_ids(rows, &self.tokenizer)?.into())
    }
}

//! Text to token ids and back.

use vitrine_core::{
    formats::{FormatError, gguf::Gguf},
    text::tokenizer as core,
};
use wasm_bindgen::prelude::*;

use crate::source::{Ranges, Source};

/// A tokenizer on its own.
#[wasm_bindgen]
pub struct Tokenizer(core::Tokenizer);

#[wasm_bindgen]
impl Tokenizer {
    /// Reads a `tokenizer.json`: byte-level BPE or `WordPiece`.
    ///
    /// # Errors
    /// As [`core::Tokenizer::from_json`].
    #[wasm_bindgen(constructor)]
    pub fn new(json: &[u8]) -> Result<Self, JsError> {
        Ok(Self(core::Tokenizer::from_json(json)?))
    }

    /// Reads the tokenizer in a GGUF's header; the weights are not read.
    ///
    /// # Errors
    /// What is wrong with the file.
    #[wasm_bindgen(js_name = fromGguf)]
    pub fn from_gguf(file: &Source) -> Result<Self, JsError> {
        Ok(Self(core::Tokenizer::from_gguf(&Gguf::open(Ranges::of(file))?)?))
    }

    /// Token ids of `text`; nothing is added.
    ///
    /// # Errors
    /// A text that is too long.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, JsError> {
        Ok(self.0.encode(text)?)
    }

    /// Text of `ids`, special tokens included.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        self.0.decode(ids)
    }
}

/// Token ids of `text` for the tokenizer in `json`, in one call.
///
/// # Errors
/// As [`Tokenizer::new`] and [`Tokenizer::encode`].
#[wasm_bindgen]
pub fn tokenize(json: &[u8], text: &str) -> Result<Vec<u32>, JsError> {
    let ids: Result<Vec<u32>, FormatError> = core::Tokenizer::from_json(json).and_then(|tokenizer| tokenizer.encode(text));
    Ok(ids?)
}

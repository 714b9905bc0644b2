//! An autoregressive screenshot model asked in a page; see [`vitrine_screenshot::ar::beside`].

use serde::Serialize;
use vitrine_screenshot::{
    ar::beside::{Asked, Beside, Writer},
    model::{ar::ArConfig, file::Trained},
    render::{FontSources, RenderConfig},
};
use wasm_bindgen::prelude::*;

use crate::json;

/// What a page says of a model.
#[derive(Serialize)]
struct Facts<'a> {
    model: &'a ArConfig,
    render: &'a RenderConfig,
    numbers: usize,
}

/// A model, and the last answer.
#[wasm_bindgen]
pub struct Scribe {
    writer: Writer,
    last: Option<Beside>,
}

impl Scribe {
    /// A model from a file that `screenshot pretrain --autoregressive` made.
    pub(crate) fn open(bytes: &[u8], sources: &FontSources<'_>) -> Result<Self, JsError> {
        Ok(Self { writer: Writer::new(Trained::read(bytes)?, sources, false)?, last: None })
    }
}

#[wasm_bindgen]
impl Scribe {
    /// Shape, eye and size, as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn facts(&self) -> Result<String, JsError> {
        let trained = &self.writer.trained;
        json(&Facts { model: &trained.config, render: &trained.render, numbers: self.writer.numbers() })
    }

    /// A page of facts with questions about it, and another page: an [`Asked`] as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn example(&self, seed: u64) -> Result<String, JsError> {
        json(&self.writer.example(seed))
    }

    /// Writes on and scores the target after each context: an [`Asked`] as JSON in, a [`Beside`] as JSON out; the pictures wait in [`Scribe::pixels`].
    ///
    /// # Errors
    /// What cannot be asked or drawn.
    pub fn ask(&mut self, asked: &str) -> Result<String, JsError> {
        let asked: Asked = serde_json::from_str(asked)?;
        let found = self.writer.ask(&asked)?;
        let text = json(&found)?;
        self.last = Some(found);
        Ok(text)
    }

    /// Grey pixels `[height, width]` of the context, or of the other text.
    pub fn pixels(&self, other: bool) -> Vec<u8> {
        let seen = self.last.as_ref().and_then(|found| if other { found.other.as_ref() } else { Some(&found.context) });
        seen.map(|seen| seen.pixels.clone()).unwrap_or_default()
    }
}

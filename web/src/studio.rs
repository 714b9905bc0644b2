//! Texts as pictures in a page; see [`vitrine_screenshot::render`].
//!
//! Fonts are fetched by the page and handed over once: the bundle carries none.

use vitrine_screenshot::{
    look::hidden_patches,
    masks::Hide,
    model::file::is_autoregressive,
    render::{FontSources, RenderConfig, Renderer, Scratch, Screenshot, png},
};
use wasm_bindgen::prelude::*;

use crate::{json, look::Onlooker, writing::Scribe};

/// A renderer, and the last picture it drew.
#[wasm_bindgen]
pub struct Studio {
    sources: FontSources<'static>,
    renderer: Renderer,
    scratch: Scratch,
    picture: Screenshot,
}

#[wasm_bindgen]
impl Studio {
    /// With Noto Sans (its atlas at the published size, and the font for other sizes) and packed Unifont; a page makes one and keeps it.
    ///
    /// # Errors
    /// What is wrong with a font.
    #[wasm_bindgen(constructor)]
    pub fn new(atlas: Vec<u8>, font: Vec<u8>, unifont: Vec<u8>) -> Result<Self, JsError> {
        // For as long as the page lives.
        let [atlas, font, unifont] = [atlas, font, unifont].map(|bytes| &*Box::leak(bytes.into_boxed_slice()));
        let sources = FontSources { files: &[], atlas: Some(atlas), atlas_font: Some(font), unifont: Some(unifont) };
        let renderer = Renderer::new(RenderConfig::default(), &sources)?;
        Ok(Self { sources, renderer, scratch: Scratch::default(), picture: Screenshot::default() })
    }

    /// How to draw from now on: a [`RenderConfig`] as JSON.
    ///
    /// # Errors
    /// A config that is none, or that cannot be drawn with; what was before stays.
    pub fn configure(&mut self, config: &str) -> Result<(), JsError> {
        self.renderer = Renderer::new(serde_json::from_str(config)?, &self.sources)?;
        Ok(())
    }

    /// Draws a text and returns sizes, bytes under patches and the account of what was drawn, as JSON; the pixels wait in [`Studio::pixels`].
    ///
    /// # Errors
    /// A text that is too long.
    pub fn render(&mut self, text: &str) -> Result<String, JsError> {
        self.draw(text)?;
        json(&self.picture)
    }

    /// Draws a text and says nothing of it: what is measured.
    ///
    /// # Errors
    /// As [`Studio::render`].
    pub fn draw(&mut self, text: &str) -> Result<(), JsError> {
        Ok(self.renderer.render_into(text.as_bytes(), &mut self.scratch, &mut self.picture)?)
    }

    /// Grey pixels of the last picture, `[height, width]`.
    pub fn pixels(&self) -> Vec<u8> {
        self.picture.pixels.clone()
    }

    /// SHA-256 of size and pixels.
    pub fn hash(&self) -> String {
        self.picture.hash()
    }

    /// The last picture as a PNG file.
    ///
    /// # Errors
    /// None in practice.
    pub fn png(&self) -> Result<Vec<u8>, JsError> {
        Ok(png::grey(&self.picture.pixels, self.picture.width, self.picture.height)?)
    }

    /// Which patches of the last picture pre-training would hide, a byte each: a share `rate` of all, singly or in spans.
    pub fn hidden(&self, rate: f64, spans: bool, seed: u64) -> Vec<u8> {
        let hide = if spans { Hide::Span } else { Hide::Single };
        hidden_patches(self.picture.patches(), rate, hide, seed).into_iter().map(u8::from).collect()
    }

    /// A model to look into, with this studio's fonts for its eye.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn onlooker(&self, model: &[u8]) -> Result<Onlooker, JsError> {
        Onlooker::open(model, self.sources)
    }

    /// An autoregressive model to ask, with this studio's fonts for its eye.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn scribe(&self, model: &[u8]) -> Result<Scribe, JsError> {
        Scribe::open(model, &self.sources)
    }
}

/// Whether a model file is one for [`Studio::scribe`].
#[wasm_bindgen]
#[must_use]
pub fn writes(model: &[u8]) -> bool {
    is_autoregressive(model)
}

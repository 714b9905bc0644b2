//! A screenshot model looked into in a page; see [`vitrine_screenshot::look`].

use serde::Serialize;
use vitrine_screenshot::{
    look::{
        Asked, Look, Looker,
        picture::{LINE, SCALE, sheet},
    },
    model::{ModelConfig, file::Trained},
    render::{FontSources, RenderConfig, png},
};
use wasm_bindgen::prelude::*;

use crate::json;

/// What a page says of a model.
#[derive(Serialize)]
struct Facts<'a> {
    model: &'a ModelConfig,
    render: &'a RenderConfig,
    numbers: usize,
}

/// A model, and the last look into it.
#[wasm_bindgen]
pub struct Onlooker {
    looker: Looker<'static>,
    last: Option<Look>,
}

impl Onlooker {
    /// A model from a file that `screenshot pretrain` made.
    pub(crate) fn open(bytes: &[u8], sources: FontSources<'static>) -> Result<Self, JsError> {
        let looker = Looker::new(Trained::read(bytes)?, sources, false)?;
        Ok(Self { looker, last: None })
    }
}

#[wasm_bindgen]
impl Onlooker {
    /// The same shape, words and eye before any training: numbers drawn from the seed.
    #[must_use]
    pub fn untrained(self, seed: u64) -> Self {
        Self { looker: self.looker.untrained(seed), last: None }
    }

    /// Shape, eye and size, as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn facts(&self) -> Result<String, JsError> {
        json(&Facts { model: &self.looker.trained.config, render: &self.looker.trained.render, numbers: self.looker.numbers() })
    }

    /// Looks at one text: an [`Asked`] as JSON in, a [`Look`] as JSON out; the pictures wait in [`Onlooker::pixels`].
    ///
    /// # Errors
    /// What cannot be asked or drawn.
    pub fn look(&mut self, asked: &str) -> Result<String, JsError> {
        let asked: Asked = serde_json::from_str(asked)?;
        let look = self.looker.look(&asked)?;
        let text = json(&look)?;
        self.last = Some(look);
        Ok(text)
    }

    /// Grey pixels `[height, width]` of the last look: 0 the undamaged text, 1 what the encoder gets (with hidden patches), 2 redrawn.
    pub fn pixels(&self, which: u32) -> Vec<u8> {
        let pictures = self.last.as_ref().map(|look| &look.pictures);
        let picture = pictures.map(|pictures| match which {
            0 => &pictures.original,
            1 => &pictures.given,
            _ => &pictures.redrawn,
        });
        picture.cloned().unwrap_or_default()
    }

    /// The last look as `screenshot reconstruct --out` writes it (PNG): original, what the encoder sees and redrawn, under each other.
    ///
    /// # Errors
    /// Where nothing was looked at yet.
    pub fn sheet(&self) -> Result<Vec<u8>, JsError> {
        let look = self.last.as_ref().ok_or_else(|| JsError::new("nothing was looked at yet"))?;
        let (pixels, width, height) = sheet(look, LINE, SCALE);
        Ok(png::grey(&pixels, width, height)?)
    }
}

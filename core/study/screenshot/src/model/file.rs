//! A trained model as one file: its numbers, its shape, its words, and the eye it was trained with.
//!
//! A safetensors file; everything else is in its metadata. The hash of every glyph is among it: a model that learned one font reads another poorly, so opening refuses another renderer.

use std::collections::BTreeMap;
use vitrine_core::train::mat::Mat;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    ar::{Ar, ArConfig},
    config::ModelConfig,
    params::{Params, Spec},
    ptp::Ptp,
};
use crate::{
    ScreenshotError,
    bpe::{Bpe, Learned},
    render::{FontSources, RenderConfig, Renderer},
};
use vitrine_core::formats::{
    FormatError, WeightSource,
    safetensors::{SafeTensors, TensorData, write},
};

/// A kind of model that can be kept in a file.
pub trait Shape: Serialize + DeserializeOwned {
    /// What its files say they are.
    const FORMAT: &'static str;

    /// # Errors
    /// The first number that makes no model.
    fn check(&self) -> Result<(), String>;

    /// Its matrices.
    fn specs(&self) -> Vec<Spec>;

    /// Words, patches, and numbers of a patch.
    fn sizes(&self) -> [usize; 3];
}

impl Shape for ModelConfig {
    const FORMAT: &'static str = "vitrine.screenshot/1";

    fn check(&self) -> Result<(), String> {
        Self::check(self)
    }

    fn specs(&self) -> Vec<Spec> {
        Ptp::new(self.clone()).specs()
    }

    fn sizes(&self) -> [usize; 3] {
        [self.vocab, self.patches, self.patch_len]
    }
}

impl Shape for ArConfig {
    const FORMAT: &'static str = "vitrine.screenshot-ar/1";

    fn check(&self) -> Result<(), String> {
        Self::check(self)
    }

    fn specs(&self) -> Vec<Spec> {
        Ar { config: self.clone() }.specs()
    }

    fn sizes(&self) -> [usize; 3] {
        [self.vocab, self.columns * self.rows, self.patch_len]
    }
}

/// Whether a file says that it holds an autoregressive model.
#[must_use]
pub fn is_autoregressive(bytes: &[u8]) -> bool {
    SafeTensors::open(bytes).is_ok_and(|file| fact::<String>(&file.metadata(), "format").ok().as_deref() == Some(ArConfig::FORMAT))
}

/// A model that was pre-trained.
#[derive(Debug, Clone)]
pub struct Trained<C = ModelConfig> {
    pub config: C,
    pub render: RenderConfig,
    pub bpe: Bpe,
    pub params: Params,
    /// [`Renderer::font_hash`] of the eye it was trained with.
    pub font_hash: String,
}

/// Matrices and facts as a safetensors file.
pub(crate) fn pack(
    specs: &[Spec],
    mats: &[Vec<&[f32]>],
    prefixes: &[&str],
    facts: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ScreenshotError> {
    let mut tensors = BTreeMap::new();
    for (prefix, mats) in prefixes.iter().zip(mats) {
        for (spec, data) in specs.iter().zip(mats) {
            tensors.insert(format!("{prefix}{}", spec.name), (vec![spec.rows, spec.cols], TensorData::F32(data)));
        }
    }
    write(&tensors, facts).map_err(|error| ScreenshotError::BadModel(error.to_string()))
}

/// The matrices of `specs` under a prefix of their names.
pub(crate) fn unpack(file: &SafeTensors<&[u8]>, specs: &[Spec], prefix: &str) -> Result<Vec<Mat>, ScreenshotError> {
    let bad = |error: FormatError| ScreenshotError::BadModel(error.to_string());
    let one = |spec: &Spec| Mat::read(file, &format!("{prefix}{}", spec.name), [spec.rows, spec.cols]).map_err(bad);
    specs.iter().map(one).collect()
}

pub(crate) fn json(value: &impl Serialize) -> Result<String, ScreenshotError> {
    serde_json::to_string(value).map_err(|error| ScreenshotError::BadModel(error.to_string()))
}

pub(crate) fn fact<T: DeserializeOwned>(facts: &BTreeMap<String, String>, name: &str) -> Result<T, ScreenshotError> {
    let text = facts.get(name).ok_or_else(|| ScreenshotError::BadModel(format!("it does not say its {name}")))?;
    serde_json::from_str(text).map_err(|error| ScreenshotError::BadModel(format!("its {name}: {error}")))
}

impl<C: Shape> Trained<C> {
    /// The model as a file.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] where no file can be formed.
    pub fn save(&self) -> Result<Vec<u8>, ScreenshotError> {
        let facts = [
            ("format", json(&C::FORMAT)?),
            ("model", json(&self.config)?),
            ("render", json(&self.render)?),
            ("words", json(self.bpe.learned())?),
            ("font", json(&self.font_hash)?),
        ];
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        pack(&self.params.specs, &[self.params.mats.iter().map(|mat| &mat.data[..]).collect()], &[""], &facts)
    }

    /// Reads a file that [`Self::save`] made.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`].
    pub fn read(bytes: &[u8]) -> Result<Self, ScreenshotError> {
        let bad = ScreenshotError::BadModel;
        let file = SafeTensors::open(bytes).map_err(|error| bad(error.to_string()))?;
        let facts = &file.metadata();
        if fact::<String>(facts, "format").ok().as_deref() != Some(C::FORMAT) {
            return Err(bad(format!("it is not a {} file", C::FORMAT)));
        }
        let config: C = fact(facts, "model")?;
        config.check().map_err(bad)?;
        let render: RenderConfig = fact(facts, "render")?;
        render.check()?;
        let bpe = Bpe::read(fact::<Learned>(facts, "words")?).map_err(bad)?;
        if config.sizes() != [bpe.len(), render.patches(), render.patch_len()] {
            return Err(bad("its words or patches are not those of its shape".to_owned()));
        }
        let specs = config.specs();
        let params = Params { mats: unpack(&file, &specs, "")?, specs };
        Ok(Self { config, render, bpe, params, font_hash: fact(facts, "font")? })
    }

    /// The eye the model was trained with.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] where this program draws other glyphs, unless `allow_mismatch`.
    pub fn renderer(&self, allow_mismatch: bool) -> Result<Renderer, ScreenshotError> {
        self.renderer_with(&FontSources::bundled(), allow_mismatch)
    }

    /// The same with fonts from elsewhere: a page fetches them.
    ///
    /// # Errors
    /// As [`Self::renderer`].
    pub fn renderer_with(&self, sources: &FontSources<'_>, allow_mismatch: bool) -> Result<Renderer, ScreenshotError> {
        let renderer = Renderer::new(self.render.clone(), sources)?;
        if !allow_mismatch && renderer.font_hash() != self.font_hash {
            return Err(ScreenshotError::BadModel(
                "it learned to read other glyphs than this program draws; --allow-font-mismatch reads with these".to_owned(),
            ));
        }
        Ok(renderer)
    }
}

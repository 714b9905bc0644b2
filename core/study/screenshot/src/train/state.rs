//! A run in training: its numbers, both moments of each, its losses so far; as bytes, so that a stopped run goes on and ends as an unbroken one.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ScreenshotError,
    model::{
        Params,
        file::{fact, json, pack, unpack},
    },
};
use vitrine_core::{
    formats::{WeightSource, safetensors::SafeTensors},
    train::adamw::{AdamW, Direction, Moments, clip_norm},
};

const FORMAT: &str = "vitrine.screenshot.training/1";
const PREFIXES: [&str; 3] = ["", "first.", "second."];

/// Where a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub params: Params,
    pub moments: Vec<Moments>,
    /// Steps done.
    pub step: u64,
    /// What was logged: step, then losses.
    pub history: Vec<Vec<f64>>,
}

impl State {
    /// The beginning of a run.
    #[must_use]
    pub fn new(params: Params) -> Self {
        let moments = params.mats.iter().map(|mat| Moments::zeros(mat.data.len())).collect();
        Self { params, moments, step: 0, history: vec![] }
    }

    /// One step of AdamW on clipped gradients; only matrices decay. Returns the gradients' norm before clipping.
    pub fn learn(&mut self, mut gradients: Vec<Vec<f32>>, lr: f64, weight_decay: f64, clip: f64) -> f64 {
        let mut all: Vec<&mut [f32]> = gradients.iter_mut().map(|gradient| &mut gradient[..]).collect();
        let norm = clip_norm(&mut all, clip);
        self.step += 1;
        let adam = AdamW { weight_decay, ..AdamW::default() };
        let still = AdamW { weight_decay: 0.0, ..adam };
        for (((spec, mat), gradient), moments) in self.params.specs.iter().zip(&mut self.params.mats).zip(&gradients).zip(&mut self.moments)
        {
            let adam = if spec.decays() { &adam } else { &still };
            adam.step(&mut mat.data, gradient, moments, self.step, lr, Direction::Descend);
        }
        norm
    }

    /// The run as bytes; `config` is what it must be gone on with.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] where no file can be formed.
    pub fn save(&self, config: &impl Serialize) -> Result<Vec<u8>, ScreenshotError> {
        let facts = [("format", json(&FORMAT)?), ("config", json(config)?), ("step", json(&self.step)?), ("history", json(&self.history)?)];
        let facts: BTreeMap<String, String> = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mats = self.params.mats.iter().map(|mat| &mat.data[..]).collect();
        let first = self.moments.iter().map(|moments| &moments.first[..]).collect();
        let second = self.moments.iter().map(|moments| &moments.second[..]).collect();
        pack(&self.params.specs, &[mats, first, second], &PREFIXES, &facts)
    }

    /// Goes on from bytes that [`Self::save`] made.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] for another format, other settings or other shapes.
    pub fn load<C: Serialize + DeserializeOwned + PartialEq>(&mut self, bytes: &[u8], config: &C) -> Result<(), ScreenshotError> {
        let bad = ScreenshotError::BadModel;
        let file = SafeTensors::open(bytes).map_err(|error| bad(error.to_string()))?;
        let facts = &file.metadata();
        if fact::<String>(facts, "format").ok().as_deref() != Some(FORMAT) {
            return Err(bad(format!("the checkpoint is not a {FORMAT} file")));
        }
        if fact::<C>(facts, "config")? != *config {
            return Err(bad("the checkpoint was made with other settings; use the same ones to go on".to_owned()));
        }
        let specs = &self.params.specs;
        let [mats, first, second] =
            [unpack(&file, specs, PREFIXES[0])?, unpack(&file, specs, PREFIXES[1])?, unpack(&file, specs, PREFIXES[2])?];
        self.moments = first.into_iter().zip(second).map(|(first, second)| Moments { first: first.data, second: second.data }).collect();
        (self.params.mats, self.step, self.history) = (mats, fact(facts, "step")?, fact(facts, "history")?);
        Ok(())
    }
}

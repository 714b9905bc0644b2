//! Edge Pruning in a worker of its own: steps are taken a few at a time, so that the page can look, and stop.
//!
//! As in [`crate::subject`], what is borrowed is given to the worker for good; a new run is a new worker.

use vitrine_edge_pruning::{
    circuit::native,
    inspect::{
        Training,
        training::{Choices, Goal, Ground, Progress},
    },
};
use wasm_bindgen::prelude::*;

use crate::{json, sheet::ablation, subject::Subject};

/// A training run.
#[wasm_bindgen]
pub struct Pruning {
    training: Training<'static>,
    cut: String,
}

#[wasm_bindgen]
impl Pruning {
    /// A run at its start. `keep` is the number of edges to keep; compiled programs need none: their smallest right circuit is searched.
    ///
    /// # Errors
    /// A model without training examples, a number of edges that makes no sense.
    #[wasm_bindgen(constructor)]
    pub fn new(subject: &Subject, seed: f64, cut: &str, keep: Option<usize>) -> Result<Self, JsError> {
        if !(0.0..=9_007_199_254_740_991.0).contains(&seed) || seed.fract() != 0.0 {
            return Err(JsError::new("the seed must be a whole number from 0 on"));
        }
        let choices = Choices { seed: seed as u64, ablation: ablation(cut)?, goal: keep.map_or(Goal::Smallest, Goal::Edges) };
        let subject = subject.inner();
        let program: Option<&'static _> = Ground::program(subject).map(|program| &*Box::leak(Box::new(program)));
        let ground: &'static Ground<'static> = Box::leak(Box::new(Ground::new(subject, program, &choices)?));
        Ok(Self { training: Training::new(ground, &choices)?, cut: cut.to_owned() })
    }

    /// Takes up to `most` steps; what they measured, as JSON.
    ///
    /// # Errors
    /// A loss that is no number.
    pub fn step(&mut self, most: usize) -> Result<String, JsError> {
        let mut taken: Vec<Progress> = vec![];
        while taken.len() < most {
            let Some(progress) = self.training.step()? else { break };
            taken.push(progress);
        }
        json(&taken)
    }

    /// Whether no step is left.
    #[must_use]
    pub fn over(&self) -> bool {
        self.training.is_over()
    }

    /// Every edge's mask, 0 to 1, by edge id.
    #[must_use]
    pub fn masks(&self) -> Vec<f32> {
        self.training.masks()
    }

    /// The circuit so far as a file of `vitrine circuit` format.
    ///
    /// # Errors
    /// None in practice.
    pub fn circuit(&self) -> Result<String, JsError> {
        let mut circuit = self.training.circuit()?;
        circuit.meta.insert("ablation".to_owned(), self.cut.clone());
        Ok(native::to_json(&circuit)?)
    }
}

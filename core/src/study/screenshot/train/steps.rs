//! The loop that every training of the study runs: a batch, its losses, a step, and what is kept on the way.
//!
//! AdamW on clipped gradients; means of two losses are logged; checkpoints hold everything, so that a stopped run goes on and ends as an unbroken one.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use super::state::State;
use crate::{
    lab::{Lab, LabError},
    study::screenshot::{ScreenshotError, model::Params},
};

/// How long, and what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a, C> {
    /// What a checkpoint has to have been made with to go on from it.
    pub config: &'a C,
    pub phase: &'a str,
    pub steps: u64,
    pub weight_decay: f64,
    /// Steps between logged losses.
    pub log_every: u64,
    /// Steps between checkpoints; 0 for none but at a stop.
    pub checkpoint_every: u64,
}

/// What one batch came to: losses of text and of patches, and the gradients of what is made smaller.
pub type Step = ([f64; 2], Vec<Vec<f32>>);

/// Trains `params`; goes on from the phase's checkpoint where there is one. Returns them and, for each logged step, the step with both losses.
///
/// # Errors
/// What `step` refuses, [`ScreenshotError::NotANumber`], and the lab's.
pub fn run<C: Serialize + DeserializeOwned + PartialEq>(
    plan: &Plan<'_, C>,
    params: Params,
    lab: &mut dyn Lab,
    rate: impl Fn(u64) -> f64,
    mut step: impl FnMut(u64, &Params) -> Result<Step, ScreenshotError>,
) -> Result<(Params, Vec<Vec<f64>>), ScreenshotError> {
    let Plan { config, phase, steps, weight_decay, log_every, checkpoint_every } = *plan;
    let mut state = State::new(params);
    if let Some(bytes) = lab.resume(phase) {
        state.load(&bytes, config)?;
    }
    let (mut sums, mut since) = ([0.0; 2], 0.0);
    while state.step < steps {
        let number = state.step;
        if lab.stop_requested() {
            lab.save_checkpoint(phase, number, state.save(config)?)?;
            return Err(LabError::Stopped { step: number }.into());
        }
        let (losses, gradients) = step(number, &state.params)?;
        if !(losses[0] + losses[1]).is_finite() {
            return Err(ScreenshotError::NotANumber { phase: phase.to_owned(), step: number });
        }
        let lr = rate(number);
        state.learn(gradients, lr, weight_decay, 1.0);
        (sums, since) = ([sums[0] + losses[0], sums[1] + losses[1]], since + 1.0);
        if state.step.is_multiple_of(log_every.max(1)) || state.step == steps {
            let [text, pixel] = sums.map(|sum| sum / since);
            lab.metrics(phase, state.step, &BTreeMap::from([("text_loss", text), ("pixel_loss", pixel), ("lr", lr)]));
            state.history.push(vec![state.step as f64, text, pixel]);
            (sums, since) = ([0.0; 2], 0.0);
        }
        lab.progress(phase, state.step, steps);
        // At a logged step, so that the means of a run that goes on are those of an unbroken one.
        if checkpoint_every > 0 && state.step.is_multiple_of(checkpoint_every) && state.step < steps && since == 0.0 {
            lab.save_checkpoint(phase, state.step, state.save(config)?)?;
        }
    }
    Ok((state.params, state.history))
}

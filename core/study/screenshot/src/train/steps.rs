//! The loop that every training of the study runs: a batch, its losses, a step, and what is kept on the way.
//!
//! AdamW on clipped gradients; means of two losses are logged; checkpoints hold everything, so that a stopped run goes on and ends as an unbroken one. For a device batches are made ahead, and losses
//! are read where they are logged.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{ahead::ahead, learner::Learner};
use crate::{
    ScreenshotError,
    model::{
        Params, Place,
        calls::{Calls, Terms, Writing},
    },
};
use vitrine_core::lab::{Lab, LabError};

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

/// What is learned: how the batch of a step comes about, and how its losses are written down.
pub trait Lesson: Sync {
    /// Some texts of a batch, laid out.
    type Part: Send;

    /// The batch of a step, in at most so many parts: a function of its number, made on any thread.
    ///
    /// # Errors
    /// What the renderer refuses.
    fn batch(&self, step: u64, parts: usize) -> Result<Vec<Self::Part>, ScreenshotError>;

    /// What a part adds to the losses of text and patches, which are means over the whole batch.
    fn losses<C: Calls>(&self, calls: &mut C, part: Self::Part) -> Terms;
}

/// A part of a lesson's batch.
struct Part<'l, L: Lesson>(&'l L, L::Part);

/// What a lesson's batch writes, part by part.
pub fn writings<L: Lesson>(lesson: &L, batch: Vec<L::Part>) -> Vec<impl Writing<Out = Terms> + Send> {
    batch.into_iter().map(|part| Part(lesson, part)).collect()
}

impl<L: Lesson> Writing for Part<'_, L> {
    type Out = Terms;

    fn on<C: Calls>(self, calls: &mut C) -> Terms {
        self.0.losses(calls, self.1)
    }
}

/// Trains `params` at `place`; goes on from the phase's checkpoint where there is one. Returns them and, for each logged step, the step with both losses.
///
/// # Errors
/// What making a batch refuses, [`ScreenshotError::NotANumber`], and the lab's.
pub fn run<C: Serialize + DeserializeOwned + PartialEq, L: Lesson>(
    plan: &Plan<'_, C>,
    params: Params,
    place: &Place,
    lab: &mut dyn Lab,
    rate: impl Fn(u64) -> f64,
    lesson: &L,
) -> Result<(Params, Vec<Vec<f64>>), ScreenshotError> {
    let mut learner = Learner::new(params, place);
    if let Some(bytes) = lab.resume(plan.phase) {
        learner.load(&bytes, plan.config)?;
    }
    let parts = learner.parts();
    let make = |step: u64| lesson.batch(step, parts);
    if matches!(place, Place::Memory) {
        // The threads are at work on the step.
        return steps(plan, learner, lab, rate, lesson, &mut |step| make(step));
    }
    ahead(learner.step()..plan.steps, make, |batch| steps(plan, learner, lab, rate, lesson, batch))
}

fn steps<C: Serialize, L: Lesson>(
    plan: &Plan<'_, C>,
    mut learner: Learner,
    lab: &mut dyn Lab,
    rate: impl Fn(u64) -> f64,
    lesson: &L,
    batch: &mut dyn FnMut(u64) -> Result<Vec<L::Part>, ScreenshotError>,
) -> Result<(Params, Vec<Vec<f64>>), ScreenshotError> {
    let Plan { config, phase, steps, weight_decay, log_every, checkpoint_every } = *plan;
    let mut since = 0_u64;
    while learner.step() < steps {
        let number = learner.step();
        if lab.stop_requested() {
            // A run whose losses are none is not kept.
            learner.losses(phase)?;
            lab.save_checkpoint(phase, number, learner.save(config)?)?;
            return Err(LabError::Stopped { step: number }.into());
        }
        let lr = rate(number);
        learner.learn(writings(lesson, batch(number)?), phase, lr, weight_decay)?;
        since += 1;
        let step = learner.step();
        if step.is_multiple_of(log_every.max(1)) || step == steps {
            let sums = learner.losses(phase)?.iter().fold([0.0; 2], |sums, losses| [sums[0] + losses[0], sums[1] + losses[1]]);
            let [text, pixel] = sums.map(|sum| sum / since as f64);
            lab.metrics(phase, step, &BTreeMap::from([("text_loss", text), ("pixel_loss", pixel), ("lr", lr)]));
            learner.history().push(vec![step as f64, text, pixel]);
            since = 0;
        }
        lab.progress(phase, step, steps);
        // At a logged step, so that the means of a run that goes on are those of an unbroken one.
        if checkpoint_every > 0 && step.is_multiple_of(checkpoint_every) && step < steps && since == 0 {
            lab.save_checkpoint(phase, step, learner.save(config)?)?;
        }
    }
    learner.end()
}

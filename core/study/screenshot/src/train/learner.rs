//! A model in training, wherever it is computed: a step of learning, its losses, and its state as the same bytes.
//!
//! **Idea.** A batch comes in parts, texts to a part, whose gradients are summed in their order. In plain memory each part is a task of the threads: what one computes stays in its core's cache, and
//! the small operations between the products are shared out too. The number of parts is fixed, so the sums do not depend on the threads. On a device a step is only asked for: parameters and
//! moments stay there, and losses wait to be read, so that the device has work while the next batch is made. A loss that is no number is therefore found when losses are read; nothing is saved before that.

use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "burn")]
use super::on_device::DeviceState;
use super::state::State;
use crate::{
    ScreenshotError,
    model::{
        Params, Place,
        calls::{Terms, Writing},
        place::Placed,
        tape::Tape,
    },
};
use vitrine_core::{model::cpu::for_each_task, train::mat::Mat};

/// Parts of a batch in plain memory.
const PARTS: usize = 4;

/// A model in training.
#[derive(Debug)]
pub enum Learner {
    /// With the losses of steps not yet asked for.
    Memory(State, Vec<[f64; 2]>),
    #[cfg(feature = "burn")]
    Device(DeviceState),
}

/// Both losses of a batch and the gradients of their sum, part by part and summed in the parts' order.
fn summed<W: Writing<Out = Terms> + Send>(mats: &[Mat], parts: Vec<W>) -> ([f64; 2], Vec<Vec<f32>>) {
    let mut each: Vec<([f64; 2], Vec<Vec<f32>>)> = parts.iter().map(|_| Default::default()).collect();
    for_each_task(parts.into_iter().zip(&mut each).collect(), |_, (part, to): (W, &mut _)| {
        let mut tape = Tape::new(mats);
        let terms = part.on(&mut tape);
        let losses = terms.map(|term| term.map_or(0.0, |term| term.of(&tape.value(term.rows).data)));
        *to = (losses, tape.backward());
    });
    let (mut losses, mut gradients) = ([0.0; 2], mats.iter().map(|mat| vec![0.0; mat.data.len()]).collect::<Vec<_>>());
    for (more, others) in each {
        losses = [losses[0] + more[0], losses[1] + more[1]];
        for (to, from) in gradients.iter_mut().zip(&others) {
            to.iter_mut().zip(from).for_each(|(to, x)| *to += x);
        }
    }
    (losses, gradients)
}

impl Learner {
    /// The beginning of a run.
    #[must_use]
    pub fn new(params: Params, place: &Place) -> Self {
        match place {
            Place::Memory => Self::Memory(State::new(params), vec![]),
            #[cfg(feature = "burn")]
            Place::Device(device, precision) => Self::Device(DeviceState::new(&State::new(params), device, *precision)),
        }
    }

    /// Goes on from bytes that [`Self::save`] made, here or elsewhere.
    ///
    /// # Errors
    /// As [`State::load`].
    pub fn load<C: Serialize + DeserializeOwned + PartialEq>(&mut self, bytes: &[u8], config: &C) -> Result<(), ScreenshotError> {
        match self {
            Self::Memory(state, _) => state.load(bytes, config),
            #[cfg(feature = "burn")]
            Self::Device(state) => {
                let mut host = state.to_host()?;
                host.load(bytes, config)?;
                state.put(&host);
                Ok(())
            }
        }
    }

    /// The run as bytes: the same wherever it runs.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] where no file can be formed, [`ScreenshotError::Device`].
    pub fn save(&self, config: &impl Serialize) -> Result<Vec<u8>, ScreenshotError> {
        match self {
            Self::Memory(state, _) => state.save(config),
            #[cfg(feature = "burn")]
            Self::Device(state) => state.to_host()?.save(config),
        }
    }

    /// Steps done.
    #[must_use]
    pub fn step(&self) -> u64 {
        match self {
            Self::Memory(state, _) => state.step,
            #[cfg(feature = "burn")]
            Self::Device(state) => state.step,
        }
    }

    /// What was logged.
    pub fn history(&mut self) -> &mut Vec<Vec<f64>> {
        match self {
            Self::Memory(state, _) => &mut state.history,
            #[cfg(feature = "burn")]
            Self::Device(state) => &mut state.history,
        }
    }

    /// How many parts a batch is best learned in: one on a device, which is fastest with large products.
    #[must_use]
    pub fn parts(&self) -> usize {
        match self {
            Self::Memory(..) => PARTS,
            #[cfg(feature = "burn")]
            Self::Device(_) => 1,
        }
    }

    /// One step: the losses that the parts of a batch write are made smaller together.
    ///
    /// # Errors
    /// [`ScreenshotError::NotANumber`], in plain memory.
    pub fn learn<W: Writing<Out = Terms> + Send>(
        &mut self,
        parts: Vec<W>,
        phase: &str,
        lr: f64,
        weight_decay: f64,
    ) -> Result<(), ScreenshotError> {
        match self {
            Self::Memory(state, losses) => {
                let (found, gradients) = summed(&state.params.mats, parts);
                if !(found[0] + found[1]).is_finite() {
                    return Err(ScreenshotError::NotANumber { phase: phase.to_owned(), step: state.step });
                }
                state.learn(gradients, lr, weight_decay, 1.0);
                losses.push(found);
            }
            #[cfg(feature = "burn")]
            Self::Device(state) => state.learn(parts, lr, weight_decay, 1.0),
        }
        Ok(())
    }

    /// Both losses of each step since they were last asked for; waits for a device.
    ///
    /// # Errors
    /// [`ScreenshotError::NotANumber`], [`ScreenshotError::Device`].
    #[cfg_attr(not(feature = "burn"), expect(unused_variables, reason = "in plain memory a step tells at once"))]
    pub fn losses(&mut self, phase: &str) -> Result<Vec<[f64; 2]>, ScreenshotError> {
        match self {
            Self::Memory(_, losses) => Ok(std::mem::take(losses)),
            #[cfg(feature = "burn")]
            Self::Device(state) => state.losses(phase),
        }
    }

    /// The parameters where they are.
    #[must_use]
    pub fn placed(&self) -> Placed<'_> {
        match self {
            Self::Memory(state, _) => Placed::Memory(&state.params.mats),
            #[cfg(feature = "burn")]
            Self::Device(state) => state.placed(),
        }
    }

    /// The parameters in plain memory; waits for a device.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`].
    pub fn params(&self) -> Result<Params, ScreenshotError> {
        match self {
            Self::Memory(state, _) => Ok(state.params.clone()),
            #[cfg(feature = "burn")]
            Self::Device(state) => Ok(state.to_host()?.params),
        }
    }

    /// Parameters and history of a run that is over.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`].
    pub fn end(self) -> Result<(Params, Vec<Vec<f64>>), ScreenshotError> {
        match self {
            Self::Memory(state, _) => Ok((state.params, state.history)),
            #[cfg(feature = "burn")]
            Self::Device(state) => {
                let host = state.to_host()?;
                Ok((host.params, host.history))
            }
        }
    }
}

/// Asserts that several parts have the losses and gradients of the one part that is the whole batch.
#[cfg(test)]
pub(crate) fn assert_parts_add_up<W: Writing<Out = Terms> + Send>(mats: &[Mat], whole: Vec<W>, parts: Vec<W>) {
    assert_eq!(whole.len(), 1);
    assert!(parts.len() > 1);
    let [(losses, gradients), (of_parts, sums)] = [whole, parts].map(|parts| summed(mats, parts));
    assert!(losses.iter().zip(of_parts).all(|(a, b)| (a - b).abs() <= 1e-5 * a.abs()), "{losses:?} {of_parts:?}");
    let largest = gradients.iter().flatten().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let apart = gradients.iter().flatten().zip(sums.iter().flatten()).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(largest > 0.0 && apart < 1e-5 * largest, "{apart} of {largest}");
}

//! A model in training, wherever it is computed: a step of learning, its losses, and its state as the same bytes.
//!
//! **Idea.** In plain memory a step is computed and looked at. On a device it is only asked for: parameters and moments stay there, and losses wait to be read, so that the device has work while
//! the next batch is made. A loss that is no number is therefore found when losses are read; nothing is saved before that.

use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "burn")]
use super::on_device::DeviceState;
use super::state::State;
use crate::study::screenshot::{
    ScreenshotError,
    model::{
        Params, Place,
        calls::{Terms, Writing},
        place::Placed,
        tape::Tape,
    },
};

/// A model in training.
#[derive(Debug)]
pub enum Learner {
    /// With the losses of steps not yet asked for.
    Memory(State, Vec<[f64; 2]>),
    #[cfg(feature = "burn")]
    Device(DeviceState),
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

    /// One step: the losses that `writing` writes are made smaller.
    ///
    /// # Errors
    /// [`ScreenshotError::NotANumber`], in plain memory.
    pub fn learn<W: Writing<Out = Terms>>(&mut self, writing: W, phase: &str, lr: f64, weight_decay: f64) -> Result<(), ScreenshotError> {
        match self {
            Self::Memory(state, losses) => {
                let mut tape = Tape::new(&state.params.mats);
                let terms = writing.on(&mut tape);
                let mut found = [0.0; 2];
                for (found, term) in found.iter_mut().zip(terms) {
                    if let Some(term) = term {
                        *found = term.of(&tape.value(term.rows).data);
                    }
                }
                if !(found[0] + found[1]).is_finite() {
                    return Err(ScreenshotError::NotANumber { phase: phase.to_owned(), step: state.step });
                }
                let gradients = tape.backward();
                state.learn(gradients, lr, weight_decay, 1.0);
                losses.push(found);
            }
            #[cfg(feature = "burn")]
            Self::Device(state) => state.learn(writing, lr, weight_decay, 1.0),
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

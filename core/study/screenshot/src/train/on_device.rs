//! A run's numbers on a device: all matrices in one row of numbers, both moments of each likewise.
//!
//! **Idea.** A model has some hundred matrices, and a device takes as long to be told of a small operation as of a large one. So AdamW works on all numbers at once, and the norm that gradients are
//! clipped by is one sum; the matrices are cut out of the row for the next step. Nothing is read back but losses, when they are asked for, and everything where a checkpoint is saved.

use super::state::State;
use crate::{
    ScreenshotError,
    model::{
        Params, Precision,
        calls::{Terms, Writing},
        device::DeviceTape,
        params::Spec,
        place::{Placed, host},
    },
};
use vitrine_core::{
    tensor::{Device, Tensor, TensorData},
    train::{
        adamw::{AdamW, Moments},
        mat::Mat,
    },
};

/// A run on a device.
#[derive(Debug)]
pub struct DeviceState {
    specs: Vec<Spec>,
    /// Every number of every matrix, in order, and both moments.
    numbers: Tensor<1>,
    moments: [Tensor<1>; 2],
    /// 1 where weight decay pulls, else 0.
    decays: Tensor<1>,
    device: Device,
    precision: Precision,
    /// Steps done.
    pub step: u64,
    /// What was logged: step, then losses.
    pub history: Vec<Vec<f64>>,
    /// Losses that wait to be read, two a step.
    waiting: Vec<Tensor<1>>,
}

fn row(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// A run's matrices, and both moments, as rows of numbers.
fn rows(state: &State, device: &Device) -> (Tensor<1>, [Tensor<1>; 2]) {
    let mats = state.params.mats.iter().flat_map(|mat| &mat.data).copied().collect();
    let first = state.moments.iter().flat_map(|moments| &moments.first).copied().collect();
    let second = state.moments.iter().flat_map(|moments| &moments.second).copied().collect();
    (row(mats, device), [row(first, device), row(second, device)])
}

impl DeviceState {
    /// Brings a run to a device.
    #[must_use]
    pub fn new(state: &State, device: &Device, precision: Precision) -> Self {
        let specs = state.params.specs.clone();
        let decays = specs.iter().flat_map(|spec| std::iter::repeat_n(if spec.decays() { 1.0 } else { 0.0 }, spec.rows * spec.cols));
        let (numbers, moments) = rows(state, device);
        Self {
            decays: row(decays.collect(), device),
            specs,
            moments,
            numbers,
            device: device.clone(),
            precision,
            step: state.step,
            history: state.history.clone(),
            waiting: vec![],
        }
    }

    /// Takes over a run of the same shapes.
    pub fn put(&mut self, state: &State) {
        (self.numbers, self.moments) = rows(state, &self.device);
        (self.step, self.history) = (state.step, state.history.clone());
        self.waiting.clear();
    }

    /// The run in plain memory; waits for the device.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`].
    pub fn to_host(&self) -> Result<State, ScreenshotError> {
        let cut = |all: &Tensor<1>| -> Result<Vec<Vec<f32>>, ScreenshotError> {
            let all = host(all.clone())?;
            let mut rest = &all[..];
            let mut one = |spec: &Spec| {
                let (head, tail) = rest.split_at(spec.rows * spec.cols);
                rest = tail;
                head.to_vec()
            };
            Ok(self.specs.iter().map(&mut one).collect())
        };
        let mats = cut(&self.numbers)?.into_iter().zip(&self.specs).map(|(data, spec)| Mat { rows: spec.rows, cols: spec.cols, data });
        let [first, second] = [cut(&self.moments[0])?, cut(&self.moments[1])?];
        Ok(State {
            params: Params { specs: self.specs.clone(), mats: mats.collect() },
            moments: first.into_iter().zip(second).map(|(first, second)| Moments { first, second }).collect(),
            step: self.step,
            history: self.history.clone(),
        })
    }

    /// The matrices, cut out of the row.
    fn mats(&self) -> Vec<Tensor<2>> {
        let mut from = 0;
        let mut one = |spec: &Spec| {
            let n = spec.rows * spec.cols;
            from += n;
            self.numbers.clone().narrow(0, from - n, n).reshape([spec.rows, spec.cols])
        };
        self.specs.iter().map(&mut one).collect()
    }

    /// The parameters where they are.
    #[must_use]
    pub fn placed(&self) -> Placed<'static> {
        Placed::Device(self.mats(), self.device.clone(), self.precision)
    }

    /// Asks for one step of AdamW on the clipped gradients of what the parts of a batch write.
    pub fn learn<W: Writing<Out = Terms>>(&mut self, parts: Vec<W>, lr: f64, weight_decay: f64, clip: f64) {
        let mut tape = DeviceTape::new(&self.mats(), &self.device, self.precision);
        let mut told = [(); 2].map(|()| Tensor::<1>::zeros([1], &self.device));
        for part in parts {
            for (told, term) in told.iter_mut().zip(part.on(&mut tape)) {
                if let Some(rows) = term.and_then(|term| tape.tensor(term.rows).map(|rows| rows.sum() * term.factor() as f32)) {
                    *told = told.clone() + rows;
                }
            }
        }
        self.waiting.push(Tensor::cat(told.into(), 0));
        let gradients = tape.backward().into_iter().zip(&self.specs).map(|(grad, spec)| grad.reshape([spec.rows * spec.cols]));
        let gradients: Tensor<1> = Tensor::cat(gradients.collect(), 0);
        let norm = gradients.clone().square().sum().sqrt();
        let gradients = gradients * ((norm + 1e-6).recip() * clip as f32).clamp_max(1.0);
        self.step += 1;
        let adam = AdamW { weight_decay, ..AdamW::default() };
        adam.step_row(&mut self.numbers, gradients, &mut self.moments, &self.decays, self.step, lr);
    }

    /// Both losses of each step since they were last read; waits for the device.
    ///
    /// # Errors
    /// [`ScreenshotError::NotANumber`], [`ScreenshotError::Device`].
    pub fn losses(&mut self, phase: &str) -> Result<Vec<[f64; 2]>, ScreenshotError> {
        if self.waiting.is_empty() {
            return Ok(vec![]);
        }
        let values = host(Tensor::cat(std::mem::take(&mut self.waiting), 0))?;
        let losses: Vec<[f64; 2]> = values.chunks_exact(2).map(|pair| [f64::from(pair[0]), f64::from(pair[1])]).collect();
        match losses.iter().position(|[text, pixel]| !(text + pixel).is_finite()) {
            Some(place) => Err(ScreenshotError::NotANumber { phase: phase.to_owned(), step: self.step - (losses.len() - place) as u64 }),
            None => Ok(losses),
        }
    }
}

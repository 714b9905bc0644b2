//! A run that trains weights, as bytes: weights, both moments of each, the losses logged so far, the settings and the step.
//!
//! A safetensors file: weights under their own names ([`crate::model::params`]), moments under `first.` and `second.` before them. Loading checks names, shapes
//! and that every number is finite, and refuses other settings: a run never goes on from something else than it stopped at.

use std::collections::BTreeMap;

use super::language_model::{LanguageModelConfig, LanguageModelError, ModelMoments};
use crate::{
    formats::{
        WeightSource,
        safetensors::{SafeTensors, TensorData, write},
        weights::check_finite,
    },
    lab::LabError,
    model::{Transformer, params::ParamVisitor},
    tensor::{Device, Tensor, TensorData as Data},
};

const FORMAT: &str = "vitrine.training/1";

/// Where a run is, beside the weights.
#[derive(Debug, Default)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    pub moments: ModelMoments,
    /// (step, loss in nats).
    pub history: Vec<(u64, f64)>,
}

/// The run as a file. (Weights are looked at through [`Transformer::visit`], which asks for `&mut`; they do not change.)
///
/// # Errors
/// [`LabError::Store`] where a tensor cannot be read back or the file cannot be formed.
pub fn save(model: &mut Transformer, progress: &Progress, config: &LanguageModelConfig) -> Result<Vec<u8>, LanguageModelError> {
    let failed = |e: &dyn std::fmt::Display| LabError::Store { what: "the training run".into(), reason: e.to_string() };
    let mut collect = Collect { tensors: BTreeMap::new(), failed: None };
    model.visit(&mut collect);
    for (name, pair) in &progress.moments.0 {
        if let Some([first, second]) = pair {
            collect.tensor(format!("first.{name}"), first);
            collect.tensor(format!("second.{name}"), second);
        }
    }
    if let Some(reason) = collect.failed {
        return Err(failed(&reason).into());
    }
    let config = serde_json::to_string(config).map_err(|e| failed(&e))?;
    let history = serde_json::to_string(&progress.history).map_err(|e| failed(&e))?;
    let facts = [("format", FORMAT.to_owned()), ("step", progress.step.to_string()), ("config", config), ("history", history)];
    let metadata = facts.map(|(name, value)| (name.to_owned(), value)).into();
    let tensors = collect.tensors.iter().map(|(name, (shape, values))| (name.clone(), (shape.clone(), TensorData::F32(values)))).collect();
    Ok(write(&tensors, &metadata).map_err(|e| failed(&e))?)
}

/// Puts the weights of a saved run into `model`, whose shape must be the same, and returns where the run was.
///
/// # Errors
/// [`LabError::BadCheckpoint`] for another format, other shapes or settings, or numbers that are not finite.
pub fn load(bytes: &[u8], model: &mut Transformer, config: &LanguageModelConfig) -> Result<Progress, LanguageModelError> {
    let bad = |reason: String| LabError::BadCheckpoint { what: "of the training run".into(), reason };
    let file = SafeTensors::open(bytes).map_err(|e| bad(e.to_string()))?;
    let metadata = file.metadata();
    let fact = |name: &str| metadata.get(name).map(String::as_str).unwrap_or_default();
    if fact("format") != FORMAT {
        return Err(bad(format!("it is not a {FORMAT} file")).into());
    }
    let step = fact("step").parse().map_err(|_| bad("it names no step".into()))?;
    let earlier: LanguageModelConfig = serde_json::from_str(fact("config")).map_err(|e| bad(e.to_string()))?;
    if earlier != *config {
        return Err(bad("it was made with other settings; use the same ones to go on".into()).into());
    }
    let history = serde_json::from_str(fact("history")).map_err(|e| bad(e.to_string()))?;
    let device = model.device();
    let mut restore = Restore { file: &file, device, moments: BTreeMap::new(), failed: None };
    model.visit(&mut restore);
    match restore.failed {
        Some(reason) => Err(bad(reason).into()),
        None => Ok(Progress { step, moments: ModelMoments(restore.moments), history }),
    }
}

/// Reads every weight.
struct Collect {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// The first that could not be read, and why.
    failed: Option<String>,
}

impl Collect {
    fn tensor<const D: usize>(&mut self, name: String, value: &Tensor<D>) {
        let values = value
            .clone()
            .try_into_data()
            .map_err(|e| e.to_string())
            .and_then(|data| data.try_into_vec::<f32>().map_err(|e| format!("{e:?}")));
        match values {
            Ok(values) => _ = self.tensors.insert(name, (value.dims().to_vec(), values)),
            Err(reason) => self.failed = self.failed.take().or(Some(format!("{name}: {reason}"))),
        }
    }
}

impl ParamVisitor for Collect {
    fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
        self.tensor(name.to_owned(), value);
    }

    fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
        self.tensor(name.to_owned(), value);
    }
}

/// Replaces every weight by the file's, and takes its moments along.
struct Restore<'a, S> {
    file: &'a S,
    device: Device,
    moments: BTreeMap<String, Option<[Tensor<1>; 2]>>,
    failed: Option<String>,
}

impl<S: WeightSource> Restore<'_, S> {
    fn read<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Tensor<D>, String> {
        let values = self.file.read_shaped(name, &shape).map_err(|e| e.to_string())?;
        check_finite(name, &values).map_err(|e| e.to_string())?;
        Ok(Tensor::from_data(Data::new(values, shape), &self.device))
    }

    fn replace<const D: usize>(&mut self, name: &str, value: &mut Tensor<D>) {
        let shape = value.dims();
        let n = [shape.iter().product()];
        let read = || {
            // A weight that no step has touched has no moments yet.
            let has_moments = self.file.info(&format!("first.{name}")).is_some();
            let moments =
                has_moments.then(|| Ok::<_, String>([self.read(&format!("first.{name}"), n)?, self.read(&format!("second.{name}"), n)?]));
            Ok::<_, String>((self.read(name, shape)?, moments.transpose()?))
        };
        match read() {
            Ok((tensor, moments)) => {
                *value = tensor;
                self.moments.insert(name.to_owned(), moments);
            }
            Err(reason) => self.failed = self.failed.take().or(Some(reason)),
        }
    }
}

impl<S: WeightSource> ParamVisitor for Restore<'_, S> {
    fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
        self.replace(name, value);
    }

    fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
        self.replace(name, value);
    }
}

//! What a run may touch.
//!
//! A study computes; where its numbers go, how its progress is shown and where its checkpoints lie differs between the command line (files, bars), the browser (memory,
//! messages) and tests (vectors). A [`Lab`] is that difference, and nothing else in core knows of files, clocks or screens.

use std::collections::BTreeMap;

use crate::tensor::Device;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// What a lab can fail at.
#[derive(Debug, Error)]
pub enum LabError {
    #[error("stopped on request at step {step}")]
    Stopped { step: u64 },
    #[error("could not store {what}: {reason}")]
    Store { what: String, reason: String },
    #[error("the checkpoint {what} cannot be used: {reason}")]
    BadCheckpoint { what: String, reason: String },
}

/// Device, progress, metrics, artifacts and the wish to stop.
pub trait Lab {
    /// Where tensors live.
    fn device(&self) -> &Device;

    /// Seconds since some fixed moment; for reporting how long things took, never for deciding anything.
    fn seconds(&self) -> f64;

    /// Shows that `done` of `total` steps of `what` are behind us.
    fn progress(&mut self, what: &str, done: u64, total: u64);

    /// Logs numbers of one step of `phase`, by name.
    fn metrics(&mut self, phase: &str, step: u64, values: &BTreeMap<&str, f64>);

    /// Keeps a checkpoint of `phase` at `step`.
    ///
    /// # Errors
    /// [`LabError::Store`] where it cannot be written.
    fn save_checkpoint(&mut self, phase: &str, step: u64, bytes: Vec<u8>) -> Result<(), LabError>;

    /// The newest checkpoint of `phase`, where this run goes on from one that was stopped. Labs that keep none start every phase anew.
    fn resume(&mut self, _phase: &str) -> Option<Vec<u8>> {
        None
    }

    /// Keeps a result under a file name.
    ///
    /// # Errors
    /// [`LabError::Store`] where it cannot be written.
    fn artifact(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), LabError>;

    /// Whether the person has asked to stop.
    fn stop_requested(&self) -> bool;

    /// Peak memory of the process so far, in bytes, where it can be known.
    fn peak_memory(&self) -> Option<u64> {
        None
    }
}

/// What the checkpoint of a phase that is over begins with; no safetensors file does.
const OVER: &[u8] = b"vitrine.over/1\n";

/// The result of a phase: taken from the run that this one continues where that run finished it, else computed and kept in the place of the phase's checkpoints.
/// Results must be made of numbers that JSON can hold.
///
/// # Errors
/// Errors of `compute`; [`LabError::Store`], [`LabError::BadCheckpoint`].
pub fn finish<T, E>(lab: &mut dyn Lab, phase: &str, compute: impl FnOnce(&mut dyn Lab) -> Result<T, E>) -> Result<T, E>
where
    T: Serialize + DeserializeOwned,
    E: From<LabError>,
{
    if let Some(json) = lab.resume(phase).as_deref().and_then(|bytes| bytes.strip_prefix(OVER)) {
        let bad = |e: serde_json::Error| LabError::BadCheckpoint { what: format!("of {phase}"), reason: e.to_string() };
        return Ok(serde_json::from_slice(json).map_err(bad)?);
    }
    let result = compute(lab)?;
    let failed = |e: serde_json::Error| LabError::Store { what: format!("the result of {phase}"), reason: e.to_string() };
    let bytes = [OVER, &serde_json::to_vec(&result).map_err(failed)?].concat();
    lab.save_checkpoint(phase, 0, bytes)?;
    Ok(result)
}

/// When `phase` began, in [`Lab::seconds`], also where it began in the run that this one continues.
///
/// # Errors
/// As [`finish`].
pub fn began(lab: &mut dyn Lab, phase: &str) -> Result<f64, LabError> {
    finish(lab, &format!("{phase}: began"), |lab| Ok(lab.seconds()))
}

/// Ends the run between two phases when the person has asked to stop; what is finished is kept.
///
/// # Errors
/// [`LabError::Stopped`].
pub fn stop_point(lab: &dyn Lab, step: u64) -> Result<(), LabError> {
    if lab.stop_requested() { Err(LabError::Stopped { step }) } else { Ok(()) }
}

/// A lab in memory: for tests, and for pages that show a run as it goes.
#[derive(Debug)]
pub struct MemoryLab {
    device: Device,
    /// All metrics, as (phase, step, name, value).
    pub log: Vec<(String, u64, String, f64)>,
    /// Newest checkpoint of each phase, with its step. A second run in the same lab goes on from them.
    pub checkpoints: BTreeMap<String, (u64, Vec<u8>)>,
    /// Artifacts by file name.
    pub artifacts: BTreeMap<String, Vec<u8>>,
    /// Stop once a phase reaches this step.
    pub stop_at: Option<u64>,
    reached: u64,
}

impl MemoryLab {
    /// An empty lab on `device`.
    pub fn new(device: Device) -> Self {
        Self { device, log: vec![], checkpoints: BTreeMap::new(), artifacts: BTreeMap::new(), stop_at: None, reached: 0 }
    }
}

impl Lab for MemoryLab {
    fn device(&self) -> &Device {
        &self.device
    }

    fn seconds(&self) -> f64 {
        0.0
    }

    fn progress(&mut self, _what: &str, done: u64, _total: u64) {
        self.reached = done;
    }

    fn metrics(&mut self, phase: &str, step: u64, values: &BTreeMap<&str, f64>) {
        self.log.extend(values.iter().map(|(name, &value)| (phase.to_owned(), step, (*name).to_owned(), value)));
    }

    fn save_checkpoint(&mut self, phase: &str, step: u64, bytes: Vec<u8>) -> Result<(), LabError> {
        self.checkpoints.insert(phase.to_owned(), (step, bytes));
        Ok(())
    }

    fn resume(&mut self, phase: &str) -> Option<Vec<u8>> {
        self.checkpoints.get(phase).map(|(_, bytes)| bytes.clone())
    }

    fn artifact(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), LabError> {
        self.artifacts.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.stop_at.is_some_and(|at| self.reached >= at)
    }
}

//! What a run may touch.
//!
//! A study computes; where its numbers go, how its progress is shown and where its checkpoints lie differs between the command line (files, bars), the browser (memory,
//! messages) and tests (vectors). A [`Lab`] is that difference, and nothing else in core knows of files, clocks or screens.

use std::collections::BTreeMap;

use burn::tensor::Device;
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

/// A lab in memory: for tests, and for pages that show a run as it goes.
#[derive(Debug)]
pub struct MemoryLab {
    device: Device,
    /// All metrics, as (phase, step, name, value).
    pub log: Vec<(String, u64, String, f64)>,
    /// Newest checkpoint of each phase, with its step.
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

    fn artifact(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), LabError> {
        self.artifacts.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.stop_at.is_some_and(|at| self.reached >= at)
    }
}

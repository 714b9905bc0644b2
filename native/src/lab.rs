//! The native lab: a run folder, progress on standard error, Ctrl-C.

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::Device;
use vitrine_core::lab::{Lab, LabError};

use crate::{
    progress::{Mode, Progress, Task},
    resources,
    run_folder::RunFolder,
    signal::Stop,
};

/// Files, bars and signals behind core's [`Lab`].
pub struct NativeLab {
    device: Device,
    began: Instant,
    progress: Progress,
    task: Option<(String, Task)>,
    stop: Stop,
    /// Without a folder, metrics and checkpoints go nowhere.
    folder: Option<RunFolder>,
    /// Steps logged so far over all phases: the folder's own count never goes back.
    logged: u64,
}

impl NativeLab {
    /// A lab on `device`; `folder` keeps metrics, checkpoints and artifacts.
    pub fn new(device: Device, quiet: bool, stop: Stop, folder: Option<RunFolder>) -> Self {
        Self { device, began: Instant::now(), progress: Progress::new(Mode::detect(quiet)), task: None, stop, folder, logged: 0 }
    }

    /// The folder back, when the run is over.
    pub fn into_folder(mut self) -> Option<RunFolder> {
        if let Some((_, task)) = self.task.take() {
            task.finish();
        }
        self.folder
    }
}

impl Lab for NativeLab {
    fn device(&self) -> &Device {
        &self.device
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        if self.task.as_ref().is_none_or(|(name, _)| name != what) {
            if let Some((_, task)) = self.task.take() {
                task.finish();
            }
            self.task = Some((what.to_owned(), self.progress.task(what, Some(total), done.saturating_sub(1))));
        }
        if let Some((_, task)) = &self.task {
            task.set(done);
        }
    }

    fn metrics(&mut self, phase: &str, step: u64, values: &BTreeMap<&str, f64>) {
        self.logged += 1;
        let Some(folder) = &mut self.folder else { return };
        let named: Vec<(String, f64)> = values.iter().map(|(name, &value)| (format!("{phase}/{name}"), value)).collect();
        let mut rows: Vec<(&str, f64)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        rows.push(("step of the phase", step as f64));
        if let Err(error) = folder.log(self.logged, &rows) {
            self.progress.note(&format!("metrics could not be written: {error:#}"));
        }
    }

    fn save_checkpoint(&mut self, phase: &str, step: u64, bytes: Vec<u8>) -> Result<(), LabError> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        // The folder's steps count over all phases; the file's name says the phase and its own step.
        self.logged += 1;
        let name = format!("{}-{step}.safetensors", slug(phase));
        folder.checkpoint(self.logged, &[(&name, &bytes)]).map(|_| ()).map_err(|e| LabError::Store { what: name, reason: format!("{e:#}") })
    }

    fn artifact(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), LabError> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        folder.write_artifact(name, &bytes).map(|_| ()).map_err(|e| LabError::Store { what: name.into(), reason: format!("{e:#}") })
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested()
    }

    fn peak_memory(&self) -> Option<u64> {
        resources::peak_memory_bytes()
    }
}

/// A phase's name as a file name.
fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

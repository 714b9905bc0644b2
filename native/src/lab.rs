//! The native lab: a run folder, progress on standard error, Ctrl-C.
//!
//! A checkpoint of the run folder holds the newest state of every phase (finished phases as their results), the clock and the count of logged lines, so a run that goes on knows what
//! is done, and its log and its times continue.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use vitrine_core::lab::{Lab, LabError};

use crate::{
    atomic,
    open::TEXT_LIMIT,
    progress::{Mode, Progress, Task},
    resources,
    run_folder::RunFolder,
    signal::Stop,
};

const INDEX: &str = "phases.json";

/// Where checkpoints, metrics and artifacts go.
enum Keep {
    Nowhere,
    /// Checkpoints of the one phase there is, in one file.
    File(PathBuf),
    Folder(Box<RunFolder>),
}

/// What a checkpoint of a run folder says about its files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// Seconds of work so far.
    seconds: f64,
    /// Lines in `metrics.jsonl`.
    logged: u64,
    /// File of each phase.
    files: BTreeMap<String, String>,
}

/// Files, bars and signals behind core's [`Lab`].
pub struct NativeLab {
    device: Device,
    began: Instant,
    /// Seconds of work before this process.
    earlier: f64,
    progress: Progress,
    task: Option<(String, Task)>,
    stop: Stop,
    keep: Keep,
    /// Steps logged so far over all phases: the folder's own count never goes back.
    logged: u64,
    /// Newest checkpoint of each phase.
    phases: BTreeMap<String, Vec<u8>>,
}

impl NativeLab {
    /// A lab on `device` that keeps nothing.
    pub fn new(device: Device, quiet: bool, stop: Stop) -> Self {
        Self {
            device,
            began: Instant::now(),
            earlier: 0.0,
            progress: Progress::new(Mode::detect(quiet)),
            task: None,
            stop,
            keep: Keep::Nowhere,
            logged: 0,
            phases: BTreeMap::new(),
        }
    }

    /// Keeps the checkpoints of one phase in a file; with `resume`, goes on from the one that is there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn keep_in_file(mut self, path: &Path, phase: &str, resume: bool) -> Result<Self> {
        if resume && path.exists() {
            self.phases.insert(phase.to_owned(), atomic::read_bounded(path, TEXT_LIMIT)?);
        }
        self.keep = Keep::File(path.to_owned());
        Ok(self)
    }

    /// Keeps everything in a run folder, and goes on from its newest checkpoint.
    ///
    /// # Errors
    /// When the checkpoint cannot be read.
    pub fn keep_in_folder(mut self, folder: RunFolder) -> Result<Self> {
        for note in folder.notes() {
            self.progress.note(note);
        }
        if let Some(checkpoint) = folder.resumed() {
            let place = || format!("in {}", checkpoint.folder.path().display());
            let index: Index = serde_json::from_slice(&checkpoint.folder.read(INDEX)?).with_context(place)?;
            for (phase, file) in index.files {
                self.phases.insert(phase, checkpoint.folder.read(&file)?);
            }
            (self.earlier, self.logged) = (index.seconds, index.logged);
        }
        self.keep = Keep::Folder(Box::new(folder));
        Ok(self)
    }

    /// The folder back, when the run is over.
    pub fn into_folder(mut self) -> Option<RunFolder> {
        self.end_task();
        match self.keep {
            Keep::Folder(folder) => Some(*folder),
            Keep::Nowhere | Keep::File(_) => None,
        }
    }

    /// Whether the person has asked to stop.
    pub fn stopping(&self) -> bool {
        self.stop.requested()
    }

    /// Takes the bar away and leaves its closing line.
    pub fn end_task(&mut self) {
        if let Some((_, task)) = self.task.take() {
            task.finish();
        }
    }
}

impl Lab for NativeLab {
    fn device(&self) -> &Device {
        &self.device
    }

    fn seconds(&self) -> f64 {
        self.earlier + self.began.elapsed().as_secs_f64()
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        if self.task.as_ref().is_none_or(|(name, _)| name != what) {
            self.end_task();
            self.task = Some((what.to_owned(), self.progress.task(what, Some(total), done.saturating_sub(1))));
        }
        if let Some((_, task)) = &self.task {
            task.set(done);
        }
    }

    fn metrics(&mut self, phase: &str, step: u64, values: &BTreeMap<&str, f64>) {
        self.logged += 1;
        let Keep::Folder(folder) = &mut self.keep else { return };
        let named: Vec<(String, f64)> = values.iter().map(|(name, &value)| (format!("{phase}/{name}"), value)).collect();
        let mut rows: Vec<(&str, f64)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        rows.push(("step of the phase", step as f64));
        if let Err(error) = folder.log(self.logged, &rows) {
            self.progress.note(&format!("metrics could not be written: {error:#}"));
        }
    }

    fn save_checkpoint(&mut self, phase: &str, _step: u64, bytes: Vec<u8>) -> Result<(), LabError> {
        let failed = |e: anyhow::Error| LabError::Store { what: format!("a checkpoint of {phase}"), reason: format!("{e:#}") };
        let seconds = self.seconds();
        match &mut self.keep {
            Keep::Nowhere => Ok(()),
            Keep::File(path) => atomic::write_file(path, &bytes).map_err(failed),
            Keep::Folder(folder) => {
                self.phases.insert(phase.to_owned(), bytes);
                let names = self.phases.keys().enumerate().map(|(number, phase)| (phase.clone(), format!("phase-{number:03}.bin")));
                let index = Index { seconds, logged: self.logged, files: names.collect() };
                let json = serde_json::to_vec_pretty(&index).map_err(|e| failed(e.into()))?;
                let mut files: Vec<(&str, &[u8])> =
                    index.files.values().zip(self.phases.values()).map(|(file, bytes)| (file.as_str(), bytes.as_slice())).collect();
                files.push((INDEX, &json));
                folder.checkpoint(&files).map(|_| ()).map_err(failed)
            }
        }
    }

    fn resume(&mut self, phase: &str) -> Option<Vec<u8>> {
        self.phases.get(phase).cloned()
    }

    fn artifact(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), LabError> {
        let Keep::Folder(folder) = &mut self.keep else { return Ok(()) };
        folder.write_artifact(name, &bytes).map(|_| ()).map_err(|e| LabError::Store { what: name.into(), reason: format!("{e:#}") })
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested()
    }

    fn peak_memory(&self) -> Option<u64> {
        resources::peak_memory_bytes()
    }
}

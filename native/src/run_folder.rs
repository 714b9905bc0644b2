//! The folder of one run.
//!
//! Idea: a run is its folder: what was asked, what was measured, where it stands, what came out. It can be killed at any moment and
//! continued, and two processes never write to it together. Method: whole files appear by rename ([`crate::atomic`]); the two logs
//! (`metrics.jsonl`, `tb/`) only grow, and each checkpoint notes their lengths, so a continued run cuts them back to where its
//! checkpoint stands and writes the same lines again: on a CPU the log of a broken run ends with the bytes of an unbroken one.
//!
//! ```text
//! runs/<study>-<first 8 digits of the config hash>/
//!   .lock           held while a process writes here; the system frees it when the process ends, however it ends
//!   run.json        what was run, on what, with what
//!   metrics.jsonl   one line a record
//!   tb/             the same numbers for TensorBoard
//!   checkpoints/    save-0000000012/, newest last; each with a manifest of hashes and position.json
//!   artifacts/      files the study leaves
//!   findings.json   report.html
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::atomic::{self, Folder, FolderWriter};
use crate::tensorboard::EventWriter;

const POSITION: &str = "position.json";
const MAX_RUN_JSON_BYTES: u64 = 64 << 20;
/// Checkpoints kept: a damaged one costs no more than the way from the one before.
const KEEP: usize = 3;

/// How long the logs were when a checkpoint was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    /// Number of the checkpoint.
    number: u64,
    /// Last step logged.
    step: u64,
    metrics_bytes: u64,
    tensorboard_bytes: BTreeMap<String, u64>,
}

/// A checkpoint that a run continues from. All of its files have been checked against their hashes.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// How many checkpoints the run wrote up to this one.
    pub number: u64,
    /// Its files.
    pub folder: Folder,
}

/// An open run folder. Dropping it frees the lock.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    study: String,
    config_hash: String,
    metrics: File,
    events: Option<EventWriter>,
    last_step: u64,
    last_checkpoint: u64,
    resumed: Option<Checkpoint>,
    notes: Vec<String>,
    _lock: File,
}

impl RunFolder {
    /// Opens `<root>/<study>-<config_hash, 8 digits>` for writing, making it when needed.
    ///
    /// With `resume`, an existing run of the same config is continued from its newest undamaged checkpoint (see
    /// [`RunFolder::resumed`]), or from the start when it has none. Without, an existing run is an error.
    ///
    /// # Errors
    /// When another process writes there, the run exists and `resume` is false, the folder belongs to another config, or the disk refuses.
    pub fn create(root: &Path, study: &str, config_hash: &str, resume: bool) -> Result<Self> {
        atomic::check_name(study).context("the study's name cannot name a folder")?;
        let short = config_hash.get(..8).filter(|_| config_hash.bytes().all(|b| b.is_ascii_hexdigit()));
        let short = short.with_context(|| format!("config hash {config_hash:?} is not hexadecimal of at least 8 digits"))?;
        let path = root.join(format!("{study}-{short}"));
        for folder in [path.clone(), path.join("checkpoints"), path.join("tb")] {
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let lock = lock(&path)?;
        // From here on nobody else writes, so what looks like a leftover is one.
        for folder in [path.clone(), path.join("checkpoints")] {
            atomic::remove_leftovers(&folder)?;
        }
        check_existing(&path, config_hash, resume)?;

        let mut notes = Vec::new();
        let newest = newest_checkpoint(&path.join("checkpoints"), &mut notes)?;
        let position = match &newest {
            Some(checkpoint) => read_position(checkpoint)?,
            None => Position { number: 0, step: 0, metrics_bytes: 0, tensorboard_bytes: BTreeMap::new() },
        };
        let metrics = open_cut(&path.join("metrics.jsonl"), position.metrics_bytes)?;
        cut_events(&path.join("tb"), &position.tensorboard_bytes)?;
        Ok(Self {
            path,
            study: study.to_owned(),
            config_hash: config_hash.to_owned(),
            metrics,
            events: None,
            last_step: position.step,
            last_checkpoint: position.number,
            resumed: newest,
            notes,
            _lock: lock,
        })
    }

    /// Where the run lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint this run continues from; `None` when it starts at the beginning.
    #[must_use]
    pub fn resumed(&self) -> Option<&Checkpoint> {
        self.resumed.as_ref()
    }

    /// What the user should know about how the folder was found, such as a damaged checkpoint that was set aside.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Writes `run.json`, byte for byte. Write it before the first step, so that a killed run can be continued, and again at the end.
    ///
    /// # Errors
    /// When the text is not JSON of this study and this config, or the disk refuses.
    pub fn write_run(&self, json: &str) -> Result<()> {
        let run: Value = serde_json::from_str(json).context("run.json is not JSON")?;
        for (field, expected) in [("study", &self.study), ("config_hash", &self.config_hash)] {
            let found = run.get(field).and_then(Value::as_str);
            ensure!(found == Some(expected), "run.json has {field} {found:?}, its folder has {expected:?}");
        }
        atomic::write_file(&self.path.join("run.json"), json.as_bytes())
    }

    /// The `run.json` that is there, for a run that is continued.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_run(&self) -> Result<Option<Vec<u8>>> {
        read_run(&self.path)
    }

    /// Whether the run came to its end: findings and report are there.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.path.join("findings.json").exists() && self.path.join("report.html").exists()
    }

    /// Adds one line to `metrics.jsonl` and a point to each curve. A value that is not finite is `null` in the line. Steps count over
    /// the whole run and never go back.
    ///
    /// # Errors
    /// When `step` goes back, or the disk refuses.
    pub fn log(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        ensure!(step >= self.last_step, "metrics of step {step} come after those of step {}", self.last_step);
        self.last_step = step;
        let mut line = Map::new();
        line.insert("step".into(), step.into());
        line.extend(values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        let mut text = serde_json::to_vec(&Value::Object(line))?;
        text.push(b'\n');
        // One write call a line: whoever follows the file never reads half of one, and a killed process loses none.
        self.metrics.write_all(&text).with_context(|| format!("cannot write {}", self.path.join("metrics.jsonl").display()))?;
        let now = unix_seconds();
        for (name, value) in values {
            self.events(now)?.scalar(now, step, name, *value)?;
        }
        Ok(())
    }

    /// Adds a text (Markdown) to the TensorBoard log.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn log_text(&mut self, step: u64, tag: &str, text: &str) -> Result<()> {
        let now = unix_seconds();
        self.events(now)?.text(now, step, tag, text)
    }

    /// Writes `checkpoints/save-…/` with the given files, flushes the logs, and deletes the oldest checkpoints beyond the number to
    /// keep.
    ///
    /// # Errors
    /// When a name is not a plain file name, or the disk refuses; the earlier checkpoints are then all still there.
    pub fn checkpoint(&mut self, files: &[(&str, &[u8])]) -> Result<PathBuf> {
        let folder = self.path.join("checkpoints");
        let number = self.last_checkpoint + 1;
        let target = folder.join(checkpoint_name(number));
        self.metrics.sync_all().context("cannot flush metrics.jsonl")?;
        let metrics_bytes = self.metrics.metadata()?.len();
        let position = Position { number, step: self.last_step, metrics_bytes, tensorboard_bytes: event_files(&self.path.join("tb"))? };
        let mut writer = FolderWriter::new(&target)?;
        writer.add(POSITION, &serde_json::to_vec_pretty(&position)?)?;
        for (name, bytes) in files {
            writer.add(name, bytes)?;
        }
        writer.commit()?;
        self.last_checkpoint = number;
        let numbers = checkpoint_numbers(&folder)?;
        for number in numbers.iter().take(numbers.len().saturating_sub(KEEP)) {
            let old = folder.join(checkpoint_name(*number));
            fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(target)
    }

    /// Writes `findings.json`, byte for byte.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_findings(&self, json: &str) -> Result<()> {
        atomic::write_file(&self.path.join("findings.json"), json.as_bytes())
    }

    /// Writes `report.html`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_report(&self, html: &str) -> Result<()> {
        atomic::write_file(&self.path.join("report.html"), html.as_bytes())
    }

    /// Writes `artifacts/<name>`.
    ///
    /// # Errors
    /// When the name is not a plain file name, or the disk refuses.
    pub fn write_artifact(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        atomic::check_name(name)?;
        let folder = self.path.join("artifacts");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(name);
        atomic::write_file(&path, bytes)?;
        Ok(path)
    }

    /// The event file of this process, made at the first point so that a run without curves has none.
    fn events(&mut self, now: f64) -> Result<&mut EventWriter> {
        let folder = self.path.join("tb");
        match &mut self.events {
            Some(events) => Ok(events),
            none => {
                // A continued run may start within the second of the last one, on a machine that gives the same process number.
                let count = event_files(&folder)?.len();
                Ok(none.insert(EventWriter::create(&folder, now, &format!("vitrine.{}.{count}", std::process::id()))?))
            }
        }
    }
}

/// The `run.json` of a run folder, where there is one.
///
/// # Errors
/// When it cannot be read.
pub fn read_run(folder: &Path) -> Result<Option<Vec<u8>>> {
    let path = folder.join("run.json");
    if !path.exists() {
        return Ok(None);
    }
    atomic::read_bounded(&path, MAX_RUN_JSON_BYTES).map(Some)
}

fn lock(path: &Path) -> Result<File> {
    let name = path.join(".lock");
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(&name);
    let mut file = file.with_context(|| format!("cannot open {}", name.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let owner = fs::read_to_string(&name).unwrap_or_default();
            bail!("{} is being written by another process ({}); wait for it or choose another --out", path.display(), owner.trim());
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("cannot lock {}", name.display())),
    }
    // For the message above only; the lock itself is the system's.
    file.set_len(0)?;
    writeln!(file, "process {}", std::process::id())?;
    Ok(file)
}

/// Refuses a folder that holds another config's run (two hashes may share 8 digits), or any run when not resuming.
fn check_existing(path: &Path, config_hash: &str, resume: bool) -> Result<()> {
    let file = path.join("run.json");
    if !file.exists() {
        let checkpoints = checkpoint_numbers(&path.join("checkpoints"))?;
        ensure!(checkpoints.is_empty(), "{} has checkpoints but no run.json; move it away to start afresh", path.display());
        return Ok(());
    }
    let run: Value = serde_json::from_slice(&atomic::read_bounded(&file, MAX_RUN_JSON_BYTES)?)
        .with_context(|| format!("{} is not JSON; move the folder away to start afresh", file.display()))?;
    let found = run.get("config_hash").and_then(Value::as_str).unwrap_or("missing");
    ensure!(
        found == config_hash,
        "{} belongs to another config (hash {found}, this one has {config_hash}); choose another --out",
        path.display()
    );
    ensure!(resume, "{} exists already; continue it with --resume, or choose another --out", path.display());
    Ok(())
}

fn checkpoint_name(number: u64) -> String {
    format!("save-{number:010}")
}

/// Numbers of the checkpoints in `folder`, ascending.
fn checkpoint_numbers(folder: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let name = entry?.file_name();
        let number: Option<u64> = name.to_str().and_then(|n| n.strip_prefix("save-")).and_then(|n| n.parse().ok());
        numbers.extend(number.filter(|number| name == *checkpoint_name(*number)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The newest checkpoint whose files all match their hashes. Damaged ones are renamed, with a note, so that their number is free again.
fn newest_checkpoint(folder: &Path, notes: &mut Vec<String>) -> Result<Option<Checkpoint>> {
    for number in checkpoint_numbers(folder)?.into_iter().rev() {
        let path = folder.join(checkpoint_name(number));
        match Folder::open(&path).and_then(|f| f.verify().map(|()| f)) {
            Ok(checked) => return Ok(Some(Checkpoint { number, folder: checked })),
            Err(error) => {
                let aside = (0..1000).map(|n| folder.join(format!("damaged-{n}-{}", checkpoint_name(number)))).find(|p| !p.exists());
                let aside = aside.context("no free name for a damaged checkpoint")?;
                fs::rename(&path, &aside).with_context(|| format!("cannot set aside {}", path.display()))?;
                notes.push(format!("checkpoint {number} is damaged and was set aside as {}: {error:#}", aside.display()));
            }
        }
    }
    Ok(None)
}

fn read_position(checkpoint: &Checkpoint) -> Result<Position> {
    let place = || format!("{} in {}", POSITION, checkpoint.folder.path().display());
    let position: Position = serde_json::from_slice(&checkpoint.folder.read(POSITION)?).with_context(|| format!("bad {}", place()))?;
    ensure!(position.number == checkpoint.number, "{} says number {}", place(), position.number);
    Ok(position)
}

/// Opens a log for appending, cut to `bytes`. A log that is shorter has lost lines that the checkpoint knew of.
fn open_cut(path: &Path, bytes: u64) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let found = file.metadata()?.len();
    ensure!(
        found >= bytes,
        "{} has {found} bytes, its checkpoint knew {bytes}: lines are lost; start afresh with another --out",
        path.display()
    );
    file.set_len(bytes).with_context(|| format!("cannot cut {}", path.display()))?;
    Ok(file)
}

/// Event files by name, with their lengths in bytes.
fn event_files(folder: &Path) -> Result<BTreeMap<String, u64>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("events.out.tfevents.") {
            files.insert(name, entry.metadata()?.len());
        }
    }
    Ok(files)
}

/// Brings the curves back to where the checkpoint stands: later files go, longer ones are cut. A missing one only costs its curve.
fn cut_events(folder: &Path, known: &BTreeMap<String, u64>) -> Result<()> {
    for (name, bytes) in event_files(folder)? {
        let path = folder.join(&name);
        match known.get(&name) {
            Some(&keep) if bytes > keep => OpenOptions::new().write(true).open(&path).and_then(|f| f.set_len(keep)),
            Some(_) => Ok(()),
            None => fs::remove_file(&path),
        }
        .with_context(|| format!("cannot cut {}", path.display()))?;
    }
    Ok(())
}

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests damage files on purpose")]
mod tests;

//! The record of a run (`run.json`): what is needed to make the same findings again, and what they cost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FindingsError, RUN_SCHEMA, canonical_json, check, json};

/// How findings were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Always [`RUN_SCHEMA`].
    pub schema: String,
    /// Short name of the study.
    pub study: String,
    /// The whole effective configuration.
    pub config: serde_json::Value,
    /// SHA-256 of the configuration as the run computed it, lower-case hex.
    pub config_hash: String,
    /// The one seed of the run.
    pub seed: u64,
    /// The command that makes the run again, one entry an argument, the program first.
    pub command: Vec<String>,
    /// Program and library versions by name.
    pub versions: BTreeMap<String, String>,
    /// Revision of the source, where it is known.
    #[serde(default)]
    pub git_revision: Option<String>,
    /// SHA-256 of the lock file of the build, lower-case hex; empty where unknown.
    #[serde(default)]
    pub cargo_lock_sha256: String,
    /// Name of the device.
    pub device: String,
    /// SHA-256 of each data file by name.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// SHA-256 of each model file by name.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
    /// Start, milliseconds since 1970 in UTC.
    pub started_unix_ms: u64,
    /// End, milliseconds since 1970 in UTC.
    pub finished_unix_ms: u64,
    /// Seconds of work, without pauses between a stop and its resumption.
    pub duration_s: f64,
    /// Largest resident memory in bytes, where it is known.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
}

impl RunRecord {
    /// A record of a study with everything else empty or zero; fill the public fields.
    #[must_use]
    pub fn new(study: impl Into<String>) -> Self {
        Self {
            schema: RUN_SCHEMA.to_owned(),
            study: study.into(),
            config: serde_json::Value::Object(serde_json::Map::new()),
            config_hash: String::new(),
            seed: 0,
            command: Vec::new(),
            versions: BTreeMap::new(),
            git_revision: None,
            cargo_lock_sha256: String::new(),
            device: String::new(),
            data: BTreeMap::new(),
            models: BTreeMap::new(),
            started_unix_ms: 0,
            finished_unix_ms: 0,
            duration_s: 0.0,
            peak_memory_bytes: None,
        }
    }

    /// Reads and checks a record from untrusted bytes.
    ///
    /// # Errors
    /// The first thing that is too large, not JSON of this schema, or out of bounds.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FindingsError> {
        check::bounded_text(bytes, "run record")?;
        let record: Self = json::parse(bytes, "run record", RUN_SCHEMA)?;
        record.check()?;
        Ok(record)
    }

    /// The canonical JSON text: the bytes to write, to embed and to hash.
    ///
    /// # Errors
    /// Whatever [`RunRecord::check`] finds wrong.
    pub fn to_json(&self) -> Result<String, FindingsError> {
        self.check()?;
        canonical_json(self, "run record")
    }

    /// Checks bounds and finite numbers.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn check(&self) -> Result<(), FindingsError> {
        check::run(self)
    }
}

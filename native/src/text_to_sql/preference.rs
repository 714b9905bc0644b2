//! Which reading a user chose, remembered for each schema in a file of the user's own.
//!
//! **Method.** A choice keeps the question with the query chosen, and the names that set it apart from the readings beside it. Later the same question gets the same query first; for another
//! question on the same schema, a reading that uses preferred names instead of rejected ones comes before its neighbours. Nothing leaves the machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use vitrine_core::study::logical_beam::{
    beam::difference::names,
    sql::{schema::Schema, template::SchemaWords},
};

use crate::atomic::{read_bounded, sha256_hex, write_file};

/// Most choices kept of a schema; the oldest goes.
const MOST: usize = 200;
/// Largest file, in bytes.
const LARGEST: u64 = 4 << 20;

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub question: String,
    pub sql: String,
    /// Names it uses and others did not.
    pub preferred: Vec<String>,
    /// Names that others used and it does not.
    pub rejected: Vec<String>,
}

/// The choices made for one schema, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    pub choices: Vec<Choice>,
}

/// The file of a schema, whether or not it is there.
///
/// # Errors
/// When there is no folder for settings.
pub fn file(schema: &Schema) -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("VITRINE_CONFIG")
        .or_else(|| Some(set("XDG_CONFIG_HOME")?.join("vitrine")))
        .or_else(|| Some(set("APPDATA")?.join("vitrine")))
        .or_else(|| Some(set("HOME")?.join(".config/vitrine")))
        .context("no folder for settings: set VITRINE_CONFIG to one")?;
    // The name of the database is no part of the schema.
    let text = serde_json::to_vec(&(&schema.tables, &schema.columns, &schema.foreign_keys))?;
    Ok(folder.join("readings").join(format!("{}.json", &sha256_hex(&text)[..16])))
}

impl Preferences {
    /// The choices made for a schema; none where there is no file.
    ///
    /// # Errors
    /// When the file is there and is none of ours.
    pub fn read(schema: &Schema) -> Result<Self> {
        let path = file(schema)?;
        if !path.exists() {
            return Ok(Self::default());
        }
        let bytes = read_bounded(&path, LARGEST)?;
        serde_json::from_slice(&bytes).with_context(|| format!("cannot read {} (--forget removes it)", path.display()))
    }

    /// Keeps that `chosen` was chosen among the readings.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn choose(mut self, question: &str, chosen: &str, readings: &[&str], schema: &Schema, words: &SchemaWords) -> Result<()> {
        let (mut preferred, mut rejected) = (vec![], vec![]);
        for other in readings.iter().filter(|other| **other != chosen) {
            preferred.extend(names(chosen, other, words));
            rejected.extend(names(other, chosen, words));
        }
        for list in [&mut preferred, &mut rejected] {
            list.sort();
            list.dedup();
        }
        self.choices.retain(|choice| choice.question != question);
        self.choices.push(Choice { question: question.to_owned(), sql: chosen.to_owned(), preferred, rejected });
        let from = self.choices.len().saturating_sub(MOST);
        self.choices.drain(..from);
        let path = file(schema)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        write_file(&path, &serde_json::to_vec_pretty(&self)?)
    }

    /// Places of the readings, those of earlier choices first; the order among equals stays.
    pub fn order(&self, question: &str, readings: &[&str], words: &SchemaWords) -> Vec<usize> {
        let mut order: Vec<usize> = (0..readings.len()).collect();
        let same = self.choices.iter().find(|choice| choice.question == question);
        let score = |place: usize| {
            let sql = readings[place];
            let used = names(sql, "", words);
            let counts = |list: &[String]| list.iter().filter(|name| used.contains(name)).count() as i64;
            let by_names: i64 = self.choices.iter().map(|choice| counts(&choice.preferred) - counts(&choice.rejected)).sum();
            (same.is_some_and(|choice| choice.sql == sql), by_names)
        };
        order.sort_by_key(|place| std::cmp::Reverse(score(*place)));
        order
    }
}

/// Forgets the choices of a schema; whether there were any.
///
/// # Errors
/// When the file cannot be removed.
pub fn forget(schema: &Schema) -> Result<bool> {
    let path = file(schema)?;
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}

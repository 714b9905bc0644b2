//! Where the readings that a user chose are kept: for each schema a file of the user's own. What they bring forward is core's (`beam::preference`). Nothing leaves the machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use vitrine_logical_beam::{
    beam::preference::{Preferences, key},
    sql::schema::Schema,
};

use crate::atomic::{read_bounded, write_file};

/// Largest file, in bytes.
const LARGEST: u64 = 4 << 20;

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
    Ok(folder.join("readings").join(format!("{}.json", key(schema)?)))
}

/// The choices made for a schema; none where there is no file.
///
/// # Errors
/// When the file is there and is none of ours.
pub fn read(schema: &Schema) -> Result<Preferences> {
    let path = file(schema)?;
    if !path.exists() {
        return Ok(Preferences::default());
    }
    let bytes = read_bounded(&path, LARGEST)?;
    serde_json::from_slice(&bytes).with_context(|| format!("cannot read {} (--forget removes it)", path.display()))
}

/// Keeps the choices of a schema.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(preferences: &Preferences, schema: &Schema) -> Result<()> {
    let path = file(schema)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    write_file(&path, &serde_json::to_vec_pretty(preferences)?)
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

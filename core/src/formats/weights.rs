//! Named weights, wherever they come from.
//!
//! A model loader asks for a tensor by name and gets row-major `f32`s with a shape; whether they lay in
//! a safetensors file, a quantised GGUF or a checkpoint cut into shards is settled behind
//! [`WeightSource`]. Linear layers are `[out, in]` in all of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::{FormatError, show};

/// Most shards of one checkpoint.
pub const MAX_SHARDS: u64 = 4096;
/// Longest `model.safetensors.index.json`, bytes.
pub const MAX_INDEX: u64 = 32 << 20;

/// Type and row-major shape of a stored tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name of the stored type, such as `F32`, `BF16` or `Q4_1`.
    pub dtype: String,
    /// Row-major shape; linear layers are `[out, in]`.
    pub shape: Vec<usize>,
}

/// Named tensors that can be read as `f32`.
pub trait WeightSource {
    /// All names, sorted.
    fn names(&self) -> Vec<String>;

    /// Type and shape, or `None` for an unknown name.
    fn info(&self, name: &str) -> Option<TensorInfo>;

    /// The values of one tensor, row-major.
    ///
    /// # Errors
    /// [`FormatError::Missing`] for an unknown name, [`FormatError::UnsupportedType`] for values that
    /// are not floats or not implemented, and whatever reading the source reports.
    fn read_f32(&self, name: &str) -> Result<Vec<f32>, FormatError>;

    /// The bytes of one tensor as they are stored, for types whose values lie in blocks; `None` where a source has none such.
    ///
    /// # Errors
    /// As [`read_f32`](Self::read_f32).
    fn read_blocks(&self, _name: &str) -> Result<Option<Vec<u8>>, FormatError> {
        Ok(None)
    }

    /// Metadata of the file as text, long values summarised.
    fn metadata(&self) -> BTreeMap<String, String>;

    /// As [`read_f32`](Self::read_f32), and the shape must be `shape`.
    ///
    /// # Errors
    /// Also [`FormatError::Invalid`] for another shape.
    fn read_shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, FormatError> {
        let what = || format!("tensor {}", show(name));
        let info = self.info(name).ok_or_else(|| FormatError::missing(what()))?;
        if info.shape != shape {
            return Err(FormatError::invalid(what(), format!("has shape {:?}, but the model needs {shape:?}", info.shape)));
        }
        self.read_f32(name)
    }
}

/// Fails on the first NaN or infinity among a tensor's values.
///
/// # Errors
/// [`FormatError::NonFinite`] with the tensor's name and the index.
pub fn check_finite(name: &str, values: &[f32]) -> Result<(), FormatError> {
    // One pass without branches finds the rare bad tensor; only then is the index looked for.
    let worst = values.iter().fold(0u32, |worst, v| worst.max(v.to_bits() & 0x7fff_ffff));
    if worst < 0x7f80_0000 {
        return Ok(());
    }
    match values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        Some((index, value)) => Err(FormatError::NonFinite { tensor: show(name), index, value: value.to_string() }),
        None => Ok(()),
    }
}

/// The shard list of a checkpoint: `model.safetensors.index.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Parses the index file.
    ///
    /// # Errors
    /// [`FormatError`] when it is too long, not such a file, or names a file outside its own folder.
    pub fn parse(json: &[u8]) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct File {
            weight_map: BTreeMap<String, String>,
        }
        FormatError::check_limit(|| "shard index length".into(), json.len() as u64, MAX_INDEX)?;
        let file: File = serde_json::from_slice(json).map_err(|e| FormatError::invalid("shard index", e.to_string()))?;
        let index = Self { weight_map: file.weight_map };
        let files = index.files();
        FormatError::check_limit(|| "number of shards".into(), files.len() as u64, MAX_SHARDS)?;
        for name in files {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                return Err(FormatError::invalid("shard index", format!("{} is not a plain file name", show(&name))));
            }
        }
        Ok(index)
    }

    /// The shard files to open, sorted, each once.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let files: std::collections::BTreeSet<_> = self.weight_map.values().cloned().collect();
        files.into_iter().collect()
    }
}

/// A checkpoint in several files that reads as one.
#[derive(Debug, Clone)]
pub struct Sharded<W> {
    index: ShardIndex,
    shards: BTreeMap<String, W>,
}

impl<W: WeightSource> Sharded<W> {
    /// Joins the opened shards (by file name) under their index.
    ///
    /// # Errors
    /// [`FormatError::Missing`] when a shard or a tensor that the index names is not there.
    pub fn new(index: ShardIndex, shards: BTreeMap<String, W>) -> Result<Self, FormatError> {
        for (name, file) in &index.weight_map {
            let shard = shards.get(file).ok_or_else(|| FormatError::missing(format!("shard {}", show(file))))?;
            if shard.info(name).is_none() {
                let what = format!("tensor {} in shard {}", show(name), show(file));
                return Err(FormatError::missing(what));
            }
        }
        Ok(Self { index, shards })
    }

    fn shard(&self, name: &str) -> Option<&W> {
        self.shards.get(self.index.weight_map.get(name)?)
    }
}

impl<W: WeightSource> WeightSource for Sharded<W> {
    fn names(&self) -> Vec<String> {
        self.index.weight_map.keys().cloned().collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.shard(name)?.info(name)
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, FormatError> {
        self.shard(name).ok_or_else(|| FormatError::missing(format!("tensor {}", show(name))))?.read_f32(name)
    }

    /// Metadata of all shards; of a key in several, the first shard's value.
    fn metadata(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for shard in self.shards.values() {
            for (key, value) in shard.metadata() {
                all.entry(key).or_insert(value);
            }
        }
        all
    }
}

//! Opening what the user names: a model, a circuit; devices are next door.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use vitrine_core::{
    formats::{
        config::ModelDescription,
        gguf::Gguf,
        safetensors::SafeTensors,
        weights::{ShardIndex, Sharded},
    },
    model::{
        Graph, Transformer, TransformerConfig,
        bert::{Bert, BertConfig, Sentences},
        load,
    },
    text::tokenizer::Tokenizer,
};
use vitrine_edge_pruning::{circuit::Circuit, inspect};

use crate::{
    atomic::{hash_file, read_bounded, sha256_hex},
    device::Work,
    registry::{self, FileSource},
};

/// Largest text file read whole (configs, circuits, data), in bytes.
pub const TEXT_LIMIT: u64 = 256 << 20;

/// A text file, whole.
///
/// # Errors
/// A file that cannot be read, is too large or is not UTF-8.
pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_bounded(path, TEXT_LIMIT)?).with_context(|| format!("{} is not UTF-8 text", path.display()))
}

/// A loaded model with its tokenizer.
pub struct Opened {
    pub model: Transformer,
    pub tokenizer: Tokenizer,
    /// SHA-256 of each file used, by file name.
    pub hashes: BTreeMap<String, String>,
}

impl Opened {
    /// One SHA-256 for the weights: of their file, or of the list of their files' hashes where there are several.
    pub fn weights_hash(&self) -> Option<String> {
        let weights: Vec<(&String, &String)> = self.hashes.iter().filter(|(name, _)| !is_json(name)).collect();
        match weights.as_slice() {
            [] => None,
            [(_, hash)] => Some((*hash).clone()),
            several => {
                let lines: Vec<String> = several.iter().map(|(name, hash)| format!("{hash}  {name}")).collect();
                Some(sha256_hex(lines.join("\n").as_bytes()))
            }
        }
    }
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}

/// The config of a model, without its weights.
pub fn config(name: &str) -> Result<TransformerConfig> {
    let path = model_path(name)?;
    Ok(TransformerConfig::try_from(&if path.is_dir() {
        ModelDescription::from_hf_config(&hf_file(&path, "config.json")?)?
    } else {
        ModelDescription::from_gguf(&gguf(&path)?).with_context(|| format!("in {}", path.display()))?
    })?)
}

/// The tokenizer of a model, without its weights; or that of a `tokenizer.json`.
pub fn tokenizer(name: &str) -> Result<Tokenizer> {
    let path = model_path(name)?;
    let tokenizer = if path.is_dir() {
        Tokenizer::from_json(&hf_file(&path, "tokenizer.json")?)
    } else if path.extension().is_some_and(|e| e == "json") {
        Tokenizer::from_json(&read_bounded(&path, TEXT_LIMIT)?)
    } else {
        Tokenizer::from_gguf(&gguf(&path)?)
    };
    tokenizer.with_context(|| format!("in {}", path.display()))
}

fn hf_file(folder: &Path, file: &str) -> Result<Vec<u8>> {
    read_bounded(&folder.join(file), TEXT_LIMIT).with_context(|| format!("a Hugging Face folder needs {file}"))
}

fn gguf(path: &Path) -> Result<Gguf<FileSource>> {
    Gguf::open(FileSource::open(path)?).with_context(|| format!("in {}", path.display()))
}

/// Where `name` lies: a path, or the name of a model in the registry.
pub fn model_path(name: &str) -> Result<PathBuf> {
    let path = PathBuf::from(name);
    if path.exists() {
        return Ok(path);
    }
    let known = registry::find(name).with_context(|| format!("there is no file or folder {name}"))?;
    registry::installed(known, &registry::cache_dir()?)
        .with_context(|| format!("{name} is not fetched yet: run `vitrine model get {name}`"))
}

/// Opens a Hugging Face folder or a GGUF file.
pub fn model(name: &str, device: &Device) -> Result<Opened> {
    let path = model_path(name)?;
    let mut hashes = BTreeMap::new();
    let mut note = |file: &Path| -> Result<()> {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        hashes.insert(name, hash_file(file)?.sha256);
        Ok(())
    };
    if path.is_dir() {
        let description = ModelDescription::from_hf_config(&hf_file(&path, "config.json")?)?;
        let tokenizer = Tokenizer::from_json(&hf_file(&path, "tokenizer.json")?)?;
        note(&path.join("config.json"))?;
        note(&path.join("tokenizer.json"))?;
        let index = path.join("model.safetensors.index.json");
        let model = if index.exists() {
            let index = ShardIndex::parse(&read_bounded(&index, TEXT_LIMIT)?)?;
            let mut shards = BTreeMap::new();
            for file in index.files() {
                note(&path.join(&file))?;
                let shard = SafeTensors::open(FileSource::open(&path.join(&file))?)?;
                shards.insert(file, shard);
            }
            load::load(&description, &Sharded::new(index, shards)?, device)?
        } else {
            let file = path.join("model.safetensors");
            note(&file)?;
            load::load(&description, &SafeTensors::open(FileSource::open(&file)?)?, device)?
        };
        return Ok(Opened { model, tokenizer, hashes });
    }
    note(&path)?;
    let gguf = gguf(&path)?;
    let place = || format!("in {}", path.display());
    let description = ModelDescription::from_gguf(&gguf).with_context(place)?;
    let model = load::load(&description, &gguf, device).with_context(place)?;
    Ok(Opened { model, tokenizer: Tokenizer::from_gguf(&gguf)?, hashes })
}

/// How a decoded token meets the weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Weights {
    /// In single precision.
    #[default]
    Single,
    /// In the file's own four- and eight-bit blocks, several times faster; logits differ a little, as inputs are rounded to 16 bits.
    Blocks,
}

/// As [`model`], with its weights also in the blocks of its GGUF file where `weights` says so.
pub fn model_for_decoding(name: &str, device: &Device, weights: Weights) -> Result<Opened> {
    let mut opened = model(name, device)?;
    if weights == Weights::Blocks {
        let path = model_path(name)?;
        let kept = if path.is_dir() {
            0
        } else {
            let gguf = gguf(&path)?;
            opened.model.keep_blocks(&ModelDescription::from_gguf(&gguf)?, &gguf)?
        };
        ensure!(
            kept > 0,
            "no weights of {name} lie in blocks that can be multiplied as they are (Q4_0, Q4_1, Q8_0 of a GGUF file, on the CPU)"
        );
    }
    Ok(opened)
}

/// The sentence encoder in a folder (`model.safetensors`, `tokenizer.json`), or the fetched one of this name, with its files' hashes.
pub fn encoder(name: &str) -> Result<(Sentences, BTreeMap<String, String>)> {
    let path = model_path(name)?;
    let folder = if path.is_dir() { path } else { path.parent().map(Path::to_owned).unwrap_or_default() };
    let place = || format!("in {}", folder.display());
    let [weights, tokenizer] = ["model.safetensors", "tokenizer.json"].map(|file| folder.join(file));
    let bert =
        Bert::load(&SafeTensors::open(FileSource::open(&weights)?).with_context(place)?, BertConfig::default()).with_context(place)?;
    let encoder = Sentences::new(bert, Tokenizer::from_json(&read_bounded(&tokenizer, TEXT_LIMIT)?).with_context(place)?)?;
    let hashes = [("model.safetensors", weights), ("tokenizer.json", tokenizer)];
    let hashes = hashes.into_iter().map(|(name, path)| Ok((name.to_owned(), hash_file(&path)?.sha256))).collect::<Result<_>>()?;
    Ok((encoder, hashes))
}

/// The device of the given name, checked to compute right numbers, and what to call it.
///
/// # Errors
/// One line that says why it cannot be used.
pub fn device(name: &str) -> Result<(Device, String)> {
    crate::device::open(name, Work::Models)
}

/// The same, checked for the training of screenshot models too.
///
/// # Errors
/// As [`device`].
pub fn device_for_screenshots(name: &str) -> Result<(Device, String)> {
    crate::device::open(name, Work::Screenshots)
}

/// Reads a circuit in any of the known formats: vitrine's JSON, EAP-IG's JSON, an edge list as JSON or text.
pub fn circuit(path: &Path, graph: &Graph) -> Result<Circuit> {
    let opened = inspect::open(&text(path)?, Some(graph.shape())).with_context(|| format!("in {}", path.display()))?;
    Ok(opened.circuit)
}

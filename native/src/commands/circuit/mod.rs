//! `circuit graph|data|score|prune|eval|compare|export`.

mod compare;
pub mod data;
mod eval;
mod generate;
mod prune;
mod score;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use vitrine_core::model::{EmbeddingNodes, TransformerConfig};
use vitrine_edge_pruning::tasks::score::Scores;

use super::{Context, print_json};
use crate::{Outcome, open};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count writers, readers and edges of a model or of a known config (gpt2, codellama-13b).
    #[command(after_help = "Example:\n  vitrine circuit graph smollm2")]
    Graph {
        model: String,
        #[arg(long)]
        without_embeddings: bool,
    },
    /// Make examples of a task: JSON lines for the other commands.
    #[command(after_help = "Example:\n  vitrine circuit data --task ioi --rows 500 --model smollm2 --out ioi.jsonl")]
    Data(generate::Generate),
    /// Score all edges by attribution (EAP, EAP-IG), or find a circuit by removing one edge after the other (ACDC).
    #[command(after_help = "Example:\n  vitrine circuit score smollm2 --data ioi.jsonl --method eap-ig --edges 700 --out scores.json")]
    Score(score::Score),
    /// Find a circuit by Edge Pruning; Ctrl-C saves, --resume goes on.
    #[command(
        after_help = "Examples:\n  vitrine circuit prune smollm2 --data ioi.jsonl --target 0.98 --steps 200 --out circuit.json\n  vitrine circuit prune smollm2 --data ioi.jsonl --seeds 3 --warm-start scores.json --out circuit.json"
    )]
    Prune(prune::Prune),
    /// Run a circuit (any format) and compare it with the full model.
    #[command(after_help = "Example:\n  vitrine circuit eval smollm2 --data ioi.jsonl --circuit circuit.json --metric mib")]
    Eval(eval::Eval),
    /// What the full model, a circuit and the corrupted run say after one prompt pair.
    #[command(
        after_help = "Example:\n  vitrine circuit logits smollm2 --circuit circuit.json --clean 'John met Mary. John gave a book to' --corrupted 'Anna met Mary. Jack gave a book to'"
    )]
    Logits(super::logits::Logits),
    /// Shared and separate edges of two circuits of one model.
    #[command(after_help = "Example:\n  vitrine circuit compare smollm2 a.json b.json")]
    Compare { model: String, a: PathBuf, b: PathBuf },
    /// Convert between formats: vitrine, eap-ig, list, text, csv.
    #[command(after_help = "Example:\n  vitrine circuit export smollm2 circuit.json --format eap-ig --out graph.json")]
    Export {
        model: String,
        circuit: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: compare::Format,
        #[arg(long)]
        out: PathBuf,
    },
}

/// The config behind a name that needs no weights, or the model's own.
fn config_of(name: &str) -> Result<TransformerConfig> {
    Ok(match name {
        "gpt2" => TransformerConfig::gpt2_small(),
        "codellama-13b" => TransformerConfig::codellama_13b(),
        _ => open::config(name)?,
    })
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    match command {
        Command::Graph { model, without_embeddings } => {
            let config = config_of(&model)?;
            let graph = config.graph(if without_embeddings { EmbeddingNodes::AlwaysOn } else { config.default_embedding_nodes() })?;
            let (writers, readers, edges) = (graph.n_writers(), graph.n_readers(), graph.n_edges());
            if context.json {
                print_json(&json!({"schema": "vitrine.graph/1", "writers": writers, "readers": readers, "edges": edges}))?;
            } else {
                println!("{writers} writers, {readers} readers, {edges} edges");
            }
        }
        Command::Data(args) => generate::run(&args)?,
        Command::Score(args) => score::run(&args, context)?,
        Command::Prune(args) => prune::run(&args, context)?,
        Command::Eval(args) => eval::run(&args, context)?,
        Command::Logits(args) => return super::logits::run(&args, context),
        Command::Compare { model, a, b } => compare::run(&model, &a, &b, context)?,
        Command::Export { model, circuit, format, out } => compare::export(&model, &circuit, format, &out)?,
    }
    Ok(Outcome::Fine)
}

/// Figures for people, one a line.
fn print_scores(scores: &Scores) {
    println!("{:24} {:.6}", "KL (nats)", scores.kl);
    for (name, value) in [
        ("accuracy", scores.accuracy),
        ("exact match", scores.exact_match),
        ("logit difference", scores.logit_difference),
        ("answer above wrong", scores.answer_above_wrong),
        ("probability difference", scores.probability_difference),
        ("  within ten years", scores.probability_difference_10),
        ("Kendall's tau-b", scores.kendall_tau),
    ] {
        if let Some(value) = value {
            println!("{name:24} {value:.4}");
        }
    }
}

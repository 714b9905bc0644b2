//! `circuit logits`: what the full model, a circuit and the corrupted run say after one prompt pair, as the circuit page shows it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use vitrine_core::formats::safetensors::SafeTensors;
use vitrine_edge_pruning::{
    circuit::Circuit,
    inspect::{Contrast, Subject, reading::reading},
};

use super::{Context, circuit::data::AblationArg, print_json};
use crate::{Outcome, open, registry::FileSource};

#[derive(Debug, Args)]
pub struct Logits {
    /// A model, or the folder of a compiled program (config.json, model.safetensors) or of a small transformer (with words.json).
    model: String,
    /// A circuit file of any format; the full graph without one.
    #[arg(long)]
    circuit: Option<PathBuf>,
    #[arg(long)]
    clean: String,
    #[arg(long)]
    corrupted: String,
    /// Token after which to read, from 0; the last one without.
    #[arg(long)]
    position: Option<usize>,
    #[arg(long, value_enum, default_value_t)]
    ablation: AblationArg,
    /// Likeliest outputs of each run.
    #[arg(long, default_value_t = 10)]
    top: usize,
}

/// Opens a compiled program, a small transformer, or any other model.
pub fn subject(name: &str) -> Result<Subject> {
    let (device, _) = open::device("cpu")?;
    let folder = PathBuf::from(name);
    let weights = || -> Result<_> { Ok(SafeTensors::open(FileSource::open(&folder.join("model.safetensors"))?)?) };
    let text = |file: &str| open::text(&folder.join(file));
    if folder.join("words.json").is_file() {
        return Ok(Subject::small(text("config.json")?.as_bytes(), &weights()?, &text("words.json")?, &device)?);
    }
    if folder.join("config.json").is_file() && !folder.join("tokenizer.json").is_file() {
        return Ok(Subject::program(&text("config.json")?, &weights()?, &device)?);
    }
    let opened = open::model(name, &device)?;
    Ok(Subject::text(opened.model, opened.tokenizer)?)
}

pub fn run(args: &Logits, context: Context) -> Result<Outcome> {
    let subject = subject(&args.model)?;
    let circuit = match &args.circuit {
        Some(path) => open::circuit(path, &subject.graph)?,
        None => Circuit::full(&subject.graph),
    };
    let mut contrast = Contrast::new(&subject, &args.clean, &args.corrupted, args.ablation.into())?;
    contrast.prune(&circuit.masks())?;
    let found = reading(&contrast, args.position.unwrap_or(contrast.tokens() - 1), args.top)?;
    if context.json {
        print_json(&json!({"schema": "vitrine.circuit-logits/1", "edges": circuit.counts().effective, "reading": found}))?;
    } else {
        println!("{:>24} {:>10} {:>10} {:>10}", "output", "full", "pruned", "corrupted");
        for row in &found.rows {
            let [full, pruned, corrupted] = row.logits;
            println!("{:>24} {full:>10.4} {pruned:>10.4} {corrupted:>10.4}", format!("{:?}", row.text));
        }
        let unit = if found.numeric { "squared difference" } else { "KL in nats" };
        println!("distance from the full model ({unit}): pruned {:.6}, corrupted {:.6}", found.pruned_distance, found.corrupted_distance);
    }
    Ok(Outcome::Fine)
}

//! `check golden KIND PATH`: `N of N agree, largest difference D`, or the first failing cases.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use vitrine_core::{
    decode::golden::decoders,
    formats::safetensors::SafeTensors,
    golden::Agreement,
    study::edge_pruning::golden::{self, TracrFiles},
    train::hard_concrete,
};

use super::Context;
use crate::{Outcome, atomic, open};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// tracr (a program's folder), circuits (rows of a task), decoders, hard-concrete, smollm2-logits.
    #[command(
        after_help = "Example:\n  vitrine check golden tracr path/to/program\n  vitrine check golden smollm2-logits ref_logits.jsonl"
    )]
    Golden {
        kind: String,
        path: Option<PathBuf>,
        #[arg(long, default_value = "cpu")]
        device: String,
        /// Model for circuits and smollm2-logits.
        #[arg(long, default_value = "smollm2")]
        model: String,
    },
}

pub fn run(command: Command, _: Context) -> Result<Outcome> {
    let Command::Golden { kind, path, device, model } = command;
    let (device, _) = open::device(&device)?;
    let needed = || path.as_deref().context("this kind needs a path");
    let found = match kind.as_str() {
        "tracr" => {
            let folder = needed()?;
            let weights = atomic::read_bounded(&folder.join("model.safetensors"), open::TEXT_LIMIT)?;
            let pairs = folder.join("pairs.jsonl");
            let pairs = pairs.exists().then(|| text(&pairs)).transpose()?;
            let (config, edges) = (text(&folder.join("config.json"))?, text(&folder.join("edges.json"))?);
            let weights = SafeTensors::open(&weights[..])?;
            golden::tracr(TracrFiles { config: &config, weights: &weights, pairs: pairs.as_deref(), edges: &edges }, &device)?
        }
        "hard-concrete" => vec![hard_concrete::golden()],
        "circuits" => vec![golden::token_ids(&text(needed()?)?, &open::model(&model, &device)?.tokenizer)?],
        "decoders" => decoders(&text(needed()?)?)?,
        "smollm2-logits" => vec![golden::logits(&text(needed()?)?, &open::model(&model, &device)?.model)?],
        other => bail!("no golden kind {other}; there are: tracr, circuits, decoders, hard-concrete, smollm2-logits"),
    };
    for agreement in &found {
        println!("{agreement}");
    }
    Ok(if found.iter().all(Agreement::passed) { Outcome::Fine } else { Outcome::CheckFailed })
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(atomic::read_bounded(path, open::TEXT_LIMIT)?).with_context(|| format!("{} is not text", path.display()))
}

//! `check golden KIND PATH`: `N of N agree, largest difference D`, or the first failing cases.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use rayon::prelude::*;
use vitrine_core::{decode::golden::decoders, formats::safetensors::SafeTensors, golden::Agreement, model::bert, train::hard_concrete};
use vitrine_edge_pruning::golden::{self, TracrFiles};
use vitrine_logical_beam::{
    prefix::{Mode, trial::trial},
    sql::{ambiguate::Kind, ddl},
};
use vitrine_screenshot::render::{
    FontSources, golden as render_golden,
    trial::{Trial, random_texts},
};

use super::{
    Context,
    check_blocks::{self, Blocks},
};
use crate::{
    Outcome, atomic,
    open::{self, text},
    sql::Folder,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// tracr (a program's folder), circuits (rows of a task), decoders, hard-concrete, smollm2-logits, minilm, render, screenshot; sql-em, sql-ex, sql-coverage (tables.json and db/ beside the file).
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
        /// Folder of databases for sql-ex and sql-coverage; `db` beside the file by default.
        #[arg(long)]
        db: Option<PathBuf>,
    },
    /// Whether greedy decoding with weights in the file's blocks writes what single precision writes; each difference is listed.
    Blocks(Blocks),
    /// Random bytes drawn by every kind of renderer: never a crash, and reports that are true of their pictures.
    #[command(after_help = "Example:\n  vitrine check render --count 1000000")]
    Render {
        #[arg(long, default_value_t = 1_000_000)]
        count: u64,
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Random texts under the rules for queries: all have to come to an end and be read by a reader that knows nothing of the rules.
    #[command(after_help = "Example:\n  vitrine check constraint --schema shop.sql --count 10000")]
    Constraint {
        /// A file of CREATE TABLE statements.
        #[arg(long)]
        schema: PathBuf,
        #[arg(long, default_value_t = 1000)]
        count: usize,
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

/// Draws random bytes, shared among the threads of the pool by number.
fn random_pictures(count: u64, seed: u64) -> Result<Outcome> {
    const PART: u64 = 10_000;
    let parts: Vec<_> = (0..count.div_ceil(PART))
        .into_par_iter()
        .map(|part| random_texts(part * PART, PART.min(count - part * PART), seed))
        .collect::<Result<_, _>>()?;
    let sum = |of: fn(&Trial) -> usize| parts.iter().map(of).sum::<usize>();
    let wrong = sum(|trial| trial.wrong);
    println!(
        "{} random texts drawn in 6 ways, {} of them refused by the strict reader, {wrong} violations",
        sum(|trial| trial.drawn),
        sum(|trial| trial.refused)
    );
    for example in parts.iter().flat_map(|trial| &trial.examples).take(10) {
        println!("  {example}");
    }
    Ok(if wrong == 0 { Outcome::Fine } else { Outcome::CheckFailed })
}

/// Whether every random text under the rules is a query to a reader that knows nothing of them.
fn constraint(schema: &Path, count: usize, seed: u64) -> Result<Outcome> {
    let ddl = text(schema)?;
    let schema = ddl::read(&ddl, "schema").with_context(|| format!("cannot read the schema {}", schema.display()))?;
    let mut fine = true;
    for mode in [Mode::Guarded, Mode::Parsing] {
        let found = trial(mode, &schema, count, seed)?;
        let characters: usize = found.queries.iter().map(|query| query.chars().count()).sum();
        println!(
            "{mode:?}: {} of {count} random texts ended, {} of them can be read; {} characters on average",
            found.ended,
            found.read,
            characters / found.queries.len().max(1)
        );
        for failure in &found.failures {
            println!("  {failure}");
        }
        fine &= found.ended == count && found.read == count;
    }
    Ok(if fine { Outcome::Fine } else { Outcome::CheckFailed })
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    let (kind, path, device, model, db) = match command {
        Command::Golden { kind, path, device, model, db } => (kind, path, device, model, db),
        Command::Blocks(options) => return check_blocks::run(&options, context),
        Command::Render { count, seed } => return random_pictures(count, seed),
        Command::Constraint { schema, count, seed } => return constraint(&schema, count, seed),
    };
    // Opened whatever the kind: a device that does not work is refused, not passed over.
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
            let files = TracrFiles { config: &config, weights: &weights, pairs: pairs.as_deref(), edges: &edges };
            golden::tracr(files, &device)?
        }
        "hard-concrete" => vec![hard_concrete::golden()],
        "circuits" => vec![golden::token_ids(&text(needed()?)?, &open::model(&model, &device)?.tokenizer)?],
        "smollm2-logits" => vec![golden::logits(&text(needed()?)?, &open::model(&model, &device)?.model)?],
        "sql-ex" => {
            let file = needed()?;
            vitrine_logical_beam::golden::execution(&text(file)?, &mut databases(db.as_deref(), file))?
        }
        "sql-coverage" => {
            let file = needed()?;
            let mut databases = databases(db.as_deref(), file);
            let beside = |kind: Kind| text(&file.with_file_name(format!("{kind:?}.jsonl"))).ok();
            vitrine_logical_beam::golden_coverage::coverage(
                &text(file)?,
                &text(&file.with_file_name("tables.json"))?,
                beside,
                Some(&mut databases),
            )?
        }
        "sql-em" => {
            let file = needed()?;
            vitrine_logical_beam::golden::exact_match(&text(file)?, &text(&file.with_file_name("tables.json"))?)?
        }
        "minilm" => bert::golden(&open::encoder(path.as_deref().and_then(Path::to_str).unwrap_or("minilm"))?.0)?,
        "render" => render_golden::cases(&text(needed()?)?, &FontSources::bundled()).map_err(anyhow::Error::msg)?,
        "screenshot" => vitrine_screenshot::golden::sections(&text(needed()?)?).map_err(anyhow::Error::msg)?,
        "decoders" => decoders(&text(needed()?)?)?,
        other => bail!(
            "no golden kind {other}; there are: tracr, circuits, decoders, hard-concrete, smollm2-logits, minilm, render, screenshot, sql-em, sql-ex, sql-coverage"
        ),
    };
    for agreement in &found {
        println!("{agreement}");
    }
    Ok(if found.iter().all(Agreement::passed) { Outcome::Fine } else { Outcome::CheckFailed })
}

/// The databases named, or those beside the file; a query may take a minute, as in the official tool.
fn databases(named: Option<&Path>, file: &Path) -> Folder {
    Folder::new(&named.map_or_else(|| file.with_file_name("db"), Path::to_owned), Duration::from_mins(1))
}

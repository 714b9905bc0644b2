//! `screenshot finetune`: a classifier of drawn texts, from a pre-trained encoder or from nothing, over seeds.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use vitrine_core::{
    settings,
    study::screenshot::{
        bpe::Bpe,
        model::{file::Trained, ptp::Ptp},
        render::Renderer,
        train::{
            encoder::draw,
            finetune::{FinetuneConfig, Task, finetune},
            pretrain::PretrainConfig,
            tsv,
        },
    },
};

use super::{
    super::{Context, print_json},
    pretrain::MODEL_LIMIT,
};
use crate::{
    atomic,
    lab::NativeLab,
    open::{self, text},
    signal,
};

#[derive(Debug, Args)]
pub struct Finetune {
    /// A folder with train.tsv, dev.tsv and test.tsv: a header with `text` (and `text_b` for pairs) and `label`, or GLUE's names.
    #[arg(long)]
    data: PathBuf,
    /// A model that `screenshot pretrain` made; an encoder of the default size from nothing without.
    #[arg(long)]
    model: Option<PathBuf>,
    /// One setting, such as lr=3e-4 or steps=500.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seeds to train with.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    #[arg(long)]
    allow_font_mismatch: bool,
}

pub fn run(args: &Finetune, context: Context) -> Result<()> {
    ensure!((1..=100).contains(&args.seeds), "--seeds has to be 1 to 100");
    let mut value: Value = serde_json::to_value(FinetuneConfig::default())?;
    args.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
    let config: FinetuneConfig = serde_json::from_value(value)?;
    let names = ["train", "dev", "test"];
    let files = names.iter().map(|name| text(&args.data.join(format!("{name}.tsv")))).collect::<Result<Vec<_>>>()?;
    let tables: Vec<(&str, &str)> = names.into_iter().zip(files.iter().map(String::as_str)).collect();
    let (goal, rows) = tsv::read(&tables).with_context(|| format!("in {}", args.data.display()))?;
    let trained = args
        .model
        .as_deref()
        .map(|path| Trained::read(&atomic::read_bounded(path, MODEL_LIMIT)?).with_context(|| format!("in {}", path.display())))
        .transpose()?;
    let (renderer, model) = if let Some(trained) = &trained {
        (trained.renderer(args.allow_font_mismatch)?, trained.config.clone())
    } else {
        let fresh = PretrainConfig::default();
        (Renderer::bundled(fresh.render.clone())?, fresh.model_for(&Bpe::learn(std::iter::empty(), fresh.vocab)))
    };
    let (ptp, task) = (Ptp::new(model), Task::of(goal));
    let sets = rows.iter().map(|rows| draw(&renderer, rows)).collect::<Result<Vec<_>, _>>()?;
    let mut lab = NativeLab::new(open::device("cpu")?.0, context.quiet, signal::install()?);
    let mut found = vec![];
    for seed in 0..args.seeds {
        let config = FinetuneConfig { seed: config.seed.wrapping_add(seed), ..config.clone() };
        let sets = [&sets[0][..], &sets[1][..], &sets[2][..]];
        let (_, outcome) = finetune(
            &config,
            &ptp,
            trained.as_ref().map(|trained| &trained.params),
            &task,
            sets,
            &mut lab,
            &format!("fine-tuning, seed {}", config.seed),
        )?;
        found.push(outcome);
    }
    lab.end_task();
    let mean = found.iter().map(|outcome| outcome.test).sum::<f64>() / found.len() as f64;
    let spread = (found.iter().map(|outcome| (outcome.test - mean).powi(2)).sum::<f64>() / (found.len() as f64 - 1.0).max(1.0)).sqrt();
    if context.json {
        let runs: Vec<Value> = found
            .iter()
            .map(|o| json!({"dev": o.dev, "test": o.test, "last_loss": o.last_loss, "restarts": o.restarts, "stuck": o.stuck}))
            .collect();
        return print_json(&json!({"schema": "vitrine.screenshot-finetune/1", "runs": runs, "test_mean": mean, "test_spread": spread}));
    }
    for (seed, o) in found.iter().enumerate() {
        let note = if o.stuck { ", stuck at chance" } else { "" };
        println!("seed {seed}: dev {:.3}, test {:.3} (begun again {} times{note})", o.dev, o.test, o.restarts);
    }
    println!("test accuracy {mean:.3}, standard deviation over {} seeds {spread:.3}", found.len());
    Ok(())
}

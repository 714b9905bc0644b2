//! `screenshot finetune`: what an encoder is worth on labelled texts: the best of a grid by the dev set, over seeds, and against another encoder on the same rows.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use vitrine_core::{
    settings,
    stats::{interval, mean, spread},
};
use vitrine_screenshot::{
    bpe::Bpe,
    model::{Params, Place, file::Trained, ptp::Ptp},
    render::Renderer,
    train::{
        encoder::draw,
        finetune::{FinetuneConfig, Outcome, Task, finetune, labels},
        pretrain::PretrainConfig,
        tsv,
    },
};

use super::{
    super::{Context, print_json},
    glue::{self, Sets},
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
    /// A folder with train.tsv, dev.tsv and test.tsv: a header with `text` (and `text_b` for pairs) and `label` or `score`, or GLUE's names.
    #[arg(long, required_unless_present = "glue")]
    data: Option<PathBuf>,
    /// Your copy of GLUE, or of one of its tasks; dev.tsv is tested on, and a tenth of the training rows chosen by.
    #[arg(long, conflicts_with = "data")]
    glue: Option<PathBuf>,
    /// A model that `screenshot pretrain` made; an encoder of the default size from nothing without.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Another model, tuned alike: the difference on the same test rows is told with its interval.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Learning rates to try; the best by the dev set is taken.
    #[arg(long, value_delimiter = ',')]
    lr: Vec<f64>,
    /// Batch sizes to try, with each learning rate.
    #[arg(long, value_delimiter = ',')]
    batch: Vec<usize>,
    /// One setting, such as steps=500 or `evaluate_every=50`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seeds to train with.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    #[arg(long, default_value = "auto")]
    device: String,
    #[arg(long)]
    allow_font_mismatch: bool,
}

/// An encoder to be tuned, and the eye it sees with.
struct Eye {
    name: String,
    ptp: Ptp,
    renderer: Renderer,
    params: Option<Params>,
}

impl Eye {
    fn open(path: Option<&Path>, allow_mismatch: bool) -> Result<Self> {
        let Some(path) = path else {
            let fresh = PretrainConfig::default();
            let model = fresh.model_for(&Bpe::learn(std::iter::empty(), fresh.vocab));
            return Ok(Self {
                name: "from nothing".into(),
                ptp: Ptp::new(model),
                renderer: Renderer::bundled(fresh.render)?,
                params: None,
            });
        };
        let trained: Trained =
            Trained::read(&atomic::read_bounded(path, MODEL_LIMIT)?).with_context(|| format!("in {}", path.display()))?;
        let renderer = trained.renderer(allow_mismatch)?;
        Ok(Self { name: path.display().to_string(), ptp: Ptp::new(trained.config), renderer, params: Some(trained.params) })
    }
}

/// What one eye came to with the best settings of the grid.
struct Found {
    config: FinetuneConfig,
    outcomes: Vec<Outcome>,
}

impl Found {
    fn tests(&self) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.test).collect()
    }

    /// For each test row the share of seeds that are right; for scores, minus the mean squared error.
    fn by_row(&self, wanted: &[f64], classes: bool) -> Vec<f64> {
        let of = |answer: f64, wanted: f64| if classes { f64::from(u8::from(answer == wanted)) } else { -(answer - wanted).powi(2) };
        let row =
            |(row, &wanted): (usize, &f64)| mean(&self.outcomes.iter().map(|outcome| of(outcome.answers[row], wanted)).collect::<Vec<_>>());
        wanted.iter().enumerate().map(row).collect()
    }
}

/// Tunes an eye with every learning rate and batch size, all seeds each.
fn tune(args: &Finetune, base: &FinetuneConfig, eye: &Eye, sets: &Sets, place: &Place, lab: &mut NativeLab) -> Result<(Found, Vec<f64>)> {
    let drawn = sets.rows.iter().map(|rows| draw(&eye.renderer, rows)).collect::<Result<Vec<_>, _>>()?;
    let [rates, batches] = [args.lr.len().max(1), args.batch.len().max(1)];
    let mut best: Option<(f64, Found)> = None;
    for number in 0..rates * batches {
        let config = FinetuneConfig {
            lr: args.lr.get(number / batches).copied().unwrap_or(base.lr),
            batch_size: args.batch.get(number % batches).copied().unwrap_or(base.batch_size),
            ..base.clone()
        };
        let mut outcomes = vec![];
        for seed in 0..args.seeds {
            let config = FinetuneConfig { seed: config.seed.wrapping_add(seed), ..config.clone() };
            let phase = format!("{}, {}: rate {}, batch {}, seed {}", sets.name, eye.name, config.lr, config.batch_size, config.seed);
            let rows = [&drawn[0][..], &drawn[1][..], &drawn[2][..]];
            outcomes.push(finetune(&config, &eye.ptp, eye.params.as_ref(), &sets.task, rows, place, lab, &phase)?.1);
        }
        let dev = mean(&outcomes.iter().map(|outcome| outcome.dev).collect::<Vec<_>>());
        if best.as_ref().is_none_or(|(best, _)| dev > *best) {
            best = Some((dev, Found { config, outcomes }));
        }
    }
    lab.end_task();
    let (_, found) = best.context("there is nothing to tune with")?;
    Ok((found, labels(&drawn[2])))
}

fn own(folder: &Path) -> Result<Sets> {
    let names = ["train", "dev", "test"];
    let files = names.iter().map(|name| text(&folder.join(format!("{name}.tsv")))).collect::<Result<Vec<_>>>()?;
    let tables: Vec<(&str, &str)> = names.into_iter().zip(files.iter().map(String::as_str)).collect();
    let (goal, sets) = tsv::read(&tables).with_context(|| format!("in {}", folder.display()))?;
    let rows = sets.try_into().map_err(|_| anyhow::anyhow!("three tables are needed"))?;
    Ok(Sets { name: folder.display().to_string(), task: Task::of(goal), rows })
}

pub fn run(args: &Finetune, context: Context) -> Result<()> {
    ensure!((1..=100).contains(&args.seeds), "--seeds has to be 1 to 100");
    let mut value: Value = serde_json::to_value(FinetuneConfig::default())?;
    args.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
    let config: FinetuneConfig = serde_json::from_value(value)?;
    config.check()?;
    let device = open::device_for_screenshots(&args.device)?.0;
    let place = Place::of(&device).with(config.precision)?;
    let mut eyes = vec![Eye::open(args.model.as_deref(), args.allow_font_mismatch)?];
    if let Some(path) = &args.against {
        eyes.push(Eye::open(Some(path), args.allow_font_mismatch)?);
    }
    let tasks = match (&args.glue, &args.data) {
        (Some(folder), _) => glue::read(folder)?,
        (None, Some(folder)) => vec![own(folder)?],
        (None, None) => vec![],
    };
    let mut lab = NativeLab::new(device, context.quiet, signal::install()?);
    let mut all = vec![];
    for sets in &tasks {
        let metric = sets.task.metric.name();
        let classes = sets.task.goal != tsv::Goal::Number;
        let mut by_row = vec![];
        for eye in &eyes {
            let (found, wanted) = tune(args, &config, eye, sets, &place, &mut lab)?;
            let tests = found.tests();
            let (test, deviation) = (mean(&tests), spread(&tests));
            by_row.push(found.by_row(&wanted, classes));
            let runs: Vec<Value> = found
                .outcomes
                .iter()
                .map(|o| json!({"dev": o.dev, "test": o.test, "last_loss": o.last_loss, "steps": o.steps, "restarts": o.restarts, "stuck": o.stuck}))
                .collect();
            all.push(json!({"task": sets.name, "model": eye.name, "metric": sets.task.metric, "lr": found.config.lr,
                "batch_size": found.config.batch_size, "runs": runs, "test_mean": test, "test_spread": deviation}));
            if !context.json {
                println!("{}, {}: rate {}, batch {}", sets.name, eye.name, found.config.lr, found.config.batch_size);
                for (seed, o) in found.outcomes.iter().enumerate() {
                    let note = if o.stuck { ", stuck at chance" } else { "" };
                    println!(
                        "  seed {seed}: dev {:.3}, test {:.3} (numbers of step {}, begun again {} times{note})",
                        o.dev, o.test, o.steps, o.restarts
                    );
                }
                println!("  test {metric} {test:.3}, standard deviation over {} seeds {deviation:.3}", tests.len());
            }
        }
        if let [ours, other] = &by_row[..] {
            let difference: Vec<f64> = ours.iter().zip(other).map(|(a, b)| a - b).collect();
            let [low, high] = interval(&difference, 0);
            let what = if classes { "share of rows right" } else { "squared error, less" };
            all.push(json!({"task": sets.name, "difference": mean(&difference), "interval": [low, high], "of": what}));
            if !context.json {
                println!("  difference, {what}: {:+.3} (95 % interval over rows {low:+.3} to {high:+.3})", mean(&difference));
            }
        }
    }
    if context.json {
        return print_json(&json!({"schema": "vitrine.screenshot-finetune/2", "results": all}));
    }
    Ok(())
}

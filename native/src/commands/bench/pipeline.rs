//! `bench pipeline`: whether drawing starves training. In plain memory a batch is drawn, then learned from: processor seconds of both. On a device batches are drawn ahead by the other threads:
//! how long the trainer waits for them.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use serde_json::json;
use vitrine_screenshot::{
    bpe::Bpe,
    experiment::{ExperimentConfig, made::made, presets::Preset},
    model::{Place, Precision},
    train::{
        ahead::ahead,
        corpus::Corpus,
        learner::Learner,
        pretrain::{PretrainConfig, Reader},
        steps::{Lesson as _, writings},
    },
};

use super::{super::Context, Times};
use crate::{Outcome, open};

const PHASE: &str = "bench";
/// Steps before those that count: they compile a device's kernels.
const WARM_UP: u64 = 5;
/// Steps after which losses are read, as a training does.
const READ_EVERY: u64 = 20;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Size {
    #[default]
    Quick,
    Gpu,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Pictures and models of `run screenshot`'s preset.
    #[arg(long, value_enum, default_value_t)]
    preset: Size,
    /// Texts of a batch; the preset's without.
    #[arg(long)]
    batch: Option<usize>,
    /// Batches that count.
    #[arg(long, default_value_t = 20)]
    repeats: usize,
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    let (device, device_name) = open::device_for_screenshots(&options.device)?;
    let bf16 = Place::of(&device).with(Precision::Bf16);
    let precision = if options.preset == Size::Gpu && bf16.is_ok() { Precision::Bf16 } else { Precision::F32 };
    let place = Place::of(&device).with(precision)?;
    let preset = if options.preset == Size::Gpu { Preset::Gpu } else { Preset::Quick };
    let base = ExperimentConfig::preset(preset, precision).pretrain;
    let batch = options.batch.unwrap_or(base.batch_size);
    ensure!((1..=1 << 16).contains(&batch) && options.repeats > 0, "at least one batch of one text is needed");
    // Whole texts from the first step on: what is waited for longest.
    let config = PretrainConfig { batch_size: batch, curriculum: false, ..base };
    let data = made(0);
    let lines = || data.lines.iter().map(String::as_str);
    let bpe = Bpe::learn(lines(), config.vocab);
    let corpus = Corpus::new(&bpe, lines());
    let reader = Reader::new(&config, &bpe, &corpus)?;
    let mut learner = Learner::new(reader.init(), &place);
    let parts = learner.parts();
    if !matches!(place, Place::Memory) {
        return on_device(options, context, &reader, learner, &device_name, batch, config.weight_decay);
    }
    let [mut drawing, mut learning] = [Times::default(), Times::default()];
    for step in 0..=options.repeats as u64 {
        if step == 1 {
            // The first batch warmed up.
            (drawing, learning) = Default::default();
        }
        let drawn = drawing.measure(|| reader.batch(step, parts))?;
        learning.measure(|| learner.learn(writings(&reader, drawn), PHASE, 1e-4, config.weight_decay))?;
    }
    let [drawing, learning] = [drawing, learning].map(|times| times.median());
    let share = drawing.0 / (drawing.0 + learning.0);
    if context.json {
        super::print_json(&json!({"schema": "vitrine.bench-pipeline/1", "batch": batch,
            "drawing": {"wall_s": drawing.0, "cpu_s": drawing.1}, "step": {"wall_s": learning.0, "cpu_s": learning.1}, "waiting_share": share}))?;
    } else {
        println!(
            "a batch of {batch}: drawn in {:.1} ms, learned from in {:.1} ms of the processor; training waits {:.1} % of the time",
            1e3 * drawing.1,
            1e3 * learning.1,
            100.0 * share
        );
    }
    Ok(Outcome::Fine)
}

fn on_device(
    options: &Options,
    context: Context,
    reader: &Reader<'_>,
    mut learner: Learner,
    device: &str,
    batch: usize,
    weight_decay: f64,
) -> Result<Outcome> {
    let (steps, parts) = (WARM_UP + options.repeats as u64, learner.parts());
    let (waited, wall) = ahead(
        0..steps,
        |step| reader.batch(step, parts),
        |next| -> Result<(f64, f64)> {
            let (mut from, mut waited) = (Instant::now(), 0.0);
            for step in 0..steps {
                if step == WARM_UP {
                    learner.losses(PHASE)?;
                    (from, waited) = (Instant::now(), 0.0);
                }
                let asked = Instant::now();
                let drawn = next(step)?;
                waited += asked.elapsed().as_secs_f64();
                learner.learn(writings(reader, drawn), PHASE, 1e-4, weight_decay)?;
                if step.is_multiple_of(READ_EVERY) {
                    learner.losses(PHASE)?;
                }
            }
            learner.losses(PHASE)?;
            Ok((waited, from.elapsed().as_secs_f64()))
        },
    )?;
    let step = wall / options.repeats as f64;
    if context.json {
        super::print_json(
            &json!({"schema": "vitrine.bench-pipeline/1", "device": device, "batch": batch, "step": {"wall_s": step}, "waiting_share": waited / wall}),
        )?;
    } else {
        println!(
            "{device}, a batch of {batch}: {:.1} ms a step; the trainer waits {:.1} % of the time for drawings",
            1e3 * step,
            100.0 * waited / wall
        );
    }
    Ok(Outcome::Fine)
}

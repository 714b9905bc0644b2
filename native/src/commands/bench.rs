//! `bench model`: a plain forward and a training step at GPT-2's shapes, for comparison with another program (`tests/bench/torch`).
//! `bench sql`: exact-set match, for comparison with the official tool (`tests/bench/sql`).
//! `bench readings`: what a question to a text-to-SQL model costs, by decoder.
//! `bench render`: pictures of text (`tests/bench/render`).
//! `bench pipeline`: whether drawing starves training.
//! `bench decode`: tokens a second, and what a forking cache saves.
//! `bench circuit`: what the masked forward and a training step cost, as ratios to a plain forward of the same batch in the same run.

mod decode;
mod model;
mod pipeline;
mod readings;
mod render;
mod sql;

use std::time::Instant;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use vitrine_core::model::stream::{Ablation, Workspace};
use vitrine_edge_pruning::{
    problem::Problem,
    prune::{PruneConfig, PruneState, Trainer},
    tasks::{Encoded, Scoring, TargetKind},
};

use super::{Context, print_json};
use crate::{Outcome, open, resources};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plain forward or training step of a GPT-2-shaped model with random weights.
    #[command(after_help = "Example:\n  vitrine bench model --case train --threads 1")]
    Model(model::Options),
    /// Exact-set match of SQL: pairs a second on one core.
    #[command(after_help = "Example:\n  vitrine bench sql golden_em.json")]
    Sql(sql::Options),
    /// Seconds a question: reading it beside its schema, and decoding, plain beam search and LogicalBeam by default.
    #[command(after_help = "Example:\n  vitrine bench readings sql-model --threads 1")]
    Readings(readings::Options),
    /// Pictures of text: strips, model input and pages a second of one core.
    #[command(after_help = "Example:\n  vitrine bench render --json")]
    Render(render::Options),
    /// Pictures for training against the training that waits for them.
    Pipeline(pipeline::Options),
    /// Tokens a second of prompts and of decoding; beam search with a forking cache against running prefixes again.
    #[command(after_help = "Example:\n  vitrine bench decode smollm2 --threads 1")]
    Decode(decode::Options),
    /// Plain forward, masked forward, and a training step with and without cached references.
    #[command(after_help = "Example:\n  vitrine bench circuit smollm2")]
    Circuit {
        model: String,
        #[arg(long, default_value_t = 8)]
        batch: usize,
        #[arg(long, default_value_t = 20)]
        tokens: usize,
        #[arg(long, default_value_t = 5)]
        repeats: usize,
        #[arg(long, default_value = "cpu")]
        device: String,
    },
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

/// Seconds of one piece of work: of the clock and of the processor.
#[derive(Debug, Default)]
struct Times {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Times {
    fn measure<T, E>(&mut self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let (began, cpu) = (Instant::now(), resources::cpu_seconds());
        let result = work()?;
        self.wall.push(began.elapsed().as_secs_f64());
        self.cpu.extend(resources::cpu_seconds().zip(cpu).map(|(after, before)| after - before));
        Ok(result)
    }

    /// Median ratio to what was measured in the same rounds, in processor time where the system tells it.
    fn over(&self, other: &Self) -> f64 {
        let ratios = |a: &[f64], b: &[f64]| median(a.iter().zip(b).map(|(a, b)| a / b).collect());
        if self.cpu.is_empty() { ratios(&self.wall, &other.wall) } else { ratios(&self.cpu, &other.cpu) }
    }

    /// Median seconds of the clock and of the processor (of the clock where the system does not tell the latter).
    fn median(&self) -> (f64, f64) {
        let wall = median(self.wall.clone());
        (wall, if self.cpu.is_empty() { wall } else { median(self.cpu.clone()) })
    }
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    let (model, batch, tokens, repeats, device) = match command {
        Command::Model(options) => return model::run(&options, context),
        Command::Readings(options) => return readings::run(&options, context),
        Command::Sql(options) => return sql::run(&options, context),
        Command::Render(options) => return render::run(&options, context),
        Command::Pipeline(options) => return pipeline::run(&options, context),
        Command::Decode(options) => return decode::run(&options, context),
        Command::Circuit { model, batch, tokens, repeats, device } => (model, batch, tokens, repeats, device),
    };
    let (device, device_name) = open::device(&device)?;
    let opened = open::model(&model, &device)?;
    let config = opened.model.config;
    let example = |i: usize| {
        let ids = |salt: usize| (0..tokens).map(|t| ((i * 37 + t * 101 + salt) % config.vocab_size) as u32).collect();
        let answers = vec![(i % config.vocab_size) as u32];
        Encoded { clean: ids(5), corrupted: ids(9), positions: vec![tokens - 1], answers, wrong: vec![None], target: TargetKind::Tokens }
    };
    let graph = config.graph(config.default_embedding_nodes())?;
    let n = graph.n_edges();
    let examples = (0..batch).map(example).collect();
    let problem = Problem::new(&opened.model, graph.clone(), examples, Scoring::FullVocab, Ablation::Interchange)?;
    let weights = resources::reset_peak_memory();

    let run = PruneConfig { batch_size: batch, cache_references: true, ..PruneConfig::default() };
    // The start of a run, when nearly all gates are at rest, and its middle: log alphas all over, an eighth of the gates moving.
    let mut start = PruneState::new(&graph, &run);
    let mut middle = start.clone();
    for (edge, a) in middle.edges.log_alpha.iter_mut().enumerate() {
        *a = (edge * 7919 % 2003) as f32 / 100.0 - 10.0;
    }
    let mut trainer = Trainer::new(&problem, &run)?;
    let mut uncached = Trainer::new(&problem, &PruneConfig { cache_references: false, ..run.clone() })?;
    let [mut plain, mut masked, mut first_step, mut step, mut whole_step] = [const { Times { wall: vec![], cpu: vec![] } }; 5];
    trainer.step(&mut middle.clone())?;
    let peak = resources::peak_memory_bytes();
    let prepared = problem.prepare(&(0..batch).collect::<Vec<_>>())?;
    let reference = problem.reference(&prepared);
    let masks = vec![0.7_f32; n];
    let mut workspace = Workspace::default();
    for repeat in 0..=repeats {
        if repeat == 1 {
            // The first round warmed up.
            (plain, masked, first_step, step, whole_step) = Default::default();
        }
        plain.measure(|| problem.outputs(problem.full_reads(&prepared)).try_into_data())?;
        masked.measure(|| {
            let reads = problem.masked_reads(&prepared, reference.as_ref(), &masks, &mut workspace)?;
            problem.outputs(reads).try_into_data().map_err(anyhow::Error::from)
        })?;
        first_step.measure(|| trainer.step(&mut start))?;
        step.measure(|| trainer.step(&mut middle.clone()))?;
        whole_step.measure(|| uncached.step(&mut middle.clone()))?;
    }
    // Pair by pair: what else the machine does changes from round to round.
    let [masked_ratio, first_ratio, step_ratio, whole_ratio] = [&masked, &first_step, &step, &whole_step].map(|times| times.over(&plain));
    let [plain, masked, first_step, step, whole_step] = [plain, masked, first_step, step, whole_step].map(|times| times.median());
    let unit = (graph.n_writers() * batch * tokens * config.d_model * 4) as f64;
    let above = weights.zip(peak).map(|(before, after)| after.saturating_sub(before) as f64 / unit);
    print_json(&json!({"schema": "vitrine.bench.circuit/3", "device": device_name, "batch": batch, "tokens": tokens, "edges": n,
        "plain": {"wall_s": plain.0, "cpu_s": plain.1}, "masked": {"wall_s": masked.0, "cpu_s": masked.1},
        "first_step": {"wall_s": first_step.0, "cpu_s": first_step.1}, "step": {"wall_s": step.0, "cpu_s": step.1}, "step_without_cache": {"wall_s": whole_step.0, "cpu_s": whole_step.1},
        "ratio_to_plain": {"masked": masked_ratio, "first_step": first_ratio, "step": step_ratio, "step_without_cache": whole_ratio},
        "weights_bytes": weights, "peak_above_weights_over_writer_store": above}))?;
    Ok(Outcome::Fine)
}

//! `circuit prune`: Edge Pruning on a user's model and data, with one seed or several.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use vitrine_core::{
    lab::{Lab as _, LabError},
    settings,
};
use vitrine_edge_pruning::{
    checkpoint,
    circuit::{Circuit, cleanup::clean_up, native, stability::Stability},
    evaluate::{Outputs, evaluate, full_outputs},
    problem::{Problem, PruneError},
    prune::{PruneConfig, PruneState, train},
    tasks::score::Scores,
    warm_start::warm_start,
};

use super::super::{Context, print_json};
use super::data::{Task, check_memory, floor_warning, problem};
use super::print_scores;
use crate::{atomic, lab::NativeLab, open, resources, signal};

const PHASE: &str = "prune";

#[derive(Debug, Args)]
pub struct Prune {
    model: String,
    #[command(flatten)]
    task: Task,
    /// Share of edges to cut, 0 to 2.
    #[arg(long, default_value_t = 0.98, allow_negative_numbers = true)]
    target: f64,
    /// Share of writers to cut too, 0 to 2.
    #[arg(long, allow_negative_numbers = true)]
    node_target: Option<f64>,
    #[arg(long, default_value_t = 200)]
    steps: u64,
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// So many runs with seeds from --seed on: circuits of their own, how often each edge is chosen, and the edges that most runs choose.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Any other setting of the training, such as `lr_log_alpha=0.5`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A circuit file with scores: edges with larger ones begin more open.
    #[arg(long)]
    warm_start: Option<PathBuf>,
    /// Save every so many steps.
    #[arg(long, default_value_t = 500)]
    checkpoint_every: u64,
    /// Go on from `OUT.checkpoint`.
    #[arg(long)]
    resume: bool,
    /// Refuse to start when more MiB above the weights are needed.
    #[arg(long)]
    max_memory: Option<u64>,
    #[arg(long, default_value = "auto")]
    device: String,
    #[arg(long)]
    out: PathBuf,
}

impl Prune {
    fn config(&self) -> Result<PruneConfig> {
        let base = PruneConfig {
            seed: self.seed,
            steps: self.steps,
            batch_size: self.batch_size,
            edge_target: self.target,
            node_target: self.node_target,
            sparsity_warm_up: self.steps * 5 / 6,
            lr_warm_up: self.steps / 15,
            checkpoint_every: self.checkpoint_every,
            ..PruneConfig::default()
        };
        base.check()?;
        let mut value = serde_json::to_value(base)?;
        self.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
        let config: PruneConfig = serde_json::from_value(value).context("in --set")?;
        config.check()?;
        Ok(config)
    }

    /// The circuit file of one of the seeds: `OUT`, and beside it `OUT-seed1`, ….
    fn circuit_file(&self, number: u64) -> PathBuf {
        if number == 0 { self.out.clone() } else { beside(&self.out, &format!("seed{}", self.seed.wrapping_add(number))) }
    }
}

/// `dir/circuit-WHAT.json` for `dir/circuit.json`.
fn beside(out: &Path, what: &str) -> PathBuf {
    let stem = out.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = out.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    out.with_file_name(format!("{stem}-{what}{extension}"))
}

/// One seed's outcome.
struct Pruned {
    circuit: Circuit,
    /// Edges before and removed by dangling clean-up.
    kept: usize,
    dangling: usize,
    test: Scores,
    seconds: f64,
}

pub fn run(args: &Prune, context: Context) -> Result<()> {
    let config = args.config()?;
    ensure!(args.seeds >= 1, "--seeds must be at least 1");
    let (device, _) = open::device(&args.device)?;
    let opened = open::model(&args.model, &device)?;
    let (train_on, test_on) = problem(&opened, &args.task)?;
    check_memory(&train_on, config.batch_size, config.cache_references, args.max_memory, context.quiet)?;
    let scores = args.warm_start.as_deref().map(|path| warm_scores(path, &train_on)).transpose()?;
    let full = full_outputs(&test_on, config.batch_size)?;
    if let Some(warning) = floor_warning(&test_on, &full, args.task.floor)? {
        eprintln!("warning: {warning}");
    }
    let mut meta = BTreeMap::from([("method".to_owned(), "Edge Pruning".to_owned()), ("scores".to_owned(), "log alpha".to_owned())]);
    meta.insert("data_sha256".to_owned(), atomic::hash_file(&args.task.data)?.sha256);
    let mut found = vec![];
    for number in 0..args.seeds {
        let config = PruneConfig { seed: config.seed.wrapping_add(number), ..config.clone() };
        let out = args.circuit_file(number);
        let mut pruned = prune_one(args, &config, (&train_on, &test_on, &full), scores.as_deref(), &out, context)?;
        meta.insert("config".to_owned(), serde_json::to_string(&config)?);
        (pruned.circuit.meta, pruned.circuit.model_hash) = (meta.clone(), opened.weights_hash());
        atomic::write_file(&out, native::to_json(&pruned.circuit)?.as_bytes())?;
        report(&pruned, config.seed, &out, args.seeds > 1, context)?;
        found.push(pruned.circuit);
    }
    if found.len() > 1 { stability(&found, &args.out, context) } else { Ok(()) }
}

fn warm_scores(path: &Path, problem: &Problem) -> Result<Vec<f32>> {
    let circuit = open::circuit(path, &problem.graph)?;
    Ok(circuit.scores().with_context(|| format!("{} holds no scores; `circuit score` writes some", path.display()))?.to_vec())
}

fn prune_one(
    args: &Prune,
    config: &PruneConfig,
    (train_on, test_on, full): (&Problem, &Problem, &Outputs),
    scores: Option<&[f32]>,
    out: &Path,
    context: Context,
) -> Result<Pruned> {
    let saved = out.with_extension("checkpoint");
    if args.resume && out == args.out && !saved.exists() {
        bail!("there is no {} to go on from; start without --resume", saved.display());
    }
    let lab = NativeLab::new(train_on.model.device(), context.quiet, signal::install()?);
    let mut lab = lab.keep_in_file(&saved, PHASE, args.resume)?;
    let graph = &train_on.graph;
    let size = ((1.0 - config.edge_target) * graph.n_edges() as f64).round() as usize;
    let (start, config) = match scores {
        Some(scores) => warm_start(graph, scores, size, config)?,
        None => (PruneState::new(graph, config), config.clone()),
    };
    let config = &config;
    let mut state =
        checkpoint::resume_or_start(PHASE, graph, start, config, &mut lab).with_context(|| format!("in {}", saved.display()))?;
    let trained = train(train_on, config, &mut state, PHASE, &mut lab);
    lab.end_task();
    if let Err(PruneError::Lab(LabError::Stopped { step })) = trained {
        bail!("stopped at step {step} of {}; repeat the command with --resume to go on (saved in {})", config.steps, saved.display());
    }
    trained?;
    lab.save_checkpoint(PHASE, state.step, checkpoint::save(&state, config)?)?;
    let circuit = state.circuit(graph, None)?;
    let kept = circuit.counts().kept;
    let (circuit, dangling) = clean_up(&circuit, train_on.ablation);
    let test = evaluate(test_on, full, &circuit.masks(), config.batch_size)?;
    Ok(Pruned { circuit, kept, dangling, test, seconds: lab.seconds() })
}

fn report(pruned: &Pruned, seed: u64, out: &Path, several: bool, context: Context) -> Result<()> {
    let counts = pruned.circuit.counts();
    if context.json {
        return print_json(&json!({"schema": "vitrine.prune/1", "seed": seed, "kept": pruned.kept, "dangling": pruned.dangling,
            "edges": counts.kept, "sparsity": counts.sparsity(), "effective_sparsity": counts.effective_sparsity(), "test": pruned.test,
            "seconds": pruned.seconds, "cpu_seconds": resources::cpu_seconds(), "peak_memory_bytes": resources::peak_memory_bytes(), "out": out}));
    }
    if several {
        println!("seed {seed}");
    }
    println!(
        "{} of {} edges kept ({} dangling ones dropped), sparsity {:.4}",
        counts.kept,
        counts.edges,
        pruned.dangling,
        counts.sparsity()
    );
    print_scores(&pruned.test);
    println!("{:.1} s; {}", pruned.seconds, out.display());
    Ok(())
}

/// How much the seeds agree; their consensus beside the circuits.
fn stability(circuits: &[Circuit], out: &Path, context: Context) -> Result<()> {
    let stability = Stability::of(circuits)?;
    let summary = stability.summary();
    let mut consensus = stability.consensus(0.5)?;
    consensus.meta.insert("scores".to_owned(), "share of the seeds that choose the edge".to_owned());
    let path = beside(out, "consensus");
    atomic::write_file(&path, native::to_json(&consensus)?.as_bytes())?;
    let chosen_by = |n: usize| stability.selected.iter().filter(|&&count| count as usize == n).count();
    let histogram: Vec<(usize, usize)> = (1..=circuits.len()).rev().map(|n| (n, chosen_by(n))).collect();
    if context.json {
        let histogram: Vec<Value> = histogram.iter().map(|(seeds, edges)| json!({"seeds": seeds, "edges": edges})).collect();
        return print_json(&json!({"schema": "vitrine.stability/1", "summary": summary, "pairwise_jaccard": stability.pairwise_jaccard,
            "edges_by_seeds": histogram, "consensus_edges": consensus.counts().kept, "consensus": path}));
    }
    println!("\n{:>14} {:>8}", "chosen by", "edges");
    for (n, edges) in histogram {
        println!("{:>14} {edges:>8}", format!("{n} of {}", circuits.len()));
    }
    if let (Some(mean), Some(least), Some(most)) = (summary.jaccard_mean, summary.jaccard_min, summary.jaccard_max) {
        println!("Jaccard index of two seeds: mean {mean:.3}, {least:.3} to {most:.3}");
    }
    println!("{} edges chosen by at least half; {}", consensus.counts().kept, path.display());
    Ok(())
}

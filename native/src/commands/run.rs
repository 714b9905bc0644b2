//! `run edge-pruning`: the study, its run folder and its report.

use std::{path::PathBuf, time::SystemTime};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use vitrine_core::{
    findings::{Findings, RunRecord},
    lab::Lab as _,
    report::{self, Options},
    study::edge_pruning::{
        circuit::native,
        compare_methods::compare_methods,
        prune::PruneConfig,
        run::{StudyConfig, report_comparison, run as run_study},
    },
};

use super::{
    Context,
    circuit::{Task, problem},
};
use crate::{Outcome, atomic, lab::NativeLab, open, resources, run_folder::RunFolder, signal};

#[derive(Debug, Subcommand)]
pub enum Study {
    /// Circuits of compiled programs and of a small transformer trained on the spot; with --model, of yours.
    #[command(
        after_help = "Examples:\n  vitrine run edge-pruning\n  vitrine run edge-pruning --model smollm2 --data pairs.jsonl --sizes 0.01 --steps 200"
    )]
    EdgePruning(EdgePruning),
}

#[derive(Debug, Args)]
pub struct EdgePruning {
    /// A Hugging Face folder, a GGUF file, or a fetched model's name.
    #[arg(long, requires = "data")]
    model: Option<String>,
    /// JSON lines with `clean` and `corrupted`, the predicted part in <predict>…</predict>, or rows with `answer`.
    #[arg(long, requires = "model")]
    data: Option<PathBuf>,
    /// A TOML file of settings.
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    seed: Option<u64>,
    /// Training steps of each pruning run.
    #[arg(long)]
    steps: Option<u64>,
    /// Circuit sizes as shares of all edges.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<f64>,
    #[arg(long)]
    batch_size: Option<usize>,
    #[arg(long, default_value = "auto")]
    device: String,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub fn run(study: Study, context: Context) -> Result<Outcome> {
    let Study::EdgePruning(args) = study;
    let mut config: StudyConfig = match &args.config {
        Some(path) => {
            let bytes = atomic::read_bounded(path, open::TEXT_LIMIT)?;
            toml::from_str(std::str::from_utf8(&bytes)?).with_context(|| format!("in {}", path.display()))?
        }
        None => StudyConfig::default(),
    };
    if args.model.is_some() && args.config.is_none() {
        // A real model on a CPU: short runs, small batches.
        config.prune = PruneConfig {
            steps: 200,
            batch_size: 8,
            sparsity_warm_up: 170,
            lr_warm_up: 15,
            lr_log_alpha: 0.8,
            lr_lambda: 0.8,
            ..config.prune
        };
        config.sizes = vec![0.005, 0.01, 0.02];
    }
    if let Some(seed) = args.seed {
        config.seed = seed;
        config.prune.seed = seed;
    }
    if let Some(steps) = args.steps {
        let scale = |part: u64| part * steps / config.prune.steps.max(1);
        (config.prune.sparsity_warm_up, config.prune.lr_warm_up) = (scale(config.prune.sparsity_warm_up), scale(config.prune.lr_warm_up));
        config.prune.steps = steps;
    }
    if !args.sizes.is_empty() {
        config.sizes.clone_from(&args.sizes);
    }
    if let Some(batch_size) = args.batch_size {
        config.prune.batch_size = batch_size;
    }
    config.prune.check()?;
    if config.sizes.iter().any(|s| !(*s > 0.0 && *s <= 1.0)) {
        anyhow::bail!("sizes are shares of all edges, above 0 and at most 1");
    }

    let (device, device_name) = open::device(&args.device)?;
    if args.device == "auto" && !context.quiet {
        eprintln!("device: {device_name}");
    }
    let opened = args.model.as_deref().map(|name| open::model(name, &device)).transpose()?;
    let mut record = RunRecord::new("edge-pruning");
    record.config = serde_json::json!({"study": config, "model": args.model, "data": args.data});
    record.config_hash = atomic::sha256_hex(serde_json::to_string(&record.config)?.as_bytes());
    record.seed = config.seed;
    record.command = std::env::args().collect();
    record.versions = [("vitrine", env!("CARGO_PKG_VERSION")), ("burn", "0.22.1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    record.git_revision = resources::git_revision().map(str::to_owned);
    record.cargo_lock_sha256 = resources::cargo_lock_sha256();
    record.device = resources::cpu_model().map_or_else(|| device_name.clone(), |cpu| format!("{device_name} ({cpu})"));
    record.started_unix_ms = unix_ms();
    record.finished_unix_ms = record.started_unix_ms;
    let folder = RunFolder::create(&args.out, "edge-pruning", &record.config_hash, false)?;
    let path = folder.path().to_owned();
    folder.write_run(&record.to_json()?)?;
    let mut lab = NativeLab::new(device, context.quiet, signal::install()?, Some(folder));

    let findings = if let (Some(opened), Some(data)) = (&opened, &args.data) {
        record.models.clone_from(&opened.hashes);
        record.data.insert(data.display().to_string(), atomic::hash_file(data)?.sha256);
        let task = Task { data: data.clone(), ..Task::default() };
        let (train_on, test_on) = problem(opened, &task)?;
        let sizes: Vec<usize> = config.sizes.iter().map(|s| ((s * train_on.graph.n_edges() as f64).round() as usize).max(1)).collect();
        let comparison = compare_methods(&train_on, &test_on, &sizes, &config.prune, &mut lab)?;
        for (size, circuit) in sizes.iter().zip(&comparison.circuits) {
            lab.artifact(&format!("circuit-{size}.json"), native::to_json(circuit)?.into_bytes())?;
        }
        let mut findings = Findings::new("edge-pruning", format!("Edge Pruning on {}", args.model.as_deref().unwrap_or_default()));
        findings.caveats.push(format!(
            "Short runs: {} steps of {} examples a size; the published runs take 3000 of 32.",
            config.prune.steps, config.prune.batch_size
        ));
        report_comparison("model", "the given model and data", &train_on.graph, &comparison, &mut findings);
        findings
    } else {
        run_study(&config, &mut lab)?
    };
    record.duration_s = lab.seconds();
    record.finished_unix_ms = unix_ms();
    record.peak_memory_bytes = resources::peak_memory_bytes();
    let folder = lab.into_folder().context("the run folder is gone")?;
    folder.write_run(&record.to_json()?)?;
    folder.write_findings(&findings.to_json()?)?;
    folder.write_report(&report::render(&[(record, findings.clone())], &Options::default())?)?;
    if context.json {
        super::print_json(&findings)?;
    } else {
        for claim in &findings.claims {
            println!("{}: {} ({})", claim.verdict.word(), claim.statement, claim.found);
        }
        println!("{}", path.join("report.html").display());
    }
    Ok(Outcome::Fine)
}

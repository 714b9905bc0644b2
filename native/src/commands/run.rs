//! `run edge-pruning`: the study, its run folder and its report; stopped runs go on. `run logical-beam` is next door.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use vitrine_core::{
    findings::{Findings, RunRecord},
    lab::Lab as _,
    report::{self, Options},
    settings,
};
use vitrine_edge_pruning::{
    circuit::native,
    compare_methods::compare_methods,
    evaluate::full_outputs,
    presets::Preset,
    problem::Problem,
    run::{StudyConfig, run as run_study},
    shown::report_comparison,
};

use super::{
    Context,
    circuit::data::{DEFAULT_FLOOR, Task, check_memory, floor_warning, problem},
    run_logical_beam, run_screenshot,
};
use crate::{
    Outcome, atomic, interactive,
    lab::NativeLab,
    open, resources,
    run_folder::{self, RunFolder},
    signal,
};

const STUDY: &str = "edge-pruning";

#[derive(Debug, Subcommand)]
pub enum Study {
    /// Circuits of compiled programs and of a small transformer trained on the spot; with --model, of yours.
    #[command(
        after_help = "Examples:\n  vitrine run edge-pruning\n  vitrine run edge-pruning --model smollm2 --data pairs.jsonl --sizes 0.01 --steps 200\n  vitrine run edge-pruning --preset gpu --set prune.lr_log_alpha=0.5\n  vitrine run edge-pruning --resume runs/edge-pruning-0123abcd"
    )]
    EdgePruning(EdgePruning),
    /// Both readings of ambiguous questions about a database: LogicalBeam against beams, sampling and its own ablations, on a model trained on the spot or given.
    #[command(
        after_help = "Examples:\n  vitrine run logical-beam\n  vitrine run logical-beam --model sql-model --ambiqt ambiqt/ --decoders beam,logical-beam"
    )]
    LogicalBeam(run_logical_beam::LogicalBeam),
    /// Models that read pictures of text: redrawing and writing against redrawing alone, nothing and words, and what a picture is worth to the text after it. Fails where a check does.
    #[command(
        after_help = "Examples:\n  vitrine run screenshot\n  vitrine run screenshot --text novels.txt --data subjectivity/ --seeds 5\n  vitrine run screenshot --preset gpu --device cuda --text novels.txt --data subjectivity/\n  vitrine run screenshot --set pretrain.steps=2000 --resume"
    )]
    Screenshot(run_screenshot::Screenshot),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PresetArg {
    /// Two CPU cores, minutes.
    #[default]
    Quick,
    /// One data-centre GPU, minutes.
    Gpu,
    /// The published setting.
    Paper,
}

#[derive(Debug, Args)]
pub struct EdgePruning {
    /// A Hugging Face folder, a GGUF file, or a fetched model's name.
    #[arg(long, requires = "data")]
    model: Option<String>,
    /// JSON lines with `clean` and `corrupted`, the predicted part in <predict>…</predict>, or rows with `answer`.
    #[arg(long, requires = "model")]
    data: Option<PathBuf>,
    /// How large the run is; a file and single settings lie over it.
    #[arg(long, value_enum, default_value_t)]
    preset: PresetArg,
    /// A TOML file of settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// One setting, such as prune.steps=100.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[arg(long)]
    seed: Option<u64>,
    /// Training steps of each pruning run; warm-ups keep their share of them.
    #[arg(long)]
    steps: Option<u64>,
    /// Circuit sizes as shares of all edges.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<f64>,
    #[arg(long)]
    batch_size: Option<usize>,
    /// Refuse to start when more MiB above the weights are needed.
    #[arg(long)]
    max_memory: Option<u64>,
    #[arg(long, default_value = "auto")]
    device: String,
    /// Put the models and the program that runs them into the report, from the folder that scripts/web-bundle made.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "how clap says: not given, given, given with a value")]
    interactive: Option<Option<PathBuf>>,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Go on with the stopped run of the same settings, or with the run in FOLDER.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "how clap says: not given, given, given with a value")]
    resume: Option<Option<PathBuf>>,
}

/// What a run is made of, and where.
struct Plan {
    config: StudyConfig,
    model: Option<String>,
    data: Option<PathBuf>,
    out: PathBuf,
    resume: bool,
}

impl EdgePruning {
    fn plan(&self) -> Result<Plan> {
        match &self.resume {
            Some(Some(folder)) => self.plan_of(folder),
            resume => Ok(Plan {
                config: self.settings()?,
                model: self.model.clone(),
                data: self.data.clone(),
                out: self.out.clone(),
                resume: resume.is_some(),
            }),
        }
    }

    /// The settings of the run in `folder`, which others on the command line would contradict.
    fn plan_of(&self, folder: &Path) -> Result<Plan> {
        let given = [
            ("--model", self.model.is_some()),
            ("--preset", self.preset != PresetArg::Quick),
            ("--config", self.config.is_some()),
            ("--set", !self.set.is_empty()),
            ("--seed", self.seed.is_some()),
            ("--steps", self.steps.is_some()),
            ("--sizes", !self.sizes.is_empty()),
            ("--batch-size", self.batch_size.is_some()),
        ];
        if let Some((name, _)) = given.into_iter().find(|(_, given)| *given) {
            bail!("--resume {} takes its settings from there; leave {name} out", folder.display());
        }
        let json = run_folder::read_run(folder)?.with_context(|| format!("{} holds no run.json", folder.display()))?;
        let record = RunRecord::from_json(&json).with_context(|| format!("in {}", folder.display()))?;
        ensure!(record.study == STUDY, "{} is a run of {}", folder.display(), record.study);
        let part = |name: &str| record.config.get(name).cloned().unwrap_or(Value::Null);
        let place = || format!("in the configuration of {}", folder.display());
        Ok(Plan {
            config: serde_json::from_value(part("study")).with_context(place)?,
            model: serde_json::from_value(part("model")).with_context(place)?,
            data: serde_json::from_value(part("data")).with_context(place)?,
            out: folder.parent().map_or_else(PathBuf::new, Path::to_owned),
            resume: true,
        })
    }

    /// Preset, then file, then single settings, then the short options.
    fn settings(&self) -> Result<StudyConfig> {
        let preset = match self.preset {
            PresetArg::Quick => Preset::Quick,
            PresetArg::Gpu => Preset::Gpu,
            PresetArg::Paper => Preset::Paper,
        };
        let mut value = serde_json::to_value(StudyConfig::preset(preset, self.model.is_some()))?;
        if let Some(path) = &self.config {
            settings::lay_file(&mut value, &open::text(path)?).with_context(|| format!("in {}", path.display()))?;
        }
        self.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
        let mut config: StudyConfig = serde_json::from_value(value)?;
        config.seed = self.seed.unwrap_or(config.seed);
        config.prune.seed = config.seed;
        if let Some(steps) = self.steps {
            let scale = |part: u64| part.saturating_mul(steps) / config.prune.steps.max(1);
            (config.prune.sparsity_warm_up, config.prune.lr_warm_up) =
                (scale(config.prune.sparsity_warm_up), scale(config.prune.lr_warm_up));
            config.prune.steps = steps;
        }
        if !self.sizes.is_empty() {
            config.sizes.clone_from(&self.sizes);
        }
        config.prune.batch_size = self.batch_size.unwrap_or(config.prune.batch_size);
        config.check()?;
        Ok(config)
    }
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The record of a run that begins now.
pub(super) fn begin(study: &str, config: Value, seed: u64, device: &str) -> Result<RunRecord> {
    let mut record = RunRecord::new(study);
    record.config_hash = atomic::sha256_hex(serde_json::to_string(&config)?.as_bytes());
    (record.config, record.seed, record.command) = (config, seed, std::env::args().collect());
    let machine = resources::Machine::detect();
    record.versions = [("vitrine", env!("CARGO_PKG_VERSION")), ("burn", "0.22.1"), ("system", &machine.system)]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into();
    record.git_revision = machine.git_revision.map(str::to_owned);
    record.cargo_lock_sha256 = machine.cargo_lock_sha256;
    let cpu = machine.cpu.map(|cpu| format!("{cpu}, ")).unwrap_or_default();
    record.device = format!("{device} ({cpu}{} cores)", machine.cores);
    record.started_unix_ms = unix_ms();
    record.finished_unix_ms = record.started_unix_ms;
    Ok(record)
}

/// The record of this run so far.
fn record(plan: &Plan, opened: Option<&open::Opened>, device: &str) -> Result<RunRecord> {
    let config = json!({"study": plan.config, "model": plan.model, "data": plan.data});
    let mut record = begin(STUDY, config, plan.config.seed, device)?;
    if let Some(opened) = opened {
        record.models.clone_from(&opened.hashes);
    }
    if let Some(data) = &plan.data {
        record.data.insert(data.display().to_string(), atomic::hash_file(data)?.sha256);
    }
    Ok(record)
}

/// Opens the run folder. A run that goes on keeps its start, and must have the model and data it began with.
pub(super) fn open_folder(out: &Path, study: &str, resume: bool, record: &mut RunRecord) -> Result<RunFolder> {
    let mut folder = RunFolder::create(out, study, &record.config_hash, resume)?;
    match folder.read_run()? {
        Some(json) => {
            let earlier = RunRecord::from_json(&json).with_context(|| format!("in {}", folder.path().display()))?;
            for (what, then, now) in [("model", &earlier.models, &record.models), ("data", &earlier.data, &record.data)] {
                ensure!(then == now, "the {what} files are not those that {} began with", folder.path().display());
            }
            record.started_unix_ms = earlier.started_unix_ms;
        }
        None => folder.log_text(0, "config", &format!("```json\n{:#}\n```", record.config))?,
    }
    Ok(folder)
}

pub fn run(study: Study, context: Context) -> Result<Outcome> {
    let args = match study {
        Study::EdgePruning(args) => args,
        Study::LogicalBeam(args) => return run_logical_beam::run(&args, context),
        Study::Screenshot(args) => return run_screenshot::run(&args, context),
    };
    let plan = args.plan()?;
    // A missing bundle is found before the run, not after it.
    if let Some(bundle) = &args.interactive {
        interactive::check(bundle.as_deref())?;
    }
    let (device, device_name) = open::device(&args.device)?;
    if args.device == "auto" && !context.quiet {
        eprintln!("device: {device_name}");
    }
    let opened = plan.model.as_deref().map(|name| open::model(name, &device)).transpose()?;
    // Whatever can be wrong with the input is found before the run folder is made.
    let given = match (&opened, &plan.data) {
        (Some(opened), Some(data)) => {
            let problems = problem(opened, &Task { data: data.clone(), ..Task::default() })?;
            check_memory(&problems.0, plan.config.prune.batch_size, plan.config.prune.cache_references, args.max_memory, context.quiet)?;
            Some(problems)
        }
        _ => None,
    };
    let mut record = record(&plan, opened.as_ref(), &device_name)?;
    let folder = open_folder(&plan.out, STUDY, plan.resume, &mut record)?;
    let path = folder.path().to_owned();
    if folder.is_finished() {
        println!("this run is finished: {}", path.join("report.html").display());
        return Ok(Outcome::Fine);
    }
    folder.write_run(&record.to_json()?)?;
    let mut lab = NativeLab::new(device, context.quiet, signal::install()?).keep_in_folder(folder)?;
    let found = match &given {
        Some(problems) => compare_given(&plan, problems, &mut lab),
        None => run_study(&plan.config, &mut lab).map_err(anyhow::Error::from),
    };
    lab.end_task();
    let findings = match found {
        Ok(findings) => findings,
        Err(error) if lab.stopping() => bail!("{error:#}; go on with: vitrine run {STUDY} --resume {}", path.display()),
        Err(error) => return Err(error),
    };
    record.duration_s = lab.seconds();
    record.finished_unix_ms = unix_ms();
    record.peak_memory_bytes = resources::peak_memory_bytes();
    let folder = lab.into_folder().context("the run folder is gone")?;
    folder.write_run(&record.to_json()?)?;
    folder.write_findings(&findings.to_json()?)?;
    let program = args.interactive.as_ref().map(|bundle| interactive::pack(bundle.as_deref(), &[(path.clone(), &record)])).transpose()?;
    folder.write_report(&report::render_interactive(&[(record, findings.clone())], &Options::default(), program.as_ref())?)?;
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

/// The methods on the user's model and data.
fn compare_given(plan: &Plan, (train_on, test_on): &(Problem, Problem), lab: &mut NativeLab) -> Result<Findings> {
    let config = &plan.config;
    let full = full_outputs(test_on, config.prune.batch_size)?;
    let warning = floor_warning(test_on, &full, DEFAULT_FLOOR)?;
    if let Some(warning) = &warning {
        eprintln!("warning: {warning}");
    }
    let sizes = config.edge_counts(&train_on.graph);
    let comparison = compare_methods(train_on, (test_on, &full), config, lab)?;
    for (size, circuit) in sizes.iter().zip(&comparison.circuits) {
        lab.artifact(&format!("circuit-{size}.json"), native::to_json(circuit)?.into_bytes())?;
    }
    let mut findings = Findings::new(STUDY, format!("Edge Pruning on {}", plan.model.as_deref().unwrap_or_default()));
    findings.caveats.extend(warning);
    if config.prune.steps < 3000 || config.prune.batch_size < 32 {
        findings.caveats.push(format!(
            "Short runs: {} steps of {} examples a size; the published runs take 3000 of 32.",
            config.prune.steps, config.prune.batch_size
        ));
    }
    report_comparison("model", "the given model and data", &train_on.graph, &comparison, &mut findings);
    Ok(findings)
}

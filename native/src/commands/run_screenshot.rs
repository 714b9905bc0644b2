//! `run screenshot`: all arms of the study, its run folder and its report; stopped runs go on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use serde_json::json;
use vitrine_core::{
    findings::{RunRecord, Verdict},
    lab::Lab as _,
    report::{self, Options},
    settings,
};
use vitrine_screenshot::{
    experiment::{Data, ExperimentConfig, made::made, presets::Preset, run as run_study},
    model::{Place, Precision},
    train::tsv::{self, Goal},
};

use super::{
    Context, print_json,
    run::{begin, open_folder, unix_ms},
};
use crate::{
    Outcome, atomic,
    lab::NativeLab,
    open::{self, text},
    resources, run_folder, signal,
};

const STUDY: &str = "screenshot";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PresetArg {
    /// Two CPU cores, ten minutes.
    #[default]
    Quick,
    /// One data-centre GPU.
    Gpu,
}

#[derive(Debug, Args)]
pub struct Screenshot {
    /// Text to pre-train on, a paragraph a line; with --data. Sentences made by rule without, or those of `VITRINE_DATA` where it is set.
    #[arg(long)]
    text: Vec<PathBuf>,
    /// A folder with train.tsv, dev.tsv and test.tsv of labelled texts.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Sentences made by rule, whatever `VITRINE_DATA` says.
    #[arg(long, conflicts_with = "data")]
    made: bool,
    /// How large the run is; a file and single settings lie over it.
    #[arg(long, value_enum, default_value_t)]
    preset: PresetArg,
    /// A TOML file of settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// One setting, such as pretrain.steps=2000 or `ar.lr=0.001`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[arg(long)]
    seed: Option<u64>,
    /// Fine-tunings of each arm.
    #[arg(long)]
    seeds: Option<u64>,
    #[arg(long, default_value = "auto")]
    device: String,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Go on with the stopped run of the same settings, or with the run in FOLDER.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "how clap says: not given, given, given with a value")]
    resume: Option<Option<PathBuf>>,
}

/// Where text and rows come from; neither for those made by rule.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Sources {
    text: Vec<PathBuf>,
    data: Option<PathBuf>,
}

impl Screenshot {
    /// Preset, then file, then single settings, then the short options; the preset computes in bfloat16 where the device can.
    fn settings(&self, device: &Device) -> Result<ExperimentConfig> {
        let preset = match self.preset {
            PresetArg::Quick => Preset::Quick,
            PresetArg::Gpu => Preset::Gpu,
        };
        let precision = if Place::of(device).with(Precision::Bf16).is_ok() { Precision::Bf16 } else { Precision::F32 };
        let mut value = serde_json::to_value(ExperimentConfig::preset(preset, precision))?;
        if let Some(path) = &self.config {
            settings::lay_file(&mut value, &text(path)?).with_context(|| format!("in {}", path.display()))?;
        }
        self.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
        let mut config: ExperimentConfig = serde_json::from_value(value)?;
        config.seed = self.seed.unwrap_or(config.seed);
        config.seeds = self.seeds.unwrap_or(config.seeds);
        Ok(config)
    }

    fn sources(&self) -> Sources {
        let given =
            std::env::var_os("VITRINE_DATA").map(|data| Path::new(&data).join("text")).filter(|folder| folder.is_dir() && !self.made);
        match (&self.data, given) {
            (None, Some(folder)) => Sources { text: vec![folder.join("pretrain_en.txt")], data: Some(folder.join("subjectivity")) },
            (data, _) => Sources { text: self.text.clone(), data: data.clone() },
        }
    }

    /// Settings, sources, the folder of run folders, and whether a stopped run goes on.
    fn plan(&self, device: &Device) -> Result<(ExperimentConfig, Sources, PathBuf, bool)> {
        ensure!(
            self.text.is_empty() == self.data.is_none(),
            "the study needs both --text, to pre-train on, and --data, to fine-tune on; or neither"
        );
        let Some(Some(folder)) = &self.resume else {
            return Ok((self.settings(device)?, self.sources(), self.out.clone(), self.resume.is_some()));
        };
        ensure!(
            self.data.is_none()
                && !self.made
                && self.preset == PresetArg::Quick
                && self.config.is_none()
                && self.set.is_empty()
                && self.seed.is_none()
                && self.seeds.is_none(),
            "--resume {} takes its settings from there; leave others out",
            folder.display()
        );
        let json = run_folder::read_run(folder)?.with_context(|| format!("{} holds no run.json", folder.display()))?;
        let place = || format!("in {}", folder.display());
        let record = RunRecord::from_json(&json).with_context(place)?;
        ensure!(record.study == STUDY, "{} is a run of {}", folder.display(), record.study);
        let part = |name: &str| record.config.get(name).cloned().unwrap_or_default();
        let (config, sources) =
            (serde_json::from_value(part("study")).with_context(place)?, serde_json::from_value(part("from")).with_context(place)?);
        Ok((config, sources, folder.parent().map_or_else(PathBuf::new, Path::to_owned), true))
    }
}

/// Reads text and rows, with their hashes for the record.
fn read(sources: &Sources, seed: u64, record: &mut RunRecord) -> Result<Data> {
    let Some(folder) = &sources.data else { return Ok(made(seed)) };
    let mut hashed = |path: &Path| -> Result<String> {
        let text = text(path)?;
        record.data.insert(path.display().to_string(), atomic::sha256_hex(text.as_bytes()));
        Ok(text)
    };
    let texts = sources.text.iter().map(|path| hashed(path)).collect::<Result<Vec<_>>>()?;
    let names = ["train", "dev", "test"];
    let files = names.iter().map(|name| hashed(&folder.join(format!("{name}.tsv")))).collect::<Result<Vec<_>>>()?;
    let tables: Vec<(&str, &str)> = names.into_iter().zip(files.iter().map(String::as_str)).collect();
    let (goal, sets) = tsv::read(&tables).with_context(|| format!("in {}", folder.display()))?;
    let Goal::Classes(classes) = goal else { bail!("{}: the study compares classes; these labels are scores", folder.display()) };
    let sets = sets.try_into().map_err(|_| anyhow::anyhow!("three tables are needed"))?;
    let name = folder.file_name().map_or_else(|| "the given rows".to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(Data { lines: texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect(), sets, classes, name, made: false })
}

pub fn run(args: &Screenshot, context: Context) -> Result<Outcome> {
    let (device, device_name) = open::device_for_screenshots(&args.device)?;
    if args.device == "auto" && !context.quiet {
        eprintln!("device: {device_name}");
    }
    let (config, sources, out, resume) = args.plan(&device)?;
    config.check()?;
    for precision in [config.pretrain.precision, config.finetune.precision, config.ar.precision] {
        Place::of(&device).with(precision)?;
    }
    let mut record = begin(STUDY, json!({"study": config, "from": sources}), config.seed, &device_name)?;
    let data = read(&sources, config.seed, &mut record)?;
    let folder = open_folder(&out, STUDY, resume, &mut record)?;
    let path = folder.path().to_owned();
    if folder.is_finished() {
        println!("this run is finished: {}", path.join("report.html").display());
        return Ok(Outcome::Fine);
    }
    folder.write_run(&record.to_json()?)?;
    let mut lab = NativeLab::new(device, context.quiet, signal::install()?).keep_in_folder(folder)?;
    let found = run_study(&config, &data, &mut lab);
    lab.end_task();
    let results = match found {
        Ok(results) => results,
        Err(error) if lab.stopping() => bail!("{error}; go on with: vitrine run {STUDY} --resume {}", path.display()),
        Err(error) => return Err(error.into()),
    };
    lab.artifact("results.json", serde_json::to_vec(&results)?)?;
    let findings = results.findings(&config, &data);
    record.duration_s = lab.seconds();
    record.finished_unix_ms = unix_ms();
    record.peak_memory_bytes = resources::peak_memory_bytes();
    let folder = lab.into_folder().context("the run folder is gone")?;
    folder.write_run(&record.to_json()?)?;
    folder.write_findings(&findings.to_json()?)?;
    folder.write_report(&report::render(&[(record, findings.clone())], &Options::default())?)?;
    if context.json {
        print_json(&findings)?;
    } else {
        for arm in &results.arms {
            let tests: Vec<String> = arm.outcomes.iter().map(|outcome| format!("{:.3}", outcome.test)).collect();
            println!("{:<18} test accuracy {} ({:.0} s)", arm.name, tests.join(" "), arm.seconds);
        }
        for claim in &findings.claims {
            println!("{}: {} ({})", claim.verdict.word(), claim.statement, claim.found);
        }
        println!("{}", path.join("report.html").display());
    }
    let failed = findings.claims.iter().any(|claim| claim.verdict == Verdict::Fails);
    Ok(if failed { Outcome::CheckFailed } else { Outcome::Fine })
}

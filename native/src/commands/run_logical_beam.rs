//! `run logical-beam`: a text-to-SQL model (trained here where none is given), every decoder on ambiguous questions, and a report.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use vitrine_core::{
    findings::RunRecord,
    lab::Lab as _,
    report::{self, Options},
};
use vitrine_logical_beam::{
    beam::{Decoder, Limits},
    comparison::{Answers, ask, findings},
    figure,
    golden_coverage::{self, Line},
    sql::{ambiguate::Kind, schema::Schema, tables_json},
    synthetic::{SyntheticConfig, synthetic},
};

use super::{
    Context, print_json,
    sql::{
        learn::Architecture,
        train::{self, Train},
    },
};
use crate::{
    Outcome, atomic,
    lab::NativeLab,
    open::{self, text},
    resources,
    run_folder::RunFolder,
    signal,
    sql_model::{self, Trained},
};

const STUDY: &str = "logical-beam";
/// Decoders that are also run with each name as one piece.
const WHOLE: [&str; 2] = ["beam", "logical-beam"];

#[derive(Debug, Args)]
pub struct LogicalBeam {
    /// Folder of a model that `sql train` made; trained first where it is left out.
    #[arg(long)]
    model: Option<PathBuf>,
    /// What kind of model to train; where there are no data, seq2seq, as on questions made by rule the other kind leaves nothing to find.
    #[arg(long, value_enum, conflicts_with = "model")]
    architecture: Option<Architecture>,
    /// A folder with C.jsonl, T.jsonl, J.jsonl, P.jsonl and tables.json; questions made by rule without, and those of `VITRINE_DATA` where it is set.
    #[arg(long)]
    ambiqt: Option<PathBuf>,
    /// Decoders by name; all by default.
    #[arg(long, value_delimiter = ',')]
    decoders: Vec<String>,
    /// Ask at most so many questions of each kind, evenly spread; 60 by default, 40 of those made by rule.
    #[arg(long)]
    most: Option<usize>,
    /// Spell each name as one piece everywhere, not for beam and logical-beam alone: the harder baseline.
    #[arg(long)]
    whole_names: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
}

/// Where training data of the published benchmark lies.
pub(super) fn given_data() -> Option<PathBuf> {
    std::env::var_os("VITRINE_DATA").map(PathBuf::from).filter(|folder| folder.join("ambiqt").is_dir() && folder.join("spider").is_dir())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Ambiguous questions, the schemas they are about, and the hashes of the files they came from.
pub(super) type Questions = (Vec<Line>, Vec<Schema>, BTreeMap<String, String>);

pub(super) fn questions(ambiqt: Option<&Path>, seed: u64) -> Result<Questions> {
    let Some(folder) = ambiqt else {
        let made = synthetic(&SyntheticConfig { seed, ..SyntheticConfig::default() });
        return Ok((made.ambiguous, made.schemas, BTreeMap::new()));
    };
    let mut hashes = BTreeMap::new();
    let mut read = |name: &str| -> Result<String> {
        let text = text(&folder.join(name))?;
        hashes.insert(name.to_owned(), atomic::sha256_hex(text.as_bytes()));
        Ok(text)
    };
    let schemas = tables_json::read(&read("tables.json")?).with_context(|| format!("in {}", folder.display()))?;
    let mut lines = vec![];
    for kind in Kind::ALL {
        let name = format!("{kind:?}.jsonl");
        lines.extend(golden_coverage::lines(kind, &read(&name)?).with_context(|| format!("in {}", folder.join(&name).display()))?);
    }
    Ok((lines, schemas, hashes))
}

pub fn run(args: &LogicalBeam, context: Context) -> Result<Outcome> {
    let known = Decoder::all();
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = args.decoders.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("there is no decoder {unknown}; there are {}", names.join(", "));
    }
    let wanted = |name: &str| args.decoders.is_empty() || args.decoders.iter().any(|one| one == name);
    let decoders: Vec<(&str, Decoder)> = known.into_iter().filter(|(name, _)| wanted(name)).collect();
    let data = given_data();
    let ambiqt = args.ambiqt.clone().or_else(|| data.as_ref().map(|data| data.join("ambiqt")));
    let most = args.most.unwrap_or(if ambiqt.is_some() { 60 } else { 40 });
    ensure!(most > 0, "--most has to be at least 1");
    let (lines, schemas, hashes) = questions(ambiqt.as_deref(), args.seed)?;
    let folder = if let Some(folder) = &args.model {
        folder.clone()
    } else {
        let (of, architecture) = match (&data, args.architecture) {
            (Some(_), architecture) => ("spider", architecture.unwrap_or_default()),
            (None, architecture) => ("made", architecture.unwrap_or(Architecture::Seq2seq)),
        };
        let kind = if architecture == Architecture::Slots { "" } else { "-seq2seq" };
        let folder = args.out.join(format!("sql-model-{of}{kind}-{}", args.seed));
        if !folder.join("model.safetensors").exists() {
            train::run(&Train::quick(data.as_deref(), architecture, (&args.out, &folder), args.seed), Context { json: false, ..context })?;
        }
        folder
    };
    let mut model = sql_model::open(&folder)?;
    if matches!(model, Trained::Seq2Seq(_)) {
        ensure!(!args.whole_names, "a model over sub-words spells every name by pieces");
    }
    let seen = |line: &&Line| model.databases().contains(&line.database);
    if let Some(seen) = lines.iter().find(seen).map(|line| &line.database) {
        bail!("the model in {} has learned from database {seen}; what is evaluated has to be unseen", folder.display());
    }

    let mut record = RunRecord::new(STUDY);
    record.models = ["config.json", "model.safetensors"]
        .into_iter()
        .map(|name| Ok((name.to_owned(), atomic::hash_file(&folder.join(name))?.sha256)))
        .collect::<Result<_>>()?;
    record.config = json!({"decoders": decoders, "most": most, "whole_names": args.whole_names, "seed": args.seed,
        "model": folder, "ambiqt": ambiqt, "models": record.models, "data": hashes});
    record.config_hash = atomic::sha256_hex(serde_json::to_string(&record.config)?.as_bytes());
    (record.seed, record.data, record.command) = (args.seed, hashes, std::env::args().collect());
    let machine = resources::Machine::detect();
    record.device = format!("cpu ({}{} cores)", machine.cpu.map(|cpu| format!("{cpu}, ")).unwrap_or_default(), machine.cores);
    record.started_unix_ms = unix_ms();
    record.finished_unix_ms = record.started_unix_ms;
    let run_folder = RunFolder::create(&args.out, STUDY, &record.config_hash, false)?;
    let path = run_folder.path().to_owned();
    run_folder.write_run(&record.to_json()?)?;
    let mut lab = NativeLab::new(open::device("cpu")?.0, context.quiet, signal::install()?).keep_in_folder(run_folder)?;

    let limits = Limits { seed: args.seed, ..Limits::default() };
    let schema = |name: &str| {
        schemas.iter().find(|schema| schema.name == name).with_context(|| format!("there is no database {name} among the schemas"))
    };
    // The harder baseline, beside the other, where the model has both.
    let both_views = !args.whole_names && matches!(model, Trained::Slots(_));
    let views: Vec<(String, &Decoder, bool)> = decoders
        .iter()
        .map(|(name, decoder)| ((*name).to_owned(), decoder, args.whole_names))
        .chain(
            decoders
                .iter()
                .filter(|(name, _)| both_views && WHOLE.contains(name))
                .map(|(name, decoder)| (format!("{name}, whole names"), decoder, true)),
        )
        .collect();
    // Of each kind so many questions, evenly spread.
    let chosen = |kind: Kind| -> Vec<&Line> {
        let of_kind: Vec<&Line> = lines.iter().filter(|line| line.example.kind == kind).collect();
        of_kind.iter().step_by(of_kind.len().div_ceil(most).max(1)).copied().collect()
    };
    let mut all = vec![];
    for kind in Kind::ALL {
        let some = chosen(kind);
        for (name, decoder, whole) in &views {
            if let Trained::Slots(model) = &mut model {
                model.whole_names = *whole;
            }
            let mut answers = Answers { decoder: name.clone(), kind, answers: vec![] };
            for (i, line) in some.iter().enumerate() {
                ensure!(!lab.stopping(), "stopped; the run has no result");
                answers.answers.push(ask(model.model(), line, schema(&line.database)?, decoder, limits)?);
                lab.progress(&format!("{kind:?}, {name}"), i as u64 + 1, some.len() as u64);
            }
            all.push(answers);
        }
    }
    lab.end_task();
    lab.artifact("lists.json", serde_json::to_vec(&all)?)?;
    let mut findings = findings(&all, args.seed);
    let about = match ambiqt {
        Some(_) => "AmbiQT's kinds C, T, J and P on databases rebuilt from Spider's (CC BY-SA 4.0).",
        None => "Questions and schemas made by rule: they show how the methods differ, not how good they are on people's questions.",
    };
    if let Trained::Slots(model) = &mut model {
        model.whole_names = args.whole_names;
    }
    for (kind, number) in figure::telling(&all) {
        let some = chosen(kind);
        let line = some.get(number).context("a question is gone")?;
        findings.panels.push(figure::panel(model.model(), line, schema(&line.database)?, limits)?);
    }
    findings.caveats = vec![
        format!("A small model ({:.1} million numbers {}) trained in minutes.", model.numbers() as f64 / 1e6, model.describe()),
        about.to_owned(),
        format!("At most {} questions of each kind; lists of five; one seed.", most),
        if args.whole_names {
            "Names are single pieces.".to_owned()
        } else {
            "Names are spelled by pieces, so beams spend width on spellings; rows with whole names have each name as one piece.".to_owned()
        },
    ];
    record.duration_s = lab.seconds();
    record.finished_unix_ms = unix_ms();
    record.peak_memory_bytes = resources::peak_memory_bytes();
    let run_folder = lab.into_folder().context("the run folder is gone")?;
    run_folder.write_run(&record.to_json()?)?;
    run_folder.write_findings(&findings.to_json()?)?;
    run_folder.write_report(&report::render(&[(record, findings.clone())], &Options::default())?)?;
    if context.json {
        print_json(&findings)?;
        return Ok(Outcome::Fine);
    }
    println!("{:<5} {:<25} {:>9} {:>8} {:>8} {:>9}", "kind", "decoder", "questions", "either", "both", "prefixes");
    for answers in &all {
        let [either, both] = answers.shares();
        let scored = answers.answers.iter().map(|a| a.scored).sum::<usize>() as f64 / answers.answers.len().max(1) as f64;
        println!(
            "{:<5} {:<25} {:>9} {:>8.1} {:>8.1} {scored:>9.0}",
            format!("{:?}", answers.kind),
            answers.decoder,
            answers.answers.len(),
            100.0 * either,
            100.0 * both
        );
    }
    for claim in &findings.claims {
        println!("{}: {} ({})", claim.verdict.word(), claim.statement, claim.found);
    }
    println!("{}", path.join("report.html").display());
    Ok(Outcome::Fine)
}

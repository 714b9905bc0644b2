//! `sql train`: a text-to-SQL model from questions with queries, and how good it is on databases it has not seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use vitrine_core::{findings::RunRecord, lab::Lab as _};
use vitrine_logical_beam::{
    beam::{Decoder, Limits},
    comparison::{Answers, ask},
    golden_coverage::{self, Line},
    model::{
        evaluate::{LIST, Score, score},
        examples::{self, Pair},
        pools::Shares,
        train::TrainConfig,
        variants,
    },
    sql::{
        ambiguate::{ColumnFile, Kind, Synonyms, TableFile},
        schema::Schema,
        tables_json,
    },
    stages::TextToSql,
    synthetic::{SyntheticConfig, other_names::other_names, synthetic},
};

use super::{
    super::{Context, print_json},
    learn::{Architecture, Learned, Prepared},
};
use crate::{
    atomic,
    lab::NativeLab,
    open::{self, text},
    resources,
    run_folder::RunFolder,
    signal, sql_model,
};

const STUDY: &str = "sql-train";
/// Without a list, one database in so many is held out.
const HELD_OUT: usize = 10;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// Two CPU cores, minutes.
    #[default]
    Quick,
    /// Three times as long.
    Long,
}

#[derive(Debug, Args)]
pub struct Train {
    /// JSON lines with `db_id`, `question` and `query`.
    #[arg(long, requires = "tables")]
    data: Option<PathBuf>,
    /// Spider's tables.json.
    #[arg(long, requires = "data")]
    tables: Option<PathBuf>,
    /// Databases that are held out; one in ten by default.
    #[arg(long, value_delimiter = ',', requires = "data")]
    valid_databases: Vec<String>,
    /// Two names for each column, by database and table (JSON): for questions with two readings. Where no list names a database, words of ours stand in.
    #[arg(long, requires = "data")]
    column_synonyms: Option<PathBuf>,
    /// Two names for each table, by database (JSON).
    #[arg(long, requires = "data")]
    table_synonyms: Option<PathBuf>,
    /// Share of each batch that are ambiguous questions with both readings, by kind: `C=0.15,T=0.15,J=0.14,P=0.08`; `none` for none.
    #[arg(long, value_parser = Shares::read)]
    readings: Option<Shares>,
    /// A folder with C.jsonl, T.jsonl, J.jsonl, P.jsonl and their tables.json: how many readings lists hold. Without it ambiguous questions are made of held-out ones.
    #[arg(long)]
    ambiqt: Option<PathBuf>,
    /// More JSON lines to score on, of databases in the schemas or in --ambiqt's.
    #[arg(long, requires = "data")]
    test: Option<PathBuf>,
    /// What kind of model.
    #[arg(long, value_enum, default_value_t)]
    architecture: Architecture,
    /// minilm, letters (needs no weights), or a folder; minilm where it is fetched.
    #[arg(long)]
    encoder: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    preset: Preset,
    #[arg(long)]
    steps: Option<u64>,
    #[arg(long)]
    batch_size: Option<usize>,
    #[arg(long)]
    lr: Option<f64>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Width of the beam when the model is scored.
    #[arg(long, default_value_t = 10)]
    beam: usize,
    /// Score at most so many questions of each set, evenly spread.
    #[arg(long, default_value_t = 100)]
    most: usize,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    runs: PathBuf,
    /// Go on with the stopped run of the same settings.
    #[arg(long)]
    resume: bool,
    /// Folder for the model: config.json and model.safetensors.
    #[arg(long)]
    out: PathBuf,
}

/// What is learned and what is held out.
struct Sets {
    schemas: Vec<Schema>,
    train: Vec<Pair>,
    /// Both readings of questions of `train`, on changed schemas.
    both: Vec<Pair>,
    changed: Vec<Schema>,
    held_out: Vec<Pair>,
    test: Vec<Pair>,
    ambiguous: Vec<Line>,
    hashes: BTreeMap<String, String>,
}

impl Train {
    /// Training at the quick preset: on the published data in `data`, or on what is made by rule.
    pub fn quick(data: Option<&Path>, architecture: Architecture, (runs, out): (&Path, &Path), seed: u64) -> Self {
        let spider = |name: &str| data.map(|data| data.join("spider").join(name));
        let ambiqt = |name: &str| data.map(|data| data.join("ambiqt").join(name));
        Self {
            data: spider("train.jsonl"),
            tables: spider("tables.json"),
            valid_databases: vec![],
            column_synonyms: ambiqt("col_synonyms.json"),
            table_synonyms: ambiqt("tbl_synonyms.json"),
            readings: None,
            ambiqt: None,
            test: None,
            architecture,
            encoder: None,
            preset: Preset::Quick,
            steps: None,
            batch_size: None,
            lr: None,
            seed,
            beam: 10,
            most: 40,
            runs: runs.to_owned(),
            resume: false,
            out: out.to_owned(),
        }
    }

    fn config(&self) -> Result<TrainConfig> {
        let slots = TrainConfig { seed: self.seed, ..TrainConfig::default() };
        let base = match self.architecture {
            Architecture::Slots => slots,
            Architecture::Seq2seq => TrainConfig { steps: 1600, lr: 2e-3, dropout: 0.1, ..slots },
        };
        // What is made by rule is learned sooner.
        let quick = if self.data.is_some() { base.steps } else { base.steps / 4 };
        let preset = match self.preset {
            Preset::Quick => quick,
            Preset::Long => 3 * quick,
        };
        let steps = self.steps.unwrap_or(preset);
        let config = TrainConfig {
            steps,
            batch_size: self.batch_size.unwrap_or(base.batch_size),
            lr: self.lr.unwrap_or(base.lr),
            warm_up: base.warm_up.min(steps / 4),
            readings: self.readings.unwrap_or(base.readings),
            ..base
        };
        config.check()?;
        ensure!((1..=4096).contains(&self.beam), "--beam has to be 1 to 4096");
        Ok(config)
    }

    fn sets(&self) -> Result<Sets> {
        let mut hashes = BTreeMap::new();
        let mut read = |path: &Path| -> Result<String> {
            let text = text(path)?;
            hashes.insert(path.display().to_string(), atomic::sha256_hex(text.as_bytes()));
            Ok(text)
        };
        let tables = |path: &Path, text: &str| tables_json::read(text).with_context(|| format!("cannot read {}", path.display()));
        let pairs = |path: &Path, text: &str| examples::pairs(text).with_context(|| format!("in {}", path.display()));
        let (Some(data), Some(tables_path)) = (&self.data, &self.tables) else {
            ensure!(self.ambiqt.is_none(), "--ambiqt needs --data: a model of made schemas alone knows too little");
            let made = synthetic(&SyntheticConfig { seed: self.seed, ..SyntheticConfig::default() });
            let (changed, both) = variants::both_readings(&made.ambiguous_train, &made.schemas);
            let (schemas, train, held_out, ambiguous) = (made.schemas, made.train, made.held_out, made.ambiguous);
            return Ok(Sets { schemas, train, both, changed, held_out, test: vec![], ambiguous, hashes });
        };
        let mut schemas = tables(tables_path, &read(tables_path)?)?;
        let all = pairs(data, &read(data)?)?;
        let columns = self.column_synonyms.as_deref().map_or(Ok("{}".into()), &mut read)?;
        let columns: ColumnFile = serde_json::from_str(&columns).context("the synonyms of columns")?;
        let table_names = self.table_synonyms.as_deref().map_or(Ok("{}".into()), &mut read)?;
        let table_names: TableFile = serde_json::from_str(&table_names).context("the synonyms of tables")?;
        let names: BTreeSet<&str> = all.iter().map(|pair| pair.database.as_str()).collect();
        let valid: BTreeSet<String> = if self.valid_databases.is_empty() {
            names.iter().step_by(HELD_OUT).skip(1).map(|name| (*name).to_owned()).collect()
        } else {
            self.valid_databases.iter().cloned().collect()
        };
        if let Some(unknown) = valid.iter().find(|name| !names.contains(name.as_str())) {
            bail!("{} asks nothing of database {unknown}", data.display());
        }
        let mut ambiguous = Vec::new();
        if let Some(folder) = &self.ambiqt {
            let path = folder.join("tables.json");
            let more = tables(&path, &read(&path)?)?;
            schemas.extend(more.into_iter().filter(|schema| !names.contains(schema.name.as_str())));
            for kind in Kind::ALL {
                let path = folder.join(format!("{kind:?}.jsonl"));
                ambiguous.extend(golden_coverage::lines(kind, &read(&path)?).with_context(|| format!("in {}", path.display()))?);
            }
            // What was learned from says nothing about how good a model is.
            if let Some(both) = ambiguous.iter().map(|line| line.database.as_str()).find(|name| names.contains(name)) {
                bail!("{} and {} both ask of database {both}; what is evaluated has to be unseen", data.display(), folder.display());
            }
        }
        let test = self.test.as_deref().map_or(Ok(vec![]), |path| pairs(path, &read(path)?))?;
        let (held_out, train): (Vec<Pair>, Vec<Pair>) = all.into_iter().partition(|pair| valid.contains(&pair.database));
        ensure!(!train.is_empty(), "all questions are held out");
        let by_name: BTreeMap<&str, &Schema> = schemas.iter().map(|schema| (schema.name.as_str(), schema)).collect();
        let synonyms = |name: &str| match by_name.get(name) {
            Some(schema) if !columns.contains_key(name) && !table_names.contains_key(name) => other_names(schema),
            _ => Synonyms::of(name, &columns, &table_names),
        };
        let lines = variants::ambiguous(&train, &schemas, synonyms, self.seed);
        let (changed, both) = variants::both_readings(&lines, &schemas);
        if self.ambiqt.is_none() {
            ambiguous = variants::ambiguous(&held_out, &schemas, synonyms, self.seed);
        }
        Ok(Sets { schemas, train, both, changed, held_out, test, ambiguous, hashes })
    }
}

impl Sets {
    /// What is learned, and the schemas it is about.
    fn learned(&self, config: &TrainConfig) -> (Vec<Pair>, Vec<Schema>) {
        let wanted = |pair: &&Pair| pair.kind.is_some_and(|kind| config.readings.of(kind) > 0.0);
        let pairs = self.train.iter().chain(self.both.iter().filter(wanted)).cloned().collect();
        (pairs, self.schemas.iter().chain(&self.changed).cloned().collect())
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub fn run(args: &Train, context: Context) -> Result<()> {
    let config = args.config()?;
    let sets = args.sets()?;
    // Whatever can be wrong with the input is found before the run folder is made.
    let (learned, schemas) = sets.learned(&config);
    let (name, prepared, models) = match args.architecture {
        Architecture::Slots => {
            let name = args.encoder.as_deref().unwrap_or_else(|| sql_model::preferred());
            let (encoder, models) = sql_model::encoder(name, sql_model::LETTERS_WIDTH)?;
            if args.encoder.is_none() && name == sql_model::LETTERS && !context.quiet {
                eprintln!("encoder: letters; `vitrine model get minilm` fetches one that knows words");
            }
            (Some(name), Prepared::slots(&learned, &schemas, (name, encoder))?, models)
        }
        Architecture::Seq2seq => {
            ensure!(args.encoder.is_none(), "a model from scratch has no --encoder");
            (None, Prepared::seq2seq(&learned, &schemas)?, BTreeMap::new())
        }
    };
    let mut record = RunRecord::new(STUDY);
    record.config = json!({"train": config, "architecture": format!("{:?}", args.architecture), "encoder": name, "encoder_sha256": models, "data_sha256": sets.hashes, "held_out": args.valid_databases});
    record.config_hash = atomic::sha256_hex(serde_json::to_string(&record.config)?.as_bytes());
    (record.seed, record.models, record.data) = (config.seed, models, sets.hashes.clone());
    record.command = std::env::args().collect();
    record.started_unix_ms = unix_ms();
    record.finished_unix_ms = record.started_unix_ms;
    let folder = RunFolder::create(&args.runs, STUDY, &record.config_hash, args.resume)?;
    let path = folder.path().to_owned();
    folder.write_run(&record.to_json()?)?;
    let mut lab = NativeLab::new(open::device("cpu")?.0, context.quiet, signal::install()?).keep_in_folder(folder)?;

    let databases: BTreeSet<String> = sets.train.iter().map(|pair| pair.database.clone()).collect();
    let about = (&learned[..], &schemas[..], databases.into_iter().collect());
    let learned = prepared.learn(&config, about, &mut lab, &path)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    atomic::write_file(&args.out.join("model.safetensors"), &learned.saved.weights)?;
    atomic::write_file(&args.out.join("config.json"), learned.saved.config.as_bytes())?;

    // What is scored is what lies in the folder.
    let model = sql_model::open(&args.out)?;
    let found = evaluate(model.model(), args, &sets, &mut lab)?;
    lab.end_task();
    (record.duration_s, record.finished_unix_ms) = (lab.seconds(), unix_ms());
    record.peak_memory_bytes = resources::peak_memory_bytes();
    if let Some(folder) = lab.into_folder() {
        folder.write_run(&record.to_json()?)?;
    }
    found.print(args, &learned, context)
}

/// Scores by set and by kind of ambiguity.
struct Found {
    scores: Vec<(&'static str, Score)>,
    readings: Vec<Answers>,
}

/// What lists of ambiguous questions are made by.
const DECODERS: [&str; 2] = ["beam", "logical-beam"];

fn evaluate(model: &dyn TextToSql, args: &Train, sets: &Sets, lab: &mut NativeLab) -> Result<Found> {
    let schemas: BTreeMap<&str, &Schema> = sets.schemas.iter().map(|schema| (schema.name.as_str(), schema)).collect();
    let schema = |name: &str| schemas.get(name).copied().with_context(|| format!("there is no database {name} among the schemas"));
    let mut found = Found { scores: vec![], readings: vec![] };
    for (name, pairs) in [("held out", &sets.held_out), ("test", &sets.test)] {
        let some: Vec<&Pair> = pairs.iter().step_by(pairs.len().div_ceil(args.most.max(1)).max(1)).collect();
        let mut of_set = Score::default();
        for (i, pair) in some.iter().enumerate() {
            score(model, pair, schema(&pair.database)?, args.beam, &mut of_set)?;
            lab.progress(name, i as u64 + 1, some.len() as u64);
        }
        if of_set.questions > 0 {
            found.scores.push((name, of_set));
        }
    }
    for kind in Kind::ALL {
        let lines: Vec<&Line> = sets.ambiguous.iter().filter(|line| line.example.kind == kind).collect();
        let some: Vec<&&Line> = lines.iter().step_by(lines.len().div_ceil(args.most.max(1)).max(1)).collect();
        for name in DECODERS {
            let Some(decoder) = Decoder::from_name(name) else { continue };
            let mut of_kind = Answers { decoder: name.to_owned(), kind, answers: vec![] };
            for (i, line) in some.iter().enumerate() {
                of_kind.answers.push(ask(model, line, schema(&line.database)?, &decoder, Limits::default())?);
                lab.progress(&format!("ambiguous: {kind:?}, {name}"), i as u64 + 1, some.len() as u64);
            }
            if !some.is_empty() {
                found.readings.push(of_kind);
            }
        }
    }
    let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
    for (name, score) in &found.scores {
        let values = BTreeMap::from([("exact", share(score.exact, score.questions)), ("template", share(score.template, score.questions))]);
        lab.metrics(name, 0, &values);
    }
    Ok(found)
}

impl Found {
    fn print(&self, args: &Train, learned: &Learned, context: Context) -> Result<()> {
        let Learned { saved, plain, ambiguous, left_out, cpu_seconds } = learned;
        if context.json {
            let scores: BTreeMap<&str, &Score> = self.scores.iter().map(|(name, score)| (*name, score)).collect();
            let of = |of_kind: &Answers| {
                let [either, both] = of_kind.shares();
                json!({"kind": of_kind.kind, "decoder": of_kind.decoder, "questions": of_kind.answers.len(), "either": either, "both": both})
            };
            let readings: Vec<_> = self.readings.iter().map(of).collect();
            return print_json(&json!({"schema": "vitrine.sql-train/1", "examples": plain, "ambiguous_examples": ambiguous,
                "left_out": left_out, "beam": args.beam, "list": LIST, "scores": scores, "readings": readings,
                "train_cpu_seconds": cpu_seconds, "out": args.out}));
        }
        println!("{plain} examples learned and {ambiguous} of both readings, {left_out} left out as this model cannot write them");
        let share = |part: usize, all: usize| format!("{:.3}", part as f64 / all.max(1) as f64);
        if !self.scores.is_empty() {
            println!("{:<10} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "questions", "template", "names", "exact", "in five");
        }
        for (name, s) in &self.scores {
            let shares = [
                share(s.template, s.questions),
                share(s.right_names, s.names),
                share(s.exact, s.questions),
                share(s.exact_in_list, s.questions),
            ];
            println!("{name:<10} {:>9} {:>9} {:>9} {:>9} {:>9}", s.questions, shares[0], shares[1], shares[2], shares[3]);
        }
        if !self.readings.is_empty() {
            println!("{:<10} {:<13} {:>9} {:>9} {:>9}", "ambiguous", "decoder", "questions", "either", "both");
        }
        for of_kind in &self.readings {
            let [either, both] = of_kind.shares();
            let kind = format!("{:?}", of_kind.kind);
            println!("{kind:<10} {:<13} {:>9} {either:>9.3} {both:>9.3}", of_kind.decoder, of_kind.answers.len());
        }
        println!("{} ({:.1} MB)", args.out.display(), saved.weights.len() as f64 / 1e6);
        Ok(())
    }
}

//! `sql coverage`: lists of candidates for the questions of an AmbiQT kind, and how many hold one reading, or both.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use vitrine_logical_beam::{
    golden,
    golden_coverage::lines,
    sql::{
        ambiguate::Kind,
        execute::Execute,
        measure::{MEASURES, Totals},
    },
};

use crate::{
    commands::{Context, print_json},
    open::text,
    sql::{Folder, changed::Changed},
};

#[derive(Debug, Args)]
pub struct Coverage {
    /// C, T, J or P.
    #[arg(long)]
    kind: String,
    /// The benchmark's lines of this kind.
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    predictions: PathBuf,
    /// Spider's tables.json; beside the data by default.
    #[arg(long)]
    tables: Option<PathBuf>,
    /// Folder of databases, for EXM, DX and --native.
    #[arg(long)]
    db: Option<PathBuf>,
    /// Also run candidates on changed databases, built in memory, and compare their results with those of the two readings.
    #[arg(long, requires = "db")]
    native: bool,
    /// Candidates of a list that count.
    #[arg(long, default_value_t = 5)]
    k: usize,
    /// Most seconds of one query.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// A line of predictions.
#[derive(Deserialize)]
struct Line {
    id: String,
    candidates: Vec<Query>,
}

/// A query, or one with other things said about it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Query {
    Text(String),
    With { sql: String },
}

impl Query {
    fn text(self) -> String {
        match self {
            Self::Text(sql) | Self::With { sql } => sql,
        }
    }
}

/// The lists by example, cut to `k`.
fn lists(path: &Path, k: usize) -> Result<BTreeMap<String, Vec<String>>> {
    let mut lists = BTreeMap::new();
    for (number, line) in text(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = || format!("{}, line {}", path.display(), number + 1);
        let line: Line = serde_json::from_str(line).with_context(at)?;
        let candidates = line.candidates.into_iter().take(k).map(Query::text).collect();
        if lists.insert(line.id.clone(), candidates).is_some() {
            bail!("{}: a second list for {}", at(), line.id);
        }
    }
    ensure!(!lists.is_empty(), "{} has no lists", path.display());
    Ok(lists)
}

pub fn run(args: &Coverage, context: Context) -> Result<()> {
    let kind = Kind::from_name(&args.kind).with_context(|| format!("there is no kind {}; there are: C, T, J, P", args.kind))?;
    ensure!(args.k > 0, "--k is 0, but has to be at least 1");
    let lists = lists(&args.predictions, args.k)?;
    let examples = lines(kind, &text(&args.data)?).with_context(|| format!("cannot read {}", args.data.display()))?;
    if let Some(unknown) = lists.keys().find(|id| examples.iter().all(|example| example.id != **id)) {
        bail!("{} has no example {unknown}", args.data.display());
    }
    let tables = args.tables.clone().unwrap_or_else(|| args.data.with_file_name("tables.json"));
    let names = golden::names(&text(&tables)?).with_context(|| format!("cannot read {}", tables.display()))?;
    let limit = Duration::from_secs(args.seconds);
    let mut folder = args.db.as_deref().map(|root| Folder::new(root, limit));
    let mut totals = Totals::default();
    for example in &examples {
        let Some(candidates) = lists.get(&example.id) else { continue };
        let database = &example.database;
        let names = names.get(database).with_context(|| format!("there is no database {database} in {}", tables.display()))?;
        let executor = folder.as_mut().map(|folder| folder as &mut dyn Execute);
        totals.add((&example.example, database), candidates, names, executor).with_context(|| example.id.clone())?;
        if let (true, Some(folder)) = (args.native, &folder) {
            let file = folder.files(database)?.into_iter().next().with_context(|| format!("there is no database {database}"))?;
            let mut changed =
                Changed::build(&file, &example.example, limit).with_context(|| format!("{} cannot be changed", example.id))?;
            totals.add_native(&example.example, candidates, &mut changed);
        }
    }
    let measured = MEASURES.iter().zip(&totals.0).filter(|(_, total)| total.questions > 0);
    if context.json {
        let measures: serde_json::Map<String, serde_json::Value> =
            measured.map(|(name, total)| Ok(((*name).to_owned(), serde_json::to_value(total)?))).collect::<Result<_>>()?;
        return print_json(&json!({"schema": "vitrine.sql-coverage/1", "kind": kind, "k": args.k, "measures": measures}));
    }
    println!("{:<8} {:>9} {:>12} {:>12}", "measure", "questions", "EitherInTopK", "BothInTopK");
    for (name, total) in measured {
        let percent = |count: usize| 100.0 * count as f64 / total.questions as f64;
        println!("{name:<8} {:>9} {:>11.2}% {:>11.2}%", total.questions, percent(total.either), percent(total.both));
    }
    Ok(())
}

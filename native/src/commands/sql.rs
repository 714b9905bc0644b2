//! `sql match`: predictions against gold queries. `sql plan`: a query's shape, template and slots. `sql ambiguate`: the second readings that AmbiQT's rules give it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use vitrine_core::study::logical_beam::{
    golden,
    sql::{
        accuracy::{Accuracy, Executed},
        ambiguate::{Ambiguous, Kind, Synonyms, ambiguate},
        ddl,
        exact::Gold,
        execute::{execution_match, match_by_rows},
        plan::Plan,
        schema::Schema,
        strict, tables_json,
        template::{SchemaWords, templatise},
    },
};

use super::{Context, print_json, sql_train};
use crate::{open::text, sql::Folder};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Exact-set match, and with databases execution match, by hardness.
    #[command(
        after_help = "The gold file has a line a question: the query, a tab, the database's name; the file of predictions a query a line.\n\nExample:\n  vitrine sql match --gold gold.txt --pred pred.txt --tables tables.json --db database/"
    )]
    Match(Match),
    /// Plan, template and slots of a query.
    #[command(after_help = "Example:\n  vitrine sql plan 'SELECT name FROM singer WHERE age > 20' --schema shop.sql")]
    Plan(Plans),
    /// The pairs of readings that the four AmbiQT rules make of a query.
    #[command(
        after_help = "Kinds C and T need the lists of synonyms.\n\nExample:\n  vitrine sql ambiguate 'SELECT name, age FROM singer' --kind J --tables tables.json --database concert_singer"
    )]
    Ambiguate(Ambiguate),
    /// Train a text-to-SQL model on questions with queries; without data on ones made by rule.
    #[command(
        after_help = "Examples:\n  vitrine sql train --out sql-model\n  vitrine sql train --data train.jsonl --tables tables.json --ambiqt ambiqt/ --out sql-model"
    )]
    Train(Box<sql_train::Train>),
}

/// Where a schema comes from.
#[derive(Debug, Args)]
struct Source {
    /// Spider's tables.json; with --database.
    #[arg(long, requires = "database", conflicts_with = "schema")]
    tables: Option<PathBuf>,
    #[arg(long)]
    database: Option<String>,
    /// A file of CREATE TABLE statements.
    #[arg(long)]
    schema: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Match {
    #[arg(long)]
    gold: PathBuf,
    #[arg(long)]
    pred: PathBuf,
    #[arg(long)]
    tables: PathBuf,
    /// Folder of databases, NAME.sqlite or NAME/*.sqlite.
    #[arg(long)]
    db: Option<PathBuf>,
    /// Keep DISTINCT when results are compared.
    #[arg(long, requires = "db")]
    keep_distinct: bool,
    /// Also compare without the official reader's habits: join conditions, values, limits and DISTINCT count, aliases have a scope.
    #[arg(long)]
    strict: bool,
    /// Most seconds of one query.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

#[derive(Debug, Args)]
pub struct Plans {
    sql: String,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Args)]
pub struct Ambiguate {
    sql: String,
    /// C, T, J or P; all by default.
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Two names for each column, by database and table (JSON).
    #[arg(long)]
    column_synonyms: Option<PathBuf>,
    /// Two names for each table, by database (JSON).
    #[arg(long)]
    table_synonyms: Option<PathBuf>,
}

pub fn run(command: Command, context: Context) -> Result<()> {
    match command {
        Command::Match(args) => matched(&args, context),
        Command::Plan(args) => plan(&args, context),
        Command::Ambiguate(args) => ambiguous(&args, context),
        Command::Train(args) => sql_train::run(&args, context),
    }
}

impl Source {
    fn read(&self) -> Result<Schema> {
        match (&self.tables, &self.schema) {
            (Some(tables), _) => {
                let name = self.database.as_deref().unwrap_or_default();
                tables_json::read(&text(tables)?)
                    .with_context(|| format!("cannot read {}", tables.display()))?
                    .into_iter()
                    .find(|schema| schema.name == name)
                    .with_context(|| format!("there is no database {name} in {}", tables.display()))
            }
            (None, Some(path)) => {
                let name =
                    self.database.clone().or_else(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).unwrap_or_default();
                ddl::read(&text(path)?, &name).with_context(|| format!("cannot read the schema {}", path.display()))
            }
            (None, None) => bail!("a schema is needed: --tables FILE --database NAME, or --schema FILE.sql"),
        }
    }
}

fn matched(args: &Match, context: Context) -> Result<()> {
    let (gold, predictions) = (text(&args.gold)?, text(&args.pred)?);
    let gold: Vec<&str> = gold.lines().filter(|line| !line.trim().is_empty()).collect();
    let predictions: Vec<&str> = predictions.lines().collect();
    // A prediction may be an empty line, except behind the last one.
    let last = predictions.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    let predictions = &predictions[..last.max(predictions.len().min(gold.len()))];
    ensure!(!gold.is_empty(), "{} has no questions", args.gold.display());
    ensure!(
        gold.len() == predictions.len(),
        "{} has {} questions, {} has {} predictions",
        args.gold.display(),
        gold.len(),
        args.pred.display(),
        predictions.len()
    );
    let names = golden::names(&text(&args.tables)?).with_context(|| format!("cannot read {}", args.tables.display()))?;
    let mut folder = args.db.as_deref().map(|root| Folder::new(root, Duration::from_secs(args.seconds)));
    let mut accuracy = Accuracy::default();
    for (i, (line, prediction)) in gold.iter().zip(predictions).enumerate() {
        let at = || format!("question {}", i + 1);
        let (query, database) =
            line.rsplit_once('\t').with_context(|| format!("{}: no tab and database's name in {}", at(), args.gold.display()))?;
        let database = database.trim();
        let names =
            names.get(database).with_context(|| format!("{}: there is no database {database} in {}", at(), args.tables.display()))?;
        let gold = Gold::new(query, names).with_context(|| format!("{}: the gold query cannot be read", at()))?;
        // What a tab separates from a prediction is its score.
        let prediction = prediction.split('\t').next().unwrap_or_default();
        let executed = match &mut folder {
            Some(folder) => {
                let suite = execution_match(query, prediction, database, args.keep_distinct, folder)
                    .with_context(|| format!("{}: the gold query has no result", at()))?;
                Some(Executed { suite, by_rows: match_by_rows(query, prediction, database, names, folder).with_context(at)? })
            }
            None => None,
        };
        let strict = if args.strict { Some(strict::same(query, prediction, names).with_context(at)?) } else { None };
        accuracy.add(&gold.judge(prediction), strict, executed);
    }
    if context.json {
        let levels: serde_json::Map<String, serde_json::Value> =
            accuracy.named().map(|(name, count)| Ok((name, serde_json::to_value(count)?))).collect::<Result<_>>()?;
        return print_json(&json!({"schema": "vitrine.sql-match/1", "levels": levels}));
    }
    println!(
        "{:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "level", "questions", "readable", "exact", "strict", "executed", "EXM", "DX"
    );
    for (name, count) in accuracy.named() {
        let share =
            |right: usize| if count.questions == 0 { "-".to_owned() } else { format!("{:.3}", right as f64 / count.questions as f64) };
        let or_dash = |right: Option<usize>| right.map_or_else(|| "-".to_owned(), share);
        println!(
            "{name:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            count.questions,
            share(count.readable),
            share(count.exact),
            or_dash(count.strict),
            or_dash(count.executed),
            or_dash(count.exm),
            or_dash(count.dx)
        );
    }
    Ok(())
}

fn plan(args: &Plans, context: Context) -> Result<()> {
    let schema = args.source.read()?;
    ensure!(!args.sql.trim().is_empty(), "the query is empty");
    let (plan, template) = (Plan::of(&args.sql), templatise(&args.sql, &SchemaWords::new(&schema)));
    if context.json {
        return print_json(&json!({"schema": "vitrine.sql-plan/1", "plan": plan, "template": template.text, "values": template.values,
            "counterfactuals": plan.counterfactuals()}));
    }
    println!("plan      {plan}");
    println!("template  {}", template.text);
    for (slot, value) in &template.values {
        println!("{:<9} {value}", slot.word());
    }
    Ok(())
}

fn ambiguous(args: &Ambiguate, context: Context) -> Result<()> {
    let schema = args.source.read()?;
    let kinds = match &args.kind {
        Some(name) => vec![Kind::from_name(name).with_context(|| format!("there is no kind {name}; there are: C, T, J, P"))?],
        None => Kind::ALL.to_vec(),
    };
    let read = |path: &Option<PathBuf>| path.as_deref().map(text).transpose();
    let columns = read(&args.column_synonyms)?
        .map_or(Ok(BTreeMap::default()), |text| serde_json::from_str(&text))
        .context("the synonyms of columns")?;
    let tables = read(&args.table_synonyms)?
        .map_or(Ok(BTreeMap::default()), |text| serde_json::from_str(&text))
        .context("the synonyms of tables")?;
    for (kind, path, option) in [(Kind::C, &args.column_synonyms, "--column-synonyms"), (Kind::T, &args.table_synonyms, "--table-synonyms")]
    {
        ensure!(path.is_some() || args.kind.is_none() || kinds != [kind], "kind {kind:?} needs {option}");
    }
    let synonyms = Synonyms::of(&schema.name, &columns, &tables);
    let found: Vec<Ambiguous> = kinds.into_iter().flat_map(|kind| ambiguate(kind, &args.sql, &schema, &synonyms)).collect();
    if context.json {
        return print_json(&json!({"schema": "vitrine.sql-ambiguate/1", "found": found}));
    }
    for Ambiguous { kind, readings: [first, second], .. } in &found {
        println!("{kind:?}  {first}\n   {second}");
    }
    if found.is_empty() {
        println!("no second reading");
    }
    Ok(())
}

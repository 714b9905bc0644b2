//! `sql ambiguate`: the second readings that AmbiQT's rules give a query, or the benchmark that they make of a file of questions.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use vitrine_logical_beam::{
    golden_coverage::Line,
    model::{evaluate::changed, examples},
    sql::{
        ambiguate::{Ambiguous, Kind, Synonyms, ambiguate},
        schema::Schema,
        schema_text::{Form, schema_text},
        statement::one_select,
        tables_json,
    },
};

use super::Source;
use crate::{
    commands::{Context, print_json},
    open::text,
};

#[derive(Debug, Args)]
pub struct Ambiguate {
    #[arg(required_unless_present = "data", conflicts_with = "data")]
    sql: Option<String>,
    /// JSON lines with `db_id`, `question` and `query` in place of one query, with --tables: prints the benchmark's lines.
    #[arg(long, requires = "tables", conflicts_with_all = ["schema", "database"])]
    data: Option<PathBuf>,
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
    /// Shuffles the columns and tables of the schemas that --data prints.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub fn run(args: &Ambiguate, context: Context) -> Result<()> {
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
    let synonyms = |database: &str| Synonyms::of(database, &columns, &tables);
    if let (Some(data), Some(path)) = (&args.data, &args.source.tables) {
        return benchmark((data, path), &kinds, synonyms, args.seed, context);
    }
    let (schema, sql) = (args.source.read()?, args.sql.as_deref().unwrap_or_default());
    one_select(sql)?;
    let synonyms = synonyms(&schema.name);
    let found: Vec<Ambiguous> = kinds.into_iter().flat_map(|kind| ambiguate(kind, sql, &schema, &synonyms)).collect();
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

/// Prints a line for each ambiguity of each question, kinds one after the other; how many there are goes to standard error.
fn benchmark(
    (data, tables): (&Path, &Path),
    kinds: &[Kind],
    synonyms: impl Fn(&str) -> Synonyms,
    seed: u64,
    context: Context,
) -> Result<()> {
    let schemas = tables_json::read(&text(tables)?).with_context(|| format!("cannot read {}", tables.display()))?;
    let schemas: BTreeMap<&str, &Schema> = schemas.iter().map(|schema| (schema.name.as_str(), schema)).collect();
    let pairs = examples::pairs(&text(data)?).with_context(|| format!("in {}", data.display()))?;
    let synonyms: BTreeMap<&str, Synonyms> = schemas.keys().map(|name| (*name, synonyms(name))).collect();
    let mut out = std::io::stdout().lock();
    for &kind in kinds {
        let mut count = 0_usize;
        for (number, pair) in pairs.iter().enumerate() {
            let (name, database) = (pair.database.as_str(), || format!("there is no database {} in {}", pair.database, tables.display()));
            let (schema, synonyms) = schemas.get(name).zip(synonyms.get(name)).with_context(database)?;
            for example in ambiguate(kind, &pair.query, schema, synonyms) {
                // C leaves the tables as they are.
                let form = Form { seed: Some(seed.wrapping_add(number as u64)), shuffle_tables: kind != Kind::C, ..Form::default() };
                let schema = schema_text(&changed(schema, &example.change), form, |_| vec![]);
                let line = Line { id: format!("{kind:?}{count}"), database: name.to_owned(), question: pair.question.clone(), example };
                writeln!(out, "{}", line.to_json(&schema))?;
                count += 1;
            }
        }
        if !context.quiet {
            eprintln!("{kind:?}: {count} examples of {} questions", pairs.len());
        }
    }
    Ok(())
}

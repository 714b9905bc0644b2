//! `sql ambiguate`: the second readings that AmbiQT's rules give a query.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use vitrine_core::study::logical_beam::sql::ambiguate::{Ambiguous, Kind, Synonyms, ambiguate};

use super::Source;
use crate::{
    commands::{Context, print_json},
    open::text,
};

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

pub fn run(args: &Ambiguate, context: Context) -> Result<()> {
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

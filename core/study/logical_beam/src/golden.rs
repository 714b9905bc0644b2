//! Golden checks of SQL: what the official evaluators say about pairs of queries.
//!
//! **Source.** The README of the data set names the tools; the files hold their verdicts as they are, quirks included.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::sql::{
    exact::{Components, Gold},
    execute::{Execute, ExecuteError, execution_match},
    hardness::Hardness,
    names::Names,
    parse::ParseError,
    tables_json::{self, TablesError},
};
use vitrine_core::golden::Agreement;

/// Why a golden file of SQL cannot be compared.
#[derive(Debug, Error)]
pub enum GoldenError {
    #[error("not a golden file of this kind: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Tables(#[from] TablesError),
    #[error("{id}: there is no database {database} in the file of schemas")]
    NoDatabase { id: String, database: String },
    #[error("{id}: the gold query cannot be read: {source}")]
    Gold { id: String, source: ParseError },
    #[error("not an example of kind {kind}: {line}")]
    Line { kind: String, line: String },
    #[error("there are no examples of kind {0} beside the golden file ({0}.jsonl)")]
    NoExamples(String),
    #[error("there is no example {0} beside the golden file")]
    NoExample(String),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

#[derive(Deserialize)]
struct Pairs {
    pairs: Vec<Pair>,
}

/// One pair of a golden file.
#[derive(Debug, Clone, Deserialize)]
pub struct Pair {
    #[serde(default)]
    pub id: String,
    pub db_id: String,
    pub gold: String,
    pub pred: String,
    pub parses: bool,
    pub exact_match: bool,
    pub components: Components,
    pub hardness: Hardness,
    /// Whether both give the same rows, DISTINCT dropped.
    pub exec_match: Option<bool>,
    /// The same with DISTINCT kept.
    pub exec_match_keep_distinct: Option<bool>,
}

/// The pairs of a golden file.
///
/// # Errors
/// When it is not such a file.
pub fn pairs(text: &str) -> Result<Vec<Pair>, GoldenError> {
    Ok(serde_json::from_str::<Pairs>(text)?.pairs)
}

/// The names of all databases of a `tables.json`.
///
/// # Errors
/// As [`tables_json::read`].
pub fn names(tables: &str) -> Result<BTreeMap<String, Names>, TablesError> {
    Ok(tables_json::read(tables)?.into_iter().map(|schema| (schema.name.clone(), Names::new(&schema))).collect())
}

/// Exact-set match: verdict, ten clauses, hardness, and whether the prediction can be read at all.
///
/// # Errors
/// When a file is not what it should be, or a gold query cannot be read.
pub fn exact_match(golden: &str, tables: &str) -> Result<Vec<Agreement>, GoldenError> {
    let names = names(tables)?;
    let [mut verdicts, mut clauses, mut levels, mut readable] = ["exact-set match", "clauses", "hardness", "readable"].map(Agreement::of);
    for pair in pairs(golden)? {
        let Pair { id, db_id: database, .. } = &pair;
        let names = names.get(database).ok_or_else(|| GoldenError::NoDatabase { id: id.clone(), database: database.clone() })?;
        let gold = Gold::new(&pair.gold, names).map_err(|source| GoldenError::Gold { id: id.clone(), source })?;
        let found = gold.judge(&pair.pred);
        let line = |what: &str| format!("{id} {what} of {:?} for {:?}", pair.pred, pair.gold);
        verdicts.yes_or_no(found.exact == pair.exact_match, || line("verdict"));
        for ((name, ours), (_, theirs)) in found.components.named().into_iter().zip(pair.components.named()) {
            clauses.yes_or_no(ours == theirs, || line(name));
        }
        levels.yes_or_no(found.hardness == pair.hardness, || line("hardness"));
        readable.yes_or_no(found.parses == pair.parses, || line("readability"));
    }
    Ok(vec![verdicts, clauses, levels, readable])
}

/// Test-suite execution match, with DISTINCT dropped and kept. Pairs whose gold query does not run have no verdict.
///
/// # Errors
/// When the file is not what it should be, a database is missing or a gold query fails.
pub fn execution(golden: &str, executor: &mut impl Execute) -> Result<Vec<Agreement>, GoldenError> {
    let [mut dropped, mut kept] = ["execution match", "execution match, DISTINCT kept"].map(Agreement::of);
    for pair in pairs(golden)? {
        for (verdict, keep, found) in [(pair.exec_match, false, &mut dropped), (pair.exec_match_keep_distinct, true, &mut kept)] {
            let Some(verdict) = verdict else { continue };
            let same = execution_match(&pair.gold, &pair.pred, &pair.db_id, keep, executor)?;
            found.yes_or_no(same == verdict, || format!("{} {:?} for {:?}", pair.id, pair.pred, pair.gold));
        }
    }
    Ok(vec![dropped, kept])
}

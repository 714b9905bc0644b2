//! Coverage by mapping back: which readings of an ambiguous question a list of candidate queries covers.
//!
//! No changed database is needed: every candidate is rewritten twice into the original schema, once per reading, and each rewrite is compared with the original
//! query there. A candidate that uses a name which the change took away is rewritten too (to one of the new names), so it counts as wrong. The rewriting is the released
//! one, token by token, with its habits; each is named where it stands.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, the released evaluation (metric of record).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    ambiguate::{Ambiguous, Change},
    text::{AGGREGATES, bare, join, normalise, select_list, split},
};

/// A candidate rewritten for reading 1 and for reading 2. What stands before the last `@` (a plan) is dropped first.
pub fn map_back(example: &Ambiguous, candidate: &str) -> [String; 2] {
    let candidate = candidate.rsplit('@').next().unwrap_or_default();
    let sql = normalise(candidate);
    match &example.change {
        Change::Column { column, names, .. } => names.each_ref().map(|name| rename_columns(&sql, column, name)),
        Change::Table { table, names } => names.each_ref().map(|name| rename_tables(&sql, table, name)),
        Change::Join { table, key, name, .. } => {
            let joined = unjoined(&sql, table, name, key);
            [sql, joined]
        }
        Change::Aggregate { name, .. } => {
            let computed = computed(&sql, &example.original, name);
            [sql, computed]
        }
    }
}

/// `name` becomes `original`, and `original` (which is no longer there) `name`.
fn swapped<'a>(text: &'a str, original: &'a str, name: &'a str) -> &'a str {
    if text == name {
        original
    } else if text == original {
        name
    } else {
        text
    }
}

/// Qualified tokens by what stands behind the period.
fn rename_columns(sql: &str, original: &str, name: &str) -> String {
    let token = |token: &String| match token.split_once('.') {
        Some((alias, column)) if !column.contains('.') => format!("{alias}.{}", swapped(column, original, name)),
        _ => swapped(token, original, name).to_owned(),
    };
    join(&split(sql).iter().map(token).collect::<Vec<_>>())
}

/// In a token with one period only what stands before it is looked up.
fn rename_tables(sql: &str, original: &str, name: &str) -> String {
    let token = |token: &String| match token.split_once('.') {
        Some((table, column)) if !column.contains('.') => format!("{}.{column}", swapped(table, original, name)),
        _ => swapped(token, original, name).to_owned(),
    };
    join(&split(sql).iter().map(token).collect::<Vec<_>>())
}

/// The exact join of both tables becomes the table, and all aliases in front of columns are dropped. Only the join that begins with the old table as `t1` is seen, with
/// either order of the keys: so the published verdicts, which leave a join that begins with the new table as it is.
fn unjoined(sql: &str, table: &str, name: &str, key: &str) -> String {
    let mut text = sql.to_owned();
    for (a, b) in [("t1", "t2"), ("t2", "t1")] {
        text = text.replace(&format!("{table} as t1 join {name} as t2 on {a}.{key} = {b}.{key}"), table);
    }
    join(&split(&text).iter().map(|token| bare(token).to_owned()).collect::<Vec<_>>())
}

/// Tokens between spaces and commas: for this kind brackets stay with their words, so `sum(sum_x)` and `x)` are not looked up.
fn split_at_commas(sql: &str) -> Vec<String> {
    sql.replace(',', " , ").split_whitespace().map(str::to_owned).collect()
}

/// The precomputed aggregates are computed again, and the grouping that the new table stood for is put back.
fn computed(sql: &str, original: &str, name: &str) -> String {
    let tokens = split_at_commas(original);
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for token in &tokens {
        let called = AGGREGATES
            .iter()
            .find_map(|aggregate| token.strip_prefix(aggregate)?.strip_prefix('(')?.strip_suffix(')').map(|column| (aggregate, column)));
        match called {
            Some((&"count", "*")) => names.insert("number".into(), token.clone()),
            Some((aggregate, column)) => names.insert(format!("{aggregate}_{}", bare(column)), token.clone()),
            None if bare(token) != token => names.insert(bare(token).to_owned(), token.clone()),
            None => None,
        };
    }
    names.insert(name.to_owned(), from_clause(original));
    if tokens.iter().any(|token| token == "having") {
        names.insert("where".into(), "having".into());
    }
    let mapped: Vec<String> = split_at_commas(sql).iter().map(|token| names.get(token).unwrap_or(token).clone()).collect();
    let text = join(&mapped);
    let Some(column) = grouping(&text, original) else { return text };
    match text.split_once(" having ") {
        Some((before, after)) => normalise(&format!("{before} group by {column} having {after}")),
        None => normalise(&format!("{text} group by {column}")),
    }
}

/// What stands between FROM and the next clause.
fn from_clause(sql: &str) -> String {
    let tokens = split(sql);
    let start = tokens.iter().position(|token| token == "from").map_or(tokens.len(), |at| at + 1);
    let clause = |token: &&String| !matches!(token.as_str(), "where" | "group" | "having" | "order" | "limit");
    join(&tokens[start..].iter().take_while(clause).cloned().collect::<Vec<_>>())
}

/// The column by which the looked-up rows were grouped: the first select item that is no aggregate. One column is known by name, as the release knows it: queries that group
/// by `countrycode` without selecting it first.
fn grouping(mapped: &str, original: &str) -> Option<String> {
    let selected = select_list(&split(original)).iter().any(|token| bare(token) == "countrycode");
    if original.contains("group by countrycode") && (!selected || original.starts_with("select language,")) {
        return Some("countrycode".into());
    }
    let tokens = split(mapped);
    let mut items = select_list(&tokens).split(|token| token == ",");
    items.find(|item| !item.iter().any(|token| token == "(")).map(|item| item.join(" "))
}

/// What one candidate hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hits {
    pub first: bool,
    pub second: bool,
}

impl Hits {
    /// Hits of one candidate from the comparisons of its two rewrites. Where the first reading is the candidate unchanged (J and P), the second counts only if the
    /// first did not match.
    pub fn new(change: &Change, first: bool, second: bool) -> Self {
        let exclusive = matches!(change, Change::Join { .. } | Change::Aggregate { .. });
        Self { first, second: second && !(exclusive && first) }
    }
}

/// Whether a list hits one of the readings, and whether it hits both.
pub fn either_and_both(list: &[Hits]) -> (bool, bool) {
    let (first, second) = (list.iter().any(|hits| hits.first), list.iter().any(|hits| hits.second));
    (first || second, first && second)
}

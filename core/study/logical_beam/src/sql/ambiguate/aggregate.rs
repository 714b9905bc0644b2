//! Kind P: a table of aggregates computed beforehand, so the answer may be computed or looked up.
//!
//! A known flaw of the benchmark is kept: columns of WHERE join the new table only where the query qualifies them, so some second readings cannot run.

use super::Change;
use crate::sql::text::{AGGREGATES, bare, split};

/// The pair of readings, for queries with an aggregated column, one SELECT, no DISTINCT and not both WHERE and HAVING.
pub fn generate(sql: &str) -> Option<([String; 2], Change)> {
    let tokens = split(sql);
    let at = |word: &str| tokens.iter().rposition(|token| token == word);
    let count = |word: &str| tokens.iter().filter(|token| *token == word).count();
    let from = tokens.iter().position(|token| token == "from")?;
    if count("select") != 1
        || tokens.first().is_none_or(|token| token != "select")
        || count("distinct") > 0
        || (at("where").is_some() && at("having").is_some())
    {
        return None;
    }
    let items = tokens[1..from].split(|token| token == ",").map(item).collect::<Option<Vec<Item>>>()?;
    let mut tables: Vec<&str> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if matches!(token.as_str(), "from" | "join") {
            tables.push(tokens.get(i + 1)?);
        }
    }
    let tail = at("where").or_else(|| at("having")).map(|start| precomputed(&tokens[start + 1..]));
    let mut plain: Vec<String> = Vec::new();
    let mut aggregated: Vec<String> = Vec::new();
    let mut number = false;
    let add = |list: &mut Vec<String>, name: &str| {
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    };
    for item in &items {
        match item {
            Item::Plain(column) => add(&mut plain, column),
            Item::Number => number = true,
            Item::Aggregate(_, column) => add(&mut aggregated, column),
        }
    }
    let having = at("having").is_some();
    for (text, item, qualified) in tail.iter().flatten() {
        match item {
            Some(Item::Aggregate(_, column)) if having => add(&mut aggregated, column),
            Some(Item::Number) if having => number = true,
            None if *qualified => add(&mut plain, text),
            _ => {}
        }
    }
    if aggregated.is_empty() {
        return None;
    }
    let name = tables.iter().copied().chain(aggregated.iter().map(String::as_str)).collect::<Vec<_>>().join("_");
    let mut reading = format!("select {} from {name}", items.iter().map(Item::name).collect::<Vec<_>>().join(", "));
    if let Some(tail) = tail {
        let tail: Vec<String> = tail.into_iter().map(|(text, ..)| text).collect();
        reading = format!("{reading} where {}", super::super::text::join(&tail));
    }
    let mut columns = plain;
    if number {
        columns.push("number".into());
    }
    columns.extend(aggregated.iter().flat_map(|column| ["sum", "avg", "min", "max"].map(|aggregate| format!("{aggregate}_{column}"))));
    Some(([sql.to_owned(), reading], Change::Aggregate { name, columns }))
}

enum Item {
    Plain(String),
    /// `count(*)`.
    Number,
    Aggregate(String, String),
}

impl Item {
    fn name(&self) -> String {
        match self {
            Self::Plain(column) => column.clone(),
            Self::Number => "number".into(),
            Self::Aggregate(aggregate, column) => format!("{aggregate}_{column}"),
        }
    }
}

/// A select item: a column or an aggregate of one; anything else makes the query unfit.
fn item(tokens: &[String]) -> Option<Item> {
    match tokens {
        [column] if bare(column) != "*" => Some(Item::Plain(bare(column).to_owned())),
        [_, open, _, close] if open == "(" && close == ")" => called(tokens),
        _ => None,
    }
}

/// `agg ( column )` at the start of `tokens`.
fn called(tokens: &[String]) -> Option<Item> {
    match tokens {
        [aggregate, open, column, close, ..] if AGGREGATES.contains(&aggregate.as_str()) && open == "(" && close == ")" => {
            let column = bare(column);
            match (aggregate.as_str(), column) {
                ("count", "*") => Some(Item::Number),
                (_, "*") => None,
                _ => Some(Item::Aggregate(aggregate.clone(), column.to_owned())),
            }
        }
        _ => None,
    }
}

/// Conditions over the new table: aliases dropped, aggregates by their column's name. Each token with the aggregate it was and whether it was qualified.
fn precomputed(tokens: &[String]) -> Vec<(String, Option<Item>, bool)> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        if let Some(item) = called(&tokens[at..]) {
            out.push((item.name(), Some(item), false));
            at += 4;
        } else {
            out.push((bare(token).to_owned(), None, bare(token) != token));
            at += 1;
        }
    }
    out
}

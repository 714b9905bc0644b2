//! Golden check of coverage: for lists of candidates, which readings each hits, by exact-set match and (with databases) by rows.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    golden::{GoldenError, names},
    sql::{
        ambiguate::{Ambiguous, Change, Kind},
        coverage::{Hits, either_and_both, map_back},
        exact::Gold,
        execute::{Execute, gold_rows},
        rows::{Rows, same_directly},
    },
};
use vitrine_core::golden::Agreement;

/// Largest difference of a percentage: the files have two decimals.
const TOLERANCE: f64 = 0.006;

#[derive(Deserialize)]
struct OfKind {
    summary: BTreeMap<String, BTreeMap<String, f64>>,
    results: BTreeMap<String, Vec<Example>>,
}

#[derive(Deserialize)]
struct Example {
    id: String,
    candidates: Vec<Candidate>,
    em_either: u8,
    em_both: u8,
    dx_either: u8,
    dx_both: u8,
}

#[derive(Deserialize)]
struct Candidate {
    sql: String,
    mapped: Option<[String; 2]>,
    em: [u8; 2],
    dx: [u8; 2],
}

/// One line of the benchmark: the example with its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub id: String,
    pub database: String,
    pub question: String,
    pub example: Ambiguous,
}

/// Reads the lines of one kind of the benchmark (`C.jsonl` and its like).
///
/// # Errors
/// When a line is not such a line.
pub fn lines(kind: Kind, text: &str) -> Result<Vec<Line>, GoldenError> {
    let read = |line: &str| -> Result<Line, GoldenError> {
        let value: Value = serde_json::from_str(line)?;
        let wrong = || GoldenError::Line { kind: format!("{kind:?}"), line: line.chars().take(80).collect() };
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong);
        Ok(Line {
            id: text("id")?,
            database: text("db_id")?,
            question: text("question")?,
            example: Ambiguous {
                kind,
                original: text("orig_query")?,
                readings: [text("query1")?, text("query2")?],
                change: change(kind, &value).ok_or_else(wrong)?,
            },
        })
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

impl Line {
    /// The line as the benchmark writes it; [`lines`] reads it again. `schema` is the text of the changed schema.
    pub fn to_json(&self, schema: &str) -> Value {
        let Ambiguous { kind, original, readings: [first, second], change } = &self.example;
        let mut line = json!({"id": self.id, "kind": kind, "db_id": self.database, "question": self.question, "orig_query": original,
            "query1": first, "query2": second, "schema": schema});
        match change {
            Change::Column { table, column, names } => line["map"] = json!({table: {column: names}}),
            Change::Table { table, names } => line["map"] = json!({table: names}),
            Change::Join { table, column, key, .. } => {
                line["split_map"] = json!({table: column});
                line["primary_key"] = json!({table: key});
            }
            Change::Aggregate { name, columns } => {
                line["new_table_name"] = json!(name);
                line["all_cols"] = json!(columns);
            }
        }
        line
    }
}

/// What the line says was changed.
fn change(kind: Kind, line: &Value) -> Option<Change> {
    let only = |value: &Value| value.as_object()?.iter().next().map(|(key, value)| (key.to_lowercase(), value.clone()));
    let text = |value: &Value| value.as_str().map(str::to_lowercase);
    let names = |value: &Value| match value.as_array()?.as_slice() {
        [a, b] => Some([text(a)?, text(b)?]),
        _ => None,
    };
    Some(match kind {
        Kind::C => {
            let (table, columns) = only(line.get("map")?)?;
            let (column, pair) = only(&columns)?;
            Change::Column { table, column, names: names(&pair)? }
        }
        Kind::T => {
            let (table, pair) = only(line.get("map")?)?;
            Change::Table { table, names: names(&pair)? }
        }
        Kind::J => {
            let (table, column) = only(line.get("split_map")?)?;
            let (_, key) = only(line.get("primary_key")?)?;
            let (column, key) = (text(&column)?, text(&key)?);
            Change::Join { name: format!("{table}_{column}"), table, column, key }
        }
        Kind::P => Change::Aggregate {
            name: text(line.get("new_table_name")?)?,
            columns: line.get("all_cols")?.as_array()?.iter().map(text).collect::<Option<_>>()?,
        },
    })
}

/// AmbiQT's direct match of a rewritten candidate with the original query and its result; when that fails nothing matches it.
fn direct((original, right): (&str, Option<&Rows>), sql: &str, database: &str, executor: &mut dyn Execute) -> bool {
    right.is_some_and(|right| executor.run(database, sql).is_ok_and(|rows| same_directly(original, right, &rows)))
}

/// Coverage of all lists of a golden file. `examples` gives the benchmark's lines of each kind; without an executor the checks by rows are left out.
///
/// # Errors
/// When a file is not what it should be, or a database is missing.
pub fn coverage(
    golden: &str,
    tables: &str,
    mut examples: impl FnMut(Kind) -> Option<String>,
    mut executor: Option<&mut dyn Execute>,
) -> Result<Vec<Agreement>, GoldenError> {
    let names = names(tables)?;
    let file: BTreeMap<String, Value> = serde_json::from_str(golden)?;
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let Some(of_kind) = file.get(&format!("{kind:?}")) else { continue };
        let of_kind: OfKind = serde_json::from_value(of_kind.clone())?;
        let text = examples(kind).ok_or_else(|| GoldenError::NoExamples(format!("{kind:?}")))?;
        let lines: BTreeMap<String, Line> = lines(kind, &text)?.into_iter().map(|line| (line.id.clone(), line)).collect();
        let what = ["rewrites", "exact-set hits", "rows hits", "lists", "summaries"];
        let [mut rewrites, mut exact, mut rows, mut lists, mut summaries] = what.map(|what| Agreement::of(&format!("{kind:?} {what}")));
        for (method, results) in &of_kind.results {
            let mut totals = [0_u32; 4];
            for result in results {
                let line = lines.get(&result.id).ok_or_else(|| GoldenError::NoExample(result.id.clone()))?;
                let original = &line.example.original;
                let no_database = || GoldenError::NoDatabase { id: line.id.clone(), database: line.database.clone() };
                // A gold query that cannot be read is right whatever is compared with it: so the tool.
                let gold = Gold::new(original, names.get(&line.database).ok_or_else(no_database)?).ok();
                let right = match executor.as_deref_mut() {
                    Some(executor) => gold_rows(original, &line.database, executor)?,
                    None => None,
                };
                let (mut by_text, mut by_rows) = (Vec::new(), Vec::new());
                for candidate in &result.candidates {
                    let name = |what: &str| format!("{} {method} {what}: {}", line.id, candidate.sql);
                    let mapped = map_back(&line.example, &candidate.sql);
                    if let Some(theirs) = &candidate.mapped {
                        rewrites.yes_or_no(mapped == *theirs, || name("rewrite"));
                    }
                    let em = mapped.each_ref().map(|sql| gold.as_ref().is_none_or(|gold| gold.judge(sql).exact));
                    let hits = Hits::new(&line.example.change, em[0], em[1]);
                    exact.yes_or_no([hits.first, hits.second] == candidate.em.map(|hit| hit == 1), || name("exact-set"));
                    by_text.push(hits);
                    if let Some(executor) = executor.as_deref_mut() {
                        let dx = mapped.each_ref().map(|sql| direct((original, right.as_ref()), sql, &line.database, executor));
                        let hits = Hits::new(&line.example.change, dx[0], dx[1]);
                        rows.yes_or_no([hits.first, hits.second] == candidate.dx.map(|hit| hit == 1), || name("rows"));
                        by_rows.push(hits);
                    }
                }
                let (em, dx) = (either_and_both(&by_text), either_and_both(&by_rows));
                let name = |what: &str| format!("{} {method} {what}", line.id);
                lists.yes_or_no(em == (result.em_either == 1, result.em_both == 1), || name("exact-set"));
                if executor.is_some() {
                    lists.yes_or_no(dx == (result.dx_either == 1, result.dx_both == 1), || name("rows"));
                }
                for (total, hit) in totals.iter_mut().zip([em.0, em.1, dx.0, dx.1]) {
                    *total += u32::from(hit);
                }
            }
            let Some(summary) = of_kind.summary.get(method) else { continue };
            let measured = if executor.is_some() { 4 } else { 2 };
            for (name, total) in ["em_either", "em_both", "dx_either", "dx_both"].into_iter().zip(totals).take(measured) {
                let percent = 100.0 * f64::from(total) / results.len().max(1) as f64;
                let theirs = summary.get(name).copied().unwrap_or(f64::NAN);
                summaries.case((percent - theirs).abs(), TOLERANCE, || format!("{method} {name}: {percent:.2}, should be {theirs}"));
            }
        }
        found.extend([rewrites, exact, rows, lists, summaries].into_iter().filter(|agreement| agreement.cases > 0));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{super::sql::ambiguate::Synonyms, super::sql::ambiguate::ambiguate, super::sql::ddl, *};

    #[test]
    fn lines_are_read_as_they_were_written() {
        let schema = ddl::read("CREATE TABLE singer (singer_id int PRIMARY KEY, name text, age int)", "d").unwrap();
        let (columns, tables) = (r#"{"d": {"singer": {"age": ["years", "born"]}}}"#, r#"{"d": {"singer": ["artist", "performer"]}}"#);
        let synonyms = Synonyms::of("d", &serde_json::from_str(columns).unwrap(), &serde_json::from_str(tables).unwrap());
        for (kind, query) in [
            (Kind::C, "select age from singer"),
            (Kind::T, "select age from singer where age > 3"),
            (Kind::J, "select name, age from singer"),
            (Kind::P, "select avg(age), min(age) from singer"),
        ] {
            let found = ambiguate(kind, query, &schema, &synonyms);
            assert!(!found.is_empty(), "{kind:?}");
            for example in found {
                let line = Line { id: format!("{kind:?}1"), database: "d".into(), question: "how old?".into(), example };
                assert_eq!(lines(kind, &line.to_json("singer : age").to_string()).unwrap(), [line]);
            }
        }
    }
}

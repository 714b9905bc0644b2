//! A list as people read it: each query with what sets it apart and what it returns. Command line and page show the same answers.
//!
//! **Method.** A query is compared with the first one, the first with the second. Queries with equal results are counted, or shown once.

use serde_json::{Value as Json, json};

use super::{
    difference::{Stretch, describe, highlight},
    merge::Candidate,
    results::Group,
};
use crate::sql::{
    rows::{Rows, Value},
    template::SchemaWords,
};

/// One answer: a query, and how many others have its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub candidate: Candidate,
    pub same_result: usize,
    /// The rows, or why there are none; nothing without a database.
    pub rows: Option<Result<Rows, String>>,
}

/// The list in its order, each with its result; of each result only the first where `one_per_result` says so.
pub fn answers(list: &[Candidate], order: &[usize], groups: Option<&[Group]>, one_per_result: bool) -> Vec<Answer> {
    let mut shown: Vec<usize> = vec![];
    let mut answers = vec![];
    for &place in order {
        let found = groups.and_then(|groups| groups.iter().enumerate().find(|(_, group)| group.members.contains(&place)));
        if let (true, Some((number, _))) = (one_per_result, found) {
            if shown.contains(&number) {
                continue;
            }
            shown.push(number);
        }
        answers.push(Answer {
            candidate: list[place].clone(),
            same_result: found.map_or(0, |(_, group)| group.members.len() - 1),
            rows: found.map(|(_, group)| group.rows.clone().map_err(|error| error.to_string())),
        });
    }
    answers
}

/// What a query is set beside: the first of the list, or the second for the first.
fn beside(answers: &[Answer], place: usize) -> Option<&str> {
    let other = if place == 0 { answers.get(1) } else { answers.first() };
    other.map(|other| other.candidate.sql.as_str())
}

/// What the query at `place` does that the one beside it does not, in words.
pub fn difference(answers: &[Answer], place: usize, words: &SchemaWords) -> String {
    let this = answers.get(place).map(|answer| answer.candidate.sql.as_str());
    this.zip(beside(answers, place)).map_or_else(String::new, |(this, other)| describe(this, other, words))
}

/// The query at `place`, cut where it begins or ends to differ from the one beside it.
pub fn stretches(answers: &[Answer], place: usize) -> Vec<Stretch> {
    let Some(this) = answers.get(place).map(|answer| answer.candidate.sql.as_str()) else { return vec![] };
    highlight(this, beside(answers, place).unwrap_or(this))
}

/// The answers as data, each with at most `rows` of its rows.
pub fn as_json(answers: &[Answer], rows: usize, words: &SchemaWords) -> Vec<Json> {
    let cell = |value: &Value| match value {
        Value::Null => Json::Null,
        // Beyond 53 bits most readers of JSON would round it.
        Value::Integer(number) if number.unsigned_abs() > 1 << 53 => json!(number.to_string()),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob(bytes) => json!(format!("{} bytes", bytes.len())),
    };
    let answer = |(place, answer): (usize, &Answer)| {
        let Candidate { sql, cost, log_prob, origin } = &answer.candidate;
        let mut value = json!({"sql": sql, "cost": cost, "log_prob": log_prob, "origin": origin, "difference": difference(answers, place, words),
            "stretches": stretches(answers, place)});
        match &answer.rows {
            Some(Ok(found)) => {
                value["columns"] = json!(found.columns);
                value["row_count"] = json!(found.rows.len());
                let first = found.rows.iter().take(rows);
                value["rows"] = json!(first.map(|row| row.iter().map(cell).collect()).collect::<Vec<Vec<Json>>>());
                value["same_result"] = json!(answer.same_result);
            }
            Some(Err(error)) => value["error"] = json!(error),
            None => {}
        }
        value
    };
    answers.iter().enumerate().map(answer).collect()
}

//! Questions to a database in a page: a schema, a question, a decoder, and the list of queries with what each returns.
//!
//! What is asked for is the command line's (`beam::choice::Choice`, `beam::asked::Limits`) and so are the answers (`beam::answer`): page and command line find the same for the same model,
//! schema, question and seed. Queries run in the page's own `SQLite`; this file sees it as a function that is called with a query.

use std::cell::{OnceCell, RefCell};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use vitrine_core::decode::Trace;
use vitrine_logical_beam::{
    beam::{
        Asked, Decoder, Limits,
        answer::{answers, as_json},
        choice::Choice,
        ladder::ladder,
        merge::{Candidate, Origin},
        preference::{self, Preferences},
        record::{Purpose, Run},
        results::groups,
    },
    model::{
        SqlModel,
        encode::{Encoder, Letters},
        file,
    },
    sql::{
        ddl,
        exact::Gold,
        execute::{Execute, ExecuteError},
        names::Names,
        rows::{Rows, Value},
        schema::Schema,
        template::SchemaWords,
        text::normalise,
    },
    stages::{Pieces, TextToSql},
};
use wasm_bindgen::prelude::*;

use crate::{
    json as text,
    search_tree::{Told, shown},
};

/// Rows of each result that the page is handed.
const ROWS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    choice: Choice,
    limits: Limits,
    /// Queries of which the page wants to know which answers mean them.
    #[serde(default)]
    readings: Vec<String>,
    /// What was chosen before for this schema.
    #[serde(default)]
    preferences: Preferences,
}

/// A choice of the person's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choosing {
    preferences: Preferences,
    question: String,
    chosen: String,
    readings: Vec<String>,
}

/// A model that writes SQL, and the schema it is asked about.
#[wasm_bindgen]
pub struct Readings {
    model: SqlModel,
    schema: Schema,
}

#[wasm_bindgen]
impl Readings {
    /// A model that `vitrine sql train --encoder letters` made: its `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// Files that are no such model, or one that reads with an encoder which a page does not have.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, weights: &[u8]) -> Result<Self, JsError> {
        let weights = file::load(config, weights)?;
        if weights.encoder != Letters::NAME {
            return Err(JsError::new(&format!(
                "this model reads with the encoder {}; models made with --encoder {} run in a page",
                weights.encoder,
                Letters::NAME
            )));
        }
        let encoder: Box<dyn Encoder> = Box::new(Letters { width: weights.config.features });
        Ok(Self { model: SqlModel::new(weights, encoder)?, schema: Schema::default() })
    }

    /// What a database of `SQLite` is asked for to learn its statements.
    #[wasm_bindgen(js_name = schemaQuery)]
    pub fn schema_query() -> String {
        ddl::OF_SQLITE.to_owned()
    }

    /// What was chosen before and a choice among readings (JSON): what is to be kept of both (JSON).
    ///
    /// # Errors
    /// Texts that are no such choice.
    pub fn choose(&self, choosing: &str) -> Result<String, JsError> {
        let Choosing { mut preferences, question, chosen, readings } = serde_json::from_str(choosing)?;
        let readings: Vec<&str> = readings.iter().map(String::as_str).collect();
        preferences.choose(&question, &chosen, &readings, &SchemaWords::new(&self.schema));
        text(&preferences)
    }

    /// Takes the tables that `statements` make, and returns them (JSON), with the key under which choices for them are kept.
    ///
    /// # Errors
    /// One line that says what cannot be read and where; the schema from before stays.
    pub fn schema(&mut self, statements: &str, name: &str) -> Result<String, JsError> {
        let schema = ddl::read(statements, name)?;
        let tables: Vec<Json> = schema
            .tables
            .iter()
            .enumerate()
            .map(|(number, table)| {
                let column = |(at, column): (usize, &vitrine_logical_beam::sql::schema::Column)| {
                    let to = schema.foreign_keys.iter().find(|(from, _)| *from == at).and_then(|(_, to)| schema.columns.get(*to));
                    let to = to.and_then(|to| Some(format!("{}.{}", schema.tables.get(to.table)?, to.name)));
                    json!({ "name": column.name, "kind": column.kind, "key": schema.primary_keys.contains(&at), "to": to })
                };
                json!({ "name": table, "columns": schema.columns_of(number).map(column).collect::<Vec<_>>() })
            })
            .collect();
        let told = text(&json!({ "tables": tables, "columns": schema.columns.len(), "key": preference::key(&schema)? }));
        self.schema = schema;
        told
    }

    /// Decodes as `asked` says (JSON) and returns answers, searches with their trees, and for `LogicalBeam` its plans, templates and fills (JSON). `watch` is handed new nodes (JSON) as they
    /// come; `execute`, where there is a database, takes a query and returns `{ columns, rows }` or `{ refused }`, `{ late }`, `{ large }`, `{ failed }` (JSON).
    ///
    /// # Errors
    /// No schema, a question that cannot be read, settings out of range, and what running the model finds.
    pub fn run(&self, asked: &str, watch: &js_sys::Function, execute: Option<js_sys::Function>) -> Result<String, JsError> {
        let Question { question, choice, mut limits, readings, preferences } = serde_json::from_str(asked)?;
        let decoder = choice.decoder(&mut limits)?;
        let model: &dyn TextToSql = &self.model;
        let pieces = OnceCell::<Pieces>::new();
        let piece = |token: u32| pieces.get().and_then(|all| all.pieces.get(token as usize)).cloned().unwrap_or_default();
        let told = RefCell::new((None::<Purpose>, 0, Told::default()));
        let look = |purpose: &Purpose, trace: &Trace, node: usize| {
            let (of, number, told) = &mut *told.borrow_mut();
            if of.as_ref() != Some(purpose) || node <= 1 {
                *number += usize::from(of.is_some());
                (*of, *told) = (Some(purpose.clone()), Told::default());
            }
            let Some((from, nodes)) = told.settled(trace, node) else { return };
            let nodes: Vec<Json> = nodes.iter().map(|node| shown(node, piece)).collect();
            if let Ok(nodes) = text(&json!({ "search": *number, "purpose": purpose, "from": from, "nodes": nodes })) {
                // A page that fails to show them does not stop the search.
                let _ = watch.call1(&JsValue::NULL, &JsValue::from_str(&nodes));
            }
        };
        let asked = Asked::new(model, &question, &self.schema, limits)?.watched(Some(&look));
        let pieces = pieces.get_or_init(|| asked.pieces().clone());
        let mut list = decoder.list(&asked)?;
        // What was chosen before comes first, as on the command line.
        let words = SchemaWords::new(&self.schema);
        let texts: Vec<&str> = list.candidates.iter().map(|candidate| candidate.sql.as_str()).collect();
        let preferred = preferences.order(&question, &texts, &words);
        let by_choice = preferred.first().is_some_and(|first| *first != 0);
        list.candidates = preferred.iter().map(|place| list.candidates[*place].clone()).collect();
        let groups = match execute {
            Some(execute) => {
                let queries: Vec<&str> = list.candidates.iter().map(|candidate| candidate.sql.as_str()).collect();
                Some(groups(&queries, "", &mut Page { execute })?)
            }
            None => None,
        };
        let order: Vec<usize> = (0..list.candidates.len()).collect();
        let found = answers(&list.candidates, &order, groups.as_deref(), false);
        let rungs = match decoder {
            Decoder::LogicalBeam(method) => ladder(&list.record, method.merge, &list.candidates),
            _ => vec![],
        };
        let names = Names::new(&self.schema);
        let hits: Vec<Vec<usize>> = readings
            .iter()
            .map(|reading| match Gold::new(reading, &names) {
                Ok(gold) => (0..found.len()).filter(|&place| gold.judge(&found[place].candidate.sql).exact).collect(),
                Err(_) => vec![],
            })
            .collect();
        // Where each answer ends in the tree it came from.
        let places: Vec<Option<(usize, usize)>> = list.candidates.iter().map(|candidate| place(candidate, &list.record.runs)).collect();
        let search = |run: &Run| {
            json!({ "purpose": run.purpose, "forwards": run.forwards, "scored": run.scored, "outputs": run.outputs, "problem": run.problem,
                "nodes": run.search.nodes.iter().map(|node| shown(node, piece)).collect::<Vec<_>>() })
        };
        text(&json!({
            "answers": as_json(&found, ROWS, &words), "by_choice": by_choice, "places": places, "hits": hits, "ladder": rungs, "notes": list.record.notes, "forwards": list.record.forwards(),
            "scored": list.record.scored(), "pieces": pieces.pieces.len(), "searches": list.record.runs.iter().map(search).collect::<Vec<_>>(),
        }))
    }
}

/// The search that wrote a query, and the node at which it ends there.
fn place(candidate: &Candidate, runs: &[Run]) -> Option<(usize, usize)> {
    let wrote = |run: &Run| match (&candidate.origin, &run.purpose) {
        (Origin::Template { template, .. }, Purpose::Fill { template: filled, .. }) => template == filled,
        (Origin::Plain { .. }, Purpose::Query) => true,
        (Origin::Hidden { names }, Purpose::Hidden { names: hidden }) => names == hidden,
        _ => false,
    };
    runs.iter().enumerate().filter(|(_, run)| wrote(run)).find_map(|(search, run)| {
        let output = run.outputs.iter().find(|output| output.dropped.is_none() && normalise(&output.text) == candidate.sql)?;
        Some((search, output.node))
    })
}

/// The page's `SQLite`.
struct Page {
    execute: js_sys::Function,
}

/// What the page's `SQLite` answers.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answered {
    Rows {
        columns: Vec<String>,
        rows: Vec<Vec<Cell>>,
    },
    Refused(String),
    /// Seconds.
    Late(u64),
    Large {
        limit: usize,
        what: Large,
    },
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Large {
    Rows,
    Bytes,
}

/// A value; integers as text, as a page's numbers would round them.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cell {
    Null,
    Integer(String),
    Real(f64),
    Text(String),
    /// In hexadecimal digits.
    Blob(String),
}

impl Cell {
    fn value(self) -> Result<Value, ExecuteError> {
        let odd = || ExecuteError::Failed("the result cannot be read".into());
        Ok(match self {
            Self::Null => Value::Null,
            Self::Integer(digits) => Value::Integer(digits.parse().map_err(|_| odd())?),
            Self::Real(number) => Value::Real(number),
            Self::Text(text) => Value::Text(text),
            Self::Blob(digits) => {
                let byte = |at: usize| digits.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or_else(odd);
                Value::Blob((0..digits.len()).step_by(2).map(byte).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl Execute for Page {
    fn run(&mut self, _: &str, sql: &str) -> Result<Rows, ExecuteError> {
        let failed = |what: &str| ExecuteError::Failed(what.to_owned());
        let answered = self.execute.call1(&JsValue::NULL, &JsValue::from_str(sql)).map_err(|_| failed("the page’s SQLite broke off"))?;
        let answered = answered.as_string().ok_or_else(|| failed("the page’s SQLite gave no answer"))?;
        match serde_json::from_str(&answered).map_err(|_| failed("the result cannot be read"))? {
            Answered::Rows { columns, rows } => {
                let row = |row: Vec<Cell>| row.into_iter().map(Cell::value).collect::<Result<Vec<_>, _>>();
                Ok(Rows { columns, rows: rows.into_iter().map(row).collect::<Result<_, _>>()? })
            }
            Answered::Refused(what) => Err(ExecuteError::Refused(what)),
            Answered::Late(seconds) => Err(ExecuteError::TimedOut { seconds }),
            Answered::Large { limit, what } => {
                Err(ExecuteError::TooLarge { limit, what: if matches!(what, Large::Rows) { "rows" } else { "bytes" } })
            }
            Answered::Failed(what) => Err(ExecuteError::Failed(what)),
        }
    }

    fn variants(&self, database: &str) -> Result<Vec<String>, ExecuteError> {
        Ok(vec![database.to_owned()])
    }
}

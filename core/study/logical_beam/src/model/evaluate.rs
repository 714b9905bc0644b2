//! How good a model is: templates, fillers and queries on questions of databases it has not seen, and readings of ambiguous ones.
//!
//! **Method.** Templates and fillers (behind the right template) greedily, queries by beam search over the one-stage distribution, compared by official exact-set match. Ambiguous questions
//! are asked of their changed schema ([`changed`]) and scored by mapping back.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, sections 3 and 5 (`EitherInTopK`, `BothInTopK`).

use serde::Serialize;

use super::{
    super::{
        golden_coverage::Line,
        sql::{
            ambiguate::Change,
            coverage::{Hits, either_and_both, map_back},
            exact::Gold,
            names::Names,
            schema::{Column, Kind, Schema},
            template::{SchemaWords, Slot, templatise},
            text::normalise,
        },
        stages::{Reading, Stage, StageError, TextToSql},
    },
    examples::Pair,
};
use vitrine_core::decode::{Beam, DecodeError, Greedy, Method, Settings, Unconstrained, decode};

/// Longest text decoded, in pieces, and queries in a list.
const MAX_TOKENS: usize = 192;
pub const LIST: usize = 5;

/// What was counted over questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    pub questions: usize,
    /// Template decoded greedily equal to that of the gold query.
    pub template: usize,
    /// Names of tables and columns filled in greedily behind the gold template, and those that are right.
    pub names: usize,
    pub right_names: usize,
    /// Exact-set match of the first query of a beam, and of any of the first five.
    pub exact: usize,
    pub exact_in_list: usize,
}

/// Texts of a stage, the best first; none where the search found none.
///
/// # Errors
/// What the model says.
pub fn texts(reading: &dyn Reading, stage: Stage<'_>, method: &dyn Method, outputs: usize) -> Result<Vec<String>, StageError> {
    let (mut scorer, prompt) = reading.scorer(stage)?;
    let pieces = reading.pieces();
    let settings = Settings { max_tokens: MAX_TOKENS, eos: vec![pieces.end], outputs, ..Settings::default() };
    match decode(method, &mut *scorer, &prompt, &settings, &Unconstrained, &mut |_, _| {}) {
        Ok(found) => Ok(found.hypotheses.iter().map(|hypothesis| pieces.text(&hypothesis.tokens)).collect()),
        Err(DecodeError::NothingAllowed | DecodeError::Unsatisfied { .. }) => Ok(vec![]),
        Err(DecodeError::Scorer(error)) => Err(error.into()),
        Err(error) => Err(StageError::Model(error.to_string())),
    }
}

/// Scores a question; a gold query that the evaluator cannot read counts for templates and names alone.
///
/// # Errors
/// What the model says.
pub fn score(model: &dyn TextToSql, pair: &Pair, schema: &Schema, width: usize, score: &mut Score) -> Result<Vec<String>, StageError> {
    let reading = model.read(&pair.question, schema)?;
    let words = SchemaWords::new(schema);
    let gold = templatise(&pair.query, &words);
    score.questions += 1;
    let template = texts(&*reading, Stage::Template, &Greedy, 1)?.pop().unwrap_or_default();
    score.template += usize::from(template.rsplit(" @ ").next() == Some(gold.text.as_str()));
    if let Some(filled) = texts(&*reading, Stage::Fill(&gold.text), &Greedy, 1)?.pop() {
        let filled = templatise(&filled, &words);
        let is_name = |(slot, _): &&(Slot, String)| matches!(slot, Slot::Table | Slot::Column);
        score.names += gold.values.iter().filter(is_name).count();
        score.right_names += gold.values.iter().filter(is_name).zip(filled.values.iter().filter(is_name)).filter(|(a, b)| a == b).count();
    }
    let list = texts(&*reading, Stage::Query, &Beam::new(width), LIST)?;
    let names = Names::new(schema);
    if let Ok(gold) = Gold::new(&pair.query, &names) {
        let right: Vec<bool> = list.iter().map(|sql| gold.judge(sql).exact).collect();
        score.exact += usize::from(right.first() == Some(&true));
        score.exact_in_list += usize::from(right.contains(&true));
    }
    Ok(list)
}

/// Which readings each query of a list is; empty where the evaluator cannot read the original query.
pub fn hits(line: &Line, list: &[String], names: &Names) -> Vec<Hits> {
    let Ok(gold) = Gold::new(&line.example.original, names) else { return vec![] };
    let hit = |sql: &String| {
        let [first, second] = map_back(&line.example, &normalise(sql)).map(|sql| gold.judge(&sql).exact);
        Hits::new(&line.example.change, first, second)
    };
    list.iter().map(hit).collect()
}

/// Whether a list holds one reading, and both.
pub fn covered(line: &Line, list: &[String], names: &Names) -> [bool; 2] {
    let (either, both) = either_and_both(&hits(line, list, names));
    [either, both]
}

/// The schema after a change. Keys follow their columns; what is there twice has them twice.
pub fn changed(schema: &Schema, change: &Change) -> Schema {
    // Each new column with the old one it stands for.
    let mut tables = schema.tables.clone();
    let mut columns: Vec<(Column, Option<usize>)> =
        schema.columns.iter().cloned().enumerate().map(|(i, column)| (column, Some(i))).collect();
    let mut keys = Vec::new();
    match change {
        Change::Column { table, column, names } => {
            let place = schema.table(table);
            let renamed = |(old, of): (Column, Option<usize>)| {
                if Some(old.table) == place && old.name.to_lowercase() == *column {
                    names.iter().map(|name| (Column { name: name.clone(), ..old.clone() }, of)).collect()
                } else {
                    vec![(old, of)]
                }
            };
            columns = columns.into_iter().flat_map(renamed).collect();
        }
        Change::Table { table, names: [first, second] } => {
            if let Some(place) = schema.table(table) {
                tables[place].clone_from(first);
                tables.push(second.clone());
                let copy: Vec<_> = columns.iter().filter(|(column, _)| column.table == place).cloned().collect();
                columns.extend(copy.into_iter().map(|(column, of)| (Column { table: tables.len() - 1, ..column }, of)));
            }
        }
        Change::Join { table, column, key, name } => {
            let place = schema.table(table);
            let of = |wanted: &str| schema.columns.iter().position(|c| Some(c.table) == place && c.name.to_lowercase() == wanted);
            tables.push(name.clone());
            for wanted in [key, column] {
                let kind = of(wanted).map_or(Kind::Text, |i| schema.columns[i].kind);
                columns.push((Column { table: tables.len() - 1, name: wanted.clone(), kind }, None));
            }
            keys.extend(of(key).map(|old| (columns.len() - 2, old)));
        }
        Change::Aggregate { name, columns: new } => {
            tables.push(name.clone());
            columns.extend(new.iter().map(|name| (Column { table: tables.len() - 1, name: name.clone(), kind: Kind::Number }, None)));
        }
    }
    let now = |old: usize| columns.iter().enumerate().filter(move |(_, (_, of))| *of == Some(old)).map(|(i, _)| i).collect::<Vec<_>>();
    let pairs = |&(a, b): &(usize, usize)| {
        let ends = now(b);
        now(a).into_iter().flat_map(|a| ends.iter().map(move |&b| (a, b)).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let primary_keys = schema.primary_keys.iter().flat_map(|&key| now(key)).chain(keys.iter().map(|(new, _)| *new)).collect();
    let made = keys.iter().flat_map(|&(new, old)| now(old).into_iter().map(move |old| (new, old)));
    let foreign_keys = schema.foreign_keys.iter().flat_map(pairs).chain(made).collect();
    Schema {
        name: schema.name.clone(),
        tables,
        columns: columns.into_iter().map(|(column, _)| column).collect(),
        primary_keys,
        foreign_keys,
    }
}

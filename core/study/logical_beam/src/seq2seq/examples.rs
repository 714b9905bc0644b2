//! Questions, schemas and queries in pieces, and how they make the inputs of the stages.
//!
//! **Method.** The inputs are those of the paper: `template generation: question | database | schema`, `template fill: … @ template`, `semantic parse: …`; plain queries are asked for by `query: …`.
//! What is written is the query, the template, or either behind its plan; unlike the paper's, without the database's name in front.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4 and the released inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        model::examples::{ExampleError, Pair},
        sql::{
            ambiguate::Kind,
            plan::Plan,
            schema::Schema,
            template::{SchemaWords, templatise},
            text::normalise,
        },
        stages::{Stage, StageError},
    },
    subwords::{SubWords, UNKNOWN},
};
use vitrine_core::train::rng::Stream;

/// Pieces of a vocabulary, about.
const PIECES: usize = 2000;
/// Longest input, question in it, and text to write, in pieces.
pub const LONGEST_INPUT: usize = 512;
const LONGEST_QUESTION: usize = 96;
pub const LONGEST_OUTPUT: usize = 128;

/// A schema in pieces.
#[derive(Debug, Clone)]
pub struct SchemaPieces {
    name: Vec<u32>,
    /// Each table with its columns.
    tables: Vec<(Vec<u32>, Vec<Vec<u32>>)>,
}

impl SchemaPieces {
    pub fn new(schema: &Schema, words: &SubWords) -> Self {
        let read = |name: &str| words.read(&name.to_lowercase());
        let of_table =
            |(number, name): (usize, &String)| (read(name), schema.columns_of(number).map(|(_, column)| read(&column.name)).collect());
        // A changed schema's name is that of the schema it was made of, and a number behind a line break.
        Self {
            name: read(schema.name.lines().next().unwrap_or_default()),
            tables: schema.tables.iter().enumerate().map(of_table).collect(),
        }
    }

    /// `table : column, column | table : …`, tables and columns in random order where a stream is given.
    fn text(&self, signs: &Signs, mut order: Option<Stream>) -> Vec<u32> {
        let mut shuffled = |n: usize| {
            let mut numbers: Vec<usize> = (0..n).collect();
            if let Some(stream) = &mut order {
                stream.shuffle(&mut numbers);
            }
            numbers
        };
        let mut found = Vec::new();
        for (i, table) in shuffled(self.tables.len()).into_iter().enumerate() {
            let (name, columns) = &self.tables[table];
            found.extend(signs.bar.iter().filter(|_| i > 0));
            found.extend(name);
            for (j, column) in shuffled(columns.len()).into_iter().enumerate() {
                found.extend(if j == 0 { &signs.colon } else { &signs.comma });
                found.extend(&columns[column]);
            }
        }
        found
    }
}

/// What is asked for, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Template,
    Query,
    Planned,
    Fill,
}

impl Task {
    /// The task of a stage.
    pub fn of(stage: Stage<'_>) -> Self {
        match stage {
            Stage::Template => Self::Template,
            Stage::Query => Self::Query,
            Stage::PlannedQuery => Self::Planned,
            Stage::Fill(_) => Self::Fill,
        }
    }
}

/// The pieces of what inputs have in common.
#[derive(Debug, Clone)]
pub struct Signs {
    bar: Vec<u32>,
    colon: Vec<u32>,
    comma: Vec<u32>,
    at: Vec<u32>,
    tasks: [Vec<u32>; 4],
}

impl Signs {
    pub fn new(words: &SubWords) -> Self {
        let [bar, colon, comma, at] = ["|", ":", ",", "@"].map(|sign| words.read(sign));
        Self {
            bar,
            colon,
            comma,
            at,
            tasks: ["template generation:", "query:", "semantic parse:", "template fill:"].map(|task| words.read(task)),
        }
    }

    /// The input of a task: `template` for [`Task::Fill`] only. A schema that does not fit is cut.
    pub fn input(&self, task: Task, question: &[u32], schema: &SchemaPieces, template: &[u32], order: Option<Stream>) -> Vec<u32> {
        let mut input = self.tasks[task as usize].clone();
        for part in [&question[..question.len().min(LONGEST_QUESTION)], &self.bar, &schema.name, &self.bar] {
            input.extend(part);
        }
        let template = if task == Task::Fill { &template[..template.len().min(LONGEST_OUTPUT)] } else { &[] };
        let mut schema = schema.text(self, order);
        schema.truncate(LONGEST_INPUT.saturating_sub(input.len() + self.at.len() + template.len()));
        input.extend(schema);
        if task == Task::Fill {
            input.extend(&self.at);
            input.extend(template);
        }
        input
    }
}

/// An example in pieces.
#[derive(Debug, Clone)]
pub struct Example {
    pub schema: usize,
    pub kind: Option<Kind>,
    pub question: Vec<u32>,
    pub plan: Vec<u32>,
    pub template: Vec<u32>,
    pub query: Vec<u32>,
}

impl Example {
    /// What is written in a task.
    pub fn output(&self, task: Task) -> Vec<u32> {
        match task {
            Task::Template => [&self.plan[..], &self.template].concat(),
            Task::Planned => [&self.plan[..], &self.query].concat(),
            Task::Query | Task::Fill => self.query.clone(),
        }
    }
}

/// Examples and the schemas they are about.
pub struct Data {
    pub schemas: Vec<SchemaPieces>,
    pub examples: Vec<Example>,
    /// Queries that are too long or have characters that are not written.
    pub left_out: usize,
}

/// The pieces of a training set.
///
/// # Errors
/// A database that is not there, or more words than are kept.
pub fn vocabulary(pairs: &[Pair], schemas: &[Schema]) -> Result<SubWords, ExampleError> {
    let by_name: BTreeMap<&str, &Schema> = schemas.iter().map(|schema| (schema.name.as_str(), schema)).collect();
    let used: BTreeSet<&str> = pairs.iter().map(|pair| pair.database.as_str()).collect();
    let mut names = Vec::new();
    for database in used {
        let schema = by_name.get(database).ok_or_else(|| ExampleError::NoDatabase(database.to_owned()))?;
        names.extend(schema.tables.iter().chain(schema.columns.iter().map(|column| &column.name)).map(|name| name.to_lowercase()));
    }
    let mut queries: Vec<String> = pairs.iter().map(|pair| normalise(&pair.query)).collect();
    // Templates and plans say words that no query has.
    for pair in pairs {
        if let Some(schema) = by_name.get(pair.database.as_str()).filter(|_| pair.kind.is_none()) {
            queries.push(format!("{}{}", Plan::of(&pair.query), templatise(&normalise(&pair.query), &SchemaWords::new(schema)).text));
        }
    }
    let fixed = ["template generation: query: semantic parse: template fill: @ |"; 4];
    let texts = names.iter().map(String::as_str).chain(pairs.iter().map(|pair| pair.question.as_str())).chain(fixed);
    SubWords::learn(queries.iter().map(String::as_str), texts, PIECES).map_err(|e| ExampleError::Stage(StageError::Model(e)))
}

/// Cuts examples into pieces.
///
/// # Errors
/// A database that is not there.
pub fn encode(pairs: &[Pair], schemas: &[Schema], words: &SubWords) -> Result<Data, ExampleError> {
    let used: BTreeSet<&str> = pairs.iter().map(|pair| pair.database.as_str()).collect();
    let used: Vec<&Schema> = schemas.iter().filter(|schema| used.contains(schema.name.as_str())).collect();
    let by_name: BTreeMap<&str, (usize, SchemaWords)> =
        used.iter().enumerate().map(|(i, schema)| (schema.name.as_str(), (i, SchemaWords::new(schema)))).collect();
    let (mut examples, mut left_out) = (Vec::new(), 0);
    for pair in pairs {
        let (at, names) = by_name.get(pair.database.as_str()).ok_or_else(|| ExampleError::NoDatabase(pair.database.clone()))?;
        let sql = normalise(&pair.query);
        let example = Example {
            schema: *at,
            kind: pair.kind,
            question: words.read(&pair.question),
            plan: words.written(&Plan::of(&sql).to_string()),
            template: words.written(&templatise(&sql, names).text),
            query: words.written(&sql),
        };
        let fits = |text: &[u32]| !text.is_empty() && text.len() < LONGEST_OUTPUT - example.plan.len() && !text.contains(&UNKNOWN);
        if example.question.is_empty() || !fits(&example.template) || !fits(&example.query) {
            left_out += 1;
        } else {
            examples.push(example);
        }
    }
    Ok(Data { schemas: used.iter().map(|schema| SchemaPieces::new(schema, words)).collect(), examples, left_out })
}

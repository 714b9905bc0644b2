//! Questions with queries as numbers: what is computed once before training.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use thiserror::Error;

use super::{
    super::{
        sql::{
            ambiguate::Kind,
            plan::Plan,
            schema::Schema,
            template::{SchemaWords, Slot},
        },
        stages::StageError,
    },
    encode::{Cache, EncodedQuestion, EncodedSchema},
    spelling::Fragments,
    words::{Filled, Role, Vocabulary, role, words_of},
};

/// Longest query learned, in words.
pub const LONGEST_QUERY: usize = 96;
/// Words of names that get a piece of their own, at most.
const FRAGMENTS: usize = 320;
/// Words that are in fewer queries are left out of the vocabulary, with those queries.
const LEAST_QUERIES: usize = 4;
/// Most examples of a file.
const MOST_EXAMPLES: usize = 1 << 20;

/// A question, its query, and the database it is asked of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pair {
    #[serde(rename = "db_id")]
    pub database: String,
    pub question: String,
    pub query: String,
    /// Of an example that was made ambiguous ([`super::variants`]), how.
    #[serde(skip)]
    pub kind: Option<Kind>,
}

/// Why there are no examples.
#[derive(Debug, Error)]
pub enum ExampleError {
    #[error("line {line}: not an example with db_id, question and query: {reason}")]
    Line { line: usize, reason: String },
    #[error("more than {MOST_EXAMPLES} examples")]
    TooMany,
    #[error("there is no database {0} among the schemas")]
    NoDatabase(String),
    #[error("no example can be learned: {0}")]
    None(&'static str),
    #[error(transparent)]
    Stage(#[from] StageError),
}

/// Reads JSON lines; other fields are left aside.
///
/// # Errors
/// [`ExampleError`] with the line.
pub fn pairs(text: &str) -> Result<Vec<Pair>, ExampleError> {
    let lines: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    if lines.len() > MOST_EXAMPLES {
        return Err(ExampleError::TooMany);
    }
    let read =
        |(i, line): &(usize, &str)| serde_json::from_str(line).map_err(|e| ExampleError::Line { line: i + 1, reason: e.to_string() });
    lines.iter().map(read).collect()
}

/// A word that is said, and what fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    pub word: usize,
    pub filler: Filler,
}

/// What fills a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filler {
    /// The word is no slot.
    None,
    Item(usize),
    Value(usize),
    /// A value that the question does not name.
    Unknown,
}

/// An example as numbers.
#[derive(Debug, Clone)]
pub struct Example {
    pub schema: usize,
    pub kind: Option<Kind>,
    /// Shared by the queries of one question.
    pub question: Arc<EncodedQuestion>,
    pub plan: [usize; 2],
    pub template: Vec<usize>,
    pub acts: Vec<Act>,
}

/// Examples and the schemas they are about.
pub struct Data {
    pub schemas: Vec<EncodedSchema>,
    pub examples: Vec<Example>,
    /// Queries this model does not write: unknown names, tables as qualifiers, rare words, too long.
    pub left_out: usize,
}

/// Schemas by name.
struct Schemas<'s> {
    all: Vec<(&'s Schema, SchemaWords)>,
    by_name: BTreeMap<&'s str, usize>,
}

impl<'s> Schemas<'s> {
    /// Those that the questions are about.
    fn new(pairs: &[Pair], schemas: &'s [Schema]) -> Self {
        let used: BTreeSet<&str> = pairs.iter().map(|pair| pair.database.as_str()).collect();
        let used = schemas.iter().filter(|schema| used.contains(schema.name.as_str()));
        let all: Vec<(&Schema, SchemaWords)> = used.map(|schema| (schema, SchemaWords::new(schema))).collect();
        let by_name = all.iter().enumerate().rev().map(|(i, (schema, _))| (schema.name.as_str(), i)).collect();
        Self { all, by_name }
    }

    /// The schema of a question, and the words of its query, where it can be learned at all.
    fn read(&self, pair: &Pair) -> Result<(usize, Option<(Vec<String>, Vec<Filled>)>), ExampleError> {
        let &at = self.by_name.get(pair.database.as_str()).ok_or_else(|| ExampleError::NoDatabase(pair.database.clone()))?;
        Ok((at, words_of(&pair.query, &self.all[at].1).filter(|(_, filled)| filled.len() <= LONGEST_QUERY)))
    }
}

/// The words and name fragments of a training set.
///
/// # Errors
/// A database that is not there, or nothing to learn.
pub fn vocabulary(pairs: &[Pair], schemas: &[Schema]) -> Result<(Vocabulary, Fragments), ExampleError> {
    let schemas = Schemas::new(pairs, schemas);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for pair in pairs {
        let (_, words) = schemas.read(pair)?;
        let Some((template, filled)) = words else { continue };
        let said: BTreeSet<String> = template.into_iter().chain(filled.into_iter().map(|one| one.word)).collect();
        for word in said {
            *counts.entry(word).or_default() += 1;
        }
    }
    let least = LEAST_QUERIES.min(pairs.len().div_ceil(500).max(1));
    let words = counts.into_iter().filter(|(_, n)| *n >= least).map(|(word, _)| word);
    let vocabulary = Vocabulary::new(words).map_err(|e| ExampleError::Stage(StageError::Model(e)))?;
    if vocabulary.find("select").is_none() {
        return Err(ExampleError::None("no query begins with select"));
    }
    let of = |(schema, _): &(&Schema, SchemaWords)| {
        let names = schema.tables.iter().chain(schema.columns.iter().map(|column| &column.name));
        names.map(|name| name.to_lowercase()).collect::<Vec<_>>()
    };
    let names: Vec<String> = schemas.all.iter().flat_map(of).collect();
    Ok((vocabulary, Fragments::count(names.iter().map(String::as_str), FRAGMENTS)))
}

/// Encodes examples; `progress` is told how many questions are done.
///
/// # Errors
/// A database that is not there, and what running the encoder finds.
pub fn encode(
    pairs: &[Pair],
    schemas: &[Schema],
    vocabulary: &Vocabulary,
    cache: &Cache,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Data, ExampleError> {
    /// Questions that are encoded at once.
    const AT_ONCE: usize = 64;
    let schemas = Schemas::new(pairs, schemas);
    let encoded: Vec<EncodedSchema> = schemas.all.iter().map(|(schema, _)| cache.schema(schema)).collect::<Result<_, _>>()?;
    // A question is encoded once, whatever schemas it is asked of.
    let questions: BTreeSet<&str> = pairs.iter().map(|pair| pair.question.as_str()).filter(|text| !text.trim().is_empty()).collect();
    let questions: Vec<&str> = questions.into_iter().collect();
    let mut asked = BTreeMap::new();
    for some in questions.chunks(AT_ONCE) {
        asked.extend(some.iter().copied().zip(cache.words(some)?));
        progress(asked.len(), questions.len());
    }
    let (mut examples, mut left_out) = (Vec::new(), 0);
    let mut last: Option<(usize, &str, Arc<EncodedQuestion>)> = None;
    for pair in pairs {
        let (at, words) = schemas.read(pair)?;
        let (Some(words), Some(question)) = (words, asked.get(pair.question.as_str())) else {
            left_out += 1;
            continue;
        };
        // Both readings of a question stand side by side.
        let linked = match last.take().filter(|(schema, text, _)| *schema == at && *text == pair.question) {
            Some((_, _, linked)) => linked,
            None => Arc::new(cache.link(question, &encoded[at])),
        };
        last = Some((at, &pair.question, Arc::clone(&linked)));
        match example(at, pair, (&words.0, &words.1), linked, vocabulary, &encoded[at]) {
            Some(example) => examples.push(example),
            None => left_out += 1,
        }
    }
    Ok(Data { schemas: encoded, examples, left_out })
}

fn example(
    schema: usize,
    pair: &Pair,
    (template, filled): (&[String], &[Filled]),
    question: Arc<EncodedQuestion>,
    vocabulary: &Vocabulary,
    encoded: &EncodedSchema,
) -> Option<Example> {
    let act = |one: &Filled| {
        let word = vocabulary.find(&one.word)?;
        let filler = match (role(&one.word), &one.filler) {
            (Role::Slot(Slot::Table), Some(name)) => Filler::Item(encoded.items.table(&name.to_lowercase())?),
            (Role::Slot(Slot::Column), Some(name)) => Filler::Item(encoded.items.column(&name.to_lowercase())?),
            (Role::Slot(slot), Some(text)) => {
                let same = |value: &str| value.trim_matches(['\'', '"', '%']).eq_ignore_ascii_case(text.trim_matches(['\'', '"', '%']));
                let is_text = slot == Slot::String;
                let found = question.asked.values.iter().position(|value| value.is_text == is_text && same(&value.text));
                found.map_or(Filler::Unknown, Filler::Value)
            }
            _ => Filler::None,
        };
        Some(Act { word, filler })
    };
    let acts = filled.iter().map(act).collect::<Option<Vec<_>>>()?;
    let template = template.iter().map(|word| vocabulary.find(word)).collect::<Option<Vec<_>>>()?;
    Some(Example { schema, kind: pair.kind, plan: vocabulary.plan(Plan::of(&pair.query)), template, acts, question })
}

//! Questions with queries as numbers: what is computed once before training.

use serde::Deserialize;
use thiserror::Error;

use super::{
    super::{
        sql::{
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
    pub question: EncodedQuestion,
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

/// The words of a query, where it can be learned at all.
fn read<'p>(
    pair: &'p Pair,
    schemas: &[(Schema, SchemaWords)],
) -> Result<(usize, &'p Pair, Option<(Vec<String>, Vec<Filled>)>), ExampleError> {
    let at = schemas
        .iter()
        .position(|(schema, _)| schema.name == pair.database)
        .ok_or_else(|| ExampleError::NoDatabase(pair.database.clone()))?;
    let words = words_of(&pair.query, &schemas[at].1).filter(|(_, filled)| filled.len() <= LONGEST_QUERY);
    Ok((at, pair, words))
}

/// The words and name fragments of a training set.
///
/// # Errors
/// A database that is not there, or nothing to learn.
pub fn vocabulary(pairs: &[Pair], schemas: &[Schema]) -> Result<(Vocabulary, Fragments), ExampleError> {
    let schemas: Vec<(Schema, SchemaWords)> = schemas.iter().map(|schema| (schema.clone(), SchemaWords::new(schema))).collect();
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut used = std::collections::BTreeSet::new();
    for pair in pairs {
        let (at, _, words) = read(pair, &schemas)?;
        used.insert(at);
        let Some((template, filled)) = words else { continue };
        let said: std::collections::BTreeSet<String> = template.into_iter().chain(filled.into_iter().map(|one| one.word)).collect();
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
    let names: Vec<String> = used
        .iter()
        .flat_map(|&at| {
            let schema = &schemas[at].0;
            schema.tables.iter().chain(schema.columns.iter().map(|column| &column.name)).map(|name| name.to_lowercase()).collect::<Vec<_>>()
        })
        .collect();
    Ok((vocabulary, Fragments::count(names.iter().map(String::as_str), FRAGMENTS)))
}

/// Encodes examples; `progress` is told how many are done.
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
    let used: std::collections::BTreeSet<&str> = pairs.iter().map(|pair| pair.database.as_str()).collect();
    let schemas: Vec<(Schema, SchemaWords)> = schemas
        .iter()
        .filter(|schema| used.contains(schema.name.as_str()))
        .map(|schema| (schema.clone(), SchemaWords::new(schema)))
        .collect();
    let encoded: Vec<EncodedSchema> = schemas.iter().map(|(schema, _)| cache.schema(schema)).collect::<Result<_, _>>()?;
    let (mut examples, mut left_out, mut done) = (Vec::new(), 0, 0);
    for some in pairs.chunks(AT_ONCE) {
        let mut learned = Vec::new();
        for pair in some {
            let (at, pair, words) = read(pair, &schemas)?;
            match words {
                Some(words) if !pair.question.trim().is_empty() => learned.push((at, pair, words)),
                _ => left_out += 1,
            }
        }
        let questions: Vec<(&str, &EncodedSchema)> = learned.iter().map(|(at, pair, _)| (pair.question.as_str(), &encoded[*at])).collect();
        for ((at, pair, (template, filled)), question) in learned.iter().zip(cache.questions(&questions)?) {
            match example(*at, &pair.query, (template, filled), question, vocabulary, &encoded[*at]) {
                Some(example) => examples.push(example),
                None => left_out += 1,
            }
        }
        done += some.len();
        progress(done, pairs.len());
    }
    Ok(Data { schemas: encoded, examples, left_out })
}

fn example(
    schema: usize,
    sql: &str,
    (template, filled): (&[String], &[Filled]),
    question: EncodedQuestion,
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
                let found = question.values.iter().position(|value| value.is_text == is_text && same(&value.text));
                found.map_or(Filler::Unknown, Filler::Value)
            }
            _ => Filler::None,
        };
        Some(Act { word, filler })
    };
    let acts = filled.iter().map(act).collect::<Option<Vec<_>>>()?;
    let template = template.iter().map(|word| vocabulary.find(word)).collect::<Option<Vec<_>>>()?;
    Some(Example { schema, plan: vocabulary.plan(Plan::of(sql)), template, acts, question })
}

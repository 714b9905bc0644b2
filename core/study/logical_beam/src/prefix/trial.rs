//! The rules put to the test: a model of noise writes queries under them, and a reader that knows nothing of them reads what it wrote.
//!
//! The vocabulary holds the words of the grammar, the names of the schema, their halves, marks and single characters, so that pieces cut across words; each prefix has a random
//! distribution over it. With names checked the reader is the official evaluator's, otherwise that of strict match. (Tokens alone have no end, so lexing is not tried.)

use std::rc::Rc;

use serde::Serialize;

use super::{Mode, NoNames, Rules, SqlConstraint, lex::LONGEST};
use crate::sql::{names::Names, parse::parse, schema::Schema, strict};
use vitrine_core::{
    decode::{DecodeError, Ending, FnScorer, Lexicon, Sample, Settings, explore, scorer::log_softmax},
    train::rng::Stream,
};

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Trial {
    pub decodes: usize,
    /// Texts that came to their end.
    pub ended: usize,
    /// Of these, those that the reader reads.
    pub read: usize,
    /// The first ones that it does not read, or that did not end.
    pub failures: Vec<String>,
    /// The queries.
    pub queries: Vec<String>,
}

/// Why there is no trial.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    NoNames(#[from] NoNames),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What tokens spell; token 0 ends a text.
fn vocabulary(schema: &Schema) -> Vec<String> {
    let mut pieces: Vec<String> = vec![String::new()];
    let words = "select distinct from where group by having order limit join on as and or not in like between union intersect except asc desc count( sum( avg( \
                 min( max( count t1 t2 t1. t2. t3. (select ( ) , * = > < >= <= != + - / ; ' \" 3 12 .5 'a b' \"x\"";
    for word in words.split(' ') {
        pieces.extend([word.to_owned(), format!(" {word}")]);
    }
    for name in schema.tables.iter().chain(schema.columns.iter().map(|column| &column.name)).take(60) {
        let name = name.to_lowercase();
        let half = name.char_indices().nth(name.chars().count() / 2).map_or(0, |(at, _)| at);
        pieces.extend([format!(" {name}"), name[..half].to_owned(), name[half..].to_owned(), name]);
    }
    pieces.extend("abcdefghijklmnopqrstuvwxyz0123456789_ ,.()*=<>!'\"-@\u{e9}".chars().map(String::from));
    let mut seen = std::collections::BTreeSet::new();
    pieces.retain(|piece| seen.insert(piece.clone()));
    pieces
}

/// `decodes` random texts under the rules of a schema.
///
/// # Errors
/// When no name of the schema can be written.
pub fn trial(mode: Mode, schema: &Schema, decodes: usize, seed: u64) -> Result<Trial, TrialError> {
    let rules = Rc::new(Rules::new(mode, schema)?);
    let pieces = vocabulary(schema);
    let (vocab, lexicon, names) = (pieces.len(), Rc::new(Lexicon::new(&pieces)), Names::new(schema));
    let mut found = Trial { decodes, ..Trial::default() };
    for number in 0..decodes {
        let place = seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
        let mut scorer = FnScorer::new(vocab, move |prefix: &[u32]| {
            let at = prefix.iter().fold(17_u64, |h, token| h.wrapping_mul(1_000_003).wrapping_add(u64::from(*token) + 1));
            let mut stream = Stream::new(place, "trial", at);
            let logits: Vec<f32> = (0..vocab).map(|_| 2.0 * stream.normal() as f32).collect();
            log_softmax(&logits).unwrap_or_else(|| vec![0.0; vocab])
        });
        let settings = Settings { max_tokens: LONGEST + 1, eos: vec![0], seed: place, ..Settings::default() };
        let constraint = SqlConstraint::new(Rc::clone(&rules), &lexicon, usize::MAX);
        let decoded = explore(&Sample::plain(), &mut scorer, &[0], &settings, &constraint, &mut |_, _| {})?;
        let ended = decoded.hypotheses.first().filter(|hypothesis| hypothesis.ending == Ending::Eos);
        let text = |tokens: &[u32]| tokens.iter().map(|token| lexicon.piece(*token)).collect::<String>();
        let Some(hypothesis) = ended else {
            let last = decoded.trace.nodes.len().saturating_sub(1);
            found.failures.push(format!("no end: {}", text(&decoded.trace.tokens(last))));
            continue;
        };
        let sql = text(&hypothesis.tokens);
        found.ended += 1;
        let read = match mode {
            Mode::Lexing | Mode::Parsing => strict::form(&sql, &names).is_ok(),
            Mode::Guarded => parse(&sql, &names).is_ok(),
        };
        if read {
            found.read += 1;
        } else {
            found.failures.push(format!("not read: {sql}"));
        }
        found.queries.push(sql);
    }
    found.failures.truncate(20);
    Ok(found)
}

//! Models for tests: texts with known probabilities, and noise.

use std::collections::BTreeMap;

use crate::{
    sql::schema::Schema,
    stages::{Pieces, Reading, Stage, StageError, TextToSql},
};
use vitrine_core::{
    decode::{FnScorer, Lexicon, Scorer, scorer::log_softmax},
    train::rng::Stream,
};

/// Texts with their weights.
pub type Texts = Vec<(&'static str, f64)>;

/// What a stage says.
#[derive(Clone)]
pub enum Says {
    Texts(Texts),
    /// A random distribution behind every prefix.
    Noise(u64),
}

#[derive(Clone)]
pub struct Toy {
    pub pieces: Pieces,
    pub template: Says,
    pub query: Says,
    pub planned: Says,
    /// By template; noise for those that are not there.
    pub fill: BTreeMap<&'static str, Texts>,
    pub fill_seed: u64,
}

/// One piece a character, some longer ones, and the end.
pub fn pieces(longer: &[&str]) -> Pieces {
    let single = "abcdefghijklmnopqrstuvwxyz0123456789_ .,()*=<>'\"`@".chars().map(String::from);
    let pieces: Vec<String> = std::iter::once(String::new()).chain(single).chain(longer.iter().map(|piece| (*piece).to_owned())).collect();
    Pieces { pieces, end: 0 }
}

impl Toy {
    pub fn new(pieces: Pieces) -> Self {
        let none = || Says::Texts(vec![]);
        Self { pieces, template: none(), query: none(), planned: none(), fill: BTreeMap::new(), fill_seed: 0 }
    }
}

pub struct Read<'a> {
    toy: &'a Toy,
    lexicon: Lexicon,
    schema: &'a Schema,
}

impl TextToSql for Toy {
    fn read<'a>(&'a self, _: &str, schema: &'a Schema) -> Result<Box<dyn Reading + 'a>, StageError> {
        Ok(Box::new(Read { toy: self, lexicon: Lexicon::new(&self.pieces.pieces), schema }))
    }
}

impl Reading for Read<'_> {
    fn pieces(&self) -> &Pieces {
        &self.toy.pieces
    }

    fn scorer(&self, stage: Stage<'_>) -> Result<(Box<dyn Scorer + '_>, Vec<u32>), StageError> {
        let says = match stage {
            Stage::Template => self.toy.template.clone(),
            Stage::Query => self.toy.query.clone(),
            Stage::PlannedQuery => self.toy.planned.clone(),
            Stage::Fill(template) => {
                self.toy.fill.get(template).map_or(Says::Noise(self.toy.fill_seed), |texts| Says::Texts(texts.clone()))
            }
        };
        let vocab = self.toy.pieces.pieces.len();
        Ok((
            match says {
                Says::Texts(mut texts) => {
                    // A model that does not see a name does not say it.
                    let seen = |word: &str| {
                        let known = ["years_old", "birthdate", "artist", "performer"].contains(&word);
                        !known || self.schema.tables.iter().any(|t| t == word) || self.schema.columns.iter().any(|c| c.name == word)
                    };
                    texts.retain(|(text, _)| text.split(|c: char| !(c.is_alphanumeric() || c == '_')).all(seen));
                    Box::new(FnScorer::new(vocab, move |prefix: &[u32]| self.told(&texts, prefix)))
                }
                Says::Noise(seed) => Box::new(FnScorer::new(vocab, move |prefix: &[u32]| noise(vocab, seed, prefix))),
            },
            vec![0],
        ))
    }
}

impl Read<'_> {
    /// Next-token log-probabilities: the share of the weights of the texts that go on so, each in its longest pieces; a little for everything.
    fn told(&self, texts: &Texts, prefix: &[u32]) -> Vec<f64> {
        let said = self.toy.pieces.text(prefix.get(1..).unwrap_or_default());
        let mut mass = vec![1e-9; self.toy.pieces.pieces.len()];
        for (text, weight) in texts {
            let Some(rest) = text.strip_prefix(said.as_str()) else { continue };
            let token = if rest.is_empty() { Some(self.toy.pieces.end) } else { self.lexicon.longest(rest) };
            if let Some(token) = token {
                mass[token as usize] += weight;
            }
        }
        let sum: f64 = mass.iter().sum();
        mass.into_iter().map(|x| (x / sum).ln()).collect()
    }
}

/// A distribution that depends on the whole prefix.
pub fn noise(vocab: usize, seed: u64, prefix: &[u32]) -> Vec<f64> {
    let place = prefix.iter().fold(17_u64, |h, &t| h.wrapping_mul(1_000_003).wrapping_add(u64::from(t) + 1));
    let mut stream = Stream::new(seed, "noise", place);
    let logits: Vec<f32> = (0..vocab).map(|_| 1.5 * stream.normal() as f32).collect();
    log_softmax(&logits).unwrap()
}

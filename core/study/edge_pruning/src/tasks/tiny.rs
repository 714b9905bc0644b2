//! Indirect-object sentences in a tiny closed vocabulary, to train a small transformer on the spot and then look for its circuit.
//!
//! **Idea.** A model of a few layers learns the task in a minute when there are few words. All sentences have the same number of words, so batches
//! need no padding, and the answer is the last word, so training on whole sentences is ordinary next-word prediction.
//!
//! **Method.** Training sentences use the train split's combinations of frame and name pair only (see [`super::generate`]); a model that is right
//! on the test split has learned the rule, not the sentences. A prompt is a sentence without its last word.

use super::generate::{Candidate, GenerateError, Generator, fill};
use super::ioi::{IoiCorruption, key};
use super::pair::{Pair, Predict, Split};
use super::vocab::{VocabError, WordVocab};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vitrine_core::train::rng::Stream;

const NAMES: &[&str] = &[
    "adam", "alice", "anna", "ben", "carl", "clara", "david", "diana", "emma", "eric", "frank", "grace", "hugo", "ida", "jack", "julia",
    "karl", "laura", "mark", "nina", "oscar", "paula", "ruth", "sam", "tina", "victor",
];
const PLACES: &[&str] = &["bank", "garden", "library", "market", "park", "school", "station", "store"];
const OBJECTS: &[&str] = &["ball", "book", "drink", "flower", "letter", "map", "pen", "ring"];

/// Words of every sentence, the answer included.
pub const SENTENCE_WORDS: usize = 16;

/// All have [`SENTENCE_WORDS`] words with the answer, marks counted.
const FRAMES: &[&str] = &[
    "when {1} and {2} went to the {P}, {B} gave the {O} back to",
    "after {1} and {2} came from the {P}, {B} sold the {O} there to",
    "today {1} and {2} are in the {P}, and {B} hands the {O} to",
    "{1} met {2} at the old {P}. then {B} brought a {O} over to",
    "while {1} and {2} sat in the {P}, {B} showed a new {O} to",
    "at the {P}, {1} and {2} found one {O}. {B} sent it to",
];

/// The generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TinyIoi {
    /// What the corrupted prompt changes.
    pub corruption: IoiCorruption,
}

impl TinyIoi {
    /// The closed vocabulary of all sentences.
    ///
    /// # Errors
    /// None in practice: the lists are far below the bounds of a vocabulary.
    pub fn vocab() -> Result<WordVocab, VocabError> {
        let frames: Vec<String> = FRAMES.iter().map(|frame| fill(frame, &[])).collect();
        let lists = NAMES.iter().chain(PLACES).chain(OBJECTS).copied();
        WordVocab::from_texts(frames.iter().map(String::as_str).chain(lists))
    }

    /// Training sentence `index`: a prompt of the train split and its answer, [`SENTENCE_WORDS`] words.
    ///
    /// # Errors
    /// [`GenerateError::Exhausted`].
    pub fn sentence(&self, seed: u64, index: u64) -> Result<String, GenerateError> {
        let pair = self.example(seed, Split::Train, index)?;
        let answer = if let Predict::Next { answer, .. } = &pair.predict { answer.as_str() } else { "" };
        Ok(format!("{}{answer}", pair.clean))
    }
}

impl Generator for TinyIoi {
    fn name(&self) -> &'static str {
        "tiny-ioi"
    }

    fn draw(&self, stream: &mut Stream) -> Option<Candidate> {
        let number = stream.below(FRAMES.len());
        let frame = FRAMES.get(number)?;
        let mut people = NAMES.to_vec();
        stream.shuffle(&mut people);
        let &[a, b, x, y, z, ..] = people.as_slice() else { return None };
        let (place, object) = (*stream.pick(PLACES)?, *stream.pick(OBJECTS)?);
        let abba = stream.below(2) == 0;
        let sentence = |first, second, giver| fill(frame, &[("1", first), ("2", second), ("B", giver), ("P", place), ("O", object)]);
        let (first, second) = if abba { (a, b) } else { (b, a) };
        let corrupted = match self.corruption {
            IoiCorruption::FreshNames => sentence(x, y, z),
            IoiCorruption::RepeatedName => sentence(first, second, z),
            IoiCorruption::Swap => sentence(first, second, a),
        };
        let order = if abba { "abba" } else { "baba" };
        let pair = Pair {
            clean: sentence(first, second, b),
            corrupted,
            predict: Predict::Next { answer: format!(" {a}"), wrong: Some(format!(" {b}")) },
            split: None,
            tags: BTreeMap::from([("frame".to_owned(), number.to_string()), ("order".to_owned(), order.to_owned())]),
        };
        Some(Candidate { pair, key: key(number, a, b) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::{EncodeOptions, encode_split};
    use super::*;

    #[test]
    fn sentences_are_closed_equally_long_and_encode_into_pairs() {
        let vocab = TinyIoi::vocab().unwrap();
        assert!(vocab.len() < 150, "{}", vocab.len());
        let mut used = std::collections::BTreeSet::new();
        for i in 0..3000 {
            let ids = vocab.encode(&TinyIoi::default().sentence(1, i).unwrap()).unwrap();
            assert_eq!(ids.len(), SENTENCE_WORDS);
            assert_eq!(ids.iter().filter(|&id| id == ids.last().unwrap()).count(), 2, "the answer occurs once before");
            used.extend(ids);
        }
        assert_eq!(used.len() + 2, vocab.len(), "every word but <bos> and <pad> occurs");

        let pairs: Vec<Pair> = (0..40).map(|i| TinyIoi::default().example(1, Split::Test, i).unwrap()).collect();
        let ids = |text: &str| vocab.encode(text).map_err(|error| error.to_string());
        let options = EncodeOptions { context: SENTENCE_WORDS, vocab_size: vocab.len(), bos: Some(vocab.bos_id()) };
        for (encoded, pair) in encode_split(&pairs, Split::Test, &ids, &options).unwrap().iter().zip(&pairs) {
            assert_eq!((encoded.clean.len(), encoded.positions.as_slice()), (SENTENCE_WORDS, [SENTENCE_WORDS - 1].as_slice()));
            let Predict::Next { answer, .. } = &pair.predict else { panic!() };
            assert_eq!(vocab.decode(&encoded.answers).unwrap(), answer.trim());
        }
    }
}

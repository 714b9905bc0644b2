//! Indirect object identification: "… A and B … B gave a drink to" → A.
//!
//! **Idea.** The answer is the one of two introduced names that was not repeated, so the model must find the names, notice the repetition and
//! move the other name to the end. **Corruptions** keep the frame: fresh names at all three places (nothing about A or B is left), or
//! only the repeated name replaced by a third (no repetition left), or the two names swapped in the second place (the answer flips).
//!
//! **Source.** Wang et al., "Interpretability in the Wild" (2022), for the task; frames and lists are our own ([`super::words`]).

use super::generate::{Candidate, Generator, fill};
use super::pair::{Pair, Predict};
use super::words::{IOI_FRAMES, NAMES_FEMALE, NAMES_MALE, OBJECTS, PLACES};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vitrine_core::train::rng::Stream;

/// What the corrupted prompt changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IoiCorruption {
    /// Three fresh names in place of A, B and the repeated B.
    #[default]
    FreshNames,
    /// A third name in place of the repeated B alone.
    RepeatedName,
    /// A repeated instead of B: the right answer becomes B.
    Swap,
}

/// The generator. `Ioi::default()` uses all frames, [`Ioi::one_frame`] is the single-template variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ioi {
    /// Only this frame, or all of them.
    pub frame: Option<usize>,
    /// What the corrupted prompt changes.
    pub corruption: IoiCorruption,
}

impl Ioi {
    /// The variant with one sentence frame; numbers past the list wrap around.
    pub fn one_frame(frame: usize) -> Self {
        Self { frame: Some(frame % IOI_FRAMES.len()), ..Self::default() }
    }
}

/// `count` different names, from both lists alike.
fn names(stream: &mut Stream, count: usize) -> Option<Vec<&'static str>> {
    let mut chosen: Vec<&'static str> = Vec::with_capacity(count);
    while chosen.len() < count {
        let list = if stream.below(2) == 0 { NAMES_MALE } else { NAMES_FEMALE };
        let name = *stream.pick(list)?;
        if !chosen.contains(&name) {
            chosen.push(name);
        }
    }
    Some(chosen)
}

/// The key of a question about two people: its frame and the two names, in either order.
pub(super) fn key(frame: usize, a: &str, b: &str) -> String {
    let (first, second) = if a < b { (a, b) } else { (b, a) };
    format!("{frame}|{first}|{second}")
}

impl Generator for Ioi {
    fn name(&self) -> &'static str {
        // One name for all variants, so that they share their splits: train on one frame and test on all without overlap.
        "ioi"
    }

    fn draw(&self, stream: &mut Stream) -> Option<Candidate> {
        let number = self.frame.unwrap_or_else(|| stream.below(IOI_FRAMES.len()));
        let frame = IOI_FRAMES.get(number)?;
        let people = names(stream, 5)?;
        let &[a, b, x, y, z] = people.as_slice() else { return None };
        let (place, object) = (*stream.pick(PLACES)?, *stream.pick(OBJECTS)?);
        let abba = stream.below(2) == 0;
        let sentence = |first, second, giver| fill(frame, &[("1", first), ("2", second), ("B", giver), ("P", place), ("O", object)]);
        let ordered = |first, second| if abba { (first, second) } else { (second, first) };
        let (first, second) = ordered(a, b);
        let corrupted = match self.corruption {
            IoiCorruption::FreshNames => sentence(x, y, z),
            IoiCorruption::RepeatedName => sentence(first, second, z),
            IoiCorruption::Swap => sentence(first, second, a),
        };
        let order = if abba { "abba" } else { "baba" };
        let tags = BTreeMap::from([("frame".to_owned(), number.to_string()), ("order".to_owned(), order.to_owned())]);
        let predict = Predict::Next { answer: format!(" {a}"), wrong: Some(format!(" {b}")) };
        let pair = Pair { clean: sentence(first, second, b), corrupted, predict, split: None, tags };
        Some(Candidate { pair, key: key(number, a, b) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::Split;
    use super::*;

    /// Name counts in a prompt, by whole words.
    fn count(text: &str, name: &str) -> usize {
        text.split(|c: char| !c.is_alphabetic()).filter(|word| *word == name).count()
    }

    #[test]
    fn the_answer_is_named_once_and_the_wrong_name_twice() {
        for corruption in [IoiCorruption::FreshNames, IoiCorruption::RepeatedName, IoiCorruption::Swap] {
            let task = Ioi { corruption, ..Ioi::default() };
            let (mut abba, mut frames) = (0, std::collections::BTreeSet::new());
            for i in 0..400 {
                let pair = task.example(5, Split::Train, i).unwrap();
                let Predict::Next { answer, wrong: Some(wrong) } = &pair.predict else { panic!() };
                let (a, b) = (answer.trim(), wrong.trim());
                assert_eq!((count(&pair.clean, a), count(&pair.clean, b)), (1, 2), "{}", pair.clean);
                let expected = match corruption {
                    IoiCorruption::FreshNames => (0, 0),
                    IoiCorruption::RepeatedName => (1, 1),
                    IoiCorruption::Swap => (2, 1),
                };
                assert_eq!((count(&pair.corrupted, a), count(&pair.corrupted, b)), expected, "{}", pair.corrupted);
                assert_eq!(pair.clean.split(' ').count(), pair.corrupted.split(' ').count());
                assert!(!pair.clean.contains(['{', '}']) && !pair.clean.ends_with(' '));
                let first_is_answer = pair.clean.find(a) < pair.clean.find(b);
                assert_eq!(pair.tags["order"] == "abba", first_is_answer);
                abba += usize::from(first_is_answer);
                frames.insert(pair.tags["frame"].clone());
            }
            assert!((140..260).contains(&abba), "{abba}");
            assert_eq!(frames.len(), IOI_FRAMES.len());
        }
        assert!((0..50).all(|i| Ioi::one_frame(3).example(5, Split::Test, i).unwrap().tags["frame"] == "3"));
    }
}

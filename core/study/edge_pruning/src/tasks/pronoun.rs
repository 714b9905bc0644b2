//! Gendered pronoun: "I think Alice is a very good pilot, isn't" → she.
//!
//! **Corruption.** A name of the other gender. Names are those that English texts of the models' training time use mostly for one gender;
//! the task asks which pronoun a model expects, not which one a person uses.
//!
//! **Source.** Mathwin et al., "Identifying a preliminary circuit for predicting gendered pronouns" (2023), for the task; frames and lists are our own.

use super::generate::{Candidate, Generator, fill};
use super::pair::{Pair, Predict};
use super::words::{ADJECTIVES, NAMES_FEMALE, NAMES_MALE, PRONOUN_FRAMES, ROLES};
use std::collections::BTreeMap;
use vitrine_core::train::rng::Stream;

/// The generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pronoun;

impl Generator for Pronoun {
    fn name(&self) -> &'static str {
        "pronoun"
    }

    fn draw(&self, stream: &mut Stream) -> Option<Candidate> {
        let number = stream.below(PRONOUN_FRAMES.len());
        let frame = PRONOUN_FRAMES.get(number)?;
        let (adjective, role) = (*stream.pick(ADJECTIVES)?, *stream.pick(ROLES)?);
        let (man, woman) = (*stream.pick(NAMES_MALE)?, *stream.pick(NAMES_FEMALE)?);
        let female = stream.below(2) == 0;
        let (name, other, answer, wrong) = if female { (woman, man, " she", " he") } else { (man, woman, " he", " she") };
        let sentence = |name| fill(frame, &[("N", name), ("A", adjective), ("R", role)]);
        let pair = Pair {
            clean: sentence(name),
            corrupted: sentence(other),
            predict: Predict::Next { answer: answer.to_owned(), wrong: Some(wrong.to_owned()) },
            split: None,
            tags: BTreeMap::from([("frame".to_owned(), number.to_string())]),
        };
        Some(Candidate { pair, key: format!("{number}|{name}|{adjective}|{role}") })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::Split;
    use super::*;

    #[test]
    fn name_and_pronoun_agree_and_the_corruption_flips() {
        let mut she = 0;
        for i in 0..400 {
            let pair = Pronoun.example(9, Split::Test, i).unwrap();
            let female = |text: &str| text.split(|c: char| !c.is_alphabetic()).any(|word| NAMES_FEMALE.contains(&word));
            let Predict::Next { answer, .. } = &pair.predict else { panic!() };
            assert_eq!(female(&pair.clean), answer == " she");
            assert_ne!(female(&pair.clean), female(&pair.corrupted));
            she += usize::from(answer == " she");
        }
        assert!((140..260).contains(&she), "{she}");
    }
}

//! Greater-than: "The war began in the year 1732 and ended in the year 17" → a number above 32.
//!
//! **Corruption.** The year becomes 01, which allows every number, so all knowledge of the bound is gone.
//! Whether the answer is one two-digit token or starts with a tens digit depends on the tokenizer; see [`super::encode::YearForm`].
//!
//! **Source.** Hanna et al., "How does GPT-2 compute greater-than?" (2023), for the task; frame and nouns are our own.

use super::generate::{Candidate, Generator, fill};
use super::pair::{Pair, Predict};
use super::words::{CENTURIES, GREATER_THAN_FRAME, NOUNS};
use std::collections::BTreeMap;
use vitrine_core::train::rng::Stream;

/// The generator: years 02 to 98 of the eleven-hundreds to the seventeen-hundreds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GreaterThan;

impl Generator for GreaterThan {
    fn name(&self) -> &'static str {
        "greater-than"
    }

    fn draw(&self, stream: &mut Stream) -> Option<Candidate> {
        let (noun, century) = (*stream.pick(NOUNS)?, stream.pick(CENTURIES)?.to_string());
        let yy = u8::try_from(2 + stream.below(97)).ok()?;
        let sentence = |year: &str| fill(GREATER_THAN_FRAME, &[("n", noun), ("c", &century), ("y", year)]);
        let year = format!("{yy:02}");
        let pair = Pair {
            clean: sentence(&year),
            corrupted: sentence("01"),
            predict: Predict::Year { yy },
            split: None,
            tags: BTreeMap::from([("noun".to_owned(), noun.to_owned()), ("century".to_owned(), century.clone())]),
        };
        Some(Candidate { pair, key: format!("{noun}|{century}|{year}") })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::Split;
    use super::*;

    #[test]
    fn prompts_hold_the_year_and_its_corruption() {
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..2000 {
            let pair = GreaterThan.example(2, Split::Train, i).unwrap();
            let Predict::Year { yy } = pair.predict else { panic!() };
            let century = &pair.tags["century"];
            assert!((2..=98).contains(&yy));
            assert!(pair.clean.contains(&format!(" {century}{yy:02} ")) && pair.clean.ends_with(&format!(" {century}")));
            assert_eq!(pair.corrupted, pair.clean.replace(&format!("{century}{yy:02}"), &format!("{century}01")));
            seen.insert(yy);
        }
        assert_eq!(seen.len(), 97);
    }
}

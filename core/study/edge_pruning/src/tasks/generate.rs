//! Examples without end, each a pure function of (seed, task, split, index).
//!
//! **Idea.** A data set of 100,000 examples need not be stored: example `i` is drawn from its own stream of random numbers, so any
//! example can be had at any time, in any order, on any machine.
//!
//! **Method.** *Disjoint splits.* Every candidate has a content key: what makes it the same question as another (frame and unordered name
//! pair for indirect objects; noun and year for greater-than; and so on). A hash of that key, which does not depend on the seed,
//! decides the split: three fifths train, one fifth validation, one fifth test. Candidates of another split are drawn again. So
//! no key ever appears in two splits, whatever the seeds. Within a split examples may repeat, as in any random sample. Only the clean side
//! counts: corrupted prompts may hold names that are clean elsewhere.
//! *Rejection.* A caller's test (equal token counts in its tokenizer) can refuse candidates too; after [`MAX_ATTEMPTS`] the generator
//! gives up with an error instead of looping.

use super::pair::{Pair, Split};
use thiserror::Error;
use vitrine_core::train::rng::Stream;

/// Candidates drawn for one example before giving up. A split of one fifth is missed this often by chance with probability below 1e-90.
pub const MAX_ATTEMPTS: usize = 1000;

/// Why no example could be made.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum GenerateError {
    #[error(
        "{task}: no acceptable example {index} of the {split} split among {attempts} candidates; the tokenizer splits too many of the words, or too few combinations exist"
    )]
    Exhausted { task: &'static str, split: Split, index: u64, attempts: usize },
}

/// A candidate example and what makes it the same question as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The example, its split still open.
    pub pair: Pair,
    /// Content key; equal keys always share a split.
    pub key: String,
}

/// A source of examples.
pub trait Generator {
    /// The task's name, part of every stream's name.
    fn name(&self) -> &'static str;

    /// Draws one candidate, or `None` where the draw led to nothing usable.
    fn draw(&self, stream: &mut Stream) -> Option<Candidate>;

    /// Example `index` of `split`.
    ///
    /// # Errors
    /// [`GenerateError::Exhausted`].
    fn example(&self, seed: u64, split: Split, index: u64) -> Result<Pair, GenerateError> {
        self.example_where(seed, split, index, &|_| true)
    }

    /// Example `index` of `split` among those that `accept` takes, for instance `|pair| encode(pair, ...).is_ok()`.
    ///
    /// # Errors
    /// [`GenerateError::Exhausted`].
    fn example_where(&self, seed: u64, split: Split, index: u64, accept: &dyn Fn(&Pair) -> bool) -> Result<Pair, GenerateError> {
        let mut stream = Stream::new(seed, &format!("task/{}/{split}", self.name()), index);
        for _ in 0..MAX_ATTEMPTS {
            let Some(Candidate { mut pair, key }) = self.draw(&mut stream) else { continue };
            if split_of(self.name(), &key) == split && accept(&pair) {
                pair.split = Some(split);
                return Ok(pair);
            }
        }
        Err(GenerateError::Exhausted { task: self.name(), split, index, attempts: MAX_ATTEMPTS })
    }
}

/// The split that a content key belongs to, for all seeds: three fifths train, one fifth each of the others.
pub fn split_of(task: &str, key: &str) -> Split {
    match Stream::new(0, &format!("split/{task}/{key}"), 0).below(5) {
        0 => Split::Test,
        1 => Split::Validation,
        _ => Split::Train,
    }
}

/// Fills `{name}` places of a frame, each from a list of (name, text), in one pass: filled-in text is never searched again.
pub(super) fn fill(frame: &str, places: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(frame.len() + 32);
    let mut rest = frame;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(places.iter().find(|(place, _)| *place == name).map_or("", |(_, text)| text));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::{boolean::Boolean, greater_than::GreaterThan, ioi::Ioi, pronoun::Pronoun, tiny::TinyIoi};
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn all() -> Vec<Box<dyn Generator>> {
        vec![
            Box::new(Ioi::default()),
            Box::new(Ioi::one_frame(0)),
            Box::new(GreaterThan),
            Box::new(Pronoun),
            Box::new(Boolean::default()),
            Box::new(TinyIoi::default()),
        ]
    }

    #[test]
    fn an_example_depends_on_its_four_arguments_alone() {
        for task in all() {
            let at = |seed, split, index| task.example(seed, split, index).unwrap();
            let later = at(7, Split::Train, 99_999);
            let in_order: Vec<Pair> = (0..20).map(|i| at(7, Split::Train, i)).collect();
            let backwards: Vec<Pair> = (0..20).rev().map(|i| at(7, Split::Train, i)).collect();
            assert!(in_order.iter().eq(backwards.iter().rev()), "{}", task.name());
            assert_eq!(later, at(7, Split::Train, 99_999));
            let distinct: BTreeSet<&str> = in_order.iter().map(|pair| pair.clean.as_str()).collect();
            assert!(distinct.len() > 14, "{}: {} distinct of 20", task.name(), distinct.len());
            let other_seed: Vec<Pair> = (0..20).map(|i| at(8, Split::Train, i)).collect();
            assert_ne!(in_order, other_seed);
        }
    }

    #[test]
    fn keys_never_cross_splits_whatever_the_seed() {
        for task in all() {
            let mut seen: BTreeMap<String, Split> = BTreeMap::new();
            let mut counts = [0; 3];
            for seed in 0..2 {
                for index in 0..1500 {
                    // Candidates as they are drawn, before any split is chosen.
                    let Some(candidate) = task.draw(&mut Stream::new(seed, "any", index)) else { continue };
                    let split = split_of(task.name(), &candidate.key);
                    counts[split as usize] += 1;
                    assert_eq!(*seen.entry(candidate.key).or_insert(split), split);
                }
            }
            let total: usize = counts.iter().sum();
            assert!(counts[0] * 2 > total && counts[1] * 8 > total && counts[2] * 8 > total, "{}: {counts:?}", task.name());
        }
    }

    #[test]
    fn examples_of_one_split_are_no_examples_of_another() {
        for task in all() {
            let cleans = |split| (0..300).map(|i| task.example(1, split, i).unwrap().clean).collect::<BTreeSet<_>>();
            let (train, validation, test) = (cleans(Split::Train), cleans(Split::Validation), cleans(Split::Test));
            assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test), "{}", task.name());
        }
    }

    #[test]
    fn rejection_filters_and_gives_up() {
        let task = Ioi::default();
        let short = |pair: &Pair| pair.clean.len() < 70;
        assert!((0..50).all(|i| task.example_where(3, Split::Test, i, &short).unwrap().clean.len() < 70));
        let error = task.example_where(3, Split::Test, 4, &|_| false).unwrap_err();
        assert_eq!(error, GenerateError::Exhausted { task: "ioi", split: Split::Test, index: 4, attempts: MAX_ATTEMPTS });
    }

    #[test]
    fn frames_are_filled_once() {
        assert_eq!(fill("{1} saw {2}, {1}.", &[("1", "{2}"), ("2", "B")]), "{2} saw B, {2}.");
    }
}

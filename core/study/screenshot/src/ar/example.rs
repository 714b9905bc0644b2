//! Something to ask: a page of facts that no training drew, the questions about it, and another page as the wrong one.
//!
//! The first question is the prompt, so that the model writes its answer; all after it is the target, of which only answers count: what a question asks about cannot be known.

use super::{
    beside::{Asked, Writer},
    facts::{LINES, Part, facts},
};
use vitrine_core::train::rng::Stream;

/// A page, the parts of its text, and another page.
fn drawn(seed: u64) -> (String, Vec<Part>, String) {
    let page = |name: &str| facts(LINES, &mut Stream::new(seed, name, 0));
    let (context, parts) = page("example");
    (context, parts, page("another example").0)
}

impl Writer {
    /// The example of a seed.
    #[must_use]
    pub fn example(&self, seed: u64) -> Asked {
        let (context, parts, other) = drawn(seed);
        let prompt = parts.first().map(|(text, _)| text.clone()).unwrap_or_default();
        let (mut target, mut answers) = (String::new(), vec![]);
        for (text, answer) in parts.iter().skip(1) {
            let start = target.len();
            target.push_str(text);
            if *answer {
                answers.push(start..target.len());
            }
        }
        let tokens = self.trained.bpe.encode(&target);
        let inside = |start: usize, end: usize| answers.iter().any(|answer| answer.start <= start && end <= answer.end);
        let counts = tokens.iter().enumerate().filter(|(_, token)| inside(token.start, token.end)).map(|(number, _)| number).collect();
        Asked { context, other: Some(other), prompt, target, counts: Some(counts), most: 12, ..Asked::default() }
    }
}

//! Text to pre-train on: lines as tokens, and stretches of them that fit a picture.

use std::collections::BTreeMap;

use crate::bpe::{Bpe, Token};
use vitrine_core::train::rng::Stream;

/// Shortest line kept, in bytes.
const SHORTEST: usize = 8;

/// Encoded lines.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    lines: Vec<Vec<Token>>,
    /// Tokens of all lines up to and with each.
    upto: Vec<usize>,
}

impl Corpus {
    /// Encodes lines; short ones are left out.
    #[must_use]
    pub fn new<'a>(bpe: &Bpe, lines: impl Iterator<Item = &'a str>) -> Self {
        let mut known = BTreeMap::new();
        let mut corpus = Self::default();
        for line in lines.map(str::trim).filter(|line| line.len() >= SHORTEST) {
            let tokens = bpe.encode_with(line, &mut known);
            corpus.upto.push(corpus.upto.last().copied().unwrap_or(0) + tokens.len());
            corpus.lines.push(tokens);
        }
        corpus
    }

    /// Number of tokens.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.upto.last().copied().unwrap_or(0)
    }

    /// A stretch of whole words with at most `most` bytes (a longer first word is cut): every token of the corpus is as likely to be where it begins, but it begins earlier where the line
    /// would end before the picture is full. Empty only where the corpus is.
    #[must_use]
    pub fn stretch(&self, bpe: &Bpe, most: usize, random: &mut Stream) -> Vec<u32> {
        let drawn = random.below(self.tokens());
        let line = self.upto.partition_point(|&upto| upto <= drawn);
        let Some(tokens) = self.lines.get(line) else { return vec![] };
        let begins = |at: usize| at == 0 || bpe.piece(tokens[at].id).starts_with(b" ");
        let mut start = drawn - (self.upto[line] - tokens.len());
        while !begins(start) {
            start -= 1;
        }
        // Back while all from here to the line's end fits.
        let rest = |at: usize| tokens.last().map_or(0, |last| last.end) - tokens[at].start;
        let mut earlier = start;
        while earlier > 0 && rest(earlier) <= most {
            earlier -= 1;
            if begins(earlier) && rest(earlier) <= most {
                start = earlier;
            }
        }
        let from = tokens[start].start;
        let mut end = start + tokens[start..].iter().take_while(|token| token.end - from <= most).count();
        // Whole words, unless there is only one.
        let mut whole = end;
        while whole > start && whole < tokens.len() && !begins(whole) {
            whole -= 1;
        }
        if whole > start {
            end = whole;
        }
        tokens[start..end.max(start + 1)].iter().map(|token| token.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_whole_words_that_fit() {
        let lines = ["the cat sat on the mat and the dog looked at the cat for a while", "a short line here", "no"];
        let bpe = Bpe::learn(lines.into_iter(), 60);
        let corpus = Corpus::new(&bpe, lines.into_iter());
        let mut texts = std::collections::BTreeSet::new();
        for step in 0..300 {
            let text = bpe.decode(&corpus.stretch(&bpe, 22, &mut Stream::new(0, "stretch", step)));
            assert!(text.len() <= 22 && !text.is_empty(), "{text:?}");
            let words: Vec<&str> = lines.iter().flat_map(|line| line.split(' ')).collect();
            assert!(text.trim().split(' ').all(|word| words.contains(&word)), "{text:?}");
            texts.insert(text.trim().to_owned());
        }
        assert!(texts.contains("a short line here") && texts.len() > 8, "{texts:?}");
        assert!(texts.iter().all(|text| text.len() > 12), "pictures are full: {texts:?}");
        assert_eq!(Corpus::default().stretch(&bpe, 9, &mut Stream::new(0, "", 0)), Vec::<u32>::new());
    }
}

//! A text as it is drawn for a look: tokens, some of them behind `<mask>`, some letters changed.
//!
//! What is drawn is put together token by token, as pre-training does ([`damaged`](super::super::train::examples::damaged)): a run of masked tokens is one drawn mask, and a leading space is not
//! drawn. Labels are always the tokens of the text as it was typed.

use super::Asked;
use crate::{
    bpe::{Bpe, Token},
    render::config::MASK,
};
use vitrine_core::train::rng::Stream;

/// Bytes of text that are looked at for each patch of a picture, and beyond: more than it can hold but for characters that draw nothing.
const BYTES_A_PATCH: usize = 64;
const BYTES_BESIDE: usize = 1024;
/// Name of the stream that masked tokens are drawn from.
const STREAM: &str = "studio words";

/// The beginning of a text that a picture of so many patches could hold.
pub fn bounded(text: &str, patches: usize) -> &str {
    let most = patches.saturating_mul(BYTES_A_PATCH).saturating_add(BYTES_BESIDE);
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Tokens of a text and what was drawn of them.
#[derive(Debug, Clone, Default)]
pub struct Words {
    pub tokens: Vec<Token>,
    pub masked: Vec<bool>,
    /// The text that is drawn.
    pub drawn: String,
    /// For each token its bytes in the drawn text; a run of masked tokens shares those of its mask.
    spans: Vec<[usize; 2]>,
}

impl Words {
    pub fn new(bpe: &Bpe, text: &str, asked: &Asked) -> Self {
        let tokens = bpe.encode(text);
        let mut random = Stream::new(asked.seed, STREAM, 0);
        let drawn: Vec<bool> = tokens.iter().map(|_| random.uniform() < asked.text_rate).collect();
        let mut masked = match &asked.masked {
            Some(own) => (0..tokens.len()).map(|number| own.contains(&number)).collect(),
            None => drawn,
        };
        whole_characters(text, &tokens, &mut masked);
        let letters = asked.stress.on_letters(text, asked.seed);
        let mut words = Self { tokens, masked, ..Self::default() };
        for (token, &masked) in words.tokens.iter().zip(&words.masked) {
            let mut start = words.drawn.len();
            if masked {
                if words.drawn.ends_with(MASK) {
                    start -= MASK.len();
                } else {
                    words.drawn.push_str(MASK);
                }
            } else {
                let from = letters.partition_point(|(at, _)| *at < token.start);
                for (at, letter) in letters[from..].iter().take_while(|(at, _)| *at < token.end) {
                    // The picture begins with a letter.
                    if !(words.drawn.is_empty() && letter == " " && *at == token.start) {
                        words.drawn.push_str(letter);
                    }
                }
            }
            words.spans.push([start, words.drawn.len()]);
        }
        words
    }

    /// Where each token ends in the drawn text.
    pub fn ends(&self) -> Vec<usize> {
        self.spans.iter().map(|span| span[1]).collect()
    }

    /// Bytes of the typed text, and tokens, under bytes of the drawn one.
    pub fn under(&self, [from, to]: [u32; 2]) -> ([usize; 2], Vec<usize>) {
        let (from, to) = (from as usize, to as usize);
        let touched = |number: &usize| self.spans.get(*number).is_some_and(|span| span[0] < to && from < span[1]);
        let tokens: Vec<usize> = (0..self.tokens.len()).filter(touched).collect();
        let of = |number: usize, at: usize, last: bool| {
            let (token, [start, end]) = (self.tokens[number], self.spans[number]);
            // What lies inside a letter that became several, or behind a mask, is the whole of it.
            let (length, drawn) = (token.end - token.start, end - start);
            let same = !self.masked[number] && (length == drawn || start == 0 && length == drawn + 1);
            match (same, last) {
                (true, _) => (at.min(end) + token.end - end).max(token.start + length - drawn),
                (false, false) => token.start,
                (false, true) => token.end,
            }
        };
        let bytes = match (tokens.first(), tokens.last()) {
            (Some(&first), Some(&last)) => [of(first, from, false), of(last, to, true)],
            _ => [0, 0],
        };
        (bytes, tokens)
    }
}

/// Tokens that share a character are masked together.
fn whole_characters(text: &str, tokens: &[Token], masked: &mut [bool]) {
    for number in 1..tokens.len() {
        if !text.is_char_boundary(tokens[number].start) && (masked[number] || masked[number - 1]) {
            // Back to where the character begins.
            let begins = (0..number).rev().find(|&at| text.is_char_boundary(tokens[at].start)).unwrap_or(0);
            masked[begins..=number].fill(true);
        }
    }
}

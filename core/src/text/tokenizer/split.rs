//! The known split patterns, written out, and the classes of characters they use.
//!
//! A regular expression of this kind is a list of alternatives, tried in order at each place: contractions, a word with what may stand before it, a number,
//! other signs, white space. White space is the subtle part: `\s+(?!\S)` leaves the last space to the word behind it.

use super::{
    classes::{LETTERS, NUMBERS, WORD},
    plan::Pattern,
};

/// `\p{L}`.
pub fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { contains(&LETTERS, c) }
}

/// `\w`.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { contains(&WORD, c) }
}

/// `\p{N}`.
pub fn is_number(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { contains(&NUMBERS, c) }
}

/// Whether an odd number of changes lies at or before `c`.
fn contains(changes: &[u32], c: char) -> bool {
    changes.partition_point(|&change| change <= u32::from(c)) % 2 == 1
}

/// Neither white space, letter nor number.
fn is_sign(c: char) -> bool {
    !c.is_whitespace() && !is_letter(c) && !is_number(c)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// The matches of a pattern, which leave nothing out.
pub fn pattern(pattern: Pattern, text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        // At least one character, so that it ends.
        let least = rest.chars().next()?.len_utf8();
        let length = match pattern {
            Pattern::Gpt2 => gpt2(rest),
            Pattern::Llama3 => llama3(rest, 3),
            Pattern::Qwen2 => llama3(rest, 1),
        };
        let (piece, after) = rest.split_at_checked(length.max(least))?;
        rest = after;
        Some(piece)
    })
}

/// Bytes of the characters at the start that fulfil `test`, at most `most` of them.
fn run(text: &str, most: usize, test: impl Fn(char) -> bool) -> usize {
    text.chars().take(most).take_while(|&c| test(c)).map(char::len_utf8).sum()
}

/// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`, or 0. In any case the long s counts too: it folds to `s`.
fn contraction(text: &str, any_case: bool) -> usize {
    let Some(letters) = text.strip_prefix('\'') else { return 0 };
    let fold = |c: char| match c {
        'ſ' if any_case => 's',
        c if any_case => c.to_ascii_lowercase(),
        c => c,
    };
    let mut two = letters.chars();
    let length = match (two.next().map(fold), two.next().map(fold)) {
        (Some('s' | 't' | 'm' | 'd'), _) => 1,
        (Some('r' | 'v'), Some('e')) | (Some('l'), Some('l')) => 2,
        _ => return 0,
    };
    1 + run(letters, length, |_| true)
}

/// ` ?X+`, or 0.
fn spaced(text: &str, test: impl Fn(char) -> bool) -> usize {
    let after = text.strip_prefix(' ').unwrap_or(text);
    match run(after, usize::MAX, test) {
        0 => 0,
        length => text.len() - after.len() + length,
    }
}

/// `\s+(?!\S)|\s+`: all white space at the end of the text; before a word all but the last, or the one there is.
fn white_space(text: &str) -> usize {
    let all = run(text, usize::MAX, char::is_whitespace);
    if all == text.len() {
        return all;
    }
    let last = text.get(..all).and_then(|space| space.chars().next_back()).map_or(0, char::len_utf8);
    if all > last { all - last } else { all }
}

/// The first length that is not 0.
fn first(alternatives: &[&dyn Fn() -> usize]) -> usize {
    alternatives.iter().map(|alternative| alternative()).find(|&length| length > 0).unwrap_or(0)
}

fn gpt2(text: &str) -> usize {
    first(&[&|| contraction(text, false), &|| spaced(text, is_letter), &|| spaced(text, is_number), &|| spaced(text, is_sign), &|| {
        white_space(text)
    }])
}

fn llama3(text: &str, digits: usize) -> usize {
    // `[^\r\n\p{L}\p{N}]?\p{L}+`
    let word = || {
        let before = run(text, 1, |c| !is_line_end(c) && !is_letter(c) && !is_number(c));
        match run(text.get(before..).unwrap_or(""), usize::MAX, is_letter) {
            0 => 0,
            length => before + length,
        }
    };
    // ` ?[^\s\p{L}\p{N}]+[\r\n]*`
    let signs = || match spaced(text, is_sign) {
        0 => 0,
        length => length + run(text.get(length..).unwrap_or(""), usize::MAX, is_line_end),
    };
    // `\s*[\r\n]+`: white space up to its last line end.
    let lines = || {
        let space = text.get(..run(text, usize::MAX, char::is_whitespace)).unwrap_or("");
        space.rfind(is_line_end).map_or(0, |at| at + 1)
    };
    first(&[&|| contraction(text, true), &word, &|| run(text, digits, is_number), &signs, &lines, &|| white_space(text)])
}

/// Every character that fulfils `test` alone, and the runs between them.
pub fn isolated(text: &str, test: fn(char) -> bool) -> impl Iterator<Item = &str> {
    pieces(text, move |a, b| test(a) || test(b))
}

/// Runs of characters that fulfil `test` and runs of those that do not.
pub fn runs(text: &str, test: fn(char) -> bool) -> impl Iterator<Item = &str> {
    pieces(text, move |a, b| test(a) != test(b))
}

/// The text cut wherever `cut` says so of two neighbours.
fn pieces(text: &str, cut: impl Fn(char, char) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut characters = rest.char_indices();
        let (_, mut last) = characters.next()?;
        let end = characters.find(|&(_, c)| cut(std::mem::replace(&mut last, c), c)).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(piece)
    })
}

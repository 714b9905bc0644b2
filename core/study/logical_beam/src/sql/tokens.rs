//! The tokens of the official SQL evaluator.
//!
//! All single quotes become double quotes; what stands between two of them is one token with its quotes, as written; the rest is cut into [`words`](super::words) and
//! lower-cased; `!`, `<`, `>` before `=` join it. An odd number of quotes has no tokens. A quoted text that touches a word stays part of that word under a
//! placeholder, so that it is no text to the parser: this too is how the evaluator works.
//!
//! **Source.** Yu et al., "Spider", EMNLP 2018, and its evaluation tool; Zhong, Yu, Klein, "Semantic Evaluation for Text-to-SQL with Distilled Test Suites", EMNLP 2020.

use std::collections::BTreeMap;

use super::{parse::ParseError, words::words};

/// Longest text that is read, in bytes. The longest query of Spider has some 600.
pub const LONGEST: usize = 64 << 10;

/// Cuts `sql` into tokens.
///
/// # Errors
/// [`ParseError::TooLong`] and [`ParseError::OddQuotes`].
pub fn tokens(sql: &str) -> Result<Vec<String>, ParseError> {
    if sql.len() > LONGEST {
        return Err(ParseError::TooLong { bytes: sql.len() });
    }
    let sql = sql.replace('\'', "\"");
    let pieces: Vec<&str> = sql.split('"').collect();
    if pieces.len().is_multiple_of(2) {
        return Err(ParseError::OddQuotes);
    }
    let mut quoted = BTreeMap::new();
    let mut text = String::with_capacity(sql.len());
    // Counted in characters: the placeholder's name shows where it is glued to a word.
    let mut position = 0;
    for (i, piece) in pieces.iter().enumerate() {
        let length = piece.chars().count();
        if i % 2 == 0 {
            text.push_str(piece);
            position += length;
        } else {
            let key = format!("__val_{position}_{}__", position + length + 1);
            text.push_str(&key);
            quoted.insert(key, format!("\"{piece}\""));
            position += length + 2;
        }
    }
    let mut tokens: Vec<String> = Vec::new();
    for word in words(&text) {
        let word = word.to_lowercase();
        match (quoted.get(&word), tokens.last_mut()) {
            (Some(text), _) => tokens.push(text.clone()),
            (None, Some(last)) if word == "=" && matches!(last.as_str(), "!" | "<" | ">") => last.push('='),
            _ => tokens.push(word),
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_one_token_and_case_stays() {
        let read = |sql: &str| tokens(sql).unwrap().join("|");
        assert_eq!(read("SELECT A FROM b WHERE c = 'It is, x' AND d >= 3 ;"), "select|a|from|b|where|c|=|\"It is, x\"|and|d|>=|3|;");
        assert_eq!(read("a ! = 1 b < = 2"), "a|!=|1|b|<=|2");
        assert_eq!(read("c =\"x\""), "c|=__val_3_5__");
        assert!(matches!(tokens("it's"), Err(ParseError::OddQuotes)));
        assert!(matches!(tokens(&"a".repeat(LONGEST + 1)), Err(ParseError::TooLong { .. })));
    }
}

//! A closed word-level vocabulary for small models trained on the spot.
//!
//! **Method.** Text is cut at white space, and every ASCII punctuation mark is a word of its own. Ids are the places of the words in sorted order.
//! `<bos>` and `<pad>` are always there and can never come from text, since `<` is a mark. An unknown word is an error, never a guess.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// Most words a vocabulary holds.
pub const MAX_WORDS: usize = 1 << 16;
/// Longest word, in bytes.
pub const MAX_WORD_BYTES: usize = 64;

const FORMAT: &str = "vitrine.words/1";
const BOS: &str = "<bos>";
const PAD: &str = "<pad>";

/// Why a vocabulary or a text was refused.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum VocabError {
    #[error("the word `{word}` is not among the {size} words of this vocabulary")]
    UnknownWord { word: String, size: usize },
    #[error("token id {id} is outside this vocabulary of {size} words")]
    UnknownId { id: u32, size: usize },
    #[error("a vocabulary file must be JSON with format `{FORMAT}` and a list of words: {reason}")]
    Malformed { reason: String },
    #[error("a vocabulary holds at most {MAX_WORDS} words of at most {MAX_WORD_BYTES} bytes each: {reason}")]
    TooLarge { reason: String },
    #[error("the words must be distinct and sorted, with <bos> and <pad> among them; `{word}` breaks this")]
    NotSorted { word: String },
}

/// Words and their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordVocab {
    words: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    words: Vec<String>,
}

/// Cuts a text into words and marks.
fn cut(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().flat_map(|chunk| chunk.split_inclusive(is_mark).flat_map(split_last_mark)).filter(|word| !word.is_empty())
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation()
}

/// A piece ends in at most one mark; the mark becomes a piece of its own.
fn split_last_mark(piece: &str) -> [&str; 2] {
    match piece.char_indices().next_back() {
        Some((at, c)) if is_mark(c) => [&piece[..at], &piece[at..]],
        _ => [piece, ""],
    }
}

impl WordVocab {
    /// The vocabulary of all words in the texts, and `<bos>`, `<pad>`.
    ///
    /// # Errors
    /// [`VocabError::TooLarge`].
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, VocabError> {
        let mut words = BTreeSet::from([BOS.to_owned(), PAD.to_owned()]);
        for text in texts {
            for word in cut(text) {
                if word.len() > MAX_WORD_BYTES {
                    let start: String = word.chars().take(20).collect();
                    return Err(VocabError::TooLarge { reason: format!("the word `{start}…` has {} bytes", word.len()) });
                }
                if !words.contains(word) {
                    words.insert(word.to_owned());
                }
                if words.len() > MAX_WORDS {
                    return Err(VocabError::TooLarge { reason: "the texts have more words".to_owned() });
                }
            }
        }
        Ok(Self { words: words.into_iter().collect() })
    }

    /// Number of words; ids run below it.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Never true: `<bos>` and `<pad>` are always there.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// All words by id.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Id of a word, `<bos>` and `<pad>` included.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.words.binary_search_by(|known| known.as_str().cmp(word)).ok().and_then(|id| u32::try_from(id).ok())
    }

    /// Id of the beginning-of-text token.
    pub fn bos_id(&self) -> u32 {
        self.id(BOS).unwrap_or_default()
    }

    /// Id of the padding token.
    pub fn pad_id(&self) -> u32 {
        self.id(PAD).unwrap_or_default()
    }

    /// Ids of a text's words.
    ///
    /// # Errors
    /// [`VocabError::UnknownWord`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, VocabError> {
        cut(text)
            .map(|word| {
                let unknown = || VocabError::UnknownWord { word: word.chars().take(40).collect(), size: self.len() };
                self.id(word).ok_or_else(unknown)
            })
            .collect()
    }

    /// The words of ids, joined by spaces except before punctuation.
    ///
    /// # Errors
    /// [`VocabError::UnknownId`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, VocabError> {
        let mut text = String::new();
        for &id in ids {
            let word = self.words.get(id as usize).ok_or(VocabError::UnknownId { id, size: self.len() })?;
            let mark = word.chars().count() == 1 && word.starts_with(is_mark);
            if !text.is_empty() && !mark {
                text.push(' ');
            }
            text.push_str(word);
        }
        Ok(text)
    }

    /// The vocabulary as JSON.
    pub fn to_json(&self) -> String {
        serde_json::json!({ "format": FORMAT, "words": self.words }).to_string()
    }

    /// Reads what [`WordVocab::to_json`] wrote.
    ///
    /// # Errors
    /// All of [`VocabError`] but unknown words and ids.
    pub fn from_json(text: &str) -> Result<Self, VocabError> {
        let bound = MAX_WORDS * (MAX_WORD_BYTES + 16);
        if text.len() > bound {
            return Err(VocabError::TooLarge { reason: format!("the file has {} bytes", text.len()) });
        }
        let file: File = serde_json::from_str(text).map_err(|error| VocabError::Malformed { reason: error.to_string() })?;
        if file.format != FORMAT {
            return Err(VocabError::Malformed { reason: format!("its format is `{}`", file.format.chars().take(40).collect::<String>()) });
        }
        if file.words.len() > MAX_WORDS {
            return Err(VocabError::TooLarge { reason: format!("the file has {} words", file.words.len()) });
        }
        if let Some(word) = file.words.iter().find(|word| word.len() > MAX_WORD_BYTES) {
            return Err(VocabError::TooLarge { reason: format!("a word has {} bytes", word.len()) });
        }
        if let Some(pair) = file.words.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(VocabError::NotSorted { word: pair[1].clone() });
        }
        for word in &file.words {
            let one_piece = cut(word).eq([word.as_str()]);
            if !one_piece && word != BOS && word != PAD {
                return Err(VocabError::Malformed { reason: format!("`{word}` is not one word") });
            }
        }
        let vocab = Self { words: file.words };
        match [BOS, PAD].into_iter().find(|word| vocab.id(word).is_none()) {
            Some(missing) => Err(VocabError::NotSorted { word: missing.to_owned() }),
            None => Ok(vocab),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_marks_are_cut_and_come_back() {
        let vocab = WordVocab::from_texts(["when ann , bob met , ann left .", "bob's \"end\"?"]).unwrap();
        assert_eq!(vocab.words().join(" "), "\" ' , . <bos> <pad> ? ann bob end left met s when");
        let text = "when bob left, ann met bob.";
        assert_eq!(vocab.decode(&vocab.encode(text).unwrap()).unwrap(), text);
        assert_eq!(vocab.encode("  when\tann ,, ").unwrap(), vocab.encode("when ann,,").unwrap());
        assert_eq!(vocab.encode("ann <bos>"), Err(VocabError::UnknownWord { word: "<".to_owned(), size: vocab.len() }));
        assert!(matches!(vocab.encode("zoe"), Err(VocabError::UnknownWord { .. })));
        assert!(matches!(vocab.decode(&[99]), Err(VocabError::UnknownId { id: 99, .. })));
        assert_ne!(vocab.bos_id(), vocab.pad_id());
    }

    #[test]
    fn files_come_back_and_bad_ones_are_refused() {
        let vocab = WordVocab::from_texts(["été ünder a b"]).unwrap();
        assert_eq!(WordVocab::from_json(&vocab.to_json()).unwrap(), vocab);
        let file = |words: &str| format!("{{\"format\":\"vitrine.words/1\",\"words\":[{words}]}}");
        assert!(matches!(WordVocab::from_json(&file("\"<bos>\",\"<pad>\",\"b\",\"a\"")), Err(VocabError::NotSorted { .. })));
        assert!(matches!(WordVocab::from_json(&file("\"<bos>\",\"<pad>\",\"a\",\"a\"")), Err(VocabError::NotSorted { .. })));
        assert!(matches!(WordVocab::from_json(&file("\"a\"")), Err(VocabError::NotSorted { .. })));
        assert!(matches!(WordVocab::from_json(&file("\"<bos>\",\"<pad>\",\"a b\"")), Err(VocabError::Malformed { .. })));
        assert!(matches!(WordVocab::from_json("{}"), Err(VocabError::Malformed { .. })));
        assert!(matches!(WordVocab::from_json(&vocab.to_json().replace("/1", "/2")), Err(VocabError::Malformed { .. })));
        let long = file(&format!("\"<bos>\",\"<pad>\",\"{}\"", "a".repeat(65)));
        assert!(matches!(WordVocab::from_json(&long), Err(VocabError::TooLarge { .. })));
    }
}

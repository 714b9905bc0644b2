//! The parts of a tokenizer as checked plain data, and their assembly.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokenizers::models::bpe::{self, BPE};

use super::{
    MAX_MERGES, MAX_TOKEN_BYTES, MAX_TOKENS,
    plan::{Decoder, Model, Norm, Pattern, Plan, Split, normalize},
};
use crate::formats::error::{FormatError, show};

/// Token strings and their ids: both unique, both bounded.
#[derive(Default)]
pub(super) struct Vocab {
    ids: BTreeMap<String, u32>,
    used: BTreeSet<u32>,
}

impl Vocab {
    /// Adds a token.
    pub(super) fn insert(&mut self, token: String, id: u32) -> Result<(), FormatError> {
        check_token(&token, id)?;
        if self.ids.contains_key(&token) {
            return Err(FormatError::Duplicate { what: "token", name: show(&token) });
        }
        if !self.used.insert(id) {
            return Err(FormatError::Duplicate { what: "token id", name: id.to_string() });
        }
        self.ids.insert(token, id);
        Ok(())
    }

    pub(super) fn contains(&self, token: &str) -> bool {
        self.ids.contains_key(token)
    }

    pub(super) fn into_pairs(self) -> impl Iterator<Item = (String, u32)> {
        self.ids.into_iter()
    }
}

/// Length and id of one token.
fn check_token(token: &str, id: u32) -> Result<(), FormatError> {
    let length = token.len() as u64;
    FormatError::check_limit(|| format!("length of token {}", show(token)), length, MAX_TOKEN_BYTES)?;
    FormatError::check_limit(|| format!("id of token {}", show(token)), u64::from(id) + 1, MAX_TOKENS)
}

/// A BPE model before it is checked as a whole.
#[derive(Default)]
pub(super) struct Bpe {
    pub(super) vocab: Vocab,
    /// Pairs in order of rank.
    pub(super) merges: Vec<(String, String)>,
    /// Whether a word that is a token is taken whole, without merging.
    pub(super) ignore_merges: bool,
}

impl Bpe {
    /// Every merge must join two known tokens to a known token.
    pub(super) fn build(self) -> Result<BPE, FormatError> {
        let n = self.merges.len() as u64;
        FormatError::check_limit(|| "number of merges".into(), n, MAX_MERGES)?;
        let mut joined = String::new();
        for (rank, (left, right)) in self.merges.iter().enumerate() {
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            for token in [left, right, &joined] {
                if !self.vocab.contains(token) {
                    return Err(FormatError::invalid(format!("merge {rank}"), format!("{} is not in the vocabulary", show(token))));
                }
            }
        }
        let vocab: bpe::Vocab = self.vocab.into_pairs().collect();
        BPE::builder()
            .vocab_and_merges(vocab, self.merges)
            .ignore_merges(self.ignore_merges)
            .build()
            .map_err(|e| FormatError::invalid("BPE model", e.to_string()))
    }
}

/// A token that is matched in the text before everything else.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are those of the file format")]
pub(super) struct Added {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", expect(dead_code, reason = "the native engine keeps a list of special tokens"))]
    pub(super) special: bool,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
    #[serde(default)]
    pub(super) normalized: bool,
}

/// How text is cut into words before BPE sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreSplit {
    /// GPT-2's pattern.
    Gpt2,
    /// Every digit alone, then GPT-2's pattern.
    DigitsThenGpt2,
    /// Llama 3's pattern: digits in groups of up to three.
    Llama3,
    /// Qwen2's pattern: as Llama 3's, with every digit alone.
    Qwen2,
}

impl PreSplit {
    /// By the name in `tokenizer.ggml.pre`.
    pub(super) fn from_gguf_name(name: &str) -> Result<Self, FormatError> {
        Ok(match name {
            "gpt-2" | "gpt2" => Self::Gpt2,
            "smollm" => Self::DigitsThenGpt2,
            "llama-bpe" | "llama3" | "llama-v3" => Self::Llama3,
            "qwen2" => Self::Qwen2,
            other => {
                return Err(FormatError::Unsupported {
                    what: "tokenizer.ggml.pre".into(),
                    found: show(other),
                    supported: "gpt-2, smollm, llama-bpe and qwen2".into(),
                });
            }
        })
    }

    fn steps(self) -> Vec<Split> {
        let bytes = |gpt2| Split::ByteLevel { add_prefix_space: false, gpt2 };
        match self {
            Self::Gpt2 => vec![bytes(true)],
            Self::DigitsThenGpt2 => vec![Split::Digits { individual: true }, bytes(true)],
            Self::Llama3 => vec![Split::Pattern(Pattern::Llama3), bytes(false)],
            Self::Qwen2 => vec![Split::Pattern(Pattern::Qwen2), bytes(false)],
        }
    }
}

/// Byte-level BPE as a whole.
pub(super) fn byte_level_bpe(bpe: Bpe, pre: PreSplit, added: Vec<Added>) -> Result<Plan, FormatError> {
    let model = Model::Bpe(bpe.build()?);
    let added = check_added(added, &[], &model)?;
    Ok(Plan { model, normalizers: Vec::new(), splits: pre.steps(), decoder: Decoder::ByteLevel, added })
}

/// The added tokens in order of their ids; each must get the id that the file states: the model's, or the next one after the vocabulary.
pub(super) fn check_added(added: Vec<Added>, normalizers: &[Norm], model: &Model) -> Result<Vec<Added>, FormatError> {
    const MAX_ADDED: u64 = 65_536;
    let n = added.len() as u64;
    FormatError::check_limit(|| "number of added tokens".into(), n, MAX_ADDED)?;
    let mut by_id = BTreeMap::new();
    let mut names = BTreeSet::new();
    for token in added {
        check_token(&token.content, token.id)?;
        if token.content.is_empty() {
            return Err(FormatError::invalid("added token", "is empty"));
        }
        // A pattern that is empty after normalisation would match everywhere.
        if token.normalized && !normalize(normalizers, &token.content).is_ok_and(|form| !form.is_empty()) {
            let what = format!("added token {}", show(&token.content));
            return Err(FormatError::invalid(what, "nothing is left of it after normalisation"));
        }
        if by_id.contains_key(&token.id) || !names.insert(token.content.clone()) {
            return Err(FormatError::Duplicate { what: "added token", name: show(&token.content) });
        }
        by_id.insert(token.id, token);
    }
    let mut next = u32::try_from(model.vocab_size()).unwrap_or(u32::MAX);
    for token in by_id.values() {
        let follows = model.token_to_id(&token.content).unwrap_or_else(|| {
            next = next.saturating_add(1);
            next - 1
        });
        if follows != token.id {
            return Err(FormatError::invalid(
                format!("added token {}", show(&token.content)),
                format!("has id {}, but {follows} follows from the vocabulary", token.id),
            ));
        }
    }
    Ok(by_id.into_values().collect())
}

/// The two tokens of a merge written as `left right`. A space that belongs to the left token comes first.
pub(super) fn split_merge(merge: &str) -> Result<(String, String), FormatError> {
    let bad = || FormatError::invalid("merge", format!("{} is not two tokens", show(merge)));
    let first = merge.chars().next().ok_or_else(bad)?.len_utf8();
    let (head, tail) = merge.split_at(first);
    let (rest, right) = tail.split_once(' ').ok_or_else(bad)?;
    if right.is_empty() || right.contains(' ') {
        return Err(bad());
    }
    Ok((format!("{head}{rest}"), right.to_owned()))
}

/// Whether a byte stands for itself in byte-level tokens; the other 68, in order, are U+0100 and on (GPT-2's table).
const fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff)
}

const CHARACTERS: [char; 256] = {
    let mut table = ['\0'; 256];
    let (mut byte, mut next) = (0, 0x100);
    while byte < 256 {
        let code = if is_printable(byte as u8) { byte as u32 } else { next };
        if code == next {
            next += 1;
        }
        if let Some(c) = char::from_u32(code) {
            table[byte] = c;
        }
        byte += 1;
    }
    table
};

/// The character that stands for a byte.
#[cfg(any(target_family = "wasm", test))]
pub(super) fn char_of(byte: u8) -> char {
    CHARACTERS[usize::from(byte)]
}

/// The byte that a character of a byte-level token stands for.
pub(super) fn byte_of(c: char) -> Option<u8> {
    match u8::try_from(u32::from(c)) {
        Ok(byte) => is_printable(byte).then_some(byte),
        Err(_) => CHARACTERS.iter().position(|&other| other == c).and_then(|byte| u8::try_from(byte).ok()),
    }
}

/// The bytes of a byte-level token; of one with other characters, those of its text.
#[cfg(any(target_family = "wasm", test))]
pub(super) fn bytes_of(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<_>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

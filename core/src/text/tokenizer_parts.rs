//! The parts of a tokenizer as checked plain data, and their assembly.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::{self, BPE},
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use super::{MAX_MERGES, MAX_TOKEN_BYTES, MAX_TOKENS};
use crate::formats::error::{FormatError, show};

/// Token strings and their ids: both unique, both bounded.
#[derive(Default)]
pub(super) struct Vocab {
    ids: BTreeMap<String, u32>,
    used: std::collections::BTreeSet<u32>,
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
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are those of the file format")]
pub(super) struct Added {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
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

/// Llama 3's split pattern.
pub(super) const LLAMA3: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen2's split pattern.
pub(super) const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// GPT-2's split pattern, for files that spell it out.
pub(super) const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

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

    fn build(self) -> Result<PreTokenizerWrapper, FormatError> {
        let gpt2 = ByteLevel::new(false, true, true);
        Ok(match self {
            Self::Gpt2 => gpt2.into(),
            Self::DigitsThenGpt2 => Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into(),
            Self::Llama3 | Self::Qwen2 => {
                let pattern = if self == Self::Llama3 { LLAMA3 } else { QWEN2 };
                Sequence::new(vec![split(pattern)?.into(), ByteLevel::new(false, true, false).into()]).into()
            }
        })
    }
}

/// A pre-tokenizer that isolates the matches of one of the known patterns.
pub(super) fn split(pattern: &str) -> Result<Split, FormatError> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(|e| FormatError::invalid("split pattern", e.to_string()))
}

/// Byte-level BPE as a whole.
pub(super) fn byte_level_bpe(bpe: Bpe, pre: PreSplit, added: &[Added]) -> Result<Tokenizer, FormatError> {
    let mut tokenizer = Tokenizer::new(ModelWrapper::BPE(bpe.build()?));
    tokenizer.with_pre_tokenizer(Some(pre.build()?));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    add_tokens(&mut tokenizer, added)?;
    Ok(tokenizer)
}

/// Adds `added` in order of their ids; each must get the id that the file states.
pub(super) fn add_tokens(tokenizer: &mut Tokenizer, added: &[Added]) -> Result<(), FormatError> {
    const MAX_ADDED: u64 = 65_536;
    let n = added.len() as u64;
    FormatError::check_limit(|| "number of added tokens".into(), n, MAX_ADDED)?;
    let mut by_id = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    for token in added {
        check_token(&token.content, token.id)?;
        if token.content.is_empty() {
            return Err(FormatError::invalid("added token", "is empty"));
        }
        // A pattern that is empty after normalisation would match everywhere.
        if token.normalized
            && let Some(normalizer) = tokenizer.get_normalizer()
        {
            let mut text = NormalizedString::from(token.content.as_str());
            let normalized = normalizer.normalize(&mut text);
            if normalized.is_err() || text.get().is_empty() {
                return Err(FormatError::invalid(
                    format!("added token {}", show(&token.content)),
                    "nothing is left of it after normalisation",
                ));
            }
        }
        if by_id.insert(token.id, token).is_some() || !names.insert(token.content.as_str()) {
            return Err(FormatError::Duplicate { what: "added token", name: show(&token.content) });
        }
    }
    let list: Vec<AddedToken> = by_id
        .values()
        .map(|token| {
            AddedToken::from(token.content.as_str(), token.special)
                .single_word(token.single_word)
                .lstrip(token.lstrip)
                .rstrip(token.rstrip)
                .normalized(token.normalized)
        })
        .collect();
    tokenizer.add_tokens(list).map_err(|e| FormatError::invalid("added tokens", e.to_string()))?;
    for token in added {
        let got = tokenizer.token_to_id(&token.content);
        if got != Some(token.id) {
            return Err(FormatError::invalid(
                format!("added token {}", show(&token.content)),
                format!("has id {}, but {got:?} follows from the vocabulary", token.id),
            ));
        }
    }
    Ok(())
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

/// The byte that a character of a byte-level token stands for.
///
/// GPT-2's table: printable bytes stand for themselves; the other 68, in order, are U+0100 and on.
pub(super) fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    let printable = |code: u32| matches!(code, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if printable(code) {
        return u8::try_from(code).ok();
    }
    let index = code.checked_sub(0x100)? as usize;
    (0..=255u8).filter(|&b| !printable(b.into())).nth(index)
}

//! Text to token ids and back, for the tokenizers of the models vitrine loads.
//!
//! The work is done by the `tokenizers` crate: natively by all of it, in a page by its models and
//! normalisers (`tokenizer/direct.rs` says why). What this module adds is how an untrusted description
//! becomes a tokenizer. The crate's own JSON loader panics on some malformed files, and a panic ends a
//! page, so nothing is handed to it unchecked: the vocabulary, the merges and the steps around them are
//! read into plain data (`plan.rs`), bounded and checked, and only then given to an engine. Split
//! patterns are taken from a list of known ones, because an arbitrary pattern can run for ever.
//!
//! Sources: byte-level BPE as in GPT-2 (Radford et al. 2019, section 2.2); the names of the
//! pre-tokenizers in GGUF files are llama.cpp's.

#[cfg(any(target_family = "wasm", test))]
mod classes;
#[cfg(any(target_family = "wasm", test))]
mod direct;
#[path = "tokenizer_json.rs"]
mod json;
#[cfg(target_family = "wasm")]
mod page_normal;
#[path = "tokenizer_parts.rs"]
mod parts;
mod plan;
#[cfg(not(target_family = "wasm"))]
mod reference;
#[cfg(any(target_family = "wasm", test))]
mod split;

use std::fmt::Write as _;

use crate::formats::{
    error::{FormatError, show},
    gguf::{Array, Gguf, Value},
    source::ByteSource,
};
#[cfg(target_family = "wasm")]
use direct::Engine;
use parts::{Added, Bpe, PreSplit, byte_of};
use plan::{Decoder, Plan};
#[cfg(not(target_family = "wasm"))]
use reference::Engine;

/// Most tokens in a vocabulary, added ones included.
pub const MAX_TOKENS: u64 = 1 << 21;
/// Longest token, bytes.
pub const MAX_TOKEN_BYTES: u64 = 4096;
/// Most merges of a BPE.
pub const MAX_MERGES: u64 = 1 << 22;
/// Longest `tokenizer.json`, bytes.
pub const MAX_JSON: u64 = 64 << 20;
/// Longest text for one call of [`Tokenizer::encode`], bytes.
pub const MAX_TEXT: u64 = 16 << 20;

/// A loaded tokenizer.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    engine: Engine,
    /// Whether the characters of tokens stand for bytes.
    byte_level: bool,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`: byte-level BPE (GPT-2, Llama 3, Qwen2, SmolLM2) or `WordPiece` (BERT).
    /// Padding, truncation and the post-processor are left out: they would add tokens.
    ///
    /// # Errors
    /// [`FormatError`] for a file that is too long, is not such a file, contradicts itself, or uses a
    /// part that is not supported.
    pub fn from_json(json: &[u8]) -> Result<Self, FormatError> {
        Self::assemble(json::load(json)?)
    }

    /// Builds the tokenizer in a GGUF's metadata: byte-level BPE with a known pre-tokenizer.
    ///
    /// # Errors
    /// [`FormatError::Unsupported`] for another model or pre-tokenizer, [`FormatError::Missing`] and
    /// [`FormatError::Invalid`] for metadata that is absent or contradicts itself.
    pub fn from_gguf<S: ByteSource>(file: &Gguf<S>) -> Result<Self, FormatError> {
        let get = |key: &str| file.entries().get(key).ok_or_else(|| FormatError::missing(format!("metadata {}", show(key))));
        let wrong = |key: &str, expected: &str| FormatError::invalid(format!("metadata {}", show(key)), format!("is not {expected}"));
        let model_key = "tokenizer.ggml.model";
        let model = get(model_key)?.as_str().ok_or_else(|| wrong(model_key, "a string"))?;
        if model != "gpt2" {
            return Err(FormatError::Unsupported { what: model_key.into(), found: show(model), supported: "gpt2 (byte-level BPE)".into() });
        }
        let pre_key = "tokenizer.ggml.pre";
        let pre = get(pre_key)?.as_str().ok_or_else(|| wrong(pre_key, "a string"))?;
        let pre = PreSplit::from_gguf_name(pre)?;

        let tokens_key = "tokenizer.ggml.tokens";
        let tokens = get(tokens_key)?.as_strings().ok_or_else(|| wrong(tokens_key, "an array of strings"))?;
        let merges_key = "tokenizer.ggml.merges";
        let merges = get(merges_key)?.as_strings().ok_or_else(|| wrong(merges_key, "an array of strings"))?;
        let mut bpe = Bpe { ignore_merges: pre == PreSplit::Llama3, ..Bpe::default() };
        for (token, id) in tokens.iter().zip(0..) {
            bpe.vocab.insert(token.clone(), id)?;
        }
        for merge in merges {
            bpe.merges.push(parts::split_merge(merge)?);
        }
        let added = match file.entries().get("tokenizer.ggml.token_type") {
            None => Vec::new(),
            Some(Value::Array(Array::I32(types))) if types.len() == tokens.len() => added_tokens(tokens, types),
            Some(_) => {
                return Err(wrong("tokenizer.ggml.token_type", "an array of one i32 per token"));
            }
        };
        Self::assemble(parts::byte_level_bpe(bpe, pre, added)?)
    }

    fn assemble(plan: Plan) -> Result<Self, FormatError> {
        let byte_level = matches!(plan.decoder, Decoder::ByteLevel);
        Ok(Self { engine: Engine::new(plan)?, byte_level })
    }

    /// The tokenizer as a `tokenizer.json`, which [`Tokenizer::from_json`] and other programs read.
    ///
    /// # Errors
    /// [`FormatError::Invalid`] should the tokenizer not be writable as JSON, which none is known to cause.
    #[cfg(not(target_family = "wasm"))]
    pub fn to_json(&self) -> Result<String, FormatError> {
        self.engine.to_json()
    }

    /// Token ids of `text`. Nothing is added (no begin, end or class token); the name of a special token
    /// written in the text becomes that token, as in the original tokenizers.
    ///
    /// # Errors
    /// [`FormatError::Limit`] for a text above [`MAX_TEXT`]; [`FormatError::Invalid`] when the text
    /// cannot be split.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, FormatError> {
        FormatError::check_limit(|| "text length".into(), text.len() as u64, MAX_TEXT)?;
        self.engine.encode(text).map_err(|e| FormatError::invalid("text", e.to_string()))
    }

    /// Text of `ids`, special tokens included. An id outside the vocabulary, like a byte sequence that
    /// is not UTF-8, becomes U+FFFD.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        let known = |id: &u32| self.engine.id_to_token(*id).is_some();
        let pieces = ids.split(|id| !known(id)).map(|run| self.engine.decode(run).unwrap_or_else(|_| char::REPLACEMENT_CHARACTER.into()));
        pieces.collect::<Vec<_>>().join("\u{fffd}")
    }

    /// One token for people to read: its text where it is text; bytes that are no text on their own as
    /// `<0xE2>`; `<id 70000>` for an id outside the vocabulary.
    #[must_use]
    pub fn token_text(&self, id: u32) -> String {
        let Some(token) = self.engine.id_to_token(id) else {
            return format!("<id {id}>");
        };
        if !self.byte_level {
            return token;
        }
        // A special token holds characters that stand for no byte, or the decoder leaves it alone.
        let Some(bytes) = token.chars().map(byte_of).collect::<Option<Vec<u8>>>() else {
            return token;
        };
        let mut text = String::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                let _ = write!(text, "<0x{byte:02X}>");
            }
        }
        text
    }

    /// The bytes that one token adds to a text; `None` for an id outside the vocabulary, and for a special token where tokens stand for bytes.
    #[must_use]
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let token = self.engine.id_to_token(id)?;
        if self.byte_level { token.chars().map(byte_of).collect() } else { Some(token.into_bytes()) }
    }

    /// The stored form of one token, such as `Ġthe`, or `None` for an id outside the vocabulary.
    #[must_use]
    pub fn raw_token(&self, id: u32) -> Option<String> {
        self.engine.id_to_token(id)
    }

    /// The id of the token whose stored form is `token` exactly, such as `<|im_end|>`.
    #[must_use]
    pub fn raw_token_id(&self, token: &str) -> Option<u32> {
        self.engine.token_to_id(token)
    }

    /// Number of tokens, added ones included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.engine.vocab_size()
    }

    /// The id of `text` when it is exactly one token, such as `" Mary"`.
    #[must_use]
    pub fn single_token(&self, text: &str) -> Option<u32> {
        match self.encode(text).ok()?.as_slice() {
            [id] => Some(*id),
            _ => None,
        }
    }
}

/// Tokens that are matched before anything else: control tokens (type 3) and user-defined ones (4).
fn added_tokens(tokens: &[String], types: &[i32]) -> Vec<Added> {
    tokens
        .iter()
        .zip(types)
        .zip(0..)
        .filter(|((_, kind), _)| matches!(kind, 3 | 4))
        .map(|((token, kind), id)| Added {
            id,
            content: token.clone(),
            special: *kind == 3,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
        })
        .collect()
}

#[cfg(test)]
#[path = "tokenizer/tests.rs"]
mod engine_tests;
#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;

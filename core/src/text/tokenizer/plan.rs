//! A tokenizer as checked plain data: what both engines are built from.

use tokenizers::{
    Model as _,
    decoders::wordpiece::WordPiece as WordPieceDecoder,
    models::{bpe::BPE, wordpiece::WordPiece},
    normalizers::BertNormalizer,
};
#[cfg(not(target_family = "wasm"))]
use tokenizers::{
    NormalizedString, Normalizer as _,
    normalizers::{Lowercase, NFC, NFD, NFKC, NFKD, StripAccents},
};

use super::parts::Added;

/// Vocabulary, normalisation, splits, added tokens and the way back.
#[derive(Debug, Clone)]
pub struct Plan {
    pub model: Model,
    /// In order.
    pub normalizers: Vec<Norm>,
    /// In order; none leaves a text in one piece.
    pub splits: Vec<Split>,
    pub decoder: Decoder,
    /// By id, each with the id that it really gets.
    pub added: Vec<Added>,
}

/// From a word to tokens.
#[derive(Debug, Clone)]
pub enum Model {
    Bpe(BPE),
    WordPiece(WordPiece),
}

impl Model {
    /// Tokens of one word.
    ///
    /// # Errors
    /// What the model says.
    #[cfg(any(target_family = "wasm", test))]
    pub fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<tokenizers::Token>> {
        match self {
            Self::Bpe(model) => model.tokenize(word),
            Self::WordPiece(model) => model.tokenize(word),
        }
    }

    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Bpe(model) => model.token_to_id(token),
            Self::WordPiece(model) => model.token_to_id(token),
        }
    }

    #[cfg(any(target_family = "wasm", test))]
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::Bpe(model) => model.id_to_token(id),
            Self::WordPiece(model) => model.id_to_token(id),
        }
    }

    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Bpe(model) => model.get_vocab_size(),
            Self::WordPiece(model) => model.get_vocab_size(),
        }
    }
}

/// One step of normalisation.
#[derive(Debug, Clone, Copy)]
pub enum Norm {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Lowercase,
    StripAccents,
    Bert(BertNormalizer),
}

#[cfg(target_family = "wasm")]
pub use super::page_normal::normalize;

/// Applies all steps.
///
/// # Errors
/// What a step says.
#[cfg(not(target_family = "wasm"))]
pub fn normalize(steps: &[Norm], text: &str) -> tokenizers::Result<String> {
    let mut normalized = NormalizedString::from(text);
    for step in steps {
        match step {
            Norm::Nfc => NFC.normalize(&mut normalized),
            Norm::Nfd => NFD.normalize(&mut normalized),
            Norm::Nfkc => NFKC.normalize(&mut normalized),
            Norm::Nfkd => NFKD.normalize(&mut normalized),
            Norm::Lowercase => Lowercase.normalize(&mut normalized),
            Norm::StripAccents => StripAccents.normalize(&mut normalized),
            Norm::Bert(bert) => bert.normalize(&mut normalized),
        }?;
    }
    Ok(normalized.get().to_owned())
}

/// One step of cutting a text into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Bytes become characters, by GPT-2's table; before that a space may be put in front and GPT-2's pattern applied.
    ByteLevel { add_prefix_space: bool, gpt2: bool },
    /// Numbers apart from the rest, each digit alone or not.
    Digits { individual: bool },
    /// The matches of a known pattern.
    Pattern(Pattern),
    /// BERT's: without white space, punctuation alone.
    Bert,
    /// Runs of word characters and runs of others, without white space.
    Words,
    /// Without white space.
    WhiteSpace,
}

/// The known patterns. An arbitrary one can run for ever, so a file may name only these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// GPT-2's.
    Gpt2,
    /// Llama 3's: contractions in any case, numbers in groups of up to three.
    Llama3,
    /// Qwen2's: as Llama 3's, every digit alone.
    Qwen2,
}

impl Pattern {
    pub const ALL: [Self; 3] = [Self::Gpt2, Self::Llama3, Self::Qwen2];

    /// As a regular expression, the way files spell it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Gpt2 => r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            Self::Llama3 => {
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            }
            Self::Qwen2 => {
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            }
        }
    }
}

/// From tokens back to text.
#[derive(Debug, Clone)]
pub enum Decoder {
    /// Characters to bytes.
    ByteLevel,
    WordPiece(WordPieceDecoder),
}

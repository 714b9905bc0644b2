//! The engine of the native program: the `tokenizers` crate as a whole.

use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    normalizers::{Lowercase, NFC, NFD, NFKC, NFKD, Sequence as NormalizerSequence, StripAccents},
    pre_tokenizers::{
        bert::BertPreTokenizer,
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split as SplitBy, SplitPattern},
        whitespace::{Whitespace, WhitespaceSplit},
    },
};

use super::plan::{Decoder, Model, Norm, Plan, Split};
use crate::formats::error::FormatError;

/// A tokenizer.
#[derive(Debug, Clone)]
pub struct Engine(Tokenizer);

impl Engine {
    /// As a `tokenizer.json`.
    pub fn to_json(&self) -> Result<String, FormatError> {
        self.0.to_string(false).map_err(|e| FormatError::invalid("tokenizer", e.to_string()))
    }

    pub fn new(plan: Plan) -> Result<Self, FormatError> {
        let Plan { model, normalizers, splits, decoder, added } = plan;
        let mut inner = Tokenizer::new(match model {
            Model::Bpe(model) => ModelWrapper::BPE(model),
            Model::WordPiece(model) => ModelWrapper::WordPiece(model),
        });
        if !normalizers.is_empty() {
            let steps = NormalizerSequence::new(normalizers.into_iter().map(normalizer).collect());
            inner.with_normalizer(Some(steps)).map_err(|e| FormatError::invalid("normalizer", e.to_string()))?;
        }
        if !splits.is_empty() {
            let steps: Result<_, _> = splits.into_iter().map(pre_tokenizer).collect();
            inner.with_pre_tokenizer(Some(Sequence::new(steps?)));
        }
        inner.with_decoder(Some::<DecoderWrapper>(match decoder {
            Decoder::ByteLevel => ByteLevel::new(false, true, true).into(),
            Decoder::WordPiece(decoder) => decoder.into(),
        }));
        let added: Vec<AddedToken> = added
            .into_iter()
            .map(|token| {
                AddedToken::from(token.content, token.special)
                    .single_word(token.single_word)
                    .lstrip(token.lstrip)
                    .rstrip(token.rstrip)
                    .normalized(token.normalized)
            })
            .collect();
        inner.add_tokens(added).map_err(|e| FormatError::invalid("added tokens", e.to_string()))?;
        Ok(Self(inner))
    }

    pub fn encode(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        Ok(self.0.encode_fast(text, false)?.get_ids().to_vec())
    }

    pub fn decode(&self, ids: &[u32]) -> tokenizers::Result<String> {
        self.0.decode(ids, false)
    }

    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }

    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    pub fn vocab_size(&self) -> usize {
        self.0.get_vocab_size(true)
    }
}

fn normalizer(step: Norm) -> NormalizerWrapper {
    match step {
        Norm::Nfc => NFC.into(),
        Norm::Nfd => NFD.into(),
        Norm::Nfkc => NFKC.into(),
        Norm::Nfkd => NFKD.into(),
        Norm::Lowercase => Lowercase.into(),
        Norm::StripAccents => StripAccents.into(),
        Norm::Bert(bert) => bert.into(),
    }
}

fn pre_tokenizer(step: Split) -> Result<PreTokenizerWrapper, FormatError> {
    Ok(match step {
        Split::ByteLevel { add_prefix_space, gpt2 } => ByteLevel::new(add_prefix_space, true, gpt2).into(),
        Split::Digits { individual } => Digits::new(individual).into(),
        Split::Pattern(pattern) => {
            let pattern = SplitPattern::Regex(pattern.text().to_owned());
            let split = SplitBy::new(pattern, SplitDelimiterBehavior::Isolated, false);
            split.map_err(|e| FormatError::invalid("split pattern", e.to_string()))?.into()
        }
        Split::Bert => BertPreTokenizer.into(),
        Split::Words => Whitespace {}.into(),
        Split::WhiteSpace => WhitespaceSplit.into(),
    })
}

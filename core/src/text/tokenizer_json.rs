//! `tokenizer.json`, read as plain data and assembled from the parts that vitrine supports.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use tokenizers::{
    decoders::wordpiece::WordPiece as WordPieceDecoder,
    models::{bpe, wordpiece::WordPiece},
    normalizers::BertNormalizer,
};

use super::{
    MAX_JSON, MAX_MERGES,
    parts::{self, Added, Bpe, Vocab},
    plan::{self, Decoder, Norm, Plan, Split},
};
use crate::formats::error::{FormatError, show};

/// Most steps in a sequence of normalizers or pre-tokenizers.
const MAX_STEPS: usize = 16;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Part>,
    pre_tokenizer: Option<Part>,
    decoder: Option<Part>,
    model: Model,
}

/// A normalizer, pre-tokenizer or decoder: its type and the fields of all supported types.
#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(alias = "normalizers", alias = "pretokenizers", alias = "decoders")]
    steps: Option<Vec<Part>>,
    // ByteLevel
    add_prefix_space: Option<bool>,
    use_regex: Option<bool>,
    // Digits
    individual_digits: Option<bool>,
    // Split
    pattern: Option<Pattern>,
    behavior: Option<String>,
    invert: Option<bool>,
    // BertNormalizer
    clean_text: Option<bool>,
    handle_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
    lowercase: Option<bool>,
    // WordPiece decoder
    prefix: Option<String>,
    cleanup: Option<bool>,
}

#[derive(Deserialize)]
enum Pattern {
    Regex(String),
    String(String),
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: VocabOrPieces,
    merges: Option<Merges>,
    dropout: Option<f64>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    max_input_chars_per_word: Option<u64>,
}

/// The vocabulary, or `None` for the list of scored pieces of a unigram model.
struct VocabOrPieces(Option<Vocab>);

/// Merges in either spelling: `"a b"` or `["a", "b"]`.
struct Merges(Vec<(String, String)>);

/// Reads a tokenizer.
pub(super) fn load(json: &[u8]) -> Result<Plan, FormatError> {
    let length = json.len() as u64;
    FormatError::check_limit(|| "tokenizer.json length".into(), length, MAX_JSON)?;
    let file: File = serde_json::from_slice(json).map_err(|e| FormatError::invalid("tokenizer.json", e.to_string()))?;
    let normalizers = file.normalizer.as_ref().map_or(Ok(Vec::new()), normalizers)?;
    let splits = file.pre_tokenizer.as_ref().map_or(Ok(Vec::new()), splits)?;
    let decoder = decoder(file.decoder.as_ref())?;
    let model = file.model.build()?;
    let added = parts::check_added(file.added_tokens, &normalizers, &model)?;
    Ok(Plan { model, normalizers, splits, decoder, added })
}

impl Model {
    fn build(self) -> Result<plan::Model, FormatError> {
        let kind = match &self.kind {
            Some(kind) => kind.as_str(),
            // Old files leave the type out; only BPE has merges.
            None if self.merges.is_some() => "BPE",
            None => "WordPiece",
        };
        let Some(vocab) = self.vocab.0 else {
            return Err(unsupported("tokenizer model", "a list of scored pieces", MODELS));
        };
        match kind {
            "BPE" => {
                let refused = [
                    ("dropout", self.dropout.is_some_and(|p| p != 0.0)),
                    ("continuing_subword_prefix", filled(self.continuing_subword_prefix.as_ref())),
                    ("end_of_word_suffix", filled(self.end_of_word_suffix.as_ref())),
                    ("byte_fallback", self.byte_fallback == Some(true)),
                ];
                if let Some((name, _)) = refused.into_iter().find(|&(_, set)| set) {
                    return Err(unsupported(name, "set", "byte-level BPE without it"));
                }
                if let Some(unknown) = &self.unk_token
                    && !vocab.contains(unknown)
                {
                    return Err(FormatError::missing(format!("token {}", show(unknown))));
                }
                let merges = self.merges.ok_or_else(|| FormatError::missing("merges"))?;
                let bpe = Bpe { vocab, merges: merges.0, ignore_merges: self.ignore_merges.unwrap_or(false) };
                let mut model = bpe.build()?;
                model.unk_token = self.unk_token;
                Ok(plan::Model::Bpe(model))
            }
            "WordPiece" => {
                let unknown = self.unk_token.unwrap_or_else(|| "[UNK]".into());
                if !vocab.contains(&unknown) {
                    return Err(FormatError::missing(format!("token {}", show(&unknown))));
                }
                let longest = self.max_input_chars_per_word.unwrap_or(100);
                // Matching a word takes quadratic time in its length.
                FormatError::check_limit(|| "max_input_chars_per_word".into(), longest, 1000)?;
                let prefix = self.continuing_subword_prefix.unwrap_or_else(|| "##".into());
                FormatError::check_limit(|| "length of continuing_subword_prefix".into(), prefix.len() as u64, 64)?;
                let vocab: bpe::Vocab = vocab.into_pairs().collect();
                let model = WordPiece::builder()
                    .vocab(vocab)
                    .unk_token(unknown)
                    .continuing_subword_prefix(prefix)
                    .max_input_chars_per_word(usize::try_from(longest).unwrap_or(100))
                    .build()
                    .map_err(|e| FormatError::invalid("WordPiece model", e.to_string()))?;
                Ok(plan::Model::WordPiece(model))
            }
            other => Err(unsupported("tokenizer model", &show(other), MODELS)),
        }
    }
}

const MODELS: &str = "BPE and WordPiece";

fn filled(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

/// The steps of a sequence, which may not hold sequences, or the part itself.
fn steps<'a>(part: &'a Part, what: &str) -> Result<Vec<&'a Part>, FormatError> {
    if part.kind != "Sequence" {
        return Ok(vec![part]);
    }
    let steps = part.steps.as_deref().unwrap_or_default();
    FormatError::check_limit(|| format!("number of {what}s"), steps.len() as u64, MAX_STEPS as u64)?;
    if steps.iter().any(|step| step.kind == "Sequence") {
        return Err(unsupported(what, "a sequence inside a sequence", "one level"));
    }
    Ok(steps.iter().collect())
}

fn normalizers(part: &Part) -> Result<Vec<Norm>, FormatError> {
    let one = |part: &Part| -> Result<Norm, FormatError> {
        Ok(match part.kind.as_str() {
            "NFC" => Norm::Nfc,
            "NFD" => Norm::Nfd,
            "NFKC" => Norm::Nfkc,
            "NFKD" => Norm::Nfkd,
            "Lowercase" => Norm::Lowercase,
            "StripAccents" => Norm::StripAccents,
            "BertNormalizer" => Norm::Bert(BertNormalizer::new(
                part.clean_text.unwrap_or(true),
                part.handle_chinese_chars.unwrap_or(true),
                part.strip_accents,
                part.lowercase.unwrap_or(true),
            )),
            other => {
                return Err(unsupported("normalizer", &show(other), "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents and BertNormalizer"));
            }
        })
    };
    steps(part, "normalizer")?.into_iter().map(one).collect()
}

fn splits(part: &Part) -> Result<Vec<Split>, FormatError> {
    let one = |part: &Part| -> Result<Split, FormatError> {
        Ok(match part.kind.as_str() {
            "ByteLevel" => {
                Split::ByteLevel { add_prefix_space: part.add_prefix_space.unwrap_or(true), gpt2: part.use_regex.unwrap_or(true) }
            }
            "Digits" => Split::Digits { individual: part.individual_digits.unwrap_or(false) },
            "BertPreTokenizer" => Split::Bert,
            "Whitespace" => Split::Words,
            "WhitespaceSplit" => Split::WhiteSpace,
            "Split" => Split::Pattern(known_pattern(part)?),
            other => {
                return Err(unsupported(
                    "pre_tokenizer",
                    &show(other),
                    "ByteLevel, Digits, Split, BertPreTokenizer, Whitespace and WhitespaceSplit",
                ));
            }
        })
    };
    steps(part, "pre_tokenizer")?.into_iter().map(one).collect()
}

/// One of the known patterns; any other might take exponential time.
fn known_pattern(part: &Part) -> Result<plan::Pattern, FormatError> {
    if part.behavior.as_deref() != Some("Isolated") || part.invert == Some(true) {
        return Err(unsupported("split behavior", "another one", "Isolated, not inverted"));
    }
    let Some(Pattern::Regex(text) | Pattern::String(text)) = &part.pattern else {
        return Err(FormatError::missing("pattern of a Split pre_tokenizer"));
    };
    let known = plan::Pattern::ALL.into_iter().find(|known| known.text() == text);
    match (known, &part.pattern) {
        (Some(known), Some(Pattern::Regex(_))) => Ok(known),
        _ => Err(unsupported("split pattern", &show(text), "the patterns of GPT-2, Llama 3 and Qwen2")),
    }
}

/// The decoder.
fn decoder(part: Option<&Part>) -> Result<Decoder, FormatError> {
    const SUPPORTED: &str = "ByteLevel and WordPiece";
    let Some(part) = part else {
        return Err(FormatError::missing("decoder in tokenizer.json"));
    };
    match part.kind.as_str() {
        "ByteLevel" => Ok(Decoder::ByteLevel),
        "WordPiece" => {
            let prefix = part.prefix.clone().unwrap_or_else(|| "##".into());
            Ok(Decoder::WordPiece(WordPieceDecoder::new(prefix, part.cleanup.unwrap_or(true))))
        }
        other => Err(unsupported("decoder", &show(other), SUPPORTED)),
    }
}

fn unsupported(what: &str, found: &str, supported: &str) -> FormatError {
    FormatError::Unsupported { what: what.into(), found: found.into(), supported: supported.into() }
}

impl<'de> Deserialize<'de> for VocabOrPieces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VocabVisitor;
        impl<'de> Visitor<'de> for VocabVisitor {
            type Value = VocabOrPieces;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object of tokens and their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VocabOrPieces, A::Error> {
                let mut vocab = Vocab::default();
                while let Some((token, id)) = map.next_entry()? {
                    vocab.insert(token, id).map_err(A::Error::custom)?;
                }
                Ok(VocabOrPieces(Some(vocab)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<VocabOrPieces, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(VocabOrPieces(None))
            }
        }
        deserializer.deserialize_any(VocabVisitor)
    }
}

impl<'de> Deserialize<'de> for Merges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Merge {
            Pair(String, String),
            Text(String),
        }
        struct MergesVisitor;
        impl<'de> Visitor<'de> for MergesVisitor {
            type Value = Merges;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Merges, A::Error> {
                let mut merges = Vec::new();
                while let Some(merge) = seq.next_element()? {
                    if merges.len() as u64 >= MAX_MERGES {
                        return Err(A::Error::custom("too many merges"));
                    }
                    merges.push(match merge {
                        Merge::Pair(left, right) => (left, right),
                        Merge::Text(text) => parts::split_merge(&text).map_err(A::Error::custom)?,
                    });
                }
                Ok(Merges(merges))
            }
        }
        deserializer.deserialize_seq(MergesVisitor)
    }
}

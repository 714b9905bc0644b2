//! The engine of a page: the models and normalisers of the `tokenizers` crate, everything between them written out.
//!
//! **Why.** The crate's own pipeline brings two engines for regular expressions and every kind of part along: 0.65 MB of a compressed bundle, for four fixed
//! patterns. **Method.** Added tokens are cut out first (leftmost, longest), what is left is normalised, cut by the steps of the plan, and each word goes to the
//! model. The tests run both engines on the same texts and demand the same ids.

use tokenizers::{
    Decoder as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _, pre_tokenizers::bert::BertPreTokenizer,
};

use super::{
    parts::{Added, bytes_of, char_of},
    plan::{Decoder, Pattern, Plan, Split, normalize},
    split::{self, is_word},
};
use crate::formats::error::FormatError;

/// A tokenizer.
#[derive(Debug, Clone)]
pub struct Engine {
    plan: Plan,
    /// Added tokens that are looked for in the text as it is.
    plain: Finder,
    /// Those that are looked for in the normalised text.
    normalized: Finder,
    /// Normalised form of added tokens where it differs, by position in the plan.
    forms: Vec<Option<String>>,
}

impl Engine {
    pub fn new(plan: Plan) -> Result<Self, FormatError> {
        let form = |token: &Added| -> Result<Option<String>, FormatError> {
            if !token.normalized {
                return Ok(None);
            }
            let form = normalize(&plan.normalizers, &token.content).map_err(|e| FormatError::invalid("added token", e.to_string()))?;
            Ok((form != token.content).then_some(form))
        };
        let forms = plan.added.iter().map(form).collect::<Result<Vec<_>, _>>()?;
        let finder = |normalized: bool| {
            let all = plan.added.iter().zip(&forms).enumerate().filter(|(_, (token, _))| token.normalized == normalized);
            Finder::new(all.map(|(at, (token, form))| (form.clone().unwrap_or_else(|| token.content.clone()), at)).collect())
        };
        Ok(Self { plain: finder(false), normalized: finder(true), forms, plan })
    }

    pub fn encode(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let mut ids = Vec::new();
        for (token, piece) in self.plain.cut(text, &self.plan.added) {
            if let Some(id) = token {
                ids.push(id);
                continue;
            }
            let normalized = normalize(&self.plan.normalizers, piece)?;
            for (token, piece) in self.normalized.cut(&normalized, &self.plan.added) {
                match token {
                    Some(id) => ids.push(id),
                    None => self.encode_words(piece, &mut ids)?,
                }
            }
        }
        Ok(ids)
    }

    fn encode_words(&self, text: &str, ids: &mut Vec<u32>) -> tokenizers::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let mut words = vec![text.to_owned()];
        for step in &self.plan.splits {
            let mut smaller = Vec::new();
            for word in words {
                apply(*step, word, &mut smaller)?;
            }
            words = smaller;
        }
        for word in &words {
            ids.extend(self.plan.model.tokenize(word)?.iter().map(|token| token.id));
        }
        Ok(())
    }

    pub fn decode(&self, ids: &[u32]) -> tokenizers::Result<String> {
        let tokens: Vec<String> = ids.iter().filter_map(|&id| self.id_to_token(id)).collect();
        let parts = match &self.plan.decoder {
            Decoder::ByteLevel => {
                let bytes: Vec<u8> = tokens.iter().flat_map(|token| bytes_of(token)).collect();
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            Decoder::WordPiece(decoder) => decoder.decode_chain(tokens)?,
        };
        Ok(parts.concat())
    }

    pub fn id_to_token(&self, id: u32) -> Option<String> {
        match self.plan.added.binary_search_by_key(&id, |token| token.id) {
            Ok(at) => self.forms.get(at)?.clone().or_else(|| Some(self.plan.added.get(at)?.content.clone())),
            Err(_) => self.plan.model.id_to_token(id),
        }
    }

    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        let added = self.plan.added.iter().find(|added| added.content == token);
        added.map(|added| added.id).or_else(|| self.plan.model.token_to_id(token))
    }

    pub fn vocab_size(&self) -> usize {
        let model = &self.plan.model;
        model.vocab_size() + self.plan.added.iter().filter(|token| model.token_to_id(&token.content).is_none()).count()
    }
}

/// Cuts one word by one step; empty pieces are left out.
fn apply(step: Split, word: String, out: &mut Vec<String>) -> tokenizers::Result<()> {
    let mut push = |piece: &str| {
        if !piece.is_empty() {
            out.push(piece.to_owned());
        }
    };
    match step {
        Split::ByteLevel { add_prefix_space, gpt2 } => {
            let word = if add_prefix_space && !word.starts_with(' ') { format!(" {word}") } else { word };
            let mut mapped = |piece: &str| push(&piece.bytes().map(char_of).collect::<String>());
            if gpt2 { split::pattern(Pattern::Gpt2, &word).for_each(mapped) } else { mapped(&word) }
        }
        Split::Digits { individual: true } => split::isolated(&word, char::is_numeric).for_each(push),
        Split::Digits { individual: false } => split::runs(&word, char::is_numeric).for_each(push),
        Split::Pattern(pattern) => split::pattern(pattern, &word).for_each(push),
        Split::Bert => {
            let mut pieces = PreTokenizedString::from(word);
            BertPreTokenizer.pre_tokenize(&mut pieces)?;
            pieces.get_splits(OffsetReferential::Normalized, OffsetType::None).iter().for_each(|(piece, ..)| push(piece));
        }
        Split::Words => word.split(char::is_whitespace).for_each(|part| split::runs(part, is_word).for_each(&mut push)),
        Split::WhiteSpace => word.split(char::is_whitespace).for_each(push),
    }
    Ok(())
}

/// Finds tokens in a text: the leftmost, of those the longest.
#[derive(Debug, Clone)]
struct Finder {
    /// What to look for, sorted, with its position in the plan.
    tokens: Vec<(String, usize)>,
}

impl Finder {
    fn new(mut tokens: Vec<(String, usize)>) -> Self {
        tokens.sort_unstable();
        Self { tokens }
    }

    /// The longest token that `text` begins with: its length and its position in the plan.
    fn longest(&self, text: &str) -> Option<(usize, usize)> {
        let mut found = None;
        // Tokens that agree with the first `length` bytes are neighbours; each byte narrows them down.
        let (mut low, mut high) = (0, self.tokens.len());
        for (length, byte) in text.bytes().enumerate() {
            let candidates = self.tokens.get(low..high)?;
            let next = |token: &(String, usize)| token.0.as_bytes().get(length).copied();
            low += candidates.partition_point(|token| next(token) < Some(byte));
            high -= candidates.len() - candidates.partition_point(|token| next(token) <= Some(byte));
            let Some((token, at)) = self.tokens.get(low).filter(|_| low < high) else { break };
            if token.len() == length + 1 {
                found = Some((length + 1, *at));
            }
        }
        found
    }

    /// The text in pieces: ids of added tokens, and what lies between them.
    fn cut<'t>(&self, text: &'t str, added: &[Added]) -> Vec<(Option<u32>, &'t str)> {
        let mut pieces = Vec::new();
        if self.tokens.is_empty() {
            pieces.push((None, text));
            return pieces;
        }
        let (mut at, mut done) = (0, 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some((length, index)) = self.longest(rest) else {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            };
            let (mut start, mut stop) = (at, at + length);
            at = stop;
            let (Some(token), Some(before), Some(after)) = (added.get(index), text.get(..start), text.get(stop..)) else { continue };
            if token.single_word && (before.ends_with(is_word) || after.starts_with(is_word)) {
                continue;
            }
            if token.lstrip {
                start = before.trim_end().len().max(done);
            }
            if token.rstrip {
                stop += after.len() - after.trim_start().len();
            }
            if let Some(between) = text.get(done..start).filter(|between| !between.is_empty()) {
                pieces.push((None, between));
            }
            pieces.push((Some(token.id), ""));
            done = stop;
        }
        if let Some(rest) = text.get(done..).filter(|rest| !rest.is_empty()) {
            pieces.push((None, rest));
        }
        pieces
    }
}

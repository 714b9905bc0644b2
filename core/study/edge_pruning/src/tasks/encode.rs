//! From text to token ids, refusing what would compare unlike things.
//!
//! **Method.** Ids are always those of the *whole* text. Where a marked part starts is found by tokenising the text before the mark: if those
//! ids are the first ids of the whole text, a token starts at the mark; if not, the mark cuts a token in two and is refused. A mark
//! right after spaces is read as standing before them, since most tokenizers glue a space to the word that follows.
//! The tokenizer is a function from text to ids, so any of them will do.

use super::pair::{Pair, Predict, Split};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use thiserror::Error;

/// A tokenizer: text to ids without special tokens, or a message that says what it cannot encode.
pub type TextToIds<'a> = dyn Fn(&str) -> Result<Vec<u32>, String> + 'a;

/// Limits of the model that will read the ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Longest input the model takes, in tokens (the beginning-of-text token included).
    pub context: usize,
    /// Ids run below this.
    pub vocab_size: usize,
    /// Put before both prompts, for models trained that way.
    pub bos: Option<u32>,
}

/// How greater-than answers appear in a tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YearForm {
    /// `00` .. `99` are one token each: all hundred are scored.
    TwoDigits,
    /// Digits are tokens of their own: the tens digit is scored.
    Digits,
}

/// The tokens a greater-than answer is chosen from: 100 two-digit numbers or 10 digits, each at the index of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YearTokens {
    /// Which of the two.
    pub form: YearForm,
    /// Ids by value.
    pub ids: Vec<u32>,
}

impl YearTokens {
    /// Looks which form the tokenizer has, two-digit numbers first.
    ///
    /// # Errors
    /// [`EncodeError::NoYearTokens`] where neither is one token each, [`EncodeError::Tokenizer`] where encoding fails.
    pub fn detect(ids: &TextToIds<'_>) -> Result<Self, EncodeError> {
        let all_single = |count: usize, width: usize| -> Option<Vec<u32>> {
            let mut found = Vec::with_capacity(count);
            for value in 0..count {
                match ids(&format!("{value:0width$}")).ok()?.as_slice() {
                    [id] if !found.contains(id) => found.push(*id),
                    _ => return None,
                }
            }
            Some(found)
        };
        if let Some(ids) = all_single(100, 2) {
            return Ok(Self { form: YearForm::TwoDigits, ids });
        }
        all_single(10, 1).map(|ids| Self { form: YearForm::Digits, ids }).ok_or(EncodeError::NoYearTokens)
    }

    /// The scoring of the task with these tokens.
    pub fn scoring(&self) -> Scoring {
        Scoring::Subset(self.ids.clone())
    }
}

/// Over what the divergence of a task is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scoring {
    /// Softmax over the whole vocabulary at every predicted position.
    FullVocab,
    /// Softmax over these ids only (greater-than), the index in the list being the number's value.
    Subset(Vec<u32>),
    /// Compiled program with classes: softmax over the output values at every position after the first.
    TracrCategorical,
    /// Compiled program with one number a position after the first.
    TracrNumeric(NumericScoring),
}

/// How outputs that are numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumericScoring {
    /// The numbers of one sequence taken as logits over its positions, as the published code does.
    AsLogits,
    /// Mean squared difference over positions.
    SquaredError,
}

/// What the ids of [`Encoded::answers`] mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// One right token a position.
    Tokens,
    /// Any number above `yy`: `answers` and `wrong` are empty and scoring goes by the subset's values.
    Year {
        /// Last two digits of the first year.
        yy: u8,
        /// What a token of the subset stands for.
        form: YearForm,
    },
}

/// One example in the ids of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Clean ids.
    pub clean: Vec<u32>,
    /// Corrupted ids, as many.
    pub corrupted: Vec<u32>,
    /// Positions (from 0) whose *next-token* logits are scored, ascending.
    pub positions: Vec<usize>,
    /// The right next token of each position; empty for [`TargetKind::Year`].
    pub answers: Vec<u32>,
    /// The tempting next token of each position, where there is one and it differs; empty for [`TargetKind::Year`].
    pub wrong: Vec<Option<u32>>,
    /// What `answers` means.
    pub target: TargetKind,
}

/// Why an example cannot be used. Rows count from 1.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum EncodeError {
    #[error(
        "row {row}: the clean prompt has {clean} tokens and the corrupted one {corrupted}; both need the same number, position by position"
    )]
    Lengths { row: usize, clean: usize, corrupted: usize },
    #[error(
        "row {row}: the {what} `{text}` is {tokens} tokens after this prompt; it must be exactly one (a wrong answer must have as many as the marked part)"
    )]
    SeveralTokens { row: usize, what: &'static str, text: String, tokens: usize },
    #[error("row {row}: the mark at byte {byte} of the {side} prompt cuts a token in two; move it to a token's start")]
    MarkInsideToken { row: usize, side: &'static str, byte: usize },
    #[error("row {row}: the predicted part {span} covers tokens {clean:?} of the clean prompt but {corrupted:?} of the corrupted one")]
    SpansDiffer { row: usize, span: usize, clean: Range<usize>, corrupted: Range<usize> },
    #[error("row {row}: the very first token cannot be predicted, nothing stands before it; add text before the mark")]
    FirstToken { row: usize },
    #[error("row {row}: nothing is predicted: the marked part holds no token")]
    NothingPredicted { row: usize },
    #[error("row {row}: {tokens} tokens, but the model's context holds {context}")]
    TooLong { row: usize, tokens: usize, context: usize },
    #[error("row {row}: token id {id} is outside the model's vocabulary of {vocab_size}; tokenizer and model do not belong together")]
    OutOfVocabulary { row: usize, id: u32, vocab_size: usize },
    #[error("row {row}: the years are not written as number tokens that differ in the year alone; choose another century")]
    YearTokens { row: usize },
    #[error("this tokenizer writes neither 00..99 nor 0..9 as one token each, so greater-than cannot be scored")]
    NoYearTokens,
    #[error("the {split} split is empty: none of {rows} rows serves it")]
    EmptySplit { split: Split, rows: usize },
    #[error("row {row}: the tokenizer cannot encode this text: {message}")]
    Tokenizer { row: usize, message: String },
}

/// Encodes the rows that serve `split`, in order.
///
/// # Errors
/// The first row's error, or [`EncodeError::EmptySplit`].
pub fn encode_split(pairs: &[Pair], split: Split, ids: &TextToIds<'_>, options: &EncodeOptions) -> Result<Vec<Encoded>, EncodeError> {
    let encoded: Vec<Encoded> = (1..)
        .zip(pairs)
        .filter(|(_, pair)| pair.serves(split))
        .map(|(row, pair)| encode(pair, row, ids, options))
        .collect::<Result<_, _>>()?;
    if encoded.is_empty() { Err(EncodeError::EmptySplit { split, rows: pairs.len() }) } else { Ok(encoded) }
}

/// Encodes one example; `row` (from 1) is for messages. Without a beginning-of-text token the ids are exactly those of the texts.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode(pair: &Pair, row: usize, ids: &TextToIds<'_>, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    let row_ids = Row { row, ids };
    // A token is predicted at the position before it, and a beginning-of-text token moves everything by one.
    let shift = usize::from(options.bos.is_some());
    let before = |token: usize| (token + shift).checked_sub(1).ok_or(EncodeError::FirstToken { row });
    let clean = row_ids.of(&pair.clean)?;
    let corrupted = row_ids.of(&pair.corrupted)?;
    let mut encoded = match &pair.predict {
        Predict::Next { answer, wrong } => {
            let last = before(clean.len())?;
            let answer = row_ids.single("answer", &pair.clean, &clean, answer)?;
            let wrong = wrong.as_ref().map(|wrong| row_ids.single("wrong answer", &pair.clean, &clean, wrong)).transpose()?;
            let wrong = vec![wrong.filter(|&wrong| wrong != answer)];
            Encoded { clean, corrupted, positions: vec![last], answers: vec![answer], wrong, target: TargetKind::Tokens }
        }
        Predict::Spans { clean: marks, corrupted: other_marks, wrong } => {
            let spans = row_ids.spans("clean", &pair.clean, &clean, marks)?;
            for (span, (here, mark)) in spans.iter().zip(other_marks).enumerate() {
                let there = row_ids.span("corrupted", &pair.corrupted, &corrupted, mark)?;
                if *here != there && clean.len() == corrupted.len() {
                    return Err(EncodeError::SpansDiffer { row, span: span + 1, clean: here.clone(), corrupted: there });
                }
            }
            let (answers, wrong) = row_ids.marked(&pair.clean, &clean, &spans, marks, wrong.as_deref())?;
            let positions = spans.into_iter().flatten().map(before).collect::<Result<_, _>>()?;
            Encoded { clean, corrupted, positions, answers, wrong, target: TargetKind::Tokens }
        }
        Predict::Year { yy } => {
            let last = before(clean.len())?;
            let years = YearTokens::detect(ids)?;
            let target = TargetKind::Year { yy: *yy, form: years.form };
            if clean.len() == corrupted.len() {
                row_ids.only_years_differ(&clean, &corrupted, &years)?;
            }
            Encoded { clean, corrupted, positions: vec![last], answers: vec![], wrong: vec![], target }
        }
    };
    if let Some(bos) = options.bos {
        encoded.clean.insert(0, bos);
        encoded.corrupted.insert(0, bos);
    }
    check(&encoded, row, options)?;
    Ok(encoded)
}

/// Checks what every example must satisfy, however its ids were made: equal lengths, the context, the vocabulary, positions inside.
///
/// # Errors
/// See [`EncodeError`].
pub fn check(encoded: &Encoded, row: usize, options: &EncodeOptions) -> Result<(), EncodeError> {
    let (clean, corrupted) = (encoded.clean.len(), encoded.corrupted.len());
    if clean != corrupted {
        return Err(EncodeError::Lengths { row, clean, corrupted });
    }
    if clean > options.context {
        return Err(EncodeError::TooLong { row, tokens: clean, context: options.context });
    }
    if encoded.positions.is_empty() || encoded.positions.iter().any(|&position| position >= clean) {
        return Err(EncodeError::NothingPredicted { row });
    }
    let ids = encoded.clean.iter().chain(&encoded.corrupted).chain(&encoded.answers).chain(encoded.wrong.iter().flatten());
    match ids.copied().find(|&id| id as usize >= options.vocab_size) {
        Some(id) => Err(EncodeError::OutOfVocabulary { row, id, vocab_size: options.vocab_size }),
        None => Ok(()),
    }
}

/// A tokenizer that knows which row it works on.
struct Row<'a> {
    row: usize,
    ids: &'a TextToIds<'a>,
}

impl Row<'_> {
    fn of(&self, text: &str) -> Result<Vec<u32>, EncodeError> {
        (self.ids)(text).map_err(|message| EncodeError::Tokenizer { row: self.row, message })
    }

    /// The one token that `continuation` adds to a prompt.
    fn single(&self, what: &'static str, prompt: &str, prompt_ids: &[u32], continuation: &str) -> Result<u32, EncodeError> {
        let whole = self.of(&format!("{prompt}{continuation}"))?;
        match whole.strip_prefix(prompt_ids) {
            Some([id]) => Ok(*id),
            Some(more) => Err(EncodeError::SeveralTokens { row: self.row, what, text: shorten(continuation), tokens: more.len() }),
            None => Err(EncodeError::MarkInsideToken { row: self.row, side: "clean", byte: prompt.len() }),
        }
    }

    /// Index of the first token that starts at `byte`, or before the spaces that precede it.
    fn token_at(&self, side: &'static str, text: &str, whole: &[u32], byte: usize) -> Result<usize, EncodeError> {
        let fail = EncodeError::MarkInsideToken { row: self.row, side, byte };
        let before = text.get(..byte).ok_or_else(|| fail.clone())?;
        for before in [before, before.trim_end_matches(' ')] {
            let prefix = self.of(before)?;
            if whole.starts_with(&prefix) {
                return Ok(prefix.len());
            }
        }
        Err(fail)
    }

    fn span(&self, side: &'static str, text: &str, whole: &[u32], mark: &Range<usize>) -> Result<Range<usize>, EncodeError> {
        let start = self.token_at(side, text, whole, mark.start)?;
        let end = if mark.end == text.len() { whole.len() } else { self.token_at(side, text, whole, mark.end)? };
        Ok(start..end)
    }

    fn spans(&self, side: &'static str, text: &str, whole: &[u32], marks: &[Range<usize>]) -> Result<Vec<Range<usize>>, EncodeError> {
        marks.iter().map(|mark| self.span(side, text, whole, mark)).collect()
    }

    /// Right and tempting tokens of an example whose predicted tokens stand in the text.
    fn marked(
        &self,
        text: &str,
        clean: &[u32],
        spans: &[Range<usize>],
        marks: &[Range<usize>],
        wrong: Option<&str>,
    ) -> Result<(Vec<u32>, Vec<Option<u32>>), EncodeError> {
        let row = self.row;
        if spans.is_empty() || spans.iter().any(Range::is_empty) {
            return Err(EncodeError::NothingPredicted { row });
        }
        let answers: Vec<u32> = spans.iter().flat_map(|span| clean.get(span.clone()).unwrap_or_default()).copied().collect();
        let wrong = match (wrong, spans, marks) {
            (Some(wrong), [span], [mark]) => {
                let whole = self.of(&format!("{}{wrong}", text.get(..mark.start).unwrap_or_default()))?;
                let other = whole.get(span.start..).unwrap_or_default();
                if other.len() != span.len() {
                    return Err(EncodeError::SeveralTokens { row, what: "wrong answer", text: shorten(wrong), tokens: other.len() });
                }
                other.iter().zip(&answers).map(|(&wrong, &right)| (wrong != right).then_some(wrong)).collect()
            }
            _ => vec![None; answers.len()],
        };
        Ok((answers, wrong))
    }

    /// Greater-than prompts may differ only in number tokens, and with two-digit tokens only in one.
    fn only_years_differ(&self, clean: &[u32], corrupted: &[u32], years: &YearTokens) -> Result<(), EncodeError> {
        let differing: Vec<_> = clean.iter().zip(corrupted).filter(|(a, b)| a != b).collect();
        let numbers = differing.iter().all(|(a, b)| years.ids.contains(a) && years.ids.contains(b));
        let count_fits = match years.form {
            YearForm::TwoDigits => differing.len() == 1,
            YearForm::Digits => (1..=2).contains(&differing.len()),
        };
        if numbers && count_fits { Ok(()) } else { Err(EncodeError::YearTokens { row: self.row }) }
    }
}

/// At most 40 characters, for messages.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

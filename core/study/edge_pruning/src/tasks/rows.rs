//! Prepared example rows: JSON lines with both prompts, the answer, and token ids for two vocabularies.
//!
//! One row holds `split`, `clean`, `corrupted`, usually `answer` and `wrong`, and the ids of all of these for GPT-2 and SmolLM2 (`gpt2_…`,
//! `smollm2_…`). Indirect-object rows add two more corruptions as text; greater-than rows have `year` instead of an answer; boolean rows
//! add the bare expressions. Fields that are not named here are ignored.

use super::boolean::BooleanPrompt;
use super::encode::{EncodeError, EncodeOptions, Encoded, TargetKind, YearForm, check};
use super::ioi::IoiCorruption;
use super::lines::{LineLimits, LinesError, read_lines};
use super::pair::{Pair, Predict, Split};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose ids a row's example is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdFamily {
    /// GPT-2's vocabulary; years end in a two-digit token.
    Gpt2,
    /// SmolLM2's vocabulary; digits are tokens of their own.
    #[serde(rename = "smollm2")]
    SmolLm2,
}

/// One prepared row. `line` is filled in by [`read_rows`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CircuitRow {
    #[serde(skip)]
    pub line: usize,
    #[serde(default)]
    pub split: Option<Split>,
    pub clean: String,
    pub corrupted: String,
    pub corrupted_s2: Option<String>,
    pub corrupted_swap: Option<String>,
    pub answer: Option<String>,
    pub wrong: Option<String>,
    pub template: Option<u32>,
    pub order: Option<String>,
    pub year: Option<u8>,
    pub century: Option<u8>,
    pub noun: Option<String>,
    pub expr: Option<String>,
    pub corrupted_expr: Option<String>,
    #[serde(default)]
    pub gpt2_ids: Vec<u32>,
    #[serde(default)]
    pub gpt2_corrupted_ids: Vec<u32>,
    pub gpt2_answer_id: Option<u32>,
    pub gpt2_wrong_id: Option<u32>,
    #[serde(default)]
    pub smollm2_ids: Vec<u32>,
    #[serde(default)]
    pub smollm2_corrupted_ids: Vec<u32>,
    pub smollm2_answer_id: Option<u32>,
    pub smollm2_wrong_id: Option<u32>,
}

/// How rows become pairs where a row allows several readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowOptions {
    /// Which corruption of indirect-object rows; other rows have only one.
    pub corruption: IoiCorruption,
    /// How boolean rows are put; other rows have only one prompt.
    pub prompt: BooleanPrompt,
}

/// Reads prepared rows.
///
/// # Errors
/// [`LinesError`] with the line number.
pub fn read_rows(text: &str, limits: LineLimits) -> Result<Vec<CircuitRow>, LinesError> {
    let rows = read_lines::<CircuitRow>(text, limits)?;
    rows.into_iter()
        .map(|(line, row)| {
            let row = CircuitRow { line, ..row };
            if row.year.is_some() == row.answer.is_some() {
                return Err(LinesError::Row { line, reason: "a row has either an `answer` or a `year`".to_owned() });
            }
            if row.year.is_some_and(|year| year > 99) {
                return Err(LinesError::Row { line, reason: "`year` holds the last two digits, 0..99".to_owned() });
            }
            Ok(row)
        })
        .collect()
}

impl CircuitRow {
    /// The row as text, to be encoded by any tokenizer.
    ///
    /// # Errors
    /// [`LinesError::Row`] where the row lacks what the options ask for.
    pub fn pair(&self, options: RowOptions) -> Result<Pair, LinesError> {
        let lacks = |field: &str| LinesError::Row { line: self.line, reason: format!("the row has no `{field}`") };
        let mut tags = BTreeMap::from([("line".to_owned(), self.line.to_string())]);
        tags.extend(self.template.map(|frame| ("frame".to_owned(), frame.to_string())));
        tags.extend(self.order.clone().map(|order| ("order".to_owned(), order)));
        if let (Some(expr), prompt) = (&self.expr, options.prompt)
            && prompt != BooleanPrompt::Bare
        {
            let corrupted = self.corrupted_expr.as_ref().ok_or_else(|| lacks("corrupted_expr"))?;
            let value = match self.answer.as_deref().map(str::trim) {
                Some("True") => true,
                Some("False") => false,
                _ => return Err(LinesError::Row { line: self.line, reason: "a boolean row's answer is True or False".to_owned() }),
            };
            return Ok(Pair { split: self.split, tags, ..prompt.pair(expr, corrupted, value) });
        }
        let predict = match (self.year, &self.answer) {
            (Some(yy), _) => Predict::Year { yy },
            (None, Some(answer)) => Predict::Next { answer: answer.clone(), wrong: self.wrong.clone() },
            (None, None) => return Err(lacks("answer")),
        };
        let corrupted = match options.corruption {
            IoiCorruption::FreshNames => self.corrupted.clone(),
            IoiCorruption::RepeatedName => self.corrupted_s2.clone().ok_or_else(|| lacks("corrupted_s2"))?,
            IoiCorruption::Swap => self.corrupted_swap.clone().ok_or_else(|| lacks("corrupted_swap"))?,
        };
        Ok(Pair { clean: self.clean.clone(), corrupted, predict, split: self.split, tags })
    }

    /// The row in its own ids (first corruption, bare prompt), without a tokenizer.
    ///
    /// # Errors
    /// [`EncodeError`] with the line number as row: no ids of this family, unequal lengths, context, vocabulary.
    pub fn encoded(&self, family: IdFamily, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        let (clean, corrupted, answer, wrong, form) = match family {
            IdFamily::Gpt2 => (&self.gpt2_ids, &self.gpt2_corrupted_ids, self.gpt2_answer_id, self.gpt2_wrong_id, YearForm::TwoDigits),
            IdFamily::SmolLm2 => {
                (&self.smollm2_ids, &self.smollm2_corrupted_ids, self.smollm2_answer_id, self.smollm2_wrong_id, YearForm::Digits)
            }
        };
        let shift = usize::from(options.bos.is_some());
        let with_bos = |ids: &[u32]| options.bos.into_iter().chain(ids.iter().copied()).collect::<Vec<_>>();
        let nothing = EncodeError::NothingPredicted { row: self.line };
        let last = (clean.len() + shift).checked_sub(1).filter(|_| !clean.is_empty()).ok_or_else(|| nothing.clone())?;
        let (answers, wrong, target) = match (self.year, answer) {
            (Some(yy), _) => (vec![], vec![], TargetKind::Year { yy, form }),
            (None, Some(answer)) => (vec![answer], vec![wrong.filter(|&wrong| wrong != answer)], TargetKind::Tokens),
            (None, None) => return Err(nothing),
        };
        let encoded = Encoded { clean: with_bos(clean), corrupted: with_bos(corrupted), positions: vec![last], answers, wrong, target };
        check(&encoded, self.line, options)?;
        Ok(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IOI: &str = r#"{"split":"test","clean":"A b","corrupted":"C d","corrupted_s2":"A c","answer":" x","wrong":" y","template":4,"order":"abba",
        "gpt2_ids":[1,2],"gpt2_corrupted_ids":[3,4],"gpt2_answer_id":5,"gpt2_wrong_id":6,"smollm2_ids":[1,2],"smollm2_corrupted_ids":[1,2,3],
        "smollm2_answer_id":5,"extra":null}"#;

    fn one(text: &str) -> CircuitRow {
        read_rows(&text.replace('\n', ""), LineLimits::default()).unwrap().remove(0)
    }

    #[test]
    fn rows_give_text_and_ids() {
        let row = one(IOI);
        let options = EncodeOptions { context: 8, vocab_size: 10, bos: Some(9) };
        let e = row.encoded(IdFamily::Gpt2, &options).unwrap();
        assert_eq!((e.clean, e.corrupted, e.positions), (vec![9, 1, 2], vec![9, 3, 4], vec![2]));
        assert_eq!((e.answers, e.wrong, e.target), (vec![5], vec![Some(6)], TargetKind::Tokens));
        assert_eq!(row.encoded(IdFamily::SmolLm2, &options), Err(EncodeError::Lengths { row: 1, clean: 3, corrupted: 4 }));
        let pair = row.pair(RowOptions { corruption: IoiCorruption::RepeatedName, ..RowOptions::default() }).unwrap();
        assert_eq!((pair.corrupted.as_str(), pair.split), ("A c", Some(Split::Test)));
        let lacking = row.pair(RowOptions { corruption: IoiCorruption::Swap, ..RowOptions::default() });
        assert_eq!(lacking, Err(LinesError::Row { line: 1, reason: "the row has no `corrupted_swap`".to_owned() }));
    }

    #[test]
    fn boolean_and_year_rows_are_read_their_own_way() {
        let row =
            one(r#"{"clean":"True is","corrupted":"False is","expr":"True","corrupted_expr":"False","answer":" True","wrong":" False"}"#);
        let few = row.pair(RowOptions { prompt: BooleanPrompt::FewShot, ..RowOptions::default() }).unwrap();
        assert!(few.clean.ends_with("\nTrue is") && few.corrupted.ends_with("\nFalse is"));
        let row = one(r#"{"clean":"1732","corrupted":"1701","year":32,"gpt2_ids":[1,2],"gpt2_corrupted_ids":[1,3]}"#);
        let e = row.encoded(IdFamily::Gpt2, &EncodeOptions { context: 8, vocab_size: 10, bos: None }).unwrap();
        assert_eq!((e.target, e.answers.len()), (TargetKind::Year { yy: 32, form: YearForm::TwoDigits }, 0));
        for bad in [
            r#"{"clean":"a","corrupted":"b"}"#,
            r#"{"clean":"a","corrupted":"b","year":100}"#,
            r#"{"clean":"a","corrupted":"b","year":1,"answer":"c"}"#,
        ] {
            assert!(matches!(read_rows(bad, LineLimits::default()), Err(LinesError::Row { line: 1, .. })), "{bad}");
        }
    }
}

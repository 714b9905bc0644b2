//! A user's own task: JSON lines with marked prompts.
//!
//! A row is `{"clean": "… gave it to<predict> Mary</predict>", "corrupted": "…"}`. Every token inside the marks is predicted from what stands
//! before it; several marked parts are allowed. The corrupted text may carry the same marks or none. Optional: `wrong` (what could stand in
//! the only marked part instead, for logit differences), `split` (`train`, `validation`, `test`; rows without it serve all), and, instead
//! of marks, `answer`: the one token after the whole clean text.

use super::lines::{LineLimits, LinesError, read_lines};
use super::pair::{Pair, Predict, Split};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;

const OPEN: &str = "<predict>";
const CLOSE: &str = "</predict>";

/// Most marked parts of one prompt.
pub const MAX_SPANS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    clean: String,
    corrupted: String,
    #[serde(default)]
    answer: Option<String>,
    #[serde(default)]
    wrong: Option<String>,
    #[serde(default)]
    split: Option<Split>,
}

/// Reads a user's rows. The tag `line` of every pair is its line number.
///
/// # Errors
/// [`LinesError`] with the line number: bad JSON, unknown fields, marks that do not pair up, nothing marked, an empty prompt.
pub fn read_custom(text: &str, limits: LineLimits) -> Result<Vec<Pair>, LinesError> {
    read_lines::<Row>(text, limits)?
        .into_iter()
        .map(|(line, row)| {
            let mut pair = pair_of(row).map_err(|reason| LinesError::Row { line, reason })?;
            pair.tags.insert("line".to_owned(), line.to_string());
            Ok(pair)
        })
        .collect()
}

fn pair_of(row: Row) -> Result<Pair, String> {
    let (clean, clean_marks) = unmark(&row.clean).map_err(|reason| format!("`clean`: {reason}"))?;
    let (corrupted, corrupted_marks) = unmark(&row.corrupted).map_err(|reason| format!("`corrupted`: {reason}"))?;
    if clean.is_empty() || corrupted.is_empty() {
        return Err("`clean` and `corrupted` must not be empty".to_owned());
    }
    let predict = match (clean_marks.len(), row.answer) {
        (0, Some(answer)) if answer.is_empty() => return Err("`answer` must not be empty".to_owned()),
        (0, Some(answer)) if corrupted_marks.is_empty() => Predict::Next { answer, wrong: row.wrong },
        (0, _) => return Err(format!("`clean` marks nothing to predict; put {OPEN}…{CLOSE} around it")),
        (_, Some(_)) => return Err(format!("a row has either {OPEN} marks or an `answer`, not both")),
        (spans, None) if !corrupted_marks.is_empty() && corrupted_marks.len() != spans => {
            return Err(format!("`clean` marks {spans} parts, `corrupted` {}; mark the same parts or none", corrupted_marks.len()));
        }
        (spans, None) if spans > 1 && row.wrong.is_some() => return Err("`wrong` needs exactly one marked part".to_owned()),
        _ => Predict::Spans { clean: clean_marks, corrupted: corrupted_marks, wrong: row.wrong },
    };
    Ok(Pair { clean, corrupted, predict, split: row.split, tags: BTreeMap::new() })
}

/// Takes the marks out of a text: what is left, and the byte range of each marked part in it.
fn unmark(text: &str) -> Result<(String, Vec<Range<usize>>), String> {
    let mut out = String::with_capacity(text.len());
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (inside, tail) = after.split_once(CLOSE).ok_or_else(|| format!("{OPEN} without {CLOSE}"))?;
        if before.contains(CLOSE) || inside.contains(OPEN) {
            return Err(format!("{OPEN} and {CLOSE} must come in turn"));
        }
        if inside.is_empty() {
            return Err("a marked part is empty".to_owned());
        }
        if spans.len() == MAX_SPANS {
            return Err(format!("more than {MAX_SPANS} marked parts"));
        }
        out.push_str(before);
        let start = out.len();
        out.push_str(inside);
        spans.push(start..out.len());
        rest = tail;
    }
    if rest.contains(CLOSE) {
        return Err(format!("{CLOSE} without {OPEN}"));
    }
    out.push_str(rest);
    Ok((out, spans))
}

#[cfg(test)]
mod tests {
    use super::super::encode::{EncodeError, EncodeOptions, encode, encode_split};
    use super::*;

    /// One token a byte, except that a space is glued to the letter after it and `qu` is one token.
    fn ids(text: &str) -> Result<Vec<u32>, String> {
        let (bytes, mut ids, mut i) = (text.as_bytes(), vec![], 0);
        while i < bytes.len() {
            let (id, width) = match (bytes[i], bytes.get(i + 1)) {
                (b' ', Some(&next)) if next != b' ' => (1000 + u32::from(next), 2),
                (b'q', Some(b'u')) => (2000, 2),
                (b'#', _) => return Err("no #".to_owned()),
                (byte, _) => (u32::from(byte), 1),
            };
            ids.push(id);
            i += width;
        }
        Ok(ids)
    }

    const OPTIONS: EncodeOptions = EncodeOptions { context: 20, vocab_size: 2001, bos: None };

    fn one(row: &str) -> Result<Pair, LinesError> {
        read_custom(row, LineLimits::default()).map(|pairs| pairs[0].clone())
    }

    fn encoded(row: &str) -> Result<super::super::Encoded, EncodeError> {
        encode(&one(row).unwrap(), 1, &ids, &OPTIONS)
    }

    #[test]
    fn marks_become_positions_of_the_whole_text() {
        let e = encoded(r#"{"clean":"ab<predict> cd</predict> e<predict>f</predict>","corrupted":"xy cd ef"}"#).unwrap();
        assert_eq!(e.clean, ids("ab cd ef").unwrap());
        assert_eq!((e.positions, e.answers), (vec![1, 2, 4], vec![1099, 100, 102]));
        // A mark after the space means the token that begins with the space.
        let e = encoded(r#"{"clean":"ab <predict>c</predict>d","corrupted":"xy c<predict>d</predict>","wrong":"z"}"#);
        assert!(matches!(e, Err(EncodeError::SpansDiffer { row: 1, span: 1, .. })), "{e:?}");
        let e = encoded(r#"{"clean":"ab <predict>c</predict>d","corrupted":"xy <predict>c</predict>d","wrong":"z"}"#).unwrap();
        assert_eq!((e.positions, e.answers, e.wrong), (vec![1], vec![1099], vec![Some(1122)]));
        let e = encoded(r#"{"clean":"ab","answer":" c","wrong":" d","corrupted":"xy"}"#).unwrap();
        assert_eq!((e.positions, e.answers, e.wrong), (vec![1], vec![1099], vec![Some(1100)]));
        let e = encoded(r#"{"clean":"a<predict>bc</predict>","corrupted":"xyz","wrong":"bd"}"#).unwrap();
        assert_eq!((e.answers, e.wrong), (vec![98, 99], vec![None, Some(100)]));
    }

    #[test]
    fn a_first_token_needs_a_beginning() {
        let row = r#"{"clean":"<predict>a</predict>b","corrupted":"xy"}"#;
        assert_eq!(encoded(row), Err(EncodeError::FirstToken { row: 1 }));
        let with_bos = EncodeOptions { bos: Some(7), ..OPTIONS };
        let e = encode(&one(row).unwrap(), 1, &ids, &with_bos).unwrap();
        assert_eq!((e.clean, e.corrupted, e.positions, e.answers), (vec![7, 97, 98], vec![7, 120, 121], vec![0], vec![97]));
    }

    #[test]
    fn each_wrong_example_has_its_error() {
        let error = |row: &str| encoded(row).unwrap_err();
        assert_eq!(
            error(r#"{"clean":"abc<predict>d</predict>","corrupted":"abcde"}"#),
            EncodeError::Lengths { row: 1, clean: 4, corrupted: 5 }
        );
        assert_eq!(
            error(r#"{"clean":"ab","corrupted":"xy","answer":" cd"}"#),
            EncodeError::SeveralTokens { row: 1, what: "answer", text: " cd".to_owned(), tokens: 2 }
        );
        assert!(matches!(
            error(r#"{"clean":"ab","corrupted":"xy","answer":"c","wrong":"dd"}"#),
            EncodeError::SeveralTokens { what: "wrong answer", tokens: 2, .. }
        ));
        assert_eq!(
            error(r#"{"clean":"aq<predict>u</predict>","corrupted":"xqu"}"#),
            EncodeError::MarkInsideToken { row: 1, side: "clean", byte: 2 }
        );
        assert!(matches!(error(r#"{"clean":"aq","corrupted":"xq","answer":"u"}"#), EncodeError::MarkInsideToken { .. }));
        assert_eq!(
            error(r#"{"clean":"aaaaaaaaaaaaaaaaaaaaa<predict>b</predict>","corrupted":"aaaaaaaaaaaaaaaaaaaaab"}"#),
            EncodeError::TooLong { row: 1, tokens: 22, context: 20 }
        );
        assert_eq!(
            error(r#"{"clean":"a ","corrupted":"b ","answer":"é"}"#),
            EncodeError::MarkInsideToken { row: 1, side: "clean", byte: 2 }
        );
        assert!(matches!(error(r#"{"clean":"a#","corrupted":"b ","answer":"c"}"#), EncodeError::Tokenizer { row: 1, .. }));
        let narrow = EncodeOptions { vocab_size: 100, ..OPTIONS };
        let pair = one(r#"{"clean":"abz","corrupted":"aby","answer":"c"}"#).unwrap();
        assert_eq!(encode(&pair, 3, &ids, &narrow), Err(EncodeError::OutOfVocabulary { row: 3, id: 122, vocab_size: 100 }));
    }

    #[test]
    fn splits_are_chosen_and_rows_without_one_serve_all() {
        let rows = "{\"clean\":\"a\",\"corrupted\":\"b\",\"answer\":\"c\",\"split\":\"val\"}\n\n{\"clean\":\"d\",\"corrupted\":\"b\",\"answer\":\"c\"}";
        let pairs = read_custom(rows, LineLimits::default()).unwrap();
        assert_eq!(pairs[1].tags["line"], "3");
        assert_eq!(encode_split(&pairs, Split::Validation, &ids, &OPTIONS).unwrap().len(), 2);
        assert_eq!(encode_split(&pairs, Split::Test, &ids, &OPTIONS).unwrap().len(), 1);
        assert_eq!(encode_split(&pairs[..1], Split::Test, &ids, &OPTIONS), Err(EncodeError::EmptySplit { split: Split::Test, rows: 1 }));
    }

    #[test]
    fn bad_rows_name_their_line() {
        for bad in [
            r#"{"clean":"a<predict>b","corrupted":"c"}"#,
            r#"{"clean":"a</predict>b<predict>c</predict>","corrupted":"c"}"#,
            r#"{"clean":"a<predict>b<predict>c</predict></predict>","corrupted":"c"}"#,
            r#"{"clean":"a<predict></predict>","corrupted":"c"}"#,
            r#"{"clean":"ab","corrupted":"c"}"#,
            r#"{"clean":"ab","corrupted":"c<predict>d</predict>","answer":"x"}"#,
            r#"{"clean":"","corrupted":"c","answer":"x"}"#,
            r#"{"clean":"a","corrupted":"c","answer":""}"#,
            r#"{"clean":"a<predict>b</predict>","corrupted":"c","answer":"x"}"#,
            r#"{"clean":"a<predict>b</predict>c<predict>d</predict>","corrupted":"c","wrong":"x"}"#,
            r#"{"clean":"a<predict>b</predict>c<predict>d</predict>","corrupted":"a<predict>b</predict>cd"}"#,
            r#"{"clean":"a","corrupted":"c","answer":"x","colour":"red"}"#,
            r#"{"clean":"a","corrupted":"c","answer":"x","split":"exam"}"#,
            r#"{"clean":"a"}"#,
        ] {
            let text = format!("{{\"clean\":\"a\",\"corrupted\":\"b\",\"answer\":\"c\"}}\n{bad}");
            assert!(matches!(read_custom(&text, LineLimits::default()), Err(LinesError::Row { line: 2, .. })), "{bad}");
        }
    }
}

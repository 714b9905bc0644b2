//! Tables of labelled texts: a header, tabs, a row a line, as GLUE and its relatives come.
//!
//! A pair of columns is looked for first (`PAIRS`), then one (`SINGLES`); the label's column is one of `LABELS`. Labels are numbered in the order of the alphabet; those of a column called
//! `score` are numbers to come near to. `CoLA`'s files, which have no header, are known by their four columns.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ScreenshotError;

const PAIRS: [[&str; 2]; 7] = [
    ["text", "text_b"],
    ["text_a", "text_b"],
    ["sentence1", "sentence2"],
    ["question1", "question2"],
    ["question", "sentence"],
    ["premise", "hypothesis"],
    ["#1 String", "#2 String"],
];
const SINGLES: [&str; 3] = ["text", "sentence", "question"];
const LABELS: [&str; 5] = ["label", "gold_label", "is_duplicate", "Quality", "score"];
const SCORE: &str = "score";

/// One labelled text, or pair of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub text: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// The number of a class, or a number.
    pub label: f64,
}

/// What a label is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// One of these, by number.
    Classes(Vec<String>),
    /// A number to come near to.
    Number,
}

impl Goal {
    /// Numbers that a head puts out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes(names) => names.len(),
            Self::Number => 1,
        }
    }
}

/// Where a table has what.
struct Columns<'t> {
    text: usize,
    second: Option<usize>,
    label: usize,
    score: bool,
    header: usize,
    /// The header is a row of the table too.
    first: Option<&'t str>,
}

impl<'t> Columns<'t> {
    fn of(name: &str, header: &'t str) -> Result<Self, ScreenshotError> {
        let cells: Vec<&str> = header.trim_start_matches('\u{feff}').split('\t').collect();
        let at = |name: &str| cells.iter().position(|cell| *cell == name);
        let (text, second) = PAIRS
            .iter()
            .find_map(|[a, b]| Some((Some(at(a)?), Some(at(b)?))))
            .unwrap_or_else(|| (SINGLES.iter().find_map(|name| at(name)), None));
        let label = LABELS.iter().find_map(|name| Some((at(name)?, *name == SCORE)));
        match (text, label, &cells[..]) {
            (Some(text), Some((label, score)), _) => Ok(Self { text, second, label, score, header: cells.len(), first: None }),
            (_, _, [_, "0" | "1", _, _]) => Ok(Self { text: 3, second: None, label: 1, score: false, header: 4, first: Some(header) }),
            _ => Err(ScreenshotError::BadLine {
                line: 1,
                reason: format!(
                    "{name}: a column of texts ({}, or one of GLUE's pairs) and one of labels ({}) are needed",
                    SINGLES.join(", "),
                    LABELS.join(", ")
                ),
            }),
        }
    }
}

/// A row as it stands: its line, texts and label.
type Raw<'t> = (usize, &'t str, Option<&'t str>, &'t str);

fn raw<'t>(name: &str, table: &'t str) -> Result<(Vec<Raw<'t>>, bool), ScreenshotError> {
    let bad = |line: usize, reason: String| ScreenshotError::BadLine { line, reason: format!("{name}: {reason}") };
    let mut lines = table.lines().map(|line| line.trim_end_matches('\r')).enumerate();
    let Some((_, header)) = lines.next() else { return Err(bad(1, "the table is empty".to_owned())) };
    let columns = Columns::of(name, header)?;
    let mut rows = vec![];
    for (number, line) in columns.first.map(|first| (0, first)).into_iter().chain(lines).filter(|(_, line)| !line.is_empty()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |column: usize| {
            cells.get(column).copied().ok_or_else(|| bad(number + 1, format!("there are {} columns, not {}", cells.len(), columns.header)))
        };
        rows.push((number + 1, cell(columns.text)?, columns.second.map(cell).transpose()?, cell(columns.label)?));
    }
    if rows.is_empty() {
        return Err(ScreenshotError::NoData { what: name.to_owned(), least: "one row below the header" });
    }
    Ok((rows, columns.score))
}

/// Reads the tables of one task together, so that their labels are numbered alike; labels of the first table count.
///
/// # Errors
/// [`ScreenshotError::BadLine`] for a missing column, a short row, or a label that the first table does not have; [`ScreenshotError::NoData`] for a table without rows.
pub fn read(tables: &[(&str, &str)]) -> Result<(Goal, Vec<Vec<Row>>), ScreenshotError> {
    let all = tables.iter().map(|&(name, table)| Ok((name, raw(name, table)?))).collect::<Result<Vec<_>, ScreenshotError>>()?;
    let score = all.first().is_some_and(|(_, (_, score))| *score);
    let known: BTreeSet<&str> = all.first().map(|(_, (rows, _))| rows.iter().map(|(.., label)| *label).collect()).unwrap_or_default();
    let value = |name: &str, line: usize, label: &str| {
        let bad = |reason: String| ScreenshotError::BadLine { line, reason: format!("{name}: {reason}") };
        if score {
            return label
                .trim()
                .parse()
                .ok()
                .filter(|x: &f64| x.is_finite())
                .ok_or_else(|| bad(format!("the score {label:?} is not a number")));
        }
        let place = known.iter().position(|known| *known == label);
        place.map(|place| place as f64).ok_or_else(|| bad(format!("the label {label:?} is not among those to learn from")))
    };
    let sets = all
        .iter()
        .map(|(name, (rows, _))| {
            let row = |&(line, text, second, label): &Raw<'_>| {
                Ok(Row { text: text.to_owned(), second: second.map(str::to_owned), label: value(name, line, label)? })
            };
            rows.iter().map(row).collect::<Result<Vec<_>, ScreenshotError>>()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let goal = if score { Goal::Number } else { Goal::Classes(known.into_iter().map(str::to_owned).collect()) };
    Ok((goal, sets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_one_and_of_two_texts_are_read() {
        let (goal, one) = read(&[("train", "text\tlabel\ngood\t1\nbad\t0\n"), ("dev", "text\tlabel\r\nfine\t1\r\n")]).unwrap();
        assert_eq!(one[0].iter().map(|row| row.label).collect::<Vec<_>>(), [1.0, 0.0]);
        assert_eq!(one[1], [Row { text: "fine".into(), second: None, label: 1.0 }]);
        assert_eq!(goal, Goal::Classes(vec!["0".into(), "1".into()]));
        let (_, pairs) = read(&[("train", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n1\tc\td\tentailment")]).unwrap();
        assert_eq!((pairs[0][0].second.as_deref(), pairs[0][0].label, pairs[0][1].label), (Some("b"), 1.0, 0.0));
    }

    /// Three lines in the form of each of GLUE's files.
    #[test]
    fn every_table_of_glue_is_read() {
        let cases = [
            ("CoLA", "gj04\t1\t\tA cat sat.\ngj04\t0\t*\tCat a sat.\n", ("Cat a sat.", None, 0.0)),
            ("SST-2", "sentence\tlabel\na fine film\t1\ndull \t0\n", ("dull ", None, 0.0)),
            (
                "MRPC",
                "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe said so.\tSo he said.\n0\t9\t10\tNo.\tYes.\n",
                ("No.", Some("Yes."), 0.0),
            ),
            (
                "QQP",
                "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWhy?\tHow come?\t1\n1\t3\t4\tWho?\tWhen?\t0\n",
                ("Who?", Some("When?"), 0.0),
            ),
            ("STS-B", "index\tgenre\tsentence1\tsentence2\tscore\n0\tnews\tA.\tB.\t3.8\n1\tnews\tC.\tD.\t0.25\n", ("C.", Some("D."), 0.25)),
            (
                "MNLI",
                "index\tpromptID\tsentence1\tsentence2\tlabel1\tgold_label\n0\t1\tA.\tB.\tneutral\tneutral\n1\t2\tC.\tD.\tx\tentailment\n",
                ("C.", Some("D."), 0.0),
            ),
            (
                "QNLI",
                "index\tquestion\tsentence\tlabel\n0\tWhen?\tIn May.\tentailment\n1\tWho?\tNo.\tnot_entailment\n",
                ("Who?", Some("No."), 1.0),
            ),
            ("RTE", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n1\tC.\tD.\tnot_entailment\n", ("C.", Some("D."), 1.0)),
        ];
        for (name, table, (text, second, label)) in cases {
            let (goal, sets) = read(&[(name, table)]).unwrap();
            let row = &sets[0][1];
            assert_eq!((row.text.as_str(), row.second.as_deref(), row.label), (text, second, label), "{name}");
            assert_eq!((goal == Goal::Number, sets[0].len()), (name == "STS-B", 2), "{name}");
        }
    }

    #[test]
    fn bad_tables_name_the_line() {
        let said = |tables: &[(&str, &str)]| read(tables).unwrap_err().to_string();
        assert!(said(&[("t", "")]).contains("empty"));
        assert!(said(&[("t", "text\tlabel\n")]).contains("one row"));
        assert!(said(&[("t", "words\tlabel\nx\t1")]).contains("a column of texts"));
        assert_eq!(said(&[("t", "text\tlabel\nx\t1\ny")]), "line 3: t: there are 1 columns, not 2");
        assert!(said(&[("t", "text\tlabel\nx\t1"), ("d", "text\tlabel\ny\t2")]).contains("\"2\" is not among"));
        assert!(said(&[("t", "sentence1\tsentence2\tscore\nx\ty\tNaN")]).contains("not a number"));
    }
}

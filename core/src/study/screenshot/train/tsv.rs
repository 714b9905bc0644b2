//! Tables of labelled texts: a header, tabs, a row a line, as GLUE and its relatives come.
//!
//! The text's column is the first of `text`, `sentence`, `text_a`, `sentence1`, `question1`, `question`, `premise`; a second text's the first of `text_b`, `sentence2`, `question2`,
//! `hypothesis`; the label's is `label`. Labels are whole numbers, or words that are numbered in the order of the alphabet.

use std::collections::BTreeSet;

use super::finetune::Row;
use crate::study::screenshot::ScreenshotError;

const FIRST: [&str; 7] = ["text", "sentence", "text_a", "sentence1", "question1", "question", "premise"];
const SECOND: [&str; 4] = ["text_b", "sentence2", "question2", "hypothesis"];

/// Reads the tables of one task together, so that their labels are numbered alike; `known` of the first table counts.
///
/// # Errors
/// [`ScreenshotError::BadLine`] for a missing column, a short row, or a label that the first table does not have; [`ScreenshotError::NoData`] for a table without rows.
pub fn read(tables: &[(&str, &str)]) -> Result<Vec<Vec<Row>>, ScreenshotError> {
    let mut raw = vec![];
    for &(name, table) in tables {
        let rows = columns(name, table)?;
        if rows.is_empty() {
            return Err(ScreenshotError::NoData { what: name.to_owned(), least: "one row below the header" });
        }
        raw.push((name, rows));
    }
    let known: BTreeSet<&str> = raw.first().map(|(_, rows)| rows.iter().map(|(.., label)| *label).collect()).unwrap_or_default();
    let number = |name: &str, line: usize, label: &str| {
        let place = known.iter().position(|known| *known == label);
        place.map(|place| place as u32).ok_or_else(|| ScreenshotError::BadLine {
            line,
            reason: format!("{name}: the label {label:?} is not among those to learn from"),
        })
    };
    raw.into_iter()
        .map(|(name, rows)| {
            rows.into_iter()
                .map(|(line, text, second, label)| {
                    Ok(Row { text: text.to_owned(), second: second.map(str::to_owned), label: number(name, line, label)? })
                })
                .collect()
        })
        .collect()
}

/// Line, text, second text and label of each row.
fn columns<'t>(name: &str, table: &'t str) -> Result<Vec<(usize, &'t str, Option<&'t str>, &'t str)>, ScreenshotError> {
    let bad = |line: usize, reason: String| ScreenshotError::BadLine { line, reason: format!("{name}: {reason}") };
    let mut lines = table.lines().map(|line| line.trim_end_matches('\r')).enumerate();
    let Some((_, header)) = lines.next() else { return Err(bad(1, "the table is empty".to_owned())) };
    let header: Vec<&str> = header.trim_start_matches('\u{feff}').split('\t').collect();
    let find = |names: &[&str]| names.iter().find_map(|name| header.iter().position(|column| column == name));
    let (Some(text), Some(label)) = (find(&FIRST), find(&["label"])) else {
        return Err(bad(1, format!("a column of texts ({}) and one called label are needed", FIRST.join(", "))));
    };
    let second = find(&SECOND);
    let mut rows = vec![];
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |column: usize| {
            cells.get(column).copied().ok_or_else(|| bad(number + 1, format!("there are {} columns, not {}", cells.len(), header.len())))
        };
        rows.push((number + 1, cell(text)?, second.map(cell).transpose()?, cell(label)?));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_one_and_of_two_texts_are_read() {
        let one = read(&[("train", "text\tlabel\ngood\t1\nbad\t0\n"), ("dev", "text\tlabel\r\nfine\t1\r\n")]).unwrap();
        assert_eq!(one[0].iter().map(|row| row.label).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(one[1], [Row { text: "fine".into(), second: None, label: 1 }]);
        let pairs = read(&[("train", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n1\tc\td\tentailment")]).unwrap();
        assert_eq!((pairs[0][0].second.as_deref(), pairs[0][0].label, pairs[0][1].label), (Some("b"), 1, 0));
    }

    #[test]
    fn bad_tables_name_the_line() {
        let said = |tables: &[(&str, &str)]| read(tables).unwrap_err().to_string();
        assert!(said(&[("t", "")]).contains("empty"));
        assert!(said(&[("t", "text\tlabel\n")]).contains("one row"));
        assert!(said(&[("t", "words\tlabel\nx\t1")]).contains("a column of texts"));
        assert_eq!(said(&[("t", "text\tlabel\nx\t1\ny")]), "line 3: t: there are 1 columns, not 2");
        assert!(said(&[("t", "text\tlabel\nx\t1"), ("d", "text\tlabel\ny\t2")]).contains("\"2\" is not among"));
    }
}

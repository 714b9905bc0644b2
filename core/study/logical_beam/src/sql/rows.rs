//! Results of queries, and when two are the same.
//!
//! Three measures, each with its own idea of equality: test-suite execution match (any order of columns; rows as a list where gold sorts, else as a multiset), AmbiQT's direct
//! match (rows as a list or as a set) and its EXM (columns by what the query selects). Values compare as in Python, where the tools come from: 1 equals 1.0.
//!
//! **Source.** Zhong, Yu, Klein, "Semantic Evaluation for Text-to-SQL with Distilled Test Suites", EMNLP 2020; Bhaskar et al., EMNLP 2023.

use std::collections::{BTreeMap, BTreeSet};

use super::{names::Id, query::Query};

/// One value of a result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    Integer(i64),
    /// By its bits, ordered; only where it is no whole number that fits an integer.
    Real(OrderedBits),
    Text(String),
    Blob(Vec<u8>),
}

/// A number by its bits, in the order of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedBits(u64);

impl PartialOrd for OrderedBits {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedBits {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        f64::from_bits(self.0).total_cmp(&f64::from_bits(other.0))
    }
}

/// A result as it came: values with the type they had.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

/// A value with its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    /// The value for comparing: whole numbers are integers whatever their type.
    fn cell(&self) -> Cell {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(number) => Cell::Integer(*number),
            Self::Real(number) if number.fract() == 0.0 && number.abs() < 9.0e18 => Cell::Integer(*number as i64),
            Self::Real(number) => Cell::Real(OrderedBits(number.to_bits())),
            Self::Text(text) => Cell::Text(text.clone()),
            Self::Blob(bytes) => Cell::Blob(bytes.clone()),
        }
    }

    /// The text by which the official tool sorts the values of a row: value and type as Python prints them.
    fn python(&self) -> String {
        match self {
            Self::Null => "None<class 'NoneType'>".into(),
            Self::Integer(number) => format!("{number}<class 'int'>"),
            Self::Real(number) => format!("{}<class 'float'>", python_float(*number)),
            Self::Text(text) => format!("{text}<class 'str'>"),
            Self::Blob(bytes) => format!("b'{}'<class 'bytes'>", bytes.escape_ascii()),
        }
    }
}

/// A float as Python prints it: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
fn python_float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&exponent) {
        format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    } else {
        format!("{number:?}")
    }
}

type Row = Vec<Cell>;

fn cells(rows: &Rows) -> Vec<Row> {
    rows.rows.iter().map(|row| row.iter().map(Value::cell).collect()).collect()
}

fn counted<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

/// Most arrangements of columns that are tried; identical columns count once.
const MOST_ARRANGEMENTS: usize = 100_000;

/// Test-suite execution match: some order of columns makes the rows equal, as lists where `ordered`, else as multisets. Two empty results are equal.
pub fn same_result(gold: &Rows, prediction: &Rows, ordered: bool) -> bool {
    if gold.rows.is_empty() && prediction.rows.is_empty() {
        return true;
    }
    let width = gold.rows.first().map(Vec::len);
    if gold.rows.len() != prediction.rows.len()
        || prediction.rows.first().map(Vec::len) != width
        || !rows_agree_unsorted(gold, prediction, ordered)
    {
        return false;
    }
    let (a, b) = (cells(gold), cells(prediction));
    let column = |rows: &[Row], i: usize| -> Vec<Cell> { rows.iter().filter_map(|row| row.get(i).cloned()).collect() };
    let fingerprint = |mut column: Vec<Cell>| {
        if !ordered {
            column.sort();
        }
        column
    };
    let width = width.unwrap_or(0);
    let theirs: Vec<Vec<Cell>> = (0..width).map(|i| column(&b, i)).collect();
    let keys: Vec<Vec<Cell>> = theirs.iter().map(|column| fingerprint(column.clone())).collect();
    // For each gold column the predicted ones with the same values; of identical ones the first stands for all that are left.
    let choices: Vec<Vec<usize>> = (0..width)
        .map(|i| {
            let key = fingerprint(column(&a, i));
            (0..width).filter(|j| keys[*j] == key).collect()
        })
        .collect();
    let mut search = Search { a: &a, b: &b, theirs: &theirs, choices: &choices, ordered, left: MOST_ARRANGEMENTS };
    search.arrange(&mut Vec::new())
}

/// The official quick test: each row's values in one order, compared as lists or as sets.
fn rows_agree_unsorted(gold: &Rows, prediction: &Rows, ordered: bool) -> bool {
    let sorted = |rows: &Rows| -> Vec<Row> {
        let row = |row: &Vec<Value>| {
            let mut row: Vec<&Value> = row.iter().collect();
            row.sort_by_cached_key(|value| value.python());
            row.into_iter().map(Value::cell).collect()
        };
        rows.rows.iter().map(row).collect()
    };
    same_rows(sorted(gold), sorted(prediction), ordered)
}

/// Equal as lists, or as sets.
fn same_rows(a: Vec<Row>, b: Vec<Row>, ordered: bool) -> bool {
    if ordered { a == b } else { a.into_iter().collect::<BTreeSet<_>>() == b.into_iter().collect() }
}

struct Search<'a> {
    a: &'a [Row],
    b: &'a [Row],
    theirs: &'a [Vec<Cell>],
    choices: &'a [Vec<usize>],
    ordered: bool,
    left: usize,
}

impl Search<'_> {
    /// Tries all arrangements that begin with `chosen`. Not deeper than a result has columns, and an arrangement is checked once complete.
    fn arrange(&mut self, chosen: &mut Vec<usize>) -> bool {
        let Some(choices) = self.choices.get(chosen.len()) else { return self.fits(chosen) };
        let mut tried: Vec<usize> = Vec::new();
        for next in choices {
            if chosen.contains(next) || tried.iter().any(|other| self.theirs[*other] == self.theirs[*next]) {
                continue;
            }
            tried.push(*next);
            chosen.push(*next);
            if self.arrange(chosen) {
                return true;
            }
            chosen.pop();
            if self.left == 0 {
                return false;
            }
        }
        false
    }

    fn fits(&mut self, chosen: &[usize]) -> bool {
        self.left -= 1;
        let arranged = self.b.iter().map(|row| chosen.iter().filter_map(|i| row.get(*i)).collect::<Vec<_>>());
        let plain = self.a.iter().map(|row| row.iter().collect::<Vec<_>>());
        if self.ordered { plain.eq(arranged) } else { counted(plain) == counted(arranged) }
    }
}

/// AmbiQT's direct match with the result of the query `sql`: columns in order; rows as a list where it sorts, else as a set.
pub fn same_directly(sql: &str, gold: &Rows, prediction: &Rows) -> bool {
    same_rows(cells(gold), cells(prediction), sql.contains(" order by "))
}

/// What a query selects, without the outer aggregate: the key of a column in AmbiQT's EXM.
type SelectKey = (u8, (u8, Id, bool), Option<(u8, Id, bool)>);

/// AmbiQT's EXM: each result as a map from what is selected (without its aggregate) to its column; the maps are compared, so the order of columns is free and that of rows is
/// not. The queries are as they were read; one that could not be read is the empty query. A column selected twice counts once.
pub fn same_by_selected(gold: (&Query, &Rows), prediction: (&Query, &Rows)) -> bool {
    let map = |(query, rows): (&Query, &Rows)| -> Option<BTreeMap<SelectKey, Vec<Cell>>> {
        let mut map = BTreeMap::new();
        for (i, (_, unit)) in query.select.iter().enumerate() {
            let column = |unit: super::query::ColumnUnit| (unit.aggregate as u8, unit.column, unit.distinct);
            let key = match unit.right {
                None => (0, column(unit.left), None),
                Some(right) => (unit.operator as u8, column(unit.left), Some(column(right))),
            };
            map.insert(key, rows.rows.iter().map(|row| row.get(i).map(Value::cell)).collect::<Option<Vec<_>>>()?);
        }
        Some(map)
    };
    match (map(gold), map(prediction)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// The query without its DISTINCT words, and with `> =` and its like joined: how test-suite execution match prepares both sides. Taking out DISTINCT also cuts off what follows
/// the first statement: so the tool.
pub fn prepared(sql: &str, keep_distinct: bool) -> String {
    let sql = sql.replace("> =", ">=").replace("< =", "<=").replace("! =", "!=");
    let sql = if keep_distinct { sql } else { first_without(&sql, "distinct") };
    this_year(&sql)
}

/// The first statement, without a word wherever it stands outside quotes.
fn first_without(sql: &str, word: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '\'' | '"' | '`' => rest[1..].find(c).map_or(rest.len(), |end| end + 2),
            _ if c.is_alphanumeric() || c == '_' => rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(end);
        if !piece.eq_ignore_ascii_case(word) {
            out.push_str(piece);
        }
        if piece == ";" {
            break;
        }
        rest = after;
    }
    out
}

/// `YEAR(CURDATE())`, which `SQLite` does not have, is 2020, the year of the tool.
fn this_year(sql: &str) -> String {
    let lower = sql.to_ascii_lowercase();
    let mut out = String::with_capacity(sql.len());
    let mut at = 0;
    while let Some(found) = lower[at..].find("year") {
        let start = at + found;
        let mut rest = &lower[start + 4..];
        let matched = ["(", "curdate", "(", ")", ")"].iter().all(|part| match rest.trim_start().strip_prefix(part) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        });
        out.push_str(&sql[at..start]);
        if matched {
            out.push_str("2020");
            at = sql.len() - rest.trim_start().len();
        } else {
            out.push_str(&sql[start..start + 4]);
            at = start + 4;
        }
    }
    out + &sql[at..]
}

/// Whether rows are compared in order: gold sorts.
pub fn is_ordered(gold: &str) -> bool {
    gold.to_lowercase().contains("order by")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[Value]]) -> Rows {
        Rows { columns: Vec::new(), rows: rows.iter().map(|row| row.to_vec()).collect() }
    }

    #[test]
    fn columns_may_stand_in_any_order_and_rows_only_where_nothing_sorts() {
        use Value::{Integer as I, Real as R, Text};
        let text = |text: &str| Text(text.into());
        let gold = rows(&[&[I(1), text("a")], &[I(2), text("b")]]);
        let swapped = rows(&[&[text("b"), R(2.0)], &[text("a"), R(1.0)]]);
        assert!(same_result(&gold, &swapped, false) && !same_result(&gold, &swapped, true));
        // Each column has the same values, the rows differ.
        let crossed = rows(&[&[I(2), text("a")], &[I(1), text("b")]]);
        assert!(!same_result(&gold, &crossed, false) && !same_directly("select a, b from t", &gold, &crossed));
        // A multiset is no set.
        let (twice, once) = (rows(&[&[I(1)], &[I(1)], &[I(2)]]), rows(&[&[I(1)], &[I(2)], &[I(2)]]));
        assert!(
            !same_result(&twice, &once, false)
                && same_directly("select a from t", &twice, &once)
                && !same_directly("select a from t order by a", &twice, &once)
        );
        assert!(same_result(&rows(&[]), &rows(&[]), true) && !same_result(&rows(&[]), &once, false));
        // The official sort key takes 1 and 1.0 apart when another value lies between their texts.
        assert!(!same_result(&rows(&[&[I(1), I(10)]]), &rows(&[&[R(1.0), I(10)]]), false));
    }

    #[test]
    fn many_equal_columns_are_decided_at_once() {
        let wide = |last: i64| rows(&[&[vec![Value::Integer(1); 40], vec![Value::Integer(last)]].concat(), &vec![Value::Integer(1); 41]]);
        assert!(same_result(&wide(5), &wide(5), false));
        assert!(!same_result(&wide(5), &wide(6), false));
    }

    #[test]
    fn queries_are_prepared_as_the_tool_does() {
        assert_eq!(
            prepared("SELECT count(DISTINCT x) FROM t WHERE y > = 'distinct' AND z ! = 1", false),
            "SELECT count( x) FROM t WHERE y >= 'distinct' AND z != 1"
        );
        assert_eq!(prepared("SELECT ';'; SELECT 2", false), "SELECT ';';");
        assert_eq!(prepared("SELECT DISTINCT YEAR ( CURDATE() ) - year FROM t", true), "SELECT DISTINCT 2020- year FROM t");
    }

    #[test]
    fn floats_print_as_in_python() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (123456789012345.6, "123456789012345.6"),
            (-2.5e300, "-2.5e+300"),
        ] {
            assert_eq!(python_float(number), text);
        }
    }
}

//! Tables with typed columns: the report formats, the data keep every digit.

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Words.
    #[default]
    Text,
    /// Numbers.
    Number,
}

/// Which end of a column is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Best {
    /// The largest number is marked.
    Highest,
    /// The smallest number is marked.
    Lowest,
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Words or numbers.
    pub kind: ColumnKind,
    /// Digits after the point, at most 12; numbers only.
    #[serde(default)]
    pub digits: u8,
    /// Unit shown in the heading; may be empty.
    #[serde(default)]
    pub unit: String,
    /// Mark the best number of the column; numbers only.
    #[serde(default)]
    pub best: Option<Best>,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A column of numbers with this many digits after the point.
    #[must_use]
    pub fn number(name: impl Into<String>, digits: u8) -> Self {
        Self { name: name.into(), kind: ColumnKind::Number, digits, ..Self::default() }
    }

    /// The same column with a unit.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// The same column with its best number marked.
    #[must_use]
    pub fn best(mut self, best: Best) -> Self {
        self.best = Some(best);
        self
    }
}

/// One cell: `null`, a number or a string in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// Not measured.
    Missing,
    /// A number, with all its digits.
    Number(f64),
    /// Words. Allowed in a column of numbers too (`out of memory`).
    Text(String),
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<f32> for Cell {
    fn from(value: f32) -> Self {
        Self::Number(f64::from(value))
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Self::Number(f64::from(value))
    }
}

impl From<usize> for Cell {
    /// Exact up to 2^53, far beyond any count shown in a table.
    fn from(value: usize) -> Self {
        Self::Number(value as f64)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// Columns and rows; every row has one cell a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The columns; the first names the row.
    pub columns: Vec<Column>,
    /// The rows, in the order in which they are first shown.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }
}

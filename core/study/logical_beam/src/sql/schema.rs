//! Tables, columns and keys of one database.
//!
//! Columns are numbered through all tables, in the order of the tables: exact-set match merges columns that foreign keys tie together into the one with the
//! lowest number, and the order in which keys are listed decides which one the AmbiQT generators take.

use serde::{Deserialize, Serialize};

/// A database's tables, columns and keys, names as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Name of the database.
    pub name: String,
    pub tables: Vec<String>,
    /// All columns, those of a table together, tables in order.
    pub columns: Vec<Column>,
    /// Numbers of the key columns, as listed.
    pub primary_keys: Vec<usize>,
    /// Pairs of column numbers, as listed.
    pub foreign_keys: Vec<(usize, usize)>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Number of its table.
    pub table: usize,
    pub name: String,
    pub kind: Kind,
}

/// What a column holds, in Spider's five kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Text,
    Number,
    Time,
    Boolean,
    #[default]
    Others,
}

impl Schema {
    /// The columns of a table with their numbers.
    pub fn columns_of(&self, table: usize) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(move |(_, column)| column.table == table)
    }

    /// Number of the table of this name; case does not count.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.to_lowercase() == name.to_lowercase())
    }
}

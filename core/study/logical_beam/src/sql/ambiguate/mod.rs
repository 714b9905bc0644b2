//! AmbiQT's four kinds of ambiguity: one question, two valid queries, made by changing the schema and never the question.
//!
//! | kind | what the schema gains | file |
//! | --- | --- | --- |
//! | C | two columns in place of one, under two names that both fit | [`mod@column`] |
//! | T | two tables in place of one | [`table`] |
//! | J | a table that holds one column of another once more, so a join may or may not be needed | [`join`] |
//! | P | a table of aggregates computed beforehand | [`aggregate`] |
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 3 and the released benchmark, whose strings these rules give.

pub mod aggregate;
pub mod column;
pub mod join;
pub mod table;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{schema::Schema, text::normalise};

/// A kind of ambiguity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Column names.
    C,
    /// Table names.
    T,
    /// Join or no join.
    J,
    /// Precomputed aggregates.
    P,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::C, Self::T, Self::J, Self::P];

    /// `C`, `T`, `J` or `P`, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "C" | "c" => Some(Self::C),
            "T" | "t" => Some(Self::T),
            "J" | "j" => Some(Self::J),
            "P" | "p" => Some(Self::P),
            _ => None,
        }
    }
}

/// What was changed in the schema; names in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The column is gone, both names are there.
    Column { table: String, column: String, names: [String; 2] },
    /// The table is gone, both names are there.
    Table { table: String, names: [String; 2] },
    /// A table `name` holds `key` and `column` of `table`, which keeps both.
    Join { table: String, column: String, key: String, name: String },
    /// A table `name` holds aggregates.
    Aggregate { name: String, columns: Vec<String> },
}

/// A query that has become two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ambiguous {
    pub kind: Kind,
    /// The query in the one spelling ([`normalise`]).
    pub original: String,
    /// The two valid queries on the changed schema.
    pub readings: [String; 2],
    pub change: Change,
}

/// Two names that could stand for a column or a table, per database.
#[derive(Debug, Clone, Default)]
pub struct Synonyms {
    /// By table, then column, in lower case.
    columns: BTreeMap<String, BTreeMap<String, [String; 2]>>,
    tables: BTreeMap<String, [String; 2]>,
}

type ByTable<T> = BTreeMap<String, T>;
/// The two files of synonyms: columns by database and table, and tables by database.
pub type ColumnFile = BTreeMap<String, ByTable<ByTable<Vec<String>>>>;
pub type TableFile = BTreeMap<String, ByTable<Vec<String>>>;

impl Synonyms {
    /// The synonyms of one database; entries that do not list two names are left out.
    pub fn of(database: &str, columns: &ColumnFile, tables: &TableFile) -> Self {
        let columns = columns.get(database).into_iter().flatten();
        Self {
            columns: columns.map(|(table, columns)| (table.to_lowercase(), pairs(columns))).collect(),
            tables: tables.get(database).map(pairs).unwrap_or_default(),
        }
    }

    /// Two names for a column; table and column in lower case.
    pub fn column(&self, table: &str, column: &str) -> Option<&[String; 2]> {
        self.columns.get(table)?.get(column)
    }

    /// The tables that have two names, with them.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &[String; 2])> {
        self.tables.iter().map(|(table, names)| (table.as_str(), names))
    }
}

fn pairs(names: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, [String; 2]> {
    let pair = |names: &Vec<String>| match names.as_slice() {
        [a, b] => Some([a.to_lowercase(), b.to_lowercase()]),
        _ => None,
    };
    names.iter().filter_map(|(name, names)| Some((name.to_lowercase(), pair(names)?))).collect()
}

/// All ambiguities of one kind that a query allows.
pub fn ambiguate(kind: Kind, sql: &str, schema: &Schema, synonyms: &Synonyms) -> Vec<Ambiguous> {
    let original = normalise(sql);
    let found = match kind {
        Kind::C => column::generate(&original, synonyms),
        Kind::T => table::generate(&original, schema, synonyms),
        Kind::J => join::generate(&original, schema),
        Kind::P => aggregate::generate(&original).into_iter().collect(),
    };
    found.into_iter().map(|(readings, change)| Ambiguous { kind, original: original.clone(), readings, change }).collect()
}

//! A query as the official evaluator holds it: only what its grammar knows, names as numbers.

use super::names::Id;

/// Aggregate of a column; `None` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    None,
    Max,
    Min,
    Count,
    Sum,
    Avg,
}

impl Aggregate {
    /// The evaluator's list holds the word `none` too, so it is one of its keywords.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "max" => Self::Max,
            "min" => Self::Min,
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            _ => return None,
        })
    }
}

/// What joins two columns to one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    None,
    Minus,
    Plus,
    Times,
    Divide,
}

impl Arithmetic {
    /// Here too `none` is a keyword.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "-" => Self::Minus,
            "+" => Self::Plus,
            "*" => Self::Times,
            "/" => Self::Divide,
            _ => return None,
        })
    }
}

/// The operator of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Not,
    Between,
    Equal,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    NotEqual,
    In,
    Like,
    Is,
    Exists,
}

impl Comparison {
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "not" => Self::Not,
            "between" => Self::Between,
            "=" => Self::Equal,
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" => Self::GreaterEqual,
            "<=" => Self::LessEqual,
            "!=" => Self::NotEqual,
            "in" => Self::In,
            "like" => Self::Like,
            "is" => Self::Is,
            "exists" => Self::Exists,
            _ => return None,
        })
    }
}

/// A column, aggregated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnUnit {
    pub aggregate: Aggregate,
    pub column: Id,
    pub distinct: bool,
}

/// One column, or two with an operator between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueUnit {
    pub operator: Arithmetic,
    pub left: ColumnUnit,
    pub right: Option<ColumnUnit>,
}

/// What a condition compares with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, or a literal that does not count.
    None,
    Number(f64),
    /// With its quotes.
    Text(String),
    Column(ColumnUnit),
    Query(Box<Query>),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub negated: bool,
    pub comparison: Comparison,
    pub unit: ValueUnit,
    pub first: Value,
    /// The upper end of BETWEEN.
    pub second: Value,
}

/// A list of conditions with what connects them. The evaluator takes even places for conditions and odd ones for connectors, also where a missing connector
/// has shifted them.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    Condition(Condition),
    And,
    Or,
}

/// Something to select from.
#[derive(Debug, Clone, PartialEq)]
pub enum TableUnit {
    Table(Id),
    Query(Box<Query>),
}

/// The direction of ORDER BY: one for all its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// What joins two queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetOperation {
    Intersect,
    Union,
    Except,
}

/// A query; the empty one stands for a text that cannot be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub distinct: bool,
    pub select: Vec<(Aggregate, ValueUnit)>,
    pub from: Vec<TableUnit>,
    /// The conditions of all joins.
    pub on: Vec<Term>,
    pub filter: Vec<Term>,
    pub group: Vec<ColumnUnit>,
    pub having: Vec<Term>,
    pub order: Option<(Direction, Vec<ValueUnit>)>,
    /// Whether there is a limit; its number does not count.
    pub limit: bool,
    pub set: Option<(SetOperation, Box<Query>)>,
}

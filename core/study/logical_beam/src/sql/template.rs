//! Templates: a query with its names and values taken out, and put back without loss.
//!
//! Table names become `table`, columns and `*` `column`, quoted text `string`, whole numbers `number`; keywords, operators and aliases stay. What was taken out is kept in
//! order, so the query comes back byte for byte. To make that hold for any text, words that happen to be `table`, `column`, `string` or `number` count as slots too, and
//! quoted text that touches another word stays where it is.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4.1.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{schema::Schema, text::normalise};

/// What a slot of a template takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    Table,
    Column,
    String,
    Number,
}

impl Slot {
    /// The word that stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Column => "column",
            Self::String => "string",
            Self::Number => "number",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Table, Self::Column, Self::String, Self::Number].into_iter().find(|slot| slot.word() == word)
    }
}

/// The names of a schema in lower case: what a template takes out.
#[derive(Debug, Clone, Default)]
pub struct SchemaWords {
    tables: BTreeSet<String>,
    columns: BTreeSet<String>,
}

impl SchemaWords {
    pub fn new(schema: &Schema) -> Self {
        let columns = schema.columns.iter().map(|column| column.name.to_lowercase());
        Self { tables: schema.tables.iter().map(|table| table.to_lowercase()).collect(), columns: columns.collect() }
    }

    pub fn is_table(&self, word: &str) -> bool {
        self.tables.contains(word)
    }

    pub fn is_column(&self, word: &str) -> bool {
        self.columns.contains(word)
    }

    /// Sorted.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(String::as_str)
    }

    /// Sorted.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }
}

/// A query without its names and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    pub text: String,
    /// What stood in each slot, in order.
    pub values: Vec<(Slot, String)>,
}

/// Why values do not fit a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the template has {slots} slots, {values} values were given")]
pub struct FillError {
    pub slots: usize,
    pub values: usize,
}

/// A piece of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// Letters, digits, `_`, `.`; a column's `*`, or its name in backticks, with its alias.
    Word(&'a str),
    /// With both its quotes.
    Quoted(&'a str),
    /// One other character, or a quote that is never closed with all that follows.
    Other(&'a str),
}

impl<'a> Piece<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Quoted(text) | Self::Other(text) => text,
        }
    }

    /// Whether it is at least partly a word: two of these side by side cannot be told apart once one is replaced.
    fn sticks(self) -> bool {
        match self {
            Self::Word(_) | Self::Quoted(_) => true,
            Self::Other(text) => text == "*" || text.starts_with(['\'', '"', '`']),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// The pieces of a query as text: words, quoted texts and single marks; spaces too.
pub fn texts(sql: &str) -> Vec<&str> {
    pieces(sql).into_iter().map(Piece::text).collect()
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let piece = if is_word(c) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let named = if rest[..end].ends_with('.') { behind_alias(&rest[end..]) } else { 0 };
            Piece::Word(&rest[..end + named])
        } else if matches!(c, '\'' | '"' | '`') {
            match rest[1..].find(c) {
                Some(end) => Piece::Quoted(&rest[..end + 2]),
                None => Piece::Other(rest),
            }
        } else {
            Piece::Other(&rest[..c.len_utf8()])
        };
        rest = &rest[piece.text().len()..];
        pieces.push(piece);
    }
    pieces
}

/// Bytes of a `*` or a name in backticks that stands here, behind an alias; none where something follows that would stick to what replaces it.
fn behind_alias(rest: &str) -> usize {
    let length = if rest.starts_with('*') { 1 } else { rest.strip_prefix('`').and_then(|name| name.find('`')).map_or(0, |end| end + 2) };
    if rest[length..].starts_with(|c| is_word(c) || matches!(c, '*' | '\'' | '"' | '`')) { 0 } else { length }
}

/// Where a piece stands, as far as that decides whether it is a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Context<'a> {
    /// The piece before it, spaces left out.
    before: &'a str,
    /// Whether the last clause word was FROM or JOIN: there a comma is followed by a table.
    in_from: bool,
    /// Whether a bracket opens behind it.
    called: bool,
    /// Whether it stands right beside a word.
    touches: bool,
}

impl Context<'_> {
    fn slot(self, piece: Piece<'_>, schema: &SchemaWords) -> Option<Slot> {
        let Self { before, in_from, called, touches } = self;
        match piece {
            Piece::Quoted(_) if touches => None,
            Piece::Quoted(text) if text.starts_with('`') => name(text.trim_matches('`'), before, in_from, false, schema),
            Piece::Quoted(_) => Some(Slot::String),
            Piece::Word(word) => name(word, before, in_from, called, schema),
            Piece::Other("*") if !touches && (matches!(before, "(" | "," | "select" | "distinct") || before.is_empty()) => {
                Some(Slot::Column)
            }
            Piece::Other(_) => None,
        }
    }
}

/// Each piece with where it stands.
fn in_context<'a>(pieces: &[Piece<'a>]) -> Vec<(Piece<'a>, Context<'a>)> {
    let (mut before, mut in_from) = ("", false);
    let mut found = Vec::with_capacity(pieces.len());
    for (i, piece) in pieces.iter().enumerate() {
        let touches = [i.checked_sub(1), Some(i + 1)].into_iter().flatten().filter_map(|i| pieces.get(i)).any(|piece| piece.sticks());
        let called = pieces[i + 1..].iter().find(|piece| piece.text() != " ").is_some_and(|piece| piece.text() == "(");
        found.push((*piece, Context { before, in_from, called, touches }));
        if piece.text() != " " {
            before = piece.text();
            in_from = match before {
                "from" | "join" => true,
                "select" | "where" | "on" | "group" | "order" | "having" | "limit" | "(" => false,
                _ => in_from,
            };
        }
    }
    found
}

/// Takes the names of `schema` and all values out of a query, which is brought to the one spelling first.
pub fn templatise(sql: &str, schema: &SchemaWords) -> Template {
    let sql = normalise(sql);
    let mut template = Template { text: String::with_capacity(sql.len()), values: Vec::new() };
    for (piece, context) in in_context(&pieces(&sql)) {
        match context.slot(piece, schema) {
            Some(slot) => {
                template.text.push_str(slot.word());
                template.values.push((slot, piece.text().to_owned()));
            }
            None => template.text.push_str(piece.text()),
        }
    }
    template
}

/// A slot in its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub slot: Slot,
    context: Context<'a>,
}

impl Place<'_> {
    /// Whether this text in this place makes this slot when the query is templatised.
    pub fn takes(&self, text: &str, schema: &SchemaWords) -> bool {
        matches!(pieces(text).as_slice(), [only] if self.context.slot(*only, schema) == Some(self.slot))
    }
}

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// What every query of the template says.
    Text(&'a str),
    Place(Place<'a>),
}

/// The parts of a template, in order.
pub fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for (piece, context) in in_context(&pieces(template)) {
        let slot = if let Piece::Word(word) = piece { Slot::from_word(word) } else { None };
        parts.push(slot.map_or(Part::Text(piece.text()), |slot| Part::Place(Place { slot, context })));
    }
    parts
}

/// The slot of a word.
fn name(word: &str, before: &str, in_from: bool, called: bool, schema: &SchemaWords) -> Option<Slot> {
    // Such a word cannot be told from a slot when the query is put together again, so it is one.
    if let Some(slot) = Slot::from_word(word) {
        return Some(slot);
    }
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Slot::Number);
    }
    let place_of_table = matches!(before, "from" | "join") || (in_from && before == ",");
    if place_of_table && schema.is_table(word) {
        return Some(Slot::Table);
    }
    if let Some((_, column)) = word.split_once('.') {
        return (column == "*" || schema.is_column(column.trim_matches('`'))).then_some(Slot::Column);
    }
    if before == "as" || is_keyword(word) || (called && super::text::AGGREGATES.contains(&word)) {
        return None;
    }
    if schema.is_column(word) {
        return Some(Slot::Column);
    }
    schema.is_table(word).then_some(Slot::Table)
}

/// Words that are never names where they stand bare.
fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "select"
            | "from"
            | "where"
            | "group"
            | "order"
            | "by"
            | "having"
            | "limit"
            | "join"
            | "on"
            | "as"
            | "and"
            | "or"
            | "not"
            | "in"
            | "is"
            | "null"
            | "like"
            | "between"
            | "exists"
            | "union"
            | "intersect"
            | "except"
            | "distinct"
            | "asc"
            | "desc"
            | "case"
            | "when"
            | "then"
            | "else"
            | "end"
            | "left"
            | "inner"
            | "outer"
    )
}

/// Puts values into the slots of a template, in order.
///
/// # Errors
/// When there are more or fewer values than slots.
pub fn fill<S: AsRef<str>>(template: &str, values: &[S]) -> Result<String, FillError> {
    let mut text = String::with_capacity(template.len());
    let mut slots = 0;
    for piece in pieces(template) {
        let slot = matches!(piece, Piece::Word(word) if Slot::from_word(word).is_some());
        let value = if slot { values.get(slots).map(AsRef::as_ref) } else { None };
        text.push_str(value.unwrap_or(piece.text()));
        slots += usize::from(slot);
    }
    if slots == values.len() { Ok(text) } else { Err(FillError { slots, values: values.len() }) }
}

impl Template {
    /// The query again.
    ///
    /// # Errors
    /// When `values` was changed and no longer fits.
    pub fn filled(&self) -> Result<String, FillError> {
        fill(&self.text, &self.values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>())
    }
}

/// The slots of a template, in order.
pub fn slots(template: &str) -> Vec<Slot> {
    pieces(template).into_iter().filter_map(|piece| if let Piece::Word(word) = piece { Slot::from_word(word) } else { None }).collect()
}

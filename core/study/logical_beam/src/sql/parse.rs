//! Reads SQL as the official Spider evaluator does, its failures included.
//!
//! The evaluator's grammar is small and its reader simple: clauses in one fixed order, no look-ahead, whatever follows the last clause it knows is ignored. What
//! it cannot read counts as wrong, so the failures are part of the measure: aliases are collected once for the whole text, a projection alias, `<>`, CASE, IS NULL,
//! lists after IN and tables joined by commas are errors, and a column on the right of a condition swallows everything up to the next clause, `and` or bracket.
//! [`super::strict`] is the reader without these habits.
//!
//! **Source.** The behaviour of the evaluation tools of Yu et al., "Spider", EMNLP 2018, and Zhong, Yu, Klein, EMNLP 2020.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{
    names::{ALL, Id, Names},
    query::{Aggregate, Arithmetic, ColumnUnit, Comparison, Condition, Direction, Query, SetOperation, TableUnit, Term, Value, ValueUnit},
    tokens::{LONGEST, tokens},
};

/// Deepest nesting of queries, branches of set operations included.
pub const DEEPEST: usize = 64;

/// Why the evaluator cannot read a query.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    #[error("the query has {bytes} bytes; at most {LONGEST} are read")]
    TooLong { bytes: usize },
    #[error("odd number of quotes")]
    OddQuotes,
    #[error("queries are nested more than {DEEPEST} deep")]
    TooDeep,
    #[error("the query ends too early")]
    Ends,
    #[error("there is no FROM")]
    NoFrom,
    #[error("expected {expected}, found `{found}`")]
    Expected { expected: &'static str, found: String },
    #[error("there is no column `{0}` here")]
    NoColumn(String),
    #[error("there is no table `{0}` here")]
    NoTable(String),
    #[error("the alias `{0}` is the name of a table")]
    AliasIsTable(String),
}

/// Reads one query.
///
/// # Errors
/// What the evaluator fails on, and [`ParseError::TooLong`] and [`ParseError::TooDeep`], which keep the work bounded.
pub fn parse(sql: &str, names: &Names) -> Result<Query, ParseError> {
    let tokens = tokens(sql)?;
    let aliases = aliases(&tokens)?;
    if let Some(alias) = aliases.keys().find(|alias| names.table(alias).is_some()) {
        return Err(ParseError::AliasIsTable((*alias).to_owned()));
    }
    Ok(Reader { tokens: &tokens, aliases, names }.query(0, 0)?.1)
}

/// For each `as`, what it names: the word before it under the word after it. Later ones win, wherever they stand.
fn aliases(tokens: &[String]) -> Result<BTreeMap<&str, &str>, ParseError> {
    let mut aliases = BTreeMap::new();
    for at in (0..tokens.len()).filter(|at| tokens[*at] == "as") {
        let (alias, named) = (tokens.get(at + 1).ok_or(ParseError::Ends)?, at.checked_sub(1).unwrap_or(tokens.len() - 1));
        aliases.insert(alias.as_str(), tokens[named].as_str());
    }
    Ok(aliases)
}

fn is_clause(word: &str) -> bool {
    matches!(word, "select" | "from" | "where" | "group" | "order" | "limit" | "intersect" | "union" | "except")
}

fn is_join(word: &str) -> bool {
    matches!(word, "join" | "on" | "as")
}

fn ends_clause(word: &str) -> bool {
    is_clause(word) || matches!(word, ")" | ";")
}

/// What Python's `float` takes: `_` between digits, `inf` and `nan` included.
fn number(word: &str) -> Option<f64> {
    if !word.contains('_') {
        return word.parse().ok();
    }
    let bytes = word.as_bytes();
    let digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    let between = (0..bytes.len()).filter(|i| bytes[*i] == b'_').all(|i| digit(i.checked_sub(1)) && digit(Some(i + 1)));
    if between { word.replace('_', "").parse().ok() } else { None }
}

type At<T> = Result<(usize, T), ParseError>;

struct Reader<'a> {
    tokens: &'a [String],
    aliases: BTreeMap<&'a str, &'a str>,
    names: &'a Names,
}

impl<'a> Reader<'a> {
    /// The token at `at`, which has to be there.
    fn word(&self, at: usize) -> Result<&'a str, ParseError> {
        self.tokens.get(at).map(String::as_str).ok_or(ParseError::Ends)
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token == word)
    }

    fn expect(&self, at: usize, expected: &'static str) -> Result<usize, ParseError> {
        match self.word(at)? {
            word if word == expected => Ok(at + 1),
            found => Err(ParseError::Expected { expected, found: found.to_owned() }),
        }
    }

    /// The table behind an alias or a table's own name.
    fn table(&self, word: &'a str) -> Option<&'a str> {
        self.aliases.get(word).copied().or_else(|| self.names.table(word).map(|_| word))
    }

    fn query(&self, start: usize, depth: usize) -> At<Query> {
        if depth >= DEEPEST {
            return Err(ParseError::TooDeep);
        }
        let block = self.word(start)? == "(";
        let mut query = Query::default();
        let (mut at, tables) = self.from(start, depth, &mut query)?;
        self.select(start + usize::from(block), &tables, &mut query)?;
        if self.is(at, "where") {
            (at, query.filter) = self.conditions(at + 1, &tables, depth)?;
        }
        if self.is(at, "group") {
            at = self.group(at + 1, &tables, &mut query.group)?;
        }
        if self.is(at, "having") {
            (at, query.having) = self.conditions(at + 1, &tables, depth)?;
        }
        if self.is(at, "order") {
            (at, query.order) = self.order(at + 1, &tables)?;
        }
        if self.is(at, "limit") {
            self.word(at + 1)?;
            query.limit = true;
            at += 2;
        }
        at = self.semicolons(at);
        if block {
            at = self.expect(at, ")")?;
        }
        at = self.semicolons(at);
        let operation = match self.tokens.get(at).map(String::as_str) {
            Some("intersect") => Some(SetOperation::Intersect),
            Some("union") => Some(SetOperation::Union),
            Some("except") => Some(SetOperation::Except),
            _ => None,
        };
        if let Some(operation) = operation {
            let branch;
            (at, branch) = self.query(at + 1, depth + 1)?;
            query.set = Some((operation, Box::new(branch)));
        }
        Ok((at, query))
    }

    fn semicolons(&self, mut at: usize) -> usize {
        while self.is(at, ";") {
            at += 1;
        }
        at
    }

    /// FROM, the next one from `start` on; gives the tables in which columns without a table are looked for.
    fn from(&self, start: usize, depth: usize, query: &mut Query) -> At<Vec<&'a str>> {
        let found = self.tokens[start..].iter().position(|token| token == "from").ok_or(ParseError::NoFrom)?;
        let (mut at, mut tables) = (start + found + 1, Vec::new());
        while at < self.tokens.len() {
            let block = self.is(at, "(");
            at += usize::from(block);
            if self.word(at)? == "select" {
                let inner;
                (at, inner) = self.query(at, depth + 1)?;
                query.from.push(TableUnit::Query(Box::new(inner)));
            } else {
                at += usize::from(self.is(at, "join"));
                let word = self.word(at)?;
                let none = || ParseError::NoTable(word.to_owned());
                let table = self.table(word).ok_or_else(none)?;
                query.from.push(TableUnit::Table(self.names.table(table).ok_or_else(none)?));
                tables.push(table);
                at += if self.is(at + 1, "as") { 3 } else { 1 };
            }
            if self.is(at, "on") {
                let terms;
                (at, terms) = self.conditions(at + 1, &tables, depth)?;
                if !query.on.is_empty() {
                    query.on.push(Term::And);
                }
                query.on.extend(terms);
            }
            if block {
                at = self.expect(at, ")")?;
            }
            if self.tokens.get(at).is_some_and(|word| ends_clause(word)) {
                break;
            }
        }
        Ok((at, tables))
    }

    fn select(&self, at: usize, tables: &[&'a str], query: &mut Query) -> Result<(), ParseError> {
        let mut at = self.expect(at, "select")?;
        query.distinct = self.is(at, "distinct");
        at += usize::from(query.distinct);
        while at < self.tokens.len() && !is_clause(self.word(at)?) {
            let aggregate = Aggregate::from_word(self.word(at)?);
            let unit;
            (at, unit) = self.value_unit(at + usize::from(aggregate.is_some()), tables)?;
            query.select.push((aggregate.unwrap_or(Aggregate::None), unit));
            at += usize::from(self.is(at, ","));
        }
        Ok(())
    }

    fn group(&self, at: usize, tables: &[&'a str], group: &mut Vec<ColumnUnit>) -> Result<usize, ParseError> {
        let mut at = self.expect(at, "by")?;
        while self.tokens.get(at).is_some_and(|word| !ends_clause(word)) {
            let unit;
            (at, unit) = self.column_unit(at, self.tokens.len(), tables)?;
            group.push(unit);
            if !self.is(at, ",") {
                break;
            }
            at += 1;
        }
        Ok(at)
    }

    fn order(&self, at: usize, tables: &[&'a str]) -> At<Option<(Direction, Vec<ValueUnit>)>> {
        let (mut at, mut direction, mut units) = (self.expect(at, "by")?, Direction::Ascending, Vec::new());
        while self.tokens.get(at).is_some_and(|word| !ends_clause(word)) {
            let unit;
            (at, unit) = self.value_unit(at, tables)?;
            units.push(unit);
            if self.is(at, "asc") || self.is(at, "desc") {
                direction = if self.is(at, "asc") { Direction::Ascending } else { Direction::Descending };
                at += 1;
            }
            if !self.is(at, ",") {
                break;
            }
            at += 1;
        }
        Ok((at, Some((direction, units))))
    }

    fn conditions(&self, mut at: usize, tables: &[&'a str], depth: usize) -> At<Vec<Term>> {
        let mut terms = Vec::new();
        while at < self.tokens.len() {
            let unit;
            (at, unit) = self.value_unit(at, tables)?;
            let negated = self.word(at)? == "not";
            at += usize::from(negated);
            let word = self.word(at)?;
            let comparison =
                Comparison::from_word(word).ok_or_else(|| ParseError::Expected { expected: "a comparison", found: word.to_owned() })?;
            let (first, mut second) = (self.value(at + 1, tables, depth)?, Value::None);
            at = first.0;
            if comparison == Comparison::Between {
                (at, second) = self.value(self.expect(at, "and")?, tables, depth)?;
            }
            terms.push(Term::Condition(Condition { negated, comparison, unit, first: first.1, second }));
            match self.tokens.get(at).map(String::as_str) {
                Some(word) if ends_clause(word) || is_join(word) => break,
                Some("and") => terms.push(Term::And),
                Some("or") => terms.push(Term::Or),
                _ => continue,
            }
            at += 1;
        }
        Ok((at, terms))
    }

    fn value(&self, start: usize, tables: &[&'a str], depth: usize) -> At<Value> {
        let block = self.word(start)? == "(";
        let mut at = start + usize::from(block);
        let word = self.word(at)?;
        let value;
        if word == "select" {
            let inner;
            (at, inner) = self.query(at, depth + 1)?;
            value = Value::Query(Box::new(inner));
        } else if word.contains('"') {
            value = Value::Text(word.to_owned());
            at += 1;
        } else if let Some(number) = number(word) {
            value = Value::Number(number);
            at += 1;
        } else {
            // A column: only its beginning is read, all up to here is skipped.
            let stops = |word: &String| matches!(word.as_str(), "," | ")" | "and") || is_clause(word) || is_join(word);
            let end = self.tokens[at..].iter().position(stops).map_or(self.tokens.len(), |skipped| at + skipped);
            value = Value::Column(self.column_unit(start, end, tables)?.1);
            at = end;
        }
        if block {
            at = self.expect(at, ")")?;
        }
        Ok((at, value))
    }

    fn value_unit(&self, start: usize, tables: &[&'a str]) -> At<ValueUnit> {
        let block = self.word(start)? == "(";
        let (mut at, left) = self.column_unit(start + usize::from(block), self.tokens.len(), tables)?;
        let (mut operator, mut right) = (Arithmetic::None, None);
        if let Some(found) = self.tokens.get(at).and_then(|word| Arithmetic::from_word(word)) {
            let unit;
            (at, unit) = self.column_unit(at + 1, self.tokens.len(), tables)?;
            (operator, right) = (found, Some(unit));
        }
        if block {
            at = self.expect(at, ")")?;
        }
        Ok((at, ValueUnit { operator, left, right }))
    }

    /// A column with its aggregate, read from the tokens before `end`.
    fn column_unit(&self, start: usize, end: usize, tables: &[&'a str]) -> At<ColumnUnit> {
        let inside = |at: usize| if at < end { self.word(at) } else { Err(ParseError::Ends) };
        let closes = |at: usize| inside(at).and_then(|_| self.expect(at, ")"));
        let block = inside(start)? == "(";
        let mut at = start + usize::from(block);
        let aggregate = Aggregate::from_word(inside(at)?);
        if aggregate.is_some() {
            inside(at + 1)?;
            at = self.expect(at + 1, "(")?;
        }
        let distinct = inside(at)? == "distinct";
        at += usize::from(distinct);
        let column = self.column(inside(at)?, tables)?;
        at += 1;
        let unit = ColumnUnit { aggregate: aggregate.unwrap_or(Aggregate::None), column, distinct };
        // The bracket before an aggregate is never closed: one of the evaluator's habits.
        if aggregate.is_some() || block {
            at = closes(at)?;
        }
        Ok((at, unit))
    }

    fn column(&self, word: &'a str, tables: &[&'a str]) -> Result<Id, ParseError> {
        let none = || ParseError::NoColumn(word.to_owned());
        if word == "*" {
            return Ok(ALL);
        }
        match word.split_once('.') {
            Some((alias, column)) if !column.contains('.') => {
                self.table(alias).and_then(|table| self.names.column(table, column)).ok_or_else(none)
            }
            Some(_) => Err(none()),
            None => tables.iter().find_map(|table| self.names.column(table, word)).ok_or_else(none),
        }
    }
}

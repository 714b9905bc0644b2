//! A schema from `CREATE TABLE` text.
//!
//! The text comes from users, so it is read and never run: one pass over its tokens with a depth counter, nothing recurses, and every size is bounded. Tables,
//! columns, kinds and keys are taken; defaults, checks and collations are stepped over. Statements that belong to a schema file but hold no table (indexes, views, rows) are
//! skipped; any other, such as ATTACH or PRAGMA, is refused with its line.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{
    schema::{Column, Kind, Schema},
    tables_json::{LONGEST_NAME, MOST_COLUMNS, MOST_TABLES},
};

/// What a database of `SQLite` is asked for: the statements of its tables, a row each, in the order in which they were made. Virtual tables are left out, and the tables in which full-text
/// and spatial ones keep what they hold.
pub const OF_SQLITE: &str = "SELECT sql FROM sqlite_master AS t WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'create virtual%' \
    AND NOT EXISTS (SELECT 1 FROM sqlite_master AS v WHERE v.sql LIKE 'create virtual%' AND t.name IN (v.name || '_data', v.name || '_idx', \
    v.name || '_content', v.name || '_docsize', v.name || '_config', v.name || '_segments', v.name || '_segdir', v.name || '_stat', \
    v.name || '_node', v.name || '_rowid', v.name || '_parent')) ORDER BY rootpage";

/// Longest text, in bytes.
pub const LONGEST: usize = 4 << 20;
/// Deepest nesting of brackets.
const DEEPEST: usize = 64;

/// Why a schema cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DdlError {
    #[error("the schema has {bytes} bytes; at most {LONGEST} are read")]
    TooLong { bytes: usize },
    #[error("there is no CREATE TABLE in the schema")]
    NoTables,
    #[error("line {line}: {what}")]
    At { line: usize, what: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kin {
    /// A bare word, as written.
    Word,
    /// A quoted name, without its quotes.
    Quoted,
    /// A bracket, comma, semicolon or other character.
    Mark,
}

#[derive(Debug, Clone)]
struct Token {
    kin: Kin,
    text: String,
    line: usize,
}

impl Token {
    /// Whether this is the (unquoted) word or mark.
    fn is(&self, word: &str) -> bool {
        self.kin != Kin::Quoted && self.text.eq_ignore_ascii_case(word)
    }

    fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

fn at(line: usize, what: impl Into<String>) -> DdlError {
    DdlError::At { line, what: what.into() }
}

/// Reads all tables of the text; `name` becomes the database's. A foreign key whose table or column is not there is left out.
///
/// # Errors
/// One line that says what is wrong and where.
pub fn read(sql: &str, name: &str) -> Result<Schema, DdlError> {
    if sql.len() > LONGEST {
        return Err(DdlError::TooLong { bytes: sql.len() });
    }
    let tokens = tokens(sql)?;
    let mut reader = Reader { schema: Schema { name: name.to_owned(), ..Schema::default() }, references: Vec::new() };
    let mut body = false;
    let mut start = 0;
    for (i, token) in tokens.iter().enumerate() {
        let first = tokens.get(start..=i).unwrap_or_default();
        // The statements of a trigger end with semicolons too; END closes it.
        body |= token.is("begin") && first.iter().any(|token| token.is("trigger"));
        if !token.is(";") || (body && !tokens[i - 1].is("end")) {
            continue;
        }
        reader.statement(&tokens[start..i])?;
        (start, body) = (i + 1, false);
    }
    reader.statement(&tokens[start..])?;
    if reader.schema.tables.is_empty() { Err(DdlError::NoTables) } else { Ok(reader.finished()) }
}

/// Cuts the text into tokens; comments are left out.
fn tokens(sql: &str) -> Result<Vec<Token>, DdlError> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), sql, 1);
    while let Some(c) = rest.chars().next() {
        let length = |end: Option<usize>, what: &str| end.ok_or_else(|| at(line, format!("{what} that is never closed")));
        let (end, token) = if c.is_whitespace() {
            (c.len_utf8(), None)
        } else if rest.starts_with("--") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            (length(comment.find("*/"), "a comment")? + 4, None)
        } else if matches!(c, '"' | '`' | '\'' | '[') {
            let close = if c == '[' { ']' } else { c };
            let (end, text) = length_of_quoted(&rest[1..], close).ok_or_else(|| at(line, "a quote that is never closed"))?;
            (end + 1, Some((Kin::Quoted, text)))
        } else if c.is_alphanumeric() || matches!(c, '_' | '$') {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(rest.len());
            (end, Some((Kin::Word, rest[..end].to_owned())))
        } else {
            (c.len_utf8(), Some((Kin::Mark, c.to_string())))
        };
        if let Some((kin, text)) = token {
            tokens.push(Token { kin, text, line });
        }
        line += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    Ok(tokens)
}

/// The end of a quoted text behind its closing quote, and the text with doubled quotes made single.
fn length_of_quoted(rest: &str, close: char) -> Option<(usize, String)> {
    let (mut text, mut chars) = (String::new(), rest.char_indices().peekable());
    while let Some((i, c)) = chars.next() {
        if c != close {
            text.push(c);
        } else if close != ']' && chars.peek().is_some_and(|(_, next)| *next == close) {
            text.push(c);
            chars.next();
        } else {
            return Some((i + 1, text));
        }
    }
    None
}

/// A foreign key as written: columns, table, its columns (none: its key).
struct Reference {
    columns: Vec<usize>,
    table: String,
    named: Vec<String>,
}

struct Reader {
    schema: Schema,
    references: Vec<Reference>,
}

impl Reader {
    fn statement(&mut self, tokens: &[Token]) -> Result<(), DdlError> {
        let Some(first) = tokens.first() else { return Ok(()) };
        let second = tokens.iter().skip(1).find(|token| !token.is_one_of(&["temp", "temporary", "unique", "or", "replace"]));
        if first.is("create") && second.is_some_and(|token| token.is("table")) {
            return self.table(tokens);
        }
        let skipped = first.is_one_of(&["insert", "begin", "commit", "end"])
            || (first.is("create") && second.is_some_and(|token| token.is_one_of(&["index", "view", "trigger", "virtual"])));
        if skipped { Ok(()) } else { Err(at(first.line, format!("only CREATE TABLE is read, found {}", shown(&first.text)))) }
    }

    fn table(&mut self, tokens: &[Token]) -> Result<(), DdlError> {
        let line = tokens.first().map_or(1, |token| token.line);
        let open = tokens.iter().position(|token| token.is("(")).ok_or_else(|| at(line, "a CREATE TABLE without a list of columns"))?;
        // The name stands right before the bracket; a schema's name and a period may stand before it.
        let name = open
            .checked_sub(1)
            .and_then(|i| tokens.get(i))
            .filter(|token| token.kin != Kin::Mark && !token.is_one_of(&["table", "exists", "select", "as"]));
        let name = name.ok_or_else(|| at(line, "a CREATE TABLE without a name"))?;
        bounded(name)?;
        if self.schema.table(&name.text).is_some() {
            return Err(at(name.line, format!("a second table {}", shown(&name.text))));
        }
        if self.schema.tables.len() >= MOST_TABLES {
            return Err(at(name.line, format!("more than {MOST_TABLES} tables")));
        }
        let number = self.schema.tables.len();
        self.schema.tables.push(name.text.clone());
        let mut names = BTreeSet::new();
        for part in parts(&tokens[open..], line)? {
            if !self.constraint(part, number)? {
                self.column(part, number, &mut names)?;
            }
        }
        if names.is_empty() { Err(at(name.line, format!("table {} has no columns", shown(&name.text)))) } else { Ok(()) }
    }

    /// A column's definition.
    fn column(&mut self, part: &[Token], table: usize, names: &mut BTreeSet<String>) -> Result<(), DdlError> {
        let Some(name) = part.first() else { return Ok(()) };
        if name.kin == Kin::Mark || name.text.is_empty() {
            return Err(at(name.line, format!("a column without a name before {}", shown(&name.text))));
        }
        bounded(name)?;
        if !names.insert(name.text.to_lowercase()) {
            return Err(at(name.line, format!("a second column {} in its table", shown(&name.text))));
        }
        if self.schema.columns.len() >= MOST_COLUMNS {
            return Err(at(name.line, format!("more than {MOST_COLUMNS} columns")));
        }
        let words = [
            "primary",
            "references",
            "not",
            "null",
            "unique",
            "check",
            "default",
            "collate",
            "constraint",
            "generated",
            "as",
            "on",
            "auto_increment",
        ];
        let kind =
            part.iter().skip(1).take_while(|token| !token.is_one_of(&words)).map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ");
        let number = self.schema.columns.len();
        self.schema.columns.push(Column { table, name: name.text.clone(), kind: kind_of(&kind) });
        if part.windows(2).any(|pair| pair[0].is("primary") && pair[1].is("key")) {
            self.schema.primary_keys.push(number);
        }
        if let Some(start) = part.iter().skip(1).position(|token| token.is("references")) {
            self.reference(vec![number], &part[start + 2..])?;
        }
        Ok(())
    }

    /// Whether a part is a constraint of the table; keys are taken.
    fn constraint(&mut self, part: &[Token], table: usize) -> Result<bool, DdlError> {
        let skip = if part.first().is_some_and(|token| token.is("constraint")) { 2 } else { 0 };
        let Some(words) = part.get(skip..) else { return Ok(skip > 0) };
        let Some(first) = words.first() else { return Ok(skip > 0) };
        let index = first.is_one_of(&["key", "index"])
            && words.get(2).is_some_and(|token| token.is("("))
            && words.get(3).is_some_and(|token| !token.text.starts_with(|c: char| c.is_ascii_digit()));
        if first.is("primary") && words.get(1).is_some_and(|token| token.is("key")) {
            let columns = self.columns(words, table)?;
            self.schema.primary_keys.extend(columns);
        } else if first.is("foreign") && words.get(1).is_some_and(|token| token.is("key")) {
            let columns = self.columns(words, table)?;
            let start = words.iter().position(|token| token.is("references"));
            let start = start.ok_or_else(|| at(first.line, "a FOREIGN KEY without REFERENCES"))?;
            self.reference(columns, &words[start + 1..])?;
        } else if !(index
            || skip > 0
            || first.is_one_of(&["unique", "check", "exclude", "fulltext"])
                && words.len() > 1
                && (words[1].is("(") || words[1].is_one_of(&["key", "index"])))
        {
            return Ok(false);
        }
        Ok(true)
    }

    /// The columns in the first brackets of `words`.
    fn columns(&self, words: &[Token], table: usize) -> Result<Vec<usize>, DdlError> {
        let number = |token: &Token| {
            let found = self.schema.columns_of(table).find(|(_, column)| column.name.to_lowercase() == token.text.to_lowercase());
            found
                .map(|(number, _)| number)
                .ok_or_else(|| at(token.line, format!("a key names column {}, which is not there", shown(&token.text))))
        };
        bracketed(words).into_iter().map(number).collect()
    }

    fn reference(&mut self, columns: Vec<usize>, words: &[Token]) -> Result<(), DdlError> {
        let Some(table) = words.first().filter(|token| token.kin != Kin::Mark) else {
            return Err(at(words.first().map_or(1, |token| token.line), "REFERENCES without a table"));
        };
        let named = if words.get(1).is_some_and(|token| token.is("(")) {
            bracketed(words).into_iter().map(|token| token.text.to_lowercase()).collect()
        } else {
            Vec::new()
        };
        self.references.push(Reference { columns, table: table.text.clone(), named });
        Ok(())
    }

    /// The schema with its foreign keys, now that all tables are known.
    fn finished(mut self) -> Schema {
        for reference in self.references {
            let Some(table) = self.schema.table(&reference.table) else { continue };
            let targets: Vec<usize> = if reference.named.is_empty() {
                self.schema
                    .primary_keys
                    .iter()
                    .copied()
                    .filter(|key| self.schema.columns.get(*key).is_some_and(|column| column.table == table))
                    .collect()
            } else {
                let number = |name: &String| {
                    self.schema.columns_of(table).find(|(_, column)| column.name.to_lowercase() == *name).map(|(number, _)| number)
                };
                reference.named.iter().filter_map(number).collect()
            };
            if targets.len() == reference.columns.len() {
                self.schema.foreign_keys.extend(reference.columns.into_iter().zip(targets));
            }
        }
        self.schema
    }
}

/// The names between the first brackets, up to any direction or length behind them.
fn bracketed(words: &[Token]) -> Vec<&Token> {
    let inside = words.iter().skip_while(|token| !token.is("(")).skip(1).take_while(|token| !token.is(")"));
    let mut names = Vec::new();
    let mut next = true;
    for token in inside {
        if next && token.kin != Kin::Mark {
            names.push(token);
        }
        next = token.is(",");
    }
    names
}

/// The parts of a bracketed list, cut at the commas of its own level. `tokens` begins with the bracket.
fn parts(tokens: &[Token], line: usize) -> Result<Vec<&[Token]>, DdlError> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 1);
    for (i, token) in tokens.iter().enumerate() {
        if token.is("(") {
            depth += 1;
            if depth > DEEPEST {
                return Err(at(token.line, format!("brackets are nested more than {DEEPEST} deep")));
            }
        } else if token.is(")") {
            depth -= 1;
        }
        if (token.is(",") && depth == 1) || depth == 0 {
            parts.push(&tokens[start..i]);
            start = i + 1;
        }
        if depth == 0 {
            return Ok(parts);
        }
    }
    Err(at(line, "a list of columns that is never closed"))
}

fn bounded(name: &Token) -> Result<(), DdlError> {
    let bytes = name.text.len();
    if bytes > LONGEST_NAME { Err(at(name.line, format!("a name of {bytes} bytes; {LONGEST_NAME} are allowed"))) } else { Ok(()) }
}

/// What a declared type holds: numbers, text, times, truth values.
fn kind_of(declared: &str) -> Kind {
    let declared = declared.to_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["BOOL", "BIT"]) {
        Kind::Boolean
    } else if has(&["DATE", "TIME", "YEAR"]) {
        Kind::Time
    } else if has(&["INT", "REAL", "NUM", "DEC", "FLOA", "DOUB", "MONEY", "SERIAL"]) {
        Kind::Number
    } else if declared.is_empty() || has(&["CHAR", "TEXT", "CLOB", "STRING"]) {
        Kind::Text
    } else {
        Kind::Others
    }
}

/// A name for a message: short, on one line.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("`{short}`")
}

#[cfg(test)]
mod tests;

//! A benchmark's changed database, in memory: the user's file is only read.
//!
//! **Method.** The tables of the file are copied into two databases in memory. Each gets the change with one alternative only, the one that its reading needs:
//!
//! | kind | for reading 1 | for reading 2 |
//! | --- | --- | --- |
//! | C | the column under its first new name | under its second |
//! | T | the table under its first new name | under its second |
//! | J | as it is | the column moved to the new table |
//! | P | as it is | the table of aggregates in place of the tables it was made of |
//!
//! The table of aggregates groups as the original query does, and by the columns of its WHERE besides, so that the second reading can filter by them.

use std::{path::Path, time::Duration};

use rusqlite::Connection;
use vitrine_logical_beam::sql::{
    ambiguate::{Ambiguous, Change},
    execute::ExecuteError,
    measure::Alternatives,
    rows::Rows,
    text::{AGGREGATES, bare, join, split},
};

use super::Database;

/// One database for each reading.
pub struct Changed([Database; 2]);

impl Alternatives for Changed {
    fn run(&mut self, alternative: usize, sql: &str) -> Result<Rows, ExecuteError> {
        match self.0.get(alternative) {
            Some(database) => database.run(sql),
            None => Err(ExecuteError::NoDatabase(alternative.to_string())),
        }
    }
}

impl Changed {
    /// Builds both databases.
    ///
    /// # Errors
    /// When the file cannot be read, or a name of the change is not in it.
    pub fn build(file: &Path, example: &Ambiguous, limit: Duration) -> Result<Self, ExecuteError> {
        let build = |reading: usize| -> Result<Database, ExecuteError> {
            let failed = |error: rusqlite::Error| ExecuteError::Failed(error.to_string().lines().next().unwrap_or_default().to_owned());
            let mut memory = Connection::open_in_memory().map_err(failed)?;
            copy(file, &mut memory)?;
            for statement in statements(example, reading, &memory) {
                memory.execute_batch(&statement).map_err(failed)?;
            }
            Database::restricted(memory, "the changed database", limit)
        };
        Ok(Self([build(0)?, build(1)?]))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Copies all tables with their rows. Views, indexes and keys stay behind: no result depends on them.
fn copy(file: &Path, memory: &mut Connection) -> Result<(), ExecuteError> {
    let source = Database::open(file, Duration::from_mins(1))?;
    let tables = source.run("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let failed = |error: rusqlite::Error| ExecuteError::Failed(error.to_string());
    let transaction = memory.transaction().map_err(failed)?;
    for row in tables.rows {
        let [vitrine_logical_beam::sql::rows::Value::Text(table)] = row.as_slice() else { continue };
        let rows = source.run(&format!("SELECT * FROM {}", quoted(table)))?;
        let columns: Vec<String> = rows.columns.iter().map(|name| quoted(name)).collect();
        // Without types: values keep those they have.
        transaction.execute_batch(&format!("CREATE TABLE {} ({})", quoted(table), columns.join(", "))).map_err(failed)?;
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {} VALUES ({places})", quoted(table))).map_err(failed)?;
        for row in &rows.rows {
            insert.execute(rusqlite::params_from_iter(row.iter().map(super::to_sqlite))).map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)
}

/// What makes the copy the database of a reading.
fn statements(example: &Ambiguous, reading: usize, memory: &Connection) -> Vec<String> {
    match (&example.change, reading) {
        (Change::Column { table, column, names }, _) => {
            vec![format!("ALTER TABLE {} RENAME COLUMN {} TO {}", quoted(table), quoted(column), quoted(&names[reading]))]
        }
        (Change::Table { table, names }, _) => vec![format!("ALTER TABLE {} RENAME TO {}", quoted(table), quoted(&names[reading]))],
        (Change::Join { .. } | Change::Aggregate { .. }, 0) => vec![],
        (Change::Join { table, column, key, name }, _) => {
            let (table, column, key) = (quoted(table), quoted(column), quoted(key));
            let mut all = vec![format!("CREATE TABLE {} AS SELECT {key}, {column} FROM {table}", quoted(name))];
            if key != column {
                all.push(format!("ALTER TABLE {table} DROP COLUMN {column}"));
            }
            all
        }
        (Change::Aggregate { name, columns }, _) => {
            let tokens = split(&example.original);
            let made = aggregates(&tokens, name, columns, memory);
            let tables = tokens.windows(2).filter(|pair| matches!(pair[0].as_str(), "from" | "join")).map(|pair| &pair[1]);
            std::iter::once(made).chain(tables.map(|table| format!("DROP TABLE IF EXISTS {}", quoted(table)))).collect()
        }
    }
}

/// The statement that makes the table of aggregates.
fn aggregates(tokens: &[String], name: &str, columns: &[String], memory: &Connection) -> String {
    let at = |word: &str| tokens.iter().position(|token| token == word);
    let until = |start: usize, words: &[&str]| {
        let end = tokens[start..].iter().position(|token| words.contains(&token.as_str())).map_or(tokens.len(), |found| start + found);
        tokens[start..end].to_vec()
    };
    let from = at("from").map_or_else(Vec::new, |at| until(at + 1, &["where", "group", "having", "order", "limit"]));
    let from_text = join(&from);
    // How a column is called in the original query: `t1.x` for x.
    let original = |column: &str| tokens.iter().find(|token| bare(token) == column).map_or_else(|| quoted(column), ToString::to_string);
    let exists = |column: &str| memory.prepare(&format!("SELECT {} FROM {from_text}", original(column))).is_ok();
    let mut items = vec![];
    for column in columns {
        let computed = AGGREGATES.iter().find_map(|aggregate| column.strip_prefix(aggregate)?.strip_prefix('_').map(|of| (aggregate, of)));
        items.push(match computed {
            _ if column == "number" => "count(*) AS \"number\"".to_owned(),
            Some((aggregate, of)) if exists(of) => format!("{aggregate}({}) AS {}", original(of), quoted(column)),
            _ => format!("{} AS {}", original(column), quoted(column)),
        });
    }
    let mut groups: Vec<String> = at("group").map_or_else(Vec::new, |at| until(at + 2, &["having", "order", "limit"]));
    groups.retain(|token| token != ",");
    let filter = at("where").map_or_else(Vec::new, |at| until(at + 1, &["group", "having", "order", "limit"]));
    for token in &filter {
        let column = bare(token);
        let word = column.chars().all(|c| c.is_alphanumeric() || c == '_') && !column.starts_with(|c: char| c.is_ascii_digit());
        if word && !matches!(column, "and" | "or" | "not" | "in" | "like" | "between" | "null" | "is") && exists(column) {
            if !columns.iter().any(|known| known == column) && !items.iter().any(|item| item.ends_with(&quoted(column))) {
                items.push(format!("{token} AS {}", quoted(column)));
            }
            if !groups.contains(token) {
                groups.push(token.clone());
            }
        }
    }
    let group = if groups.is_empty() { String::new() } else { format!(" GROUP BY {}", groups.join(", ")) };
    format!("CREATE TABLE {} AS SELECT {} FROM {from_text}{group}", quoted(name), items.join(", "))
}

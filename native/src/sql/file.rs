//! One database file: its schema, and its queries' results under whatever name it is asked for.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use vitrine_logical_beam::sql::{
    ddl,
    execute::{Execute, ExecuteError},
    rows::{Rows, Value},
    schema::Schema,
};

use super::Database;

/// A file that answers queries.
pub struct File(Database);

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, limit: Duration) -> Result<Self, ExecuteError> {
        Database::open(path, limit).map(Self)
    }

    /// The schema that the file's own statements describe.
    ///
    /// # Errors
    /// When it is no database, has no tables, or a statement cannot be read.
    pub fn schema(&self, path: &Path) -> Result<Schema> {
        let rows = self.0.run(ddl::OF_SQLITE);
        let rows = rows.with_context(|| format!("cannot read {}", path.display()))?;
        let statements: Vec<&str> =
            rows.rows.iter().filter_map(|row| if let Some(Value::Text(sql)) = row.first() { Some(sql.as_str()) } else { None }).collect();
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        ddl::read(&statements.join(";\n"), &name).with_context(|| format!("cannot read the schema of {}", path.display()))
    }
}

impl Execute for File {
    fn run(&mut self, _: &str, sql: &str) -> Result<Rows, ExecuteError> {
        self.0.run(sql)
    }

    fn variants(&self, database: &str) -> Result<Vec<String>, ExecuteError> {
        Ok(vec![database.to_owned()])
    }
}

//! Runs SQL on files of `SQLite`: read-only, nothing but SELECT, bounded in time, rows and bytes.
//!
//! Queries come from models and from files, so none is trusted. The file is opened for reading; `SQLite` asks for leave for each thing a statement would do, and only reading
//! rows and calling functions is allowed; a clock is looked at every few thousand steps of its machine; nesting, lengths and memory have limits.

pub mod changed;
pub mod file;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, OpenFlags,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};
use vitrine_logical_beam::sql::{
    execute::{Execute, ExecuteError},
    rows::{Rows, Value},
};

/// Most rows of a result.
const MOST_ROWS: usize = 1_000_000;
/// Most bytes of all values of a result.
const MOST_BYTES: usize = 256 << 20;
/// Longest value, in bytes.
const LONGEST_VALUE: i32 = 16 << 20;
/// Steps of `SQLite`'s machine between two looks at the clock.
const STEPS: i32 = 4_000;
/// Most connections kept open.
const MOST_OPEN: usize = 16;

/// The databases of a folder: `NAME.sqlite`, or a folder `NAME` with one file or several variants.
pub struct Folder {
    root: PathBuf,
    limit: Duration,
    open: BTreeMap<PathBuf, Database>,
}

impl Folder {
    pub fn new(root: &Path, limit: Duration) -> Self {
        Self { root: root.to_owned(), limit, open: BTreeMap::new() }
    }

    /// The files of a database.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn files(&self, name: &str) -> Result<Vec<PathBuf>, ExecuteError> {
        let none = || ExecuteError::NoDatabase(name.to_owned());
        // A name is a name: it never leaves the folder.
        if name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
            return Err(none());
        }
        let file = self.root.join(format!("{name}.sqlite"));
        if file.is_file() {
            return Ok(vec![file]);
        }
        let entries = std::fs::read_dir(self.root.join(name)).map_err(|_| none())?;
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let found: BTreeSet<PathBuf> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite")).collect();
        if found.is_empty() { Err(none()) } else { Ok(found.into_iter().collect()) }
    }
}

impl Execute for Folder {
    /// `database` is a name, or one of the paths of [`Execute::variants`].
    fn run(&mut self, database: &str, sql: &str) -> Result<Rows, ExecuteError> {
        let path = match Path::new(database) {
            path if self.open.contains_key(path) || path.starts_with(&self.root) => path.to_owned(),
            _ => self.files(database)?.into_iter().next().ok_or_else(|| ExecuteError::NoDatabase(database.to_owned()))?,
        };
        if !self.open.contains_key(&path) {
            if self.open.len() >= MOST_OPEN {
                self.open.pop_first();
            }
            self.open.insert(path.clone(), Database::open(&path, self.limit)?);
        }
        match self.open.get(&path) {
            Some(database) => database.run(sql),
            None => Err(ExecuteError::NoDatabase(database.to_owned())),
        }
    }

    fn variants(&self, database: &str) -> Result<Vec<String>, ExecuteError> {
        Ok(self.files(database)?.into_iter().map(|path| path.to_string_lossy().into_owned()).collect())
    }
}

/// One open file.
pub struct Database {
    connection: Connection,
    limit: Duration,
    /// When the query under way has to be done.
    deadline: Arc<Mutex<Instant>>,
    timed_out: Arc<AtomicBool>,
    refused: Arc<Mutex<Option<String>>>,
}

impl Database {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, limit: Duration) -> Result<Self, ExecuteError> {
        let unreadable = |what: String| ExecuteError::Unreadable { database: path.display().to_string(), what };
        if !path.is_file() {
            return Err(unreadable("there is no such file".into()));
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let connection = connection.map_err(|error| unreadable(error.to_string()))?;
        Self::restricted(connection, &path.display().to_string(), limit)
    }

    /// An open connection that from here on only reads.
    ///
    /// # Errors
    /// When its limits cannot be set.
    pub fn restricted(connection: Connection, name: &str, limit: Duration) -> Result<Self, ExecuteError> {
        let mut database =
            Self { connection, limit, deadline: Arc::new(Mutex::new(Instant::now())), timed_out: Arc::default(), refused: Arc::default() };
        let unreadable = |error: rusqlite::Error| ExecuteError::Unreadable { database: name.to_owned(), what: error.to_string() };
        database.restrict().map_err(unreadable)?;
        Ok(database)
    }

    fn restrict(&mut self) -> rusqlite::Result<()> {
        let connection = &mut self.connection;
        connection.execute_batch("PRAGMA hard_heap_limit = 536870912; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 << 10),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most)?;
        }
        let refused = Arc::clone(&self.refused);
        connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
            AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
            AuthAction::Function { function_name } if !function_name.eq_ignore_ascii_case("load_extension") => Authorization::Allow,
            other => {
                let text = format!("{other:?}");
                let what = text.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
                Authorization::Deny
            }
        }))?;
        let (deadline, timed_out) = (Arc::clone(&self.deadline), Arc::clone(&self.timed_out));
        connection.progress_handler(
            STEPS,
            Some(move || {
                let late = Instant::now() > *deadline.lock().unwrap_or_else(PoisonError::into_inner);
                if late {
                    timed_out.store(true, Ordering::Relaxed);
                }
                late
            }),
        )
    }

    /// The rows of one SELECT.
    ///
    /// # Errors
    /// When it is not one SELECT, fails, takes too long or gives too much.
    pub fn run(&self, sql: &str) -> Result<Rows, ExecuteError> {
        self.timed_out.store(false, Ordering::Relaxed);
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + self.limit;
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let word = first_word(sql);
        if !matches!(word.as_str(), "select" | "with" | "values") {
            return Err(ExecuteError::Refused(if word.is_empty() { "an empty query".into() } else { word.to_uppercase() }));
        }
        let mut statement = self.connection.prepare(sql).map_err(|error| self.error(&error))?;
        if !statement.readonly() {
            return Err(ExecuteError::Refused("a statement that writes".into()));
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut result = Rows { columns, rows: Vec::new() };
        let mut bytes = 0_usize;
        let mut rows = statement.query([]).map_err(|error| self.error(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.error(&error))? {
            if result.rows.len() >= MOST_ROWS {
                return Err(ExecuteError::TooLarge { limit: MOST_ROWS, what: "rows" });
            }
            let mut values = Vec::with_capacity(result.columns.len());
            for i in 0..result.columns.len() {
                let value = value(row.get_ref(i).map_err(|error| self.error(&error))?);
                bytes += size_of::<Value>()
                    + match &value {
                        Value::Text(text) => text.len(),
                        Value::Blob(bytes) => bytes.len(),
                        _ => 0,
                    };
                values.push(value);
            }
            if bytes > MOST_BYTES {
                return Err(ExecuteError::TooLarge { limit: MOST_BYTES, what: "bytes" });
            }
            result.rows.push(values);
        }
        Ok(result)
    }

    /// What `SQLite` says, in one line; what it was not allowed to do, and whether it was too slow, are known better here.
    fn error(&self, error: &rusqlite::Error) -> ExecuteError {
        if self.timed_out.load(Ordering::Relaxed) {
            return ExecuteError::TimedOut { seconds: self.limit.as_secs() };
        }
        if matches!(error, rusqlite::Error::MultipleStatement) {
            return ExecuteError::Refused("more than one statement".into());
        }
        if let Some(what) = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return ExecuteError::Refused(what);
        }
        let text = match error {
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            other => other.to_string(),
        };
        ExecuteError::Failed(text.lines().next().unwrap_or_default().chars().take(300).collect())
    }
}

/// Text that is no UTF-8 loses the bytes that are none, as in the official tool.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// A value for a statement of our own.
fn to_sqlite(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::Blob(bytes) => bytes.clone().into(),
    }
}

/// The first word of a statement in lower case; comments and empty statements before it are left out.
fn first_word(sql: &str) -> String {
    let start = |sql: &'_ str| -> usize { sql.len() - sql.trim_start_matches(|c: char| c.is_whitespace() || c == ';').len() };
    let mut rest = &sql[start(sql)..];
    loop {
        let after = if let Some(line) = rest.strip_prefix("--") {
            line.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(block) = rest.strip_prefix("/*") {
            block.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        };
        rest = &after[start(after)..];
    }
    rest.chars().take_while(char::is_ascii_alphabetic).take(20).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes a file that is no database")]
mod tests;

//! Execution match, over whatever runs SQL: a file of SQLite natively, a database in memory in a page.

use thiserror::Error;

use super::rows::{Rows, is_ordered, prepared, same_result};

/// Runs queries on databases by name. What runs them only reads, and stops in time.
pub trait Execute {
    /// The rows of one query.
    ///
    /// # Errors
    /// When there is no such database, or the query is refused, fails or takes too long.
    fn run(&mut self, database: &str, sql: &str) -> Result<Rows, ExecuteError>;

    /// The databases on which queries of `database` are compared: it and its variants.
    ///
    /// # Errors
    /// When there is none.
    fn variants(&self, database: &str) -> Result<Vec<String>, ExecuteError>;
}

/// Why a query has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExecuteError {
    #[error("there is no database {0}")]
    NoDatabase(String),
    #[error("{database} cannot be opened: {what}")]
    Unreadable { database: String, what: String },
    #[error("only SELECT is run; refused: {0}")]
    Refused(String),
    #[error("the query took longer than {seconds} s")]
    TimedOut { seconds: u64 },
    #[error("the result has more than {limit} {what}")]
    TooLarge { limit: usize, what: &'static str },
    #[error("{0}")]
    Failed(String),
}

/// Test-suite execution match of a prediction with gold: equal results on every variant of the database. A prediction that fails is wrong.
///
/// # Errors
/// When gold fails: such an example cannot be judged.
pub fn execution_match(
    gold: &str,
    prediction: &str,
    database: &str,
    keep_distinct: bool,
    executor: &mut impl Execute,
) -> Result<bool, ExecuteError> {
    let (gold, prediction) = (prepared(gold, keep_distinct), prepared(prediction, keep_distinct));
    let ordered = is_ordered(&gold);
    for variant in executor.variants(database)? {
        let right = executor.run(&variant, &gold)?;
        let same = executor.run(&variant, &prediction).is_ok_and(|rows| same_result(&right, &rows, ordered));
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

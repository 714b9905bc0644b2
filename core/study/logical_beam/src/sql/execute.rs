//! Execution match, over whatever runs SQL: a file of `SQLite` natively, a database in memory in a page.

use thiserror::Error;

use super::{
    names::Names,
    parse::parse,
    rows::{Rows, is_ordered, prepared, same_by_selected, same_directly, same_result},
};

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

/// The rows of a gold query, `None` where it fails: what AmbiQT's tools go on from.
///
/// # Errors
/// When there is no such database, or it cannot be read.
pub fn gold_rows(gold: &str, database: &str, executor: &mut (impl Execute + ?Sized)) -> Result<Option<Rows>, ExecuteError> {
    match executor.run(database, gold) {
        Err(error @ (ExecuteError::NoDatabase(_) | ExecuteError::Unreadable { .. })) => Err(error),
        rows => Ok(rows.ok()),
    }
}

/// AmbiQT's two measures by rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByRows {
    /// EXM: columns by what is selected, rows in order.
    pub exm: bool,
    /// DX: columns in order, rows as a list where gold sorts, else as a set.
    pub dx: bool,
}

/// AmbiQT's EXM and DX of a prediction on one database. Where gold fails, EXM is right and DX is not: so the tool.
///
/// # Errors
/// When there is no such database.
pub fn match_by_rows(
    gold: &str,
    prediction: &str,
    database: &str,
    names: &Names,
    executor: &mut (impl Execute + ?Sized),
) -> Result<ByRows, ExecuteError> {
    let Some(right) = gold_rows(gold, database, executor)? else { return Ok(ByRows { exm: true, dx: false }) };
    let Ok(rows) = executor.run(database, prediction) else { return Ok(ByRows { exm: false, dx: false }) };
    let read = |sql: &str| parse(sql, names).unwrap_or_default();
    Ok(ByRows { exm: same_by_selected((&read(gold), &right), (&read(prediction), &rows)), dx: same_directly(gold, &right, &rows) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{ddl, rows::Value},
        *,
    };

    /// Results by query; anything else fails.
    struct Known(BTreeMap<&'static str, Vec<Vec<i64>>>);

    impl Execute for Known {
        fn run(&mut self, database: &str, sql: &str) -> Result<Rows, ExecuteError> {
            if database != "d" {
                return Err(ExecuteError::NoDatabase(database.into()));
            }
            let rows = self.0.get(sql).ok_or_else(|| ExecuteError::Failed("no such table".into()))?;
            let rows = rows.iter().map(|row| row.iter().map(|value| Value::Integer(*value)).collect()).collect();
            Ok(Rows { columns: Vec::new(), rows })
        }

        fn variants(&self, database: &str) -> Result<Vec<String>, ExecuteError> {
            Ok(vec![database.to_owned()])
        }
    }

    #[test]
    fn exm_frees_columns_and_dx_rows() {
        let names = Names::new(&ddl::read("CREATE TABLE t (a, b)", "d").unwrap());
        let mut known = Known(BTreeMap::from([
            ("select a, b from t", vec![vec![1, 2], vec![3, 4]]),
            ("select b, a from t", vec![vec![2, 1], vec![4, 3]]),
            ("select a, b from t where a > 0", vec![vec![3, 4], vec![1, 2], vec![1, 2]]),
            ("select a as x, b from t", vec![vec![1, 2], vec![3, 4]]),
        ]));
        let gold = "select a, b from t";
        for (prediction, exm, dx, suite) in [
            (gold, true, true, true),
            ("select b, a from t", true, false, true),
            ("select a, b from t where a > 0", false, true, false),
            // The reader does not know the alias, so EXM sees nothing selected.
            ("select a as x, b from t", false, true, true),
            ("select c from t", false, false, false),
        ] {
            assert_eq!(match_by_rows(gold, prediction, "d", &names, &mut known), Ok(ByRows { exm, dx }), "{prediction}");
            assert_eq!(execution_match(gold, prediction, "d", true, &mut known), Ok(suite), "{prediction}");
        }
        assert_eq!(match_by_rows("select c from t", gold, "d", &names, &mut known), Ok(ByRows { exm: true, dx: false }));
        assert!(execution_match("select c from t", gold, "d", true, &mut known).is_err());
        assert!(match_by_rows(gold, gold, "e", &names, &mut known).is_err());
    }
}

//! Whether a text is one SELECT, as far as that shows without a schema.

use thiserror::Error;

use super::template::texts;

/// What a text is instead of one SELECT.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StatementError {
    #[error("the query is empty")]
    Empty,
    #[error("a quote {0} is never closed")]
    OpenQuote(char),
    #[error("only SELECT is read, found `{0}`")]
    Other(String),
    #[error("more than one statement")]
    Several,
}

/// Whether the text is one SELECT with closed quotes; a final `;` may stand.
///
/// # Errors
/// [`StatementError`] with what it is instead.
pub fn one_select(sql: &str) -> Result<(), StatementError> {
    let pieces: Vec<&str> = texts(sql.trim()).into_iter().filter(|piece| !piece.trim().is_empty()).collect();
    let first = pieces.iter().find(|piece| **piece != "(").ok_or(StatementError::Empty)?;
    if !["select", "with", "values"].contains(&first.to_lowercase().as_str()) {
        return Err(StatementError::Other(first.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect()));
    }
    if let Some(c) = pieces.last().and_then(|piece| piece.chars().next()).filter(|c| matches!(c, '\'' | '"' | '`'))
        && !pieces.last().is_some_and(|piece| piece.len() > 1 && piece.ends_with(c))
    {
        return Err(StatementError::OpenQuote(c));
    }
    let end = pieces.iter().rposition(|piece| *piece != ";").unwrap_or_default();
    if pieces[..=end].contains(&";") { Err(StatementError::Several) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_select_and_nothing_else() {
        for sql in
            ["SELECT a FROM t;", "(select 1) union select 2", "WITH a AS (SELECT 1) SELECT * FROM a", "select ';' from t", "select 'it''s'"]
        {
            assert_eq!(one_select(sql), Ok(()), "{sql}");
        }
        let other = |text: &str| StatementError::Other(text.into());
        for (sql, error) in [
            (" ", StatementError::Empty),
            ("((", StatementError::Empty),
            ("DROP TABLE t", other("DROP")),
            ("pragma table_info(t)", other("pragma")),
            ("select name from t where name = 'a", StatementError::OpenQuote('\'')),
            ("select 'a'' from t", StatementError::OpenQuote('\'')),
            ("select a from t where b = \"", StatementError::OpenQuote('"')),
            ("select a from t; delete from t", StatementError::Several),
        ] {
            assert_eq!(one_select(sql), Err(error), "{sql}");
        }
    }
}

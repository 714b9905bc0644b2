//! JSON lines from a text that may be hostile: bounded, and every complaint names its line.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Bounds on a file of JSON lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineLimits {
    /// Longest line in bytes.
    pub line_bytes: usize,
    /// Most rows.
    pub rows: usize,
}

impl Default for LineLimits {
    fn default() -> Self {
        Self { line_bytes: 1 << 20, rows: 1 << 20 }
    }
}

/// Why a file of JSON lines was refused. Lines count from 1.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum LinesError {
    #[error("line {line} has {bytes} bytes, more than the {limit} allowed")]
    LongLine { line: usize, bytes: usize, limit: usize },
    #[error("line {line}: there are more than {limit} rows")]
    ManyRows { line: usize, limit: usize },
    #[error("line {line}: {reason}")]
    Row { line: usize, reason: String },
    #[error("the file holds no rows")]
    Empty,
}

/// Reads every line that is not blank as one JSON value; gives line numbers (from 1) and values.
///
/// # Errors
/// See [`LinesError`]; a file without rows is one of them.
pub fn read_lines<T: DeserializeOwned>(text: &str, limits: LineLimits) -> Result<Vec<(usize, T)>, LinesError> {
    let mut rows = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if content.trim().is_empty() {
            continue;
        }
        if content.len() > limits.line_bytes {
            return Err(LinesError::LongLine { line, bytes: content.len(), limit: limits.line_bytes });
        }
        if rows.len() >= limits.rows {
            return Err(LinesError::ManyRows { line, limit: limits.rows });
        }
        let value = serde_json::from_str(content).map_err(|error| LinesError::Row { line, reason: without_line(&error) })?;
        rows.push((line, value));
    }
    if rows.is_empty() { Err(LinesError::Empty) } else { Ok(rows) }
}

/// The parser counts lines within the one line it was given; only its column is of use.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let bare = text.rsplit_once(" at line ").map_or(text.as_str(), |(bare, _)| bare);
    format!("{bare} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_bounded() {
        let limits = LineLimits { line_bytes: 12, rows: 2 };
        assert_eq!(read_lines::<u8>("1\n\n 2 \r\n", limits).unwrap(), [(1, 1), (3, 2)]);
        assert_eq!(read_lines::<u8>("1\n2\n\n3", limits), Err(LinesError::ManyRows { line: 4, limit: 2 }));
        assert_eq!(read_lines::<u8>("\n1234567890123", limits), Err(LinesError::LongLine { line: 2, bytes: 13, limit: 12 }));
        assert_eq!(read_lines::<u8>(" \n", limits), Err(LinesError::Empty));
        let Err(LinesError::Row { line: 2, reason }) = read_lines::<u8>("1\n{\"a\":", limits) else { panic!() };
        assert!(reason.contains("column") && !reason.contains("at line"), "{reason}");
    }
}

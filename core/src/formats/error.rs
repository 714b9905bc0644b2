//! What can be wrong with a model file, said in one line: what, where, and what to do about it.

use thiserror::Error;

/// Why a model file, or one tensor of it, could not be read or written.
///
/// Names that come from the file are escaped and shortened by [`show`] before they enter a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Bytes past the end of the file were asked for.
    #[error("{what}: {need} bytes at offset {offset} are needed but the file has {len}; it is cut short or its header is wrong")]
    Truncated {
        /// The part being read.
        what: String,
        /// Where it should start.
        offset: u64,
        /// How many bytes it should have.
        need: u64,
        /// Length of the whole file.
        len: u64,
    },
    /// The file is not of this format at all.
    #[error("not a {format} file: {reason}")]
    NotThisFormat {
        /// Name of the expected format.
        format: &'static str,
        /// What was found instead.
        reason: String,
    },
    /// A count or length is above what this reader accepts.
    #[error("{what} is {value}, above the limit of {max}")]
    Limit {
        /// The counted thing.
        what: String,
        /// The value in the file.
        value: u64,
        /// The largest value accepted.
        max: u64,
    },
    /// A part of the file contradicts the format or another part.
    #[error("{what}: {reason}")]
    Invalid {
        /// The part.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name occurs twice.
    #[error("{what} {name} occurs twice")]
    Duplicate {
        /// Kind of the named thing.
        what: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// A well-formed file uses something that vitrine does not implement.
    #[error("{what} is {found}; supported: {supported}")]
    Unsupported {
        /// The setting.
        what: String,
        /// Its value in the file.
        found: String,
        /// What would be accepted.
        supported: String,
    },
    /// The values of this tensor cannot be read as `f32`.
    #[error(
        "tensor {tensor} has type {dtype}, which cannot be read as f32; convert the file to F32, F16, BF16 or one of the supported quantised types"
    )]
    UnsupportedType {
        /// The tensor's name, escaped.
        tensor: String,
        /// Its element type.
        dtype: String,
    },
    /// A tensor, key or field that is needed is absent.
    #[error("{what} is missing")]
    Missing {
        /// The absent thing.
        what: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {tensor} holds {value} at index {index}; the file is damaged or the training run diverged")]
    NonFinite {
        /// The tensor's name, escaped.
        tensor: String,
        /// Flat row-major index.
        index: usize,
        /// The value, written out.
        value: String,
    },
    /// The storage below failed.
    #[error("reading failed: {0}")]
    Io(String),
}

impl FormatError {
    /// Shorthand for [`FormatError::Invalid`].
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }

    /// Shorthand for [`FormatError::Missing`].
    pub fn missing(what: impl Into<String>) -> Self {
        Self::Missing { what: what.into() }
    }

    /// Fails when `value` is above `max`.
    pub(crate) fn check_limit(what: impl FnOnce() -> String, value: u64, max: u64) -> Result<(), Self> {
        if value > max {
            return Err(Self::Limit { what: what(), value, max });
        }
        Ok(())
    }
}

/// A name from a file, safe to print: quoted, control characters escaped, at most 80 characters.
#[must_use]
pub fn show(name: &str) -> String {
    const MAX: usize = 80;
    let mut out = String::from("'");
    for (i, c) in name.chars().enumerate() {
        if i == MAX {
            out.push('…');
            break;
        }
        out.extend(c.escape_debug());
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_shortened() {
        assert_eq!(show("a\n\u{1b}[2J"), "'a\\n\\u{1b}[2J'");
        assert_eq!(show(&"x".repeat(1000)).chars().count(), 83);
    }
}

//! What can be wrong with findings or a run record, where, and what to do about it.

use thiserror::Error;

/// Why findings or a run record were refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FindingsError {
    /// The file is larger than anything this program writes.
    #[error("{what}: {found} bytes is more than the {limit} that are read; store large data as an artifact and list a part of it")]
    TooLarge {
        /// Which file.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// Not UTF-8, not JSON, or not of this shape.
    #[error("{what}: {reason}; expected JSON of schema {schema}")]
    NotJson {
        /// Which file.
        what: &'static str,
        /// The reader's words, with line and column.
        reason: String,
        /// The schema that was expected.
        schema: &'static str,
    },
    /// Another version or another kind of file.
    #[error("schema is {found:?}; this version reads {expected:?}")]
    Schema {
        /// What the file says (shortened).
        found: String,
        /// What is read.
        expected: &'static str,
    },
    /// A list has too many entries.
    #[error("{place}: {found} entries are more than {limit}; list the most telling ones and give totals")]
    TooMany {
        /// Where.
        place: String,
        /// How many.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// A text is too long.
    #[error("{place}: a text of {found} bytes is longer than {limit}; shorten it")]
    TextTooLong {
        /// Where.
        place: String,
        /// Its length in bytes.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// A NaN or an infinity.
    #[error("{place}: the number is not finite; leave the point out or mark it as missing")]
    NotFinite {
        /// Where.
        place: String,
    },
    /// An index points outside its list.
    #[error("{place}: index {index} is outside a list of {len}")]
    OutOfRange {
        /// Where.
        place: String,
        /// The index.
        index: usize,
        /// The length of the list it points into.
        len: usize,
    },
    /// Two lists that belong together differ in length.
    #[error("{place}: {found} entries where {expected} are needed")]
    LengthMismatch {
        /// Where.
        place: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A value breaks a rule of the format.
    #[error("{place}: {reason}")]
    Invalid {
        /// Where.
        place: String,
        /// The rule, and what to do.
        reason: String,
    },
    /// A value could not be written.
    #[error("{what} could not be written as JSON: {reason}")]
    NotWritable {
        /// Which file.
        what: &'static str,
        /// The writer's words.
        reason: String,
    },
}

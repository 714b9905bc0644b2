//! Why a report could not be made or read.

use thiserror::Error;

use crate::findings::FindingsError;

/// Why a report could not be made or read.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReportError {
    /// Nothing to show.
    #[error("a report needs at least one run")]
    NoRuns,
    /// More than a page can show.
    #[error("{found} runs are more than the {limit} one report holds; build several reports")]
    TooManyRuns {
        /// How many.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// A run's findings or record break their schema.
    #[error("run {run}: {source}")]
    Run {
        /// Number of the run, from 1.
        run: usize,
        /// What is wrong.
        source: FindingsError,
    },
    /// Data that belong to no single run.
    #[error(transparent)]
    Data(#[from] FindingsError),
    /// Not a report of this program.
    #[error("not a vitrine report: {reason}")]
    NotAReport {
        /// What is missing or wrong.
        reason: String,
    },
    /// The program or the files inside it.
    #[error("the interactive part of the report: {0}")]
    Interactive(String),
    /// Larger than any report this program writes.
    #[error("the file has {found} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The bound.
        limit: usize,
    },
}

//! Findings: what a run found, as plain data.
//!
//! The idea: a study ends in numbers, tables, circuits and *claims*, and nothing of how they will be shown. The report
//! (HTML, JSON twin) and the web pages are made from these types alone, so that the same findings can be drawn,
//! compared, checked and recomputed by anyone who has the file.
//!
//! The method: serde types with a versioned schema (`vitrine.findings/1`, `vitrine.run/1`). One canonical JSON text
//! exists for each value ([`canonical_json`]): field order is the order of declaration, numbers are the shortest
//! decimal that reads back to the same double, and every character that could end an HTML element or turn the reading
//! direction is escaped. The same bytes are written to disk, put into a report and hashed. Everything read from outside
//! goes through [`Findings::from_json`] or [`RunRecord::from_json`], which bound sizes, counts, text lengths and
//! indices before anybody else sees them.

mod bars;
mod check;
mod circuit;
mod circuit_shape;
mod claim;
mod error;
mod json;
mod panel;
mod pictures;
mod run;
mod searches;
mod series;
mod table;
#[cfg(test)]
mod tests;

pub use bars::{BarGroup, Bars};
pub use check::limits;
pub use circuit::{Circuit, Edge, Node, NodeKind, Reader, Totals, Writer};
pub use circuit_shape::TransformerShape;
pub use claim::{Claim, Source, Verdict};
pub use error::FindingsError;
pub use json::{canonical_json, hex, sha256_hex};
pub use panel::{Body, Panel, Text};
pub use pictures::{Picture, Pictures};
pub use run::RunRecord;
pub use searches::{Branch, BranchFate, Listed, Searches, Tree};
pub use series::{Axis, Band, Line, Mark, Scale, Series};
pub use table::{Best, Cell, Column, ColumnKind, Table};

use serde::{Deserialize, Serialize};

/// The schema this version writes and reads.
pub const FINDINGS_SCHEMA: &str = "vitrine.findings/1";
/// The schema of `run.json` this version writes and reads.
pub const RUN_SCHEMA: &str = "vitrine.run/1";

/// Everything a run found, in the order in which a reader should meet it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// Always [`FINDINGS_SCHEMA`].
    pub schema: String,
    /// Short name of the study, such as `edge-pruning`.
    pub study: String,
    /// Title of the report's section.
    pub title: String,
    /// What was found: one sentence or short paragraph each.
    pub summary: Vec<String>,
    /// What a reader must know before believing a number (small model, few seeds, other data); shown on top.
    pub caveats: Vec<String>,
    /// What the paper says beside what this run found.
    pub claims: Vec<Claim>,
    /// Figures, tables, circuits and texts.
    pub panels: Vec<Panel>,
}

impl Findings {
    /// Empty findings of a study, with the schema set.
    #[must_use]
    pub fn new(study: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            schema: FINDINGS_SCHEMA.to_owned(),
            study: study.into(),
            title: title.into(),
            summary: Vec::new(),
            caveats: Vec::new(),
            claims: Vec::new(),
            panels: Vec::new(),
        }
    }

    /// Reads and checks findings from untrusted bytes.
    ///
    /// # Errors
    /// The first thing that is too large, not JSON of this schema, not finite, or points outside its range.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FindingsError> {
        check::bounded_text(bytes, "findings")?;
        let findings: Self = json::parse(bytes, "findings", FINDINGS_SCHEMA)?;
        findings.check()?;
        Ok(findings)
    }

    /// The canonical JSON text: the bytes to write, to embed and to hash.
    ///
    /// # Errors
    /// Whatever [`Findings::check`] finds wrong; nothing unreadable is ever written.
    pub fn to_json(&self) -> Result<String, FindingsError> {
        self.check()?;
        canonical_json(self, "findings")
    }

    /// Checks bounds, finite numbers, unique names and indices.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn check(&self) -> Result<(), FindingsError> {
        check::findings(self)
    }
}

//! Reports: findings of one or many runs as one file that anybody can open, check and keep.
//!
//! The idea: what was found, how sure it is, and how to find it again travel together. One HTML file opens from disk,
//! asks nothing of any network, can be read with scripts switched off, and carries its data so that a reader can take
//! them out, check their hashes and draw the page again.
//!
//! The method: everything visible (text, tables, figures as SVG) is made here, in Rust, by templates that escape; the
//! data stand beside it as inert JSON blocks with their SHA-256. A content security policy forbids every request and
//! every script or style but those whose hash it names. One classic script only adds comfort: sorting, filtering,
//! downloads, the reader's own hash check. Rendering is a pure function of runs and options: same input, same bytes,
//! which is what [`verify()`] relies on: it takes the blocks out, checks them, draws the page again and compares.
//!
//! Files: `page` the document, `claims`, `panels`, `tables`, `provenance` its sections, `svg` the figures, `text` how
//! untrusted text is shown, `blocks` the data blocks, `interactive` what a page carries to compute, `verify` and `diff` what is done with finished reports,
//! `drawing` a circuit's figure by itself.

pub mod base64;
mod blocks;
mod claims;
mod diff;
mod drawing;
mod error;
mod interactive;
mod numbers;
mod page;
mod panels;
mod provenance;
mod shell;
mod svg;
mod tables;
mod text;
mod verify;

#[cfg(test)]
mod tests;

pub use blocks::{Block, Extracted, extract};
pub use diff::{Difference, ReportDiff, diff};
pub use drawing::{CircuitLayout, PlacedEnd, PlacedNode, circuit_layout, circuit_svg, series_svg};
pub use error::ReportError;
pub use interactive::{Carried, Interactive};
pub use shell::quote_command;
pub use verify::{BlockCheck, VerifyReport, verify};

use serde::{Deserialize, Serialize};

use crate::findings::{Findings, RunRecord, canonical_json};

/// The schema of the JSON twin.
pub const REPORT_SCHEMA: &str = "vitrine.report/1";

/// One run with what it found.
pub type Run = (RunRecord, Findings);

/// Runs that one report may hold.
pub const MOST_RUNS: usize = 200;

/// Style sheets of the report, for pages that show the same panels: the custom properties and the figures, then the
/// page itself.
pub mod style {
    /// Colours, type and spacing as custom properties, light and dark.
    pub const TOKENS: &str = include_str!("assets/tokens.css");
    /// Everything inside a figure.
    pub const FIGURES: &str = include_str!("assets/figures.css");
    /// The report's page.
    pub const PAGE: &str = include_str!("assets/report.css");
}

/// What a reader of the report may choose beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Title of the whole report; without one, that of the first findings.
    pub title: Option<String>,
    /// Edges drawn in a circuit: the strongest of the kept ones.
    pub drawn_edges: usize,
    /// Rows shown of a table; the downloads hold all.
    pub table_rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { title: None, drawn_edges: 600, table_rows: 1_000 }
    }
}

/// Renders runs as one self-contained HTML file.
///
/// # Errors
/// When there is no run, there are more than [`MOST_RUNS`], or findings break their schema's bounds.
pub fn render(runs: &[Run], options: &Options) -> Result<String, ReportError> {
    render_interactive(runs, options, None)
}

/// The same with a program inside and the files it reads: a page that computes.
///
/// # Errors
/// As [`render`]; when the program or its files cannot stand in a page.
pub fn render_interactive(runs: &[Run], options: &Options, interactive: Option<&Interactive>) -> Result<String, ReportError> {
    let blocks = blocks::write(runs, options, interactive)?;
    Ok(page::document(runs, options, interactive, &blocks))
}

/// The JSON twin: the same runs as one JSON document of schema `vitrine.report/1`.
///
/// # Errors
/// As [`render`].
pub fn to_json(runs: &[Run]) -> Result<String, ReportError> {
    #[derive(Serialize)]
    struct Twin<'a> {
        schema: &'static str,
        runs: Vec<TwinRun<'a>>,
    }
    #[derive(Serialize)]
    struct TwinRun<'a> {
        run: &'a RunRecord,
        findings: &'a Findings,
    }
    blocks::check(runs)?;
    let runs = runs.iter().map(|(run, findings)| TwinRun { run, findings }).collect();
    Ok(canonical_json(&Twin { schema: REPORT_SCHEMA, runs }, "report")?)
}

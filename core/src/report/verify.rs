//! Is a report what it says it is?
//!
//! Three questions, each with its own answer: do the data blocks match the hashes that the page lists; do the data keep
//! to their schema; and does this version of the program draw the same page, byte for byte, from those data. The last
//! one catches a change anywhere: in a table, a figure, a sentence or the script.

use std::fmt;

use serde::Serialize;

use super::{ReportError, blocks, extract, render_interactive};
use crate::findings::sha256_hex;

/// One data block and its hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockCheck {
    /// Identifier of the block.
    pub id: String,
    /// SHA-256 that the page lists.
    pub listed: String,
    /// SHA-256 of what stands there.
    pub found: String,
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The blocks in their order.
    pub blocks: Vec<BlockCheck>,
    /// What is wrong, one sentence each; empty for a report that stands.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// True when nothing is wrong.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ok() {
            return writeln!(
                f,
                "The report stands: {} data blocks match their hashes and draw the same page, byte for byte.",
                self.blocks.len()
            );
        }
        writeln!(f, "The report does not stand:")?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "- {problem}"))
    }
}

/// Checks a report's data blocks, and draws it again.
///
/// # Errors
/// When the file is no report at all. A report that was changed is not an error: see [`VerifyReport::problems`].
pub fn verify(html: &str) -> Result<VerifyReport, ReportError> {
    let mut report = VerifyReport { blocks: Vec::new(), problems: Vec::new() };
    for block in blocks::find(html)? {
        let found = sha256_hex(block.text.as_bytes());
        if found != block.listed {
            report.problems.push(format!("{}: the data have SHA-256 {found}, the page lists {}", block.id, block.listed));
        }
        report.blocks.push(BlockCheck { id: block.id, listed: block.listed, found });
    }
    let extracted = match extract(html) {
        Ok(extracted) => extracted,
        Err(error) => {
            report.problems.push(error.to_string());
            return Ok(report);
        }
    };
    report.problems.extend(extracted.problems);
    let again = render_interactive(&extracted.runs, &extracted.options, extracted.interactive.as_ref())?;
    if again != html {
        let same = again.bytes().zip(html.bytes()).take_while(|(a, b)| a == b).count();
        let line = html.bytes().take(same).filter(|byte| *byte == b'\n').count() + 1;
        let this = super::page::generator();
        let note = match generator_of(html) {
            Some(other) if other != this => {
                format!(" (it was written by {}, this is {this})", super::text::label(other, 60))
            }
            _ => String::new(),
        };
        report.problems.push(format!("the page drawn from its data differs from the file at byte {same} (line {line}){note}"));
    }
    Ok(report)
}

fn generator_of(html: &str) -> Option<&str> {
    let (_, after) = html.split_once("<meta name=\"generator\" content=\"")?;
    after.split_once('"').map(|(name, _)| name)
}

//! Claims: what a paper says beside what this run found, with a verdict that the run itself computed.

use serde::{Deserialize, Serialize};

/// Whether a claim held in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What was found lies within the tolerance.
    Holds,
    /// What was found lies outside the tolerance.
    Fails,
    /// The run did not compute what the claim needs.
    NotTested,
}

impl Verdict {
    /// The word shown to readers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::NotTested => "not tested",
        }
    }

    /// `Holds` or `Fails` by a condition that the run computed.
    #[must_use]
    pub fn from_test(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// Where a claim comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Authors, title or identifier of the paper.
    pub paper: String,
    /// Section, table or figure; may be empty.
    pub section: String,
    /// True when the claim is the paper's own; false for an expectation of ours that is checked in the same way.
    pub published: bool,
}

/// One claim and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Short name, unique within the findings: letters, digits, `-`, `_`, `.`.
    pub id: String,
    /// The claim in one sentence.
    pub statement: String,
    /// Who says so, and where.
    pub source: Source,
    /// The published figure, where there is one.
    pub published: Option<String>,
    /// What this run found.
    pub found: String,
    /// What counts as agreement, as words or a number with unit.
    pub tolerance: String,
    /// The outcome.
    pub verdict: Verdict,
    /// What differs from the published setting (model, data, size, steps); may be empty.
    pub differs: String,
}

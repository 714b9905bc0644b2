//! What decoding one question did: every search with its tree, every list that came of it, and what it cost. Plain data for a page.

use serde::Serialize;

use crate::sql::plan::Plan;
use vitrine_core::decode::Trace;

/// What a search was for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Purpose {
    /// A template as the model prefers it: its plan is the one whose neighbours are tried.
    FreeTemplate,
    /// Templates of a plan.
    Template { plan: Plan },
    /// Queries of a template; its number counts the templates found.
    Fill { template: usize, text: String },
    /// Queries.
    Query,
    /// A plan and a query as the model prefers them.
    FreePlannedQuery,
    /// Queries of a plan.
    PlannedQuery { plan: Plan },
    /// Queries with names of the schema hidden.
    Hidden { names: Vec<String> },
}

/// One text of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    pub text: String,
    /// Sum of the log-probabilities of its tokens.
    pub log_prob: f64,
    /// What the method ranked it by.
    pub score: f64,
    /// Its place in the search's tree.
    pub node: usize,
    /// Why it goes no further, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
}

/// One search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    pub purpose: Purpose,
    /// Batches scored.
    pub forwards: usize,
    /// Prefixes scored.
    pub scored: usize,
    pub outputs: Vec<Output>,
    /// Why it found nothing, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    pub search: Trace,
}

/// All searches of one question.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Record {
    pub runs: Vec<Run>,
    /// What did not stop the work, but has to be known.
    pub notes: Vec<String>,
}

impl Record {
    /// Batches scored by all searches.
    pub fn forwards(&self) -> usize {
        self.runs.iter().map(|run| run.forwards).sum()
    }

    /// Prefixes scored by all searches: what decoders are given equal amounts of.
    pub fn scored(&self) -> usize {
        self.runs.iter().map(|run| run.scored).sum()
    }
}

//! Accuracy of predictions over many questions, by hardness, as the official tool prints it.

use serde::Serialize;

use super::{exact::Verdict, execute::ByRows, hardness::Hardness};

/// What was counted at one level of hardness, or over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    pub questions: usize,
    /// Predictions that the official reader can read.
    pub readable: usize,
    pub exact: usize,
    /// Predictions right in strict mode; nothing where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<usize>,
    /// Predictions with the rows of gold; nothing without databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed: Option<usize>,
    /// AmbiQT's two measures by rows, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exm: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dx: Option<usize>,
}

/// What running a prediction showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// Test-suite execution match.
    pub suite: bool,
    pub by_rows: ByRows,
}

impl Count {
    fn add(&mut self, verdict: &Verdict, strict: Option<bool>, executed: Option<Executed>) {
        self.questions += 1;
        self.readable += usize::from(verdict.parses);
        self.exact += usize::from(verdict.exact);
        let count = |total: &mut Option<usize>, right: Option<bool>| {
            if let Some(right) = right {
                *total = Some(total.unwrap_or(0) + usize::from(right));
            }
        };
        count(&mut self.strict, strict);
        count(&mut self.executed, executed.map(|executed| executed.suite));
        count(&mut self.exm, executed.map(|executed| executed.by_rows.exm));
        count(&mut self.dx, executed.map(|executed| executed.by_rows.dx));
    }
}

/// Counts by hardness and over all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Accuracy {
    pub levels: [Count; 4],
    pub all: Count,
}

impl Accuracy {
    /// One more question.
    pub fn add(&mut self, verdict: &Verdict, strict: Option<bool>, executed: Option<Executed>) {
        self.levels[verdict.hardness as usize].add(verdict, strict, executed);
        self.all.add(verdict, strict, executed);
    }

    /// The levels by name, then all together.
    pub fn named(&self) -> impl Iterator<Item = (String, &Count)> {
        Hardness::ALL.iter().map(ToString::to_string).zip(&self.levels).chain([("all".to_owned(), &self.all)])
    }
}

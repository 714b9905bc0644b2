//! Searches side by side: the trees that ways of decoding grew for one question, and the lists they ended with.

use serde::{Deserialize, Serialize};

/// What became of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BranchFate {
    /// Others go on from it.
    Inner,
    /// It is a whole text.
    Ended,
    /// It was given up.
    Dropped,
}

/// A stretch of text without a fork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Index of the branch it goes on from, an earlier one.
    #[serde(default)]
    pub parent: Option<u32>,
    /// What it adds to the text.
    pub text: String,
    /// Score of the text so far.
    #[serde(default)]
    pub score: Option<f64>,
    /// What became of it.
    pub fate: BranchFate,
    /// How many tokens could follow, where it forks.
    #[serde(default)]
    pub allowed: Option<u64>,
    /// Place of the whole text in the list, from 0.
    #[serde(default)]
    pub place: Option<u32>,
    /// What else is to be known: why tokens were allowed, how many branches were cut and why.
    #[serde(default)]
    pub note: String,
}

/// A text of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The text.
    pub text: String,
    /// Its score.
    #[serde(default)]
    pub score: Option<f64>,
    /// Indices into [`Searches::readings`]: what it means of that.
    #[serde(default)]
    pub readings: Vec<u32>,
    /// Where it comes from.
    #[serde(default)]
    pub source: String,
}

/// One way of decoding: its tree and its list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Name of the way.
    pub name: String,
    /// What it cost.
    #[serde(default)]
    pub note: String,
    /// The branches, each behind the one it goes on from.
    pub branches: Vec<Branch>,
    /// The list, the best first.
    pub list: Vec<Listed>,
}

/// Trees of searches for one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searches {
    /// What is looked for; marked by letters.
    pub readings: Vec<String>,
    /// The trees, drawn side by side.
    pub trees: Vec<Tree>,
    /// What a score is.
    pub score_label: String,
}

impl Tree {
    /// Branches as they are read, each with its depth: what goes on from a branch stands behind it.
    #[must_use]
    pub fn rows(&self) -> Vec<(usize, &Branch)> {
        let mut children: Vec<Vec<usize>> = vec![vec![]; self.branches.len()];
        let mut open: Vec<(usize, usize)> = vec![];
        for (index, branch) in self.branches.iter().enumerate().rev() {
            match branch.parent.and_then(|parent| children.get_mut(parent as usize)) {
                Some(siblings) => siblings.push(index),
                None => open.push((index, 0)),
            }
        }
        let mut rows = vec![];
        while let Some((index, depth)) = open.pop() {
            let (Some(branch), Some(children)) = (self.branches.get(index), children.get(index)) else { continue };
            rows.push((depth, branch));
            open.extend(children.iter().map(|child| (*child, depth + 1)));
        }
        rows
    }
}

//! What a search did: every hypothesis, its score, and why a branch was allowed or cut.
//!
//! A trace is a tree of plain data. The root is the prompt; a node adds one token to its parent. Nodes come in the order in which they were made, so the same search gives the
//! same trace.

use std::fmt::Write as _;

use serde::Serialize;

/// How a hypothesis ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By a token that ends the text.
    Eos,
    /// It has as many tokens as were asked for, or as fit the model.
    Length,
    /// It satisfies the constraint, which lets nothing follow.
    Complete,
}

/// Why a branch was not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "cut", content = "why")]
pub enum Cut {
    /// Others had better scores.
    OutOfBeam,
    /// The search ended before it could matter.
    Beaten,
    /// The constraint refused the token.
    Constraint(String),
    /// The constraint left no token at all.
    DeadEnd,
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Fate {
    /// It was continued, or would have been.
    Kept,
    Ended {
        by: Ending,
    },
    Cut(Cut),
}

/// One hypothesis at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// `None` for the root.
    pub parent: Option<usize>,
    pub token: Option<u32>,
    /// Tokens since the prompt.
    pub tokens: usize,
    /// Sum of the log-probabilities of its tokens.
    pub log_prob: f64,
    /// What the method ranks by.
    pub score: f64,
    pub fate: Fate,
    /// How many tokens may follow; `None` where it was not asked.
    pub allowed: Option<usize>,
    /// What the constraint says about what may follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A search as a tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trace {
    pub nodes: Vec<Node>,
}

impl Trace {
    /// Adds a node and returns its number.
    pub fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The tokens from the root to a node.
    pub fn tokens(&self, node: usize) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut at = self.nodes.get(node);
        while let Some(node) = at {
            tokens.extend(node.token);
            // A parent is older than its child, so this ends.
            at = node.parent.and_then(|parent| self.nodes.get(parent));
        }
        tokens.reverse();
        tokens
    }

    /// Hypotheses that were cut.
    pub fn cut(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node.fate, Fate::Cut(_))).count()
    }

    /// The tree as text, a line a branch: tokens that had no alternative stay on one line. `text` shows a token.
    pub fn tree(&self, text: &dyn Fn(u32) -> String) -> String {
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                children[parent].push(i);
            }
        }
        let mut out = String::new();
        // The best child is printed first, so it goes onto the stack last.
        let mut stack: Vec<(usize, usize)> = if self.nodes.is_empty() { vec![] } else { vec![(0, 0)] };
        while let Some((mut at, depth)) = stack.pop() {
            let mut line = "  ".repeat(depth.min(40));
            loop {
                let node = &self.nodes[at];
                match node.token {
                    Some(token) => line += &format!("{:?} ", text(token)),
                    None => line += "prompt ",
                }
                match children[at].as_slice() {
                    [only] => at = *only,
                    several => {
                        let mut several = several.to_vec();
                        several.sort_by(|&a, &b| self.nodes[b].score.total_cmp(&self.nodes[a].score).then(a.cmp(&b)));
                        stack.extend(several.into_iter().rev().map(|child| (child, depth + 1)));
                        break;
                    }
                }
            }
            let node = &self.nodes[at];
            let fate = match &node.fate {
                Fate::Kept => String::new(),
                Fate::Ended { by: Ending::Eos } => "  ended".into(),
                Fate::Ended { by: Ending::Length } => "  ended: length".into(),
                Fate::Ended { by: Ending::Complete } => "  ended: complete".into(),
                Fate::Cut(Cut::OutOfBeam) => "  cut: others score better".into(),
                Fate::Cut(Cut::Beaten) => "  cut: cannot overtake what is finished".into(),
                Fate::Cut(Cut::Constraint(why)) => format!("  cut: {why}"),
                Fate::Cut(Cut::DeadEnd) => "  cut: no token may follow".into(),
            };
            let allowed = node.allowed.map_or_else(String::new, |n| format!("  {n} tokens may follow"));
            let reason = node.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let score = if node.score == node.log_prob { String::new() } else { format!("  score {:.4}", node.score) };
            let _ = writeln!(out, "{line} {:.4}{score}{fate}{allowed}{reason}", node.log_prob);
        }
        out
    }
}

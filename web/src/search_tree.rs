//! A search for the page: its nodes in words, told while it runs.
//!
//! A node is told once the next step begins, when its fate is known; what a page draws from then on does not change.

use serde_json::{Value, json};
use vitrine_core::decode::{Cut, Ending, Fate, Trace, trace::Node};

/// How much of a growing tree has been told.
#[derive(Default)]
pub struct Told {
    nodes: usize,
}

impl Told {
    /// The nodes that are settled now that `node` is there, with the number of the first; nothing while a step goes on.
    pub fn settled<'t>(&mut self, trace: &'t Trace, node: usize) -> Option<(usize, &'t [Node])> {
        let depth = trace.nodes.get(node)?.tokens;
        let done = trace.nodes.iter().rposition(|node| node.tokens < depth).map_or(0, |last| last + 1);
        let from = self.nodes;
        let new = trace.nodes.get(from..done).filter(|new| !new.is_empty())?;
        self.nodes = done;
        Some((from, new))
    }
}

/// How a text ended.
pub fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Eos => "by the token that ends a text",
        Ending::Length => "as it has all the tokens asked for",
        Ending::Complete => "as nothing may follow",
    }
}

/// A node for people: what it adds, and what became of it in words.
pub fn shown(node: &Node, piece: impl Fn(u32) -> String) -> Value {
    let (fate, words) = match &node.fate {
        Fate::Kept => ("kept", "kept".to_owned()),
        Fate::Ended { by } => ("ended", format!("ended {}", ending(*by))),
        Fate::Cut(cut) => (
            "cut",
            match cut {
                Cut::OutOfBeam => "cut: others have better scores".to_owned(),
                Cut::Beaten => "cut: it can no longer overtake what is finished".to_owned(),
                Cut::Constraint(why) => format!("cut: {why}"),
                Cut::DeadEnd => "cut: no token may follow".to_owned(),
            },
        ),
    };
    json!({ "parent": node.parent, "text": node.token.map(piece), "tokens": node.tokens, "log_prob": node.log_prob, "score": node.score,
        "fate": fate, "words": words, "allowed": node.allowed, "reason": node.reason })
}

//! What two decoders did with one question, as a figure: plain beam search's tree beside LogicalBeam's plans, templates and fills, each with its list.
//!
//! **Method.** A search's trace is cut down to the way to its outputs, and tokens without an alternative are one branch: what is left is what the search decided. What was cut on the way is counted by
//! its reason at the branch that it left. Of LogicalBeam, plans come first ([`ladder`]), under each its template, under that the tree that filled it. Everything is read off a [`Record`] that holds cuts too
//! ([`Limits::trace_cuts`]). Shown are the questions on which both lists differ most ([`telling`]).
//!
//! [`Record`]: super::beam::record::Record

use std::collections::BTreeMap;

use super::{
    beam::{
        Asked, BeamError, Decoder, Limits, List,
        ladder::{Rung, ladder},
        merge::{Candidate, Origin},
        record::{Output, Purpose, Run},
    },
    comparison::Answers,
    golden_coverage::Line,
    model::evaluate::{changed, hits},
    sql::{ambiguate::Kind, coverage::Hits, names::Names, schema::Schema, text::normalise},
    stages::{Pieces, TextToSql},
};
use vitrine_core::{
    decode::{Cut, Fate, Trace},
    findings::{Branch, BranchFate, Listed, Panel, Searches, Tree},
};

/// Outputs drawn of a search for queries, and of one that fills a template; those of the list are drawn in any case.
const QUERIES: usize = 10;
const FILLINGS: usize = 3;
/// What is said of a template that was filled.
const TEMPLATE: &str = "The template of this plan";
/// The two decoders that are drawn, and what they are called.
pub const DRAWN: [(&str, &str); 2] = [("beam", "Plain beam search"), ("logical-beam", "LogicalBeam")];

/// Of each kind the number of the question on which the two lists differ most: first whether one holds both readings and the other does not, then how many queries only one of them has; the first among
/// equals. Kinds that were not asked of both are left out.
pub fn telling(all: &[Answers]) -> Vec<(Kind, usize)> {
    let of = |kind: Kind, name: &str| all.iter().find(|answers| answers.kind == kind && answers.decoder == name);
    let most = |kind: Kind| {
        let [first, second] = DRAWN.map(|(name, _)| of(kind, name));
        let pairs = first?.answers.iter().zip(&second?.answers);
        let differ = |(number, (a, b)): (usize, (&super::comparison::Answer, &super::comparison::Answer))| {
            let alone = |a: &[String], b: &[String]| a.iter().filter(|sql| !b.contains(sql)).count();
            (a.both != b.both, alone(&a.list, &b.list) + alone(&b.list, &a.list), std::cmp::Reverse(number))
        };
        let (_, _, std::cmp::Reverse(number)) = pairs.enumerate().map(differ).max()?;
        Some((kind, number))
    };
    Kind::ALL.into_iter().filter_map(most).collect()
}

/// The figure of one question, which both decoders are asked again, noting what they cut.
///
/// # Errors
/// What the model says.
pub fn panel(model: &dyn TextToSql, line: &Line, schema: &Schema, limits: Limits) -> Result<Panel, BeamError> {
    let limits = Limits { trace_cuts: true, ..limits };
    let changed = changed(schema, &line.example.change);
    let asked = Asked::new(model, &line.question, &changed, limits)?;
    let names = Names::new(schema);
    let mut trees = vec![];
    for (decoder, title) in DRAWN.into_iter().filter_map(|(name, title)| Some((Decoder::from_name(name)?, title))) {
        let found = decoder.list(&asked)?;
        let texts: Vec<String> = found.candidates.iter().map(|candidate| candidate.sql.clone()).collect();
        trees.push(tree(title, &decoder, &found, asked.pieces(), &hits(line, &texts, &names)));
    }
    let kind = line.example.kind;
    Ok(Panel::new(
        format!("searches-{kind:?}"),
        format!("{}: “{}”", super::comparison::described(kind), line.question),
        "Of this kind the question on which the two lists differ most: first, whether one holds both readings; then, how many queries only one of them has. Pieces without an alternative make one branch; \
         a branch is drawn where it leads to a query that is shown.",
        Searches {
            readings: line.example.readings.iter().map(|sql| normalise(sql)).collect(),
            trees,
            score_label: "log-probability (nats)".into(),
        },
    ))
}

/// What a decoder found, as a tree with its list.
fn tree(title: &str, decoder: &Decoder, found: &List, pieces: &Pieces, hits: &[Hits]) -> Tree {
    let List { candidates, record } = found;
    let drawing = Drawing { runs: &record.runs, list: candidates, pieces };
    let mut branches = vec![];
    if let Decoder::LogicalBeam(method) = decoder {
        for rung in ladder(record, method.merge, candidates) {
            drawing.rung(&rung, &mut branches);
        }
        drawing.plain(&mut branches);
    } else {
        for run in &record.runs {
            drawing.search(run, None, QUERIES, &mut branches);
        }
    }
    let listed = |(place, candidate): (usize, &Candidate)| {
        let hit = hits.get(place);
        let means = [hit.is_some_and(|hit| hit.first), hit.is_some_and(|hit| hit.second)];
        Listed {
            text: candidate.sql.clone(),
            score: Some(candidate.log_prob).filter(|score| score.is_finite()),
            readings: (0..).zip(means).filter(|(_, means)| *means).map(|(reading, _)| reading).collect(),
            source: source(&candidate.origin),
        }
    };
    Tree {
        name: title.to_owned(),
        note: format!("{} prefixes scored in {} batches", record.scored(), record.forwards()),
        branches,
        list: candidates.iter().enumerate().map(listed).collect(),
    }
}

fn source(origin: &Origin) -> String {
    match origin {
        Origin::Plain { rank } => format!("plain beam, rank {}", rank + 1),
        Origin::Template { template, rank } => format!("template {}, filling {}", template + 1, rank + 1),
        Origin::Hidden { names } => format!("without {}", names.join(", ")),
        Origin::Given { rank } => format!("given, rank {}", rank + 1),
    }
}

/// What branches are made of.
struct Drawing<'a> {
    runs: &'a [Run],
    list: &'a [Candidate],
    pieces: &'a Pieces,
}

impl Drawing<'_> {
    fn place(&self, output: &Output) -> Option<u32> {
        let sql = normalise(&output.text);
        let at = self.list.iter().position(|candidate| output.dropped.is_none() && candidate.sql == sql);
        at.and_then(|at| u32::try_from(at).ok())
    }

    /// The tree of a search below `under`: the way to its first outputs and to those of the list.
    fn search(&self, run: &Run, under: Option<u32>, most: usize, branches: &mut Vec<Branch>) {
        let placed = run.outputs.iter().map(|output| (output, self.place(output))).enumerate();
        let shown = placed.filter(|(rank, (_, place))| *rank < most || place.is_some());
        let ends = shown.map(|(_, (output, place))| (output.node, (output, place))).collect();
        grow(&run.search, self.pieces, &ends, under, branches);
    }

    /// A plan, its template, and what fills it.
    fn rung(&self, rung: &Rung, branches: &mut Vec<Branch>) {
        let nothing = rung.fillings.is_empty();
        let problem = nothing.then(|| rung.problem.clone().unwrap_or_else(|| "it was not filled".into()));
        let fate = if problem.is_some() { BranchFate::Dropped } else { BranchFate::Inner };
        let (plan, preferred) = (number(branches), if rung.preferred { " (preferred)" } else { "" });
        let bare = rung.template.is_empty();
        branches.push(Branch {
            parent: None,
            text: format!("{} joins, {} selects{preferred}", rung.plan.joins, rung.plan.selects),
            score: None,
            fate,
            allowed: None,
            place: None,
            note: problem.clone().filter(|_| bare).unwrap_or_default(),
        });
        if bare {
            return;
        }
        let template = number(branches);
        branches.push(Branch {
            parent: Some(plan),
            text: rung.template.clone(),
            score: Some(rung.log_prob).filter(|score| score.is_finite()),
            fate,
            allowed: None,
            place: None,
            note: problem.unwrap_or_else(|| TEMPLATE.into()),
        });
        if let Some(run) = rung.filled.and_then(|filled| self.runs.get(filled)) {
            self.search(run, Some(template), FILLINGS, branches);
        }
    }

    /// Queries of the list that the plain beam gave.
    fn plain(&self, branches: &mut Vec<Branch>) {
        let first = self.list.iter().filter(|candidate| matches!(candidate.origin, Origin::Plain { .. })).count();
        for run in self.runs.iter().filter(|run| run.purpose == Purpose::Query) {
            let under = number(branches);
            let note = "They come first in the list".to_owned();
            branches.push(Branch {
                parent: None,
                text: "the best of a plain beam".into(),
                score: None,
                fate: BranchFate::Inner,
                allowed: None,
                place: None,
                note,
            });
            let whole = run.outputs.iter().filter(|output| output.dropped.is_none()).take(first);
            let ends = whole.map(|output| (output.node, (output, self.place(output)))).collect();
            grow(&run.search, self.pieces, &ends, Some(under), branches);
        }
    }
}

/// The number of the branch that comes next.
fn number(branches: &[Branch]) -> u32 {
    u32::try_from(branches.len()).unwrap_or(u32::MAX)
}

/// Adds the part of a tree that leads to `ends` (by node), each stretch without a fork as one branch.
fn grow(trace: &Trace, pieces: &Pieces, ends: &BTreeMap<usize, (&Output, Option<u32>)>, under: Option<u32>, branches: &mut Vec<Branch>) {
    let mut needed = vec![false; trace.nodes.len()];
    for &end in ends.keys() {
        let mut at = Some(end);
        while let Some(node) = at.filter(|node| needed.get(*node) == Some(&false)) {
            needed[node] = true;
            at = trace.nodes[node].parent;
        }
    }
    let mut children: Vec<Vec<usize>> = vec![vec![]; trace.nodes.len()];
    for (index, node) in trace.nodes.iter().enumerate().filter(|(index, _)| needed[*index]) {
        if let Some(parent) = node.parent {
            children[parent].push(index);
        }
    }
    // The branch of each node; what is not drawn belongs to the one it left.
    let mut branch_of: Vec<Option<u32>> = vec![None; trace.nodes.len()];
    let mut open: Vec<(usize, Option<u32>)> = if needed.first() == Some(&true) { vec![(0, under)] } else { vec![] };
    while let Some((mut at, parent)) = open.pop() {
        let this = number(branches);
        let mut text = String::new();
        loop {
            branch_of[at] = Some(this);
            text.extend(trace.nodes[at].token.and_then(|token| pieces.pieces.get(token as usize)).map(String::as_str));
            match children[at][..] {
                [only] if !ends.contains_key(&at) => at = only,
                _ => break,
            }
        }
        let node = &trace.nodes[at];
        let mut several = children[at].clone();
        several.sort_by(|a, b| trace.nodes[*b].score.total_cmp(&trace.nodes[*a].score).then(a.cmp(b)));
        // The best goes on first, so it is put on last.
        open.extend(several.into_iter().rev().map(|child| (child, Some(this))));
        let end = ends.get(&at);
        let dropped = end.and_then(|(output, _)| output.dropped.clone());
        branches.push(Branch {
            parent,
            text,
            score: Some(end.map_or(node.log_prob, |(output, _)| output.log_prob)).filter(|score| score.is_finite()),
            fate: match (end, &dropped) {
                (None, _) => BranchFate::Inner,
                (Some(_), None) => BranchFate::Ended,
                (Some(_), Some(_)) => BranchFate::Dropped,
            },
            allowed: node.allowed.filter(|_| end.is_none()).map(|allowed| allowed as u64),
            place: end.and_then(|(_, place)| *place),
            note: [dropped, node.reason.clone().filter(|_| end.is_none()).map(|reason| format!("What may follow: {reason}"))]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(". "),
        });
    }
    count_cuts(trace, &mut branch_of, branches);
}

/// Notes at each branch what was cut from it, by reason.
fn count_cuts(trace: &Trace, branch_of: &mut [Option<u32>], branches: &mut [Branch]) {
    let mut cuts: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    let goes_on: std::collections::BTreeSet<usize> = trace.nodes.iter().filter_map(|node| node.parent).collect();
    for (index, node) in trace.nodes.iter().enumerate() {
        if branch_of[index].is_some() {
            continue;
        }
        // A parent comes before its children.
        branch_of[index] = node.parent.and_then(|parent| branch_of[parent]);
        let Some(branch) = branch_of[index] else { continue };
        let why = match &node.fate {
            Fate::Cut(Cut::OutOfBeam) => "scored lower than those kept",
            Fate::Cut(Cut::Beaten) => "could not overtake what was finished",
            Fate::Cut(Cut::Constraint(_)) => "refused",
            Fate::Cut(Cut::DeadEnd) => "could not go on",
            Fate::Ended { .. } => "whole, not shown",
            Fate::Kept if goes_on.contains(&index) => continue,
            Fate::Kept => "left the beam later",
        };
        *cuts.entry((branch, why)).or_insert(0) += 1;
    }
    for ((branch, why), count) in cuts {
        let Some(branch) = branches.get_mut(branch as usize) else { continue };
        branch.note = if branch.note.is_empty() { format!("beside it: {count} {why}") } else { format!("{}; {count} {why}", branch.note) };
    }
}

#[cfg(test)]
mod tests;

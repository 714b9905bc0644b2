//! LogicalBeam's way to a list, as people read it: plans, the template of each, the queries that fill it.
//!
//! **Idea.** A record holds searches one after another. What a person wants to see is what came of what: which plan led to which template, what filled it, at what cost, and which of that the
//! list took. Everything here is read off the record; nothing is searched again.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    merge::{Candidate, Merge},
    record::{Purpose, Record, Run},
};
use crate::sql::{plan::Plan, text::normalise};

/// A query that fills a template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filling {
    pub sql: String,
    pub log_prob: f64,
    /// By places (3i + 2j); `None` for what was dropped and for what the template gave before.
    pub cost: Option<f64>,
    /// Place in the list, from 0.
    pub place: Option<usize>,
    /// Its place in the tree of the template's search.
    pub node: usize,
    /// Why it goes no further.
    pub dropped: Option<String>,
}

/// A plan and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rung {
    pub plan: Plan,
    /// Whether the model prefers this plan.
    pub preferred: bool,
    /// Number of the search that wrote the template.
    pub search: usize,
    pub template: String,
    pub log_prob: f64,
    /// The template's number among those that were filled; `None` where it was not.
    pub number: Option<usize>,
    /// Number of the search that filled it.
    pub filled: Option<usize>,
    pub fillings: Vec<Filling>,
    /// Why nothing came of it.
    pub problem: Option<String>,
}

/// The plans of a record in the order in which they were tried. Empty for methods without templates.
pub fn ladder(record: &Record, merge: Merge, list: &[Candidate]) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = vec![];
    for (search, run) in record.runs.iter().enumerate() {
        let forced = match &run.purpose {
            Purpose::FreeTemplate => None,
            Purpose::Template { plan } => Some(*plan),
            _ => continue,
        };
        let rung = |plan, template: &str, log_prob, problem| Rung {
            plan,
            preferred: forced.is_none(),
            search,
            template: template.to_owned(),
            log_prob,
            number: None,
            filled: None,
            fillings: vec![],
            problem,
        };
        if let Some((plan, problem)) = forced.zip(run.problem.as_ref()) {
            rungs.push(rung(plan, "", f64::NEG_INFINITY, Some(problem.clone())));
        }
        for output in &run.outputs {
            let Ok((plan, text)) = Plan::read(&output.text) else { continue };
            let text = normalise(text);
            let mut new = rung(plan, &text, output.log_prob, output.dropped.clone());
            if new.problem.is_none() && forced.is_some_and(|forced| forced != plan) {
                new.problem = Some("another plan came".into());
            } else if new.problem.is_none() && rungs.iter().any(|rung| rung.template == text) {
                new.problem = Some("the same template as before".into());
            }
            rungs.push(new);
        }
    }
    for (search, run) in record.runs.iter().enumerate() {
        let Purpose::Fill { template, text } = &run.purpose else { continue };
        let Some(rung) = rungs.iter_mut().find(|rung| rung.problem.is_none() && rung.template == *text) else { continue };
        (rung.number, rung.filled) = (Some(*template), Some(search));
        rung.problem.clone_from(&run.problem);
        rung.fillings = fillings(run, *template, merge, list);
    }
    rungs
}

fn fillings(run: &Run, template: usize, merge: Merge, list: &[Candidate]) -> Vec<Filling> {
    let mut seen = BTreeSet::new();
    let one = |output: &super::record::Output| {
        let sql = normalise(&output.text);
        let rank = seen.len();
        let counts = output.dropped.is_none() && seen.insert(sql.clone());
        Filling {
            cost: counts.then_some(merge.template * template as f64 + merge.rank * rank as f64),
            place: list.iter().position(|candidate| counts && candidate.sql == sql),
            log_prob: output.log_prob,
            node: output.node,
            dropped: output.dropped.clone(),
            sql,
        }
    };
    run.outputs.iter().map(one).collect()
}

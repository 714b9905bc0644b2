//! One list from the lists of several templates.
//!
//! **Method.** A model's probabilities are too skewed to rank queries of different templates against each other, so places count: the query of rank j in template i costs 3i + 2j. The
//! best of a plain beam come first, then all others by cost; the order among equals is the one they came in. Queries are brought to one spelling, and each appears once.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4.4 and the released code.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::record::Output;
use crate::sql::text::normalise;

/// How a list is ranked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankBy {
    /// By places.
    #[default]
    Cost,
    /// By the probability of template and query together.
    Prob,
}

/// How lists are merged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Merge {
    /// How many of the plain beam come first.
    pub plain: usize,
    /// Cost of a template's place.
    pub template: f64,
    /// Cost of a query's place in its template.
    pub rank: f64,
    pub by: RankBy,
}

impl Default for Merge {
    fn default() -> Self {
        Self { plain: 2, template: 3.0, rank: 2.0, by: RankBy::Cost }
    }
}

/// Where a query comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// A search for queries.
    Plain { rank: usize },
    /// A template (or, in one stage, a plan), by its number.
    Template { template: usize, rank: usize },
    /// A search with names of the schema hidden.
    Hidden { names: Vec<String> },
    /// A list that something else made.
    Given { rank: usize },
}

/// A query of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// In the one spelling.
    pub sql: String,
    /// Lists are in ascending order of it. Queries of the plain beam that come first have negative ones.
    pub cost: f64,
    pub log_prob: f64,
    pub origin: Origin,
}

/// A query with its places.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub sql: String,
    pub template: usize,
    pub rank: usize,
    pub log_prob: f64,
}

impl Merge {
    /// The merged list of at most `k`.
    pub fn merge(&self, plain: &[Output], items: &[Item], k: usize) -> Vec<Candidate> {
        let first = plain.iter().take(self.plain).enumerate().map(|(rank, output)| {
            let cost = rank as f64 - self.plain as f64;
            Candidate { sql: output.text.clone(), cost, log_prob: output.log_prob, origin: Origin::Plain { rank } }
        });
        let mut rest: Vec<Candidate> = items
            .iter()
            .map(|item| {
                let Item { template, rank, log_prob, .. } = *item;
                let cost = match self.by {
                    RankBy::Cost => self.template * template as f64 + self.rank * rank as f64,
                    RankBy::Prob => -log_prob,
                };
                Candidate { sql: item.sql.clone(), cost, log_prob, origin: Origin::Template { template, rank } }
            })
            .collect();
        rest.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        distinct(first.chain(rest), k)
    }
}

/// The candidates in one spelling, each query once, at most `k`.
pub fn distinct(candidates: impl IntoIterator<Item = Candidate>, k: usize) -> Vec<Candidate> {
    let mut seen = BTreeSet::new();
    let spelled = candidates.into_iter().map(|candidate| Candidate { sql: normalise(&candidate.sql), ..candidate });
    spelled.filter(|candidate| !candidate.sql.is_empty() && seen.insert(candidate.sql.clone())).take(k).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_two_come_first_and_places_rank_the_rest() {
        let output = |text: &str| Output { text: text.into(), log_prob: -1.0, score: -1.0, node: 0, dropped: None };
        let item =
            |sql: &str, template, rank| Item { sql: sql.into(), template, rank, log_prob: -((template * 10) as f64) + rank as f64 * 0.5 };
        let plain = [output("SELECT p1 ;"), output("select a"), output("select p3")];
        let items =
            [item("select a", 0, 0), item("select b", 0, 1), item("select c", 0, 2), item("select d", 1, 0), item("select  e", 1, 1)];
        let list = |merge: &Merge, k| merge.merge(&plain, &items, k).into_iter().map(|c| (c.sql, c.cost)).collect::<Vec<_>>();
        let named = |list: &[(&str, f64)]| list.iter().map(|(sql, cost)| (format!("select {sql}"), *cost)).collect::<Vec<_>>();
        // 3i + 2j: a 0 (already there), b 2, d 3, c 4, e 5.
        assert_eq!(list(&Merge::default(), 9), named(&[("p1", -2.0), ("a", -1.0), ("b", 2.0), ("d", 3.0), ("c", 4.0), ("e", 5.0)]));
        assert_eq!(list(&Merge::default(), 3), named(&[("p1", -2.0), ("a", -1.0), ("b", 2.0)]));
        let by = Merge { plain: 0, by: RankBy::Prob, ..Merge::default() };
        assert_eq!(list(&by, 2), named(&[("c", -1.0), ("b", -0.5)]));
    }
}

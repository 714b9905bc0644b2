//! How hard a query is, by the official count of its parts: easy, medium, hard, extra.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::query::{Aggregate, Comparison, Query, Term, Value, ValueUnit};

/// The four official levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hardness {
    Easy,
    Medium,
    Hard,
    Extra,
}

impl Hardness {
    pub const ALL: [Self; 4] = [Self::Easy, Self::Medium, Self::Hard, Self::Extra];
}

impl fmt::Display for Hardness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
            Self::Extra => "extra",
        })
    }
}

/// Level of a query as it was read, before anything is forgotten.
pub fn hardness(query: &Query) -> Hardness {
    let (parts, nested, others) = (parts(query), nested(query), others(query));
    if parts <= 1 && others == 0 && nested == 0 {
        Hardness::Easy
    } else if nested == 0 && ((others <= 2 && parts <= 1) || (parts <= 2 && others < 2)) {
        Hardness::Medium
    } else if (nested == 0 && ((others > 2 && parts <= 2) || (parts == 3 && others <= 2))) || (parts <= 1 && others == 0 && nested <= 1) {
        Hardness::Hard
    } else {
        Hardness::Extra
    }
}

fn lists(query: &Query) -> [&[Term]; 3] {
    [&query.on, &query.filter, &query.having]
}

/// Conditions: what stands at the even places of the three lists.
fn at_even_places(query: &Query) -> impl Iterator<Item = &Term> {
    lists(query).into_iter().flat_map(|terms| terms.iter().step_by(2))
}

/// Clauses, joins, OR and LIKE.
fn parts(query: &Query) -> usize {
    let clauses = [!query.filter.is_empty(), !query.group.is_empty(), query.order.is_some(), query.limit];
    let or = lists(query).into_iter().flat_map(|terms| terms.iter().skip(1).step_by(2)).filter(|term| **term == Term::Or).count();
    let like = |term: &&Term| matches!(term, Term::Condition(condition) if condition.comparison == Comparison::Like);
    let joins = query.from.len().saturating_sub(1);
    clauses.into_iter().filter(|there| *there).count() + joins + or + at_even_places(query).filter(like).count()
}

/// Queries in conditions and behind a set operation.
fn nested(query: &Query) -> usize {
    let inside = |term: &Term| match term {
        Term::Condition(c) => [&c.first, &c.second].into_iter().filter(|value| matches!(value, Value::Query(_))).count(),
        _ => 0,
    };
    at_even_places(query).map(inside).sum::<usize>() + usize::from(query.set.is_some())
}

/// More than one aggregate, select item, condition, group column. What counts as an aggregate in conditions is the official tool's way of counting: a
/// negation in WHERE, and in HAVING every connector too.
fn others(query: &Query) -> usize {
    let negated = |term: &Term| !matches!(term, Term::Condition(condition) if !condition.negated);
    let aggregated = |aggregate: Aggregate| aggregate != Aggregate::None;
    let in_unit = |unit: &ValueUnit| {
        usize::from(aggregated(unit.left.aggregate)) + usize::from(unit.right.is_some_and(|right| aggregated(right.aggregate)))
    };
    let aggregates = query.select.iter().filter(|(aggregate, _)| aggregated(*aggregate)).count()
        + query.filter.iter().step_by(2).filter(|term| negated(term)).count()
        + query.group.iter().filter(|unit| aggregated(unit.aggregate)).count()
        + query.order.iter().flat_map(|(_, units)| units).map(in_unit).sum::<usize>()
        + query.having.iter().filter(|term| negated(term)).count();
    let many = [aggregates > 1, query.select.len() > 1, query.filter.len() > 1, query.group.len() > 1];
    many.into_iter().filter(|more| *more).count()
}

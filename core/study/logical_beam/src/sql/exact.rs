//! Exact-set match: two queries are equal when each clause holds the same set of things.
//!
//! Ten clauses are compared, each right only when both sides have the same number of items and every item finds its equal; the queries match when all ten are
//! right and they read the same tables. Join conditions, limits' numbers, literals and DISTINCT never matter: an official, known weakness, and the reason for
//! [`super::strict`].
//!
//! **Source.** Yu et al., "Spider", EMNLP 2018; the verdicts of the evaluation tool of Zhong, Yu, Klein, EMNLP 2020.

use serde::{Deserialize, Serialize};

use super::{
    comparable::comparable,
    hardness::{Hardness, hardness},
    names::Names,
    parse::{ParseError, parse},
    query::{Comparison, Direction, Query, SetOperation, Term, ValueUnit},
};

/// Which clauses are right, under the official names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "one verdict a clause, as the official evaluator prints them")]
pub struct Components {
    pub select: bool,
    #[serde(rename = "select(no AGG)")]
    pub select_without_aggregates: bool,
    #[serde(rename = "where")]
    pub filter: bool,
    #[serde(rename = "where(no OP)")]
    pub filter_without_operators: bool,
    #[serde(rename = "group(no Having)")]
    pub group_without_having: bool,
    pub group: bool,
    pub order: bool,
    #[serde(rename = "and/or")]
    pub connectors: bool,
    #[serde(rename = "IUEN")]
    pub set_operations: bool,
    pub keywords: bool,
}

impl Components {
    /// The clauses in their official order, by name.
    pub fn named(&self) -> [(&'static str, bool); 10] {
        [
            ("select", self.select),
            ("select(no AGG)", self.select_without_aggregates),
            ("where", self.filter),
            ("where(no OP)", self.filter_without_operators),
            ("group(no Having)", self.group_without_having),
            ("group", self.group),
            ("order", self.order),
            ("and/or", self.connectors),
            ("IUEN", self.set_operations),
            ("keywords", self.keywords),
        ]
    }
}

/// What the official evaluator says about one prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the prediction can be read; one that cannot counts as the empty query.
    pub parses: bool,
    pub exact: bool,
    pub components: Components,
    /// Of the gold query.
    pub hardness: Hardness,
}

/// A gold query, read once and compared with many predictions.
#[derive(Debug, Clone)]
pub struct Gold<'a> {
    query: Query,
    hardness: Hardness,
    names: &'a Names,
}

impl<'a> Gold<'a> {
    /// Reads the gold query.
    ///
    /// # Errors
    /// When the evaluator cannot read it.
    pub fn new(sql: &str, names: &'a Names) -> Result<Self, ParseError> {
        let mut query = parse(sql, names)?;
        let hardness = hardness(&query);
        comparable(&mut query, names);
        Ok(Self { query, hardness, names })
    }

    pub fn hardness(&self) -> Hardness {
        self.hardness
    }

    /// Compares a prediction.
    pub fn judge(&self, prediction: &str) -> Verdict {
        let read = parse(prediction, self.names);
        let parses = read.is_ok();
        let mut query = read.unwrap_or_default();
        comparable(&mut query, self.names);
        let components = compare(&query, &self.query, self.names);
        Verdict { parses, exact: is_exact(&components, &query, &self.query), components, hardness: self.hardness }
    }
}

/// Whether every clause is right and both read the same tables (asked only where gold reads any).
fn is_exact(components: &Components, prediction: &Query, gold: &Query) -> bool {
    components.named().iter().all(|(_, right)| *right) && (gold.from.is_empty() || same_items(&prediction.from, &gold.from, |a, b| a == b))
}

/// Whether both lists hold the same items, each as often.
fn same_items<T>(a: &[T], b: &[T], equal: impl Fn(&T, &T) -> bool) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut left: Vec<&T> = b.iter().collect();
    a.iter().all(|item| left.iter().position(|other| equal(item, other)).map(|found| left.remove(found)).is_some())
}

/// Compares two queries made ready by [`comparable`].
fn compare(prediction: &Query, gold: &Query, names: &Names) -> Components {
    let (filter_a, filter_b) = (conditions(&prediction.filter), conditions(&gold.filter));
    let column_names = |query: &Query| query.group.iter().map(|unit| names.bare(unit.column)).collect::<Vec<_>>();
    Components {
        select: same_items(&prediction.select, &gold.select, |a, b| a == b),
        select_without_aggregates: same_items(&prediction.select, &gold.select, |a, b| a.1 == b.1),
        filter: same_items(&filter_a, &filter_b, |a, b| a == b),
        filter_without_operators: same_items(&filter_a, &filter_b, |a, b| unit_of(a) == unit_of(b)),
        group_without_having: same_items(&column_names(prediction), &column_names(gold), |a, b| a == b),
        group: same_groups(prediction, gold),
        order: match (&prediction.order, &gold.order) {
            (None, None) => true,
            (Some(a), Some(b)) => a == b && prediction.limit == gold.limit,
            _ => false,
        },
        connectors: same_connectors(&prediction.filter, &gold.filter),
        set_operations: same_set_operations(prediction, gold, names),
        keywords: keywords(prediction) == keywords(gold),
    }
}

/// The even places of a list of terms.
fn conditions(terms: &[Term]) -> Vec<&Term> {
    terms.iter().step_by(2).collect()
}

fn unit_of(term: &Term) -> Option<&ValueUnit> {
    if let Term::Condition(condition) = term { Some(&condition.unit) } else { None }
}

fn same_groups(prediction: &Query, gold: &Query) -> bool {
    if prediction.group.is_empty() || gold.group.is_empty() {
        return prediction.group.is_empty() && gold.group.is_empty();
    }
    let columns = |query: &Query| query.group.iter().map(|unit| unit.column).collect::<Vec<_>>();
    columns(prediction) == columns(gold) && prediction.having == gold.having
}

fn same_connectors(a: &[Term], b: &[Term]) -> bool {
    let within = |a: &[Term], b: &[Term]| a.iter().skip(1).step_by(2).all(|term| b.iter().skip(1).step_by(2).any(|other| other == term));
    within(a, b) && within(b, a)
}

fn same_set_operations(prediction: &Query, gold: &Query, names: &Names) -> bool {
    match (&prediction.set, &gold.set) {
        (None, None) => true,
        (Some((a, left)), Some((b, right))) => a == b && is_exact(&compare(left, right, names), left, right),
        _ => false,
    }
}

/// Which of the fourteen keywords a query uses.
fn keywords(query: &Query) -> [bool; 14] {
    let direction = query.order.as_ref().map(|(direction, _)| *direction);
    let operation = query.set.as_ref().map(|(operation, _)| *operation);
    let lists = [&query.on, &query.filter, &query.having];
    // What stands at an even place and is no condition counts as a negation.
    let any = |test: fn(&Term) -> bool| lists.iter().flat_map(|terms| terms.iter().step_by(2)).any(test);
    let compares = |term: &Term, comparison| matches!(term, Term::Condition(condition) if condition.comparison == comparison);
    // Connectors of the three lists, each list's places counted on their own.
    let or = lists.iter().flat_map(|terms| terms.iter().skip(1).step_by(2)).any(|term| *term == Term::Or);
    let in_list = lists.iter().flat_map(|terms| terms.iter().step_by(2)).any(|term| compares(term, Comparison::In));
    let like = lists.iter().flat_map(|terms| terms.iter().step_by(2)).any(|term| compares(term, Comparison::Like));
    [
        !query.filter.is_empty(),
        !query.group.is_empty(),
        !query.having.is_empty(),
        direction == Some(Direction::Ascending),
        direction == Some(Direction::Descending),
        direction.is_some(),
        query.limit,
        operation == Some(SetOperation::Except),
        operation == Some(SetOperation::Union),
        operation == Some(SetOperation::Intersect),
        or,
        any(|term| !matches!(term, Term::Condition(condition) if !condition.negated)),
        in_list,
        like,
    ]
}

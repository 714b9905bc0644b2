//! Plans: how many joins and how many select items, written before a template.
//!
//! A plan is the coarse shape of a query. Forcing other plans than the one a model prefers makes it write queries of another shape: that is how LogicalBeam comes to
//! readings a beam does not hold.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4.1. The prefix is written as in the release (the paper prints `|`).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::split;

/// The shape of a query. For nested queries the joins of all are counted and the items of the outermost SELECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Plan {
    pub joins: usize,
    pub selects: usize,
}

/// Why a text does not begin with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` does not begin with a plan like `1 joins @ 2 selects @`")]
pub struct PlanError(pub String);

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} joins @ {} selects @ ", self.joins, self.selects)
    }
}

impl Plan {
    /// The plan of a query.
    pub fn of(sql: &str) -> Self {
        let (mut depth, mut items, mut selecting, mut joins) = (0_usize, 0, false, 0);
        for token in quoted_as_one(sql) {
            match token.as_str() {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "join" => joins += 1,
                "select" if depth == 0 && items == 0 => (items, selecting) = (1, true),
                "from" if depth == 0 => selecting = false,
                "," if depth == 0 && selecting => items += 1,
                _ => {}
            }
        }
        Self { joins, selects: items }
    }

    /// Reads the prefix of a text, and gives what follows it.
    ///
    /// # Errors
    /// When the text does not begin with a plan.
    pub fn read(text: &str) -> Result<(Self, &str), PlanError> {
        let parts = || {
            let (joins, rest) = text.trim_start().split_once(" joins @ ")?;
            let (selects, rest) = rest.split_once(" selects @")?;
            Some((Self { joins: joins.parse().ok()?, selects: selects.parse().ok()? }, rest.trim_start()))
        };
        parts().ok_or_else(|| PlanError(text.chars().take(60).collect()))
    }

    /// This plan and its neighbours in the published order: one join fewer and more, one select item fewer and more. Plans of fewer than no joins, more than three, or no
    /// item are left out.
    pub fn counterfactuals(self) -> Vec<Self> {
        let Self { joins, selects } = self;
        let fewer = |n: usize| n.checked_sub(1);
        let near = [
            Some((joins, selects)),
            fewer(joins).map(|joins| (joins, selects)),
            Some((joins + 1, selects)),
            fewer(selects).map(|selects| (joins, selects)),
            Some((joins, selects + 1)),
        ];
        near.into_iter()
            .flatten()
            .filter(|(joins, selects)| *joins <= 3 && *selects > 0)
            .map(|(joins, selects)| Self { joins, selects })
            .collect()
    }
}

/// Tokens of a query in which quoted text cannot pass for anything else.
fn quoted_as_one(sql: &str) -> Vec<String> {
    let mut text = String::with_capacity(sql.len());
    let mut quote = None;
    for c in sql.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"' | '`') => {
                quote = Some(c);
                text.push('?');
            }
            None => text.extend(c.to_lowercase()),
        }
    }
    split(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_count_joins_and_outer_items() {
        for (sql, joins, selects) in [
            ("SELECT a, count(b, c) FROM t", 0, 2),
            ("select a from t as t1 join u as t2 on t1.x = t2.x where y in (select p, q from v join w)", 2, 1),
            ("select a, b from t union select c, d, e from u", 0, 2),
            ("select a from t where x = 'no join, really'", 0, 1),
            ("", 0, 0),
        ] {
            assert_eq!(Plan::of(sql), Plan { joins, selects }, "{sql}");
        }
    }

    #[test]
    fn the_prefix_is_read_back_or_refused() {
        let plan = Plan { joins: 1, selects: 2 };
        assert_eq!(Plan::read(&format!("{plan}select column")), Ok((plan, "select column")));
        for text in ["", "joins @ 2 selects @ x", "one joins @ 2 selects @ x", "1 joins | 2 selects | x", "-1 joins @ 2 selects @ x"] {
            assert!(Plan::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn neighbours_come_in_the_published_order() {
        let near = |joins, selects| Plan { joins, selects }.counterfactuals().iter().map(|p| (p.joins, p.selects)).collect::<Vec<_>>();
        assert_eq!(near(1, 2), [(1, 2), (0, 2), (2, 2), (1, 1), (1, 3)]);
        assert_eq!(near(0, 1), [(0, 1), (1, 1), (0, 2)]);
        assert_eq!(near(3, 1), [(3, 1), (2, 1), (3, 2)]);
    }
}

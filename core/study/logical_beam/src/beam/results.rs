//! Candidates by what they return: groups of equal results, and rankings that use them.
//!
//! **Idea.** Two texts that return the same rows are one answer, and one of them is enough to show. How many candidates agree on a result says how likely it is.
//!
//! **Method.** Each candidate runs once; two are in one group when test-suite execution match would take one for the other. The rankings: log-probability, by itself or for the length;
//! the list's own cost; what runs before what fails; votes, the size of a group; and minimum Bayes risk with equality of results as the measure, each candidate weighted by its
//! probability among the others.
//!
//! **Sources.** Execution clustering and voting: Li et al. 2022; Wang et al. 2023. Minimum Bayes risk: [`vitrine_core::decode::rerank`].

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::merge::Candidate;
use crate::sql::{
    execute::{Execute, ExecuteError},
    rows::{Rows, is_ordered, same_result},
    text::split,
};
use vitrine_core::decode::{LengthPenalty, rerank};

/// Candidates with one result.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Places in the list, ascending.
    pub members: Vec<usize>,
    pub rows: Result<Rows, ExecuteError>,
}

/// Groups by result, in the order of their first members; a candidate that fails is a group by itself.
///
/// # Errors
/// When there is no such database, or it cannot be read. That a query fails is no error.
pub fn groups(sql: &[&str], database: &str, executor: &mut dyn Execute) -> Result<Vec<Group>, ExecuteError> {
    let mut groups: Vec<Group> = vec![];
    for (place, text) in sql.iter().enumerate() {
        let rows = match executor.run(database, text) {
            Err(error @ (ExecuteError::NoDatabase(_) | ExecuteError::Unreadable { .. })) => return Err(error),
            rows => rows,
        };
        let same = |group: &&mut Group| match (&group.rows, &rows) {
            (Ok(a), Ok(b)) => {
                let ordered = is_ordered(text) || group.members.iter().any(|member| is_ordered(sql[*member]));
                same_result(a, b, ordered)
            }
            _ => false,
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.members.push(place),
            None => groups.push(Group { members: vec![place], rows }),
        }
    }
    Ok(groups)
}

/// A way to rank a list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The list's own order.
    Cost,
    LogProb,
    /// Log-probability divided by the number of words to this power.
    Length(f64),
    /// What runs first, then what fails.
    Execution,
    /// The result that most candidates give.
    Votes,
    /// The result of least risk.
    Mbr,
}

/// Why a list cannot be ranked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this ranking compares results, so it needs a database")]
pub struct NeedsDatabase;

impl Rank {
    /// Places in the list, best first; of equals the earlier stays first.
    ///
    /// # Errors
    /// [`NeedsDatabase`] where results are compared and there are none.
    pub fn order(self, list: &[Candidate], groups: Option<&[Group]>) -> Result<Vec<usize>, NeedsDatabase> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        let group = |place: usize| -> Result<Option<usize>, NeedsDatabase> {
            Ok(groups.ok_or(NeedsDatabase)?.iter().position(|group| group.rows.is_ok() && group.members.contains(&place)))
        };
        let groups = || (0..list.len()).map(group).collect::<Result<Vec<_>, _>>();
        let equal = |a: &Option<usize>, b: &Option<usize>| f64::from(u8::from(a.is_some() && a == b));
        match self {
            Self::Cost => {}
            Self::LogProb => order.sort_by(|a, b| list[*b].log_prob.total_cmp(&list[*a].log_prob)),
            Self::Length(power) => {
                let score = |place: usize| LengthPenalty::Power(power).score(list[place].log_prob, split(&list[place].sql).len());
                order.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
            }
            Self::Execution => {
                let groups = groups()?;
                order.sort_by_key(|place| groups[*place].is_none());
            }
            Self::Votes => order = rerank::minimum_bayes_risk(&groups()?, &vec![1.0; list.len()], equal),
            Self::Mbr => {
                let log_probs: Vec<f64> = list.iter().map(|candidate| candidate.log_prob).collect();
                order = rerank::minimum_bayes_risk(&groups()?, &rerank::posterior(&log_probs), equal);
            }
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::merge::Origin;
    use super::*;
    use crate::sql::rows::Value;

    /// Results by query.
    struct Known(BTreeMap<&'static str, Vec<i64>>);

    impl Execute for Known {
        fn run(&mut self, _: &str, sql: &str) -> Result<Rows, ExecuteError> {
            let rows = self.0.get(sql).ok_or_else(|| ExecuteError::Failed("no such column".into()))?;
            Ok(Rows { columns: vec!["x".into()], rows: rows.iter().map(|value| vec![Value::Integer(*value)]).collect() })
        }

        fn variants(&self, database: &str) -> Result<Vec<String>, ExecuteError> {
            Ok(vec![database.into()])
        }
    }

    #[test]
    fn equal_results_are_one_group_and_rankings_use_them() {
        let mut known = Known(BTreeMap::from([("a", vec![1, 2]), ("b", vec![2, 1]), ("c", vec![3]), ("d order by x", vec![2, 1])]));
        let sql = ["bad", "c", "a", "b", "d order by x"];
        let groups = groups(&sql, "d", &mut known).unwrap();
        let members: Vec<&[usize]> = groups.iter().map(|group| group.members.as_slice()).collect();
        assert_eq!(members, [&[0][..], &[1], &[2, 3], &[4]], "rows in another order are the same unless a query sorts");
        let candidate =
            |(sql, log_prob): (&&str, f64)| Candidate { sql: (*sql).to_owned(), cost: 0.0, log_prob, origin: Origin::Given { rank: 0 } };
        let list: Vec<Candidate> = sql.iter().zip([-0.1, -0.5, -2.0, -2.1, -2.0]).map(candidate).collect();
        let order = |rank: Rank| rank.order(&list, Some(&groups)).unwrap();
        assert_eq!(order(Rank::Cost), [0, 1, 2, 3, 4]);
        assert_eq!(order(Rank::Execution), [1, 2, 3, 4, 0]);
        assert_eq!(order(Rank::Votes), [2, 3, 1, 4, 0]);
        assert_eq!(order(Rank::Mbr), [1, 2, 3, 4, 0], "one likely query outweighs two unlikely ones");
        assert_eq!(order(Rank::LogProb), [0, 1, 2, 4, 3]);
        assert_eq!(order(Rank::Length(1.0))[0], 0);
        assert_eq!(Rank::Mbr.order(&list, None), Err(NeedsDatabase));
    }
}

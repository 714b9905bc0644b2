//! Stage 1: templates of the plan that the model prefers and of its neighbours.
//!
//! **Method.** A template is decoded freely and its plan read. That plan and those with one join or one select item fewer or more are forced one after another as the beginning of
//! the text, and the model goes on greedily: at most five templates. With a width above 1 a beam goes on, and the plan itself gives up to three templates, one with another
//! number of joins two (three where the plan has none), one with another number of items one.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4.2 and the released code.

use serde::{Deserialize, Serialize};

use super::{
    asked::{Asked, BeamError},
    record::{Output, Purpose, Record},
};
use crate::{
    sql::{plan::Plan, text::normalise},
    stages::Stage,
};
use vitrine_core::decode::{Beam, ForcedText, Greedy, Method, Unconstrained};

/// How plans are varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plans {
    /// 1 is greedy.
    pub width: usize,
    /// From four joins on, one and two joins fewer instead of one fewer and one more; without, plans of more than three joins are left out.
    pub released: bool,
}

impl Default for Plans {
    fn default() -> Self {
        Self { width: 1, released: false }
    }
}

/// What follows a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub plan: Plan,
    /// In one spelling.
    pub text: String,
    pub log_prob: f64,
}

impl Plans {
    /// The plans to force, the preferred one first.
    pub fn around(self, plan: Plan) -> Vec<Plan> {
        let Plan { joins, selects } = plan;
        let mut plans = if self.released && joins >= 4 {
            let near =
                [(joins, selects), (joins - 1, selects), (joins - 2, selects), (joins, selects.saturating_sub(1)), (joins, selects + 1)];
            near.into_iter().filter(|(_, selects)| *selects > 0).map(|(joins, selects)| Plan { joins, selects }).collect()
        } else {
            plan.counterfactuals()
        };
        // A plan out of bounds is still what the model prefers.
        if plans.is_empty() {
            plans.push(plan);
        }
        plans
    }

    /// Texts kept of a plan, where `base` is the preferred one.
    fn kept(self, plan: Plan, base: Plan) -> usize {
        match (self.width, plan.joins == base.joins, plan.selects == base.selects) {
            (2.., true, true) => 3,
            (2.., false, _) => 2 + usize::from(base.joins == 0),
            _ => 1,
        }
    }

    /// What the model writes behind each plan, templates or queries; of equal texts the first. A plan that cannot be read is noted, and what was decoded freely is then all there is.
    ///
    /// # Errors
    /// What the search says.
    pub fn decode(self, asked: &Asked<'_>, what: What, record: &mut Record) -> Result<Vec<Planned>, BeamError> {
        let free = asked.search(what.free(), what.stage(), (&Greedy, 1), &Unconstrained, record)?;
        let Some(free) = free.first() else { return Ok(vec![]) };
        let base = match Plan::read(&free.text) {
            Ok((plan, _)) => plan,
            Err(error) => {
                record.notes.push(format!("the plan cannot be read: {error}"));
                return Ok(vec![]);
            }
        };
        let mut found: Vec<Planned> = vec![];
        for plan in self.around(base) {
            // Greedily, forcing what the model prefers gives the same again.
            let outputs = if plan == base && self.width <= 1 { vec![free.clone()] } else { self.forced(asked, what, plan, base, record)? };
            for output in outputs.iter().filter(|output| output.dropped.is_none()) {
                match Plan::read(&output.text) {
                    Ok((read, text)) if read == plan => {
                        let text = normalise(text);
                        if !text.is_empty() && !found.iter().any(|other| other.text == text) {
                            found.push(Planned { plan, text, log_prob: output.log_prob });
                        }
                    }
                    Ok((read, _)) => record.notes.push(format!("`{plan}` was asked for, `{read}` came")),
                    Err(error) => record.notes.push(format!("the plan cannot be read: {error}")),
                }
            }
        }
        Ok(found)
    }

    fn forced(self, asked: &Asked<'_>, what: What, plan: Plan, base: Plan, record: &mut Record) -> Result<Vec<Output>, BeamError> {
        let prefix = plan.to_string();
        let forced = ForcedText::new(&asked.lexicon, &prefix).ok_or(BeamError::Unspellable(prefix))?;
        let (greedy, beam) = (Greedy, Beam::new(self.width));
        let method: &dyn Method = if self.width <= 1 { &greedy } else { &beam };
        asked.search(what.forced(plan), what.stage(), (method, self.kept(plan, base)), &forced, record)
    }
}

/// What stands behind a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Templates,
    /// Queries in one stage.
    Queries,
}

impl What {
    fn stage(self) -> Stage<'static> {
        match self {
            Self::Templates => Stage::Template,
            Self::Queries => Stage::PlannedQuery,
        }
    }

    fn free(self) -> Purpose {
        match self {
            Self::Templates => Purpose::FreeTemplate,
            Self::Queries => Purpose::FreePlannedQuery,
        }
    }

    fn forced(self, plan: Plan) -> Purpose {
        match self {
            Self::Templates => Purpose::Template { plan },
            Self::Queries => Purpose::PlannedQuery { plan },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_around_one_and_how_many_texts_each_gives() {
        let plan = |joins, selects| Plan { joins, selects };
        let around = |released, joins, selects| Plans { width: 1, released }.around(plan(joins, selects));
        assert_eq!(around(false, 1, 2), [plan(1, 2), plan(0, 2), plan(2, 2), plan(1, 1), plan(1, 3)]);
        assert_eq!(around(true, 0, 1), [plan(0, 1), plan(1, 1), plan(0, 2)]);
        assert_eq!(around(true, 4, 2), [plan(4, 2), plan(3, 2), plan(2, 2), plan(4, 1), plan(4, 3)]);
        assert_eq!(around(false, 4, 2), [plan(3, 2)]);
        assert_eq!(around(false, 9, 1), [plan(9, 1)]);
        let kept = |width, a, base| Plans { width, released: false }.kept(a, base);
        assert_eq!((kept(1, plan(1, 1), plan(1, 1)), kept(3, plan(1, 1), plan(1, 1))), (1, 3));
        assert_eq!((kept(3, plan(0, 1), plan(1, 1)), kept(3, plan(1, 1), plan(0, 1)), kept(3, plan(1, 2), plan(1, 1))), (2, 3, 1));
    }
}

//! Every way to a list of queries, under one name each: the paper's baselines, LogicalBeam with its ablations, and schema masking.
//!
//! A list holds at most k queries, each once, in ascending order of cost. Baselines search [`Stage::Query`]; those that sample draw [`Limits::samples`] queries, and the order is
//! that of the draws, as nothing ranks them. How each is adjusted is [`super::choice`].
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 5; each method's own file in [`vitrine_core::decode`] names where it comes from.

use serde::{Deserialize, Serialize};

use super::{
    asked::{Asked, BeamError, Limits},
    logical_beam::LogicalBeam,
    masking::Masking,
    merge::{Candidate, Origin, distinct},
    record::{Output, Purpose, Record},
};
use crate::stages::Stage;
use vitrine_core::decode::{
    Beam, Constraint, Diverse, EarlyStop, Filter, Greedy, LengthPenalty, Method, Sample, Stochastic, Unconstrained,
};

/// A way to a list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decoder")]
pub enum Decoder {
    Greedy,
    Temperature {
        temperature: f64,
    },
    TopK {
        k: usize,
    },
    TopP {
        p: f64,
    },
    MinP {
        m: f64,
    },
    Typical {
        p: f64,
    },
    Epsilon {
        e: f64,
    },
    Eta {
        e: f64,
    },
    Beam {
        width: usize,
        /// What ended texts are ranked by.
        #[serde(default)]
        penalty: LengthPenalty,
    },
    Diverse {
        groups: usize,
        width: usize,
        strength: f64,
    },
    Stochastic {
        width: usize,
    },
    LogicalBeam(LogicalBeam),
    Masking(Masking),
}

/// A question's list and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct List {
    /// The best first.
    pub candidates: Vec<Candidate>,
    pub record: Record,
}

impl Decoder {
    /// All by name, in the order of the paper's table, with its settings.
    pub fn all() -> Vec<(&'static str, Self)> {
        let beam = |width| Self::Beam { width, penalty: LengthPenalty::None };
        vec![
            ("greedy", Self::Greedy),
            ("temperature", Self::Temperature { temperature: 0.6 }),
            ("top-k", Self::TopK { k: 25 }),
            ("top-p", Self::TopP { p: 0.9 }),
            ("min-p", Self::MinP { m: 0.05 }),
            ("typical", Self::Typical { p: 0.9 }),
            ("epsilon", Self::Epsilon { e: 9e-4 }),
            ("eta", Self::Eta { e: 9e-4 }),
            ("beam", beam(10)),
            ("beam-15", beam(15)),
            ("beam-20", beam(20)),
            ("diverse", Self::Diverse { groups: 5, width: 2, strength: 0.5 }),
            ("stochastic", Self::Stochastic { width: 10 }),
            ("logical-beam", Self::LogicalBeam(LogicalBeam::default())),
            ("one-stage", Self::LogicalBeam(LogicalBeam::one_stage())),
            ("plain-beams", Self::LogicalBeam(LogicalBeam::plain_beams())),
            ("plain-fill", Self::LogicalBeam(LogicalBeam::plain_fill())),
            ("wide-plans", Self::LogicalBeam(LogicalBeam::wide_plans())),
            ("masking", Self::Masking(Masking::default())),
        ]
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|(known, _)| *known == name).map(|(_, decoder)| decoder)
    }

    /// The list of a question; what it cost is in the record.
    ///
    /// # Errors
    /// A stage that the model does not have, settings out of range, a scorer that fails.
    pub fn list(&self, asked: &Asked<'_>) -> Result<List, BeamError> {
        self.constrained(asked, &Unconstrained)
    }

    /// The same with a constraint on the queries of methods in one stage; the others keep to the rules they have.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn constrained(&self, asked: &Asked<'_>, constraint: &dyn Constraint) -> Result<List, BeamError> {
        let mut record = Record::default();
        let candidates = match self {
            Self::LogicalBeam(method) => method.decode(asked, &mut record)?,
            Self::Masking(method) => method.decode(asked, &mut record)?,
            _ => {
                let (method, outputs, ranked) = self.method(asked.limits);
                let outputs = asked.search(Purpose::Query, Stage::Query, (&*method, outputs), constraint, &mut record)?;
                distinct(plain(&outputs, ranked), asked.limits.k)
            }
        };
        Ok(List { candidates, record })
    }

    /// The method of a baseline, how many texts it gives, and what ranks them.
    fn method(&self, limits: Limits) -> (Box<dyn Method>, usize, Ranked) {
        let samples = limits.samples;
        let sample = |temperature, filters| (Box::new(Sample { samples, temperature, filters }) as Box<dyn Method>, samples, Ranked::Draw);
        let filtered = |filter| sample(1.0, vec![filter]);
        match *self {
            Self::Temperature { temperature } => sample(temperature, vec![]),
            Self::TopK { k } => filtered(Filter::TopK(k)),
            Self::TopP { p } => filtered(Filter::TopP(p)),
            Self::MinP { m } => filtered(Filter::MinP(m)),
            Self::Typical { p } => filtered(Filter::Typical(p)),
            Self::Epsilon { e } => filtered(Filter::Epsilon(e)),
            Self::Eta { e } => filtered(Filter::Eta(e)),
            Self::Beam { width, penalty } => (Box::new(Beam { width, penalty, early_stop: EarlyStop::Certain }), width, Ranked::Score),
            Self::Diverse { groups, width, strength } => {
                (Box::new(Diverse { groups, width, strength }), groups.saturating_mul(width), Ranked::LogProb)
            }
            Self::Stochastic { width } => (Box::new(Stochastic { width }), width, Ranked::LogProb),
            Self::Greedy | Self::LogicalBeam(_) | Self::Masking(_) => (Box::new(Greedy), 1, Ranked::LogProb),
        }
    }
}

/// By what the texts of a search are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ranked {
    /// Nothing: the order of the draws.
    Draw,
    /// What the method ranks by.
    Score,
    /// Probability, as groups of a diverse beam come one after another and a stochastic beam is ordered by chance.
    LogProb,
}

/// Texts of one search as candidates.
fn plain(outputs: &[Output], ranked: Ranked) -> Vec<Candidate> {
    let by = |output: &Output| if ranked == Ranked::Score { output.score } else { output.log_prob };
    let mut outputs: Vec<&Output> = outputs.iter().filter(|output| output.dropped.is_none()).collect();
    if ranked != Ranked::Draw {
        outputs.sort_by(|a, b| by(b).total_cmp(&by(a)));
    }
    let candidate = |(rank, output): (usize, &Output)| Candidate {
        sql: output.text.clone(),
        cost: if ranked == Ranked::Draw { rank as f64 } else { -by(output) },
        log_prob: output.log_prob,
        origin: Origin::Plain { rank },
    };
    outputs.into_iter().enumerate().map(candidate).collect()
}

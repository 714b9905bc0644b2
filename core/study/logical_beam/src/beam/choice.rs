//! What a person chooses of a decoder, as plain data: command line and page ask for the same thing in these words.
//!
//! **Idea.** A decoder's settings differ by method, but what people turn is the same few things: how many queries are held, what lengths cost, how strongly groups shun each other, how
//! much mass sampling keeps. A name and these make a [`Decoder`]; a setting that a method does not have is refused rather than passed over.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{asked::Limits, decoder::Decoder, infill::Infill, logical_beam::Fill, masking::Masking, merge::RankBy};
use vitrine_core::decode::LengthPenalty;

/// A decoder by name, and what is set otherwise than usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Choice {
    /// One of [`Decoder::all`].
    pub method: String,
    /// Queries held at once, or drawn.
    pub width: Option<usize>,
    /// Power of the length that log-probabilities of ended queries are divided by.
    pub penalty: Option<f64>,
    /// What a group pays, in nats, for a token that an earlier one chose.
    pub strength: Option<f64>,
    /// Mass that sampling keeps.
    pub mass: Option<f64>,
    /// Fork at the first token of each name, as the published code does.
    pub first_token: bool,
    /// Rank queries of templates by probability, not by places.
    pub rank_prob: bool,
}

/// Why a choice is no decoder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChoiceError {
    #[error("there is no method {name}; there are: {known}")]
    Unknown { name: String, known: String },
    #[error("{setting} belongs to {methods}, not to {name}")]
    NotOf { setting: &'static str, methods: &'static str, name: String },
}

impl Choice {
    /// The decoder. How many queries are drawn is a limit of all that sample, and is set there.
    ///
    /// # Errors
    /// [`ChoiceError`] for a name that is none, and for a setting that the method does not have.
    pub fn decoder(&self, limits: &mut Limits) -> Result<Decoder, ChoiceError> {
        let mut decoder = Decoder::from_name(&self.method).ok_or_else(|| {
            let known: Vec<&str> = Decoder::all().into_iter().map(|(name, _)| name).collect();
            ChoiceError::Unknown { name: self.method.clone(), known: known.join(", ") }
        })?;
        let not_of = |setting, methods| ChoiceError::NotOf { setting, methods, name: self.method.clone() };
        if let Some(n) = self.width {
            match &mut decoder {
                Decoder::Beam { width, .. } | Decoder::Stochastic { width } | Decoder::Masking(Masking { width, .. }) => *width = n,
                Decoder::LogicalBeam(method) => method.width = n,
                // Groups of two, as by default; of one where that does not come out.
                Decoder::Diverse { groups, width, .. } => (*groups, *width) = if n % 2 == 0 { (n / 2, 2) } else { (n, 1) },
                Decoder::Greedy => return Err(not_of("the width", "methods that hold or draw several queries")),
                _ => limits.samples = n,
            }
        }
        if let Some(power) = self.penalty {
            let asked = if power == 0.0 { LengthPenalty::None } else { LengthPenalty::Power(power) };
            match &mut decoder {
                Decoder::Beam { penalty, .. } => *penalty = asked,
                Decoder::LogicalBeam(method) => method.penalty = asked,
                _ => return Err(not_of("the length penalty", "beam and logical-beam")),
            }
        }
        if let Some(nats) = self.strength {
            let Decoder::Diverse { strength, .. } = &mut decoder else { return Err(not_of("the strength", "diverse")) };
            *strength = nats;
        }
        if let Some(mass) = self.mass {
            match &mut decoder {
                Decoder::TopP { p } | Decoder::Typical { p } => *p = mass,
                _ => return Err(not_of("the mass", "top-p and typical")),
            }
        }
        if self.rank_prob || self.first_token {
            let Decoder::LogicalBeam(method) = &mut decoder else {
                return Err(not_of("ranking by probability or forking at first tokens", "logical-beam"));
            };
            if self.rank_prob {
                method.merge.by = RankBy::Prob;
            }
            if self.first_token {
                let Fill::Restricted(fill) = method.fill else {
                    return Err(not_of("forking at first tokens", "methods that fill templates by infilling"));
                };
                method.fill = Fill::Restricted(Infill { first_token: true, ..fill });
            }
        }
        Ok(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beam::LogicalBeam;

    #[test]
    fn settings_reach_the_methods_that_have_them_and_no_other() {
        let mut limits = Limits::default();
        let mut made = |choice: Choice| choice.decoder(&mut limits);
        let named = |method: &str| Choice { method: method.into(), ..Choice::default() };
        for (name, decoder) in Decoder::all() {
            assert_eq!(made(named(name)), Ok(decoder), "{name} as it is");
        }
        assert_eq!(
            made(Choice { width: Some(6), penalty: Some(0.7), ..named("beam") }),
            Ok(Decoder::Beam { width: 6, penalty: LengthPenalty::Power(0.7) })
        );
        assert_eq!(
            made(Choice { width: Some(7), strength: Some(1.0), ..named("diverse") }),
            Ok(Decoder::Diverse { groups: 7, width: 1, strength: 1.0 })
        );
        let merge = crate::beam::merge::Merge { by: RankBy::Prob, ..Default::default() };
        assert_eq!(
            made(Choice { width: Some(4), rank_prob: true, ..named("logical-beam") }),
            Ok(Decoder::LogicalBeam(LogicalBeam { width: 4, merge, ..LogicalBeam::default() }))
        );
        assert_eq!(made(Choice { width: Some(3), mass: Some(0.5), ..named("top-p") }), Ok(Decoder::TopP { p: 0.5 }));
        let refused = [
            named("best"),
            Choice { width: Some(2), ..named("greedy") },
            Choice { penalty: Some(1.0), ..named("top-p") },
            Choice { strength: Some(1.0), ..named("beam") },
            Choice { mass: Some(0.5), ..named("beam") },
            Choice { first_token: true, ..named("plain-fill") },
            Choice { rank_prob: true, ..named("masking") },
        ];
        for choice in refused {
            assert!(made(choice.clone()).is_err(), "{choice:?}");
        }
        assert_eq!(limits.samples, 3);
    }
}

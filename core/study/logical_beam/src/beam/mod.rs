//! LogicalBeam over any text-to-SQL model, and everything it is compared with.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`decoder`] | every way to a list of queries under one name |
//! | [`logical_beam`] | the method and its ablations, of [`plans`] (stage 1), [`infill`] over [`target`] (stage 2) and [`merge`] |
//! | [`masking`] | decoding again with names of the schema hidden |
//! | [`results`] | groups of equal results, and rankings that use them |
//! | [`difference`] | what one reading does that another does not, in words |
//! | [`preference`] | which readings a person chose, and what they bring forward later |
//! | [`choice`] | what a person chooses of a decoder, as plain data |
//! | [`asked`], [`record`] | a question being decoded; every search of it as plain data |
//! | [`answer`], [`ladder`] | the list, and the way from plans to queries, as people read them |
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4.

pub mod answer;
pub mod asked;
pub mod choice;
pub mod decoder;
pub mod difference;
pub mod infill;
pub mod ladder;
pub mod logical_beam;
pub mod masking;
pub mod merge;
pub mod plans;
pub mod preference;
pub mod record;
pub mod results;
pub mod target;

pub use asked::{Asked, BeamError, Limits};
pub use decoder::{Decoder, List};
pub use logical_beam::LogicalBeam;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod toy;

//! What a circuit is asked to do: tasks as pairs of prompts, and how the answers are scored.
//!
//! **Idea.** A circuit is judged on contrasts. Each example is a *clean* prompt and a *corrupted* prompt of the same number of tokens
//! in which the one fact that matters differs; activations of the second stand in for every edge that a circuit leaves out.
//!
//! **Method.** Text first: a [`Pair`] holds two prompts and what is predicted, and needs no tokenizer. [`encode`](encode::encode) turns it into
//! token ids for one model and refuses everything that would compare unlike things: different token counts, answers of several
//! tokens, an empty split. Pairs come from generators ([`ioi`], [`greater_than`], [`pronoun`], [`boolean`], and [`tiny`] for a model trained
//! on the spot), from rows that were made earlier ([`rows`]), from a user's file ([`custom`]) or from a compiled program ([`tracr`]).
//! [`metrics`] and [`mib`] are the figures reported, as functions of plain numbers.
//!
//! **Source.** The tasks are those of Bhaskar et al., "Finding Transformer Circuits with Edge Pruning" (2024), section 4; sentence frames
//! and word lists are vitrine's own.

pub mod boolean;
pub mod custom;
pub mod encode;
pub mod generate;
pub mod greater_than;
pub mod ioi;
pub mod kendall;
pub mod lines;
pub mod metrics;
pub mod mib;
pub mod pair;
pub mod pronoun;
pub mod rows;
pub mod score;
pub mod tiny;
pub mod tracr;
pub mod vocab;
pub mod words;

#[cfg(test)]
mod data_tests;

pub use encode::{EncodeError, EncodeOptions, Encoded, Scoring, TargetKind, encode, encode_split};
pub use generate::{GenerateError, Generator};
pub use pair::{Pair, Predict, Split};

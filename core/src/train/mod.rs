//! Training: randomness, optimisers, schedules, gates.

pub mod adamw;
pub mod hard_concrete;
#[cfg(feature = "training")]
pub mod language_model;
pub mod rng;
pub mod schedule;

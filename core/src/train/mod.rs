//! Training: randomness, optimisers, schedules, gates.

pub mod adamw;
pub mod hard_concrete;
pub mod language_model;
pub mod rng;
pub mod schedule;

//! Training: randomness, optimisers, schedules, gates.

pub mod adamw;
pub mod backward;
pub mod checkpoint;
pub mod cross_entropy;
pub mod hard_concrete;
pub mod language_model;
pub mod mat;
pub mod rng;
pub mod schedule;

//! One body of tests for every device: the CPU, or those that `VITRINE_TEST_DEVICES` names.
#![expect(clippy::unwrap_used, reason = "what cannot be made here is a failed test")]

mod models;
mod pruning;
mod screenshots;
mod streams;

//! One body of tests for every device: the CPU, or those that `VITRINE_TEST_DEVICES` names.

mod models;
mod pruning;
mod streams;

//! Training: texts become pictures and labels, losses become gradients, steps become checkpoints.

pub mod corpus;
pub mod encoder;
pub mod examples;
pub mod finetune;
pub mod masked;
pub mod metrics;
pub mod objective;
pub mod pretrain;
pub mod state;
pub mod steps;
pub mod tsv;

#[cfg(test)]
mod tests;

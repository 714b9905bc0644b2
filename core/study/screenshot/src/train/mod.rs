//! Training: texts become pictures and labels, losses become gradients, steps become checkpoints.

pub mod ahead;
pub mod corpus;
pub mod encoder;
pub mod examples;
pub mod finetune;
pub mod learner;
pub mod masked;
pub mod metrics;
pub mod objective;
#[cfg(feature = "burn")]
pub mod on_device;
pub mod pretrain;
pub mod state;
pub mod steps;
pub mod tsv;

#[cfg(test)]
mod tests;

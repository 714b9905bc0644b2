//! Training: texts become pictures and labels, losses become gradients, steps become checkpoints.

pub mod corpus;
pub mod examples;
pub mod finetune;
pub mod objective;
pub mod pretrain;
pub mod state;
pub mod tsv;

#[cfg(test)]
mod tests;

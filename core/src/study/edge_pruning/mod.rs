//! Edge Pruning: circuits found by pruning the edges between components by gradient.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`tasks`] | prompts, answers, metrics |
//! | [`circuit`] | sets of edges: clean-up, comparison, formats |
//! | [`problem`] | a model with a task's examples and an ablation: what all methods run |
//! | [`objective`] | losses and their gradients |
//! | [`prune`], [`checkpoint`], [`rounds`] | the method; cutting in rounds |
//! | [`attribution`], [`patching`] | baselines: EAP, EAP-IG, single edges, ACDC |
//! | [`evaluate`] | running circuits |
//! | [`golden`] | comparison with what other implementations computed |
//!
//! **Source.** Bhaskar, Wettig, Friedman, Chen, "Finding Transformer Circuits with Edge Pruning", NeurIPS 2024.

pub mod attribution;
pub mod checkpoint;
pub mod circuit;
pub mod compare_methods;
pub mod evaluate;
pub mod golden;
pub mod objective;
pub mod patching;
pub mod problem;
pub mod programs;
pub mod prune;
pub mod rounds;
#[cfg(feature = "training")]
pub mod run;
pub mod tasks;

//! Edge Pruning: circuits found by pruning the edges between components by gradient.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`tasks`] | prompts, answers, metrics |
//! | [`circuit`] | sets of edges: clean-up, comparison, formats |
//! | [`problem`] | a model with a task's examples and an ablation: what all methods run |
//! | [`objective`] | losses and their gradients |
//! | [`prune`], `batches`, [`checkpoint`], [`rounds`] | the method; cutting in rounds |
//! | [`attribution`], [`patching`] | baselines: EAP, EAP-IG, single edges, ACDC |
//! | [`warm_start`] | gates from another method's scores |
//! | [`evaluate`] | running circuits |
//! | [`run`], [`presets`], [`shown`] | the study as one run, its settings by name, what it shows |
//! | [`golden`] | comparison with what other implementations computed |
//! | [`small`] | the transformer that the study trains itself |
//! | [`inspect`] | a circuit on the table: for pages and commands that look at one |
//! | [`exhibit`], [`recompute`] | what a report carries of a run; its numbers made again |
//!
//! **Source.** Bhaskar, Wettig, Friedman, Chen, "Finding Transformer Circuits with Edge Pruning", NeurIPS 2024.
#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests read fixtures and say what they skip"))]

pub mod attribution;
mod batches;
pub mod checkpoint;
pub mod circuit;
pub mod compare_methods;
pub mod evaluate;
pub mod exhibit;
pub mod golden;
pub mod inspect;
pub mod objective;
pub mod patching;
pub mod presets;
pub mod problem;
pub mod programs;
pub mod prune;
pub mod recompute;
pub mod rounds;
pub mod run;
pub mod shown;
pub mod small;
pub mod tasks;
pub mod warm_start;

#[cfg(test)]
mod mean_tests;

//! Edge Pruning in rounds: for models whose true circuit must be found exactly.
//!
//! **Idea.** With many gates drawn at once, the chance loss of one gate drowns in that of the others, and compiled programs with their large constants break when any gate is half open. Cut for good
//! what one run could do without, and train anew on the rest: fewer random gates, less noise.
//!
//! **Method.** A round is one run of [`prune`](super::prune) on the edges still there, from fresh log alphas. At each of `snapshots` evenly spaced steps the edges are ranked by log alpha, and bisection
//! finds a small number of largest ones whose circuit is right; dead ends are dropped. The smallest right circuit of the round is what the next one starts from. The search ends after `patience` rounds
//! that cut nothing, or `max_rounds`.
//!
//! **Source.** Own addition; rewinding after each cut is Frankle and Carbin 2019.

use serde::{Deserialize, Serialize};

use super::{
    circuit::{Circuit, cleanup::clean_up},
    problem::{Problem, PruneError},
    prune::{PruneConfig, PruneState, Trainer},
};
use crate::{
    lab::{Lab, LabError},
    model::{Graph, stream::Ablation},
    train::hard_concrete::keep_largest,
};

/// Settings of a search in rounds. The defaults recover the compiled programs' circuits (see [`programs`](super::programs)); all programs and both ablations share them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoundsConfig {
    /// One round's run. Each round draws from a seed of its own, made from this one.
    pub prune: PruneConfig,
    pub max_rounds: u64,
    /// Rounds in a row that may cut nothing.
    pub patience: u64,
    /// Times a round looks for a smaller right circuit.
    pub snapshots: u64,
}

impl Default for RoundsConfig {
    fn default() -> Self {
        let prune = PruneConfig {
            steps: 1500,
            batch_size: 16,
            edge_target: 1.02,
            sparsity_warm_up: 1425,
            lr_warm_up: 150,
            lr_log_alpha: 0.1,
            lr_lambda: 0.005,
            // All gates in play from the first step: rounds are short.
            init_mean: 2.0,
            // Practically no clipping: joint clipping would shrink the penalty whenever a draw breaks the program.
            max_grad_norm: 1000.0,
            loss_scale: 30.0,
            cache_references: true,
            ..PruneConfig::default()
        };
        Self { prune, max_rounds: 60, patience: 5, snapshots: 20 }
    }
}

/// A round's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Edges left after it.
    pub edges: usize,
    /// Step of the snapshot that gave them; 0 where the round cut nothing.
    pub step: u64,
}

/// Searches for the smallest circuit that `right` accepts. `None` where even the whole graph is not right.
///
/// # Errors
/// [`PruneError::Config`], [`PruneError::NotFinite`]; [`LabError::Stopped`]; errors of `right`.
pub fn search(
    problem: &Problem,
    config: &RoundsConfig,
    right: &mut dyn FnMut(&[bool]) -> Result<bool, PruneError>,
    lab: &mut dyn Lab,
) -> Result<Option<(Vec<bool>, Vec<Round>)>, PruneError> {
    let mut best = vec![true; problem.graph.n_edges()];
    if !right(&best)? {
        return Ok(None);
    }
    let mut rounds: Vec<Round> = vec![];
    let every = (config.prune.steps / config.snapshots.max(1)).max(1);
    let mut idle = 0;
    while idle < config.patience && (rounds.len() as u64) < config.max_rounds && best.contains(&true) {
        let round = rounds.len() as u64;
        let run = PruneConfig { seed: config.prune.seed.wrapping_add(round << 32), ..config.prune.clone() };
        let mut state = PruneState::new(&problem.graph, &run);
        state.edges.cut_for_good(&best);
        let mut trainer = Trainer::new(problem, &run)?;
        let mut step = 0;
        while state.step < run.steps {
            trainer.step(&mut state)?;
            if state.step.is_multiple_of(every) || state.step == run.steps {
                if let Some(smaller) = smallest_right(&problem.graph, problem.ablation, &state.edges.log_alpha, count(&best), right)? {
                    (best, step) = (smaller, state.step);
                }
                lab.progress("rounds", round * run.steps + state.step, config.max_rounds * run.steps);
                if lab.stop_requested() {
                    return Err(LabError::Stopped { step: round * run.steps + state.step }.into());
                }
            }
        }
        idle = if step == 0 { idle + 1 } else { 0 };
        rounds.push(Round { edges: count(&best), step });
    }
    Ok(Some((best, rounds)))
}

/// A right circuit of fewer than `below` edges among those of the largest values, if bisection finds one.
fn smallest_right(
    graph: &Graph,
    ablation: Ablation,
    values: &[f32],
    below: usize,
    right: &mut dyn FnMut(&[bool]) -> Result<bool, PruneError>,
) -> Result<Option<Vec<bool>>, PruneError> {
    let mut nested = |k: usize| -> Result<Option<Vec<bool>>, PruneError> {
        let kept = keep_largest(values, k);
        Ok(if right(&kept)? { Some(without_dead_ends(graph, ablation, kept)) } else { None })
    };
    let Some(top) = below.checked_sub(1) else { return Ok(None) };
    let Some(mut found) = nested(top)? else { return Ok(None) };
    let (mut low, mut high) = (0, top);
    while low < high {
        let middle = usize::midpoint(low, high);
        match nested(middle)? {
            Some(kept) => (found, high) = (kept, middle),
            None => low = middle + 1,
        }
    }
    Ok(Some(found))
}

/// Drops edges that cannot change the output: rightness stays as it is.
fn without_dead_ends(graph: &Graph, ablation: Ablation, kept: Vec<bool>) -> Vec<bool> {
    let nodes = vec![true; graph.n_writers()];
    match Circuit::from_masks(graph, kept.clone(), nodes) {
        Ok(circuit) => clean_up(&circuit, ablation).0.edges().to_vec(),
        Err(_) => kept,
    }
}

fn count(kept: &[bool]) -> usize {
    kept.iter().filter(|k| **k).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::{EmbeddingNodes, GraphShape};

    #[test]
    fn bisection_finds_the_edges_that_matter_and_drops_dead_ends() -> Result<(), PruneError> {
        let shape = GraphShape { n_layers: 1, n_heads: 1, n_kv_heads: 1, embedding_nodes: EmbeddingNodes::Split };
        let Ok(graph) = Graph::new(shape) else { return Err(PruneError::NoExamples) };
        let n = graph.n_edges();
        let last = n - 1;
        // Ranked by edge id, last first: the last edge (the MLP to the output) matters, and so does the fourth from the end.
        let values: Vec<f32> = (0..n).map(|e| e as f32).collect();
        let mut right = |kept: &[bool]| Ok(kept[last] && kept[last - 3]);
        let found = smallest_right(&graph, Ablation::Zero, &values, n, &mut right)?;
        let expected: Vec<bool> = (0..n).map(|e| e + 4 >= n).collect();
        assert_eq!(found, Some(expected));
        assert_eq!(smallest_right(&graph, Ablation::Zero, &values, 4, &mut right)?, None);
        assert_eq!(smallest_right(&graph, Ablation::Zero, &values, 0, &mut right)?, None);
        // Only edges into the output lead anywhere when no other is kept.
        let first_only: Vec<bool> = (0..n).map(|e| e == 0).collect();
        assert_eq!(count(&without_dead_ends(&graph, Ablation::Zero, first_only)), 0);
        Ok(())
    }

    #[test]
    fn gates_cut_for_good_never_open() -> Result<(), PruneError> {
        let shape = GraphShape { n_layers: 1, n_heads: 1, n_kv_heads: 1, embedding_nodes: EmbeddingNodes::Split };
        let Ok(graph) = Graph::new(shape) else { return Err(PruneError::NoExamples) };
        let mut state = PruneState::new(&graph, &PruneConfig::default());
        let live: Vec<bool> = (0..graph.n_edges()).map(|e| e % 2 == 0).collect();
        state.edges.cut_for_good(&live);
        let (kept, _) = state.discretise();
        assert_eq!(kept, live);
        let closed = crate::train::hard_concrete::draw(f32::NEG_INFINITY, 1.0);
        assert_eq!((closed.z, closed.slope), (0.0, 0.0));
        Ok(())
    }
}

//! Starting Edge Pruning from another method's scores.
//!
//! **Idea.** From all gates open, a run needs thousands of steps before most gates have learned anything. Attribution costs a few passes over the data and is nearly always right about
//! which edges do not matter; what it gets wrong is which of the better ones do. So the gates of the worst are cut for good, and Edge Pruning decides among the rest.
//!
//! **Method.** Only the order of the scores' magnitudes is used. For a circuit of `size` edges the best `candidates * size` stay; the log alpha of rank r (from 0) begins
//! at `SPREAD (1 - ln(r + 1) / ln(size + 1))`: clearly open for the best, undecided at the wanted size, a little closed beyond. The sparsity's target holds from the first
//! step, as the start is near it already, and counts the candidates only.
//!
//! **Source.** Own addition.

use super::{
    circuit::nested::{Ranking, ranked_edges},
    problem::PruneError,
    prune::{PruneConfig, PruneState},
};
use vitrine_core::model::Graph;

/// Log alpha of the best edge.
const SPREAD: f64 = 4.0;

/// The start of a run for a circuit of `size` edges, from one score an edge, and the settings to run it with.
///
/// # Errors
/// [`PruneError::Config`] where there is not one finite score an edge.
pub fn warm_start(graph: &Graph, scores: &[f32], size: usize, config: &PruneConfig) -> Result<(PruneState, PruneConfig), PruneError> {
    let order = ranked_edges(graph, scores, Ranking::Magnitude).map_err(|e| PruneError::Config(format!("warm start: {e}")))?;
    let candidates = ((size as f64 * config.candidates).round() as usize).clamp(size.min(order.len()), order.len());
    let mut state = PruneState::new(graph, config);
    state.edges.log_alpha.fill(f32::NEG_INFINITY);
    let whole = ((size + 1) as f64).ln().max(f64::MIN_POSITIVE);
    for (rank, edge) in order.into_iter().take(candidates).enumerate() {
        if let Some(log_alpha) = state.edges.log_alpha.get_mut(edge) {
            *log_alpha = (SPREAD * (1.0 - ((rank + 1) as f64).ln() / whole)) as f32;
        }
    }
    let edge_target = 1.0 - size as f64 / candidates.max(1) as f64;
    Ok((state, PruneConfig { edge_target, sparsity_warm_up: 0, ..config.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::model::graph::{EmbeddingNodes, GraphShape};

    #[test]
    fn the_best_stay_in_their_order_and_the_target_counts_them_only() {
        let shape = GraphShape { n_layers: 2, n_heads: 2, n_kv_heads: 1, embedding_nodes: EmbeddingNodes::Split };
        let graph = Graph::new(shape).unwrap();
        let n = graph.n_edges();
        let config = PruneConfig { candidates: 2.0, ..PruneConfig::default() };
        let scores: Vec<f32> = (0..n).map(|e| if e % 2 == 0 { e as f32 } else { -(e as f32) }).collect();
        let (state, run) = warm_start(&graph, &scores, 5, &config).unwrap();
        let a = &state.edges.log_alpha;
        assert!(a[..n - 10].iter().all(|a| *a == f32::NEG_INFINITY));
        assert!(a[n - 10..].windows(2).all(|pair| pair[0] < pair[1]));
        assert!((a[n - 1] - 4.0).abs() < 1e-6 && a[n - 5] > 0.0 && a[n - 6].abs() < 1e-6);
        assert!((run.edge_target - 0.5).abs() < 1e-12 && run.sparsity_warm_up == 0);
        for bad in [&scores[1..], &vec![f32::NAN; n]] {
            assert!(matches!(warm_start(&graph, bad, 5, &config), Err(PruneError::Config(_))));
        }
    }
}

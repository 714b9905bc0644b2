//! Starting Edge Pruning from another method's scores.
//!
//! **Idea.** Attribution is cheap and often right about which edges matter least; gates that begin more closed there have less far to go. **Method.** Only the order of the scores'
//! magnitudes is used, because their scale says nothing about gates: log alphas are spread evenly from `init_mean - SPREAD` (least) to `init_mean + SPREAD` (largest), ties in the order
//! of edges, and nothing is closed for good. The small random part of a usual start is left out.
//!
//! **Source.** Own addition.

use super::{
    circuit::nested::{Ranking, ranked_edges},
    problem::PruneError,
    prune::{PruneConfig, PruneState},
};
use crate::model::Graph;

/// Half the range of log alphas: within it every gate is still almost open at the usual `init_mean` of 10.
pub const SPREAD: f64 = 4.0;

/// Sets the edges' log alphas of a fresh state by the rank of their scores.
///
/// # Errors
/// [`PruneError::Config`] where there is not one finite score an edge.
pub fn warm_start(state: &mut PruneState, graph: &Graph, scores: &[f32], config: &PruneConfig) -> Result<(), PruneError> {
    let order = ranked_edges(graph, scores, Ranking::Magnitude).map_err(|e| PruneError::Config(format!("warm start: {e}")))?;
    let last = order.len().saturating_sub(1).max(1) as f64;
    for (rank, edge) in order.into_iter().enumerate() {
        if let Some(log_alpha) = state.edges.log_alpha.get_mut(edge) {
            *log_alpha = (config.init_mean + SPREAD * (1.0 - 2.0 * rank as f64 / last)) as f32;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::{EmbeddingNodes, GraphShape};

    #[test]
    fn the_order_of_magnitudes_becomes_the_order_of_gates() {
        let shape = GraphShape { n_layers: 1, n_heads: 1, n_kv_heads: 1, embedding_nodes: EmbeddingNodes::Split };
        let graph = Graph::new(shape).unwrap();
        let n = graph.n_edges();
        let config = PruneConfig::default();
        let mut state = PruneState::new(&graph, &config);
        let scores: Vec<f32> = (0..n).map(|e| if e % 2 == 0 { e as f32 } else { -(e as f32) }).collect();
        warm_start(&mut state, &graph, &scores, &config).unwrap();
        let a = &state.edges.log_alpha;
        assert!(a.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((a[0], a[n - 1]), (6.0, 14.0));
        let mean: f32 = a.iter().sum::<f32>() / n as f32;
        assert!((mean - 10.0).abs() < 1e-5);
        for bad in [&scores[1..], &vec![f32::NAN; n]] {
            assert!(matches!(warm_start(&mut state, &graph, bad, &config), Err(PruneError::Config(_))));
        }
    }
}

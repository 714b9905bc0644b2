//! Random graphs and circuits for tests.

use super::Circuit;
use vitrine_core::model::graph::{EmbeddingNodes, Graph, GraphShape};
use vitrine_core::train::rng::Stream;

pub fn graph(n_layers: usize, n_heads: usize, n_kv_heads: usize, embedding_nodes: EmbeddingNodes) -> Graph {
    Graph::new(GraphShape { n_layers, n_heads, n_kv_heads, embedding_nodes }).unwrap()
}

pub fn random_graph(stream: &mut Stream) -> Graph {
    let embeds = [EmbeddingNodes::AlwaysOn, EmbeddingNodes::Single, EmbeddingNodes::Split];
    let (groups, size) = (1 + stream.below(2), 1 + stream.below(3));
    graph(1 + stream.below(4), groups * size, groups, *stream.pick(&embeds).unwrap())
}

/// A random circuit of a random density, some writers off.
pub fn random_circuit(graph: &Graph, stream: &mut Stream) -> Circuit {
    let density = stream.uniform() * 0.6;
    let edges = (0..graph.n_edges()).map(|_| stream.uniform() < density).collect();
    let nodes = (0..graph.n_writers()).map(|_| stream.uniform() < 0.9).collect();
    Circuit::from_masks(graph, edges, nodes).unwrap()
}

pub fn random_scores(graph: &Graph, stream: &mut Stream) -> Vec<f32> {
    (0..graph.n_edges()).map(|_| ((stream.uniform() - 0.5) * 10_f64.powi(stream.below(9) as i32 - 6)) as f32).collect()
}

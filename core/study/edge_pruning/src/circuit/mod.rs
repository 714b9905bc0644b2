//! Circuits: sets of edges of a model's graph, what can be done with them, and the files they live in.
//!
//! **Idea.** A circuit says which edges carry the behaviour; every other edge is given ablated values. So a circuit is one bit an edge, one bit
//! a writer (its *node mask*), and perhaps a score an edge that says why.
//!
//! **Method.** [`Circuit`] holds the bits in the graph's own numbering. [`cleanup`] drops edges that cannot matter, [`nested`] turns scores into
//! circuits of any size, [`compare`] does set arithmetic and agreement with a known truth, [`stability`] looks at several circuits of the
//! same task, and [`edge_list`], [`native`], [`eap_ig`] read and write files. All readers are bounded, check every name against the graph, and
//! report the first thing that is wrong; all writers are sorted by edge id, so equal circuits give equal bytes.
//!
//! **Source.** Bhaskar et al., "Finding Transformer Circuits with Edge Pruning" (2024); file format of EAP-IG: Hanna et al. (2024), public code.

pub mod cleanup;
pub mod compare;
pub mod eap_ig;
pub mod edge_list;
mod entries;
pub mod native;
pub mod nested;
pub mod stability;

/// Masks of kept edges: 1 where kept, 0 where cut.
pub fn as_masks(kept: &[bool]) -> Vec<f32> {
    kept.iter().map(|&kept| f32::from(u8::from(kept))).collect()
}

#[cfg(test)]
pub(crate) mod testing;

pub use cleanup::clean_up;
pub use vitrine_core::model::stream::Ablation;

use std::collections::BTreeMap;
use thiserror::Error;
use vitrine_core::model::graph::{Graph, GraphError, GraphShape};

/// Most edges a circuit's graph may have: twice those of a model of 40 layers with 40 heads.
pub const MAX_EDGES: usize = 8_000_000;
/// Most layers, and most heads of a layer.
pub const MAX_DIMENSION: usize = 1024;
/// Largest circuit file in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 30;

/// What can be wrong with a circuit or its file.
#[derive(Debug, Error, PartialEq)]
pub enum CircuitError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error("{place}: {error}")]
    Edge { place: String, error: GraphError },
    #[error("{place}: the edge {writer} -> {reader} appears twice")]
    Duplicate { place: String, writer: String, reader: String },
    #[error("the circuit is for a model of {circuit}, this one has {model}; use the circuit with the model it was found in")]
    Shape { circuit: String, model: String },
    #[error("{what} has {got} entries, the graph needs {want}")]
    Length { what: &'static str, got: usize, want: usize },
    #[error("the score of {edge} is not a finite number")]
    NonFinite { edge: String },
    #[error("{what} is too large: {size}, at most {limit}")]
    TooLarge { what: &'static str, size: usize, limit: usize },
    #[error("{place}: {reason}")]
    Malformed { place: String, reason: String },
    #[error(
        "{heads} per-head k/v edges disagree within their shared key/value head, first {first}; read with merging to keep an edge if any head keeps it"
    )]
    Disagreement { heads: usize, first: String },
    #[error("{what} cannot be said in this graph: {reason}")]
    NotRepresentable { what: &'static str, reason: String },
    #[error("no circuits were given")]
    NoCircuits,
}

/// `30 layers, 9 heads, 3 key/value heads, Single embedding nodes`, for messages.
pub(crate) fn describe(shape: GraphShape) -> String {
    let GraphShape { n_layers, n_heads, n_kv_heads, embedding_nodes } = shape;
    format!("{n_layers} layers, {n_heads} heads, {n_kv_heads} key/value heads, {embedding_nodes:?} embedding nodes")
}

/// The graph of a shape that comes from a file: bounded before anything is allocated.
///
/// # Errors
/// [`CircuitError::TooLarge`], [`CircuitError::Graph`].
pub fn checked_graph(shape: GraphShape) -> Result<Graph, CircuitError> {
    let GraphShape { n_layers, n_heads, n_kv_heads, .. } = shape;
    for (what, size) in
        [("the number of layers", n_layers), ("the number of heads", n_heads), ("the number of key/value heads", n_kv_heads)]
    {
        if size > MAX_DIMENSION {
            return Err(CircuitError::TooLarge { what, size, limit: MAX_DIMENSION });
        }
    }
    // Every reader sees at most all writers; with the bounds above the product fits 64 bits, but not always 32.
    let writers = 2 + n_layers as u64 * (n_heads as u64 + 1);
    let readers = n_layers as u64 * (n_heads as u64 + 2 * n_kv_heads as u64 + 1) + 1;
    // Half of that is possible; a graph near the bound is built and counted.
    let most = writers * readers;
    if most / 2 > 2 * MAX_EDGES as u64 {
        return Err(CircuitError::TooLarge { what: "the graph", size: usize::try_from(most / 2).unwrap_or(usize::MAX), limit: MAX_EDGES });
    }
    let graph = Graph::new(shape)?;
    if graph.n_edges() > MAX_EDGES {
        return Err(CircuitError::TooLarge { what: "the graph", size: graph.n_edges(), limit: MAX_EDGES });
    }
    Ok(graph)
}

/// A set of edges with node masks, and optionally a score an edge, names and groups for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Circuit {
    graph: Graph,
    edges: Vec<bool>,
    nodes: Vec<bool>,
    scores: Option<Vec<f32>>,
    /// How it was found: method, task, seed, target, and so on.
    pub meta: BTreeMap<String, String>,
    /// Names that people gave to nodes.
    pub labels: BTreeMap<String, String>,
    /// Groups of nodes ("name movers") by name.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Hash of the weights it was found in.
    pub model_hash: Option<String>,
}

impl Circuit {
    /// A circuit without edges, all nodes on.
    pub fn empty(graph: &Graph) -> Self {
        Self {
            edges: vec![false; graph.n_edges()],
            nodes: vec![true; graph.n_writers()],
            graph: graph.clone(),
            scores: None,
            meta: BTreeMap::new(),
            labels: BTreeMap::new(),
            groups: BTreeMap::new(),
            model_hash: None,
        }
    }

    /// The circuit with all edges and nodes.
    pub fn full(graph: &Graph) -> Self {
        Self { edges: vec![true; graph.n_edges()], ..Self::empty(graph) }
    }

    /// A circuit from masks: one bit an edge id, one bit a writer id.
    ///
    /// # Errors
    /// [`CircuitError::Length`].
    pub fn from_masks(graph: &Graph, edges: Vec<bool>, nodes: Vec<bool>) -> Result<Self, CircuitError> {
        length("the edge mask", edges.len(), graph.n_edges())?;
        length("the node mask", nodes.len(), graph.n_writers())?;
        Ok(Self { edges, nodes, ..Self::empty(graph) })
    }

    /// A circuit of the given edge ids, all nodes on.
    ///
    /// # Errors
    /// [`CircuitError::Duplicate`], [`CircuitError::TooLarge`] for an id outside the graph.
    pub fn from_edges(graph: &Graph, ids: impl IntoIterator<Item = usize>) -> Result<Self, CircuitError> {
        let mut circuit = Self::empty(graph);
        for id in ids {
            match circuit.edges.get_mut(id) {
                None => return Err(CircuitError::TooLarge { what: "an edge id", size: id, limit: graph.n_edges().saturating_sub(1) }),
                Some(true) => {
                    let (writer, reader) = graph.edge(id);
                    let (writer, reader) = (writer.to_string(), reader.to_string());
                    return Err(CircuitError::Duplicate { place: format!("edge id {id}"), writer, reader });
                }
                Some(kept) => *kept = true,
            }
        }
        Ok(circuit)
    }

    /// The same circuit with a score for every edge id.
    ///
    /// # Errors
    /// [`CircuitError::Length`], [`CircuitError::NonFinite`].
    pub fn with_scores(mut self, scores: Vec<f32>) -> Result<Self, CircuitError> {
        check_scores(&self.graph, &scores)?;
        self.scores = Some(scores);
        Ok(self)
    }

    /// The graph whose edges these are.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The graph's sizes.
    pub fn shape(&self) -> GraphShape {
        self.graph.shape()
    }

    /// One bit an edge id.
    pub fn edges(&self) -> &[bool] {
        &self.edges
    }

    /// One bit a writer id.
    pub fn nodes(&self) -> &[bool] {
        &self.nodes
    }

    /// A score for every edge id, where there are scores.
    pub fn scores(&self) -> Option<&[f32]> {
        self.scores.as_deref()
    }

    /// Keeps or drops an edge. Ids outside the graph are ignored.
    pub fn set_edge(&mut self, id: usize, kept: bool) {
        if let Some(edge) = self.edges.get_mut(id) {
            *edge = kept;
        }
    }

    /// Switches a writer on or off. Ids outside the graph are ignored.
    pub fn set_node(&mut self, id: usize, on: bool) {
        if let Some(node) = self.nodes.get_mut(id) {
            *node = on;
        }
    }

    /// Ids of the kept edges, ascending.
    pub fn kept_edges(&self) -> impl Iterator<Item = usize> + '_ {
        self.edges.iter().enumerate().filter_map(|(id, &kept)| kept.then_some(id))
    }

    /// [`Circuit::effective_edges`] as masks: 1 where kept.
    pub fn masks(&self) -> Vec<f32> {
        as_masks(&self.effective_edges())
    }

    /// Edge masks with the edges of switched-off writers dropped too.
    pub fn effective_edges(&self) -> Vec<bool> {
        let mut edges = self.edges.clone();
        for reader in 0..self.graph.n_readers() {
            let range = self.graph.edges_of_reader(reader);
            for (kept, on) in edges.get_mut(range).into_iter().flatten().zip(&self.nodes) {
                *kept &= on;
            }
        }
        edges
    }

    /// Counts of edges and nodes.
    pub fn counts(&self) -> Counts {
        let kept = |mask: &[bool]| mask.iter().filter(|kept| **kept).count();
        Counts {
            edges: self.edges.len(),
            kept: kept(&self.edges),
            effective: kept(&self.effective_edges()),
            nodes: self.nodes.len(),
            nodes_on: kept(&self.nodes),
        }
    }

    /// Refuses a model whose graph differs.
    ///
    /// # Errors
    /// [`CircuitError::Shape`].
    pub fn fits(&self, model: GraphShape) -> Result<(), CircuitError> {
        if self.shape() == model { Ok(()) } else { Err(CircuitError::Shape { circuit: describe(self.shape()), model: describe(model) }) }
    }
}

/// How large a circuit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Edges of the graph.
    pub edges: usize,
    /// Edges whose mask is on.
    pub kept: usize,
    /// Edges whose mask and whose writer's node mask are on.
    pub effective: usize,
    /// Writers of the graph.
    pub nodes: usize,
    /// Writers whose node mask is on.
    pub nodes_on: usize,
}

impl Counts {
    /// Share of edges whose mask is off.
    pub fn sparsity(&self) -> f64 {
        1.0 - self.kept as f64 / self.edges as f64
    }

    /// Share of edges that are off by their own mask or by their writer's.
    pub fn effective_sparsity(&self) -> f64 {
        1.0 - self.effective as f64 / self.edges as f64
    }
}

pub(crate) fn length(what: &'static str, got: usize, want: usize) -> Result<(), CircuitError> {
    if got == want { Ok(()) } else { Err(CircuitError::Length { what, got, want }) }
}

/// One finite score an edge.
pub(crate) fn check_scores(graph: &Graph, scores: &[f32]) -> Result<(), CircuitError> {
    length("the scores", scores.len(), graph.n_edges())?;
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(()),
        Some(id) => {
            let (writer, reader) = graph.edge(id);
            Err(CircuitError::NonFinite { edge: format!("{writer} -> {reader}") })
        }
    }
}

/// Refuses a file text that is too long to be read.
pub(crate) fn check_file(text: &str) -> Result<(), CircuitError> {
    if text.len() <= MAX_FILE_BYTES {
        Ok(())
    } else {
        Err(CircuitError::TooLarge { what: "the file (bytes)", size: text.len(), limit: MAX_FILE_BYTES })
    }
}

/// The first characters of an untrusted text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::testing::graph;
    use super::*;
    use vitrine_core::model::graph::EmbeddingNodes;

    #[test]
    fn effective_edges_need_their_writer() {
        let graph = graph(2, 2, 1, EmbeddingNodes::Split);
        let mut circuit = Circuit::full(&graph);
        let all = graph.n_edges();
        assert_eq!(circuit.counts(), Counts { edges: all, kept: all, effective: all, nodes: 8, nodes_on: 8 });
        let writer = "a0.h1".parse().ok().and_then(|w| graph.writer_id(w)).unwrap();
        circuit.set_node(writer, false);
        let out = (0..all).filter(|&id| graph.edge_ids(id).0 == writer).count();
        let counts = circuit.counts();
        assert_eq!((counts.kept, counts.effective, counts.nodes_on), (all, all - out, 7));
        assert!(out > 5 && counts.sparsity() == 0.0 && (counts.effective_sparsity() - out as f64 / all as f64).abs() < 1e-12);
        let expected: Vec<bool> = (0..all).map(|id| graph.edge_ids(id).0 != writer).collect();
        assert_eq!(circuit.effective_edges(), expected);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let graph = graph(1, 1, 1, EmbeddingNodes::Split);
        assert!(matches!(Circuit::from_masks(&graph, vec![true; 12], vec![true; 4]), Err(CircuitError::Length { got: 12, want: 13, .. })));
        assert!(matches!(Circuit::from_masks(&graph, vec![true; 13], vec![true; 3]), Err(CircuitError::Length { got: 3, want: 4, .. })));
        assert!(matches!(Circuit::from_edges(&graph, [1, 1]), Err(CircuitError::Duplicate { .. })));
        assert!(matches!(Circuit::from_edges(&graph, [13]), Err(CircuitError::TooLarge { size: 13, limit: 12, .. })));
        let mut scores = vec![0.0; 13];
        scores[12] = f32::INFINITY;
        let error = Circuit::empty(&graph).with_scores(scores).unwrap_err();
        assert_eq!(error, CircuitError::NonFinite { edge: "m0 -> resid_post".to_owned() });
        let other = GraphShape { embedding_nodes: EmbeddingNodes::Single, ..graph.shape() };
        assert!(matches!(Circuit::full(&graph).fits(other), Err(CircuitError::Shape { .. })));
        assert!(Circuit::full(&graph).fits(graph.shape()).is_ok());
    }

    #[test]
    fn shapes_from_files_are_bounded() {
        let shape = |n_layers, n_heads, n_kv_heads| GraphShape { n_layers, n_heads, n_kv_heads, embedding_nodes: EmbeddingNodes::Single };
        assert_eq!(checked_graph(shape(40, 40, 40)).unwrap().n_edges(), 3_877_661);
        assert!(matches!(checked_graph(shape(usize::MAX, 1, 1)), Err(CircuitError::TooLarge { .. })));
        assert!(matches!(checked_graph(shape(1024, 1024, 1024)), Err(CircuitError::TooLarge { .. })));
        assert!(matches!(checked_graph(shape(80, 64, 64)), Err(CircuitError::TooLarge { .. })));
        assert!(matches!(checked_graph(shape(2, 3, 2)), Err(CircuitError::Graph(GraphError::BadShape { .. }))));
        assert!(matches!(checked_graph(shape(0, 0, 0)), Err(CircuitError::Graph(GraphError::BadShape { .. }))));
    }
}

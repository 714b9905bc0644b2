//! Circuits: which writers feed which readers.
//!
//! The residual stream is kept apart by writer: every component that adds to it (an embedding, an attention head, an
//! MLP) is a *writer*, every input that reads a sum of it (a head's query, key or value, an MLP, the output) is a
//! *reader*. An edge goes from a writer to a later reader. Nodes are the boxes that are drawn; a reader that several
//! heads share (a key of grouped attention) names all of them. Source: Bhaskar et al., "Finding Transformer Circuits
//! with Edge Pruning", section 3.

use serde::{Deserialize, Serialize};

/// What a box stands for; decides where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Token or position embedding: at the bottom.
    Embedding,
    /// Attention head: in its layer's row, at its column.
    Head,
    /// Feed-forward block: above its layer's heads.
    Mlp,
    /// What is read last: at the top.
    Output,
}

/// A box in the drawing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name, unique among the nodes.
    pub name: String,
    /// Longer label, such as a role (`name mover`); may be empty.
    #[serde(default)]
    pub label: String,
    /// What it is.
    pub kind: NodeKind,
    /// Layer from 0; ignored for embeddings and the output.
    #[serde(default)]
    pub layer: u32,
    /// Place within its row from 0.
    #[serde(default)]
    pub column: u32,
    /// Index into [`Circuit::groups`].
    #[serde(default)]
    pub group: Option<u32>,
}

/// Something that adds to the residual stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// Name, unique among the writers.
    pub name: String,
    /// Index of its box.
    pub node: u32,
}

/// Something that reads a sum of writers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// Name, unique among the readers.
    pub name: String,
    /// Indices of the boxes it serves: one, or all heads that share a key or value.
    pub nodes: Vec<u32>,
    /// `q`, `k`, `v`, or empty.
    #[serde(default)]
    pub port: String,
}

/// One edge: in JSON `[writer, reader, weight, kept, set]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "EdgeTuple", into = "EdgeTuple")]
pub struct Edge {
    /// Index into [`Circuit::writers`].
    pub writer: u32,
    /// Index into [`Circuit::readers`].
    pub reader: u32,
    /// Score or mask value; the sign is shown by colour and dash, the size by width.
    pub weight: f64,
    /// True when the edge belongs to the circuit.
    pub kept: bool,
    /// Index into [`Circuit::sets`]; 0 where there are none.
    pub set: u32,
}

type EdgeTuple = (u32, u32, f64, bool, u32);

impl From<EdgeTuple> for Edge {
    fn from((writer, reader, weight, kept, set): EdgeTuple) -> Self {
        Self { writer, reader, weight, kept, set }
    }
}

impl From<Edge> for EdgeTuple {
    fn from(edge: Edge) -> Self {
        (edge.writer, edge.reader, edge.weight, edge.kept, edge.set)
    }
}

impl Edge {
    /// An edge of the circuit.
    #[must_use]
    pub fn kept(writer: u32, reader: u32, weight: f64) -> Self {
        Self { writer, reader, weight, kept: true, set: 0 }
    }
}

/// Counts over the whole graph, whatever part of it is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Edges of the full graph.
    pub edges: u64,
    /// Edges of the circuit.
    pub kept: u64,
}

/// A circuit of a transformer. Normally only kept edges are listed; `totals` count the rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// Number of layers.
    pub layers: u32,
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Writers.
    pub writers: Vec<Writer>,
    /// Readers.
    pub readers: Vec<Reader>,
    /// Edges, at most one for each writer and reader.
    pub edges: Vec<Edge>,
    /// Counts over the full graph.
    pub totals: Totals,
    /// Names of groups of nodes (roles such as `name movers`).
    #[serde(default)]
    pub groups: Vec<String>,
    /// Names of sets of edges, where circuits are compared (`both`, `only A`, `only B`).
    #[serde(default)]
    pub sets: Vec<String>,
    /// What a weight is, such as `attribution score` or `mask`.
    pub weight_label: String,
}

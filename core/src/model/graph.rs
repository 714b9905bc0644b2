//! The computational graph of a transformer, as seen from its residual stream.
//!
//! **Idea.** Everything a transformer computes passes through the residual stream. Keep the stream apart by who wrote it, and the
//! model becomes a graph: *writers* (embeddings, attention heads, MLPs) put a tensor on the stream; *readers* (the q, k and v input of
//! each head, each MLP input, the final read before the unembedding) sum what writers put there before them. An *edge* is one
//! writer seen by one reader, and a circuit is a set of edges.
//!
//! **Order.** Writers: `tok_embeds`, `pos_embeds` (models with learned positions), then layer by layer its heads and its MLP.
//! Readers: layer by layer q of all heads, k and v of all key/value heads, the MLP; last `resid_post`. A reader of layer `l` sees a
//! *prefix* of the writers, so all edges of one reader are contiguous and edge ids are dense: no id names an impossible edge.
//! Heads that share a key/value head share its k and v readers. There are no q/k/v to head edges: cutting one equals cutting all
//! edges into that input.
//!
//! **Source.** Bhaskar et al., "Finding Transformer Circuits with Edge Pruning" (2024), section 3; counts checked against its public code.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which nodes stand for the embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingNodes {
    /// No node: token and position embeddings always reach every reader, unmasked and uncorrupted.
    AlwaysOn,
    /// One node for the sum of the embeddings (named `tok_embeds`).
    Single,
    /// `tok_embeds` and `pos_embeds` apart (models with learned positions only).
    Split,
}

/// The sizes a graph is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphShape {
    /// Transformer blocks.
    pub n_layers: usize,
    /// Query heads a layer; each is a writer.
    pub n_heads: usize,
    /// Key/value heads a layer; `n_heads` without grouping.
    pub n_kv_heads: usize,
    /// How embeddings appear.
    pub embedding_nodes: EmbeddingNodes,
}

/// A component that adds to the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Writer {
    /// Token embedding (or all embeddings, with [`EmbeddingNodes::Single`]).
    TokEmbeds,
    /// Learned position embedding.
    PosEmbeds,
    /// One attention head's output projection.
    Head { layer: usize, head: usize },
    /// One MLP's output.
    Mlp { layer: usize },
}

/// A place where the residual stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reader {
    /// Query input of a query head.
    Q { layer: usize, head: usize },
    /// Key input of a key/value head.
    K { layer: usize, head: usize },
    /// Value input of a key/value head.
    V { layer: usize, head: usize },
    /// Input of an MLP.
    Mlp { layer: usize },
    /// The read before the final norm and the unembedding.
    ResidPost,
}

/// What can be wrong with a graph or a name in it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GraphError {
    #[error("unknown node `{name}`: this model has layers 0..{n_layers}, heads 0..{n_heads}, key/value heads 0..{n_kv_heads}{hint}")]
    UnknownNode { name: String, n_layers: usize, n_heads: usize, n_kv_heads: usize, hint: String },
    #[error("edge {writer} -> {reader} runs backwards: {reader} is computed before {writer} writes")]
    Backwards { writer: String, reader: String },
    #[error(
        "a graph needs at least one layer and one head, and heads divisible by key/value heads (got {n_layers} layers, {n_heads} heads, {n_kv_heads} key/value heads)"
    )]
    BadShape { n_layers: usize, n_heads: usize, n_kv_heads: usize },
}

/// The graph: numbering of writers, readers and edges, in the order of the module header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    shape: GraphShape,
    /// First edge id of each reader, plus the total at the end: `[readers + 1]`.
    first_edge: Vec<usize>,
}

impl Graph {
    /// Numbers the graph of the given shape.
    ///
    /// # Errors
    /// [`GraphError::BadShape`] for zero sizes or heads that key/value heads do not divide.
    pub fn new(shape: GraphShape) -> Result<Self, GraphError> {
        let GraphShape { n_layers, n_heads, n_kv_heads, .. } = shape;
        if n_layers == 0 || n_heads == 0 || n_kv_heads == 0 || n_heads % n_kv_heads != 0 {
            return Err(GraphError::BadShape { n_layers, n_heads, n_kv_heads });
        }
        let mut graph = Self { shape, first_edge: vec![] };
        let mut total = 0;
        let mut first_edge = Vec::with_capacity(graph.n_readers() + 1);
        for reader in 0..graph.n_readers() {
            first_edge.push(total);
            total += graph.n_writers_before(graph.reader(reader));
        }
        first_edge.push(total);
        graph.first_edge = first_edge;
        Ok(graph)
    }

    /// The sizes behind the numbering.
    pub fn shape(&self) -> GraphShape {
        self.shape
    }

    /// Embedding writers: 0, 1 or 2.
    pub fn n_embeds(&self) -> usize {
        match self.shape.embedding_nodes {
            EmbeddingNodes::AlwaysOn => 0,
            EmbeddingNodes::Single => 1,
            EmbeddingNodes::Split => 2,
        }
    }

    /// Number of writers, `E + L(H+1)`.
    pub fn n_writers(&self) -> usize {
        self.n_embeds() + self.shape.n_layers * (self.shape.n_heads + 1)
    }

    /// Readers of one layer's attention: q of each head, k and v of each key/value head.
    pub fn n_attn_readers(&self) -> usize {
        self.shape.n_heads + 2 * self.shape.n_kv_heads
    }

    /// Number of readers, `L(H+2G+1) + 1`.
    pub fn n_readers(&self) -> usize {
        self.shape.n_layers * (self.n_attn_readers() + 1) + 1
    }

    /// Number of edges.
    pub fn n_edges(&self) -> usize {
        self.first_edge.last().copied().unwrap_or(0)
    }

    /// Writers that the attention of `layer` reads; also the id of that layer's first head.
    pub fn first_writer_of_layer(&self, layer: usize) -> usize {
        self.n_embeds() + layer * (self.shape.n_heads + 1)
    }

    /// Id of the first reader of `layer`.
    pub fn first_reader_of_layer(&self, layer: usize) -> usize {
        layer * (self.n_attn_readers() + 1)
    }

    /// Edge ids of one reader, in writer order: the reader sees writers `0..range.len()`.
    pub fn edges_of_reader(&self, reader: usize) -> std::ops::Range<usize> {
        self.first_edge[reader]..self.first_edge[reader + 1]
    }

    /// How many writers (a prefix of their order) are computed before `reader`.
    pub fn n_writers_before(&self, reader: Reader) -> usize {
        match reader {
            Reader::Q { layer, .. } | Reader::K { layer, .. } | Reader::V { layer, .. } => self.first_writer_of_layer(layer),
            Reader::Mlp { layer } => self.first_writer_of_layer(layer) + self.shape.n_heads,
            Reader::ResidPost => self.n_writers(),
        }
    }

    /// The writer with this id. Ids run to [`Graph::n_writers`].
    pub fn writer(&self, id: usize) -> Writer {
        let embeds = self.n_embeds();
        match id {
            0 if embeds > 0 => Writer::TokEmbeds,
            1 if embeds > 1 => Writer::PosEmbeds,
            _ => {
                let per_layer = self.shape.n_heads + 1;
                let (layer, slot) = ((id - embeds) / per_layer, (id - embeds) % per_layer);
                if slot == self.shape.n_heads { Writer::Mlp { layer } } else { Writer::Head { layer, head: slot } }
            }
        }
    }

    /// The reader with this id. Ids run to [`Graph::n_readers`].
    pub fn reader(&self, id: usize) -> Reader {
        let per_layer = self.n_attn_readers() + 1;
        let (layer, slot) = (id / per_layer, id % per_layer);
        let (h, g) = (self.shape.n_heads, self.shape.n_kv_heads);
        if layer == self.shape.n_layers {
            Reader::ResidPost
        } else if slot < h {
            Reader::Q { layer, head: slot }
        } else if slot < h + g {
            Reader::K { layer, head: slot - h }
        } else if slot < h + 2 * g {
            Reader::V { layer, head: slot - h - g }
        } else {
            Reader::Mlp { layer }
        }
    }

    /// Id of a writer, or `None` where this graph has no such writer.
    pub fn writer_id(&self, writer: Writer) -> Option<usize> {
        let s = self.shape;
        match writer {
            Writer::TokEmbeds => (self.n_embeds() > 0).then_some(0),
            Writer::PosEmbeds => (self.n_embeds() > 1).then_some(1),
            Writer::Head { layer, head } => (layer < s.n_layers && head < s.n_heads).then(|| self.first_writer_of_layer(layer) + head),
            Writer::Mlp { layer } => (layer < s.n_layers).then(|| self.first_writer_of_layer(layer) + s.n_heads),
        }
    }

    /// Id of a reader, or `None` where this graph has no such reader.
    pub fn reader_id(&self, reader: Reader) -> Option<usize> {
        let s = self.shape;
        let slot = |layer: usize, slot: usize, fits: bool| (layer < s.n_layers && fits).then(|| self.first_reader_of_layer(layer) + slot);
        match reader {
            Reader::Q { layer, head } => slot(layer, head, head < s.n_heads),
            Reader::K { layer, head } => slot(layer, s.n_heads + head, head < s.n_kv_heads),
            Reader::V { layer, head } => slot(layer, s.n_heads + s.n_kv_heads + head, head < s.n_kv_heads),
            Reader::Mlp { layer } => slot(layer, self.n_attn_readers(), true),
            Reader::ResidPost => Some(self.n_readers() - 1),
        }
    }

    /// Writer and reader of an edge id.
    pub fn edge(&self, id: usize) -> (Writer, Reader) {
        let (writer, reader) = self.edge_ids(id);
        (self.writer(writer), self.reader(reader))
    }

    /// Writer id and reader id of an edge id.
    pub fn edge_ids(&self, id: usize) -> (usize, usize) {
        let reader = self.first_edge.partition_point(|&first| first <= id) - 1;
        (id - self.first_edge[reader], reader)
    }

    /// Id of the edge between two nodes.
    ///
    /// # Errors
    /// [`GraphError::UnknownNode`] where a node is not of this graph, [`GraphError::Backwards`] where the reader comes first.
    pub fn edge_id(&self, writer: Writer, reader: Reader) -> Result<usize, GraphError> {
        let w = self.writer_id(writer).ok_or_else(|| self.unknown(&writer.to_string()))?;
        let r = self.reader_id(reader).ok_or_else(|| self.unknown(&reader.to_string()))?;
        if w >= self.n_writers_before(reader) {
            return Err(GraphError::Backwards { writer: writer.to_string(), reader: reader.to_string() });
        }
        Ok(self.first_edge[r] + w)
    }

    /// Id of the edge between two named nodes, for example `a3.h1` and `m7`.
    ///
    /// # Errors
    /// As [`Graph::edge_id`].
    pub fn edge_by_name(&self, writer: &str, reader: &str) -> Result<usize, GraphError> {
        let w = writer.parse::<Writer>().map_err(|()| self.unknown(writer))?;
        let r = reader.parse::<Reader>().map_err(|()| self.unknown(reader))?;
        self.edge_id(w, r)
    }

    /// The reader ids whose output the writer `id` carries: for a head its q, k and v; for an MLP its input; none for embeddings.
    pub fn inputs_of_writer(&self, id: usize) -> Vec<usize> {
        let group = self.shape.n_heads / self.shape.n_kv_heads;
        let readers: &[Reader] = match self.writer(id) {
            Writer::TokEmbeds | Writer::PosEmbeds => &[],
            Writer::Mlp { layer } => &[Reader::Mlp { layer }],
            Writer::Head { layer, head } => {
                &[Reader::Q { layer, head }, Reader::K { layer, head: head / group }, Reader::V { layer, head: head / group }]
            }
        };
        readers.iter().filter_map(|&r| self.reader_id(r)).collect()
    }

    /// The writer ids that carry what the reader `id` reads: several heads for a shared k or v, none for `resid_post`.
    pub fn outputs_of_reader(&self, id: usize) -> Vec<usize> {
        let group = self.shape.n_heads / self.shape.n_kv_heads;
        let heads =
            |layer: usize, heads: std::ops::Range<usize>| heads.filter_map(|head| self.writer_id(Writer::Head { layer, head })).collect();
        match self.reader(id) {
            Reader::Q { layer, head } => heads(layer, head..head + 1),
            Reader::K { layer, head } | Reader::V { layer, head } => heads(layer, head * group..(head + 1) * group),
            Reader::Mlp { layer } => self.writer_id(Writer::Mlp { layer }).into_iter().collect(),
            Reader::ResidPost => vec![],
        }
    }

    fn unknown(&self, name: &str) -> GraphError {
        let hint = match self.shape.embedding_nodes {
            EmbeddingNodes::AlwaysOn => "; embeddings are always on in this graph, so they are no nodes",
            EmbeddingNodes::Single => "; there is no pos_embeds node in this graph",
            EmbeddingNodes::Split => "",
        };
        let s = self.shape;
        let name: String = name.chars().take(80).collect();
        GraphError::UnknownNode { name, n_layers: s.n_layers, n_heads: s.n_heads, n_kv_heads: s.n_kv_heads, hint: hint.into() }
    }
}

impl std::fmt::Display for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TokEmbeds => f.write_str("tok_embeds"),
            Self::PosEmbeds => f.write_str("pos_embeds"),
            Self::Head { layer, head } => write!(f, "a{layer}.h{head}"),
            Self::Mlp { layer } => write!(f, "m{layer}"),
        }
    }
}

impl std::fmt::Display for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Q { layer, head } => write!(f, "a{layer}.h{head}.q"),
            Self::K { layer, head } => write!(f, "a{layer}.h{head}.k"),
            Self::V { layer, head } => write!(f, "a{layer}.h{head}.v"),
            Self::Mlp { layer } => write!(f, "m{layer}"),
            Self::ResidPost => f.write_str("resid_post"),
        }
    }
}

/// `m3` gives 3, `h12` gives 12; anything else, signs and leading zeros included, gives nothing.
fn number_after(text: &str, prefix: char) -> Option<usize> {
    let digits = text.strip_prefix(prefix)?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    if canonical && digits.len() <= 6 { digits.parse().ok() } else { None }
}

impl std::str::FromStr for Writer {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "tok_embeds" => return Ok(Self::TokEmbeds),
            "pos_embeds" => return Ok(Self::PosEmbeds),
            _ => {}
        }
        if let Some(layer) = number_after(name, 'm') {
            return Ok(Self::Mlp { layer });
        }
        let (layer, head) = name.split_once('.').ok_or(())?;
        Ok(Self::Head { layer: number_after(layer, 'a').ok_or(())?, head: number_after(head, 'h').ok_or(())? })
    }
}

impl std::str::FromStr for Reader {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        if name == "resid_post" {
            return Ok(Self::ResidPost);
        }
        if let Some(layer) = number_after(name, 'm') {
            return Ok(Self::Mlp { layer });
        }
        let (node, input) = name.rsplit_once('.').ok_or(())?;
        let Writer::Head { layer, head } = node.parse()? else { return Err(()) };
        match input {
            "q" => Ok(Self::Q { layer, head }),
            "k" => Ok(Self::K { layer, head }),
            "v" => Ok(Self::V { layer, head }),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(n_layers: usize, n_heads: usize, n_kv_heads: usize, embedding_nodes: EmbeddingNodes) -> Graph {
        Graph::new(GraphShape { n_layers, n_heads, n_kv_heads, embedding_nodes }).unwrap()
    }

    #[test]
    fn counts_are_the_published_ones() {
        use EmbeddingNodes::{AlwaysOn, Single, Split};
        for (l, h, g, e, writers, readers, edges) in [
            (12, 12, 12, Split, 158, 445, 32_936),
            (12, 12, 12, AlwaysOn, 156, 445, 32_046),
            (12, 12, 12, Single, 157, 445, 32_491),
            (40, 40, 40, AlwaysOn, 1_640, 4_841, 3_872_820),
            (40, 40, 40, Single, 1_641, 4_841, 3_877_661),
            (30, 9, 3, Single, 301, 481, 70_651),
            (30, 9, 3, AlwaysOn, 300, 481, 70_170),
            (30, 9, 9, Single, 301, 841, 123_211),
            (2, 1, 1, Split, 6, 9, 32),
            (4, 1, 1, Split, 10, 17, 94),
            (1, 1, 1, Split, 4, 5, 13),
        ] {
            let graph = graph(l, h, g, e);
            assert_eq!((graph.n_writers(), graph.n_readers(), graph.n_edges()), (writers, readers, edges), "{l} layers {h}/{g} {e:?}");
        }
    }

    #[test]
    fn ids_and_names_are_inverse_for_every_edge() {
        for embeds in [EmbeddingNodes::AlwaysOn, EmbeddingNodes::Single, EmbeddingNodes::Split] {
            let graph = graph(3, 4, 2, embeds);
            for id in 0..graph.n_edges() {
                let (writer, reader) = graph.edge(id);
                assert_eq!(graph.edge_by_name(&writer.to_string(), &reader.to_string()), Ok(id));
            }
            for w in 0..graph.n_writers() {
                assert_eq!(graph.writer_id(graph.writer(w)), Some(w));
                for r in graph.inputs_of_writer(w) {
                    assert!(graph.outputs_of_reader(r).contains(&w));
                }
            }
        }
    }

    #[test]
    fn bad_names_are_refused() {
        let graph = graph(2, 2, 1, EmbeddingNodes::Single);
        assert!(matches!(graph.edge_by_name("m1", "m0"), Err(GraphError::Backwards { .. })));
        assert!(matches!(graph.edge_by_name("m0", "m0"), Err(GraphError::Backwards { .. })));
        assert!(graph.edge_by_name("a0.h1", "m0").is_ok());
        for (writer, reader) in [
            ("m2", "resid_post"),
            ("a0.h2", "m1"),
            ("a0.h0", "a1.h1.k"),
            ("pos_embeds", "m0"),
            ("m00", "m1"),
            ("m+0", "m1"),
            ("", ""),
            ("a0", "a0.h0.x"),
        ] {
            assert!(matches!(graph.edge_by_name(writer, reader), Err(GraphError::UnknownNode { .. })), "{writer} {reader}");
        }
    }
}

//! The graph of a sequential pre-norm transformer, so that studies only have to list edges.
//!
//! Writers: the embeddings, then for each layer its heads and its MLP. Readers: for each layer the queries of all
//! heads, the keys and the values of all key/value heads, the MLP; last the output (`resid_post`).

use super::circuit::{Circuit, Node, NodeKind, Reader, Totals, Writer};

/// Sizes of a transformer's graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformerShape {
    /// Names of the embedding writers: `tok_embeds`, `pos_embeds`, or none.
    pub embeddings: Vec<String>,
    /// Number of layers.
    pub layers: u32,
    /// Query heads a layer.
    pub heads: u32,
    /// Key/value heads a layer; divides `heads`.
    pub kv_heads: u32,
}

impl TransformerShape {
    /// Edges of the full graph: every writer to every later reader. `None` when the count leaves 64 bits or the heads
    /// cannot be shared out evenly.
    #[must_use]
    pub fn edge_count(&self) -> Option<u64> {
        let (heads, kv) = (u64::from(self.heads), u64::from(self.kv_heads));
        if kv == 0 || heads == 0 || heads % kv != 0 {
            return None;
        }
        let mut before = u64::try_from(self.embeddings.len()).ok()?;
        let mut edges = 0u64;
        for _ in 0..self.layers {
            let attention = heads.checked_add(kv.checked_mul(2)?)?.checked_mul(before)?;
            edges = edges.checked_add(attention)?.checked_add(before.checked_add(heads)?)?;
            before = before.checked_add(heads)?.checked_add(1)?;
        }
        edges.checked_add(before)
    }

    /// A circuit without edges: nodes, writers and readers in the order given above, and the total of the full graph.
    /// Keys and values are named `a{l}.h{h}.k` and `.v` where every head has its own, else `a{l}.kv{g}.k` and `.v`.
    /// `None` for sizes of no transformer (no heads, heads that cannot be shared out evenly, or over 100,000 boxes).
    #[must_use]
    pub fn circuit(&self, weight_label: impl Into<String>) -> Option<Circuit> {
        const MOST_BOXES: u64 = 100_000;
        let edges = self.edge_count()?;
        let rows = u64::from(self.layers).checked_mul(u64::from(self.heads).checked_add(1)?)?;
        if rows > MOST_BOXES || self.embeddings.len() > 64 {
            return None;
        }
        let mut circuit =
            Circuit { layers: self.layers, totals: Totals { edges, kept: 0 }, weight_label: weight_label.into(), ..Circuit::default() };
        let shared = self.heads / self.kv_heads;
        for (column, name) in (0u32..).zip(&self.embeddings) {
            let node = add_node(&mut circuit, name.clone(), NodeKind::Embedding, 0, column)?;
            circuit.writers.push(Writer { name: name.clone(), node });
        }
        for layer in 0..self.layers {
            let mut boxes = Vec::new();
            for head in 0..self.heads {
                let name = format!("a{layer}.h{head}");
                let node = add_node(&mut circuit, name.clone(), NodeKind::Head, layer, head)?;
                circuit.writers.push(Writer { name, node });
                boxes.push(node);
            }
            for (head, node) in boxes.iter().enumerate() {
                circuit.readers.push(reader(format!("a{layer}.h{head}.q"), vec![*node], "q"));
            }
            for port in ["k", "v"] {
                let per_group = usize::try_from(shared).ok()?;
                for (index, nodes) in boxes.chunks(per_group).enumerate() {
                    let letter = if shared == 1 { "h" } else { "kv" };
                    circuit.readers.push(reader(format!("a{layer}.{letter}{index}.{port}"), nodes.to_vec(), port));
                }
            }
            let name = format!("m{layer}");
            let node = add_node(&mut circuit, name.clone(), NodeKind::Mlp, layer, 0)?;
            circuit.writers.push(Writer { name: name.clone(), node });
            circuit.readers.push(reader(name, vec![node], ""));
        }
        let node = add_node(&mut circuit, "resid_post".to_owned(), NodeKind::Output, self.layers, 0)?;
        circuit.readers.push(reader("resid_post".to_owned(), vec![node], ""));
        Some(circuit)
    }
}

fn add_node(circuit: &mut Circuit, name: String, kind: NodeKind, layer: u32, column: u32) -> Option<u32> {
    let index = u32::try_from(circuit.nodes.len()).ok()?;
    circuit.nodes.push(Node { name, label: String::new(), kind, layer, column, group: None });
    Some(index)
}

fn reader(name: String, nodes: Vec<u32>, port: &str) -> Reader {
    Reader { name, nodes, port: port.to_owned() }
}

impl Circuit {
    /// Index of the writer with this name. Linear: build a map first when looking up many.
    #[must_use]
    pub fn writer_index(&self, name: &str) -> Option<u32> {
        self.writers.iter().position(|writer| writer.name == name).and_then(|at| u32::try_from(at).ok())
    }

    /// Index of the reader with this name. Linear: build a map first when looking up many.
    #[must_use]
    pub fn reader_index(&self, name: &str) -> Option<u32> {
        self.readers.iter().position(|reader| reader.name == name).and_then(|at| u32::try_from(at).ok())
    }
}

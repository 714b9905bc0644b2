//! Exchange with EAP-IG: its graph JSON.
//!
//! **Format.** `cfg` (`n_layers`, `n_heads`, `parallel_attn_mlp`, `d_model`), `nodes` (name to `{"in_graph": bool, …}`, in older files a plain bool), `edges`
//! (`"m0->a1.h0<q>"` to `{"score": number, "in_graph": bool}`). Nodes are `input`, `a{l}.h{h}`, `m{l}`, `logits`.
//!
//! **What differs, and how it is bridged.**
//! - EAP-IG has one `input` node. Writing merges token and position embeddings: kept if either is, score the sum. Reading into a graph that
//!   has both gives both the same bit and half the score each. Where embeddings are always on, `input` edges are written as kept,
//!   and a file that cuts one cannot be read.
//! - EAP-IG gives every query head its own k and v edges. Writing a shared k or v edge repeats it for each head that uses it, with an equal
//!   share of the score; reading merges them: kept if any is, score the sum. Heads that disagree are counted, or refused on request.
//! - Node flags there follow from the edges (its pruning recomputes them). Written: on if an effective edge leaves the node, and only effective
//!   edges are written as kept. Read: a node that is off although kept edges leave it is switched off, others stay on.
//! - A circuit without scores is written with score 1 for kept edges and 0 for others, so that ranking by score gives it back.
//!
//! **Source.** The public repository of Hanna et al., "Have Faith in Faithfulness" (2024); field names only.

use super::entries::Entries;
use super::{Ablation, Circuit, CircuitError, check_file, checked_graph, clean_up, describe, shorten};
use serde::Deserialize;
use std::fmt::Write;
use vitrine_core::model::graph::{EmbeddingNodes, Graph, GraphError, GraphShape, Reader, Writer};

/// What to do when heads that share a k or v disagree about an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedHeads {
    /// Keep the edge if any of them keeps it.
    #[default]
    Merge,
    /// Refuse the file.
    Refuse,
}

/// What reading had to bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ImportReport {
    /// Shared k/v edges about which their heads disagreed.
    pub disagreements: usize,
    /// Nodes switched off although kept edges leave them.
    pub nodes_off: usize,
    /// The file also selects neurons, which circuits of edges cannot hold; they were ignored.
    pub neurons_ignored: bool,
    /// Kept edges that can have no effect under interchange ablation; EAP-IG drops them before it evaluates.
    pub dangling: usize,
}

#[derive(Deserialize)]
struct File {
    cfg: Cfg,
    nodes: Entries<Node>,
    edges: Entries<EdgeEntry>,
}

#[derive(Deserialize)]
struct Cfg {
    n_layers: usize,
    n_heads: usize,
    #[serde(default)]
    parallel_attn_mlp: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Node {
    Plain(bool),
    Full {
        in_graph: bool,
        #[serde(default)]
        neurons: Option<serde::de::IgnoredAny>,
    },
}

#[derive(Deserialize)]
struct EdgeEntry {
    #[serde(default)]
    score: Option<f64>,
    in_graph: bool,
}

/// The graph EAP-IG works on: one input node, k and v for each query head.
fn flat_graph(n_layers: usize, n_heads: usize) -> Result<Graph, CircuitError> {
    checked_graph(GraphShape { n_layers, n_heads, n_kv_heads: n_heads, embedding_nodes: EmbeddingNodes::Single })
}

/// Our edges that one flat edge stands for: none for the input where embeddings are always on, two where they are apart.
fn ours(graph: &Graph, flat: (Writer, Reader)) -> Result<Vec<usize>, GraphError> {
    let shape = graph.shape();
    let group = shape.n_heads / shape.n_kv_heads;
    let reader = match flat.1 {
        Reader::K { layer, head } => Reader::K { layer, head: head / group },
        Reader::V { layer, head } => Reader::V { layer, head: head / group },
        other => other,
    };
    let writers: &[Writer] = match (flat.0, shape.embedding_nodes) {
        (Writer::TokEmbeds, EmbeddingNodes::AlwaysOn) => &[],
        (Writer::TokEmbeds, EmbeddingNodes::Split) => &[Writer::TokEmbeds, Writer::PosEmbeds],
        (other, _) => &[other],
    };
    writers.iter().map(|&writer| graph.edge_id(writer, reader)).collect()
}

/// How many flat edges stand for one edge into this reader.
fn copies(graph: &Graph, reader: Reader) -> f64 {
    let shape = graph.shape();
    if matches!(reader, Reader::K { .. } | Reader::V { .. }) { (shape.n_heads / shape.n_kv_heads) as f64 } else { 1.0 }
}

fn writer_name(writer: Writer) -> String {
    if writer == Writer::TokEmbeds { "input".to_owned() } else { writer.to_string() }
}

fn edge_name(writer: Writer, reader: Reader) -> String {
    let reader = match reader {
        Reader::Q { layer, head } => format!("a{layer}.h{head}<q>"),
        Reader::K { layer, head } => format!("a{layer}.h{head}<k>"),
        Reader::V { layer, head } => format!("a{layer}.h{head}<v>"),
        Reader::Mlp { layer } => format!("m{layer}"),
        Reader::ResidPost => "logits".to_owned(),
    };
    format!("{}->{reader}", writer_name(writer))
}

/// Writes a circuit as EAP-IG's graph JSON; `d_model` is the width of the residual stream, which its `cfg` wants.
///
/// # Errors
/// [`CircuitError::TooLarge`] where the graph with one k and v a query head has too many edges.
pub fn to_json(circuit: &Circuit, d_model: usize) -> Result<String, CircuitError> {
    let graph = circuit.graph();
    let shape = graph.shape();
    let flat = flat_graph(shape.n_layers, shape.n_heads)?;
    let kept = circuit.effective_edges();
    let always_on = shape.embedding_nodes == EmbeddingNodes::AlwaysOn;
    let mut in_graph = vec![false; flat.n_writers()];
    let mut edges = String::new();
    for id in 0..flat.n_edges() {
        let (writer, reader) = flat.edge(id);
        let sources = ours(graph, (writer, reader))?;
        let is_kept = if sources.is_empty() { always_on } else { sources.iter().any(|&edge| kept[edge]) };
        let score = match circuit.scores() {
            Some(scores) => sources.iter().map(|&edge| f64::from(scores[edge])).sum::<f64>() / copies(graph, reader),
            None => f64::from(u8::from(is_kept)),
        };
        in_graph[flat.edge_ids(id).0] |= is_kept;
        let comma = if id == 0 { "" } else { "," };
        // Debug formatting of a double is the shortest text that reads back the same, and valid JSON for finite numbers.
        let _ = write!(edges, "{comma}\n\"{}\":{{\"score\":{score:?},\"in_graph\":{is_kept}}}", edge_name(writer, reader));
    }
    let mut nodes = String::new();
    for (writer, on) in in_graph.iter().enumerate() {
        let _ = write!(nodes, "\"{}\":{{\"in_graph\":{on}}},", writer_name(flat.writer(writer)));
    }
    let GraphShape { n_layers, n_heads, .. } = shape;
    Ok(format!(
        "{{\"cfg\":{{\"n_layers\":{n_layers},\"n_heads\":{n_heads},\"parallel_attn_mlp\":false,\"d_model\":{d_model}}},\n\
         \"nodes\":{{{nodes}\"logits\":{{\"in_graph\":true}}}},\n\"edges\":{{{edges}}}}}\n"
    ))
}

/// Reads EAP-IG's graph JSON into the graph of `shape`, or into its own (one input node, unshared k and v) where none is given.
///
/// Edges that the file does not list are off, with score 0.
///
/// # Errors
/// [`CircuitError`].
pub fn from_json(text: &str, shape: Option<GraphShape>, shared: SharedHeads) -> Result<(Circuit, ImportReport), CircuitError> {
    check_file(text)?;
    let file: File = serde_json::from_str(text).map_err(|error| parse_error(text, &error))?;
    if file.cfg.parallel_attn_mlp {
        let reason = "its MLPs read beside the attention of their layer, not after it (parallel_attn_mlp)".to_owned();
        return Err(CircuitError::NotRepresentable { what: "this model", reason });
    }
    let flat = flat_graph(file.cfg.n_layers, file.cfg.n_heads)?;
    let graph = match shape {
        None => flat.clone(),
        Some(shape) if (shape.n_layers, shape.n_heads) == (file.cfg.n_layers, file.cfg.n_heads) => checked_graph(shape)?,
        Some(shape) => {
            let circuit = format!("{} layers of {} heads", file.cfg.n_layers, file.cfg.n_heads);
            return Err(CircuitError::Shape { circuit, model: describe(shape) });
        }
    };
    let (kept, scores) = flat_edges(&flat, &file.edges)?;
    let mut report = ImportReport::default();
    let mut circuit = merge(&graph, &flat, &kept, scores.as_deref(), shared, &mut report)?;
    nodes_off(&mut circuit, &flat, &file.nodes, &mut report)?;
    report.dangling = clean_up(&circuit, Ablation::Interchange).1;
    Ok((circuit, report))
}

/// Bits and scores by flat edge id; scores only where the file has any.
fn flat_edges(flat: &Graph, entries: &Entries<EdgeEntry>) -> Result<(Vec<bool>, Option<Vec<f64>>), CircuitError> {
    let mut seen = vec![false; flat.n_edges()];
    let mut kept = vec![false; flat.n_edges()];
    let mut scores = vec![0.0; flat.n_edges()];
    for (name, entry) in &entries.0 {
        let id = flat_id(flat, name)?;
        if std::mem::replace(&mut seen[id], true) {
            let (writer, reader) = name.split_once("->").unwrap_or((name, ""));
            return Err(CircuitError::Duplicate { place: "edges".to_owned(), writer: shorten(writer), reader: shorten(reader) });
        }
        kept[id] = entry.in_graph;
        scores[id] = entry.score.unwrap_or(0.0);
    }
    let any = entries.0.iter().any(|(_, entry)| entry.score.is_some());
    Ok((kept, any.then_some(scores)))
}

fn flat_id(flat: &Graph, name: &str) -> Result<usize, CircuitError> {
    let malformed = |reason: &str| CircuitError::Malformed { place: format!("edge `{}`", shorten(name)), reason: reason.to_owned() };
    let (writer, reader) = name.split_once("->").ok_or_else(|| malformed("expected `from->to`"))?;
    let writer = match writer {
        "input" => "tok_embeds",
        "tok_embeds" | "pos_embeds" => return Err(malformed("the embeddings' node is called `input` here")),
        other => other,
    };
    let reader = match reader {
        "logits" => "resid_post".to_owned(),
        "resid_post" => return Err(malformed("the output's node is called `logits` here")),
        other => match other.strip_suffix('>').and_then(|other| other.rsplit_once('<')) {
            Some((head, input)) => format!("{head}.{input}"),
            None if other.contains('.') => return Err(malformed("an edge into a head ends in <q>, <k> or <v>")),
            None => other.to_owned(),
        },
    };
    flat.edge_by_name(writer, &reader).map_err(|error| CircuitError::Edge { place: format!("edge `{}`", shorten(name)), error })
}

/// Gathers flat edges into ours.
fn merge(
    graph: &Graph,
    flat: &Graph,
    kept: &[bool],
    scores: Option<&[f64]>,
    shared: SharedHeads,
    report: &mut ImportReport,
) -> Result<Circuit, CircuitError> {
    let (mut on, mut off) = (vec![false; graph.n_edges()], vec![false; graph.n_edges()]);
    let mut sums = vec![0.0_f64; graph.n_edges()];
    for (id, &kept) in kept.iter().enumerate() {
        let (writer, reader) = flat.edge(id);
        let targets = ours(graph, (writer, reader))?;
        if targets.is_empty() && !kept {
            let reason = format!("embeddings are always on in it, but the file cuts {}", edge_name(writer, reader));
            return Err(CircuitError::NotRepresentable { what: "this circuit", reason });
        }
        for &edge in &targets {
            if kept {
                on[edge] = true;
            } else {
                off[edge] = true;
            }
            sums[edge] += scores.map_or(0.0, |scores| scores[id]) / targets.len() as f64;
        }
    }
    let mut disagreeing = (0..on.len()).filter(|&edge| on[edge] && off[edge]).peekable();
    let first = disagreeing.peek().copied();
    report.disagreements = disagreeing.count();
    if let (Some(first), SharedHeads::Refuse) = (first, shared) {
        let (writer, reader) = graph.edge(first);
        return Err(CircuitError::Disagreement { heads: report.disagreements, first: format!("{writer} -> {reader}") });
    }
    let circuit = Circuit::from_masks(graph, on, vec![true; graph.n_writers()])?;
    match scores {
        None => Ok(circuit),
        Some(_) => circuit.with_scores(sums.into_iter().map(|score| score as f32).collect()),
    }
}

fn nodes_off(circuit: &mut Circuit, flat: &Graph, entries: &Entries<Node>, report: &mut ImportReport) -> Result<(), CircuitError> {
    let graph = circuit.graph().clone();
    let mut leaves = vec![false; graph.n_writers()];
    circuit.kept_edges().for_each(|edge| leaves[graph.edge_ids(edge).0] = true);
    for (name, node) in &entries.0 {
        let (in_graph, neurons) = match node {
            Node::Plain(in_graph) => (*in_graph, false),
            Node::Full { in_graph, neurons } => (*in_graph, neurons.is_some()),
        };
        report.neurons_ignored |= neurons;
        if name == "logits" {
            continue;
        }
        let writer = if name == "input" { Some(Writer::TokEmbeds) } else { name.parse().ok().filter(|w| *w != Writer::TokEmbeds) };
        let Some(writer) = writer.filter(|&writer| flat.writer_id(writer).is_some()) else {
            let reason = format!("`{}` is no node of {} layers of {} heads", shorten(name), flat.shape().n_layers, flat.shape().n_heads);
            return Err(CircuitError::Malformed { place: "nodes".to_owned(), reason });
        };
        let both = [Some(writer), (writer == Writer::TokEmbeds).then_some(Writer::PosEmbeds)];
        for id in both.into_iter().flatten().filter_map(|writer| graph.writer_id(writer)) {
            if !in_graph && leaves[id] {
                circuit.set_node(id, false);
                report.nodes_off += 1;
            }
        }
    }
    Ok(())
}

/// Python writes NaN and Infinity as bare words, which no JSON reader takes; say so, with the edge where it can be seen.
fn parse_error(text: &str, error: &serde_json::Error) -> CircuitError {
    let bare =
        ["NaN", "Infinity"].iter().filter_map(|word| text.find(&format!(": {word}")).or_else(|| text.find(&format!(":{word}")))).min();
    match bare.or_else(|| text.find(": -Infinity")) {
        Some(at) => {
            let before = text.get(..at).unwrap_or_default();
            let edge = before.rsplit('"').find(|piece| piece.contains("->")).unwrap_or("some edge");
            CircuitError::NonFinite { edge: shorten(edge) }
        }
        None => CircuitError::Malformed { place: "EAP-IG graph".to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
#[path = "eap_ig_tests.rs"]
mod tests;

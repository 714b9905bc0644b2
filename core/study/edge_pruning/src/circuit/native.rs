//! The circuit file of vitrine, `vitrine.circuit/1`: everything a [`Circuit`] holds, by name.
//!
//! ```json
//! {"format": "vitrine.circuit/1",
//!  "shape": {"n_layers": 2, "n_heads": 1, "n_kv_heads": 1, "embedding_nodes": "split"},
//!  "model_hash": null, "meta": {"method": "…"}, "labels": {"a0.h0": "duplicate token"}, "groups": {"movers": ["a1.h0"]},
//!  "kept": 2, "nodes_off": ["m1"],
//!  "edges": [["tok_embeds", "m0"], ["m0", "resid_post"]],
//!  "scores": {"a0.h0.q": [0.1, 0.2], "…": []}}
//! ```
//! `edges` are the edges whose own mask is on, by edge id; `kept` is their number and must agree. `scores`, where there are any, give for every
//! reader one number for each writer before it, in the order of writers.

use super::edge_list::Collector;
use super::entries::Entries;
use super::{Circuit, CircuitError, check_file, checked_graph, shorten};
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use vitrine_core::model::graph::{Graph, GraphShape, Reader, Writer};

const FORMAT: &str = "vitrine.circuit/1";
/// Longest label, group name or meta value, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

#[derive(serde::Serialize)]
struct Out<'a> {
    format: &'static str,
    shape: GraphShape,
    model_hash: &'a Option<String>,
    meta: &'a BTreeMap<String, String>,
    labels: &'a BTreeMap<String, String>,
    groups: &'a BTreeMap<String, Vec<String>>,
    kept: usize,
    nodes_off: Vec<String>,
    edges: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<ScoresByReader<'a>>,
}

struct ScoresByReader<'a> {
    graph: &'a Graph,
    scores: &'a [f32],
}

impl Serialize for ScoresByReader<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.graph.n_readers()))?;
        for reader in 0..self.graph.n_readers() {
            let scores = self.scores.get(self.graph.edges_of_reader(reader)).unwrap_or_default();
            map.serialize_entry(&self.graph.reader(reader).to_string(), scores)?;
        }
        map.end()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    shape: GraphShape,
    #[serde(default)]
    model_hash: Option<String>,
    #[serde(default)]
    meta: BTreeMap<String, String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    kept: usize,
    #[serde(default)]
    nodes_off: Vec<String>,
    edges: Vec<(String, String)>,
    #[serde(default)]
    scores: Option<Entries<Vec<f32>>>,
}

/// Writes a circuit. Equal circuits give equal bytes.
///
/// # Errors
/// [`CircuitError::Malformed`] should the text not be writable as JSON, which no circuit is known to cause.
pub fn to_json(circuit: &Circuit) -> Result<String, CircuitError> {
    let graph = circuit.graph();
    let name = |id: usize| {
        let (writer, reader) = graph.edge(id);
        (writer.to_string(), reader.to_string())
    };
    let off = circuit.nodes().iter().enumerate().filter(|(_, on)| !**on);
    let out = Out {
        format: FORMAT,
        shape: circuit.shape(),
        model_hash: &circuit.model_hash,
        meta: &circuit.meta,
        labels: &circuit.labels,
        groups: &circuit.groups,
        kept: circuit.counts().kept,
        nodes_off: off.map(|(id, _)| graph.writer(id).to_string()).collect(),
        edges: circuit.kept_edges().map(name).collect(),
        scores: circuit.scores().map(|scores| ScoresByReader { graph, scores }),
    };
    serde_json::to_string(&out).map_err(|error| malformed(error.to_string()))
}

/// Reads a circuit and checks every name in it.
///
/// # Errors
/// [`CircuitError`].
pub fn from_json(text: &str) -> Result<Circuit, CircuitError> {
    check_file(text)?;
    let file: File = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    if file.format != FORMAT {
        return Err(malformed(format!("format `{}`, expected `{FORMAT}`", shorten(&file.format))));
    }
    let graph = checked_graph(file.shape)?;
    let mut edges = Collector::new(&graph);
    for (number, (writer, reader)) in (1..).zip(&file.edges) {
        edges.add(&|| format!("edge {number}"), writer, reader)?;
    }
    let mut circuit = edges.circuit()?;
    if file.edges.len() != file.kept {
        return Err(malformed(format!(
            "`kept` says {}, but {} edges are listed; the file is cut or was edited",
            file.kept,
            file.edges.len()
        )));
    }
    for name in &file.nodes_off {
        let id = name.parse::<Writer>().ok().and_then(|writer| graph.writer_id(writer)).ok_or_else(|| unknown("nodes_off", name))?;
        if circuit.nodes().get(id) == Some(&false) {
            return Err(malformed(format!("nodes_off lists `{}` twice", shorten(name))));
        }
        circuit.set_node(id, false);
    }
    for (place, name) in file.labels.keys().map(|name| ("labels", name)).chain(file.groups.values().flatten().map(|name| ("groups", name)))
    {
        if !is_node(&graph, name) {
            return Err(unknown(place, name));
        }
    }
    let texts =
        file.meta.iter().chain(&file.labels).flat_map(|(key, value)| [key, value]).chain(file.groups.keys()).chain(&file.model_hash);
    if let Some(long) = texts.map(String::len).find(|&bytes| bytes > MAX_TEXT_BYTES) {
        return Err(CircuitError::TooLarge { what: "a text of meta, labels or groups (bytes)", size: long, limit: MAX_TEXT_BYTES });
    }
    (circuit.meta, circuit.labels, circuit.groups, circuit.model_hash) = (file.meta, file.labels, file.groups, file.model_hash);
    match file.scores {
        None => Ok(circuit),
        Some(entries) => circuit.with_scores(scores_by_edge(&graph, entries)?),
    }
}

fn scores_by_edge(graph: &Graph, entries: Entries<Vec<f32>>) -> Result<Vec<f32>, CircuitError> {
    let mut scores = vec![f32::NAN; graph.n_edges()];
    let mut seen = vec![false; graph.n_readers()];
    for (name, row) in entries.0 {
        let reader = name.parse::<Reader>().ok().and_then(|reader| graph.reader_id(reader)).ok_or_else(|| unknown("scores", &name))?;
        let range = graph.edges_of_reader(reader);
        if row.len() != range.len() || std::mem::replace(&mut seen[reader], true) {
            let want = range.len();
            return Err(malformed(format!(
                "scores of `{}`: {} numbers where {want} are needed, or given twice",
                shorten(&name),
                row.len()
            )));
        }
        if let Some(place) = scores.get_mut(range) {
            place.copy_from_slice(&row);
        }
    }
    match seen.iter().position(|seen| !seen) {
        Some(reader) => Err(malformed(format!("scores of `{}` are missing", graph.reader(reader)))),
        None => Ok(scores),
    }
}

fn is_node(graph: &Graph, name: &str) -> bool {
    name.parse().is_ok_and(|writer| graph.writer_id(writer).is_some()) || name.parse().is_ok_and(|reader| graph.reader_id(reader).is_some())
}

fn malformed(reason: String) -> CircuitError {
    CircuitError::Malformed { place: "circuit file".to_owned(), reason }
}

fn unknown(place: &str, name: &str) -> CircuitError {
    malformed(format!("{place}: `{}` is no node of this graph", shorten(name)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, random_circuit, random_graph, random_scores};
    use super::*;
    use vitrine_core::model::graph::EmbeddingNodes;
    use vitrine_core::train::rng::Stream;

    #[test]
    fn every_circuit_comes_back_whole() {
        let mut stream = Stream::new(1, "native", 0);
        for round in 0..300 {
            let graph = random_graph(&mut stream);
            let mut circuit = random_circuit(&graph, &mut stream);
            if round % 2 == 0 {
                circuit = circuit.with_scores(random_scores(&graph, &mut stream)).unwrap();
            }
            if round % 3 == 0 {
                circuit.labels.insert("a0.h0".to_owned(), "a \"label\" \u{2028} </script>".to_owned());
                circuit.labels.insert("a0.h0.v".to_owned(), String::new());
                circuit.groups.insert("both".to_owned(), vec!["m0".to_owned(), "resid_post".to_owned()]);
                circuit.meta.insert("seed".to_owned(), round.to_string());
                circuit.model_hash = Some("ab12".to_owned());
            }
            let text = to_json(&circuit).unwrap();
            let back = from_json(&text).unwrap();
            assert_eq!(back, circuit);
            assert_eq!(to_json(&back).unwrap(), text);
        }
    }

    #[test]
    fn each_wrong_file_has_its_error() {
        let graph = graph(1, 1, 1, EmbeddingNodes::Single);
        let mut circuit = Circuit::from_edges(&graph, [0, 3]).unwrap().with_scores(vec![0.5; graph.n_edges()]).unwrap();
        circuit.set_node(1, false);
        circuit.labels.insert("m0".to_owned(), "x".to_owned());
        let good = to_json(&circuit).unwrap();
        assert!(from_json(&good).is_ok());
        for (from, to) in [
            ("circuit/1", "circuit/2"),
            ("\"kept\":2", "\"kept\":3"),
            ("[\"tok_embeds\",\"a0.h0.q\"]", "[\"tok_embeds\",\"a0.h1.q\"]"),
            ("[\"tok_embeds\",\"a0.h0.q\"]", "[\"m0\",\"a0.h0.q\"]"),
            ("[\"tok_embeds\",\"a0.h0.q\"]", "[\"tok_embeds\",\"m0\"]"),
            ("\"nodes_off\":[\"a0.h0\"]", "\"nodes_off\":[\"a0.h0\",\"a0.h0\"]"),
            ("\"nodes_off\":[\"a0.h0\"]", "\"nodes_off\":[\"resid_post\"]"),
            ("\"labels\":{\"m0\"", "\"labels\":{\"m1\""),
            ("\"groups\":{}", "\"groups\":{\"g\":[\"nobody\"]}"),
            ("\"a0.h0.q\":[0.5]", "\"a0.h0.q\":[0.5,0.5]"),
            ("\"a0.h0.q\":[0.5]", "\"a0.h0.k\":[0.5]"),
            ("\"a0.h0.q\":[0.5],", ""),
            ("\"a0.h0.q\":[0.5]", "\"a0.h0.q\":[1e99]"),
            ("\"n_layers\":1", "\"n_layers\":99999999999"),
            ("\"n_layers\":1", "\"n_layers\":0"),
            ("\"meta\":{}", "\"meta\":{},\"more\":1"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            assert!(from_json(&bad).is_err(), "{from} -> {to}");
        }
        let long = good.replacen("\"x\"", &format!("\"{}\"", "x".repeat(MAX_TEXT_BYTES + 1)), 1);
        assert!(matches!(from_json(&long), Err(CircuitError::TooLarge { .. })));
        for cut in 0..good.len() {
            assert!(from_json(&good[..cut]).is_err());
        }
    }
}

//! Plain edge lists: JSON pairs, one `from -> to` a line, and CSV for spreadsheets.
//!
//! An edge list says nothing of node masks, so writers write *effective* edges. Readers need the graph that the names belong to.

use super::{Circuit, CircuitError, check_file, shorten};
use std::fmt::Write;
use vitrine_core::model::graph::Graph;

/// Collects named edges into a circuit, refusing unknown, backwards and duplicated ones.
pub(super) struct Collector<'a> {
    graph: &'a Graph,
    pub edges: Vec<bool>,
}

impl<'a> Collector<'a> {
    pub fn new(graph: &'a Graph) -> Self {
        Self { graph, edges: vec![false; graph.n_edges()] }
    }

    pub fn add(&mut self, place: &dyn Fn() -> String, writer: &str, reader: &str) -> Result<usize, CircuitError> {
        let id = self.graph.edge_by_name(writer, reader).map_err(|error| CircuitError::Edge { place: place(), error })?;
        match self.edges.get_mut(id) {
            Some(kept) if !*kept => *kept = true,
            _ => return Err(CircuitError::Duplicate { place: place(), writer: shorten(writer), reader: shorten(reader) }),
        }
        Ok(id)
    }

    pub fn circuit(self) -> Result<Circuit, CircuitError> {
        let nodes = vec![true; self.graph.n_writers()];
        Circuit::from_masks(self.graph, self.edges, nodes)
    }
}

/// Names of the effective edges, by edge id.
fn names(circuit: &Circuit) -> impl Iterator<Item = (usize, String, String)> + '_ {
    let kept = circuit.effective_edges();
    (0..kept.len()).filter(move |&id| kept[id]).map(|id| {
        let (writer, reader) = circuit.graph().edge(id);
        (id, writer.to_string(), reader.to_string())
    })
}

/// `[["tok_embeds","m0"],…]`, one edge a line.
pub fn to_json(circuit: &Circuit) -> String {
    // Node names are letters, digits, points and underscores: nothing to escape.
    let rows: Vec<String> = names(circuit).map(|(_, writer, reader)| format!("[\"{writer}\",\"{reader}\"]")).collect();
    format!("[{}]\n", rows.join(",\n"))
}

/// Reads `[["tok_embeds","m0"],…]`.
///
/// # Errors
/// [`CircuitError`]: not such a list, unknown nodes, backwards or duplicated edges.
pub fn from_json(text: &str, graph: &Graph) -> Result<Circuit, CircuitError> {
    check_file(text)?;
    let malformed = |error: serde_json::Error| CircuitError::Malformed { place: "edge list".to_owned(), reason: error.to_string() };
    let pairs: Vec<(String, String)> = serde_json::from_str(text).map_err(malformed)?;
    let mut edges = Collector::new(graph);
    for (number, (writer, reader)) in (1..).zip(&pairs) {
        edges.add(&|| format!("edge {number}"), writer, reader)?;
    }
    edges.circuit()
}

/// `tok_embeds -> m0`, one edge a line.
pub fn to_text(circuit: &Circuit) -> String {
    let mut out = String::new();
    for (_, writer, reader) in names(circuit) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{writer} -> {reader}");
    }
    out
}

/// Reads `from -> to` lines; blank lines and everything after `#` are skipped.
///
/// # Errors
/// [`CircuitError`] with the line number.
pub fn from_text(text: &str, graph: &Graph) -> Result<Circuit, CircuitError> {
    check_file(text)?;
    let mut edges = Collector::new(graph);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let place = || format!("line {number}");
        let malformed = || CircuitError::Malformed { place: place(), reason: format!("expected `from -> to`, got `{}`", shorten(line)) };
        let (writer, reader) = line.split_once("->").ok_or_else(malformed)?;
        edges.add(&place, writer.trim(), reader.trim())?;
    }
    edges.circuit()
}

/// CSV with a header: `from,to,kept,score`. Effective edges only, or `all` edges of the graph; no score leaves the last field empty.
pub fn to_csv(circuit: &Circuit, all: bool) -> String {
    let kept = circuit.effective_edges();
    let mut out = String::from("from,to,kept,score\n");
    for (id, &kept) in kept.iter().enumerate().filter(|(_, kept)| all || **kept) {
        let (writer, reader) = circuit.graph().edge(id);
        // Writing to a string cannot fail.
        let _ = write!(out, "{writer},{reader},{}", u8::from(kept));
        let _ = match circuit.scores().and_then(|scores| scores.get(id)) {
            Some(score) => writeln!(out, ",{score}"),
            None => writeln!(out, ","),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, random_circuit, random_graph, random_scores};
    use super::*;
    use vitrine_core::model::graph::{EmbeddingNodes, GraphError};
    use vitrine_core::train::rng::Stream;

    #[test]
    fn lists_come_back_as_effective_edges() {
        let mut stream = Stream::new(1, "edge list", 0);
        for _ in 0..200 {
            let graph = random_graph(&mut stream);
            let circuit = random_circuit(&graph, &mut stream);
            for back in [from_json(&to_json(&circuit), &graph), from_text(&to_text(&circuit), &graph)] {
                assert_eq!(back.unwrap().edges(), circuit.effective_edges());
            }
            let scores = random_scores(&graph, &mut stream);
            let scored = circuit.clone().with_scores(scores.clone()).unwrap();
            let csv = to_csv(&scored, true);
            for (id, line) in csv.lines().skip(1).enumerate() {
                let fields: Vec<&str> = line.split(',').collect();
                assert_eq!(graph.edge_by_name(fields[0], fields[1]), Ok(id));
                assert_eq!(fields[2] == "1", circuit.effective_edges()[id]);
                assert_eq!(fields[3].parse(), Ok(scores[id]));
            }
            assert_eq!(csv.lines().count(), graph.n_edges() + 1);
            assert_eq!(to_csv(&circuit, false).lines().count(), circuit.counts().effective + 1);
        }
        let empty = Circuit::empty(&graph(1, 1, 1, EmbeddingNodes::Single));
        assert_eq!(from_json(&to_json(&empty), empty.graph()), Ok(empty));
    }

    #[test]
    fn each_wrong_list_has_its_error() {
        let graph = graph(2, 2, 1, EmbeddingNodes::Single);
        let text = |lines: &str| from_text(lines, &graph).unwrap_err();
        assert!(
            matches!(text("tok_embeds -> m0\nm9 -> m1"), CircuitError::Edge { place, error: GraphError::UnknownNode { .. } } if place == "line 2")
        );
        assert!(matches!(text("m1 -> m0"), CircuitError::Edge { error: GraphError::Backwards { .. }, .. }));
        assert!(matches!(text("m0 -> m1 # once\n\nm0->m1"), CircuitError::Duplicate { place, .. } if place == "line 3"));
        assert!(matches!(text("m0 m1"), CircuitError::Malformed { .. }));
        let json = |text: &str| from_json(text, &graph).unwrap_err();
        assert!(matches!(json("[[\"m0\",\"m1\"],[\"m0\",\"m1\"]]"), CircuitError::Duplicate { place, .. } if place == "edge 2"));
        assert!(matches!(
            json("[[\"m0\",\"a1.h0.k\"],[\"m0\",\"a1.h1.k\"]]"),
            CircuitError::Edge { error: GraphError::UnknownNode { .. }, .. }
        ));
        assert!(matches!(json("[[\"m0\"]]"), CircuitError::Malformed { .. }));
        assert!(matches!(json("[[\"m0\",\"m1\",\"m1\"]]"), CircuitError::Malformed { .. }));
        assert!(matches!(json(&"[".repeat(5000)), CircuitError::Malformed { .. }));
    }
}

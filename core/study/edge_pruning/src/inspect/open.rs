//! Circuit files of any known format, told apart by what is in them.

use super::InspectError;
use crate::{
    circuit::{
        Circuit, checked_graph,
        eap_ig::{self, ImportReport, SharedHeads},
        edge_list, native,
    },
    tasks::tracr::{EdgeTruth, TracrConfig},
};
use vitrine_core::model::graph::GraphShape;

/// A circuit that was read, and what reading had to bridge.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    pub circuit: Circuit,
    /// Name of the format.
    pub format: &'static str,
    /// For EAP-IG's format.
    pub import: Option<ImportReport>,
}

/// Reads a circuit: vitrine's JSON, EAP-IG's graph JSON, an edge list as JSON or as text. `shape` is the graph of the model on the table; without one the file must say its own.
///
/// # Errors
/// [`InspectError::NeedsModel`] for an edge list without a model; [`InspectError::Circuit`] for whatever is wrong in the file, or when it is for another model.
pub fn open(text: &str, shape: Option<GraphShape>) -> Result<Opened, InspectError> {
    let start = text.trim_start();
    if start.is_empty() {
        return Err(InspectError::Refused("the file is empty".into()));
    }
    let opened = if start.starts_with('{') && text.contains("vitrine.circuit/1") {
        Opened { circuit: native::from_json(text)?, format: "vitrine circuit", import: None }
    } else if start.starts_with('{') {
        let (circuit, report) = eap_ig::from_json(text, shape, SharedHeads::Merge)?;
        Opened { circuit, format: "EAP-IG graph", import: Some(report) }
    } else {
        let graph = checked_graph(shape.ok_or(InspectError::NeedsModel)?)?;
        let json = start.starts_with('[');
        let circuit = if json { edge_list::from_json(text, &graph) } else { edge_list::from_text(text, &graph) }?;
        Opened { circuit, format: if json { "edge list (JSON)" } else { "edge list (text)" }, import: None }
    };
    if let Some(shape) = shape {
        opened.circuit.fits(shape)?;
    }
    Ok(opened)
}

/// All edges of a graph.
///
/// # Errors
/// [`InspectError::Circuit`] for a shape of no model.
pub fn full(shape: GraphShape) -> Result<Circuit, InspectError> {
    Ok(Circuit::full(&checked_graph(shape)?))
}

/// A known circuit of a compiled program, from its `config.json` and `edges.json`. Scores are the measured effects of its edges: the largest change of an output when the
/// edge alone carries nothing (sets under zero ablation), or another input's value (interchange).
///
/// # Errors
/// [`InspectError::Tracr`] for files that make no program, [`InspectError::Refused`] for a set that is not there.
pub fn known(config: &str, edges: &str, set: &str) -> Result<Circuit, InspectError> {
    let graph = TracrConfig::from_json(config)?.graph()?;
    let truth = EdgeTruth::from_json(edges, &graph)?;
    let ids = truth
        .sets
        .get(set)
        .ok_or_else(|| InspectError::Refused(format!("the file has no set `{}`", set.chars().take(40).collect::<String>())))?;
    let mut circuit = Circuit::from_edges(&graph, ids.iter().copied())?;
    if truth.per_edge.len() == graph.n_edges() {
        let mut scores = vec![0.0; graph.n_edges()];
        for effect in &truth.per_edge {
            if let Some(score) = scores.get_mut(effect.edge) {
                *score = if set.contains("zero") { effect.zero_max_abs } else { effect.interchange_max_abs } as f32;
            }
        }
        circuit = circuit.with_scores(scores)?;
        circuit.meta.insert("scores".to_owned(), "effect of cutting the edge alone".to_owned());
    }
    circuit.meta.insert("method".to_owned(), format!("known edge set `{set}`"));
    Ok(circuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_circuits_have_their_edges_and_effects() {
        let config = include_str!("../../../../assets/tracr/xproportion/config.json");
        let edges = include_str!("../../../../assets/tracr/xproportion/edges.json");
        let zero = known(config, edges, "minimal_zero").unwrap();
        let interchange = known(config, edges, "minimal_interchange").unwrap();
        assert_eq!((zero.counts().kept, interchange.counts().kept), (5, 3));
        // Cutting an edge of the smallest circuit alone changes an output.
        assert!(zero.kept_edges().all(|edge| zero.scores().unwrap()[edge] > 1e-3));
        assert!(matches!(known(config, edges, "nothing"), Err(InspectError::Refused(_))));
        assert!(matches!(known("{}", edges, "minimal_zero"), Err(InspectError::Tracr(_))));
        assert_eq!(full(zero.shape()).unwrap().counts().kept, 32);
        assert!(full(GraphShape { n_layers: usize::MAX, ..zero.shape() }).is_err());
    }

    #[test]
    fn hostile_files_end_in_an_error() {
        let shape = known(
            include_str!("../../../../assets/tracr/hist/config.json"),
            include_str!("../../../../assets/tracr/hist/edges.json"),
            "minimal_zero",
        )
        .unwrap()
        .shape();
        for text in [
            "",
            "{",
            "[[\"a\"]]",
            "{\"format\":\"vitrine.circuit/1\"}",
            "a -> b",
            "\u{0}",
            "{\"cfg\":{\"n_layers\":99999999,\"n_heads\":9},\"nodes\":{},\"edges\":{}}",
            &"[".repeat(100_000),
        ] {
            assert!(open(text, Some(shape)).is_err(), "{text:.40}");
            assert!(open(text, None).is_err());
        }
    }
}

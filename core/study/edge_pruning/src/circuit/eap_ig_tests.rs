use super::super::testing::{graph, random_circuit, random_graph, random_scores};
use super::*;
use vitrine_core::train::rng::Stream;

/// Whatever is kept and scored in a graph with one input node comes back, through repeated k and v edges too.
#[test]
fn circuits_come_back() {
    let mut stream = Stream::new(1, "eap-ig", 0);
    for _ in 0..300 {
        let graph = random_graph(&mut stream);
        let scores = random_scores(&graph, &mut stream);
        let circuit = random_circuit(&graph, &mut stream).with_scores(scores.clone()).unwrap();
        let text = to_json(&circuit, 8).unwrap();
        let (back, report) = from_json(&text, Some(graph.shape()), SharedHeads::Refuse).unwrap();
        assert_eq!((report.disagreements, report.nodes_off, report.neurons_ignored), (0, 0, false));
        assert_eq!(report.dangling, clean_up(&back, Ablation::Interchange).1);
        let effective = circuit.effective_edges();
        for id in 0..graph.n_edges() {
            let (writer, reader) = graph.edge(id);
            let partner = match writer {
                Writer::TokEmbeds if graph.n_embeds() == 2 => Some(Writer::PosEmbeds),
                Writer::PosEmbeds => Some(Writer::TokEmbeds),
                _ => None,
            };
            match partner.map(|partner| graph.edge_id(partner, reader).unwrap()) {
                None => {
                    assert_eq!(back.edges()[id], effective[id]);
                    assert_eq!(back.scores().unwrap()[id], scores[id]);
                }
                Some(other) => {
                    assert_eq!(back.edges()[id], effective[id] || effective[other]);
                    let half = f64::midpoint(f64::from(scores[id]), f64::from(scores[other]));
                    assert!((f64::from(back.scores().unwrap()[id]) - half).abs() <= 1e-6 * half.abs() + 1e-12);
                }
            }
        }
        let bare = from_json(&text, None, SharedHeads::Refuse).unwrap().0;
        let shape = graph.shape();
        assert_eq!(bare.shape(), GraphShape { n_kv_heads: shape.n_heads, embedding_nodes: EmbeddingNodes::Single, ..shape });
        assert_eq!(to_json(&circuit, 8).unwrap(), text);
    }
}

#[test]
fn the_file_has_the_names_and_fields_of_the_public_code() {
    let graph = graph(1, 2, 1, EmbeddingNodes::Split);
    let ids = [("pos_embeds", "a0.h0.k"), ("a0.h1", "m0"), ("m0", "resid_post")].map(|(w, r)| graph.edge_by_name(w, r).unwrap());
    let text = to_json(&Circuit::from_edges(&graph, ids).unwrap(), 16).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["cfg"], serde_json::json!({"n_layers": 1, "n_heads": 2, "parallel_attn_mlp": false, "d_model": 16}));
    let nodes: Vec<(&String, bool)> =
        value["nodes"].as_object().unwrap().iter().map(|(k, v)| (k, v["in_graph"].as_bool().unwrap())).collect();
    let expected = [("input", true), ("a0.h0", false), ("a0.h1", true), ("m0", true), ("logits", true)];
    assert!(nodes.iter().map(|(k, v)| (k.as_str(), *v)).eq(expected));
    let edges = value["edges"].as_object().unwrap();
    let kept: Vec<&str> = edges.iter().filter(|(_, e)| e["in_graph"] == true).map(|(k, _)| k.as_str()).collect();
    assert_eq!(kept, ["input->a0.h0<k>", "input->a0.h1<k>", "a0.h1->m0", "m0->logits"]);
    assert_eq!(edges.len(), 6 + 3 + 4);
    assert_eq!(edges["m0->logits"], serde_json::json!({"score": 1.0, "in_graph": true}));
}

const FILE: &str = r#"{"cfg": {"n_layers": 1, "n_heads": 2, "parallel_attn_mlp": false, "d_model": 4, "more": 1},
 "nodes": {"input": {"in_graph": true}, "a0.h0": {"in_graph": true, "score": 0.5}, "a0.h1": false, "logits": {"in_graph": true}},
 "edges": {"input->a0.h0<k>": {"score": 1.5, "in_graph": true}, "input->a0.h1<k>": {"score": -0.5, "in_graph": false},
           "a0.h0->logits": {"score": 2, "in_graph": true}, "a0.h1->logits": {"in_graph": true}}}"#;

#[expect(clippy::unnecessary_wraps, reason = "the reader takes an Option")]
fn shape(n_kv_heads: usize, embedding_nodes: EmbeddingNodes) -> Option<GraphShape> {
    Some(GraphShape { n_layers: 1, n_heads: 2, n_kv_heads, embedding_nodes })
}

#[test]
fn differing_heads_are_merged_or_refused() {
    let (circuit, report) = from_json(FILE, shape(1, EmbeddingNodes::Split), SharedHeads::Merge).unwrap();
    assert_eq!(report, ImportReport { disagreements: 2, nodes_off: 1, neurons_ignored: false, dangling: 1 });
    let at = |w: &str, r: &str| circuit.graph().edge_by_name(w, r).unwrap();
    let scores = circuit.scores().unwrap();
    assert_eq!(
        (scores[at("tok_embeds", "a0.h0.k")], scores[at("pos_embeds", "a0.h0.k")], scores[at("a0.h0", "resid_post")]),
        (0.5, 0.5, 2.0)
    );
    let counts = circuit.counts();
    assert_eq!((counts.kept, counts.effective, counts.nodes_on), (4, 3, 4));
    let refused = from_json(FILE, shape(1, EmbeddingNodes::Single), SharedHeads::Refuse);
    assert_eq!(refused.unwrap_err(), CircuitError::Disagreement { heads: 1, first: "tok_embeds -> a0.h0.k".to_owned() });
    let apart = from_json(FILE, None, SharedHeads::Refuse).unwrap().0;
    assert_eq!(apart.counts().kept, 3);
}

#[test]
fn each_wrong_file_has_its_error() {
    let read = |from: &str, to: &str| {
        let bad = FILE.replacen(from, to, 1);
        assert_ne!(bad, FILE, "{from}");
        from_json(&bad, None, SharedHeads::Merge).unwrap_err()
    };
    assert!(matches!(read("a0.h0->logits", "a0.h2->logits"), CircuitError::Edge { error: GraphError::UnknownNode { .. }, .. }));
    assert!(matches!(read("a0.h0->logits", "m0->m0"), CircuitError::Edge { error: GraphError::Backwards { .. }, .. }));
    assert!(matches!(read("a0.h1->logits", "a0.h0->logits"), CircuitError::Duplicate { .. }));
    for name in ["tok_embeds->logits", "a0.h0->resid_post", "a0.h0", "input->a0.h0", "input->a0.h0<x>", "input->a0.h0.q"] {
        assert!(matches!(read("a0.h0->logits", name), CircuitError::Malformed { .. } | CircuitError::Edge { .. }), "{name}");
    }
    assert_eq!(read("\"score\": 1.5", "\"score\": NaN"), CircuitError::NonFinite { edge: "input->a0.h0<k>".to_owned() });
    assert_eq!(read("\"score\": 2", "\"score\": -Infinity"), CircuitError::NonFinite { edge: "a0.h0->logits".to_owned() });
    assert_eq!(read("\"score\": 2", "\"score\": 1e200"), CircuitError::NonFinite { edge: "a0.h0 -> resid_post".to_owned() });
    assert!(matches!(read("\"n_layers\": 1", "\"n_layers\": 4000000000"), CircuitError::TooLarge { .. }));
    assert!(matches!(read("\"n_layers\": 1", "\"n_layers\": 0"), CircuitError::Graph(_)));
    assert!(matches!(read("\"parallel_attn_mlp\": false", "\"parallel_attn_mlp\": true"), CircuitError::NotRepresentable { .. }));
    assert!(matches!(read("\"a0.h1\": false", "\"a7.h1\": false"), CircuitError::Malformed { .. }));
    assert!(matches!(read("\"cfg\"", "\"config\""), CircuitError::Malformed { .. }));
    let other = GraphShape { n_layers: 2, n_heads: 2, n_kv_heads: 2, embedding_nodes: EmbeddingNodes::Single };
    assert!(matches!(from_json(FILE, Some(other), SharedHeads::Merge), Err(CircuitError::Shape { .. })));
    let always_on = from_json(FILE, shape(2, EmbeddingNodes::AlwaysOn), SharedHeads::Merge);
    assert!(matches!(always_on, Err(CircuitError::NotRepresentable { .. })));
}

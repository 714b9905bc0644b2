use super::super::testing::{graph, random_circuit, random_graph};
use super::*;
use vitrine_core::model::graph::{Reader, Writer};
use vitrine_core::train::rng::Stream;

/// What survives, by paths: the writer is reached from an embedding (where that is asked) and the reader reaches the output, both over
/// kept edges. Closure over nodes by repeated squaring of a reachability matrix: nothing here knows passes or orders.
fn by_paths(circuit: &Circuit, from_embeddings: bool) -> Vec<bool> {
    let graph = circuit.graph();
    let (n, out) = (graph.n_writers() + 1, graph.n_writers());
    let kept = circuit.effective_edges();
    let carriers = |edge: usize| {
        let (_, reader) = graph.edge_ids(edge);
        if graph.reader(reader) == Reader::ResidPost { vec![out] } else { graph.outputs_of_reader(reader) }
    };
    let mut reach: Vec<Vec<bool>> = (0..n).map(|i| (0..n).map(|j| i == j).collect()).collect();
    for edge in (0..kept.len()).filter(|&edge| kept[edge]) {
        for to in carriers(edge) {
            reach[graph.edge_ids(edge).0][to] = true;
        }
    }
    for via in 0..n {
        for i in 0..n {
            for j in 0..n {
                reach[i][j] |= reach[i][via] && reach[via][j];
            }
        }
    }
    let sourced = |writer: usize| {
        !from_embeddings || (0..n - 1).any(|w| matches!(graph.writer(w), Writer::TokEmbeds | Writer::PosEmbeds) && reach[w][writer])
    };
    (0..kept.len()).map(|e| kept[e] && sourced(graph.edge_ids(e).0) && carriers(e).iter().any(|&to| reach[to][out])).collect()
}

#[test]
fn what_stays_is_what_lies_on_a_path() {
    let mut stream = Stream::new(1, "clean-up", 0);
    let (mut shrunk, mut differ) = (0, 0);
    for _ in 0..800 {
        let graph = random_graph(&mut stream);
        let circuit = random_circuit(&graph, &mut stream);
        let sparse = graph.shape().embedding_nodes != EmbeddingNodes::AlwaysOn;
        for (ablation, from_embeddings) in [(Ablation::Interchange, sparse), (Ablation::Zero, false), (Ablation::Mean, false)] {
            let (clean, removed) = clean_up(&circuit, ablation);
            assert_eq!(clean.edges(), by_paths(&circuit, from_embeddings), "{ablation:?} {:?}", graph.shape());
            assert_eq!(removed, circuit.counts().kept - clean.counts().kept);
            assert_eq!(clean_up(&clean, ablation), (clean.clone(), 0), "idempotent");
            assert_eq!(clean.nodes(), circuit.nodes());
            shrunk += usize::from(removed > 0);
        }
        differ += usize::from(clean_up(&circuit, Ablation::Interchange).1 > clean_up(&circuit, Ablation::Zero).1);
    }
    assert!(shrunk > 400 && differ > 50, "{shrunk} {differ}");
}

/// A toy network with the graph's wiring: every node is a bounded non-linear function, with a bias, of its inputs. Returns the output's read.
/// `ablated` gives the value that a dropped edge or node carries instead of each writer's.
fn run(circuit: &Circuit, source: [f64; 2], always: f64, ablated: &[f64]) -> (f64, Vec<f64>) {
    let graph = circuit.graph();
    let (edges, nodes) = (circuit.edges(), circuit.nodes());
    let mut values: Vec<f64> = vec![];
    let read = |reader: usize, values: &[f64]| -> f64 {
        let sum = |(w, e): (usize, usize)| if edges[e] { values[w] } else { ablated[w] } * (1.0 + 0.37 * (e % 11) as f64);
        always + graph.edges_of_reader(reader).enumerate().map(sum).sum::<f64>()
    };
    for writer in 0..graph.n_writers() {
        let inputs: Vec<f64> = graph.inputs_of_writer(writer).iter().map(|&r| read(r, &values)).collect();
        let own = match inputs.as_slice() {
            [] => source[writer],
            [q, k, v] => (q * k).tanh() * 0.5 + 0.3 * v.sin() + (q * k).cos() * v.cos() * 0.4 + 0.1,
            other => other.iter().map(|x| (x + 0.2).sin()).sum::<f64>() + 0.05,
        };
        values.push(if nodes[writer] { own } else { ablated[writer] });
    }
    (read(graph.n_readers() - 1, &values), values)
}

#[test]
fn clean_up_never_changes_what_a_network_computes() {
    let mut stream = Stream::new(2, "clean-up/network", 0);
    let mut zero_would_change = 0;
    for _ in 0..600 {
        let graph = random_graph(&mut stream);
        let circuit = random_circuit(&graph, &mut stream);
        let always = if graph.n_embeds() == 0 { stream.uniform() } else { 0.0 };
        let corrupted_always = if graph.n_embeds() == 0 { stream.uniform() } else { 0.0 };
        let (clean, corrupted) = ([stream.uniform(), stream.uniform()], [stream.uniform(), stream.uniform()]);
        let none = vec![0.0; graph.n_writers()];
        let (_, other) = run(&Circuit::full(&graph), corrupted, corrupted_always, &none);
        let mean: Vec<f64> = none.iter().map(|_| stream.uniform()).collect();
        for (ablation, ablated) in [(Ablation::Interchange, &other), (Ablation::Zero, &none), (Ablation::Mean, &mean)] {
            let after = clean_up(&circuit, ablation).0;
            let (a, b) = (run(&circuit, clean, always, ablated).0, run(&after, clean, always, ablated).0);
            assert!((a - b).abs() < 1e-9, "{ablation:?}: {a} {b}");
        }
        // The second rule really is false without interchange: this is why it is not applied there.
        let wrongly = clean_up(&circuit, Ablation::Interchange).0;
        zero_would_change += usize::from((run(&circuit, clean, always, &none).0 - run(&wrongly, clean, always, &none).0).abs() > 1e-9);
    }
    assert!(zero_would_change > 20, "{zero_would_change}");
}

#[test]
fn a_head_with_q_or_k_but_no_v_stays_and_shared_k_leads_on_through_any_head() {
    let graph = graph(2, 2, 1, EmbeddingNodes::Single);
    let edge = |w: &str, r: &str| graph.edge_by_name(w, r).unwrap();
    let kept = |ids: &[usize]| Circuit::from_edges(&graph, ids.iter().copied()).unwrap();
    // Only q: the head still moves corrupted values by a clean pattern.
    let q_only = kept(&[edge("tok_embeds", "a1.h0.q"), edge("a1.h0", "resid_post")]);
    assert_eq!(clean_up(&q_only, Ablation::Interchange), (q_only.clone(), 0));
    // The shared k serves a1.h1 too: it stays although a1.h0 has no output, and makes a1.h1 more than its corrupted self.
    let shared = kept(&[edge("tok_embeds", "a1.h0.k"), edge("a1.h1", "resid_post")]);
    assert_eq!(clean_up(&shared, Ablation::Interchange).1, 0);
    // q of a1.h0 does not serve a1.h1.
    let not_shared = kept(&[edge("tok_embeds", "a1.h0.q"), edge("a1.h1", "resid_post")]);
    assert_eq!(clean_up(&not_shared, Ablation::Interchange).1, 2);
    assert_eq!(clean_up(&not_shared, Ablation::Zero).1, 1);
}

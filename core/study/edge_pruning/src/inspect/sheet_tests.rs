use super::*;
use crate::circuit::testing::{graph, random_circuit, random_scores};
use vitrine_core::{model::graph::EmbeddingNodes, train::rng::Stream};

fn scored() -> (Graph, Circuit) {
    let mut stream = Stream::new(7, "sheet", 0);
    let graph = graph(3, 2, 2, EmbeddingNodes::Split);
    let scores = random_scores(&graph, &mut stream);
    let circuit = random_circuit(&graph, &mut stream).with_scores(scores).unwrap();
    (graph, circuit)
}

#[test]
fn sizes_and_switches_come_off_again() {
    let (graph, circuit) = scored();
    let mut sheet = Sheet::new(circuit.clone());
    let opened = sheet.masks();
    assert_eq!(opened.iter().map(|&m| m == 1).collect::<Vec<_>>(), circuit.effective_edges());

    sheet.set_size(Some(12)).unwrap();
    let expected = nested(&graph, circuit.scores().unwrap(), &[12], Ranking::Magnitude, Ablation::Interchange).unwrap();
    assert_eq!(sheet.current().edges(), expected[0].edges());
    let off = (0..graph.n_edges()).find(|&e| !sheet.current().edges()[e]).unwrap();
    sheet.switch(off, true);
    assert_eq!((sheet.switched(), sheet.summary().unwrap().switched), (vec![off as u32], 1));
    assert!(sheet.current().edges()[off]);
    sheet.set_size(Some(20)).unwrap();
    assert!(sheet.current().edges()[off], "a switch stays when the size changes");
    sheet.set_size(Some(12)).unwrap();
    sheet.switch(off, false);
    assert_eq!(sheet.switched(), Vec::<u32>::new(), "back where it was is no switch");
    sheet.switch(off, true);
    sheet.switch(graph.n_edges(), true);
    sheet.reset_switches().unwrap();
    sheet.set_size(None).unwrap();
    assert_eq!(sheet.masks(), opened);

    let mut bare = Sheet::new(Circuit::full(&graph));
    assert!(matches!(bare.set_size(Some(3)), Err(InspectError::NoScores)));
    assert_eq!(bare.summary().unwrap().size, None);
}

#[test]
fn log_alphas_rank_by_value() {
    let (graph, circuit) = scored();
    let scores = circuit.scores().unwrap().to_vec();
    let mut by_value = circuit;
    by_value.meta.insert("scores".to_owned(), "log alpha".to_owned());
    let order = Sheet::new(by_value).ranked();
    assert!(order.windows(2).all(|pair| scores[pair[0] as usize] >= scores[pair[1] as usize]));
    assert_eq!(order.len(), graph.n_edges());
}

#[test]
fn a_second_circuit_sorts_edges_into_classes() {
    let (graph, circuit) = scored();
    let other = random_circuit(&graph, &mut Stream::new(8, "sheet", 0));
    let mut sheet = Sheet::new(circuit.clone());
    assert!(sheet.classes().iter().zip(circuit.effective_edges()).all(|(&class, kept)| class == if kept { 2 } else { 0 }));
    sheet.set_other(Some(other.clone())).unwrap();
    let count = |class: u8| sheet.classes().iter().map(|&c| usize::from(c == class)).sum::<usize>();
    let agreement = circuit.agreement(&other).unwrap();
    assert_eq!((count(1), count(2), count(3)), (agreement.shared, agreement.extra, agreement.missing));
    assert_eq!(sheet.summary().unwrap().agreement, Some(agreement));
    let drawn = sheet.findings();
    assert_eq!(drawn.sets, ["shared", "only A", "only B"]);
    assert_eq!(drawn.edges.iter().filter(|edge| edge.set == 2).count(), agreement.missing);
    let small = crate::circuit::testing::graph(1, 1, 1, EmbeddingNodes::Split);
    assert!(sheet.set_other(Some(Circuit::full(&small))).is_err());
    sheet.set_other(None).unwrap();
    assert_eq!(sheet.summary().unwrap().jaccard, None);
}

#[test]
fn labels_and_groups_travel_with_the_file() {
    let (_, circuit) = scored();
    let mut sheet = Sheet::new(circuit);
    sheet.set_label("a1.h0", " name mover ").unwrap();
    sheet.set_group("a1.h0", "movers").unwrap();
    sheet.set_group("m0", "movers").unwrap();
    sheet.set_group("m0", "early").unwrap();
    sheet.set_size(Some(9)).unwrap();
    let back = native::from_json(&sheet.export("vitrine", 0).unwrap()).unwrap();
    assert_eq!(back.labels.get("a1.h0").map(String::as_str), Some("name mover"));
    assert_eq!(back.groups.get("movers"), Some(&vec!["a1.h0".to_owned()]));
    assert_eq!(back.edges(), sheet.current().edges());
    let drawn = sheet.findings();
    let node = drawn.nodes.iter().find(|node| node.name == "m0").unwrap();
    assert_eq!(node.group.map(|group| drawn.groups[group as usize].as_str()), Some("early"));
    sheet.set_label("a1.h0", "").unwrap();
    sheet.set_group("a1.h0", "").unwrap();
    assert!(sheet.current().labels.is_empty() && !sheet.current().groups.contains_key("movers"));
    assert!(sheet.set_label("a9.h0", "x").is_err() && sheet.set_label("m0", &"x".repeat(5000)).is_err());
}

#[test]
fn every_format_is_written_and_read() {
    let (graph, circuit) = scored();
    let sheet = Sheet::new(circuit);
    for format in ["vitrine", "list", "text"] {
        let text = sheet.export(format, 64).unwrap();
        let opened = super::super::open(&text, Some(graph.shape())).unwrap();
        assert_eq!(opened.circuit.effective_edges(), sheet.current().effective_edges(), "{format}");
    }
    let svg = sheet.export("svg", 64).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.matches("<path").count() >= sheet.summary().unwrap().shown);
    assert_eq!(sheet.export("csv", 64).unwrap().lines().count(), sheet.summary().unwrap().shown + 1);
    assert!(matches!(sheet.export("pdf", 64), Err(InspectError::Refused(_))));
    assert!(matches!(super::super::open("[]", None), Err(InspectError::NeedsModel)));
    let layout = sheet.layout();
    assert_eq!(
        (layout.writers.len(), layout.readers.len(), layout.nodes.len()),
        (graph.n_writers(), graph.n_readers(), graph.n_writers() + 1)
    );
}

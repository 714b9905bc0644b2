//! The schema's own promises: what is written reads back, what is out of bounds is refused and said where.

use proptest::prelude::*;

use super::*;

fn shape(embeddings: &[&str], layers: u32, heads: u32, kv_heads: u32) -> TransformerShape {
    TransformerShape { embeddings: embeddings.iter().map(|name| (*name).to_owned()).collect(), layers, heads, kv_heads }
}

#[test]
fn edge_counts_match_the_published_graphs() {
    for (shape, writers, readers, edges) in [
        (shape(&["tok_embeds", "pos_embeds"], 12, 12, 12), 158, 445, 32_936),
        (shape(&[], 12, 12, 12), 156, 445, 32_046),
        (shape(&["tok_embeds"], 12, 12, 12), 157, 445, 32_491),
        (shape(&[], 40, 40, 40), 1_640, 4_841, 3_872_820),
        (shape(&["tok_embeds"], 30, 9, 3), 301, 481, 70_651),
        (shape(&["tok_embeds", "pos_embeds"], 2, 1, 1), 6, 9, 32),
    ] {
        let circuit = shape.circuit("mask").expect("a real shape");
        assert_eq!((circuit.writers.len(), circuit.readers.len(), circuit.totals.edges), (writers, readers, edges));
    }
    assert!(shape(&[], 2, 9, 4).circuit("mask").is_none());
    assert!(shape(&[], u32::MAX, u32::MAX, 1).circuit("mask").is_none());
}

/// A writer comes before a reader when it is computed before: the order of both lists says so.
fn full_graph() -> Circuit {
    let mut circuit = shape(&["tok_embeds"], 30, 9, 3).circuit("score").expect("a real shape");
    let row = |circuit: &Circuit, node: u32| {
        let node = &circuit.nodes[node as usize];
        match node.kind {
            NodeKind::Embedding => 0,
            NodeKind::Head => 2 * node.layer + 1,
            NodeKind::Mlp => 2 * node.layer + 2,
            NodeKind::Output => u32::MAX,
        }
    };
    for (reader, writer) in (0..481u32).flat_map(|reader| (0..301u32).map(move |writer| (reader, writer))) {
        let to = row(&circuit, circuit.readers[reader as usize].nodes[0]);
        if row(&circuit, circuit.writers[writer as usize].node) < to {
            circuit.edges.push(Edge::kept(writer, reader, f64::from(writer) - f64::from(reader)));
        }
    }
    circuit.totals.kept = 70_651;
    circuit
}

#[test]
fn a_whole_graph_of_70_651_edges_is_held_checked_and_drawn() {
    let mut findings = Findings::new("edge-pruning", "all edges");
    findings.panels.push(Panel::new("all", "All", "", full_graph()));
    let Body::Circuit(circuit) = &findings.panels[0].body else { panic!("a circuit") };
    assert_eq!(circuit.edges.len(), 70_651);
    let json = findings.to_json().unwrap();
    assert_eq!(Findings::from_json(json.as_bytes()).unwrap(), findings);
    let runs = [(RunRecord::new("edge-pruning"), findings)];
    let html = crate::report::render(&runs, &crate::report::Options::default()).unwrap();
    assert!(html.contains("the 600 strongest are drawn"));
    assert_eq!(html.matches(" data-w=").count(), 600);
}

/// Changes one thing and gives back what the check says.
fn broken(change: impl FnOnce(&mut Findings)) -> String {
    let mut findings = Findings::new("s", "t");
    let line = Line::new("l", vec![1.0, 2.0], vec![1.0, 2.0]);
    findings.panels.push(Panel::new("a", "", "", Series { lines: vec![line], ..Series::default() }));
    findings.panels.push(Panel::new("b", "", "", shape(&["tok"], 1, 1, 1).circuit("w").unwrap()));
    let mut table = Table::new(vec![Column::number("n", 2)]);
    table.push(vec![1.0.into()]);
    findings.panels.push(Panel::new("c", "", "", table));
    assert_eq!(findings.check(), Ok(()));
    change(&mut findings);
    let error = findings.check().expect_err("this is broken");
    assert!(findings.to_json().is_err(), "nothing broken is written");
    // What can be written at all as JSON is refused when read.
    assert!(Findings::from_json(serde_json::to_string(&findings).unwrap().as_bytes()).is_err());
    error.to_string()
}

fn series(findings: &mut Findings) -> &mut Series {
    let Body::Series(series) = &mut findings.panels[0].body else { panic!("a series") };
    series
}

fn circuit(findings: &mut Findings) -> &mut Circuit {
    let Body::Circuit(circuit) = &mut findings.panels[1].body else { panic!("a circuit") };
    circuit
}

#[test]
fn what_is_out_of_bounds_is_refused_with_its_place() {
    assert_eq!(
        broken(|f| series(f).lines[0].y[1] = f64::NAN),
        "panel \"a\", line \"l\": the number is not finite; leave the point out or mark it as missing"
    );
    assert!(broken(|f| series(f).lines[0].x.truncate(1)).contains("2 entries where 1 are needed"));
    assert!(broken(|f| series(f).y = Axis::new("", "").range(1.0, 1.0)).contains("ends where it starts"));
    assert!(
        broken(|f| {
            series(f).x = Axis::new("", "").log();
            series(f).lines[0].x[0] = 0.0;
        })
        .contains("above zero")
    );
    assert!(broken(|f| series(f).lines[0].band = Some(Band { low: vec![0.0, 3.0], high: vec![1.0, 2.0] })).contains("lies above"));
    assert!(broken(|f| circuit(f).writers[0].node = 99).contains("index 99 is outside a list of 4"));
    assert!(broken(|f| circuit(f).edges.push(Edge::kept(0, 99, 1.0))).contains("index 99"));
    assert!(broken(|f| circuit(f).edges.push(Edge::kept(0, 0, 1.0))).contains("more kept edges"));
    assert!(
        broken(|f| {
            circuit(f).totals.kept = 2;
            circuit(f).edges = vec![Edge::kept(0, 0, 1.0); 2];
        })
        .contains("listed twice")
    );
    assert!(broken(|f| circuit(f).totals.kept = 1_000).contains("more edges are kept"));
    assert!(broken(|f| circuit(f).nodes[1].layer = 7).contains("index 7"));
    assert!(broken(|f| f.panels[1].id = "a".to_owned()).contains("used twice"));
    assert!(broken(|f| f.panels[1].id = "a b".to_owned()).contains("letters, digits"));
    assert!(broken(|f| f.title = "x".repeat(limits::TEXT_BYTES + 1)).contains("longer than"));
    assert!(broken(|f| f.caveats = vec![String::new(); limits::ENTRIES + 1]).contains("2001 entries"));
    assert!(
        broken(|f| {
            let Body::Table(table) = &mut f.panels[2].body else { panic!("a table") };
            table.push(vec![]);
        })
        .contains("row 1: 0 entries where 1 are needed")
    );
}

#[test]
fn other_files_are_refused_in_words() {
    let read = |text: &str| Findings::from_json(text.as_bytes()).expect_err("not findings").to_string();
    assert!(read("{\"schema\":\"vitrine.findings/9\"}").contains("this version reads \"vitrine.findings/1\""));
    assert!(read("[]").contains("expected JSON of schema vitrine.findings/1"));
    assert!(read(&"[".repeat(100_000)).contains("expected JSON of schema"));
    let with_more = Findings::new("s", "t").to_json().unwrap().replacen('{', "{\"surplus\":1,", 1);
    assert!(read(&with_more).contains("surplus"));
    assert!(Findings::from_json(b"\xff\xfe").is_err());
    let huge = vec![b' '; limits::FILE_BYTES + 1];
    assert!(matches!(Findings::from_json(&huge), Err(FindingsError::TooLarge { .. })));
}

#[test]
fn a_record_keeps_every_bit_and_its_bounds() {
    let mut record = RunRecord::new("s");
    record.seed = u64::MAX;
    record.duration_s = 0.1 + 0.2;
    record.config = serde_json::json!({ "b": 1e-300, "a": [18_446_744_073_709_551_615u64, -0.0, "\u{2028}<"] });
    let json = record.to_json().unwrap();
    assert!(!json.contains('<') && !json.contains('\u{2028}'));
    assert_eq!(RunRecord::from_json(json.as_bytes()).unwrap(), record);
    record.models.insert("m".to_owned(), "ABC".to_owned());
    assert!(record.check().unwrap_err().to_string().contains("64 lower-case hex digits"));
    record.models.clear();
    let mut deep = serde_json::Value::Null;
    for _ in 0..=limits::CONFIG_DEPTH {
        deep = serde_json::Value::Array(vec![deep]);
    }
    record.config = deep;
    assert!(record.to_json().is_err());
}

#[test]
fn hashes_are_the_known_ones() {
    assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_text_reads_back_from_safe_json(text in any::<String>(), value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
        let mut findings = Findings::new(text.clone(), text.clone());
        let mut table = Table::new(vec![Column::text(text.clone()), Column::number("n", 3)]);
        table.push(vec![text.into(), value.into()]);
        findings.panels.push(Panel::new("t", "", "", table));
        let json = findings.to_json().unwrap();
        let unsafe_here = |c: char| c < ' ' || "<>&\u{2028}\u{2029}\u{202e}".contains(c);
        prop_assert!(!json.contains(unsafe_here));
        let back = Findings::from_json(json.as_bytes()).unwrap();
        prop_assert_eq!(back.to_json().unwrap(), json);
        prop_assert_eq!(back, findings);
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..400, byte in any::<u8>()) {
        let _ = Findings::from_json(&bytes);
        let mut json = Findings::new("s", "t").to_json().unwrap().into_bytes();
        let at = at % json.len();
        json[at] = byte;
        let _ = Findings::from_json(&json);
    }
}

#[test]
fn trees_that_point_nowhere_or_in_circles_are_refused() {
    let branch = |parent, place| Branch {
        parent,
        text: "a".into(),
        score: Some(-1.0),
        fate: BranchFate::Ended,
        allowed: None,
        place,
        note: String::new(),
    };
    let listed = |reading| Listed { text: "a".into(), score: None, readings: vec![reading], source: String::new() };
    let of = |branches: Vec<Branch>, list: Vec<Listed>| {
        let tree = Tree { name: "t".into(), note: String::new(), branches, list };
        let mut findings = Findings::new("s", "s");
        findings.panels.push(Panel::new(
            "p",
            "",
            "",
            Searches { readings: vec!["r".into()], trees: vec![tree], score_label: "score".into() },
        ));
        findings
    };
    let fine = of(vec![branch(None, None), branch(Some(0), Some(0)), branch(Some(0), None), branch(Some(1), None)], vec![listed(0)]);
    assert_eq!(Findings::from_json(fine.to_json().unwrap().as_bytes()).unwrap(), fine);
    let Body::Searches(searches) = &fine.panels[0].body else { panic!("searches") };
    let order: Vec<(usize, Option<u32>)> = searches.trees[0].rows().iter().map(|(depth, branch)| (*depth, branch.parent)).collect();
    assert_eq!(order, [(0, None), (1, Some(0)), (2, Some(1)), (1, Some(0))], "what goes on from a branch stands behind it");
    for broken in [
        of(vec![branch(Some(0), None)], vec![]),
        of(vec![branch(None, None), branch(Some(2), None), branch(Some(1), None)], vec![]),
        of(vec![branch(None, Some(1))], vec![listed(0)]),
        of(vec![], vec![listed(1)]),
        of(vec![branch(None, None); limits::BRANCHES + 1], vec![]),
    ] {
        assert!(broken.check().is_err());
    }
}

use super::*;

const CONFIG: &str = r#"{"name":"copy","n_layers":1,"n_heads":1,"key_size":2,"d_model":4,"d_mlp":1,"causal":false,"vocab_size":5,
    "max_seq_len_without_bos":3,"max_positions":4,"bos_id":1,"pad_id":2,"vocab":[["a",0],["bos",1],["pad",2],["c",4],["b",3]],
    "output_kind":"categorical","d_out":2,"output_values":["a",1],"extra":true}"#;

fn config() -> TracrConfig {
    TracrConfig::from_json(CONFIG).unwrap()
}

#[test]
fn all_inputs_are_listed_once_or_drawn_within_bounds() {
    let config = config();
    assert_eq!(config.input_tokens(), [0, 3, 4]);
    let all = config.full_length_inputs(27, 0).unwrap();
    assert_eq!((all.len(), &all[0], &all[1], &all[26]), (27, &vec![1, 0, 0, 0], &vec![1, 0, 0, 3], &vec![1, 4, 4, 4]));
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
    let drawn = config.full_length_inputs(26, 5).unwrap();
    assert_eq!((drawn.len(), &drawn), (26, &config.full_length_inputs(26, 5).unwrap()));
    assert!(drawn.iter().all(|ids| all.contains(ids)) && drawn != config.full_length_inputs(26, 6).unwrap());
    assert_eq!(config.inputs(1, 99, 0).unwrap(), [[1, 0], [1, 3], [1, 4]]);
    assert!(matches!(config.inputs(4, 99, 0), Err(TracrError::Length { length: 4, max: 3 })));
    // A vocabulary and length whose number of inputs overflows is drawn from, not listed.
    let long = TracrConfig { max_seq_len_without_bos: 60_000, max_positions: 60_001, ..config };
    assert_eq!(long.full_length_inputs(2, 0).unwrap().len(), 2);
}

#[test]
fn bad_configs_are_refused() {
    for (from, to) in [
        ("\"n_layers\":1", "\"n_layers\":0"),
        ("\"d_model\":4", "\"d_model\":99999999"),
        ("\"max_positions\":4", "\"max_positions\":3"),
        ("[\"b\",3]", "[\"b\",4]"),
        ("[\"b\",3]", "[\"b\",9]"),
        (",[\"b\",3]", ""),
        ("\"bos_id\":1", "\"bos_id\":7"),
        ("\"d_out\":2", "\"d_out\":3"),
        ("\"categorical\"", "\"numerical\""),
        ("\"categorical\"", "\"mixed\""),
    ] {
        assert!(matches!(TracrConfig::from_json(&CONFIG.replace(from, to)), Err(TracrError::Config(_))), "{from} -> {to}");
    }
}

#[test]
fn outputs_are_decoded_and_compared() {
    let config = config();
    let expected = [TracrValue::Text("a".to_owned()), TracrValue::Int(1)];
    assert!(config.is_right(&[&[2.0, 1.0], &[0.0, 1.0]], &expected, 0.0));
    assert!(!config.is_right(&[&[2.0, 1.0], &[2.0, 1.0]], &expected, 0.0));
    assert!(!config.is_right(&[&[2.0, 1.0]], &expected, 0.0));
    assert!(TracrValue::Int(1).agrees(&TracrValue::Number(1.0), 0.0));
    assert!(!TracrValue::Text("1".to_owned()).agrees(&TracrValue::Int(1), 9.0));
    let good = r#"{"tokens":["a"],"input_ids":[1,0],"output":["a"],"raw":[[1.0,-0.0]]}"#;
    assert_eq!(config.read_pairs(good, LineLimits::default()).unwrap().len(), 1);
    for (from, to) in
        [("[1,0]", "[1,9]"), ("[1,0]", "[0,0]"), ("[1,0]", "[1]"), ("[[1.0,-0.0]]", "[[1.0]]"), ("[\"a\"],\"input", "[],\"input")]
    {
        let text = format!("{good}\n{}", good.replace(from, to));
        assert!(
            matches!(config.read_pairs(&text, LineLimits::default()), Err(TracrError::Pairs(LinesError::Row { line: 2, .. }))),
            "{from}"
        );
    }
}

#[test]
fn truth_sets_name_edges_of_the_graph() {
    let graph = config().graph().unwrap();
    let text = r#"{"n_edges_total":13,"minimal_zero":[["m0","resid_post"],["tok_embeds","m0"]],"structural_sufficient":{"zero":true},
        "per_edge":[{"from":"tok_embeds","to":"m0","zero_max_abs":1.0,"zero_frac_changed":0.5,"interchange_max_abs":0.25,"interchange_frac_changed":0.125}]}"#;
    let truth = EdgeTruth::from_json(text, &graph).unwrap();
    let ids = [graph.edge_by_name("tok_embeds", "m0").unwrap(), graph.edge_by_name("m0", "resid_post").unwrap()];
    assert_eq!(truth.sets["minimal_zero"], ids);
    assert_eq!((truth.per_edge[0].edge, truth.per_edge[0].interchange_max_abs), (ids[0], 0.25));
    assert_eq!(truth.mask("minimal_zero", &graph).unwrap().iter().filter(|kept| **kept).count(), 2);
    assert_eq!(truth.mask("single_zero", &graph), None);
    let bad = |from: &str, to: &str| EdgeTruth::from_json(&text.replacen(from, to, 1), &graph).unwrap_err();
    assert!(matches!(bad("13", "14"), TracrError::Edges(_)));
    assert!(matches!(bad("[\"m0\",\"resid_post\"]", "[\"m0\",\"a0.h0.q\"]"), TracrError::Edge { error: GraphError::Backwards { .. }, .. }));
    assert!(matches!(
        bad("[\"m0\",\"resid_post\"]", "[\"m1\",\"resid_post\"]"),
        TracrError::Edge { error: GraphError::UnknownNode { .. }, .. }
    ));
    assert!(matches!(bad("[\"m0\",\"resid_post\"]", "[\"tok_embeds\",\"m0\"]"), TracrError::Edges(_)));
}

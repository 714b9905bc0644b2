//! `decode`: methods, streaming, JSON, the tree, and options that make no sense.

use serde_json::Value;

use crate::support::{MODEL, fine, fine_json, refused};

fn decoded(more: &[&str]) -> Value {
    fine_json(&[&["decode", "--model", MODEL, "--prompt", "bcd", "--max-tokens", "6", "--no-eos"], more].concat())
}

fn ids(found: &Value) -> Vec<Vec<u64>> {
    let tokens = |h: &Value| h["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    found["hypotheses"].as_array().unwrap().iter().map(tokens).collect()
}

#[test]
fn decode_methods_give_what_they_promise() {
    let greedy = decoded(&[]);
    assert_eq!(greedy["schema"], "vitrine.decode/1");
    assert_eq!((ids(&greedy).len(), ids(&greedy)[0].len()), (1, 6));
    assert_eq!(greedy["forwards"], 6, "the last token is not scored");
    assert_eq!(ids(&decoded(&["--method", "beam", "--width", "1"])), ids(&greedy));
    assert_eq!(ids(&decoded(&["--method", "top-k", "-k", "1", "--seed", "9"])), ids(&greedy));
    let beam = decoded(&["--method", "beam", "--width", "4", "--outputs", "3"]);
    assert_eq!(ids(&beam).len(), 3);
    let diverse = decoded(&["--method", "diverse", "--groups", "1", "--width", "4", "--outputs", "3"]);
    assert_eq!(ids(&diverse), ids(&beam));
    let mut stochastic = ids(&decoded(&["--method", "stochastic", "--width", "5", "--seed", "2"]));
    assert_eq!(stochastic, ids(&decoded(&["--method", "stochastic", "--width", "5", "--seed", "2"])));
    stochastic.sort();
    stochastic.dedup();
    assert_eq!(stochastic.len(), 5);
    for method in ["sample", "top-p", "min-p", "typical", "epsilon", "eta"] {
        let method = ["--method", method, "--samples", "3", "--temperature", "0.8", "--seed", "4"];
        assert_eq!(ids(&decoded(&method)), ids(&decoded(&method)), "the seed decides");
        assert_eq!(ids(&decoded(&method)).len(), 3);
    }
    let forced = decoded(&["--prefix", "kl", "--ban", "c", "--ban", "fg"]);
    let text = forced["hypotheses"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("kl") && !text.contains('c') && !text.contains("fg"), "{text}");
    let lexical = decoded(&["--method", "lexical", "--width", "6", "--must", "jk", "--must", "d"]);
    for h in lexical["hypotheses"].as_array().unwrap() {
        let text = h["text"].as_str().unwrap();
        assert!(text.contains("jk") && text.contains('d'), "{text}");
    }
}

/// Whatever the method, only the given texts come out, each whole; a beam as wide as the list finds all of them, in the order of their probabilities.
#[test]
fn decode_chooses_one_of_the_given_texts() {
    let given = ["jk", "jkl", "c", "fghi"];
    let options: Vec<&str> = given.iter().flat_map(|text| ["--one-of", text]).collect();
    let texts = |more: &[&str]| -> Vec<String> {
        let found =
            fine_json(&[&["decode", "--model", MODEL, "--prompt", "bcd", "--max-tokens", "6", "--eos", "a"], &options[..], more].concat());
        found["hypotheses"].as_array().unwrap().iter().map(|h| h["text"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = texts(&["--method", "beam", "--width", "8"]);
    let best = all[0].clone();
    all.sort();
    assert_eq!(all, ["c", "fghi", "jk", "jkl"]);
    assert_eq!(texts(&["--method", "beam", "--width", "8", "--outputs", "1"]), [best]);
    for seed in ["0", "1", "2"] {
        let sampled = texts(&["--method", "sample", "--samples", "4", "--seed", seed]);
        assert!(sampled.len() == 4 && sampled.iter().all(|text| given.contains(&text.as_str())), "{sampled:?}");
    }
    let refuse = |more: &[&str]| refused(&[&["decode", "--model", MODEL, "--prompt", "bcd"], more].concat());
    assert!(refuse(&["--one-of", "jk", "--grammar", "x.lark"]).contains("cannot be used with"));
    assert!(refuse(&["--one-of", ""]).contains("empty"));
    assert!(refuse(&["--one-of", "jk", "--one-of", "jkl", "--no-eos"]).contains("never be chosen"));
}

#[test]
fn decode_streams_the_same_text_and_draws_the_tree() {
    let base = ["decode", "--model", MODEL, "--prompt", "bcd", "--max-tokens", "6", "--no-eos"];
    let text = decoded(&[])["hypotheses"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(fine(&base).trim_end_matches('\n'), text.trim_end_matches('\n'));
    let tree = fine(&[&base[..], &["--method", "beam", "--width", "2", "--trace"]].concat());
    assert!(tree.starts_with("prompt  0.0000"), "{tree}");
    assert!(tree.contains("cut: others score better") && tree.contains("ended: length"), "{tree}");
    let json = decoded(&["--method", "beam", "--width", "2", "--trace"]);
    let nodes = json["trace"].as_array().unwrap();
    assert!(nodes.iter().any(|node| node["fate"]["is"] == "cut") && nodes[1]["parent"] == 0, "{}", nodes[1]);
}

#[test]
fn decode_refuses_what_makes_no_sense_in_one_line() {
    let said = |more: &[&str]| refused(&[&["decode", "--model", MODEL, "--prompt", "bcd"], more].concat());
    assert!(said(&["--method", "beam", "--width", "0"]).contains("width"));
    assert!(said(&["--method", "top-p", "-p", "1.5"]).contains("above 0 and at most 1"));
    assert!(said(&["--method", "sample", "--temperature", "0"]).contains("greedy"));
    assert!(said(&["--method", "beam", "--temperature", "0.5"]).contains("sample"));
    assert!(said(&["--method", "beam", "-k", "3"]).contains("sample"));
    assert!(said(&["--must", "x"]).contains("lexical"));
    assert!(said(&["--eos", "no such token"]).contains("no such token"));
    assert!(said(&["--max-tokens", "0"]).contains("max_tokens"));
    assert!(said(&["--device", "no-such-device"]).contains("no-such-device"));
    assert!(refused(&["decode", "--model", MODEL, "--prompt", ""]).contains("no tokens"));
    assert!(refused(&["decode", "--model", MODEL, "--prompt", &"b".repeat(64)]).contains("no room"));
    assert!(refused(&["decode", "--model", "no-such-model", "--prompt", "b"]).contains("no-such-model"));
    assert!(refused(&["check", "golden", "decoders", MODEL]).contains("text"));
}

#[test]
fn decode_benchmark_measures_the_same_work_both_ways() {
    let found = fine_json(&["bench", "decode", MODEL, "--prompt", "8", "--tokens", "4", "--width", "3", "--repeats", "1"]);
    assert_eq!(found["beam"]["same_hypotheses"], true);
    assert!(found["decode"]["tokens_per_s"].as_f64().unwrap() > 0.0);
}

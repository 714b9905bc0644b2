//! Circuits from the command line: data, scores, pruning, evaluation, formats, models out.

use serde_json::{Value, json};

use crate::support::{MODEL, Place, fine, fine_json, read, text, vitrine};

#[test]
fn the_full_circuit_scores_one_and_the_empty_one_zero() {
    let place = Place::new();
    let data = place.data();
    let curve = |circuit: &[&str]| -> Vec<f64> {
        let found = fine_json(&[&["circuit", "eval", MODEL, "--data", &data, "--metric", "mib"], circuit].concat());
        found["points"].as_array().unwrap().iter().map(|p| p["f"].as_f64().unwrap()).collect()
    };
    let full = curve(&[]);
    assert!((full[9] - 1.0).abs() < 1e-6 && full.len() == 10, "{full:?}");
    let empty = place.write("empty.json", "[]");
    assert!(curve(&["--circuit", &empty]).iter().all(|f| f.abs() < 1e-6));
    let all = fine_json(&["circuit", "eval", MODEL, "--data", &data]);
    assert!(all["edges"] == 19 && all["scores"]["kl"].as_f64().unwrap() < 1e-9 && all["scores"]["exact_match"] == 1.0);
    let none = fine_json(&["circuit", "eval", MODEL, "--data", &data, "--circuit", &empty]);
    assert!(none["edges"] == 0 && none["scores"]["kl"].as_f64().unwrap() > 1e-4);
}

#[test]
fn scores_warm_starts_and_formats() {
    let place = Place::new();
    let data = place.data();
    let edges_of = |file: &str| fine_json(&["circuit", "compare", MODEL, file, file])["a"].as_u64().unwrap();
    for (method, more) in [("eap", vec!["--edges", "9"]), ("eap-ig", vec!["--edges", "9", "--kl"]), ("acdc", vec!["--threshold", "0"])] {
        let out = place.name(&format!("{method}.json"));
        let args = [&["circuit", "score", MODEL, "--data", &data, "--method", method, "--out", &out], &more[..]].concat();
        let kept = fine_json(&args)["edges"].as_u64().unwrap();
        assert_eq!(edges_of(&out), kept, "{method}");
        assert!(method == "acdc" || kept <= 9);
    }
    let scores = place.name("eap-ig.json");
    let pruned = place.name("pruned.json");
    let prune = ["circuit", "prune", MODEL, "--data", &data, "--target", "0.5", "--steps", "60", "--out", &pruned];
    fine_json(&prune);
    let cold = read(&pruned);
    fine_json(&[&prune[..], &["--warm-start", &scores]].concat());
    assert_ne!(read(&pruned), cold, "a warm start starts elsewhere");
    let stored: Value = serde_json::from_slice(&cold).unwrap();
    assert_eq!(stored["model_hash"].as_str().unwrap().len(), 64);
    assert_eq!(stored["meta"]["method"], "Edge Pruning");
    // Every format that is read back holds the same edges.
    for format in ["vitrine", "eap-ig", "list", "text"] {
        let out = place.name(&format!("export.{format}"));
        fine(&["circuit", "export", MODEL, &scores, "--format", format, "--out", &out]);
        let found = fine_json(&["circuit", "compare", MODEL, &scores, &out]);
        assert_eq!((found["jaccard"].as_f64(), &found["a"]), (Some(1.0), &found["b"]), "{format}");
    }
    let out = place.name("export.csv");
    fine(&["circuit", "export", MODEL, &scores, "--format", "csv", "--out", &out]);
    assert_eq!(text(&read(&out)).lines().count() as u64, 1 + edges_of(&scores));
}

#[test]
fn several_seeds_say_how_much_they_agree() {
    let place = Place::new();
    let (data, out) = (place.data(), place.name("c.json"));
    let args = ["--quiet", "circuit", "prune", MODEL, "--data", &data, "--target", "0.6", "--steps", "150", "--seeds", "3", "--out", &out];
    let said = fine(&args);
    assert!(said.contains("3 of 3") && said.contains("Jaccard index of two seeds: mean"), "{said}");
    let edges = |name: &str| -> Vec<Value> {
        let file: Value = serde_json::from_slice(&read(place.path(name))).unwrap();
        file["edges"].as_array().unwrap().clone()
    };
    let seeds = ["c.json", "c-seed1.json", "c-seed2.json"].map(edges);
    let often = |edge: &Value| seeds.iter().filter(|seed| seed.contains(edge)).count();
    let mut expected: Vec<Value> = seeds.iter().flatten().filter(|edge| often(edge) >= 2).cloned().collect();
    let mut consensus = edges("c-consensus.json");
    for list in [&mut expected, &mut consensus] {
        list.sort_by_key(Value::to_string);
        list.dedup();
    }
    assert_eq!(consensus, expected);
}

#[test]
fn generated_data_is_read_back_and_depends_on_the_seed() {
    let place = Place::new();
    for task in ["ioi", "gt", "gp", "bool"] {
        let make = |name: &str, seed: &str| {
            let out = place.name(name);
            fine(&["circuit", "data", "--task", task, "--rows", "50", "--seed", seed, "--out", &out]);
            text(&read(out))
        };
        let (a, b, c) = (make("a", "1"), make("b", "1"), make("c", "2"));
        assert!(a == b && a != c && a.lines().count() == 50, "{task}");
        let rows: Vec<Value> = a.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |split: &str| rows.iter().filter(|row| row["split"] == split).count();
        assert_eq!((of("train"), of("validation"), of("test")), (20, 10, 20));
        assert!(rows.iter().all(|row| row["clean"] != row["corrupted"] && (row["answer"].is_string() || row["year"].is_u64())));
    }
    // Compiled programs: what is generated is what the program computes, checked by the golden reader.
    let folder = place.name("hist");
    std::fs::create_dir(&folder).unwrap();
    let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/assets/tracr/hist");
    for file in ["config.json", "edges.json", "model.safetensors"] {
        place.write(&format!("hist/{file}"), read(format!("{assets}/{file}")));
    }
    fine(&["circuit", "data", "--task", "tracr", "--program", "hist", "--rows", "30", "--out", &place.name("hist/pairs.jsonl")]);
    let said = fine(&["check", "golden", "tracr", &folder]);
    assert!(said.contains("30 of 30 agree"), "{said}");
    // A wrong output is found.
    let wrong = text(&read(place.path("hist/pairs.jsonl"))).replacen("\"output\":[", "\"output\":[9", 1);
    place.write("hist/pairs.jsonl", wrong);
    assert_eq!(vitrine(&["check", "golden", "tracr", &folder]).status.code(), Some(1));
}

/// The rows' own token ids against the model's tokenizer. A token is a byte and its id is one more, but for ` the`, ` t`, `he`, ` a`, `in`, `12`.
#[test]
fn golden_circuit_rows_agree_with_the_tokenizer() {
    let place = Place::new();
    let ids = |text: &str| text.bytes().map(|b| u32::from(b) + 1).collect::<Vec<u32>>();
    let row = |clean: &str, corrupted: &str| json!({"clean": clean, "corrupted": corrupted, "answer": "f", "smollm2_ids": ids(clean), "smollm2_corrupted_ids": ids(corrupted)});
    let check = |rows: &[Value]| vitrine(&["check", "golden", "circuits", &place.rows(rows), "--model", MODEL]);
    let fine = check(&[row("bcd fg", "jkl mn"), row("Z.", "é")]);
    assert_eq!(fine.status.code(), Some(0));
    assert!(text(&fine.stdout).contains("4 of 4 agree"), "{}", text(&fine.stdout));
    let wrong = check(&[row("bcd", "in")]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stdout).contains("1 of 2 agree") && text(&wrong.stdout).contains("line 1"), "{}", text(&wrong.stdout));
}

#[test]
fn converted_models_compute_the_same() {
    let place = Place::new();
    let folder = place.name("hf");
    let said = fine(&["model", "convert", MODEL, &folder]);
    assert!(said.contains("identical"), "{said}");
    let mut names: Vec<String> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json"]);
    let logits = |model: &str| fine(&["--json", "model", "logits", model, "--prompt", " the 12 in a", "--top", "263"]);
    assert_eq!(logits(&folder), logits(MODEL));
    let again = place.name("again");
    fine(&["model", "convert", &folder, &again]);
    for name in names {
        assert_eq!(read(place.path(&format!("hf/{name}"))), read(place.path(&format!("again/{name}"))), "{name}");
    }
}

//! Bad input: one clear line, exit code 2, nothing half-written.

use std::fs;

use serde_json::{Value, json};

use crate::support::{MODEL, Place, fine, read, refused, text, vitrine};

/// `circuit prune` on the given rows; the line it refuses them with.
fn refused_rows(rows: &[Value]) -> String {
    let place = Place::new();
    let data = place.rows(rows);
    let out = place.name("circuit.json");
    let said = refused(&["circuit", "prune", MODEL, "--data", &data, "--steps", "3", "--out", &out]);
    assert_eq!(place.names(), ["rows.jsonl"], "nothing is written");
    // The study refuses them too, before it makes a run folder.
    let runs = place.name("runs");
    assert_eq!(refused(&["run", "edge-pruning", "--model", MODEL, "--data", &data, "--steps", "3", "--out", &runs]), said);
    assert_eq!(place.names(), ["rows.jsonl"]);
    said
}

fn row(clean: &str, corrupted: &str, answer: &str) -> Value {
    json!({"clean": clean, "corrupted": corrupted, "answer": answer})
}

#[test]
fn examples_that_compare_unlike_things() {
    let said = refused_rows(&[row("bcd", "bcd", "f"), row("bcd", "bcdf", "f")]);
    assert!(said.contains("row 2") && said.contains("3 tokens") && said.contains("corrupted one 4"), "{said}");
    let said = refused_rows(&[row("bcd", "fgj", "kl")]);
    assert!(said.contains("`kl` is 2 tokens"), "{said}");
    let mut only_train = row("bcd", "fgj", "k");
    only_train["split"] = json!("train");
    let said = refused_rows(&[only_train]);
    assert!(said.contains("test split is empty"), "{said}");
    let long = "b".repeat(65);
    let said = refused_rows(&[row(&long, &long, "k")]);
    assert!(said.contains("65 tokens") && said.contains("64"), "{said}");
    let said = refused_rows(&[json!({"clean": "bcd"})]);
    assert!(said.contains("line 1"), "{said}");
    assert!(refused_rows(&[]).contains("no rows"));
}

#[test]
fn circuit_files_that_name_no_circuit_of_the_model() {
    let place = Place::new();
    let data = place.data();
    for (edges, problem) in [
        (json!([["tok_embeds", "a7.h0.q"]]), "a7.h0.q"),
        (json!([["nobody", "m0"]]), "nobody"),
        (json!([["m0", "a0.h0.q"]]), "m0"),
        (json!([["tok_embeds", "m0"], ["tok_embeds", "m0"]]), "twice"),
        (json!([["pos_embeds", "m0"]]), "pos_embeds"),
    ] {
        let circuit = place.write("circuit.json", edges.to_string());
        let said = refused(&["circuit", "eval", MODEL, "--data", &data, "--circuit", &circuit]);
        assert!(said.contains(problem) && said.contains("circuit.json"), "{said}");
        let out = place.name("out.json");
        refused(&["circuit", "export", MODEL, &circuit, "--out", &out]);
        assert!(!place.path("out.json").exists());
    }
    // A circuit of another model, in the format that says so.
    let full = place.name("full.json");
    fine(&["circuit", "score", MODEL, "--data", &data, "--edges", "5", "--out", &full]);
    let other = text(&read(&full)).replace("\"n_layers\":1", "\"n_layers\":2");
    let other = place.write("other.json", other);
    refused(&["circuit", "eval", MODEL, "--data", &data, "--circuit", &other]);
    let said = refused(&["circuit", "compare", "gpt2", &full, &full]);
    assert!(said.contains("12 layers") && said.contains("1 layers"), "{said}");
}

#[test]
fn settings_out_of_range() {
    let place = Place::new();
    let (data, out) = (place.data(), place.name("circuit.json"));
    let prune = |more: &[&str]| refused(&[&["circuit", "prune", MODEL, "--data", &data, "--out", &out], more].concat());
    for target in ["-0.1", "2.1", "nan"] {
        assert!(prune(&["--target", target]).contains("between 0 and 2"), "{target}");
    }
    assert!(prune(&["--node-target", "3"]).contains("node_target"));
    assert!(prune(&["--steps", "0"]).contains("at least 1"));
    assert!(prune(&["--set", "lr_lambd=1"]).contains("nearest is lr_lambda"));
    assert!(prune(&["--max-memory", "0"]).contains("MiB"));
    assert!(prune(&["--warm-start", MODEL]).contains("not UTF-8 text"));
    let runs = place.name("runs");
    let study = |more: &[&str]| refused(&[&["run", "edge-pruning", "--out", &runs], more].concat());
    assert!(study(&["--sizes", "3"]).contains("sizes"));
    assert!(study(&["--set", "prune.step=3"]).contains("nearest is prune.steps"));
    assert!(study(&["--set", "prune.steps=x"]).contains("key=value"));
    assert!(study(&["--set", "prune.edge_target=7"]).contains("between 0 and 2"));
    assert!(study(&["--config", &place.write("c.toml", "sizess = [0.1]")]).contains("nearest is sizes"));
    assert!(study(&["--config", &place.write("c.toml", "sizes = = 1")]).contains("not TOML"));
    assert!(study(&["--device", "no-such-device"]).contains("no-such-device"));
    assert!(study(&["--model", MODEL, "--data", &data, "--max-memory", "0"]).contains("MiB"));
    assert!(study(&["--resume", &place.name("nowhere")]).contains("no run.json"));
    assert_eq!(place.names(), ["c.toml", "data.jsonl"], "nothing is written");
}

/// A folder with the tiny model, in which one weight is replaced.
fn broken_model(place: &Place, tensor: &str, value: f32) -> String {
    let folder = place.name("model");
    let _ = fs::remove_dir_all(&folder);
    fine(&["model", "convert", MODEL, &folder]);
    let mut bytes = read(place.path("model/model.safetensors"));
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let description: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let from = description[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
    let to = description[tensor]["data_offsets"][1].as_u64().unwrap() as usize;
    for at in (from..to).step_by(4) {
        bytes[8 + header + at..8 + header + at + 4].copy_from_slice(&value.to_le_bytes());
    }
    place.write("model/model.safetensors", bytes);
    folder
}

#[test]
fn weights_and_losses_that_are_not_numbers() {
    let place = Place::new();
    let (data, out) = (place.data(), place.name("circuit.json"));
    let folder = broken_model(&place, "model.norm.weight", f32::NAN);
    let said = refused(&["circuit", "prune", &folder, "--data", &data, "--steps", "3", "--out", &out]);
    assert!(said.contains("model.norm.weight"), "{said}");
    // Finite weights whose product is not.
    let folder = broken_model(&place, "model.norm.weight", f32::MAX);
    let said = refused(&["circuit", "prune", &folder, "--data", &data, "--steps", "3", "--out", &out]);
    assert!(said.contains("not finite") || said.contains("not a finite number"), "{said}");
    assert!(!place.path("circuit.json").exists());
}

#[test]
fn training_that_runs_away_stops_with_its_step() {
    let place = Place::new();
    let (data, out) = (place.data(), place.name("circuit.json"));
    let prune = ["circuit", "prune", MODEL, "--data", &data, "--steps", "30", "--set", "loss_scale=1e38", "--out", &out];
    let said = refused(&[&prune[..], &["--set", "max_grad_norm=1e300", "--set", "init_mean=0.0", "--set", "lr_log_alpha=1e38"]].concat());
    assert!(said.contains("step "), "{said}");
    assert!(!place.path("circuit.json").exists());
}

#[test]
fn files_that_are_no_models() {
    let place = Place::new();
    let junk = place.write("junk.gguf", b"GGUF junk");
    let mut gguf = read(MODEL);
    // The type of the first tensor follows its name and shape; 16 is IQ2_XXS, which no reader here knows.
    let name = b"token_embd.weight";
    let at = gguf.windows(name.len()).position(|w| w == name).unwrap() + name.len();
    let dimensions = u32::from_le_bytes(gguf[at..at + 4].try_into().unwrap()) as usize;
    gguf[at + 4 + 8 * dimensions..][..4].copy_from_slice(&16_u32.to_le_bytes());
    let unsupported = place.write("unsupported.gguf", gguf);
    assert!(refused(&["model", "info", &unsupported]).contains("token_embd.weight"));
    let out = place.name("out");
    refused(&["model", "convert", &unsupported, &out]);
    for args in [
        vec!["model", "info", &junk],
        vec!["model", "info", "no-such-model"],
        vec!["model", "get", "no-such-model"],
        vec!["model", "convert", &junk, &out],
        vec!["check", "golden", "no-such-kind"],
        vec!["check", "golden", "tracr", &junk],
        vec!["report", "verify", &junk],
        vec!["circuit", "graph", &junk],
    ] {
        refused(&args);
    }
    assert_eq!(place.names(), ["junk.gguf", "unsupported.gguf"]);
    fs::create_dir(&out).unwrap();
    place.write("out/config.json", "mine");
    assert!(refused(&["model", "convert", MODEL, &out]).contains("exists already"));
    assert_eq!(read(place.path("out/config.json")), b"mine");
}

#[test]
fn a_task_that_the_model_cannot_do_is_said_with_the_figure() {
    let place = Place::new();
    let data = place.data();
    let eval = |floor: &str| text(&vitrine(&["circuit", "eval", MODEL, "--data", &data, "--floor", floor]).stderr);
    let said = eval("0.9");
    assert!(said.contains("warning: the full model's own accuracy on this task is 0."), "{said}");
    assert!(!eval("0").contains("warning"));
}

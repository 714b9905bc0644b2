//! The `screenshot` commands: pictures, reports, one line for what cannot be drawn, and golden values.

use std::fs;

use crate::support::{Place, fine, fine_json, refused, text, vitrine};

/// Refused, in a line that says so.
fn refused_as(args: &[&str], why: &str) {
    let line = refused(args);
    assert!(line.contains(why), "{line}");
}

#[test]
fn a_text_becomes_a_picture_and_a_report() {
    let place = Place::new();
    let out = place.name("strip.png");
    let found = fine_json(&["screenshot", "render", "--text", "Hello 你 \u{e000}", "--patches", "20", "--out", &out]);
    assert_eq!((&found["schema"], &found["width"], &found["patches"]), (&"vitrine.screenshot-render/1".into(), &320.into(), &20.into()));
    assert_eq!(found["report"]["missing_list"], serde_json::json!([{"code_point": 0xe000, "count": 1}]));
    assert_eq!((&found["report"]["fallback"], &found["report"]["all_rendered"]), (&1.into(), &true.into()));
    assert_eq!(&fs::read(place.path("strip.png")).unwrap()[1..4], b"PNG");
    let said = fine(&["screenshot", "render", "--text", "שלום", "--page", "32x64"]);
    assert!(said.contains("1 runs from right to left, letters not joined"), "{said}");
    let pair = fine_json(&["screenshot", "render", "--text", "one", "--pair", "two", "--patches", "30", "--mono"]);
    assert_eq!(pair["report"]["rendered_bytes"], 6);
}

#[test]
fn an_atlas_draws_as_its_font_does() {
    let place = Place::new();
    let atlas = place.name("small.atlas");
    let made = fine_json(&["screenshot", "atlas", "--size", "11", "--out", &atlas]);
    assert_eq!(made["code_points"], 2840);
    let drawn =
        |more: &[&str]| fine_json(&[&["screenshot", "render", "--text", "quick", "--size", "11"][..], more].concat())["hash"].clone();
    assert_eq!(drawn(&["--atlas", &atlas]), drawn(&[]));
}

#[test]
fn what_cannot_be_drawn_is_said_in_one_line() {
    let place = Place::new();
    fs::write(place.path("latin1.txt"), b"caf\xe9").unwrap();
    fs::write(place.path("no.ttf"), b"no font").unwrap();
    let (latin1, font) = (place.name("latin1.txt"), place.name("no.ttf"));
    refused_as(&["screenshot", "render", "--file", &latin1, "--strict"], "byte 3");
    refused_as(&["screenshot", "render", "--text", "x", "--page", "100x160"], "100 is not a multiple");
    refused_as(&["screenshot", "render", "--text", "x", "--patches", "0"], "the width is 0");
    refused_as(&["screenshot", "render", "--text", "x", "--font", &font], "cannot be read");
    refused_as(&["screenshot", "render", "--text", "x", "--atlas", &font], "no atlas");
    refused_as(&["screenshot", "render", "--text", "x", "--pair", "y", "--patches", "3"], "at least 6");
}

#[test]
fn random_bytes_and_golden_values() {
    assert!(fine(&["check", "render", "--count", "20000"]).contains("20000 random texts"));
    let Some(data) = std::env::var_os("VITRINE_DATA") else { return eprintln!("skipped: VITRINE_DATA not set") };
    for (kind, file, agree) in [("render", "render_cases.jsonl", "26 of 26"), ("screenshot", "golden.json", "bookkeeping: 6 of 6")] {
        let path = std::path::Path::new(&data).join("screenshot").join(file);
        let out = vitrine(&["check", "golden", kind, path.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
        assert!(text(&out.stdout).contains(agree));
    }
}

#[test]
fn a_stopped_model_goes_on_and_is_read_again() {
    let place = Place::new();
    let line = "the old ship lay quiet in the harbour and nobody slept\n";
    let corpus = place.write("corpus.txt", line.repeat(120));
    let model = |name: &str| place.name(name);
    let small = ["steps=8", "batch_size=4", "vocab=300", "checkpoint_every=4", "log_every=2", "model.encoder.layers=1"];
    let train = |out: &str, more: &[&str]| {
        let set: Vec<&str> = small.iter().flat_map(|one| ["--set", *one]).collect();
        fine_json(&[&["screenshot", "pretrain", "--text", &corpus, "--out", out][..], &set, more].concat())
    };
    let found = train(&model("a.safetensors"), &[]);
    assert!(found["kept_out"]["text_loss"].as_f64().unwrap() > 0.0);
    // The checkpoint of step 4 lies beside the model.
    fs::rename(place.path("a.checkpoint"), place.path("b.checkpoint")).unwrap();
    train(&model("b.safetensors"), &["--resume"]);
    assert_eq!(
        fs::read(place.path("a.safetensors")).unwrap(),
        fs::read(place.path("b.safetensors")).unwrap(),
        "the same bytes as an unbroken run"
    );
    let read = fine_json(&["screenshot", "perplexity", "--model", &model("a.safetensors"), "--text", &corpus, "--examples", "8"]);
    assert_eq!(read["schema"], "vitrine.screenshot-perplexity/1");
    let empty = place.write("empty.txt", "\n\n");
    refused_as(&["screenshot", "pretrain", "--text", &empty, "--out", &model("c.safetensors")], "no text to learn from");
    refused_as(&["screenshot", "pretrain", "--text", &corpus, "--set", "steps=0", "--out", &model("c.safetensors")], "at least 1");
    refused_as(&["screenshot", "perplexity", "--model", &corpus, "--text", &corpus], "cannot be used");
    assert!(!place.path("c.safetensors").exists());
}

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/screenshot/ptp.safetensors");

#[test]
fn a_model_is_looked_into() {
    let place = Place::new();
    let out = place.name("seen.png");
    let line = "She was very happy to see her sister at the end of the day.";
    let ask = |more: &[&str]| fine_json(&[&["screenshot", "reconstruct", "--model", READER, "--text", line][..], more].concat());
    let found = ask(&["--hide", "3,4", "--mask", "2", "--out", &out]);
    assert_eq!((&found["schema"], &found["asked"]["masked"]), (&"vitrine.screenshot-look/1".into(), &serde_json::json!([2])));
    let tokens = found["look"]["tokens"].as_array().unwrap();
    assert!(
        tokens.iter().enumerate().all(|(number, token)| token["masked"] == (number == 2) && token["top"].as_array().unwrap().len() == 5)
    );
    let patches = found["look"]["patches"].as_array().unwrap();
    assert!(patches.iter().enumerate().all(|(number, patch)| patch["loss"].is_number() == (number == 3 || number == 4)));
    assert_eq!(&fs::read(place.path("seen.png")).unwrap()[1..4], b"PNG");
    // It reads: with everything visible the text is cheap, before training it is not.
    let loss = |more: &[&str]| ask(&[&["--rate", "0", "--text-rate", "0"], more].concat())["look"]["loss"]["text"].as_f64().unwrap();
    let (trained, untrained) = (loss(&[]), loss(&["--untrained", "0"]));
    assert!(trained < 1.5 && untrained > 6.0, "{trained} {untrained}");
    let said = fine(&["screenshot", "reconstruct", "--model", READER, "--text", line, "--mask", "2", "--hide", "1"]);
    assert!(said.contains("of 1 hidden patches") && said.contains("\" *"), "{said}");
    let corpus = place.write("corpus.txt", "no model\n");
    refused_as(&["screenshot", "reconstruct", "--model", &corpus, "--text", "x"], "cannot be used");
    refused_as(&["screenshot", "reconstruct", "--model", READER, "--text", "x", "--rate", "1.5"], "0 to 1");
    refused_as(&["screenshot", "reconstruct", "--model", READER, "--text", "x", "--blur", "99"], "at most 8");
    refused_as(&["screenshot", "reconstruct", "--model", READER, "--text", "x", "--font-px", "1000"], "size of text");
}

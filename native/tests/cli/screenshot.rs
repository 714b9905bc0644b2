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
    // Devices: refused before anything is read or made.
    let out = model("c.safetensors");
    let on = |more: &[&str], why: &str| {
        refused_as(&[&["screenshot", "pretrain", "--text", &corpus, "--out", &out][..], more].concat(), why);
        refused_as(&[&["screenshot", "pretrain", "--autoregressive", "--out", &out][..], more].concat(), why);
        refused_as(&[&["screenshot", "finetune", "--data", "."][..], more].concat(), why);
        refused_as(&[&["run", "screenshot", "--made", "--out", &out][..], more].concat(), why);
    };
    on(&["--device", "gpu"], "there is no device gpu");
    on(&["--device", "cpu:3"], "1 device");
    for one in ["precision=\"bf16\"", "precision=\"f8\""] {
        let why = if one.contains("bf16") { "does not compute in bfloat16" } else { "unknown variant" };
        let (bare, study) = ([&["--set", one][..], &["--device", "cpu"]].concat(), format!("pretrain.{one}"));
        refused_as(&[&["screenshot", "pretrain", "--text", &corpus, "--out", &out][..], &bare].concat(), why);
        refused_as(&[&["screenshot", "pretrain", "--autoregressive", "--out", &out][..], &bare].concat(), why);
        refused_as(&[&["screenshot", "finetune", "--data", "."][..], &bare].concat(), why);
        refused_as(&["run", "screenshot", "--made", "--device", "cpu", "--set", &study], why);
    }
    assert!(!place.path("c.safetensors").exists());
}

/// Arguments of settings, `--set` before each.
fn set<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|one| ["--set", *one]).collect()
}

const TINY: [&str; 5] = ["steps=4", "batch_size=4", "model.tower.layers=1", "model.tower.width=16", "model.tower.mlp=16"];

#[test]
fn an_autoregressive_model_is_trained_measured_and_goes_on() {
    let place = Place::new();
    let (facts, novel) = (place.name("facts.safetensors"), place.name("novel.safetensors"));
    let train = |more: &[&str]| fine_json(&[&["screenshot", "pretrain", "--autoregressive"][..], &set(&TINY), more].concat());
    let found = train(&["--out", &facts]);
    let ratio = found["kept_out"]["ratio"].as_f64().unwrap();
    assert!((0.9..1.1).contains(&ratio), "four steps teach nothing: {ratio}");
    let read =
        |model: &str, more: &[&str]| fine_json(&[&["screenshot", "perplexity", "--model", model, "--examples", "4"][..], more].concat());
    assert_eq!(read(&facts, &[])["passages"], 4);
    let text = place.write("text.txt", "the old ship lay quiet in the harbour and nobody on board had slept that night\n".repeat(20));
    train(&["--text", &text, "--out", &novel]);
    assert_eq!(read(&novel, &["--text", &text])["schema"], "vitrine.screenshot-ar-perplexity/1");
    let go = |more: &[&str]| {
        fine_json(&[&["screenshot", "continue", "--model", &facts, "--prompt", "who has kites?", "--most", "3"][..], more].concat())
    };
    let [drawn, words, nothing] =
        [&["--context", "lena has 7 red kites"][..], &["--context", "lena has 7 red kites", "--words"], &[]].map(go);
    assert_eq!(drawn["tokens"].as_array().unwrap().len(), 3);
    let log_prob = |found: &serde_json::Value| found["tokens"][0]["log_prob"].as_f64().unwrap();
    assert!(log_prob(&drawn) != log_prob(&words) && log_prob(&words) != log_prob(&nothing), "contexts are seen");
    let beside = |more: &[&str]| fine_json(&[&["screenshot", "continue", "--model", &facts, "--beside", "--most", "3"][..], more].concat());
    let four = beside(&[
        "--context",
        "lena has 7 red kites",
        "--other",
        "omar has 2 blue maps",
        "--prompt",
        "who has kites?",
        "--target",
        "lena.",
    ]);
    let after = four["beside"]["after"].as_array().unwrap();
    let kinds: Vec<&str> = after.iter().map(|after| after["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["nothing", "picture", "wrong", "words"]);
    for (after, alone) in [(0, &nothing), (1, &drawn), (3, &words)].map(|(number, alone)| (&after[number], alone)) {
        assert_eq!(after["continuation"], alone["continuation"]);
        assert!((after["tokens"][0]["log_prob"].as_f64().unwrap() - log_prob(alone)).abs() < 1e-6);
        assert_eq!(after["target"].as_array().unwrap().len(), four["beside"]["target"].as_array().unwrap().len());
    }
    let one = beside(&["--facts", "4"]);
    assert_eq!((one["schema"].as_str().unwrap(), one == beside(&["--facts", "4"])), ("vitrine.screenshot-beside/1", true));
    assert_ne!(one["asked"]["context"], beside(&["--facts", "5"])["asked"]["context"]);
    let drawn_by = |seed| go(&["--temperature", "2", "--seed", seed]);
    assert_eq!(drawn_by("1"), drawn_by("1"));
    assert!(["2", "3", "4"].iter().any(|seed| drawn_by(seed)["tokens"] != drawn_by("1")["tokens"]), "chance has a say");
    let plain = fine(&["screenshot", "continue", "--model", &facts, "--beside", "--facts", "4"]);
    assert!(plain.contains("after") && plain.contains("over nothing's"), "{plain}");
    refused_as(&["screenshot", "continue", "--model", &facts, "--temperature", "99"], "temperature");
    refused_as(&["screenshot", "finetune", "--model", &facts, "--data", "."], "it is not a vitrine.screenshot/1 file");
    refused_as(&["screenshot", "continue", "--model", &text], "cannot be used");
    refused_as(&[&["screenshot", "pretrain", "--autoregressive", "--out", &facts][..], &set(&["drawn=1"])].concat(), "8 to 65,536");
}

#[test]
fn encoders_are_tuned_on_tables_of_glue_over_a_grid_and_against_each_other() {
    let place = Place::new();
    let tables = [
        ("CoLA", "train.tsv", "gj04\t1\t\tA cat sat.\ngj04\t0\t*\tCat a sat.\n".repeat(20)),
        ("CoLA", "dev.tsv", "gj04\t1\t\tA cat ran.\ngj04\t0\t*\tCat ran a.\n".to_owned()),
        ("STS-B", "train.tsv", format!("sentence1\tsentence2\tscore\n{}", "A cat.\tA dog.\t1.5\nA cat.\tA cat.\t5.0\n".repeat(20))),
        ("STS-B", "dev.tsv", "sentence1\tsentence2\tscore\nA cat.\tA dog.\t1.0\nOne.\tOne.\t4.5\n".to_owned()),
    ];
    for (task, name, table) in tables {
        fs::create_dir_all(place.path(&format!("glue/{task}"))).unwrap();
        place.write(&format!("glue/{task}/{name}"), table);
    }
    let text = place.write("text.txt", "the old ship lay quiet in the harbour and nobody slept\n".repeat(60));
    let model = place.name("eye.safetensors");
    fine_json(
        &[&["screenshot", "pretrain", "--text", &text, "--out", &model][..], &set(&["steps=2", "batch_size=4", "vocab=300"])].concat(),
    );
    let glue = place.name("glue");
    let few = set(&["steps=3", "restarts=0", "evaluate_every=2"]);
    let found = fine_json(
        &[
            &[
                "screenshot",
                "finetune",
                "--model",
                &model,
                "--against",
                &model,
                "--glue",
                &glue,
                "--lr",
                "1e-4,1e-3",
                "--batch",
                "4,8",
                "--seeds",
                "1",
            ][..],
            &few,
        ]
        .concat(),
    );
    let results = found["results"].as_array().unwrap();
    assert_eq!(results.len(), 6, "two tasks, two models each and their difference");
    assert_eq!((&results[0]["task"], &results[0]["metric"]), (&"CoLA".into(), &"matthews".into()));
    assert_eq!((&results[3]["task"], &results[3]["metric"]), (&"STS-B".into(), &"spearman".into()));
    assert_eq!(results[2]["interval"], serde_json::json!([0.0, 0.0]), "a model is as good as itself");
    assert!([1e-4, 1e-3].contains(&results[0]["lr"].as_f64().unwrap()));
    refused_as(&["screenshot", "finetune", "--glue", &place.name("nothing")], "cannot read");
    fs::create_dir_all(place.path("empty")).unwrap();
    refused_as(&["screenshot", "finetune", "--glue", &place.name("empty")], "holds no task");
}

/// The preset's shape with next to nothing in it: natural text for the model that writes on, and what the presets refuse.
#[test]
fn the_gpu_preset_runs_on_what_is_there() {
    let place = Place::new();
    let runs = place.name("runs");
    let small = set(&[
        "pretrain.steps=1",
        "pretrain.batch_size=2",
        "pretrain.vocab=300",
        "pretrain.model.encoder={layers=1,width=16,heads=2,mlp=16}",
        "pretrain.model.pixel={layers=1,width=16,heads=2,mlp=16}",
        "pretrain.model.text={layers=1,width=16,heads=2,mlp=16}",
        "finetune.steps=1",
        "finetune.restarts=0",
        "ar.steps=1",
        "ar.batch_size=1",
        "ar.vocab=300",
        "ar.model.tower={layers=1,width=16,heads=2,mlp=16}",
        "texts=2",
        "seeds=1",
    ]);
    let preset = ["run", "screenshot", "--made", "--preset", "gpu", "--device", "cpu", "--json", "--out", &runs];
    let out = vitrine(&[&preset[..], &small].concat());
    assert_eq!(out.status.code(), Some(1), "models that learned nothing fail the checks: {}", text(&out.stderr));
    let findings: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let right = findings["claims"].as_array().unwrap().iter().find(|claim| claim["id"] == "right-picture").unwrap().clone();
    assert_eq!(right["tolerance"], "at most 0.99 of that without");
    let folder = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("run.json")).unwrap()).unwrap();
    let study = &record["config"]["study"];
    assert_eq!((&study["natural"], &study["pretrain"]["render"]["width"]), (&true.into(), &2048.into()));
    assert_eq!(study["pretrain"]["precision"], "f32", "plain memory computes in single precision");
    refused_as(&["run", "screenshot", "--preset", "gpu", "--resume", folder.to_str().unwrap()], "takes its settings from there");
    let unknown = vitrine(&["run", "screenshot", "--preset", "paper"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("possible values: quick, gpu"), "{}", text(&unknown.stderr));
}

#[test]
fn the_study_runs_reports_and_is_found_finished() {
    let place = Place::new();
    let runs = place.name("runs");
    let small = set(&[
        "pretrain.steps=4",
        "pretrain.batch_size=4",
        "pretrain.vocab=300",
        "finetune.steps=3",
        "finetune.restarts=0",
        "ar.steps=2",
        "ar.batch_size=2",
        "texts=8",
        "seeds=2",
    ]);
    let study = || vitrine(&[&["run", "screenshot", "--made", "--json", "--out", &runs][..], &small].concat());
    let out = study();
    assert_eq!(out.status.code(), Some(1), "models that learned nothing fail the checks: {}", text(&out.stderr));
    let findings: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let claims = findings["claims"].as_array().unwrap();
    let verdict = |id: &str| claims.iter().find(|claim| claim["id"] == id).unwrap()["verdict"].clone();
    assert_eq!((verdict("reads"), verdict("right-picture"), verdict("wrong-picture")), ("fails".into(), "fails".into(), "holds".into()));
    let folder = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let report = folder.join("report.html");
    fine(&["report", "verify", report.to_str().unwrap()]);
    let results: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("artifacts/results.json")).unwrap()).unwrap();
    assert_eq!(results["arms"].as_array().unwrap().iter().map(|arm| arm["outcomes"].as_array().unwrap().len()).sum::<usize>(), 8);
    let eye = folder.join("artifacts/patches-and-text.safetensors");
    let corpus = place.write("text.txt", "the old ship lay quiet in the harbour\n");
    fine_json(&["screenshot", "perplexity", "--model", eye.to_str().unwrap(), "--text", &corpus, "--examples", "2"]);
    let again = fine(&["run", "screenshot", "--resume", folder.to_str().unwrap()]);
    assert!(again.contains("finished"), "{again}");
    refused_as(&["run", "screenshot", "--resume", folder.to_str().unwrap(), "--seed", "3"], "takes its settings from there");
    refused_as(&["run", "screenshot", "--made", "--set", "seeds=0"], "1 to 64");
    refused_as(&["run", "screenshot", "--text", &corpus], "--data");
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

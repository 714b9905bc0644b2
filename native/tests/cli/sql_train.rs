//! `sql train` and `run logical-beam`: a model of made data, a stopped run's settings, decoders side by side, and input that is refused with one line.

use std::fs;

use crate::support::{Place, fine_json, refused};

#[test]
fn a_few_steps_make_a_model_that_is_scored_and_a_second_run_is_the_same_one() {
    let place = Place::new();
    let (runs, out) = (place.name("runs"), place.name("model"));
    let args = [
        "sql",
        "train",
        "--encoder",
        "letters",
        "--steps",
        "3",
        "--batch-size",
        "4",
        "--most",
        "2",
        "--beam",
        "2",
        "--runs",
        &runs,
        "--out",
        &out,
    ];
    let found = fine_json(&args);
    assert_eq!((&found["schema"], &found["examples"], &found["left_out"]), (&"vitrine.sql-train/1".into(), &1700.into(), &0.into()));
    assert_eq!((&found["scores"]["held out"]["questions"], &found["readings"][0]["questions"]), (&2.into(), &2.into()));
    let model = |file: &str| fs::read(place.path("model").join(file)).unwrap();
    let before = [model("config.json"), model("model.safetensors")];
    assert!(refused(&args).contains("--resume"));
    fine_json(&[&args[..], &["--resume"]].concat());
    assert!(before == [model("config.json"), model("model.safetensors")]);

    let study = ["run", "logical-beam", "--model", &out, "--most", "2", "--out", &runs, "--decoders"];
    let found = fine_json(&[&study[..], &["beam,logical-beam"]].concat());
    assert_eq!(found["study"], "logical-beam");
    let rows = |panel: usize| found["panels"][panel]["body"]["rows"].as_array().unwrap();
    assert_eq!((rows(0)[0][0].as_str(), rows(0)[1][0].as_str()), (Some("beam"), Some("logical-beam")));
    // A model of three steps answers next to nothing, so nothing is judged.
    let verdicts: Vec<_> = found["claims"].as_array().unwrap().iter().map(|claim| claim["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.len() == 9 && verdicts.iter().all(|verdict| *verdict == "not_tested"), "{verdicts:?}");
    assert!(refused(&[&study[..], &["beam,top-q"]].concat()).contains("no decoder top-q"));
    assert!(refused(&["run", "logical-beam", "--model", &place.name("none")]).contains("config.json"));
}

#[test]
fn a_model_from_scratch_is_made_opened_and_never_asked_what_it_learned_from() {
    let place = Place::new();
    let (runs, out) = (place.name("runs"), place.name("model"));
    let train = ["sql", "train", "--architecture", "seq2seq", "--steps", "2", "--batch-size", "4", "--most", "1", "--beam", "2"];
    let args = [&train[..], &["--runs", &runs, "--out", &out]].concat();
    let found = fine_json(&args);
    assert_eq!((&found["examples"], &found["readings"][0]["questions"]), (&1700.into(), &1.into()));
    assert!(found["ambiguous_examples"].as_u64().unwrap() > 1000);
    assert!(refused(&[&args[..], &["--encoder", "letters"]].concat()).contains("has no --encoder"));
    let study = ["run", "logical-beam", "--model", &out, "--most", "1", "--out", &runs, "--decoders", "greedy"];
    assert_eq!(fine_json(&study)["study"], "logical-beam");
    assert!(refused(&[&study[..], &["--whole-names"]].concat()).contains("by pieces"));
    let config = place.path("model").join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replacen("\"databases\": [", "\"databases\": [\"made_55\", \"concert_singer\",", 1)).unwrap();
    // Which of both is asked of depends on whether the published data are there.
    assert!(refused(&study).contains("has learned from database"));
}

#[test]
fn wrong_settings_and_data_are_one_line() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        place.name(name)
    };
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/sql/tables.json");
    let line = |database: &str, query: &str| format!("{{\"db_id\":\"{database}\",\"question\":\"q\",\"query\":\"{query}\"}}\n");
    let (broken, unknown, no_query) = (
        write("a.jsonl", "{\"db_id\":3}"),
        write("b.jsonl", &line("nowhere", "select 1")),
        write("c.jsonl", &line("library", "x").repeat(20)),
    );
    let (runs, out) = (place.name("runs"), place.name("model"));
    let base = ["sql", "train", "--encoder", "letters", "--runs", &runs, "--out", &out];
    for (args, why) in [
        (vec!["--steps", "0"], "steps has to be"),
        (vec!["--lr", "0"], "lr has to be"),
        (vec!["--beam", "0"], "--beam has to be"),
        (vec!["--data", &broken, "--tables", tables], "line 1"),
        (vec!["--data", &unknown, "--tables", tables], "no database nowhere"),
        (vec!["--data", &no_query, "--tables", tables], "no query begins with select"),
        (vec!["--architecture", "seq2seq", "--readings", "none", "--steps", "0"], "steps has to be"),
        (vec!["--data", &no_query, "--tables", tables, "--valid-databases", "zoo"], "asks nothing of database zoo"),
        (vec!["--data", &no_query, "--tables", tables, "--valid-databases", "library"], "all questions are held out"),
        (vec!["--ambiqt", &out], "--ambiqt needs --data"),
        (vec!["--readings", "C=0.7,T=0.7"], "shares of readings"),
    ] {
        let error = refused(&[&base[..], &args].concat());
        assert!(error.contains(why), "{error}");
    }
    assert!(!place.path("model").exists());
}

//! Runs that are stopped, or killed, and go on: the same bytes as without the break.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use crate::support::{MODEL, Place, command, fine, read, refused, text, vitrine, wait_until};

const STEPS: &str = "3000";

fn prune<'a>(data: &'a str, out: &'a str) -> Vec<&'a str> {
    let args = ["--quiet", "circuit", "prune", MODEL, "--data", data, "--target", "0.5", "--seed", "3", "--checkpoint-every", "100"];
    [&args[..], &["--steps", STEPS, "--device", "cpu", "--out", out]].concat()
}

/// Starts the program, waits until `begun`, ends it by `end`, and gives what it said.
fn broken_off(args: &[&str], begun: impl FnMut() -> bool, end: impl FnOnce(&mut std::process::Child)) -> Output {
    let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the run has saved something", begun);
    end(&mut child);
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn train_prune_that_is_terminated_goes_on_to_the_same_file() {
    let place = Place::new();
    let (data, whole, broken) = (place.data(), place.name("whole.json"), place.name("broken.json"));
    fine(&prune(&data, &whole));
    let saved = place.path("broken.checkpoint");
    let out = broken_off(&prune(&data, &broken), || saved.exists(), |child| crate::support::terminate(child.id()));
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    let step: u64 = said.split("stopped at step ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!((100..3000).contains(&step), "{said}");
    assert!(said.contains("--resume"), "{said}");
    assert!(!Path::new(&broken).exists(), "nothing half-written");

    // Other settings cannot go on from it.
    let other = prune(&data, &broken).iter().map(|arg| if *arg == "0.5" { "0.6" } else { arg }).chain(["--resume"]).collect::<Vec<_>>();
    assert!(refused(&other[1..]).contains("other settings"));
    fine(&[&prune(&data, &broken)[..], &["--resume"]].concat());
    assert_eq!(read(&broken), read(&whole));
    assert_eq!(read(&saved), read(place.path("whole.checkpoint")), "gates, moments and multipliers too");
    let none = place.name("none.json");
    assert!(refused(&[&prune(&data, &none)[1..], &["--resume"]].concat()).contains("none.checkpoint"));
}

#[test]
fn train_the_same_seed_gives_the_same_file_whatever_the_number_of_threads() {
    let place = Place::new();
    let data = place.data();
    let files: Vec<Vec<u8>> = ["1", "2", "3"]
        .iter()
        .map(|threads| {
            let out = place.name(&format!("t{threads}.json"));
            let args: Vec<&str> = prune(&data, &out).iter().map(|arg| if *arg == STEPS { "400" } else { arg }).collect();
            assert!(command(&args).env("RAYON_NUM_THREADS", threads).status().unwrap().success());
            read(out)
        })
        .collect();
    assert!(files[0] == files[1] && files[0] == files[2]);
    let out = place.name("other.json");
    let args: Vec<&str> = prune(&data, &out)
        .iter()
        .map(|arg| {
            if *arg == STEPS {
                "400"
            } else if *arg == "3" {
                "4"
            } else {
                arg
            }
        })
        .collect();
    fine(&args);
    assert_ne!(read(out), files[0], "another seed gives another circuit");
}

/// The shipped programs, with short rounds.
const STUDY: &[&str] = &[
    "--quiet",
    "run",
    "edge-pruning",
    "--device",
    "cpu",
    "--seed",
    "5",
    "--set",
    "small_transformer=false",
    "--set",
    "rounds.max_rounds=3",
    "--set",
    "rounds.prune.steps=200",
    "--set",
    "rounds.prune.sparsity_warm_up=180",
    "--set",
    "rounds.prune.lr_warm_up=20",
];

fn study<'a>(more: &[&'a str], out: &'a str) -> Vec<&'a str> {
    [STUDY, more, &["--out", out]].concat()
}

/// The one run folder in `root`.
fn run_folder(root: &Path) -> Option<PathBuf> {
    let mut folders = fs::read_dir(root).ok()?.map(|e| e.unwrap().path());
    folders.next()
}

fn saves(root: &Path) -> usize {
    run_folder(root).and_then(|folder| fs::read_dir(folder.join("checkpoints")).ok()).map_or(0, |names| {
        names.filter(|name| name.as_ref().is_ok_and(|n| n.file_name().to_str().is_some_and(|n| n.starts_with("save-")))).count()
    })
}

/// Everything of a run that must not depend on breaks: artifacts and the log.
fn lasting(root: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = run_folder(root).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("artifacts")).unwrap().map(|e| e.unwrap().path()).collect();
    files.push(folder.join("metrics.jsonl"));
    files.sort();
    files.iter().map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), read(file))).collect()
}

#[cfg(unix)]
#[test]
fn study_that_is_terminated_and_killed_goes_on_to_the_same_circuits() {
    let place = Place::new();
    let (whole, broken) = (place.name("whole"), place.name("broken"));
    fine(&study(&[], &whole));
    let expected = lasting(Path::new(&whole));
    assert_eq!(expected.len(), 7, "six circuits and the log");

    let out = broken_off(&study(&[], &broken), || saves(Path::new(&broken)) > 0, |child| crate::support::terminate(child.id()));
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    let folder = run_folder(Path::new(&broken)).unwrap();
    let folder = folder.to_str().unwrap();
    assert!(said.contains(&format!("go on with: vitrine run edge-pruning --resume {folder}")), "{said}");
    // Without --resume a run that is there is not touched.
    assert!(refused(&study(&[], &broken)[1..]).contains("--resume"));
    // Killed without warning, the run goes on from its last save; by its settings or by its folder.
    let before = read(Path::new(folder).join("run.json"));
    let named = fs::read_dir(Path::new(folder).join("checkpoints")).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    broken_off(
        &study(&["--resume"], &broken),
        || fs::read_dir(Path::new(folder).join("checkpoints")).unwrap().any(|e| e.is_ok_and(|e| !named.contains(&e.file_name()))),
        |child| child.kill().unwrap(),
    );
    let started = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap()["started_unix_ms"].clone();
    let contradicting = ["run", "edge-pruning", "--resume", folder, "--seed", "6"];
    assert!(refused(&contradicting).contains("--seed"));
    let said = fine(&["--quiet", "run", "edge-pruning", "--device", "cpu", "--resume", folder]);
    assert!(said.contains("report.html"), "{said}");
    assert_eq!(lasting(Path::new(&broken)), expected);
    assert_eq!(started(&read(Path::new(folder).join("run.json"))), started(&before));
    // A finished run is left alone.
    let report = read(Path::new(folder).join("report.html"));
    assert!(fine(&["--quiet", "run", "edge-pruning", "--resume", folder]).contains("finished"));
    assert_eq!(read(Path::new(folder).join("report.html")), report);
}

#[test]
fn run_json_says_what_it_was_made_of() {
    let place = Place::new();
    let (data, out) = (place.data(), place.name("runs"));
    let args = [
        "--quiet",
        "run",
        "edge-pruning",
        "--model",
        MODEL,
        "--data",
        &data,
        "--steps",
        "20",
        "--sizes",
        "0.3",
        "--device",
        "cpu",
        "--out",
        &out,
    ];
    let said = vitrine(&args);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    let folder = run_folder(Path::new(&out)).unwrap();
    let run: serde_json::Value = serde_json::from_slice(&read(folder.join("run.json"))).unwrap();
    let is_hash = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.len() == 64);
    assert!(is_hash(&run["config_hash"]) && is_hash(&run["cargo_lock_sha256"]) && is_hash(&run["models"]["tiny-llama.gguf"]));
    assert!(is_hash(&run["data"][data.as_str()]));
    assert_eq!((run["config"]["study"]["prune"]["steps"].as_u64(), run["seed"].as_u64()), (Some(20), Some(0)));
    assert!(
        run["device"].as_str().unwrap().starts_with("cpu (")
            && run["versions"]["vitrine"].is_string()
            && run["versions"]["system"].is_string()
    );
    assert!(run["duration_s"].as_f64().unwrap() > 0.0 && run["finished_unix_ms"].as_u64() >= run["started_unix_ms"].as_u64());
    assert!(folder.file_name().unwrap().to_str().unwrap().ends_with(&run["config_hash"].as_str().unwrap()[..8]));
    assert!(
        folder.join("artifacts/circuit-6.json").exists() && folder.join("findings.json").exists() && folder.join("report.html").exists()
    );
    // The data behind a run cannot be swapped while it goes on.
    fs::remove_file(folder.join("report.html")).unwrap();
    let mut rows = text(&read(&data));
    rows.push('\n');
    place.write("data.jsonl", rows);
    assert!(refused(&[&args[1..], &["--resume"]].concat()).contains("the data files are not those"));
}

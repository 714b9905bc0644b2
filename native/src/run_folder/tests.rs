use super::*;

const HASH: &str = "0123456789abcdef";
const RUN: &str = r#"{"study":"demo","config_hash":"0123456789abcdef","seed":7}"#;

fn open(root: &Path, resume: bool) -> Result<RunFolder> {
    RunFolder::create(root, "demo", HASH, resume)
}

fn message(result: Result<RunFolder>) -> String {
    format!("{:#}", result.unwrap_err())
}

/// Runs steps `from..to` of a made-up training, with a checkpoint after every second step.
fn train(run: &mut RunFolder, from: u64, to: u64) {
    for step in from..to {
        let loss = 1.0 / (step + 1) as f64;
        run.log(step, &[("loss", loss), ("odd", if step % 2 == 1 { f64::NAN } else { 0.5 })]).unwrap();
        if step % 2 == 1 {
            run.checkpoint(&[("state.bin", &step.to_le_bytes())]).unwrap();
        }
    }
}

fn metrics(run: &RunFolder) -> String {
    fs::read_to_string(run.path().join("metrics.jsonl")).unwrap()
}

#[test]
fn a_broken_run_ends_with_the_bytes_of_an_unbroken_one() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut whole = open(a.path(), false).unwrap();
    assert!(whole.path().ends_with("demo-01234567"));
    train(&mut whole, 0, 10);

    let mut broken = open(b.path(), false).unwrap();
    broken.write_run(RUN).unwrap();
    train(&mut broken, 0, 7); // the newest checkpoint, number 3, has 6 steps
    broken.metrics.write_all(b"{\"step\":7,\"lo").unwrap(); // and the process dies in the middle of a line
    drop(broken);
    let mut broken = open(b.path(), true).unwrap();
    let from = broken.resumed().unwrap();
    assert_eq!((from.number, from.folder.read("state.bin").unwrap()), (3, 5u64.to_le_bytes().to_vec()));
    train(&mut broken, 6, 10);
    assert_eq!(metrics(&whole), metrics(&broken));
    assert!(metrics(&whole).starts_with("{\"step\":0,\"loss\":1.0,\"odd\":0.5}\n{\"step\":1,\"loss\":0.5,\"odd\":null}\n"));
    assert_eq!(checkpoint_numbers(&broken.path().join("checkpoints")).unwrap(), [3, 4, 5]);

    // The curves hold no step twice: both logs have as many points, the second in two files (each begins with a 40-byte header).
    let points = |run: &RunFolder| {
        let files = event_files(&run.path().join("tb")).unwrap();
        (files.len() as u64, files.values().sum::<u64>() - 40 * files.len() as u64)
    };
    assert_eq!(points(&whole).0 + 1, points(&broken).0);
    assert_eq!(points(&whole).1, points(&broken).1);
}

#[test]
fn damaged_checkpoints_are_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path(), false).unwrap();
    run.write_run(RUN).unwrap();
    train(&mut run, 0, 8);
    let newest = run.path().join("checkpoints/save-0000000004/state.bin");
    drop(run);
    fs::write(newest, b"damaged!").unwrap();
    let mut run = open(dir.path(), true).unwrap();
    assert_eq!(run.resumed().unwrap().number, 3);
    assert!(run.notes()[0].contains("checkpoint 4 is damaged") && run.notes()[0].contains("SHA-256"), "{:?}", run.notes());
    train(&mut run, 6, 8);
    assert_eq!(metrics(&run).lines().count(), 8);
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let run = open(dir.path(), false).unwrap();
    assert!(message(open(dir.path(), true)).contains(&format!("another process (process {})", std::process::id())));
    drop(run);
    open(dir.path(), false).unwrap();
}

#[test]
fn an_existing_run_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path(), false).unwrap();
    for wrong in ["", "{}", &RUN.replace("demo", "other"), &RUN.replace("abcdef", "000000")] {
        assert!(run.write_run(wrong).is_err(), "{wrong}");
    }
    assert_eq!(run.read_run().unwrap(), None);
    run.write_run(RUN).unwrap();
    train(&mut run, 0, 3);
    let before = metrics(&run);
    drop(run);
    assert!(message(open(dir.path(), false)).contains("--resume"));
    let other = RunFolder::create(dir.path(), "demo", "01234567ffff", true);
    assert!(message(other).contains("another config"));
    let path = dir.path().join("demo-01234567");
    assert_eq!(fs::read_to_string(path.join("metrics.jsonl")).unwrap(), before, "a refused start changes nothing");
    assert_eq!(fs::read_to_string(path.join("run.json")).unwrap(), RUN);
    assert_eq!(open(dir.path(), true).unwrap().read_run().unwrap().unwrap(), RUN.as_bytes());
}

#[test]
fn wrong_calls_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for hash in ["", "0123456", "0123456z", "日本語日本語"] {
        assert!(message(RunFolder::create(dir.path(), "demo", hash, false)).contains("hexadecimal"));
    }
    for study in ["", "../up", "a/b", ".x"] {
        assert!(RunFolder::create(dir.path(), study, HASH, false).is_err());
    }
    let mut run = open(dir.path(), false).unwrap();
    run.checkpoint(&[]).unwrap();
    drop(run);
    assert!(message(open(dir.path(), true)).contains("no run.json"));
    fs::remove_dir_all(dir.path().join("demo-01234567")).unwrap();
    let mut run = open(dir.path(), false).unwrap();
    run.log(5, &[("loss", 1.0)]).unwrap();
    assert!(run.log(4, &[("loss", 1.0)]).is_err());
    assert!(run.checkpoint(&[("../x", b"")]).is_err());
    assert!(run.write_artifact("a/b", b"").is_err());
    assert!(checkpoint_numbers(&run.path().join("checkpoints")).unwrap().is_empty());
}

#[test]
fn a_log_that_lost_lines_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path(), false).unwrap();
    run.write_run(RUN).unwrap();
    train(&mut run, 0, 4);
    let log = run.path().join("metrics.jsonl");
    drop(run);
    fs::write(&log, b"").unwrap();
    assert!(message(open(dir.path(), true)).contains("lines are lost"));
}

#[test]
fn outputs_are_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let run = open(dir.path(), false).unwrap();
    run.write_findings("{}").unwrap();
    assert_eq!(fs::read(run.path().join("findings.json")).unwrap(), b"{}");
    assert!(!run.is_finished());
    run.write_report("<p>").unwrap();
    assert!(run.is_finished());
    let artifact = run.write_artifact("circuit.json", b"{}").unwrap();
    assert!(artifact.ends_with("artifacts/circuit.json"));
    assert_eq!(fs::read(run.path().join("report.html")).unwrap(), b"<p>");
}

//! The program as a whole: exit codes, one-line errors, published values.

use std::process::{Command, Output};

fn vitrine(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn published_hard_concrete_values_agree() {
    let out = vitrine(&["check", "golden", "hard-concrete"]);
    assert_eq!(out.status.code(), Some(0));
    assert!(text(&out.stdout).contains("15 of 15 agree"), "{}", text(&out.stdout));
}

#[test]
fn graphs_of_known_configs_have_the_published_counts() {
    for (args, expected) in [
        (vec!["circuit", "graph", "gpt2"], "158 writers, 445 readers, 32936 edges"),
        (vec!["circuit", "graph", "gpt2", "--without-embeddings"], "156 writers, 445 readers, 32046 edges"),
        (vec!["circuit", "graph", "codellama-13b", "--without-embeddings"], "1640 writers, 4841 readers, 3872820 edges"),
    ] {
        let out = vitrine(&args);
        assert_eq!((out.status.code(), text(&out.stdout).trim()), (Some(0), expected));
    }
}

#[test]
fn bad_input_gives_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("junk.gguf");
    std::fs::write(&junk, b"GGUF junk").unwrap();
    let junk = junk.to_str().unwrap();
    for args in [
        vec!["model", "info", junk],
        vec!["model", "info", "no-such-model"],
        vec!["model", "get", "no-such-model"],
        vec!["check", "golden", "no-such-kind"],
        vec!["check", "golden", "tracr", junk],
        vec!["report", "verify", junk],
        vec!["run", "edge-pruning", "--device", "no-such-device"],
        vec!["run", "edge-pruning", "--sizes", "3"],
    ] {
        let out = vitrine(&args);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.lines().count() == 1 && !error.contains("panicked"), "{args:?}: {error}");
    }
}

//! The program as a whole: exit codes, one-line errors, published values, runs that are killed and go on.

#![expect(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests end with a panic and make their own files")]

mod bad_input;
mod circuits;
mod decode;
mod interactive;
mod resume;
mod screenshot;
mod sql;
mod sql_decode;
mod sql_train;
mod support;

use support::{text, vitrine};

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

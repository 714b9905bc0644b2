//! A small model, small data, and how the program is called.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// One block, random weights, a token a byte, 64 positions; 19 edges.
pub const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gguf/tiny-llama.gguf");

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.args(args).stdin(Stdio::null());
    command
}

pub fn vitrine(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the program, which must be fine, and gives its standard output.
pub fn fine(args: &[&str]) -> String {
    let out = vitrine(args);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

/// The same with `--json`.
pub fn fine_json(args: &[&str]) -> Value {
    serde_json::from_str(&fine(&[&["--json", "--quiet"], args].concat())).unwrap()
}

/// The program must refuse: exit code 2 and one line, which is returned.
pub fn refused(args: &[&str]) -> String {
    let out = vitrine(&[&["--quiet"], args].concat());
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{args:?}: {error}");
    let lines: Vec<&str> = error.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert!(lines.len() == 1 && !error.contains("panicked"), "{args:?}: {error}");
    lines[0].to_owned()
}

/// A folder of a test's own.
pub struct Place(pub tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.name(name)
    }

    /// Names of what lies there.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// Forty prompts of eight letters, none of which the tokenizer joins, with an answer and a wrong answer.
    pub fn data(&self) -> String {
        let letters: Vec<char> = "bcdfgjkl".chars().collect();
        let mut seed = 1_u64;
        let mut letter = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            letters[(seed >> 33) as usize % letters.len()]
        };
        let mut word = || (0..8).map(|_| letter()).collect::<String>();
        let row = |i: usize, clean: String, corrupted: String| {
            let split = ["train", "train", "test", "validation"][i % 4];
            json!({"split": split, "clean": clean, "corrupted": corrupted, "answer": letters[i % 8].to_string(), "wrong": letters[(i + 3) % 8].to_string()})
        };
        let rows: Vec<String> = (0..40).map(|i| row(i, word(), word()).to_string()).collect();
        self.write("data.jsonl", rows.join("\n"))
    }

    /// Rows given one by one.
    pub fn rows(&self, rows: &[Value]) -> String {
        self.write("rows.jsonl", rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"))
    }
}

/// Waits until `done`, for two minutes at most. What is waited for is a file that another process writes, so looking again is all there is.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    let (_never, pause) = mpsc::channel::<()>();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(2), "waited too long until {what}");
        let _ = pause.recv_timeout(Duration::from_millis(2));
    }
}

/// Sends SIGTERM, as a job scheduler does.
#[cfg(unix)]
pub fn terminate(process: u32) {
    assert!(Command::new("kill").args(["-TERM", &process.to_string()]).status().unwrap().success());
}

pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

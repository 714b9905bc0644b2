//! Tests of the readers as a whole: golden values, hostile files, random damage.

mod golden;
mod hostile;
mod random;
mod safetensors;

use std::path::PathBuf;

/// A file of the workspace's `tests/fixtures`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures")).join(name)
}

fn read(name: &str) -> Vec<u8> {
    let path = fixture(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

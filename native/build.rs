//! Notes the commit that the program is built from, for `run.json` and reports; nothing when it is not built from a checkout.

use std::{path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The log of HEAD grows with every commit, checkout and reset.
    let log = Path::new("../.git/logs/HEAD");
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let revision = Command::new("git").args(["rev-parse", "HEAD"]).output().ok().filter(|done| done.status.success());
    let revision = revision.and_then(|done| String::from_utf8(done.stdout).ok()).unwrap_or_default();
    println!("cargo::rustc-env=VITRINE_GIT_REVISION={}", revision.trim());
}

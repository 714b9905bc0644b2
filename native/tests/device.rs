//! GPU devices from the command line, on software Vulkan drivers: one that computes right, and ones that crash or are missing.
//!
//! Which driver the Vulkan loader takes is an environment variable, so each test gives the program a driver of its own. Only in builds with `wgpu`.
#![cfg(all(feature = "wgpu", target_os = "linux"))]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs vitrine with `manifest` as the only Vulkan driver, and without OpenGL to fall back to.
fn vitrine(manifest: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine"))
        .args(args)
        .env("VK_ICD_FILENAMES", manifest)
        .env("VK_DRIVER_FILES", manifest)
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/dev/null")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The row of `device list` for `name`.
fn row(manifest: &Path, name: &str) -> serde_json::Value {
    let out = vitrine(manifest, &["device", "list", "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let list: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(list["schema"], "vitrine.devices/1");
    list["devices"].as_array().unwrap().iter().find(|row| row["device"] == name).unwrap().clone()
}

/// Asserts that a command on this driver's device ends with exit code 2 and one line that contains `why`.
fn refused(manifest: &Path, why: &str) {
    let row = row(manifest, "wgpu");
    assert!(row["works"] == false && row["reason"].as_str().unwrap().contains(why), "{row}");
    let out = vitrine(manifest, &["check", "golden", "hard-concrete", "--device", "wgpu"]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{error}");
    assert!(error.lines().count() == 1 && error.contains(why), "{error}");
    // What was refused does not stop `auto`.
    assert_eq!(vitrine(manifest, &["check", "golden", "hard-concrete", "--device", "auto"]).status.code(), Some(0));
}

/// The manifest of an installed driver whose name starts with `start`, or a line that says what is missing.
fn installed(folder: &str, start: &str) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)));
    found.sort();
    if found.is_empty() {
        let line = format!("skipped: no Vulkan driver {start}* in {folder}");
        eprintln!("{line}");
        if let Some(path) = std::env::var_os("VITRINE_SKIPS") {
            writeln!(fs::OpenOptions::new().append(true).create(true).open(path).unwrap(), "{line}").unwrap();
        }
    }
    found.into_iter().next()
}

#[test]
fn a_driver_that_computes_right_works_and_auto_prefers_the_cpu_to_software() {
    let Some(lavapipe) = installed("/usr/share/vulkan/icd.d", "lvp_icd") else { return };
    let row = row(&lavapipe, "wgpu");
    assert!(row["compiled"] == true && row["driver"] == true && row["works"] == true && row["software"] == true, "{row}");
    assert!(row["adapter"].as_str().unwrap().contains("llvmpipe"), "{row}");
    // float32 throughout: far below the tolerance, which allows for tensor cores.
    assert!(row["difference"].as_f64().unwrap() < 1e-4, "{row}");
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gguf/tiny-llama.gguf");
    let bench = |device: &str| -> serde_json::Value {
        let out = vitrine(&lavapipe, &["bench", "circuit", model, "--batch", "1", "--tokens", "4", "--repeats", "1", "--device", device]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    assert!(bench("wgpu")["device"].as_str().unwrap().starts_with("wgpu: llvmpipe"));
    assert_eq!(bench("auto")["device"], "cpu");
    let out = vitrine(&lavapipe, &["check", "golden", "hard-concrete", "--device", "wgpu:1"]);
    assert_eq!((out.status.code(), text(&out.stderr).lines().count()), (Some(2), 1));
    assert!(text(&out.stderr).contains("there is 1 device of this kind"), "{}", text(&out.stderr));
}

#[test]
fn no_driver_is_one_line() {
    refused(Path::new("/nowhere/driver.json"), "no driver");
}

#[test]
fn a_driver_that_crashes_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("crash.c");
    let library = folder.path().join("libcrash.so");
    fs::write(&source, "__attribute__((constructor)) static void crash(void) { *(volatile int *)0 = 0; }\n").unwrap();
    // Rust links with `cc`, so it is there.
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
    assert!(built.success());
    let manifest = folder.path().join("crash.json");
    let json = serde_json::json!({"file_format_version": "1.0.0", "ICD": {"library_path": library, "api_version": "1.3.0"}});
    fs::write(&manifest, json.to_string()).unwrap();
    refused(&manifest, "the driver crashed in the self-check (segmentation fault, signal 11)");
}

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn hash_is_sha256() {
    assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn write_replaces_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write_file(&path, b"one").unwrap();
    write_file(&path, b"two!").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two!");
    assert_eq!(names(dir.path()), ["a.json"]);
    let entry = hash_file(&path).unwrap();
    assert_eq!((entry.bytes, entry.sha256), (4, sha256_hex(b"two!")));
}

#[cfg(unix)]
#[test]
fn written_files_are_readable_by_others_as_the_umask_allows() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (ordinary, atomic) = (dir.path().join("ordinary"), dir.path().join("atomic"));
    fs::write(&ordinary, b"x").unwrap();
    write_file(&atomic, b"x").unwrap();
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ordinary), mode(&atomic));
}

#[test]
fn failed_write_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("taken");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("inside"), b"x").unwrap();
    let error = write_file(&target, b"y").unwrap_err();
    assert!(format!("{error:#}").contains("cannot write"), "{error:#}");
    assert_eq!(names(dir.path()), ["taken"]);
}

#[test]
fn folder_round_trip_and_damage() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("step-1");
    let mut writer = FolderWriter::new(&target).unwrap();
    writer.add("model.safetensors", &[1, 2, 3]).unwrap();
    writer.add("state.json", b"{}").unwrap();
    assert!(writer.add("state.json", b"{}").is_err());
    assert!(!target.exists(), "nothing may be visible before the commit");
    writer.commit().unwrap();
    assert_eq!(names(dir.path()), ["step-1"]);
    assert_eq!(Folder::open(&target).unwrap().manifest.files.len(), 2);
    assert_eq!(Folder::open(&target).unwrap().read("model.safetensors").unwrap(), [1, 2, 3]);
    assert!(FolderWriter::new(&target).is_err(), "a filled folder is not replaced");

    let says = |text: &str| {
        let error = format!("{:#}", Folder::open(&target).and_then(|folder| folder.verify()).unwrap_err());
        assert!(error.contains(text), "{error}");
    };
    fs::write(target.join("extra"), b"x").unwrap();
    says("does not list");
    fs::remove_file(target.join("extra")).unwrap();
    fs::write(target.join("model.safetensors"), [1, 2, 4]).unwrap();
    says("SHA-256");
    assert!(Folder::open(&target).unwrap().read("model.safetensors").is_err());
    fs::write(target.join("model.safetensors"), [1, 2]).unwrap();
    says("has 2 bytes");
    fs::write(target.join("model.safetensors"), [1, 2, 3, 4]).unwrap();
    assert!(Folder::open(&target).unwrap().read("model.safetensors").is_err());
    fs::remove_file(target.join("model.safetensors")).unwrap();
    says("missing");
}

#[test]
fn dropped_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = FolderWriter::new(&dir.path().join("never")).unwrap();
    writer.add("a", b"b").unwrap();
    drop(writer);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn hostile_manifests_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = sha256_hex(b"");
    let manifest = |text: String| {
        fs::write(dir.path().join(MANIFEST), text).unwrap();
        format!("{:#}", Folder::open(dir.path()).unwrap_err())
    };
    for name in ["../etc", "/etc/passwd", "a/b", "", ".hidden", "manifest.json", "a\\u0000b"] {
        let text = format!(r#"{{"format":"vitrine-folder/1","files":{{"{name}":{{"bytes":0,"sha256":"{good}"}}}}}}"#);
        assert!(manifest(text).contains("names a file it must not"), "{name}");
    }
    assert!(manifest(r#"{"format":"other","files":{}}"#.to_owned()).contains("expected"));
    assert!(manifest("{".to_owned()).contains("not a valid manifest"));
    assert!(manifest(" ".repeat(17 << 20)).contains("longer than"));
}

#[test]
fn leftovers_are_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(format!("{TEMPORARY_PREFIX}x"))).unwrap();
    fs::write(dir.path().join(format!("{TEMPORARY_PREFIX}y")), b"1").unwrap();
    fs::write(dir.path().join("keep"), b"1").unwrap();
    remove_leftovers(dir.path()).unwrap();
    assert_eq!(names(dir.path()), ["keep"]);
}

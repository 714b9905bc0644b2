//! Reports that compute: the page's program, and the files of finished runs, packed into the report.
//!
//! The program is what `scripts/web-bundle` leaves in its folder: the WebAssembly, and the page's modules packed into one script and one style sheet. Nothing of it is needed to
//! build this program; it is found when a report is written. Files are packed by gzip without a time stamp: the same files give the same report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use vitrine_core::{
    findings::RunRecord,
    report::{Carried, Interactive, base64},
};
use vitrine_edge_pruning::exhibit::{self, Exhibit, Origin};

use crate::atomic::{read_bounded, sha256_hex};

/// Name of the WebAssembly in the bundle's folder and in the report.
const WASM: &str = "vitrine_web_bg.wasm";
const SCRIPT: &str = "report.js";
const STYLE: &str = "report.css";
/// Largest file that travels, in bytes: a report is sent by mail.
const MOST_BYTES: u64 = 32 << 20;
/// Room for the circuits of a model that is not carried itself, as base64.
const MOST_CIRCUITS: usize = 800_000;

/// The bundle's folder: the one given, `$VITRINE_BUNDLE`, or beside this program.
fn folder(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if let Some(set) = std::env::var_os("VITRINE_BUNDLE").filter(|value| !value.is_empty()) {
        return Ok(set.into());
    }
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    let beside = ["../web/cpu", "../share/vitrine/web"].map(|place| program.parent().unwrap_or(Path::new(".")).join(place));
    let found = beside.into_iter().find(|place| place.join(SCRIPT).is_file());
    found.context("no bundle for a report that computes: make one with scripts/web-bundle, and name its folder with --interactive=FOLDER")
}

/// Whether there is a bundle to take.
///
/// # Errors
/// One line that says how to make one.
pub fn check(bundle: Option<&Path>) -> Result<()> {
    let bundle = folder(bundle)?;
    for name in [SCRIPT, STYLE, WASM] {
        ensure!(bundle.join(name).is_file(), "{} is no bundle of scripts/web-bundle: {name} is missing", bundle.display());
    }
    Ok(())
}

/// The program and the files of `runs` (folder and record), for a report of these runs in this order.
///
/// # Errors
/// One line that says which file is missing or too large, or that there is nothing to show.
pub fn pack(bundle: Option<&Path>, runs: &[(PathBuf, &RunRecord)]) -> Result<Interactive> {
    let bundle = folder(bundle)?;
    let read = |name: &str| {
        read_bounded(&bundle.join(name), MOST_BYTES).with_context(|| format!("{} is no bundle of scripts/web-bundle", bundle.display()))
    };
    let text = |name: &str| -> Result<String> { String::from_utf8(read(name)?).with_context(|| format!("{name} is not text")) };
    let (script, style) = (text(SCRIPT)?, text(STYLE)?);
    let mut exhibits = vec![];
    for (index, (folder, record)) in runs.iter().enumerate() {
        exhibits.extend(exhibit::of_run(index + 1, record, &artifacts(folder)?));
    }
    ensure!(!exhibits.is_empty(), "there is nothing to compute: none of the runs left a circuit");
    let mut packed = BTreeMap::new();
    for name in exhibits.iter().flat_map(Exhibit::carried) {
        let file = match exhibit::origin(name) {
            Some(Origin::Shipped(bytes)) => carried(name, bytes)?,
            Some(Origin::Artifact(run, file)) => {
                let (folder, _) = runs.get(run.wrapping_sub(1)).context("an exhibit of a run that is not there")?;
                carried(name, &read_bounded(&folder.join("artifacts").join(file), MOST_BYTES)?)?
            }
            None => bail!("nobody knows where {name} comes from"),
        };
        packed.insert(name.to_owned(), file);
    }
    for exhibit in &mut exhibits {
        fit(exhibit, &packed, MOST_CIRCUITS);
    }
    let mut files = vec![carried(WASM, &read(WASM)?)?];
    let left: BTreeSet<&str> = exhibits.iter().flat_map(Exhibit::carried).collect();
    files.extend(packed.into_values().filter(|file| left.contains(file.name.as_str())));
    let words = exhibit::words(&exhibits);
    Ok(Interactive { script, style, words, exhibits: serde_json::to_value(exhibits)?, files })
}

/// Leaves circuits of a large model out that would make the report too large to send; the first one stays, and with its scores it can be shown at any size. Those that a
/// number is made again from all stay.
fn fit(exhibit: &mut Exhibit, packed: &BTreeMap<String, Carried>, most: usize) {
    if exhibit.check.is_some() {
        return;
    }
    let mut total = 0;
    let mut left_out = vec![];
    exhibit.circuits.retain(|circuit| {
        let size = circuit.file.as_ref().and_then(|name| packed.get(name)).map_or(0, |file| file.packed.len());
        let stays = total == 0 || total + size <= most;
        if stays {
            total += size;
        } else {
            left_out.push(circuit.title.clone());
        }
        stays
    });
    if !left_out.is_empty() {
        exhibit.note.push_str(&format!(" Left out for size: {}.", left_out.join("; ")));
    }
}

/// Whether the report's program is that of the bundle: the hashes inside a report tell that it was not changed, not whose it is.
///
/// # Errors
/// A bundle that is not there.
pub fn compare(interactive: &Interactive, bundle: Option<&Path>) -> Result<Vec<String>> {
    let bundle = folder(bundle)?;
    let own = |name: &str| Ok::<_, anyhow::Error>(sha256_hex(&read_bounded(&bundle.join(name), MOST_BYTES)?));
    let wasm = interactive.files.iter().find(|file| file.name == WASM).map(|file| file.sha256.clone());
    let parts =
        [(SCRIPT, Some(sha256_hex(interactive.script.as_bytes()))), (STYLE, Some(sha256_hex(interactive.style.as_bytes()))), (WASM, wasm)];
    let mut problems = vec![];
    for (name, found) in parts {
        if found != Some(own(name)?) {
            problems.push(format!("its program is not that of {}: {name} differs", bundle.display()));
        }
    }
    Ok(problems)
}

/// Names of the artifacts that a run left.
fn artifacts(run: &Path) -> Result<Vec<String>> {
    let folder = run.join("artifacts");
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let mut names = vec![];
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

fn carried(name: &str, bytes: &[u8]) -> Result<Carried> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(Carried { name: name.to_owned(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes), packed: base64::encode(&gzip.finish()?) })
}

/// The bytes of a carried file, checked against size and hash.
///
/// # Errors
/// One line that says what is wrong with it.
pub fn unpack(file: &Carried) -> Result<Vec<u8>> {
    let name: String = file.name.chars().filter(|c| !c.is_control()).take(80).collect();
    ensure!(file.bytes <= MOST_BYTES, "{name} says it has {} bytes, more than the {MOST_BYTES} that are read", file.bytes);
    let packed = base64::decode(&file.packed).with_context(|| format!("{name} is not packed as base64"))?;
    let mut bytes = vec![];
    // One byte more than it should have is enough to see that it has too many.
    GzDecoder::new(packed.as_slice()).take(file.bytes + 1).read_to_end(&mut bytes).with_context(|| format!("{name} is no gzip"))?;
    let found = sha256_hex(&bytes);
    ensure!(bytes.len() as u64 == file.bytes && found == file.sha256, "{name} has SHA-256 {found}, the report lists {}", file.sha256);
    Ok(bytes)
}

/// What is wrong with the carried files, one sentence each.
pub fn problems(interactive: &Interactive) -> Vec<String> {
    interactive.files.iter().filter_map(|file| unpack(file).err().map(|error| format!("{error:#}"))).collect()
}

/// The carried files by name, checked.
pub fn files(interactive: &Interactive) -> Result<BTreeMap<&str, Vec<u8>>> {
    interactive.files.iter().map(|file| Ok((file.name.as_str(), unpack(file)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_of_a_large_model_are_left_out_before_the_report_is_too_large() {
        let artifacts: Vec<String> = [10, 20, 30].map(|size| format!("circuit-{size}.json")).into();
        let mut record = RunRecord::new("edge-pruning");
        record.config = serde_json::json!({"study": {}, "model": "large"});
        let whole = exhibit::of_run(1, &record, &artifacts).remove(0);
        let packed: BTreeMap<String, Carried> =
            whole.carried().map(|name| (name.to_owned(), Carried { packed: "A".repeat(100), ..carried(name, b"").unwrap() })).collect();
        for (most, left) in [(300, 3), (299, 2), (100, 1), (1, 1)] {
            let mut exhibit = whole.clone();
            fit(&mut exhibit, &packed, most);
            assert_eq!(exhibit.circuits.len(), left, "{most}");
            assert_eq!(exhibit.circuits[0].size, Some(30), "the largest stays");
            assert_eq!(exhibit.note.contains("Left out for size: "), left < 3);
        }
    }

    #[test]
    fn files_come_back_and_changed_ones_do_not() {
        let bytes: Vec<u8> = (0..10_000u32).map(|at| (at % 251) as u8).collect();
        let file = carried("a", &bytes).unwrap();
        assert_eq!(carried("a", &bytes).unwrap(), file, "the same bytes every time");
        assert_eq!(unpack(&file).unwrap(), bytes);
        let other = carried("a", b"other").unwrap();
        for wrong in [
            Carried { packed: other.packed.clone(), ..file.clone() },
            Carried { bytes: 9_999, ..file.clone() },
            Carried { bytes: u64::MAX, ..file.clone() },
            Carried { sha256: other.sha256, ..file.clone() },
            Carried { packed: "AAAA".to_owned(), ..file.clone() },
            Carried { packed: "<b>".to_owned(), ..file.clone() },
        ] {
            assert_eq!(format!("{:#}", unpack(&wrong).unwrap_err()).lines().count(), 1);
        }
        // A small text that unpacks to far more than it says ends at what it says.
        let bomb = Carried { bytes: 10, ..carried("bomb", &vec![0; 4 << 20]).unwrap() };
        assert!(unpack(&bomb).is_err());
    }
}

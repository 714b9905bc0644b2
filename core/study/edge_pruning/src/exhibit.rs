//! What a finished run leaves for a report to show and to compute again: its models with their circuits.
//!
//! **Idea.** A run keeps its small models and all circuits as artifacts. Which of them belong together, under which names a page finds them, and which stored numbers they
//! make again is said here, as plain data: the command line packs the named files into the report, the page and `vitrine report recompute` read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::run::{PROGRAMS, StudyConfig};
use vitrine_core::findings::RunRecord;

/// How a model is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A compiled program.
    Program,
    /// A small transformer with a closed vocabulary.
    Small,
    /// Files that the reader has to bring.
    File,
}

/// A circuit of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    pub id: String,
    pub title: String,
    /// What cut edges carry: `interchange` or `zero`.
    pub ablation: String,
    /// Carried file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Or the name of a program's known edge set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Edges asked for, where the run compared sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
}

/// The stored numbers that can be made again, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Panel with the table of numbers.
    pub table: String,
    /// Panel with their figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<String>,
    /// Examples are drawn anew with this seed.
    pub seed: u64,
    pub examples: u64,
    pub batch_size: usize,
}

/// A model with its circuits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exhibit {
    /// Unique within a report.
    pub id: String,
    /// Number of the run, from 1.
    pub run: usize,
    pub title: String,
    pub note: String,
    pub kind: Kind,
    /// Carried files by the names under which the model is opened: `config.json`, `model.safetensors`, `words.json`, `edges.json`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// SHA-256 by name of the files that the reader has to bring.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hashes: BTreeMap<String, String>,
    pub circuits: Vec<Shown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

impl Exhibit {
    /// Names of all carried files.
    pub fn carried(&self) -> impl Iterator<Item = &str> {
        self.files.values().chain(self.circuits.iter().filter_map(|circuit| circuit.file.as_ref())).map(String::as_str)
    }
}

/// Where a carried file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// An artifact of a run, by the run's number and the artifact's name.
    Artifact(usize, &'a str),
    /// A file of a shipped program.
    Shipped(&'static [u8]),
}

/// Where the carried file `name` comes from; `None` for a name that no exhibit has.
pub fn origin(name: &str) -> Option<Origin<'_>> {
    let (place, file) = name.split_once('/')?;
    if let Ok(run) = place.parse() {
        return Some(Origin::Artifact(run, file));
    }
    let (_, config, edges, weights) = PROGRAMS.into_iter().find(|(program, ..)| *program == place)?;
    match file {
        "config.json" => Some(Origin::Shipped(config.as_bytes())),
        "edges.json" => Some(Origin::Shipped(edges.as_bytes())),
        "model.safetensors" => Some(Origin::Shipped(weights)),
        _ => None,
    }
}

/// The exhibits of run number `run`, given the names of the artifacts it left. A configuration of another study has none.
pub fn of_run(run: usize, record: &RunRecord, artifacts: &[String]) -> Vec<Exhibit> {
    let Some(Ok(config)) = record.config.get("study").map(|study| serde_json::from_value::<StudyConfig>(study.clone())) else {
        return vec![];
    };
    let given = record.config.get("model").and_then(|model| model.as_str());
    if let Some(model) = given {
        return given_model(run, model, record, artifacts).into_iter().collect();
    }
    let programs = PROGRAMS.iter().filter_map(|(name, ..)| program(run, name, &config, artifacts));
    small(run, &config, artifacts).into_iter().chain(programs).collect()
}

/// Circuits `PREFIXsize.json`, the largest first.
fn sized(run: usize, prefix: &str, artifacts: &[String]) -> Vec<Shown> {
    let size = |name: &String| name.strip_prefix(prefix)?.strip_suffix(".json")?.parse::<usize>().ok();
    let mut sizes: Vec<usize> = artifacts.iter().filter_map(size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let shown = |size: usize| Shown {
        id: format!("ep-{size}"),
        title: format!("Edge Pruning, at most {size} edges"),
        ablation: "interchange".to_owned(),
        file: Some(format!("{run}/{prefix}{size}.json")),
        set: None,
        size: Some(size),
    };
    sizes.into_iter().rev().map(shown).collect()
}

fn small(run: usize, config: &StudyConfig, artifacts: &[String]) -> Option<Exhibit> {
    let files: BTreeMap<String, String> = ["config.json", "model.safetensors", "words.json"]
        .into_iter()
        .map(|name| (name.to_owned(), format!("{run}/small-{name}")))
        .collect();
    let there = |name: &String| artifacts.iter().any(|artifact| name.ends_with(&format!("/{artifact}")));
    files.values().all(there).then(|| Exhibit {
        id: format!("small-{run}"),
        run,
        title: "Small transformer: indirect objects".to_owned(),
        note: "Trained in this run on generated sentences of a closed vocabulary.".to_owned(),
        kind: Kind::Small,
        files,
        hashes: BTreeMap::new(),
        circuits: sized(run, "small-circuit-", artifacts),
        check: Some(Check {
            table: "small-methods".to_owned(),
            figure: Some("small-curve".to_owned()),
            seed: config.seed,
            examples: config.test_examples,
            batch_size: config.prune.batch_size,
        }),
    })
}

fn program(run: usize, name: &str, config: &StudyConfig, artifacts: &[String]) -> Option<Exhibit> {
    let found = |ablation: &str, words: &str| {
        let artifact = format!("circuit-{name}-{ablation}.json");
        artifacts.contains(&artifact).then(|| Shown {
            id: format!("found-{ablation}"),
            title: format!("Circuit found here, {words}"),
            ablation: ablation.to_owned(),
            file: Some(format!("{run}/{artifact}")),
            set: None,
            size: None,
        })
    };
    let known = |ablation: &str, words: &str| Shown {
        id: ablation.to_owned(),
        title: format!("Known circuit, {words}"),
        ablation: ablation.to_owned(),
        file: None,
        set: Some(format!("minimal_{ablation}")),
        size: None,
    };
    let cuts = [("zero", "cut edges carry nothing"), ("interchange", "cut edges carry another input")];
    let found: Vec<Shown> = cuts.iter().filter_map(|(ablation, words)| found(ablation, words)).collect();
    (!found.is_empty()).then(|| Exhibit {
        id: format!("{name}-{run}"),
        run,
        title: format!("Compiled program: {name}"),
        note: "Compiled by Tracr, so its circuit is known.".to_owned(),
        kind: Kind::Program,
        files: ["config.json", "edges.json", "model.safetensors"]
            .into_iter()
            .map(|file| (file.to_owned(), format!("{name}/{file}")))
            .collect(),
        hashes: BTreeMap::new(),
        circuits: found.into_iter().chain(cuts.iter().map(|(ablation, words)| known(ablation, words))).collect(),
        check: Some(Check { table: "programs".to_owned(), figure: None, seed: config.seed, examples: 0, batch_size: 64 }),
    })
}

/// A model of the user's own is not carried: its files are named by their hashes.
fn given_model(run: usize, model: &str, record: &RunRecord, artifacts: &[String]) -> Option<Exhibit> {
    let circuits = sized(run, "circuit-", artifacts);
    (!circuits.is_empty()).then(|| Exhibit {
        id: format!("model-{run}"),
        run,
        title: model.to_owned(),
        note: "The model is not inside this report; its circuits are.".to_owned(),
        kind: Kind::File,
        files: BTreeMap::new(),
        hashes: record.models.clone(),
        circuits,
        check: None,
    })
}

/// What the reader is told of the exhibits of a report, a paragraph each.
pub fn words(exhibits: &[Exhibit]) -> Vec<String> {
    let titles = |kind: fn(Kind) -> bool| -> String {
        let list: Vec<&str> = exhibits.iter().filter(|exhibit| kind(exhibit.kind)).map(|exhibit| exhibit.title.as_str()).collect();
        list.join("; ")
    };
    let mut words = vec![];
    let carried = titles(|kind| kind != Kind::File);
    if !carried.is_empty() {
        words.push(format!(
            "Inside this file are models, their circuits, and the program that runs them ({carried}). Numbers of the report can be computed again here, and circuits be taken apart."
        ));
    }
    let brought = titles(|kind| kind == Kind::File);
    if !brought.is_empty() {
        words.push(format!(
            "Not inside this file: the model itself ({brought}). Its circuits can be looked at; to run them, choose or drop the model's own files, which are compared with the SHA-256 of the run."
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(model: Option<&str>) -> RunRecord {
        let mut record = RunRecord::new("edge-pruning");
        record.config = serde_json::json!({"study": StudyConfig::default(), "model": model, "data": null});
        record.models.insert("model.gguf".to_owned(), "ab".repeat(32));
        record
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_run_shows_what_it_left_and_every_carried_file_has_an_origin() {
        let artifacts = [
            "circuit-reverse-zero.json",
            "small-circuit-14.json",
            "small-circuit-41.json",
            "small-config.json",
            "small-model.safetensors",
            "small-words.json",
        ];
        let exhibits = of_run(2, &record(None), &names(&artifacts));
        let ids: Vec<&str> = exhibits.iter().map(|exhibit| exhibit.id.as_str()).collect();
        assert_eq!(ids, ["small-2", "reverse-2"]);
        let sizes: Vec<Option<usize>> = exhibits[0].circuits.iter().map(|circuit| circuit.size).collect();
        assert_eq!(sizes, [Some(41), Some(14)]);
        for name in exhibits.iter().flat_map(Exhibit::carried) {
            match origin(name) {
                Some(Origin::Artifact(2, file)) => assert!(artifacts.contains(&file), "{file}"),
                Some(Origin::Shipped(bytes)) => assert!(bytes.len() > 100, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        // Half a model is none.
        assert!(of_run(1, &record(None), &names(&artifacts[1..5])).is_empty());
        let json = serde_json::to_string(&exhibits).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Exhibit>>(&json).unwrap(), exhibits);
        assert!(origin("reverse/other.json").is_none() && origin("nothing").is_none() && origin("else/config.json").is_none());
    }

    #[test]
    fn a_model_of_the_user_is_named_not_carried() {
        let exhibits = of_run(1, &record(Some("smollm2")), &names(&["circuit-353.json", "circuit-reverse-zero.json"]));
        assert_eq!((exhibits.len(), exhibits[0].kind, exhibits[0].circuits.len()), (1, Kind::File, 1));
        assert!(exhibits[0].hashes.contains_key("model.gguf") && exhibits[0].files.is_empty());
        let words = words(&exhibits);
        assert!(words.len() == 1 && words[0].contains("smollm2") && words[0].contains("SHA-256"));
        assert!(of_run(1, &RunRecord::new("other"), &[]).is_empty());
    }
}

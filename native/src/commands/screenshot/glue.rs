//! The files of GLUE, from the user's own copy: which tasks a folder holds, and how each is measured.
//!
//! The test labels of GLUE are not public, so `dev` is what is tested on, and every tenth training row, kept out, takes its place. MNLI's matched and mismatched sets are two tasks.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use vitrine_screenshot::train::{
    finetune::Task,
    metrics::Metric,
    tsv::{self, Goal, Row},
};

use crate::open::text;

/// Every so many training rows one is kept to choose by.
const KEPT_OUT: usize = 10;
const TRAIN: [&str; 2] = ["train.tsv", "msr_paraphrase_train.txt"];
const TEST: [&str; 4] = ["dev.tsv", "dev_matched.tsv", "dev_mismatched.tsv", "msr_paraphrase_test.txt"];

/// Rows to learn from, to choose by and to test on.
pub struct Sets {
    pub name: String,
    pub task: Task,
    pub rows: [Vec<Row>; 3],
}

/// What a task of this name is measured by.
fn metric(name: &str, goal: &Goal) -> Metric {
    let name = name.to_uppercase();
    match goal {
        Goal::Number => Metric::Spearman,
        Goal::Classes(_) if name.contains("COLA") => Metric::Matthews,
        Goal::Classes(_) if name.contains("MRPC") || name.contains("QQP") => Metric::F1,
        Goal::Classes(_) => Metric::Accuracy,
    }
}

/// Folders with a table to learn from: the given one, or those in it, by name.
fn tasks(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_task = |folder: &Path| TRAIN.iter().any(|name| folder.join(name).is_file());
    if is_task(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_task(path)).collect();
    found.sort();
    if found.is_empty() {
        bail!("{} holds no task: a folder with {} is one", folder.display(), TRAIN.join(" or "));
    }
    Ok(found)
}

/// Reads the tasks of a folder.
pub fn read(folder: &Path) -> Result<Vec<Sets>> {
    let mut all = vec![];
    for folder in tasks(folder)? {
        let place = || format!("in {}", folder.display());
        let name = folder.file_name().map_or_else(|| "the task".to_owned(), |name| name.to_string_lossy().into_owned());
        let first = |names: &[&'static str]| names.iter().copied().find(|name| folder.join(name).is_file());
        let Some(train) = first(&TRAIN) else { continue };
        let learn = text(&folder.join(train))?;
        let tests: Vec<&str> = TEST.into_iter().filter(|name| folder.join(name).is_file()).collect();
        if tests.is_empty() {
            bail!("{} has nothing to test on: {} is looked for", folder.display(), TEST.join(", "));
        }
        for test in &tests {
            let held = text(&folder.join(test))?;
            let (goal, sets) = tsv::read(&[(train, &learn), (test, &held)]).with_context(place)?;
            let [rows, test_rows] = <[Vec<Row>; 2]>::try_from(sets).map_err(|_| anyhow::anyhow!("two tables are needed"))?;
            let (dev, learn): (Vec<_>, Vec<_>) = rows.into_iter().enumerate().partition(|(number, _)| number % KEPT_OUT == KEPT_OUT - 1);
            let [learn, dev] = [learn, dev].map(|rows| rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
            let named = if tests.len() > 1 { format!("{name}, {}", test.trim_end_matches(".tsv")) } else { name.clone() };
            all.push(Sets { name: named, task: Task { metric: metric(&name, &goal), goal }, rows: [learn, dev, test_rows] });
        }
    }
    Ok(all)
}

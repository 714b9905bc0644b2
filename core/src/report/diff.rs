//! What differs between two reports: claims, numbers, settings.
//!
//! Runs are paired by study, in order; claims and panels by their names; lines, groups, columns, boxes, writers and
//! readers by theirs; rows of a table, points and edges by their place. A panel is compared through its JSON leaves, so
//! every number that a reader can see counts, and the largest difference of each panel is told with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::Run;
use super::numbers::brief;
use super::text::label;
use crate::findings::{Claim, Panel};

/// Changed places told for each panel or configuration; all are counted.
const MOST_TOLD: usize = 50;

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// Something stands in one report only.
    OnlyIn {
        /// `a` or `b`.
        side: &'static str,
        /// What.
        place: String,
    },
    /// A text, a setting or a verdict differs.
    Changed {
        /// Where.
        place: String,
        /// In the first report.
        a: String,
        /// In the second report.
        b: String,
    },
    /// Numbers of a panel differ.
    Numbers {
        /// Which panel.
        place: String,
        /// Numbers that differ.
        changed: usize,
        /// Numbers compared.
        compared: usize,
        /// The largest absolute difference.
        largest: f64,
        /// Where it is, within the panel.
        largest_at: String,
        /// There in the first report.
        a: f64,
        /// There in the second report.
        b: f64,
    },
}

/// All differences, in the order of the first report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReportDiff {
    /// The differences.
    pub differences: Vec<Difference>,
    /// Claims compared.
    pub claims: usize,
    /// Numbers compared.
    pub numbers: usize,
}

impl ReportDiff {
    /// True when claims, panels and configurations agree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for ReportDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "No differences: {} claims and {} numbers agree.", self.claims, self.numbers);
        }
        for difference in &self.differences {
            match difference {
                Difference::OnlyIn { side, place } => writeln!(f, "only in {side}: {}", label(place, 400))?,
                Difference::Changed { place, a, b } => {
                    writeln!(f, "{}: {} -> {}", label(place, 400), label(a, 200), label(b, 200))?;
                }
                Difference::Numbers { place, changed, compared, largest, largest_at, a, b } => writeln!(
                    f,
                    "{}: {changed} of {compared} numbers differ, at most by {} at {} ({} -> {})",
                    label(place, 400),
                    brief(*largest),
                    label(largest_at, 400),
                    brief(*a),
                    brief(*b)
                )?,
            }
        }
        writeln!(f, "{} differences; {} claims and {} numbers compared.", self.differences.len(), self.claims, self.numbers)
    }
}

/// Compares two sets of runs.
#[must_use]
pub fn diff(a: &[Run], b: &[Run]) -> ReportDiff {
    let mut out = ReportDiff::default();
    let (a, b) = (keyed_runs(a), keyed_runs(b));
    for (name, run) in &a {
        match b.iter().find(|(other, _)| other == name) {
            Some((_, other)) => one_run(&mut out, name, run, other),
            None => out.differences.push(Difference::OnlyIn { side: "a", place: name.clone() }),
        }
    }
    for (name, _) in b.iter().filter(|(name, _)| !a.iter().any(|(other, _)| other == name)) {
        out.differences.push(Difference::OnlyIn { side: "b", place: name.clone() });
    }
    out
}

/// Runs by study and their place among the runs of it.
fn keyed_runs(runs: &[Run]) -> Vec<(String, &Run)> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keyed = Vec::new();
    for run in runs {
        let number = seen.entry(&run.1.study).or_default();
        *number += 1;
        let name = if *number == 1 { run.1.study.clone() } else { format!("{} ({number})", run.1.study) };
        keyed.push((name, run));
    }
    keyed
}

fn one_run(out: &mut ReportDiff, name: &str, a: &Run, b: &Run) {
    let ((record_a, a), (record_b, b)) = (a, b);
    changed(out, &format!("{name}, seed"), &record_a.seed.to_string(), &record_b.seed.to_string());
    let mut told = Values::default();
    compare(&mut told, &record_a.config, &record_b.config);
    told.settings(out, &format!("{name}, config"));
    for (place, left, right) in [("data", &record_a.data, &record_b.data), ("models", &record_a.models, &record_b.models)] {
        let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        for file in names {
            let hash = |map: &BTreeMap<String, String>| map.get(file).cloned().unwrap_or_else(|| "none".to_owned());
            changed(out, &format!("{name}, {place} {file}"), &hash(left), &hash(right));
        }
    }
    paired(out, name, "claim", (&a.claims, &b.claims), |claim| &claim.id, one_claim);
    paired(out, name, "panel", (&a.panels, &b.panels), |panel| &panel.id, one_panel);
}

fn paired<T>(
    out: &mut ReportDiff,
    run: &str,
    kind: &str,
    (a, b): (&[T], &[T]),
    id: impl Fn(&T) -> &String,
    compare: impl Fn(&mut ReportDiff, &str, &T, &T),
) {
    let right: BTreeMap<&String, &T> = b.iter().map(|entry| (id(entry), entry)).collect();
    let left: BTreeSet<&String> = a.iter().map(&id).collect();
    for entry in a {
        let place = format!("{run}, {kind} {}", id(entry));
        match right.get(id(entry)) {
            Some(other) => compare(out, &place, entry, other),
            None => out.differences.push(Difference::OnlyIn { side: "a", place }),
        }
    }
    for entry in b.iter().filter(|entry| !left.contains(id(entry))) {
        out.differences.push(Difference::OnlyIn { side: "b", place: format!("{run}, {kind} {}", id(entry)) });
    }
}

fn one_claim(out: &mut ReportDiff, place: &str, a: &Claim, b: &Claim) {
    out.claims += 1;
    changed(out, &format!("{place}, verdict"), a.verdict.word(), b.verdict.word());
    changed(out, &format!("{place}, found"), &a.found, &b.found);
    changed(out, &format!("{place}, statement"), &a.statement, &b.statement);
    changed(out, &format!("{place}, tolerance"), &a.tolerance, &b.tolerance);
    let published = |claim: &Claim| claim.published.clone().unwrap_or_else(|| "none".to_owned());
    changed(out, &format!("{place}, published"), &published(a), &published(b));
}

fn one_panel(out: &mut ReportDiff, place: &str, a: &Panel, b: &Panel) {
    changed(out, &format!("{place}, title"), &a.title, &b.title);
    changed(out, &format!("{place}, caption"), &a.caption, &b.caption);
    let mut values = Values::default();
    let json = |panel: &Panel| serde_json::to_value(&panel.body).unwrap_or(Value::Null);
    compare(&mut values, &json(a), &json(b));
    out.numbers += values.compared;
    if let Some((largest, largest_at, a, b)) = values.largest.take() {
        out.differences.push(Difference::Numbers {
            place: place.to_owned(),
            changed: values.changed,
            compared: values.compared,
            largest,
            largest_at,
            a,
            b,
        });
    }
    values.others(out, place);
}

fn changed(out: &mut ReportDiff, place: &str, a: &str, b: &str) {
    if a != b {
        out.differences.push(Difference::Changed { place: place.to_owned(), a: a.to_owned(), b: b.to_owned() });
    }
}

/// What a walk over two JSON values found.
#[derive(Default)]
struct Values {
    compared: usize,
    changed: usize,
    largest: Option<(f64, String, f64, f64)>,
    numbers: Vec<(String, String, String)>,
    texts: Vec<(String, String, String)>,
    more: usize,
}

impl Values {
    /// Settings: numbers are told one by one.
    fn settings(mut self, out: &mut ReportDiff, place: &str) {
        let numbers = std::mem::take(&mut self.numbers);
        self.more += self.changed - numbers.len();
        for (at, a, b) in numbers {
            changed(out, &format!("{place} {at}"), &a, &b);
        }
        self.others(out, place);
    }

    fn others(self, out: &mut ReportDiff, place: &str) {
        for (at, a, b) in self.texts {
            changed(out, &format!("{place} {at}"), &a, &b);
        }
        if self.more > 0 {
            changed(out, place, &format!("{} more differences", self.more), "not listed");
        }
    }

    fn text(&mut self, at: String, a: &Value, b: Option<&Value>) {
        if self.texts.len() < MOST_TOLD {
            let words = |value: &Value| label(&value.to_string(), 200);
            self.texts.push((at, words(a), b.map_or_else(|| "none".to_owned(), words)));
        } else {
            self.more += 1;
        }
    }
}

/// Walks two values side by side, without recursion.
fn compare(out: &mut Values, a: &Value, b: &Value) {
    let mut waiting = vec![(String::new(), a, b)];
    while let Some((at, a, b)) = waiting.pop() {
        match (a, b) {
            (Value::Number(left), Value::Number(right)) => {
                out.compared += 1;
                if left != right {
                    number(out, &at, left, right);
                }
            }
            (Value::Array(left), Value::Array(right)) => {
                if let (Some(left), Some(right)) = (by_name(left), by_name(right)) {
                    for (name, value) in left.iter().rev() {
                        match right.get(name) {
                            Some(other) => waiting.push((format!("{at}/{name}"), value, other)),
                            None => out.text(format!("{at}/{name}"), value, None),
                        }
                    }
                    for (name, value) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                        out.text(format!("{at}/{name}"), &Value::Null, Some(value));
                    }
                    continue;
                }
                let names = |index: usize| format!("{at}/{index}");
                for (index, (a, b)) in left.iter().zip(right).enumerate().rev() {
                    waiting.push((names(index), a, b));
                }
                if left.len() != right.len() {
                    out.text(format!("{at} length"), &Value::from(left.len()), Some(&Value::from(right.len())));
                }
            }
            (Value::Object(left), Value::Object(right)) => {
                for (key, value) in left.iter().rev() {
                    match right.get(key) {
                        Some(other) => waiting.push((format!("{at}/{key}"), value, other)),
                        None => out.text(format!("{at}/{key}"), value, None),
                    }
                }
                for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                    out.text(format!("{at}/{key}"), &Value::Null, Some(value));
                }
            }
            _ if a != b => out.text(at, a, Some(b)),
            _ => {}
        }
    }
}

/// A list of named objects by their names; `None` when some have none or two share one.
fn by_name(list: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let named: BTreeMap<&str, &Value> = list.iter().map(|entry| Some((entry.get("name")?.as_str()?, entry))).collect::<Option<_>>()?;
    (named.len() == list.len() && !named.is_empty()).then_some(named)
}

fn number(out: &mut Values, at: &str, left: &serde_json::Number, right: &serde_json::Number) {
    out.changed += 1;
    let (a, b) = (left.as_f64().unwrap_or_default(), right.as_f64().unwrap_or_default());
    // Two doubles can lie further apart than a double can say.
    let distance = (a - b).abs().min(f64::MAX);
    if out.largest.as_ref().is_none_or(|(largest, ..)| distance > *largest) {
        out.largest = Some((distance, at.to_owned(), a, b));
    }
    if out.numbers.len() < MOST_TOLD {
        out.numbers.push((at.to_owned(), left.to_string(), right.to_string()));
    }
}

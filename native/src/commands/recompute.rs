//! `report recompute`: the numbers of a report made again from the files inside it, as its page does.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use serde_json::json;
use vitrine_core::{
    findings::{Body, Findings},
    formats::safetensors::SafeTensors,
    report::{self, Extracted},
};
use vitrine_edge_pruning::{
    circuit::native,
    exhibit::{Exhibit, Kind},
    inspect::Subject,
    recompute::{Recomputed, recompute},
};

use super::{Context, print_json};
use crate::{Outcome, interactive, open};

/// Makes every number again that the report's exhibits name.
///
/// # Errors
/// A report that computes nothing, a carried file that was changed, errors of running.
pub fn run(html: &str, device: &str, context: Context) -> Result<Outcome> {
    let Extracted { runs, interactive, .. } = report::extract(html)?;
    let interactive = interactive.context("this report carries no models; write it with --interactive")?;
    let files = interactive::files(&interactive)?;
    let exhibits: Vec<Exhibit> =
        serde_json::from_value(interactive.exhibits.clone()).context("the report's list of models cannot be read")?;
    let (device, _) = open::device(device)?;
    let mut found = vec![];
    for exhibit in exhibits.iter().filter(|exhibit| exhibit.check.is_some()) {
        let (_, findings) =
            runs.get(exhibit.run.wrapping_sub(1)).with_context(|| format!("{} is of a run that is not there", exhibit.title))?;
        found.push((exhibit, again(exhibit, &files, findings, &device).with_context(|| exhibit.title.clone())?));
    }
    ensure!(!found.is_empty(), "none of the report's numbers can be made again from its files");
    let passed = found.iter().all(|(_, found)| found.passed);
    if context.json {
        let models: Vec<_> =
            found.iter().map(|(exhibit, found)| json!({"id": exhibit.id, "title": exhibit.title, "result": found})).collect();
        print_json(&json!({"schema": "vitrine.recompute/1", "passed": passed, "models": models}))?;
    } else {
        for (exhibit, found) in &found {
            println!("{}", exhibit.title);
            for number in &found.numbers {
                println!("  {}, {}: {:.6} stored, {:.6} here", number.what, number.measure, number.stored, number.here);
            }
            let at = if found.largest_at.is_empty() { String::new() } else { format!(" ({})", found.largest_at) };
            println!(
                "  {} of {} agree within {:e}; largest difference {:.3e}{at}",
                found.agree,
                found.numbers.len(),
                found.tolerance,
                found.largest
            );
        }
    }
    Ok(if passed { Outcome::Fine } else { Outcome::CheckFailed })
}

fn again(exhibit: &Exhibit, files: &BTreeMap<&str, Vec<u8>>, findings: &Findings, device: &Device) -> Result<Recomputed> {
    let carried = |name: &str| files.get(name).map(Vec::as_slice).with_context(|| format!("{name} is not in the report"));
    let part = |name: &str| carried(exhibit.files.get(name).with_context(|| format!("{name} is not named"))?);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).context("a text file that is no text");
    let weights = SafeTensors::open(part("model.safetensors")?)?;
    let subject = match exhibit.kind {
        Kind::Small => Subject::small(part("config.json")?, &weights, &text(part("words.json")?)?, device)?,
        Kind::Program | Kind::File => Subject::program(&text(part("config.json")?)?, &weights, device)?,
    };
    let circuits = exhibit.circuits.iter().filter_map(|circuit| circuit.file.as_deref());
    let circuits: Vec<_> = circuits.map(|name| Ok(native::from_json(&text(carried(name)?)?)?)).collect::<Result<_>>()?;
    let check = exhibit.check.as_ref().context("nothing to check")?;
    let body = |id: &str| findings.panels.iter().find(|panel| panel.id == id).map(|panel| &panel.body);
    let Some(Body::Table(table)) = body(&check.table) else { anyhow::bail!("the report has no table {}", check.table) };
    let figure = match check.figure.as_deref().and_then(body) {
        Some(Body::Series(series)) => Some(series),
        _ => None,
    };
    Ok(recompute(&subject, exhibit, &circuits, table, figure)?)
}

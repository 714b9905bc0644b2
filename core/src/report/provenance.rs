//! Where the findings come from: the command that makes them again, versions, device, times, and every hash.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::blocks::Block;
use super::numbers::{bytes, date, duration};
use super::quote_command;
use super::tables::wrapping;
use super::text::{LONG, NAME, label, lines, shown};
use crate::findings::RunRecord;

/// The provenance of one run; `blocks` are its data blocks.
pub(super) fn provenance(run: usize, record: &RunRecord, blocks: &[Block]) -> Markup {
    let command = quote_command(&record.command);
    let whole = command.len() <= LONG;
    let config = serde_json::to_string_pretty(&record.config).unwrap_or_default();
    html! {
        section.provenance aria-labelledby={ "r" (run) "-how" } {
            h3 id={ "r" (run) "-how" } { "How it was made" }
            @if !record.command.is_empty() {
                p { "The command that makes it again:" }
                div.command {
                    pre tabindex="0" { code { bdi { (unbroken(&label(&command, LONG))) } } }
                    @if whole { button type="button" data-do="copy" hidden { "Copy" } }
                }
                @if !whole { p.note { "The command is too long to show; the data in this file hold it whole." } }
            }
            dl.facts {
                (fact("Device", &record.device))
                div { dt { "Seed" } dd { (record.seed) } }
                div { dt { "Started" } dd { (date(record.started_unix_ms)) } }
                div { dt { "Finished" } dd { (date(record.finished_unix_ms)) } }
                div { dt { "Time" } dd { (duration(record.duration_s)) } }
                @if let Some(peak) = record.peak_memory_bytes { div { dt { "Peak memory" } dd { (bytes(peak)) } } }
                @if let Some(revision) = &record.git_revision { (fact("Source revision", revision)) }
                (fact("Configuration hash", &record.config_hash))
                @for (name, version) in &record.versions { (fact(name, version)) }
            }
            details { summary { "Configuration" } pre tabindex="0" { code { bdi { (lines(&config, LONG)) } } } }
            details { summary { "Hashes (SHA-256)" } (hashes(record, blocks)) }
        }
    }
}

/// A command whose words are not broken at their hyphens: a line that ends in `--` reads as another option.
fn unbroken(command: &str) -> Markup {
    html! { @for (at, word) in command.split(' ').enumerate() { @if at > 0 { " " } span.word { (word) } } }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { @if !value.is_empty() { div { dt { (shown(name, NAME)) } dd { (shown(value, NAME)) } } } }
}

fn hashes(record: &RunRecord, blocks: &[Block]) -> Markup {
    let listed = |kind: &'static str, map: &BTreeMap<String, String>| -> Vec<(String, String, String)> {
        map.iter().map(|(name, hash)| (kind.to_owned(), label(name, NAME), hash.clone())).collect()
    };
    let mut rows: Vec<(String, String, String)> =
        blocks.iter().map(|block| ("in this file".to_owned(), block.id.clone(), block.listed.clone())).collect();
    rows.extend(listed("data", &record.data));
    rows.extend(listed("model", &record.models));
    if !record.cargo_lock_sha256.is_empty() {
        rows.push(("build".to_owned(), "Cargo.lock".to_owned(), record.cargo_lock_sha256.clone()));
    }
    html! {
        div.scroll role="region" tabindex="0" aria-label="Table, scrolls sideways" {
            table.data.small.hashes {
                (wrapping(&html! { "The blocks in this file have the same bytes as the files that the run wrote." }))
                thead { tr { th scope="col" class="txt" { "What" } th scope="col" class="txt" { "Name" } th scope="col" class="txt" { "SHA-256" } } }
                tbody { @for (kind, name, hash) in &rows { tr {
                    td.txt { (kind) } th scope="row" class="txt" { bdi { (name) } }
                    td.txt { code { @if hash.is_empty() { "not known" } @else { (hash) } } }
                } } }
            }
        }
    }
}

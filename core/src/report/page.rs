//! The document: what a reader meets first, second and last, and the policy that forbids everything else.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::blocks::{Block, start_tag};
use super::numbers::{count, date, duration};
use super::panels::{Counter, panel};
use super::tables::wrapping;
use super::text::{NAME, PROSE, label, shown};
use super::{Interactive, Options, Run, base64, claims, interactive, provenance, style};
use crate::findings::RunRecord;

const SCRIPT: &str = include_str!("assets/report.js");

/// Name and version of the program, as the page states them.
pub(super) fn generator() -> &'static str {
    concat!("vitrine ", env!("CARGO_PKG_VERSION"))
}

/// The whole file.
pub(super) fn document(runs: &[Run], options: &Options, program: Option<&Interactive>, blocks: &[Block]) -> String {
    let first = runs.first().map_or("Report", |(_, findings)| findings.title.as_str());
    let title = options.title.as_deref().unwrap_or(first);
    let figures = [style::TOKENS, style::FIGURES].concat();
    let policy = policy(&figures, program);
    let mut counter = Counter::default();
    let sections: Vec<Markup> =
        runs.iter().enumerate().map(|(index, run)| section(index + 1, run, runs.len() > 1, options, blocks, &mut counter)).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(generator());
                title { (label(title, NAME)) }
                link rel="icon" href="data:,";
                style id="figure-style" { (PreEscaped(&figures)) }
                style { (PreEscaped(style::PAGE)) }
                @if let Some(program) = program { (PreEscaped(interactive::STYLE_TAG)) (PreEscaped(&program.style)) (PreEscaped("</style>")) }
            }
            body {
                a.skip href="#main" { "Skip to the findings" }
                header {
                    p.eyebrow { "vitrine report" }
                    h1 { (shown(title, NAME)) }
                    @if let [(record, findings)] = runs {
                        p.byline { (byline(&findings.study, record)) }
                    } @else {
                        p.byline { (count(runs.len() as u64)) " runs" }
                    }
                }
                (contents(runs, program.is_some()))
                main id="main" {
                    @if runs.len() > 1 { (overview(runs)) }
                    @for section in &sections { (section) }
                    @if let Some(program) = program { (program.section()) }
                }
                footer {
                    section.check aria-labelledby="check-h" {
                        h2 id="check-h" { "Check this file" }
                        p { "The data stand in this file as JSON, each block beside its SHA-256. "
                            code { "vitrine report verify" } " checks the hashes and draws the page again; the page can check the hashes itself." }
                        p.tools hidden { button type="button" data-do="check" { "Check hashes" } " " button type="button" data-do="all" { "Download all data (JSON)" } }
                        p.readout id="check-result" role="status" hidden {}
                    }
                    p.note { "Written by " (generator()) ". Nothing in this page asks anything of a network." }
                }
                @for block in blocks { (PreEscaped(start_tag(&block.id))) (block.listed) (PreEscaped("\">")) (PreEscaped(&block.text)) (PreEscaped("</script>\n")) }
                script { (PreEscaped(SCRIPT)) }
                @if let Some(program) = program { (PreEscaped(interactive::SCRIPT_TAG)) (PreEscaped(&program.script)) (PreEscaped("</script>")) }
            }
        }
    };
    page.into_string()
}

/// What the page may do: run the scripts and use the styles whose hashes are named, nothing else. One that computes may also start WebAssembly and workers made of its own
/// script, and paint what it drew.
fn policy(figures: &str, program: Option<&Interactive>) -> String {
    let [mut scripts, mut styles] = [vec![source_hash(SCRIPT)], vec![source_hash(figures), source_hash(style::PAGE)]];
    if let Some(program) = program {
        scripts.extend([source_hash(&program.script), "wasm-unsafe-eval".to_owned()]);
        styles.push(source_hash(&program.style));
    }
    let named = |sources: &[String]| sources.iter().map(|source| format!("'{source}'")).collect::<Vec<_>>().join(" ");
    let (images, workers) = if program.is_some() { ("data: blob:", " worker-src blob:;") } else { ("data:", "") };
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src {images};{workers} base-uri 'none'; form-action 'none'",
        named(&scripts),
        named(&styles)
    )
}

fn byline(study: &str, record: &RunRecord) -> Markup {
    html! {
        span { (shown(study, NAME)) }
        @if !record.device.is_empty() { span { (shown(&record.device, NAME)) } }
        span { (duration(record.duration_s)) }
        span { time { (date(record.finished_unix_ms)) } }
    }
}

fn contents(runs: &[Run], computes: bool) -> Markup {
    html! {
        nav aria-label="Contents" {
            ol {
                @if runs.len() > 1 { li { a href="#overview" { "Overview" } } }
                @for (index, (_, findings)) in runs.iter().enumerate() {
                    @let run = index + 1;
                    @if runs.len() > 1 {
                        li { a href={ "#run-" (run) } { (shown(&findings.title, 90)) } }
                    } @else {
                        @if !findings.claims.is_empty() { li { a href={ "#r" (run) "-claims" } { "Claims" } } }
                        @for panel in findings.panels.iter().take(40) { li { a href={ "#r" (run) "-" (panel.id) } { (shown(&panel.title, 90)) } } }
                        li { a href={ "#r" (run) "-how" } { "How it was made" } }
                    }
                }
                @if computes { li { a href="#interactive-h" { "Compute it again" } } }
                li { a href="#check-h" { "Check this file" } }
            }
        }
    }
}

fn overview(runs: &[Run]) -> Markup {
    html! {
        section.overview aria-labelledby="overview" {
            h2 id="overview" { "Overview" }
            div.scroll role="region" tabindex="0" aria-label="Table, scrolls sideways" {
                table.data {
                    (wrapping(&html! { "The runs in this report and what became of their claims." }))
                    thead { tr { th scope="col" class="txt" { "Run" } th scope="col" class="txt" { "Study" } th scope="col" class="txt" { "Claims" } th scope="col" class="num" { "Seed" } th scope="col" class="num" { "Time" } } }
                    tbody { @for (index, (record, findings)) in runs.iter().enumerate() { tr {
                        th scope="row" class="txt" { a href={ "#run-" (index + 1) } { (shown(&findings.title, NAME)) } }
                        td.txt { (shown(&findings.study, NAME)) }
                        td.txt { (claims::tally(&findings.claims)) }
                        td.num { (record.seed) }
                        td.num { (duration(record.duration_s)) }
                    } } }
                }
            }
        }
    }
}

fn section(number: usize, run: &Run, several: bool, options: &Options, blocks: &[Block], counter: &mut Counter) -> Markup {
    let (record, findings) = run;
    // Blocks: the options, then two for each run.
    let own = blocks.get(2 * number - 1..=2 * number).unwrap_or_default();
    html! {
        article.run aria-labelledby={ "run-" (number) } {
            h2 id={ "run-" (number) } class=(if several { "runtitle" } else { "runtitle sr" }) { (shown(&findings.title, NAME)) }
            @if several { p.byline { (byline(&findings.study, record)) } }
            @if !findings.summary.is_empty() {
                div.summary { @for words in &findings.summary { p { (shown(words, PROSE)) } } }
            }
            @if !findings.caveats.is_empty() {
                aside.caveats aria-label="Before you rely on this" {
                    p.head { "Before you rely on this" }
                    ul { @for words in &findings.caveats { li { (shown(words, PROSE)) } } }
                }
            }
            (claims::claims(number, &findings.claims))
            @for (index, one) in findings.panels.iter().enumerate() { (panel(number, index + 1, one, options, counter)) }
            (provenance::provenance(number, record, own))
        }
    }
}

/// The hash of an inline script or style as a content security policy names it.
fn source_hash(text: &str) -> String {
    format!("sha256-{}", base64::encode(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    #[test]
    fn source_hashes_are_base64() {
        // SHA-256 of the empty text, a known value.
        assert_eq!(super::source_hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}

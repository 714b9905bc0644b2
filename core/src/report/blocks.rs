//! The data blocks: every run's record and findings, and the options, as JSON that a browser neither runs nor shows.
//!
//! A block is the canonical JSON text, which holds no `<`, so the first end tag after it is its own. Its SHA-256 stands
//! in an attribute and, for readers, in the provenance section; it is also the SHA-256 of the file the run wrote.

use super::{Interactive, MOST_RUNS, Options, ReportError, Run, interactive};
use crate::findings::{Findings, RunRecord, canonical_json, sha256_hex};

/// Bytes of a report that are read.
pub(super) const MOST_BYTES: usize = 1 << 30;

/// One block as it stands in the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Identifier: `data-options`, `data-run-1`, `data-findings-1`, …, and, where a report computes, `data-interactive`, `data-file-1`, …
    pub id: String,
    /// SHA-256 that the page lists.
    pub listed: String,
    /// The JSON text; of a file its base64.
    pub text: String,
}

/// What a report carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    /// The runs in order.
    pub runs: Vec<Run>,
    /// The options it was rendered with.
    pub options: Options,
    /// The program and its files, in a report that computes.
    pub interactive: Option<Interactive>,
    /// The blocks as found.
    pub blocks: Vec<Block>,
    /// What is wrong with the program's hashes, one sentence each.
    pub(super) problems: Vec<String>,
}

pub(super) fn check(runs: &[Run]) -> Result<(), ReportError> {
    if runs.is_empty() {
        return Err(ReportError::NoRuns);
    }
    if runs.len() > MOST_RUNS {
        return Err(ReportError::TooManyRuns { found: runs.len(), limit: MOST_RUNS });
    }
    for (index, (run, findings)) in runs.iter().enumerate() {
        run.check().and_then(|()| findings.check()).map_err(|source| ReportError::Run { run: index + 1, source })?;
    }
    Ok(())
}

pub(super) fn write(runs: &[Run], options: &Options, interactive: Option<&Interactive>) -> Result<Vec<Block>, ReportError> {
    check(runs)?;
    let mut blocks = vec![block("data-options".to_owned(), canonical_json(options, "report options")?)];
    for (index, (run, findings)) in runs.iter().enumerate() {
        blocks.push(block(format!("data-run-{}", index + 1), run.to_json()?));
        blocks.push(block(format!("data-findings-{}", index + 1), findings.to_json()?));
    }
    if let Some(interactive) = interactive {
        blocks.extend(interactive.write()?);
    }
    Ok(blocks)
}

pub(super) fn block(id: String, text: String) -> Block {
    Block { id, listed: sha256_hex(text.as_bytes()), text }
}

/// The start tag of a block, up to its hash.
pub(super) fn start_tag(id: &str) -> String {
    format!("<script type=\"{}\" id=\"{id}\" data-sha256=\"", interactive::kind(id))
}

/// Takes the data out of a report and checks their schema, not their hashes: see [`super::verify()`].
///
/// # Errors
/// When the file is no report, or its data break their schema.
pub fn extract(html: &str) -> Result<Extracted, ReportError> {
    let blocks = find(html)?;
    let not_a_report = |reason: &str| ReportError::NotAReport { reason: reason.to_owned() };
    let mut rest = blocks.iter().take_while(|block| block.id != interactive::MANIFEST);
    let options = rest.next().ok_or_else(|| not_a_report("it has no data blocks"))?;
    let options = serde_json::from_str(&options.text)
        .map_err(|error| ReportError::NotAReport { reason: format!("its options cannot be read: {error}") })?;
    let mut runs = Vec::new();
    while let Some(run) = rest.next() {
        let findings = rest.next().ok_or_else(|| not_a_report("a run has no findings"))?;
        let number = runs.len() + 1;
        let failed = |source| ReportError::Run { run: number, source };
        runs.push((
            RunRecord::from_json(run.text.as_bytes()).map_err(failed)?,
            Findings::from_json(findings.text.as_bytes()).map_err(failed)?,
        ));
    }
    check(&runs)?;
    let mut problems = Vec::new();
    let interactive = Interactive::read(html, &blocks, &mut problems)?;
    Ok(Extracted { runs, options, interactive, blocks, problems })
}

/// The blocks in their order: options, then record and findings of each run, then the program's.
pub(super) fn find(html: &str) -> Result<Vec<Block>, ReportError> {
    if html.len() > MOST_BYTES {
        return Err(ReportError::TooLarge { found: html.len(), limit: MOST_BYTES });
    }
    let mut blocks = Vec::new();
    let mut rest = html;
    let names = (1..=MOST_RUNS).flat_map(|run| [format!("data-run-{run}"), format!("data-findings-{run}")]);
    for id in std::iter::once("data-options".to_owned()).chain(names) {
        match take(id, &mut rest)? {
            Some(block) => blocks.push(block),
            None => break,
        }
    }
    if blocks.len() < 3 {
        return Err(ReportError::NotAReport { reason: "its data blocks are missing".to_owned() });
    }
    for id in Interactive::block_ids() {
        match take(id, &mut rest)? {
            Some(block) => blocks.push(block),
            None => break,
        }
    }
    Ok(blocks)
}

/// The block named `id`, if the page goes on with one; `rest` then begins after it.
fn take(id: String, rest: &mut &str) -> Result<Option<Block>, ReportError> {
    let Some((_, after)) = rest.split_once(start_tag(&id).as_str()) else { return Ok(None) };
    let broken = || ReportError::NotAReport { reason: format!("the block {id} has no end") };
    let (listed, after) = after.split_once("\">").ok_or_else(broken)?;
    let (text, after) = after.split_once("</script>").ok_or_else(broken)?;
    if listed.len() != 64 {
        return Err(ReportError::NotAReport { reason: format!("the block {id} lists no SHA-256") });
    }
    *rest = after;
    Ok(Some(Block { id, listed: listed.to_owned(), text: text.to_owned() }))
}

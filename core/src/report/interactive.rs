//! What a report carries so that its page can compute: a program, and the files it reads.
//!
//! The idea: figures that a reader can make again, from the file in hand. The report knows nothing of the program: it embeds one script, one style sheet, and named files as
//! gzip in base64, inert as the data blocks are. The manifest lists the SHA-256 of all of them, and of each file's own bytes, which the page compares before it uses one.
//!
//! The method: the content security policy gains the hashes of script and style, WebAssembly, and workers from `blob:` (which is how a page opened from disk starts one: it has
//! no other address to name; a worker keeps the policy of its page). Packing is the caller's, so that drawing a report again needs no compressor: texts are kept as they are.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::tables::wrapping;
use super::{
    ReportError,
    blocks::{Block, block},
    numbers::bytes,
    text::{NAME, PROSE, label, shown},
};
use crate::findings::{canonical_json, sha256_hex};

/// Schema of the manifest.
const SCHEMA: &str = "vitrine.interactive/1";
/// Identifier of the manifest's block.
pub(super) const MANIFEST: &str = "data-interactive";
/// Files that one report may carry.
pub const MOST_FILES: usize = 1_000;
pub(super) const SCRIPT_TAG: &str = "<script id=\"interactive-script\">";
pub(super) const STYLE_TAG: &str = "<style id=\"interactive-style\">";

/// A file inside a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Name by which the program finds it.
    pub name: String,
    /// Size and SHA-256 of the file itself.
    pub bytes: u64,
    pub sha256: String,
    /// The file as gzip in base64.
    pub packed: String,
}

/// A program with its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Interactive {
    /// A classic script that is run as it stands.
    pub script: String,
    pub style: String,
    /// What is told to the reader, a paragraph each.
    pub words: Vec<String>,
    /// What there is to show, for the program to read.
    pub exhibits: serde_json::Value,
    pub files: Vec<Carried>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: String,
    script_sha256: String,
    style_sha256: String,
    words: Vec<String>,
    exhibits: serde_json::Value,
    files: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    name: String,
    bytes: u64,
    sha256: String,
}

fn id(index: usize) -> String {
    format!("data-file-{}", index + 1)
}

impl Interactive {
    /// The manifest and the files as blocks.
    pub(super) fn write(&self) -> Result<Vec<Block>, ReportError> {
        if self.files.len() > MOST_FILES {
            return Err(ReportError::Interactive(format!("{} files are more than the {MOST_FILES} one report carries", self.files.len())));
        }
        if let Some(file) = self.files.iter().find(|file| !is_base64(&file.packed)) {
            return Err(ReportError::Interactive(format!("{} is not packed as base64", label(&file.name, NAME))));
        }
        let lower = self.script.to_ascii_lowercase();
        if lower.contains("</script") || lower.contains("<!--") || self.style.contains("</") {
            return Err(ReportError::Interactive("its script or style holds a tag that would end it early".to_owned()));
        }
        let listed = |file: &Carried| Listed { name: file.name.clone(), bytes: file.bytes, sha256: file.sha256.clone() };
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            script_sha256: sha256_hex(self.script.as_bytes()),
            style_sha256: sha256_hex(self.style.as_bytes()),
            words: self.words.clone(),
            exhibits: self.exhibits.clone(),
            files: self.files.iter().map(listed).collect(),
        };
        let mut blocks = vec![block(MANIFEST.to_owned(), canonical_json(&manifest, "interactive part")?)];
        blocks.extend(self.files.iter().enumerate().map(|(index, file)| block(id(index), file.packed.clone())));
        Ok(blocks)
    }

    /// Takes the program out of a page whose blocks were found; `None` for a page without one. What is wrong with its hashes is told in `problems`.
    pub(super) fn read(html: &str, blocks: &[Block], problems: &mut Vec<String>) -> Result<Option<Self>, ReportError> {
        let Some(at) = blocks.iter().position(|block| block.id == MANIFEST) else { return Ok(None) };
        let bad = |reason: String| ReportError::Interactive(reason);
        let (manifest, packed) = blocks.get(at..).and_then(<[Block]>::split_first).ok_or_else(|| bad("it has no manifest".to_owned()))?;
        let manifest: Manifest =
            serde_json::from_str(&manifest.text).map_err(|error| bad(format!("its manifest cannot be read: {error}")))?;
        if manifest.schema != SCHEMA {
            return Err(bad(format!("its schema is `{}`, not `{SCHEMA}`", label(&manifest.schema, 60))));
        }
        if manifest.files.len() != packed.len() {
            return Err(bad(format!("its manifest lists {} files, {} are there", manifest.files.len(), packed.len())));
        }
        let between =
            |open: &str, close: &str| html.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map(|(text, _)| text.to_owned());
        let script = between(SCRIPT_TAG, "</script>").ok_or_else(|| bad("its script is missing".to_owned()))?;
        let style = between(STYLE_TAG, "</style>").ok_or_else(|| bad("its style is missing".to_owned()))?;
        for (what, text, listed) in [("script", &script, &manifest.script_sha256), ("style", &style, &manifest.style_sha256)] {
            let found = sha256_hex(text.as_bytes());
            if found != *listed {
                problems.push(format!("the interactive {what} has SHA-256 {found}, its manifest lists {}", label(listed, 64)));
            }
        }
        let carried = |(listed, block): (Listed, &Block)| Carried {
            name: listed.name,
            bytes: listed.bytes,
            sha256: listed.sha256,
            packed: block.text.clone(),
        };
        let files = manifest.files.into_iter().zip(packed).map(carried).collect();
        Ok(Some(Self { script, style, words: manifest.words, exhibits: manifest.exhibits, files }))
    }

    /// Identifiers of the blocks that may follow those of the runs.
    pub(super) fn block_ids() -> impl Iterator<Item = String> {
        std::iter::once(MANIFEST.to_owned()).chain((0..MOST_FILES).map(id))
    }

    /// The section: what is carried, and where the program puts what it shows.
    pub(super) fn section(&self) -> Markup {
        html! {
            section.interactive aria-labelledby="interactive-h" {
                h2 id="interactive-h" { "Compute it again" }
                @for words in &self.words { p { (shown(words, PROSE)) } }
                noscript { p.note { "Computing needs JavaScript and WebAssembly. Everything else in this report can be read without." } }
                div id="interactive" {}
                details {
                    summary { "Files inside this report" }
                    div.scroll role="region" tabindex="0" aria-label="Table, scrolls sideways" {
                        table.data.small.hashes {
                            (wrapping(&html! { "Stored as gzip in base64; hashes are those of the files themselves, compared before use." }))
                            thead { tr { th scope="col" class="txt" { "File" } th scope="col" class="num" { "Size" } th scope="col" class="txt" { "SHA-256" } } }
                            tbody { @for file in &self.files { tr {
                                th scope="row" class="txt" { bdi { (label(&file.name, NAME)) } } td.num { (bytes(file.bytes)) } td.txt { code { (label(&file.sha256, 64)) } }
                            } } }
                        }
                    }
                }
            }
        }
    }
}

/// The start tag of a file's block says that it is no script.
pub(super) fn kind(id: &str) -> &'static str {
    if id.starts_with("data-file-") { "application/octet-stream" } else { "application/json" }
}

fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests;

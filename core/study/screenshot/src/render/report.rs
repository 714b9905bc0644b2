//! What was drawn and what was not, beside every picture.

use serde::{Deserialize, Serialize};

/// A code point that no font has, and how often a box stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    pub code_point: u32,
    pub count: u32,
}

/// The account of one picture. Counts are of what was drawn, or read on the way there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Bytes of the given text.
    pub total_bytes: usize,
    /// Bytes up to the first one that found no room.
    pub rendered_bytes: usize,
    /// Nothing was left over.
    pub all_rendered: bool,
    /// Glyphs drawn for the text, spaces included, the prefix not.
    pub glyphs: usize,
    /// Whether the text left any ink.
    pub ink: bool,
    /// Boxes drawn.
    pub missing: u32,
    /// Which code points they stand for, in order.
    pub missing_list: Vec<Missing>,
    /// Glyphs taken from GNU Unifont because the fonts lack them.
    pub fallback: u32,
    /// Runs of bytes that were not UTF-8, each drawn as U+FFFD.
    pub replaced: u32,
    /// Control characters left out.
    pub dropped: u32,
    /// Joiners, variation selectors and other characters that draw nothing.
    pub invisible: u32,
    /// Line breaks read.
    pub newlines: u32,
    /// Runs drawn from right to left.
    pub rtl_runs: u32,
    /// Whether all letters were joined and placed as their script asks. Otherwise every code point is a glyph of its own ([`RenderConfig::shaping`](super::RenderConfig::shaping) is off), or
    /// some letters are of a font without rules: Unifont, the box.
    pub shaped: bool,
    /// How often the text itself holds the drawn mask, `<mask>`.
    pub mask_literals: u32,
    /// Lines used.
    pub lines: u32,
    /// The first patch after the text: where the end marker stands, or the number of patches where none is white.
    pub end_patch: usize,
    /// Patches a model attends to: the text and the end marker.
    pub attended: usize,
}

//! How text is drawn, as plain data.

use serde::{Deserialize, Serialize};

use super::RenderError;

/// Most pixels of a picture: 16 million, more than a hundred times the published strip.
pub const MOST_PIXELS: u32 = 1 << 24;
/// The published size of text: 10 points at 100 dots an inch.
pub const FONT_PX: f32 = 10.0 * 100.0 / 72.0;
/// What is drawn before every text in patch-and-text pre-training: it keeps the first patches readable and steadies training.
pub const PREFIX: &str = "Beginning of the sequence: ";
/// What stands for a hidden span of text in the picture.
pub const MASK: &str = "<mask>";

/// Which glyphs are drawn first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Noto Sans (or the given fonts), every glyph as wide as it is.
    Proportional,
    /// GNU Unifont alone: a cell of 8 pixels, or 16 for wide scripts; two Latin letters fill a patch.
    Mono,
}

/// What becomes of a line break in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newline {
    /// Two drawn slashes, `//`, as published.
    Token,
    /// A new line of the page.
    Break,
}

/// Geometry and rules of a picture. Lengths are pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "switches that a person sets")]
pub struct RenderConfig {
    pub width: u32,
    pub height: u32,
    pub patch_width: u32,
    pub patch_height: u32,
    pub style: Style,
    /// Size of the em of proportional text.
    pub font_px: f32,
    /// Distance between lines.
    pub line_height: u32,
    /// Rows of a line above the baseline; what rises higher is clipped.
    pub baseline: u32,
    /// Drawn before the text; it stands for no bytes of it.
    pub prefix: String,
    pub newline: Newline,
    /// Paint the first white patch after the text black.
    pub end_marker: bool,
    /// Draw what the fonts lack from GNU Unifont.
    pub fallback: bool,
    /// Draw U+FFFD for bytes that are not UTF-8, instead of refusing the text.
    pub lossy: bool,
    /// Ink is black or nothing: coverage of at least one half is ink.
    pub one_bit: bool,
    /// Join and place letters as their script asks, where the font has the rules for it; only in builds with the feature `shaping`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shaping: bool,
}

impl Default for RenderConfig {
    /// The published strip of 16 x 8176 pixels, without its prefix.
    fn default() -> Self {
        Self {
            width: 8176,
            height: 16,
            patch_width: 16,
            patch_height: 16,
            style: Style::Proportional,
            font_px: FONT_PX,
            line_height: 16,
            baseline: 12,
            prefix: String::new(),
            newline: Newline::Token,
            end_marker: true,
            fallback: true,
            lossy: true,
            one_bit: false,
            shaping: false,
        }
    }
}

impl RenderConfig {
    /// One line of `patches` patches of 16 x 16 pixels.
    #[must_use]
    pub fn strip(patches: u32) -> Self {
        Self { width: patches.saturating_mul(16), ..Self::default() }
    }

    /// A page of lines; `height` by `width` pixels.
    #[must_use]
    pub fn page(height: u32, width: u32) -> Self {
        Self { width, height, ..Self::default() }
    }

    /// One line of `patches` patches, two letters each.
    #[must_use]
    pub fn mono(patches: u32) -> Self {
        Self { style: Style::Mono, ..Self::strip(patches) }
    }

    /// The same with the published prefix.
    #[must_use]
    pub fn with_prefix(self) -> Self {
        Self { prefix: PREFIX.to_owned(), ..self }
    }

    /// Patches side by side, and rows of them.
    #[must_use]
    pub fn grid(&self) -> (u32, u32) {
        (self.width / self.patch_width.max(1), self.height / self.patch_height.max(1))
    }

    /// All patches of a picture.
    #[must_use]
    pub fn patches(&self) -> usize {
        let (columns, rows) = self.grid();
        columns as usize * rows as usize
    }

    /// Pixels of a patch.
    #[must_use]
    pub fn patch_len(&self) -> usize {
        self.patch_width as usize * self.patch_height as usize
    }

    /// Lines of text that fit.
    #[must_use]
    pub fn lines(&self) -> u32 {
        self.height / self.line_height.max(1)
    }

    /// # Errors
    /// The first number that cannot be drawn with.
    pub fn check(&self) -> Result<(), RenderError> {
        if self.shaping && !cfg!(feature = "shaping") {
            return Err(RenderError::NoShaping);
        }
        let sizes = [
            ("the width", self.width),
            ("the height", self.height),
            ("the patch's width", self.patch_width),
            ("the patch's height", self.patch_height),
            ("the line height", self.line_height),
        ];
        if let Some(&(what, _)) = sizes.iter().find(|(_, value)| *value == 0) {
            return Err(RenderError::ZeroSize { what });
        }
        if u64::from(self.width) * u64::from(self.height) > u64::from(MOST_PIXELS) {
            return Err(RenderError::TooLarge { width: self.width, height: self.height, most: MOST_PIXELS });
        }
        for (what, value, patch) in [("the width", self.width, self.patch_width), ("the height", self.height, self.patch_height)] {
            if value % patch != 0 {
                return Err(RenderError::NotDivisible { what, value, patch });
            }
        }
        if self.line_height > self.height {
            return Err(RenderError::NoLine { line_height: self.line_height, height: self.height });
        }
        if self.baseline > self.line_height {
            return Err(RenderError::BadNumber { what: "the baseline", value: f64::from(self.baseline), range: "inside the line" });
        }
        if !(4.0..=200.0).contains(&self.font_px) {
            return Err(RenderError::BadNumber { what: "the size of text", value: f64::from(self.font_px), range: "4 to 200 pixels" });
        }
        Ok(())
    }
}

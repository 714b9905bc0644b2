//! What a renderer refuses.

use thiserror::Error;

/// Why nothing can be drawn.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RenderError {
    #[error("{what} is 0; a picture needs at least one pixel each way")]
    ZeroSize { what: &'static str },
    #[error("{what} {value} is not a multiple of the patch's {patch}; patches have to fill the picture")]
    NotDivisible { what: &'static str, value: u32, patch: u32 },
    #[error("a picture of {width} x {height} pixels is too large; at most {most} pixels are drawn")]
    TooLarge { width: u32, height: u32, most: u32 },
    #[error("lines are {line_height} pixels high and the picture {height}; not one line fits")]
    NoLine { line_height: u32, height: u32 },
    #[error("{what} has to be {range}, not {value}")]
    BadNumber { what: &'static str, value: f64, range: &'static str },
    #[error("the text is not UTF-8: byte {offset} cannot be read; lossy mode draws U+FFFD there")]
    BadUtf8 { offset: usize },
    #[error("the text has {bytes} bytes; at most {most} are read")]
    TextTooLong { bytes: usize, most: usize },
    #[error("pairs are drawn on a strip of one row of at least {least} patches; this picture has {rows} rows of {columns}")]
    NoRoomForPair { rows: u32, columns: u32, least: u32 },
    #[error("the font cannot be read: {reason}")]
    BadFont { reason: String },
    #[error("the packed glyphs cannot be read: {reason}")]
    BadPacked { reason: &'static str },
    #[error("letters cannot be joined: this build of the program draws one glyph a code point (its feature `shaping` is off)")]
    NoShaping,
    #[error("the picture cannot be written as PNG: {reason}")]
    Png { reason: String },
}

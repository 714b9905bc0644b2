//! From bytes to cells: what is drawn, and which bytes each piece stands for.
//!
//! **Method.** Bytes are read as UTF-8 (strictly, or with U+FFFD for what is none), put into normal form C cluster by cluster, so that every cell knows its bytes; control characters are
//! dropped and counted, a tab is four spaces, CRLF one line break. Reading ends when no picture could hold more.
//!
//! **Normal form C** comes from the `unicode-normalization` crate natively and in a page. The tokenizers' page code asks the JavaScript engine instead, to keep tables out of the first bundle;
//! here a picture has to be the same on every machine, and an engine's tables have the age of the engine. The tables travel only in bundles that draw.

use unicode_normalization::{IsNormalized, UnicodeNormalization, char::canonical_combining_class, is_nfc_quick};

use super::{Newline, RenderConfig, RenderError, Report, config::MASK, fonts::Glyph, renderer::Advances};

/// Largest text read.
pub const MOST_BYTES: usize = 256 << 20;
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];
const TAB: usize = 4;

/// What a cell is to layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Part of a word.
    Word,
    /// A place to wrap.
    Space,
    /// One of the slashes of a newline token: part of a word, but the end of a paragraph.
    Token,
    /// A new line.
    Break,
    /// Draws nothing; may steer bidirectional order.
    Invisible,
}

/// One glyph to draw, with the bytes of the text it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub c: char,
    pub glyph: Glyph,
    pub start: u32,
    pub end: u32,
    pub advance: u16,
    /// Level of the bidirectional algorithm; odd is right to left.
    pub level: u8,
    pub kind: Kind,
}

/// The cells of a text.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    pub cells: Vec<Cell>,
    /// How far right and down of the pen each glyph stands, in pixels; empty where no letters were shaped.
    pub offsets: Vec<[i16; 2]>,
    /// Some character may be written from right to left.
    pub rtl: bool,
    /// How many cells are the prefix.
    pub prefix: usize,
    /// Advances of all cells.
    total: u64,
    breaks: u32,
    /// Where reading stopped, if no more could fit.
    pub stopped: bool,
}

/// How much a picture can hold at most.
#[derive(Debug, Clone, Copy)]
struct Most {
    advance: u64,
    cells: usize,
    breaks: u32,
}

struct Reader<'a, A: Advances> {
    to: &'a mut Cells,
    fonts: &'a A,
    report: &'a mut Report,
    newline: Newline,
    most: Most,
}

/// Characters that never draw: joiners, variation selectors, marks of direction, tags.
pub fn is_invisible(c: char) -> bool {
    matches!(u32::from(c), 0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
        | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFF8 | 0xE0000..=0xE0FFF)
}

/// Whether normal form C never joins this character to what stands before it.
fn begins_cluster(c: char) -> bool {
    u32::from(c) < 0x300 || (canonical_combining_class(c) == 0 && is_nfc_quick(std::iter::once(c)) == IsNormalized::Yes)
}

/// Reads `bytes` into `to`, whose memory is reused, and counts what happened in `report`.
///
/// # Errors
/// [`RenderError::BadUtf8`] in strict mode, [`RenderError::TextTooLong`].
pub fn read(bytes: &[u8], config: &RenderConfig, fonts: &impl Advances, to: &mut Cells, report: &mut Report) -> Result<(), RenderError> {
    to.cells.clear();
    to.offsets.clear();
    (to.rtl, to.stopped, to.prefix, to.total, to.breaks) = (false, false, 0, 0, 0);
    if bytes.len() > MOST_BYTES {
        return Err(RenderError::TextTooLong { bytes: bytes.len(), most: MOST_BYTES });
    }
    report.total_bytes = bytes.len();
    if bytes.contains(&b'<') {
        report.mask_literals = bytes.windows(MASK.len()).filter(|window| *window == MASK.as_bytes()).count() as u32;
    }
    // A word that begins in the last line is looked at for one more line; a wrap swallows one space.
    let advance = (u64::from(config.lines()) + 1) * (u64::from(config.width) + 64);
    let most = Most { advance, cells: (advance as usize).saturating_mul(4) + 1024, breaks: config.lines() };
    let mut reader = Reader { to, fonts, report, newline: config.newline, most };
    reader.valid(&config.prefix, 0, true);
    reader.to.prefix = reader.to.cells.len();
    let skip = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let bytes = bytes.get(skip..).unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => reader.valid(text, skip, false),
        Err(error) if !config.lossy => return Err(RenderError::BadUtf8 { offset: skip + error.valid_up_to() }),
        Err(_) => {
            let mut at = skip;
            for chunk in bytes.utf8_chunks() {
                reader.valid(chunk.valid(), at, false);
                at += chunk.valid().len();
                if reader.to.stopped {
                    break;
                }
                if !chunk.invalid().is_empty() {
                    reader.report.replaced += 1;
                    reader.push(char::REPLACEMENT_CHARACTER, at, at + chunk.invalid().len(), Kind::Word);
                    at += chunk.invalid().len();
                }
            }
        }
    }
    Ok(())
}

impl<A: Advances> Reader<'_, A> {
    /// Cells of text that is UTF-8; its first byte is byte `at` of the whole. A prefix stands for no bytes.
    fn valid(&mut self, text: &str, at: usize, prefix: bool) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while let Some(&byte) = bytes.get(i) {
            if self.to.total > self.most.advance || self.to.cells.len() > self.most.cells || self.to.breaks > self.most.breaks {
                self.to.stopped = true;
                return;
            }
            let place = |from: usize, to: usize| if prefix { (0, 0) } else { (at + from, at + to) };
            // A printable ASCII character before another ASCII character is a cluster of its own.
            if matches!(byte, 0x20..0x7F) && bytes.get(i + 1).is_none_or(u8::is_ascii) {
                let (start, end) = place(i, i + 1);
                self.push(char::from(byte), start, end, if byte == b' ' { Kind::Space } else { Kind::Word });
                i += 1;
                continue;
            }
            let Some(rest) = text.get(i..) else { return };
            let mut chars = rest.char_indices().skip(1);
            let length = chars.find(|&(_, c)| begins_cluster(c)).map_or(rest.len(), |(length, _)| length);
            let cluster = rest.get(..length).unwrap_or_default();
            let mut next = i + length;
            if byte == b'\r' && bytes.get(next) == Some(&b'\n') {
                next += 1;
            }
            let (start, end) = place(i, next);
            match cluster {
                "\r" if next == i + 2 => self.newline(start, end),
                "\n" | "\u{2028}" | "\u{2029}" => self.newline(start, end),
                _ if is_nfc_quick(cluster.chars()) == IsNormalized::Yes => cluster.chars().for_each(|c| self.plain(c, start, end)),
                _ => cluster.nfc().for_each(|c| self.plain(c, start, end)),
            }
            i = next;
        }
    }

    fn plain(&mut self, c: char, start: usize, end: usize) {
        match c {
            '\t' => (0..TAB).for_each(|_| self.push(' ', start, end, Kind::Space)),
            ' ' => self.push(c, start, end, Kind::Space),
            _ if c.is_control() => self.report.dropped += 1,
            _ if is_invisible(c) => {
                self.report.invisible += 1;
                let (start, end) = (start as u32, end as u32);
                self.to.cells.push(Cell { c, glyph: Glyph::Box, start, end, advance: 0, level: 0, kind: Kind::Invisible });
            }
            _ => self.push(c, start, end, Kind::Word),
        }
    }

    fn newline(&mut self, start: usize, end: usize) {
        self.report.newlines += 1;
        match self.newline {
            Newline::Token => (0..2).for_each(|_| self.push('/', start, end, Kind::Token)),
            Newline::Break => {
                self.to.breaks += 1;
                let (start, end) = (start as u32, end as u32);
                self.to.cells.push(Cell { c: '\n', glyph: Glyph::Box, start, end, advance: 0, level: 0, kind: Kind::Break });
            }
        }
    }

    #[inline]
    fn push(&mut self, c: char, start: usize, end: usize, kind: Kind) {
        let (glyph, advance) = self.fonts.find(c);
        self.to.rtl |= u32::from(c) >= 0x590 && super::bidi::is_right_to_left(c);
        self.to.total += u64::from(advance);
        self.to.cells.push(Cell { c, glyph, start: start as u32, end: end as u32, advance, level: 0, kind });
    }
}

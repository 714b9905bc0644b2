//! GNU Unifont's bitmaps: the fallback layer, and all of `mono`.
//!
//! A glyph is 8 or 16 pixels wide and 16 high, one bit a pixel: a patch row exactly. Parsing the OpenType file takes a third of a second and 133 MB; the bits themselves are 1.7 MB, and
//! 0.65 MB packed.
//!
//! **Format.** Eight bytes `VTUNIF01`, then a deflate stream: 65,536 bytes with the width in bytes of each code point's glyph (0 where there is none), then the glyphs in order, 16 rows each,
//! of wide ones first all left bytes, then all right ones, which deflate likes better.

use super::{
    RenderError,
    atlas::{Cursor, inflate},
    blit::CHUNK,
};

const MAGIC: &[u8; 8] = b"VTUNIF01";
const CODE_POINTS: usize = 0x1_0000;
/// Rows of a glyph.
pub const ROWS: usize = 16;
/// Every glyph of two bytes a row, and the widths.
const MOST_BYTES: usize = CODE_POINTS * (2 * ROWS + 1);

/// Each byte of bits as eight bytes of paper.
const PAPER: [[u8; CHUNK]; 256] = {
    let mut table = [[255; CHUNK]; 256];
    let mut bits = 0;
    while bits < 256 {
        let mut x = 0;
        while x < CHUNK {
            if bits >> (7 - x) & 1 == 1 {
                table[bits][x] = 0;
            }
            x += 1;
        }
        bits += 1;
    }
    table
};

/// All bitmaps of plane 0.
#[derive(Debug, Clone, Default)]
pub struct Unifont {
    /// Where a code point's bits begin, with the width in bytes in the lowest two bits; 0 where there is none.
    index: Vec<u32>,
    bits: Vec<u8>,
}

impl Unifont {
    /// Reads the packed file.
    ///
    /// # Errors
    /// [`RenderError::BadPacked`].
    pub fn read(bytes: &[u8]) -> Result<Self, RenderError> {
        let packed = bytes.strip_prefix(MAGIC).ok_or(RenderError::BadPacked { reason: "it is no packed Unifont" })?;
        let plain = inflate(packed, MOST_BYTES)?;
        let mut at = Cursor(&plain);
        let widths = at.take(CODE_POINTS)?;
        let mut start = 0_u32;
        let mut index = Vec::with_capacity(CODE_POINTS);
        for &width in widths {
            if width > 2 {
                return Err(RenderError::BadPacked { reason: "a glyph is wider than 16 pixels" });
            }
            index.push(if width == 0 { 0 } else { start << 2 | u32::from(width) });
            start += u32::from(width) * ROWS as u32;
        }
        let bits = at.take(start as usize)?.to_vec();
        if at.0.is_empty() {
            Ok(Self { index, bits })
        } else {
            Err(RenderError::BadPacked { reason: "there are bytes after the last glyph" })
        }
    }

    /// The width in pixels of a character's glyph, where it has one.
    #[inline]
    pub fn width(&self, c: char) -> Option<u16> {
        match self.index.get(c as usize) {
            Some(&entry) if entry != 0 => Some((entry & 3) as u16 * CHUNK as u16),
            _ => None,
        }
    }

    /// The glyph's rows as paper, and the chunks of each.
    pub fn rows(&self, c: char) -> ([u8; 2 * CHUNK * ROWS], usize) {
        let entry = self.index.get(c as usize).copied().unwrap_or(0);
        let (start, width) = ((entry >> 2) as usize, (entry & 3) as usize);
        let mut rows = [255; 2 * CHUNK * ROWS];
        let bits = self.bits.get(start..start + width * ROWS).unwrap_or_default();
        for (half, column) in bits.chunks_exact(ROWS).enumerate() {
            for (row, &byte) in column.iter().enumerate() {
                let at = (row * width + half) * CHUNK;
                rows[at..at + CHUNK].copy_from_slice(&PAPER[usize::from(byte)]);
            }
        }
        (rows, width)
    }

    pub(super) fn digest(&self, mut update: impl FnMut(&[u8])) {
        for entry in &self.index {
            update(&entry.to_le_bytes());
        }
        update(&self.bits);
    }
}

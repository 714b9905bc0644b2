//! A font made ready for one kind of line: bitmaps cut to the line's rows, as paper in chunks, found by code point.

use super::{
    RenderConfig,
    bitmaps::{Bitmap, Bitmaps},
    blit::{CHUNK, Stamp},
};

/// No glyph.
const NONE: u16 = u16::MAX;

/// Code points to small numbers, in pages of 256.
#[derive(Debug, Clone, Default)]
struct Pages {
    /// Which page a block of 256 code points has.
    page: Vec<u16>,
    entries: Vec<[u16; 256]>,
}

impl Pages {
    fn insert(&mut self, code_point: u32, value: u16) {
        let block = (code_point >> 8) as usize;
        if self.page.len() <= block {
            self.page.resize(block + 1, NONE);
        }
        if self.page[block] == NONE {
            self.page[block] = self.entries.len() as u16;
            self.entries.push([NONE; 256]);
        }
        let page = usize::from(self.page[block]);
        self.entries[page][(code_point & 255) as usize] = value;
    }

    #[inline]
    fn get(&self, code_point: u32) -> Option<u16> {
        let page = *self.page.get((code_point >> 8) as usize)?;
        let value = self.entries.get(usize::from(page))?[(code_point & 255) as usize];
        (value != NONE).then_some(value)
    }
}

/// A font for lines of one height and baseline.
#[derive(Debug, Clone, Default)]
pub struct Face {
    stamps: Vec<Stamp>,
    paper: Vec<u8>,
    pages: Pages,
}

impl Face {
    /// Cuts every bitmap to the rows of a line.
    #[must_use]
    pub fn new(bitmaps: &Bitmaps, config: &RenderConfig) -> Self {
        let mut face = Self::default();
        for bitmap in bitmaps.glyphs.iter().take(usize::from(NONE)) {
            let stamp = face.add(bitmap, config);
            face.stamps.push(stamp);
        }
        for (&code_point, &glyph) in &bitmaps.map {
            if usize::from(glyph) < face.stamps.len() {
                face.pages.insert(code_point, glyph);
            }
        }
        face
    }

    fn add(&mut self, bitmap: &Bitmap, config: &RenderConfig) -> Stamp {
        let blank = Stamp { advance: bitmap.advance, ..Stamp::default() };
        // What rises over the line's first row or hangs below its last is cut, never moved.
        let top = config.baseline as i32 - i32::from(bitmap.above);
        let bottom = (top + i32::from(bitmap.height)).min(config.line_height as i32);
        let first = top.max(0);
        if bottom <= first || bitmap.width == 0 {
            return blank;
        }
        let width = usize::from(bitmap.width);
        let chunks = width.div_ceil(CHUNK);
        let offset = self.paper.len() as u32;
        let mut ink = false;
        for row in bitmap.coverage.chunks_exact(width).skip((first - top) as usize).take((bottom - first) as usize) {
            let start = self.paper.len();
            self.paper.resize(start + chunks * CHUNK, 255);
            for (paper, &coverage) in self.paper[start..].iter_mut().zip(row) {
                *paper = 255 - if config.one_bit { if coverage >= 128 { 255 } else { 0 } } else { coverage };
                ink |= *paper < 255;
            }
        }
        if !ink {
            self.paper.truncate(offset as usize);
            return blank;
        }
        Stamp {
            left: bitmap.left,
            top: first as u16,
            width: bitmap.width,
            chunks: chunks as u16,
            rows: (bottom - first) as u16,
            offset,
            ..blank
        }
    }

    /// Which glyph a character has.
    #[inline]
    pub fn find(&self, c: char) -> Option<u16> {
        self.pages.get(u32::from(c))
    }

    /// The glyph and its rows.
    #[inline]
    pub fn stamp(&self, glyph: u16) -> (Stamp, &[u8]) {
        let stamp = self.stamps.get(usize::from(glyph)).copied().unwrap_or_default();
        let start = stamp.offset as usize;
        (stamp, self.paper.get(start..start + usize::from(stamp.rows) * usize::from(stamp.chunks) * CHUNK).unwrap_or_default())
    }

    /// Everything that decides what is drawn, for the font's hash.
    pub(super) fn digest(&self, mut update: impl FnMut(&[u8])) {
        for stamp in &self.stamps {
            update(&stamp.advance.to_le_bytes());
            update(&stamp.left.to_le_bytes());
            for number in [stamp.top, stamp.width, stamp.rows] {
                update(&number.to_le_bytes());
            }
        }
        update(&self.paper);
        for page in &self.pages.page {
            update(&page.to_le_bytes());
        }
        for entry in self.pages.entries.iter().flatten() {
            update(&entry.to_le_bytes());
        }
    }
}

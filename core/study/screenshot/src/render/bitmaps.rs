//! Glyphs as grey bitmaps, at one size: what a rasteriser gives and an atlas file holds.
//!
//! **Why fontdue without its vector code.** Its two code paths may differ by one grey level; the plain one does the same single-precision operations natively and as WebAssembly. No hinting,
//! no kerning, one glyph a code point; where letters are to be shaped, all glyphs of the font. Advances are whole pixels, as hinting made those of the published renderer.

use std::collections::BTreeMap;

use fontdue::{Font, FontSettings};

use super::RenderError;

/// Largest font file read: larger than any single font in use.
const MOST_FONT_BYTES: usize = 64 << 20;
/// Widest and highest bitmap kept, in pixels.
pub const MOST_GLYPH: usize = 1024;

/// One glyph. The bitmap is tight around the ink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bitmap {
    /// Pixels to the next glyph.
    pub advance: u16,
    /// From the pen to the bitmap's left edge.
    pub left: i16,
    /// From the baseline up to the bitmap's upper edge.
    pub above: i16,
    pub width: u16,
    pub height: u16,
    /// `[height, width]`, 255 is all ink.
    pub coverage: Vec<u8>,
}

/// The glyphs of a font at one size.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bitmaps {
    /// Size of the em in pixels.
    pub px: f32,
    pub glyphs: Vec<Bitmap>,
    /// Which glyph a code point has, in order.
    pub map: BTreeMap<u32, u16>,
}

impl Bitmaps {
    /// Rasterises every code point of a TrueType or OpenType font (the first of a collection).
    ///
    /// # Errors
    /// [`RenderError::BadFont`].
    pub fn rasterise(font: &[u8], px: f32) -> Result<Self, RenderError> {
        let font = open(font)?;
        let order: BTreeMap<u32, u16> = font.chars().iter().map(|(c, index)| (u32::from(*c), index.get())).collect();
        let mut bitmaps = Self { px, ..Self::default() };
        let mut placed: BTreeMap<u16, u16> = BTreeMap::new();
        for (code_point, index) in order {
            let glyph = if let Some(&glyph) = placed.get(&index) {
                glyph
            } else {
                let glyph = bitmaps.glyphs.len() as u16;
                bitmaps.glyphs.push(bitmap(&font, index, px));
                placed.insert(index, glyph);
                glyph
            };
            bitmaps.map.insert(code_point, glyph);
        }
        Ok(bitmaps)
    }

    /// Rasterises every glyph of a font, each at its own number: what a shaper's answers are drawn with.
    ///
    /// # Errors
    /// [`RenderError::BadFont`].
    #[cfg(feature = "shaping")]
    pub fn rasterise_all(font: &[u8], px: f32) -> Result<Self, RenderError> {
        let font = open(font)?;
        let glyphs = (0..font.glyph_count()).map(|glyph| bitmap(&font, glyph, px)).collect();
        let map = font.chars().iter().map(|(c, index)| (u32::from(*c), index.get())).collect();
        Ok(Self { px, glyphs, map })
    }
}

fn open(font: &[u8]) -> Result<Font, RenderError> {
    if font.len() > MOST_FONT_BYTES {
        return Err(RenderError::BadFont { reason: format!("{} bytes are more than {MOST_FONT_BYTES}", font.len()) });
    }
    Font::from_bytes(font, FontSettings::default()).map_err(|reason| RenderError::BadFont { reason: reason.to_owned() })
}

fn bitmap(font: &Font, index: u16, px: f32) -> Bitmap {
    let (metrics, coverage) = font.rasterize_indexed(index, px);
    let advance = metrics.advance_width.round().clamp(0.0, MOST_GLYPH as f32) as u16;
    let (width, height) = (metrics.width, metrics.height);
    let above = metrics.ymin.saturating_add(height as i32);
    let far = |v: i32| v.unsigned_abs() as usize > MOST_GLYPH;
    if width > MOST_GLYPH || height > MOST_GLYPH || far(metrics.xmin) || far(above) || coverage.len() != width * height {
        return Bitmap { advance, ..Bitmap::default() };
    }
    tight(&Bitmap { advance, left: metrics.xmin as i16, above: above as i16, width: width as u16, height: height as u16, coverage })
}

/// Cuts empty rows and columns off the edges.
fn tight(bitmap: &Bitmap) -> Bitmap {
    let width = usize::from(bitmap.width);
    let rows: Vec<&[u8]> = bitmap.coverage.chunks_exact(width.max(1)).collect();
    let inked = |row: &&[u8]| row.iter().any(|&v| v > 0);
    let (Some(top), Some(bottom)) = (rows.iter().position(inked), rows.iter().rposition(inked)) else {
        return Bitmap { advance: bitmap.advance, ..Bitmap::default() };
    };
    let column = |x: usize| rows.iter().any(|row| row[x] > 0);
    let (first, last) = ((0..width).position(column).unwrap_or(0), (0..width).rposition(column).unwrap_or(0));
    Bitmap {
        advance: bitmap.advance,
        left: bitmap.left + first as i16,
        above: bitmap.above - top as i16,
        width: (last + 1 - first) as u16,
        height: (bottom + 1 - top) as u16,
        coverage: rows[top..=bottom].iter().flat_map(|row| row[first..=last].iter().copied()).collect(),
    }
}

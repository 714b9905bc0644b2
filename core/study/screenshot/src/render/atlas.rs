//! The file of a rasterised font: with it no font has to be parsed, and what is drawn cannot depend on how a rasteriser rounds.
//!
//! **Format.** Eight bytes `VTATLAS1`, then one deflate stream of little-endian numbers: size of the em (f32), number of glyphs and of code points (u32); each glyph's advance, left, above,
//! width, height (16 bits each); each code point (u32) with its glyph (u16), ascending; then all coverage bytes, glyph by glyph.

use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};

use super::{
    RenderError,
    bitmaps::{Bitmap, Bitmaps, MOST_GLYPH},
};

const MAGIC: &[u8; 8] = b"VTATLAS1";
/// Most bytes an atlas may unfold to.
const MOST_BYTES: usize = 64 << 20;
/// Highest compression.
const LEVEL: u8 = 10;

/// Undoes deflate, up to `most` bytes.
pub(super) fn inflate(bytes: &[u8], most: usize) -> Result<Vec<u8>, RenderError> {
    decompress_to_vec_with_limit(bytes, most).map_err(|_| RenderError::BadPacked { reason: "the compressed data are damaged or too large" })
}

/// Reads numbers off the front.
pub(super) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], RenderError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(RenderError::BadPacked { reason: "the data end too soon" })?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RenderError> {
        self.take(N)?.try_into().map_err(|_| RenderError::BadPacked { reason: "the data end too soon" })
    }

    fn u16(&mut self) -> Result<u16, RenderError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, RenderError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}

/// The bytes of an atlas file.
#[must_use]
pub fn write(bitmaps: &Bitmaps) -> Vec<u8> {
    let mut plain = bitmaps.px.to_le_bytes().to_vec();
    plain.extend((bitmaps.glyphs.len() as u32).to_le_bytes());
    plain.extend((bitmaps.map.len() as u32).to_le_bytes());
    for glyph in &bitmaps.glyphs {
        for number in [glyph.advance, glyph.left as u16, glyph.above as u16, glyph.width, glyph.height] {
            plain.extend(number.to_le_bytes());
        }
    }
    for (code_point, glyph) in &bitmaps.map {
        plain.extend(code_point.to_le_bytes());
        plain.extend(glyph.to_le_bytes());
    }
    bitmaps.glyphs.iter().for_each(|glyph| plain.extend(&glyph.coverage));
    [MAGIC, &compress_to_vec(&plain, LEVEL)[..]].concat()
}

/// Reads an atlas file.
///
/// # Errors
/// [`RenderError::BadPacked`].
pub fn read(bytes: &[u8]) -> Result<Bitmaps, RenderError> {
    let packed = bytes.strip_prefix(MAGIC).ok_or(RenderError::BadPacked { reason: "it is no atlas of glyphs" })?;
    let plain = inflate(packed, MOST_BYTES)?;
    let mut at = Cursor(&plain);
    let px = f32::from_bits(at.u32()?);
    let (glyphs, code_points) = (at.u32()? as usize, at.u32()? as usize);
    if glyphs > usize::from(u16::MAX) + 1 || code_points > 0x11_0000 {
        return Err(RenderError::BadPacked { reason: "there are more glyphs than code points exist" });
    }
    let mut bitmaps = Bitmaps { px, ..Bitmaps::default() };
    for _ in 0..glyphs {
        let [advance, left, above, width, height] = [at.u16()?, at.u16()?, at.u16()?, at.u16()?, at.u16()?];
        let (left, above) = (left as i16, above as i16);
        let far = |v: i16| usize::from(v.unsigned_abs()) > MOST_GLYPH;
        if [advance, width, height].into_iter().any(|v| usize::from(v) > MOST_GLYPH) || far(left) || far(above) {
            return Err(RenderError::BadPacked { reason: "a glyph is too large" });
        }
        bitmaps.glyphs.push(Bitmap { advance, left, above, width, height, coverage: vec![] });
    }
    for _ in 0..code_points {
        let (code_point, glyph) = (at.u32()?, at.u16()?);
        if usize::from(glyph) >= glyphs || char::from_u32(code_point).is_none() {
            return Err(RenderError::BadPacked { reason: "a code point has no glyph" });
        }
        bitmaps.map.insert(code_point, glyph);
    }
    for glyph in &mut bitmaps.glyphs {
        glyph.coverage = at.take(usize::from(glyph.width) * usize::from(glyph.height))?.to_vec();
    }
    if at.0.is_empty() { Ok(bitmaps) } else { Err(RenderError::BadPacked { reason: "there are bytes after the last glyph" }) }
}

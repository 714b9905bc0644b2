//! The chain of fonts: the first that knows a character draws it, then GNU Unifont, then one hollow box.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::{
    RenderConfig, RenderError, Style, atlas,
    bitmaps::Bitmaps,
    blit::{CHUNK, Paper, Stamp},
    bundled,
    face::Face,
    text::Cells,
    unifont::{ROWS, Unifont},
};
use vitrine_core::findings::hex;

/// Most font files before Noto Sans.
pub const MOST_FONTS: usize = 16;
/// Pixels of the hollow box, its sides included, and to the next glyph.
const BOX: (usize, u16) = (7, 8);

/// Where glyphs come from.
#[derive(Debug, Clone, Copy)]
pub struct FontSources<'a> {
    /// Font files (TrueType, OpenType), the first asked first.
    pub files: &'a [Vec<u8>],
    /// A rasterised font ([`atlas`]), used where its size is the asked one; with the font file it was made of, for other sizes.
    pub atlas: Option<&'a [u8]>,
    pub atlas_font: Option<&'a [u8]>,
    /// Packed Unifont, unfolded when it is first needed.
    pub unifont: Option<&'static [u8]>,
}

impl FontSources<'static> {
    /// What comes with the program.
    #[must_use]
    pub fn bundled() -> Self {
        Self { files: &[], atlas: Some(bundled::NOTO_SANS_ATLAS), atlas_font: Some(bundled::NOTO_SANS), unifont: Some(bundled::UNIFONT) }
    }
}

/// What draws a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// A glyph of one of the fonts.
    Font { face: u8, glyph: u16 },
    /// Unifont's bitmap of the character.
    Bitmap(char),
    /// The hollow box.
    Box,
}

/// Everything that can be drawn, for one kind of line.
#[derive(Debug)]
pub struct Fonts {
    faces: Vec<Face>,
    packed: Option<&'static [u8]>,
    unifont: OnceLock<Unifont>,
    box_rows: Vec<u8>,
    /// First row of a line that Unifont's bitmaps and the box take.
    bitmap_top: usize,
    /// Rows of them that fit.
    bitmap_rows: usize,
    /// Rows of a line.
    line: usize,
    #[cfg(feature = "shaping")]
    shaper: Option<super::shape::Shaper>,
}

/// Where a drawn glyph's ink lies: its first column and the one after the last.
pub type Ink = Option<[i32; 2]>;

impl Fonts {
    /// Makes fonts ready for the lines of `config`.
    ///
    /// # Errors
    /// [`RenderError::BadFont`], [`RenderError::BadPacked`].
    pub fn new(sources: &FontSources<'_>, config: &RenderConfig) -> Result<Self, RenderError> {
        if sources.files.len() > MOST_FONTS {
            return Err(RenderError::BadFont { reason: format!("{} fonts are more than {MOST_FONTS}", sources.files.len()) });
        }
        #[cfg(feature = "shaping")]
        if config.shaping && config.style == Style::Proportional {
            return Self::shaping(sources, config);
        }
        let mut faces = vec![];
        if config.style == Style::Proportional {
            for file in sources.files {
                faces.push(Face::new(&Bitmaps::rasterise(file, config.font_px)?, config));
            }
            let ready = sources.atlas.map(atlas::read).transpose()?.filter(|atlas| atlas.px == config.font_px);
            match (ready, sources.atlas_font) {
                (Some(atlas), _) => faces.push(Face::new(&atlas, config)),
                (None, Some(font)) => faces.push(Face::new(&Bitmaps::rasterise(font, config.font_px)?, config)),
                (None, None) => {}
            }
        }
        Self::with_faces(faces, sources, config)
    }

    /// The same with all glyphs of every font, and its rules.
    #[cfg(feature = "shaping")]
    fn shaping(sources: &FontSources<'_>, config: &RenderConfig) -> Result<Self, RenderError> {
        let (mut faces, mut shaper) = (vec![], super::shape::Shaper::default());
        if sources.atlas.is_some() && sources.atlas_font.is_none() {
            return Err(RenderError::BadFont { reason: "an atlas has no rules for joining letters; give the font's own file".to_owned() });
        }
        for file in sources.files.iter().map(Vec::as_slice).chain(sources.atlas_font) {
            let bitmaps = Bitmaps::rasterise_all(file, config.font_px)?;
            shaper.add(file, &bitmaps)?;
            faces.push(Face::new(&bitmaps, config));
        }
        Ok(Self { shaper: Some(shaper), ..Self::with_faces(faces, sources, config)? })
    }

    fn with_faces(faces: Vec<Face>, sources: &FontSources<'_>, config: &RenderConfig) -> Result<Self, RenderError> {
        let wanted = config.fallback || config.style == Style::Mono;
        let packed = sources.unifont.filter(|_| wanted);
        // As a fallback it is unfolded (some milliseconds, 2 MB) when a character needs it.
        let unifont = OnceLock::new();
        if config.style == Style::Mono
            && let Some(packed) = packed
        {
            let _ = unifont.set(Unifont::read(packed)?);
        }
        let line = config.line_height as usize;
        Ok(Self {
            faces,
            packed,
            unifont,
            box_rows: hollow_box(line),
            bitmap_top: line.saturating_sub(ROWS) / 2,
            bitmap_rows: line.min(ROWS),
            line,
            #[cfg(feature = "shaping")]
            shaper: None,
        })
    }

    /// Unifont, unfolded; empty where there is none.
    fn unifont(&self) -> &Unifont {
        self.unifont.get_or_init(|| self.packed.and_then(|packed| Unifont::read(packed).ok()).unwrap_or_default())
    }

    /// What draws a character, and its advance in pixels.
    #[inline]
    pub fn find(&self, c: char) -> (Glyph, u16) {
        for (number, face) in self.faces.iter().enumerate() {
            if let Some(glyph) = face.find(c) {
                return (Glyph::Font { face: number as u8, glyph }, face.stamp(glyph).0.advance);
            }
        }
        match self.packed.and_then(|_| self.unifont().width(c)) {
            Some(width) => (Glyph::Bitmap(c), width),
            None => (Glyph::Box, BOX.1),
        }
    }

    /// Whether characters come from the fonts themselves, so that a bitmap is a fallback.
    pub fn has_faces(&self) -> bool {
        !self.faces.is_empty()
    }

    /// Shapes the words of a text, where that is asked for. Returns whether all letters were.
    pub fn shape(&self, cells: &mut Cells) -> bool {
        #[cfg(feature = "shaping")]
        if let Some(shaper) = &self.shaper {
            return shaper.shape(cells);
        }
        let _ = cells;
        false
    }

    /// The rows of a glyph that a shaper moved `down`, and the first of them; what leaves its line is cut.
    fn moved<'r>(&self, stamp: Stamp, rows: &'r [u8], down: i16) -> Option<(usize, &'r [u8])> {
        let top = i32::from(stamp.top) + i32::from(down);
        let row = usize::from(stamp.chunks) * CHUNK;
        let (above, first) = (usize::try_from(-top).unwrap_or(0), usize::try_from(top).unwrap_or(0));
        let rows = rows.get(above * row..)?;
        let rows = rows.get(..rows.len().min(self.line.saturating_sub(first) * row))?;
        (!rows.is_empty()).then_some((first, rows))
    }

    /// Draws a glyph with the pen at `x`, on the line whose first row is `y`; one of a font `down` rows lower than it lies.
    #[inline]
    pub fn draw(&self, paper: &mut Paper<'_>, glyph: Glyph, x: i32, y: usize, down: i16, clip: [usize; 2]) -> Ink {
        match glyph {
            Glyph::Font { face, glyph } => {
                let (stamp, rows) = self.faces.get(usize::from(face))?.stamp(glyph);
                if stamp.width == 0 {
                    return None;
                }
                let (first, rows) = if down == 0 { (usize::from(stamp.top), rows) } else { self.moved(stamp, rows, down)? };
                let x = x + i32::from(stamp.left);
                paper.stamp(rows, usize::from(stamp.chunks), x, y + first, clip);
                Some([x, x + i32::from(stamp.width)])
            }
            Glyph::Bitmap(c) => {
                let (rows, chunks) = self.unifont().rows(c);
                let rows = &rows[..self.bitmap_rows * chunks * CHUNK];
                paper.stamp(rows, chunks, x, y + self.bitmap_top, clip);
                rows.iter().any(|&v| v < 255).then_some([x, x + (chunks * CHUNK) as i32])
            }
            Glyph::Box => {
                paper.stamp(&self.box_rows, 1, x, y + self.bitmap_top, clip);
                Some([x, x + BOX.0 as i32])
            }
        }
    }

    /// SHA-256 of every glyph, in hexadecimal digits: what a model's checkpoint remembers, because a model that learned one font reads another poorly.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        self.faces.iter().for_each(|face| face.digest(|bytes| hash.update(bytes)));
        if self.packed.is_some() {
            self.unifont().digest(|bytes| hash.update(bytes));
        }
        #[cfg(feature = "shaping")]
        if let Some(shaper) = &self.shaper {
            shaper.digest(|bytes| hash.update(bytes));
        }
        hex(&hash.finalize())
    }
}

/// Paper of the hollow box: rows 2 to 13 of a line of 16, fewer of a lower one.
fn hollow_box(line: usize) -> Vec<u8> {
    let rows = line.min(ROWS);
    let (first, last) = (2.min(rows - 1), (rows - 1).min(13));
    let mut paper = vec![255; rows * CHUNK];
    for (y, row) in paper.chunks_exact_mut(CHUNK).enumerate() {
        for (x, value) in row.iter_mut().enumerate().take(BOX.0) {
            let side = y == first || y == last || x == 0 || x == BOX.0 - 1;
            if (first..=last).contains(&y) && side {
                *value = 0;
            }
        }
    }
    paper
}

//! Letters joined and placed as their script asks: HarfBuzz's algorithm between reading and wrapping.
//!
//! **Idea.** One glyph a code point is what published screenshot models saw, and it is wrong for Arabic, Devanagari and every script whose letters change with their neighbours. With
//! [`RenderConfig::shaping`](super::RenderConfig::shaping) each word goes through a shaper, and its cells are replaced by the glyphs that came out. **Method.** A word is cut where its direction,
//! font or script changes; a glyph takes the bytes of all characters of its cluster, advances and offsets are rounded to whole pixels. Spaces are never joined to words, so lines end where they
//! would. What the fonts lack stays unshaped, and the report then does not call the picture shaped. **Source.** The crate `harfrust`, HarfBuzz's own port to Rust.

use harfrust::{
    Buffer, BufferFlags, Direction, GlyphId, Script, ShapeOptions, ShapePlan, ShaperFont, Tag,
    font::{Blob, Font},
    shape,
};
use sha2::{Digest, Sha256};
use unicode_script::{Script as Uax24, UnicodeScript};

use super::{
    RenderError,
    bitmaps::Bitmaps,
    fonts::Glyph,
    text::{Cell, Cells, Kind},
};

/// One font's rules.
struct Rules {
    font: Font,
    /// SHA-256 of its file.
    bytes: [u8; 32],
    /// Pixels of a font unit.
    scale: f32,
    /// Glyphs with an outline that the rasteriser did not read: a word that needs one is left as it is.
    unread: Vec<bool>,
}

/// The rules of all fonts, in their order.
#[derive(Default)]
pub struct Shaper {
    rules: Vec<Rules>,
}

impl std::fmt::Debug for Shaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shaper of {} fonts", self.rules.len())
    }
}

/// A compiled plan with what it is for.
struct Plan {
    face: u8,
    script: Script,
    direction: Direction,
    compiled: ShapePlan,
}

/// A glyph that a shaper placed: its cell, and how far from the pen it stands (right, down), in pixels.
type Placed = (Cell, [i16; 2]);

impl Shaper {
    /// Adds the rules of a font whose glyphs, all of them, are `bitmaps`.
    ///
    /// # Errors
    /// [`RenderError::BadFont`].
    pub fn add(&mut self, font: &[u8], bitmaps: &Bitmaps) -> Result<(), RenderError> {
        let bytes = Sha256::digest(font).into();
        let bad = || RenderError::BadFont { reason: "its shaping rules cannot be read".to_owned() };
        let font = Font::new(Blob::from(font.to_vec()), 0).ok_or_else(bad)?;
        let units = font.units_per_em();
        if units == 0 {
            return Err(bad());
        }
        let shaper = ShaperFont::new(&font);
        let drawn = |glyph: u32| shaper.glyph_extents(GlyphId::new(glyph)).is_some_and(|extents| extents.width != 0 && extents.height != 0);
        let unread = bitmaps.glyphs.iter().enumerate().map(|(number, bitmap)| bitmap.width == 0 && drawn(number as u32)).collect();
        let scale = bitmaps.px / f32::from(units);
        self.rules.push(Rules { font, bytes, scale, unread });
        Ok(())
    }

    /// What decides how words are shaped, for the font's hash.
    pub fn digest(&self, mut update: impl FnMut(&[u8])) {
        update(b"shaped");
        self.rules.iter().for_each(|rules| update(&rules.bytes));
    }

    /// Shapes every word. Returns whether all letters went through a shaper.
    pub fn shape(&self, cells: &mut Cells) -> bool {
        let fonts: Vec<ShaperFont<'_, '_>> = self.rules.iter().map(|rules| ShaperFont::new(&rules.font)).collect();
        let mut plans = vec![];
        let mut all = true;
        let (mut out, mut offsets) = (Vec::with_capacity(cells.cells.len()), Vec::with_capacity(cells.cells.len()));
        let mut prefix = None;
        let mut at = 0;
        while at < cells.cells.len() {
            if at >= cells.prefix {
                prefix.get_or_insert(out.len());
            }
            let of = Run::at(&cells.cells, at, cells.prefix);
            let run = cells.cells.get(at..of.end).unwrap_or_default();
            at = of.end;
            if let Some(placed) = self.run(run, &of, &fonts, &mut plans) {
                for (cell, offset) in placed {
                    out.push(cell);
                    offsets.push(offset);
                }
            } else {
                all &= run.iter().all(|cell| cell.kind != Kind::Word);
                out.extend_from_slice(run);
                offsets.resize(out.len(), [0; 2]);
            }
        }
        cells.prefix = prefix.unwrap_or(out.len());
        (cells.cells, cells.offsets) = (out, offsets);
        all
    }

    /// The glyphs of a run in reading order; none where it has no letters of a font, or a glyph cannot be drawn.
    fn run(&self, run: &[Cell], of: &Run, fonts: &[ShaperFont<'_, '_>], plans: &mut Vec<Plan>) -> Option<Vec<Placed>> {
        let (face, level) = of.letters?;
        let (rules, font) = (self.rules.get(usize::from(face))?, fonts.get(usize::from(face))?);
        let script = of.script.unwrap_or(Script::COMMON);
        let direction = if level % 2 == 1 { Direction::RightToLeft } else { Direction::LeftToRight };
        let known = plans.iter().position(|plan| (plan.face, plan.script, plan.direction) == (face, script, direction));
        let known = known.unwrap_or_else(|| {
            plans.push(Plan { face, script, direction, compiled: ShapePlan::new(&rules.font, direction, Some(script), None, &[]) });
            plans.len() - 1
        });
        let mut buffer = Buffer::new();
        for (cluster, cell) in run.iter().enumerate() {
            buffer.push(u32::from(cell.c), cluster as u32);
        }
        buffer.set_direction(direction);
        buffer.set_script(Some(script));
        buffer.set_flags(BufferFlags::BEGINNING_OF_TEXT | BufferFlags::END_OF_TEXT | BufferFlags::REMOVE_DEFAULT_IGNORABLES);
        shape(font, &mut buffer, ShapeOptions::new().plan(Some(&plans.get(known)?.compiled))).ok()?;
        if !buffer.allocation_successful() {
            return None;
        }
        let (infos, positions) = (buffer.glyph_infos(), buffer.glyph_positions());
        let pixels = |units: i32| (units as f32 * rules.scale).round();
        let mut placed: Vec<Placed> = Vec::with_capacity(infos.len());
        for (info, position) in infos.iter().zip(positions) {
            let glyph = u16::try_from(info.glyph_id).ok()?;
            if *rules.unread.get(usize::from(glyph))? {
                return None;
            }
            let first = run.get(info.cluster as usize)?;
            // A shaper may move the pen back; a whole number of pixels forward is what a line can hold.
            let advance = pixels(position.x_advance).clamp(0.0, f32::from(u16::MAX)) as u16;
            let glyph = Glyph::Font { face, glyph };
            // The cluster, until its bytes are known.
            let cell = Cell { c: first.c, glyph, start: info.cluster, end: info.cluster, advance, level, kind: Kind::Word };
            placed.push((cell, [pixels(position.x_offset) as i16, -pixels(position.y_offset) as i16]));
        }
        if direction == Direction::RightToLeft {
            placed.reverse();
        }
        // Clusters ascend now: each takes the bytes up to the next one's.
        let mut end = run.len();
        for group in placed.chunk_by_mut(|a, b| a.0.start == b.0.start).rev() {
            let cluster = group.first()?.0.start as usize;
            let of = run.get(cluster..end)?;
            let bytes = (of.iter().map(|cell| cell.start).min()?, of.iter().map(|cell| cell.end).max()?);
            for (cell, _) in group {
                (cell.start, cell.end) = bytes;
            }
            end = cluster;
        }
        Some(placed)
    }
}

fn script_of(c: char) -> Script {
    match c.script() {
        Uax24::Common | Uax24::Inherited | Uax24::Unknown => Script::COMMON,
        script => Script::from_iso15924_tag(Tag::from_be_bytes(four(script.short_name()))).unwrap_or(Script::COMMON),
    }
}

fn four(name: &str) -> [u8; 4] {
    name.as_bytes().first_chunk().copied().unwrap_or(*b"Zyyy")
}

/// Cells that are shaped together.
struct Run {
    end: usize,
    /// Font and level of its letters; joiners and marks of direction follow them.
    letters: Option<(u8, u8)>,
    /// Where any letter has one.
    script: Option<Script>,
}

impl Run {
    /// The run that begins at `at`: up to the next cell that is no letter, or whose direction, font or script is another. A cell that is no letter is a run of its own.
    fn at(cells: &[Cell], at: usize, prefix: usize) -> Self {
        let mut run = Self { end: at, letters: None, script: None };
        while let Some(cell) = cells.get(run.end).filter(|cell| matches!(cell.kind, Kind::Word | Kind::Invisible)) {
            if cell.kind == Kind::Word {
                let Glyph::Font { face, .. } = cell.glyph else { break };
                let own = Some(script_of(cell.c)).filter(|&script| script != Script::COMMON);
                let other_script = own.is_some() && run.script.is_some() && own != run.script;
                if other_script || run.letters.is_some_and(|letters| letters != (face, cell.level)) {
                    break;
                }
                (run.letters, run.script) = (Some((face, cell.level)), run.script.or(own));
            }
            run.end += 1;
            if run.end == prefix {
                break;
            }
        }
        run.end = run.end.max(at + 1);
        run
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::{FontSources, RenderConfig, Renderer, Report, bundled::NOTO_SANS, text::Cells};
    use super::*;

    const ARABIC: &[u8] = include_bytes!("../../../../../tests/fixtures/shaping/NotoNaskhArabic-subset.ttf");
    const DEVANAGARI: &[u8] = include_bytes!("../../../../../tests/fixtures/shaping/NotoSansDevanagari-subset.ttf");
    const GOLDEN: &str = include_str!("../../../../../tests/fixtures/shaping/golden.json");

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        font: String,
        word: String,
        rtl: bool,
        glyphs: Vec<[i32; 6]>,
    }

    fn renderer(font: Option<&[u8]>, shaping: bool) -> Renderer {
        let files: Vec<Vec<u8>> = font.map(<[u8]>::to_vec).into_iter().collect();
        // Large enough that a wrong number of units shows in pixels.
        let config = RenderConfig { shaping, font_px: 100.0, ..RenderConfig::strip(200) };
        Renderer::new(config, &FontSources { files: &files, ..FontSources::bundled() }).unwrap()
    }

    /// HarfBuzz's own glyphs, advances and offsets for words of six scripts.
    #[test]
    fn words_are_shaped_as_harfbuzz_does() {
        let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
        assert!(golden.cases.len() >= 38);
        for case in golden.cases {
            let font = match case.font.as_str() {
                "NotoSans-Regular.ttf" => None,
                "NotoNaskhArabic-subset.ttf" => Some(ARABIC),
                _ => Some(DEVANAGARI),
            };
            let units = Font::new(Blob::from(font.unwrap_or(NOTO_SANS).to_vec()), 0).unwrap().units_per_em();
            let pixels = |value: i32| (value as f32 * (100.0 / f32::from(units))).round() as i16;
            let bytes: Vec<u32> = case.word.char_indices().map(|(at, _)| at as u32).chain([case.word.len() as u32]).collect();
            let wanted: Vec<(u16, u16, [i16; 2], [u32; 2])> = case
                .glyphs
                .iter()
                .map(|&[glyph, advance, right, up, first, count]| {
                    let bytes = [bytes[first as usize], bytes[(first + count) as usize]];
                    (glyph as u16, pixels(advance) as u16, [pixels(right), -pixels(up)], bytes)
                })
                .collect();
            let mut cells = Cells::default();
            let mut report = Report::default();
            renderer(font, true).read(case.word.as_bytes(), &mut cells, &mut report).unwrap();
            let found: Vec<_> = cells
                .cells
                .iter()
                .zip(&cells.offsets)
                .map(|(cell, &offset)| {
                    assert!(matches!(cell.glyph, Glyph::Font { face: 0, .. }) && (cell.level % 2 == 1) == case.rtl, "{}", case.word);
                    let Glyph::Font { glyph, .. } = cell.glyph else { unreachable!() };
                    (glyph, cell.advance, offset, [cell.start, cell.end])
                })
                .collect();
            assert_eq!(found, wanted, "{}", case.word);
            assert!(report.shaped, "{}", case.word);
        }
    }

    #[test]
    fn the_report_says_what_was_shaped() {
        let shaped = |font, shaping, text: &str| renderer(font, shaping).render(text).unwrap().report.shaped;
        assert!(shaped(Some(ARABIC), true, "سلام (To) 12"));
        assert!(!shaped(Some(ARABIC), false, "سلام"));
        assert!(!shaped(None, true, "سلام"), "Unifont has no rules");
        assert!(!shaped(None, true, "a \u{e000}"), "neither has the box");
    }

    /// What needs no rule is drawn as without them; what needs one is not.
    #[test]
    fn pictures_change_where_rules_apply() {
        let same = |text: &str| renderer(None, true).render(text).unwrap().pixels == renderer(None, false).render(text).unwrap().pixels;
        assert!(same("hmn hhh 123 \u{e000} ×"));
        assert!(!same("AVATAR"));
        // The prefix keeps its length in cells, and stands for no bytes.
        let config = RenderConfig { shaping: true, prefix: "office: ".into(), ..RenderConfig::strip(20) };
        let picture = Renderer::bundled(config).unwrap().render("office").unwrap();
        let bytes: Vec<[u32; 2]> = picture.bytes_under.iter().copied().filter(|under| under[1] > 0).collect();
        assert_eq!((bytes.first().unwrap()[0], bytes.last().unwrap()[1], picture.report.glyphs), (0, 6, 4));
    }

    #[test]
    fn an_atlas_alone_has_no_rules() {
        let sources = FontSources { atlas_font: None, ..FontSources::bundled() };
        let error = Renderer::new(RenderConfig { shaping: true, ..RenderConfig::strip(2) }, &sources).unwrap_err();
        assert!(error.to_string().contains("give the font's own file"), "{error}");
    }
}

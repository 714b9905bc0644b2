//! Text in, picture out.

use super::{
    Fonts, RenderConfig, RenderError, Report, Screenshot, bidi,
    blit::Paper,
    fonts::{FontSources, Glyph},
    layout::{self, Line},
    report::Missing,
    screenshot::WHITE,
    text::{self, Cells, Kind},
};

/// What knows the glyph of a character and its advance.
pub trait Advances {
    fn find(&self, c: char) -> (Glyph, u16);
}

/// Draws texts by one config. It holds no state between them, so threads share one.
#[derive(Debug)]
pub struct Renderer {
    pub(super) config: RenderConfig,
    fonts: Fonts,
    /// Glyphs of ASCII, so that most text never asks a table of pages.
    ascii: Vec<(Glyph, u16)>,
}

/// Memory between pictures: with it, drawing left-to-right text allocates nothing once warm. The order of right-to-left text and the list of missing characters take some allocations a text.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    pub(super) cells: Cells,
    pub(super) second: Cells,
    pub(super) lines: Vec<Line>,
    pub(super) missing: Vec<u32>,
}

impl Advances for Renderer {
    #[inline]
    fn find(&self, c: char) -> (Glyph, u16) {
        match self.ascii.get(c as usize) {
            Some(&known) => known,
            None => self.fonts.find(c),
        }
    }
}

/// A part of a strip: columns of pixels, lines that fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    pub left: u32,
    pub width: u32,
}

impl Renderer {
    /// A renderer with the given fonts.
    ///
    /// # Errors
    /// What is wrong with the config or a font.
    pub fn new(config: RenderConfig, sources: &FontSources<'_>) -> Result<Self, RenderError> {
        config.check()?;
        let fonts = Fonts::new(sources, &config)?;
        let ascii = (0..128_u8).map(|c| fonts.find(char::from(c))).collect();
        Ok(Self { config, fonts, ascii })
    }

    /// A renderer with the fonts that come with the program.
    ///
    /// # Errors
    /// What is wrong with the config.
    pub fn bundled(config: RenderConfig) -> Result<Self, RenderError> {
        Self::new(config, &FontSources::bundled())
    }

    /// What is drawn with.
    #[must_use]
    pub fn config(&self) -> &RenderConfig {
        &self.config
    }

    /// What every glyph hashes to; see [`Fonts::hash`].
    #[must_use]
    pub fn font_hash(&self) -> String {
        self.fonts.hash()
    }

    /// Draws a text.
    ///
    /// # Errors
    /// [`RenderError::BadUtf8`] in strict mode, [`RenderError::TextTooLong`].
    pub fn render(&self, text: impl AsRef<[u8]>) -> Result<Screenshot, RenderError> {
        let mut out = Screenshot::default();
        self.render_into(text.as_ref(), &mut Scratch::default(), &mut out)?;
        Ok(out)
    }

    /// Draws a text, reusing memory.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_into(&self, text: &[u8], scratch: &mut Scratch, out: &mut Screenshot) -> Result<(), RenderError> {
        self.blank(out);
        self.read(text, &mut scratch.cells, &mut out.report)?;
        let used = layout::wrap(&scratch.cells.cells, self.config.width, self.config.lines(), &mut scratch.lines);
        scratch.missing.clear();
        let ink_end = self.draw(&scratch.cells, &scratch.lines, Region { left: 0, width: self.config.width }, out, &mut scratch.missing);
        account(&scratch.cells, used, &mut out.report);
        count_missing(&mut scratch.missing, &mut out.report);
        self.finish(ink_end, out);
        Ok(())
    }

    /// Empty paper and an empty report.
    pub(super) fn blank(&self, out: &mut Screenshot) {
        let config = &self.config;
        (out.width, out.height, out.patch_width, out.patch_height) = (config.width, config.height, config.patch_width, config.patch_height);
        out.pixels.resize(config.width as usize * config.height as usize, WHITE);
        out.pixels.fill(WHITE);
        out.bytes_under.resize(config.patches(), [0, 0]);
        out.bytes_under.fill([0, 0]);
        let mut missing_list = std::mem::take(&mut out.report.missing_list);
        missing_list.clear();
        out.report = Report { missing_list, ..Report::default() };
    }

    /// Cells of a text, with their levels.
    pub(super) fn read(&self, text: &[u8], cells: &mut Cells, report: &mut Report) -> Result<(), RenderError> {
        text::read(text, &self.config, self, cells, report)?;
        if cells.rtl {
            bidi::set_levels(&mut cells.cells, self);
        }
        report.shaped = self.fonts.shape(cells);
        Ok(())
    }

    /// Draws lines of cells into a region. Returns one past the last patch that may have ink, in the order of patches.
    pub(super) fn draw(&self, cells: &Cells, lines: &[Line], region: Region, out: &mut Screenshot, missing: &mut Vec<u32>) -> usize {
        let config = &self.config;
        let columns = config.grid().0 as usize;
        let clip = [region.left as usize, (region.left + region.width) as usize];
        let mut ink_end = 0;
        for (number, &[first, last]) in lines.iter().enumerate() {
            let Some(line) = cells.cells.get(first..last) else { continue };
            let y = number as u32 * config.line_height;
            let bands = (y / config.patch_height, (y + config.line_height - 1) / config.patch_height);
            let mut ink_right = 0;
            let mut x = region.left;
            let mut under =
                Under { bytes: &mut out.bytes_under, columns, bands, patch_width: config.patch_width, patch: 0, edge: config.patch_width };
            let mut paper = Paper { pixels: &mut out.pixels, width: config.width as usize };
            let mut place = |at: usize| {
                let Some(cell) = line.get(at).filter(|cell| cell.kind != Kind::Invisible) else { return };
                let [right, down] = cells.offsets.get(first + at).copied().unwrap_or_default();
                let pen = x as i32 + i32::from(right);
                if let Some(ink) = self.fonts.draw(&mut paper, cell.glyph, pen, y as usize, down, clip) {
                    ink_right = ink_right.max(ink[1]);
                }
                if first + at >= cells.prefix {
                    match cell.glyph {
                        Glyph::Box => missing.push(u32::from(cell.c)),
                        Glyph::Bitmap(_) => out.report.fallback += u32::from(self.fonts.has_faces()),
                        Glyph::Font { .. } => {}
                    }
                    out.report.glyphs += 1;
                    under.mark(x, cell.advance, [cell.start, cell.end]);
                }
                x += u32::from(cell.advance);
            };
            if cells.rtl {
                bidi::visual_order(line).into_iter().for_each(&mut place);
                out.report.rtl_runs += bidi::rtl_runs(line);
            } else {
                (0..line.len()).for_each(&mut place);
            }
            if ink_right > 0 {
                let column = (ink_right as usize).min(clip[1]).saturating_sub(1) / config.patch_width as usize;
                ink_end = ink_end.max(bands.1 as usize * columns + column + 1);
            }
        }
        out.report.lines += lines.len() as u32;
        ink_end.min(config.patches())
    }

    /// Finds the last patch with ink from `ink_end` down, and sets the end marker.
    pub(super) fn finish(&self, mut ink_end: usize, out: &mut Screenshot) {
        while ink_end > 0 && out.is_white(ink_end - 1) {
            ink_end -= 1;
        }
        let patches = self.config.patches();
        out.report.ink = ink_end > 0;
        out.report.end_patch = ink_end;
        out.report.attended = ink_end;
        if self.config.end_marker {
            out.blacken(ink_end.min(patches.saturating_sub(1)));
            out.report.attended = (ink_end + 1).min(patches);
        }
    }
}

/// Notes how far a text was drawn.
fn account(cells: &Cells, used: usize, report: &mut Report) {
    let next = cells.cells.get(used.max(cells.prefix));
    report.all_rendered = next.is_none() && !cells.stopped;
    // A prefix that fills the picture leaves no room for the text's first byte.
    report.rendered_bytes = match next {
        Some(cell) => cell.start as usize,
        None if cells.stopped => cells.cells.last().map_or(0, |cell| cell.end as usize),
        None => report.total_bytes,
    };
}

/// Sorts the boxes drawn into the report.
pub(super) fn count_missing(missing: &mut [u32], report: &mut Report) {
    missing.sort_unstable();
    report.missing = missing.len() as u32;
    let runs = missing.chunk_by(|a, b| a == b);
    report.missing_list.extend(runs.filter_map(|run| Some(Missing { code_point: *run.first()?, count: run.len() as u32 })));
}

/// Notes bytes under patches, going along a line.
struct Under<'a> {
    bytes: &'a mut [[u32; 2]],
    columns: usize,
    /// First and last row of patches the line touches.
    bands: (u32, u32),
    patch_width: u32,
    /// Column of patches the pen is in, and where it ends.
    patch: usize,
    edge: u32,
}

impl Under<'_> {
    #[inline]
    fn mark(&mut self, x: u32, advance: u16, bytes: [u32; 2]) {
        // A mark without advance belongs to the letter before it.
        let (from, to) = if advance == 0 { (x.saturating_sub(1), x.max(1)) } else { (x, x + u32::from(advance)) };
        while self.edge <= from {
            (self.patch, self.edge) = (self.patch + 1, self.edge + self.patch_width);
        }
        let mut patch = self.patch;
        let mut edge = self.edge;
        loop {
            for band in self.bands.0..=self.bands.1 {
                if patch < self.columns
                    && let Some(under) = self.bytes.get_mut(band as usize * self.columns + patch)
                {
                    *under = if under[0] == under[1] { bytes } else { [under[0].min(bytes[0]), under[1].max(bytes[1])] };
                }
            }
            if edge >= to {
                return;
            }
            (patch, edge) = (patch + 1, edge + self.patch_width);
        }
    }
}

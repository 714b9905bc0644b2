//! Two texts on one strip: the first, a black patch, the second, a black patch.
//!
//! **Room.** When both fit they are drawn whole. Otherwise room is shared in proportion to their lengths, but each text keeps at least a quarter of it, and what one leaves the other takes.
//! PIXEL (Rust et al., 2022) draws pairs so for classification; the share is our own.

use super::{
    RenderError, Renderer, Report, Screenshot, layout,
    renderer::{Region, Scratch, count_missing},
    text::Cells,
};

/// A quarter of the room for each text, two black patches: fewer patches than this hold no pair.
const LEAST_PATCHES: u32 = 6;

impl Renderer {
    /// Draws a pair of texts on a strip. The report's counts are of both; its bytes are those of the first text, then those of the second.
    ///
    /// # Errors
    /// [`RenderError::NoRoomForPair`], and those of [`Renderer::render`].
    pub fn render_pair(&self, first: &[u8], second: &[u8], scratch: &mut Scratch, out: &mut Screenshot) -> Result<(), RenderError> {
        let config = &self.config;
        let (columns, rows) = config.grid();
        if rows != 1 || columns < LEAST_PATCHES {
            return Err(RenderError::NoRoomForPair { rows, columns, least: LEAST_PATCHES });
        }
        self.blank(out);
        let mut reports = [Report::default(), Report::default()];
        self.read(first, &mut scratch.cells, &mut reports[0])?;
        self.read(second, &mut scratch.second, &mut reports[1])?;
        // Only the pair as a whole has a prefix.
        scratch.second.cells.drain(..scratch.second.prefix);
        scratch.second.offsets.drain(..scratch.second.prefix.min(scratch.second.offsets.len()));
        scratch.second.prefix = 0;
        let room = columns - 2;
        let wanted = [&scratch.cells, &scratch.second].map(|cells| patches(cells, config.patch_width));
        let [a, _] = share(room, wanted);

        let mut missing = std::mem::take(&mut scratch.missing);
        missing.clear();
        let mut used = [0; 2];
        used[0] = layout::wrap(&scratch.cells.cells, a * config.patch_width, 1, &mut scratch.lines);
        let mut end = self.draw(&scratch.cells, &scratch.lines, Region { left: 0, width: a * config.patch_width }, out, &mut missing);
        while end > 0 && out.is_white(end - 1) {
            end -= 1;
        }
        out.blacken(end);
        let left = (end as u32 + 1) * config.patch_width;
        let width = config.width - left - config.patch_width;
        used[1] = layout::wrap(&scratch.second.cells, width, 1, &mut scratch.lines);
        // The bytes of the second text come after those of the first.
        let shift = first.len() as u32;
        for cell in &mut scratch.second.cells {
            (cell.start, cell.end) = (cell.start + shift, cell.end + shift);
        }
        let ink_end = self.draw(&scratch.second, &scratch.lines, Region { left, width }, out, &mut missing);
        let ends = [drawn_to(&scratch.cells, used[0], first.len()), drawn_to(&scratch.second, used[1], first.len() + second.len())];
        let report = &mut out.report;
        report.shaped = reports.iter().all(|part| part.shaped);
        for part in reports {
            report.replaced += part.replaced;
            report.dropped += part.dropped;
            report.invisible += part.invisible;
            report.newlines += part.newlines;
            report.mask_literals += part.mask_literals;
        }
        report.total_bytes = first.len() + second.len();
        report.all_rendered = ends.iter().all(|(_, whole)| *whole);
        report.rendered_bytes = if ends[0].1 { ends[1].0 } else { ends[0].0 };
        count_missing(&mut missing, report);
        scratch.missing = missing;
        let ink = end > 0 || ink_end > end + 1;
        self.finish(ink_end.max(end + 1), out);
        out.report.ink = ink;
        Ok(())
    }
}

/// Patches a text would take on an endless strip.
fn patches(cells: &Cells, patch_width: u32) -> u32 {
    let advance: u64 = cells.cells.iter().map(|cell| u64::from(cell.advance)).sum();
    u32::try_from(advance.div_ceil(u64::from(patch_width.max(1)))).unwrap_or(u32::MAX)
}

/// Shares `room` patches between texts that want so many.
fn share(room: u32, wanted: [u32; 2]) -> [u32; 2] {
    let least = room / 4;
    let all = (u64::from(wanted[0]) + u64::from(wanted[1])).max(1);
    let fair = (u64::from(room) * u64::from(wanted[0]) / all) as u32;
    let first =
        if all <= u64::from(room) { wanted[0] } else { wanted[0].min(fair.clamp(least, room - least).max(room.saturating_sub(wanted[1]))) };
    [first, room - first]
}

/// The byte up to which a text is drawn, and whether that is all of it.
fn drawn_to(cells: &Cells, used: usize, end: usize) -> (usize, bool) {
    match cells.cells.get(used) {
        Some(cell) => (cell.start as usize, false),
        None if cells.stopped => (cells.cells.last().map_or(0, |cell| cell.end as usize), false),
        None => (end, true),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn room_is_shared() {
        assert_eq!(share(40, [10, 20]), [10, 30]);
        assert_eq!(share(40, [100, 100]), [20, 20]);
        assert_eq!(share(40, [1000, 5]), [35, 5]);
        assert_eq!(share(40, [5, 1000]), [5, 35]);
        assert_eq!(share(40, [30, 1000]), [10, 30], "each keeps a quarter");
        assert_eq!(share(40, [0, 0]), [0, 40]);
    }
}

//! Glyphs onto paper: the smaller of two bytes, eight at a time.
//!
//! **Idea.** A glyph is kept as paper (255 less its ink) in rows padded with white to a multiple of eight bytes. The darker of paper and picture is then right for every pixel, padding
//! included, so overlapping boxes never erase each other and a row is one vector instruction.

/// Bytes that are taken together.
pub const CHUNK: usize = 8;

/// A glyph ready to be drawn on a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Pixels to the next glyph.
    pub advance: u16,
    /// From the pen to the first column.
    pub left: i16,
    /// First row of the line with ink.
    pub top: u16,
    /// Columns with ink; 0 for a glyph without.
    pub width: u16,
    /// Chunks of each row.
    pub chunks: u16,
    /// Where its rows lie.
    pub offset: u32,
    /// Rows with ink.
    pub rows: u16,
}

/// A picture being drawn, `[height, width]`.
pub struct Paper<'a> {
    pub pixels: &'a mut [u8],
    pub width: usize,
}

fn darken(to: &mut [u8; CHUNK], paper: &[u8; CHUNK]) {
    for (to, &paper) in to.iter_mut().zip(paper) {
        *to = (*to).min(paper);
    }
}

impl Paper<'_> {
    /// Draws rows of `chunks` chunks with the first column at `x` and the first row at `y`, between the columns `clip` (start included, end not).
    #[inline]
    pub fn stamp(&mut self, rows: &[u8], chunks: usize, x: i32, y: usize, clip: [usize; 2]) {
        let columns = chunks * CHUNK;
        let start = x.max(0) as usize;
        if x < clip[0] as i32 || start + columns > clip[1] {
            return self.clipped(rows, columns, x, y, clip);
        }
        let mut at = y * self.width + start;
        if chunks == 1 {
            for paper in rows.as_chunks::<CHUNK>().0 {
                if let Some(to) = self.pixels.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<CHUNK>) {
                    darken(to, paper);
                }
                at += self.width;
            }
            return;
        }
        for paper in rows.chunks_exact(columns.max(1)) {
            if let Some(to) = self.pixels.get_mut(at..at + columns) {
                for (to, paper) in to.as_chunks_mut::<CHUNK>().0.iter_mut().zip(paper.as_chunks::<CHUNK>().0) {
                    darken(to, paper);
                }
            }
            at += self.width;
        }
    }

    /// The same at an edge: pixel by pixel, what lies outside is left out.
    fn clipped(&mut self, rows: &[u8], columns: usize, x: i32, y: usize, clip: [usize; 2]) {
        for (row, paper) in rows.chunks_exact(columns.max(1)).enumerate() {
            let line = (y + row) * self.width;
            for (column, &paper) in paper.iter().enumerate() {
                let at = x + column as i32;
                if at >= clip[0] as i32
                    && at < clip[1] as i32
                    && let Some(to) = self.pixels.get_mut(line + at as usize)
                {
                    *to = (*to).min(paper);
                }
            }
        }
    }
}

//! Where lines end.
//!
//! **Rule** (the published renderer's). A line is left at a space when the next word does not fit; that space is swallowed. A word wider than a whole line is broken at the edge, from where it
//! begins. When no line is left, drawing ends, and what was not drawn is said.

use super::text::{Cell, Kind};

/// The cells of one line, in reading order: from the first up to, not including, the second.
pub type Line = [usize; 2];

/// Breaks cells into at most `most` lines of `width` pixels. Returns how many cells were used up, swallowed spaces included; `lines` gets the lines and is cleared first.
pub fn wrap(cells: &[Cell], width: u32, most: u32, lines: &mut Vec<Line>) -> usize {
    lines.clear();
    let (mut first, mut x, mut i) = (0, 0_u32, 0);
    let left = |lines: &Vec<Line>| (lines.len() as u32) + 1 < most;
    while let Some(cell) = cells.get(i) {
        match cell.kind {
            Kind::Break => {
                let more = left(lines);
                lines.push([first, i]);
                i += 1;
                if !more {
                    return i;
                }
                (first, x) = (i, 0);
            }
            Kind::Space if x + u32::from(cell.advance) > width => {
                let more = left(lines);
                lines.push([first, i]);
                i += 1;
                if !more {
                    return i;
                }
                (first, x) = (i, 0);
            }
            Kind::Space => {
                x += u32::from(cell.advance);
                i += 1;
            }
            Kind::Word | Kind::Token | Kind::Invisible => {
                let mut end = i;
                let mut word = 0_u32;
                // A word wider than a line need not be looked at to its end.
                while let Some(next) = cells.get(end).filter(|next| !matches!(next.kind, Kind::Space | Kind::Break) && word <= width) {
                    word += u32::from(next.advance);
                    end += 1;
                }
                if x + word <= width {
                    (x, i) = (x + word, end);
                } else if word <= width {
                    // It fits a line of its own.
                    let more = left(lines);
                    lines.push([first, i]);
                    if !more {
                        return i;
                    }
                    (first, x) = (i, 0);
                } else {
                    let begins = x == 0;
                    while let Some(next) = cells.get(i).filter(|next| x + u32::from(next.advance) <= width && i < end) {
                        x += u32::from(next.advance);
                        i += 1;
                    }
                    // A glyph wider than the line is drawn as far as it goes.
                    if begins && i == first {
                        i += 1;
                    }
                    let more = left(lines);
                    lines.push([first, i]);
                    if !more {
                        return i;
                    }
                    (first, x) = (i, 0);
                }
            }
        }
    }
    if first < i {
        lines.push([first, i]);
    }
    i
}

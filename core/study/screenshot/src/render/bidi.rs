//! The order in which letters are seen.
//!
//! **Method.** The Unicode bidirectional algorithm (UAX #9), by the crate `unicode-bidi`, paragraph by paragraph; the direction of a paragraph is that of its first strong letter. Lines are
//! wrapped in reading order and put into visual order afterwards. Brackets in right-to-left runs are mirrored. Letters are not joined: that is shaping, and the report says so.

use unicode_bidi::{BidiClass, BidiInfo, Level, bidi_class};

use super::{
    renderer::Advances,
    text::{Cell, Kind},
};

/// Whether a character can start a run from right to left.
pub fn is_right_to_left(c: char) -> bool {
    matches!(bidi_class(c), BidiClass::R | BidiClass::AL | BidiClass::RLE | BidiClass::RLO | BidiClass::RLI)
}

/// Pairs that face each other.
const MIRRORED: [(char, char); 12] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('<', '>'),
    ('«', '»'),
    ('‹', '›'),
    ('≤', '≥'),
    ('⟨', '⟩'),
    ('⟦', '⟧'),
    ('「', '」'),
    ('『', '』'),
    ('【', '】'),
];

fn mirror(c: char) -> char {
    MIRRORED.iter().find_map(|&(a, b)| if c == a { Some(b) } else { (c == b).then_some(a) }).unwrap_or(c)
}

/// Gives every cell its level, and mirrors what stands in right-to-left runs.
pub fn set_levels(cells: &mut [Cell], fonts: &impl Advances) {
    for paragraph in cells.chunk_by_mut(|a, b| ends_paragraph(a) == ends_paragraph(b)) {
        if paragraph.first().is_none_or(ends_paragraph) {
            continue;
        }
        let text: String = paragraph.iter().map(|cell| cell.c).collect();
        let info = BidiInfo::new(&text, None);
        let mut at = 0;
        for cell in paragraph {
            cell.level = info.levels.get(at).map_or(0, Level::number);
            at += cell.c.len_utf8();
            if cell.level % 2 == 1 && mirror(cell.c) != cell.c {
                (cell.glyph, cell.advance) = fonts.find(mirror(cell.c));
            }
        }
    }
}

fn ends_paragraph(cell: &Cell) -> bool {
    matches!(cell.kind, Kind::Token | Kind::Break)
}

/// The cells of a line as they are seen from left to right.
pub fn visual_order(cells: &[Cell]) -> Vec<usize> {
    let level = |cell: &Cell| Level::new(cell.level).unwrap_or_else(|_| Level::ltr());
    BidiInfo::reorder_visual(&cells.iter().map(level).collect::<Vec<_>>())
}

/// Runs from right to left among cells in reading order: from a cell with an odd level to the next that is read from left to right at the outermost level.
pub fn rtl_runs(cells: &[Cell]) -> u32 {
    let mut inside = false;
    let mut runs = 0;
    for cell in cells {
        runs += u32::from(!inside && cell.level % 2 == 1);
        inside = cell.level > 0;
    }
    runs
}

//! Pixels and attention as people look at them.

use super::Look;
use crate::render::Screenshot;

/// The mean over heads of one text's attention `[heads, queries, keys]`: a row a query.
pub fn mean_heads(weights: &[f32], heads: usize, keys: usize) -> Vec<Vec<f32>> {
    let (heads, keys) = (heads.max(1), keys.max(1));
    let of_head = weights.len() / heads;
    let row = |start: usize| {
        let mut mean = vec![0.0; keys];
        for head in 0..heads {
            let from = head * of_head + start;
            mean.iter_mut().zip(weights.get(from..from + keys).unwrap_or_default()).for_each(|(to, x)| *to += x / heads as f32);
        }
        mean
    };
    (0..of_head / keys).map(|query| row(query * keys)).collect()
}

/// Puts values of 0 to 1 in the place of a patch.
pub fn put(pixels: &mut [u8], shot: &Screenshot, patch: usize, values: &[f64]) {
    let (width, patch_width, columns) = (shot.width as usize, shot.patch_width.max(1) as usize, shot.columns().max(1));
    let start = patch / columns * shot.patch_height as usize * width + patch % columns * patch_width;
    for (y, row) in values.chunks(patch_width).enumerate() {
        let from = start + y * width;
        for (pixel, value) in pixels.get_mut(from..from + patch_width).unwrap_or_default().iter_mut().zip(row) {
            *pixel = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    }
}

/// Patches in a line of a [`sheet`], and how large its pixels are, on the command line and in a page.
pub const LINE: usize = 40;
pub const SCALE: usize = 2;
/// Grey of a patch that is not there.
const AWAY: u8 = 176;
/// Rows of paper between strips of one line, and between lines, before scaling.
const GAPS: [usize; 2] = [2, 8];

/// Original, what the encoder sees (hidden patches grey) and redrawn as one picture, under each other: a strip in lines of `columns` patches, a page whole. Every pixel `scale` times. Returns
/// the pixels with width and height.
#[must_use]
pub fn sheet(look: &Look, columns: usize, scale: usize) -> (Vec<u8>, u32, u32) {
    let (width, height) = (look.width as usize, look.height as usize);
    let [patch_height, patch_width] = look.patch.map(|side| side.max(1) as usize);
    let across = (width / patch_width).max(1);
    let mut seen = look.pictures.given.clone();
    for (number, _) in look.patches.iter().enumerate().filter(|(_, patch)| patch.hidden && patch.attended) {
        let start = number / across * patch_height * width + number % across * patch_width;
        for row in seen.get_mut(start..).unwrap_or_default().chunks_mut(width.max(1)).take(patch_height) {
            row.get_mut(..patch_width).unwrap_or_default().fill(AWAY);
        }
    }
    // A strip is cut into lines, and its white tail is left out.
    let strip = height == patch_height;
    let shown = if strip { look.attended.max(1) * patch_width } else { width };
    let line = if strip { shown.min(columns.max(1) * patch_width) } else { width };
    let mut rows: Vec<u8> = vec![];
    let paper = |rows: &mut Vec<u8>, count: usize| rows.resize(rows.len() + count * line, 255);
    for from in (0..shown).step_by(line.max(1)) {
        if from > 0 {
            paper(&mut rows, GAPS[1]);
        }
        for (number, pixels) in [&look.pictures.original, &seen, &look.pictures.redrawn].into_iter().enumerate() {
            if number > 0 {
                paper(&mut rows, GAPS[0]);
            }
            for y in 0..height {
                let start = rows.len();
                rows.extend_from_slice(pixels.get(y * width + from..y * width + (from + line).min(shown)).unwrap_or_default());
                rows.resize(start + line, 255);
            }
        }
    }
    let tall = rows.len() / line.max(1);
    let large = rows.chunks(line.max(1)).flat_map(|row| {
        let wide: Vec<u8> = row.iter().flat_map(|&value| std::iter::repeat_n(value, scale)).collect();
        std::iter::repeat_n(wide, scale).flatten()
    });
    (large.collect(), (line * scale) as u32, (tall * scale) as u32)
}

//! Patches of a picture, where they stand, and where the text in them ends.
//!
//! **Positions** are fixed: a sine-cosine table, half of its width for the column and half for the row, column first. The published table takes a **square** grid of side `ceil(sqrt(patches))`
//! whatever the picture's shape: patch i stands at `(i / side, i % side)`. [`Grid::Rows`] takes true rows and columns, for pages.

use serde::{Deserialize, Serialize};

/// A value above this is white.
pub const WHITE: f32 = 1.0 - 1e-6;

/// Cuts an image `[height, width, channels]` into patches, `[patches, patch height * patch width * channels]`: row by row, inside a patch row, column, channel. Pixels that fill no patch are
/// left out.
#[must_use]
pub fn patchify<T: Copy>(image: &[T], [height, width, channels]: [usize; 3], [patch_height, patch_width]: [usize; 2]) -> Vec<Vec<T>> {
    let (rows, columns) = (height / patch_height.max(1), width / patch_width.max(1));
    let mut patches = Vec::with_capacity(rows * columns);
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let line = |y: usize| {
            let start = ((row * patch_height + y) * width + column * patch_width) * channels;
            image.get(start..start + patch_width * channels).unwrap_or_default().iter().copied()
        };
        patches.push((0..patch_height).flat_map(line).collect());
    }
    patches
}

/// What counts as row and column of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// The published square, whatever the picture's shape.
    Square,
    /// So many columns.
    Rows(usize),
}

/// The table of positions, `[1 + patches, dim]`; the first row, CLS, is zeros. `dim` is a multiple of 4.
#[must_use]
pub fn positions(grid: Grid, patches: usize, dim: usize) -> Vec<f32> {
    let side = match grid {
        Grid::Square => (1..=patches).find(|side| side * side >= patches).unwrap_or(1),
        Grid::Rows(columns) => columns.max(1),
    };
    let quarter = dim / 4;
    let rates: Vec<f64> = (0..quarter).map(|i| 10000_f64.powf(-(i as f64) / quarter as f64)).collect();
    let mut table = vec![0.0; dim];
    for patch in 0..patches {
        for place in [patch % side, patch / side] {
            table.extend(rates.iter().map(|rate| (place as f64 * rate).sin() as f32));
            table.extend(rates.iter().map(|rate| (place as f64 * rate).cos() as f32));
        }
        // A width that four does not divide is filled up.
        table.resize((patch + 2) * dim, 0.0);
    }
    table
}

/// The text's end in patches of `length` values: the number of patches up to the last one with ink. With `mark` the next patch is painted black, or the last one where none is white.
/// Returns that number and, for each patch, whether a model attends to it.
pub fn white_tail(patches: &mut [f32], length: usize, mark: bool) -> (usize, Vec<bool>) {
    let length = length.max(1);
    let count = patches.len() / length;
    let inked = |patch: &[f32]| patch.iter().any(|&v| v <= WHITE);
    let end = patches.chunks_exact(length).rposition(inked).map_or(0, |last| last + 1);
    let mut attended = end;
    if mark {
        let marked = end.min(count.saturating_sub(1));
        patches.chunks_exact_mut(length).skip(marked).take(1).for_each(|patch| patch.fill(0.0));
        attended = (end + 1).min(count);
    }
    (end, (0..count).map(|patch| patch < attended).collect())
}

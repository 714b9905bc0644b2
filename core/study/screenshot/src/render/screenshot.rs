//! A picture of text: grey pixels, and the bytes under each patch.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Report;
use vitrine_core::findings::hex;

/// White paper.
pub const WHITE: u8 = 255;

/// A drawn text. White is 255, ink 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Screenshot {
    /// `[height, width]`.
    #[serde(skip)]
    pub pixels: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub patch_width: u32,
    pub patch_height: u32,
    /// For each patch, row by row, the first byte under it and the one after the last; equal where there are none. From right to left these are hulls, so neighbours may overlap.
    pub bytes_under: Vec<[u32; 2]>,
    pub report: Report,
}

/// `byte / 255` for every byte.
const UNIT: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut value = 0;
    while value < 256 {
        table[value] = value as f32 / 255.0;
        value += 1;
    }
    table
};

impl Screenshot {
    /// Number of patches side by side.
    #[must_use]
    pub fn columns(&self) -> usize {
        (self.width / self.patch_width.max(1)) as usize
    }

    /// Number of patches.
    #[must_use]
    pub fn patches(&self) -> usize {
        self.columns() * (self.height / self.patch_height.max(1)) as usize
    }

    /// Pixels of one patch.
    #[must_use]
    pub fn patch_len(&self) -> usize {
        self.patch_width as usize * self.patch_height as usize
    }

    /// The rows of one patch.
    fn rows_of(&self, patch: usize) -> impl Iterator<Item = &[u8]> {
        let (width, patch_width, columns) = (self.width as usize, self.patch_width as usize, self.columns().max(1));
        let start = patch / columns * self.patch_height as usize * width + patch % columns * patch_width;
        let band = self.pixels.get(start..).unwrap_or_default();
        band.chunks(width.max(1)).take(self.patch_height as usize).map(move |row| row.get(..patch_width).unwrap_or_default())
    }

    /// Whether a patch has no ink.
    #[must_use]
    pub fn is_white(&self, patch: usize) -> bool {
        self.rows_of(patch).all(|row| row.iter().all(|&value| value == WHITE))
    }

    /// Paints a patch black.
    pub(super) fn blacken(&mut self, patch: usize) {
        let (width, patch_width, columns) = (self.width as usize, self.patch_width as usize, self.columns().max(1));
        let start = patch / columns * self.patch_height as usize * width + patch % columns * patch_width;
        for row in self.pixels.get_mut(start..).unwrap_or_default().chunks_mut(width.max(1)).take(self.patch_height as usize) {
            row.get_mut(..patch_width).unwrap_or_default().fill(0);
        }
    }

    /// All patches as model input, `[patches, patch pixels]`: row-major patches, inside one row and column, `byte / 255`. Reuses the memory of `out`.
    pub fn patches_into(&self, out: &mut Vec<f32>) {
        let (length, width) = (self.patch_len(), self.patch_width as usize);
        out.resize(self.patches() * length, 1.0);
        for (patch, values) in out.chunks_exact_mut(length.max(1)).enumerate() {
            if patch >= self.report.attended {
                values.fill(1.0);
                continue;
            }
            for (row, values) in self.rows_of(patch).zip(values.chunks_exact_mut(width)) {
                for (value, &byte) in values.iter_mut().zip(row) {
                    *value = UNIT[usize::from(byte)];
                }
            }
        }
    }

    /// All patches as model input; see [`Self::patches_into`].
    #[must_use]
    pub fn patches_f32(&self) -> Vec<f32> {
        let mut out = vec![];
        self.patches_into(&mut out);
        out
    }

    /// SHA-256 of size and pixels, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.width.to_le_bytes());
        hash.update(self.height.to_le_bytes());
        hash.update(&self.pixels);
        hex(&hash.finalize())
    }
}

//! Sizes of a model, and how many numbers that makes.

use serde::{Deserialize, Serialize};

use crate::patches::Grid;

/// A stack of transformer layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tower {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub mlp: usize,
}

impl Tower {
    /// A tower whose MLP is four times as wide.
    #[must_use]
    pub const fn new(layers: usize, width: usize, heads: usize) -> Self {
        Self { layers, width, heads, mlp: 4 * width }
    }
}

/// A patch-and-text model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    pub encoder: Tower,
    pub pixel: Tower,
    pub text: Tower,
    /// Patches of a picture.
    pub patches: usize,
    /// Numbers of a patch, channels included.
    pub patch_len: usize,
    pub grid: Grid,
    pub vocab: usize,
    /// Most tokens of a text.
    pub tokens: usize,
    /// LayerNorm right after the text decoder's embeddings.
    pub embedding_norm: bool,
}

impl Default for ModelConfig {
    /// The size two cores train in minutes: 40 patches of 16 x 16 grey pixels.
    fn default() -> Self {
        Self {
            encoder: Tower::new(3, 96, 4),
            pixel: Tower::new(1, 64, 4),
            text: Tower::new(1, 96, 4),
            patches: 40,
            patch_len: 256,
            grid: Grid::Square,
            vocab: 800,
            tokens: 80,
            embedding_norm: true,
        }
    }
}

/// Most numbers of a table of positions: what a file claims is bounded before it is made.
const MOST_POSITIONS: usize = 1 << 24;

impl ModelConfig {
    /// The published base size: RGB patches, 50,265 tokens.
    #[must_use]
    pub fn base() -> Self {
        Self {
            encoder: Tower::new(12, 768, 12),
            pixel: Tower::new(8, 512, 16),
            text: Tower::new(12, 768, 12),
            patches: 511,
            patch_len: 16 * 16 * 3,
            vocab: 50_265,
            tokens: 2048,
            ..Self::default()
        }
    }

    /// # Errors
    /// The first number that makes no model.
    pub fn check(&self) -> Result<(), String> {
        for (name, tower) in [("encoder", self.encoder), ("pixel", self.pixel), ("text", self.text)] {
            if tower.width == 0 || tower.width % 4 != 0 || tower.heads == 0 || tower.width % tower.heads != 0 || tower.mlp == 0 {
                return Err(format!("{name}: a width of {} is not a multiple of four and of its {} heads", tower.width, tower.heads));
            }
            if tower.layers > 64 || tower.width > 8192 || tower.mlp > 65_536 {
                return Err(format!("{name}: more than 64 layers, or wider than 8,192"));
            }
        }
        let sizes = [("patches", self.patches), ("patch_len", self.patch_len), ("vocab", self.vocab), ("tokens", self.tokens)];
        match sizes.iter().find(|(_, size)| *size == 0 || *size > 1 << 20) {
            Some((name, size)) => Err(format!("{name} is {size}")),
            None if self.patches * self.encoder.width.max(self.pixel.width) > MOST_POSITIONS => {
                Err(format!("{} patches are too many for a width of {}", self.patches, self.encoder.width.max(self.pixel.width)))
            }
            None => Ok(()),
        }
    }
}

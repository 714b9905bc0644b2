//! From tokens to what a model learns from: a damaged picture and the undamaged text.
//!
//! **Method.** Each token is hidden with some probability, on its own; the text with the drawn word `<mask>` for every run of hidden ones becomes a picture, of which patches are dropped. The
//! labels are all tokens of the undamaged text that were drawn: the renderer's count of bytes says which, exactly.

use serde::{Deserialize, Serialize};

use crate::{
    bpe::Bpe,
    masks::{Bookkeeping, Hide, noise},
    model::ptp::Picture,
    render::{RenderError, Renderer, Scratch, Screenshot, config::MASK},
};
use vitrine_core::train::rng::Stream;

/// How much is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Damage {
    /// Share of tokens replaced by the drawn mask.
    pub text_rate: f64,
    /// Share of patches dropped.
    pub patch_rate: f64,
    pub hide: Hide,
}

impl Default for Damage {
    /// The published choice.
    fn default() -> Self {
        Self { text_rate: 0.25, patch_rate: 0.10, hide: Hide::Span }
    }
}

/// A picture and the text it was drawn from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example {
    pub picture: Picture,
    pub labels: Vec<u32>,
}

/// The drawn text and, for each token, where it ends in it.
#[must_use]
pub fn damaged(bpe: &Bpe, tokens: &[u32], rate: f64, random: &mut Stream) -> (Vec<u8>, Vec<usize>) {
    let mut text: Vec<u8> = vec![];
    let mut ends = Vec::with_capacity(tokens.len());
    for &id in tokens {
        if random.uniform() < rate {
            if !text.ends_with(MASK.as_bytes()) {
                text.extend_from_slice(MASK.as_bytes());
            }
        } else {
            let piece = bpe.piece(id);
            // The picture begins with a letter.
            text.extend_from_slice(if text.is_empty() { piece.strip_prefix(b" ").unwrap_or(piece) } else { piece });
        }
        ends.push(text.len());
    }
    (text, ends)
}

/// Draws tokens, damaged.
///
/// # Errors
/// What the renderer refuses.
pub fn example(
    bpe: &Bpe,
    renderer: &Renderer,
    scratch: &mut Scratch,
    tokens: &[u32],
    damage: &Damage,
    random: &mut Stream,
) -> Result<Example, RenderError> {
    let (text, ends) = damaged(bpe, tokens, damage.text_rate, random);
    let mut shot = Screenshot::default();
    renderer.render_into(&text, scratch, &mut shot)?;
    let drawn = ends.partition_point(|&end| end <= shot.report.rendered_bytes);
    let mut picture = picture(&shot);
    if damage.patch_rate > 0.0 {
        let noise = noise(damage.hide, shot.patches(), damage.patch_rate, random);
        picture.hidden = Bookkeeping::new(&noise, damage.patch_rate).mask;
    }
    Ok(Example { picture, labels: tokens.get(..drawn).unwrap_or_default().to_vec() })
}

/// A drawn text as model input, nothing hidden.
#[must_use]
pub fn picture(shot: &Screenshot) -> Picture {
    Picture { patches: shot.patches_f32(), attended: shot.report.attended, hidden: vec![] }
}

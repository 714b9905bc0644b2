//! Text drawn into pictures: the eye of a screenshot language model.
//!
//! **Idea.** A screenshot model reads pixels, so its renderer is its tokenizer: it has to be fast enough never to be waited for, draw the same bytes on every machine, and say honestly
//! what it could not draw. **Method.** Every glyph is rasterised once ([`bitmaps`], [`face`]) and drawing is integer blitting ([`blit`]); before it text is made plain ([`text`]: UTF-8, NFC,
//! control characters, newline token), put into visual order ([`bidi`]) and wrapped ([`layout`]). A character that no font has comes from GNU Unifont's bitmaps ([`unifont`]), else it is one
//! hollow box. One glyph a code point is the rule, as published; a config may ask for letters that are joined (`shape`, a feature). A [`Screenshot`] carries, beside its pixels, the bytes of the text under each patch and a [`Report`]. **Sources.** Gao, Wang, Bhaskar, Chen, "Improving Language Understanding
//! from Screenshots" (2024) for geometry and end marker; Rust et al., "Language Modelling with Pixels" (2022) for pairs and the map of patches; Lotz et al. (2023) for `mono`.
//!
//! Nothing here reads a clock, a file or a system font, and no number is a float once glyphs are rasterised, so a picture is the same natively and in a page, whatever the threads.

pub mod atlas;
pub mod bidi;
pub mod bitmaps;
pub mod blit;
pub mod bundled;
pub mod config;
pub mod error;
pub mod face;
pub mod fonts;
pub mod golden;
pub mod layout;
pub mod pair;
pub mod png;
pub mod renderer;
pub mod report;
pub mod screenshot;
#[cfg(feature = "shaping")]
mod shape;
pub mod text;
pub mod trial;
pub mod unifont;

pub use config::{Newline, RenderConfig, Style};
pub use error::RenderError;
pub use fonts::{FontSources, Fonts};
pub use renderer::{Renderer, Scratch};
pub use report::Report;
pub use screenshot::Screenshot;

#[cfg(test)]
mod tests;

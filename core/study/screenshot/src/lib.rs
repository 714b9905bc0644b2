//! Screenshot language models: text is drawn, and a vision transformer reads it.
//!
//! **Idea.** A model that sees pixels has no vocabulary: any script, typo or layout is input. What it lacked was language; patch-and-text prediction gives it some by asking, beside the hidden
//! patches, for the original text. **Source.** Gao, Wang, Bhaskar, Chen, "Improving Language Understanding from Screenshots" (2024), arXiv 2402.14073.
#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests read fixtures and say what they skip"))]

pub mod ar;
pub mod bpe;
pub mod error;
pub mod experiment;
pub mod golden;
pub mod look;
pub mod losses;
pub mod masks;
pub mod model;
pub mod patches;
pub mod render;
pub mod sequence;
pub mod train;

pub use error::ScreenshotError;

//! The fonts that come with the program: Noto Sans (SIL Open Font License 1.1), its atlas at the published size, and GNU Unifont's plane 0 as packed bitmaps (used under the same
//! licence). Texts of the licences and notices: `core/assets/fonts`. A page that fetches them instead never names these constants, and does not carry them.

/// Noto Sans Regular, 2,840 code points: rasterised for any size but the published one.
pub const NOTO_SANS: &[u8] = include_bytes!("../../../../assets/fonts/NotoSans-Regular.ttf");
/// All glyphs of Noto Sans at [`super::config::FONT_PX`] (`vitrine screenshot atlas` writes it; a test compares).
pub const NOTO_SANS_ATLAS: &[u8] = include_bytes!("../../../../assets/fonts/noto-sans.atlas");
/// 57,086 bitmaps (`scripts/pack-unifont` writes it).
pub const UNIFONT: &[u8] = include_bytes!("../../../../assets/fonts/unifont.packed");

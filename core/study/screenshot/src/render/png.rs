//! Pictures as PNG: 8-bit grey, for files and for pages.

use ::png::{BitDepth, ColorType, Compression, Encoder};

use super::RenderError;

/// A grey picture, `[height, width]`, as a PNG file.
///
/// # Errors
/// [`RenderError::Png`] where the pixels do not fill the picture.
pub fn grey(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, RenderError> {
    let failed = |error: ::png::EncodingError| RenderError::Png { reason: error.to_string() };
    let mut bytes = vec![];
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

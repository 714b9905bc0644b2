//! `screenshot atlas`: the file of a rasterised font.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::json;
use vitrine_screenshot::render::{atlas, bitmaps::Bitmaps, bundled, config::FONT_PX};

use super::super::{Context, print_json};
use crate::{atomic, commands::screenshot::render::FONT_LIMIT};

#[derive(Debug, clap::Args)]
pub struct Atlas {
    /// A TrueType or OpenType font; Noto Sans by default.
    #[arg(long)]
    font: Option<PathBuf>,
    /// Pixels of the em; 10 points at 100 dots an inch by default.
    #[arg(long, default_value_t = FONT_PX)]
    size: f32,
    #[arg(long)]
    out: PathBuf,
}

pub fn run(args: &Atlas, context: Context) -> Result<()> {
    anyhow::ensure!((4.0..=200.0).contains(&args.size), "--size has to be 4 to 200 pixels, not {}", args.size);
    let bitmaps = match &args.font {
        Some(path) => {
            let bytes = atomic::read_bounded(path, FONT_LIMIT)?;
            Bitmaps::rasterise(&bytes, args.size).with_context(|| format!("cannot draw with {}", path.display()))?
        }
        None => Bitmaps::rasterise(bundled::NOTO_SANS, args.size)?,
    };
    let bytes = atlas::write(&bitmaps);
    atomic::write_file(&args.out, &bytes)?;
    if context.json {
        return print_json(
            &json!({"schema": "vitrine.screenshot-atlas/1", "glyphs": bitmaps.glyphs.len(), "code_points": bitmaps.map.len(), "bytes": bytes.len(), "out": args.out}),
        );
    }
    println!("{} glyphs of {} code points, {} bytes in {}", bitmaps.glyphs.len(), bitmaps.map.len(), bytes.len(), args.out.display());
    Ok(())
}

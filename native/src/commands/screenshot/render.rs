//! `screenshot render`: a text as a picture, with the report.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;
use vitrine_screenshot::render::{
    FontSources, Newline, RenderConfig, Renderer, Scratch, Screenshot, Style,
    config::{FONT_PX, PREFIX},
    png,
    report::Report,
    text::MOST_BYTES,
};

use super::super::{Context, print_json};
use crate::atomic;

/// Largest font file read.
pub const FONT_LIMIT: u64 = 64 << 20;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Breaks {
    /// Two slashes, as published.
    Token,
    /// A new line of the page.
    Line,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the command line")]
pub struct Render {
    /// The text; `--file -` reads standard input.
    #[arg(long, required_unless_present = "file", conflicts_with = "file")]
    text: Option<String>,
    #[arg(long)]
    file: Option<PathBuf>,
    /// A second text: both on one strip, each before a black patch.
    #[arg(long, conflicts_with = "page")]
    pair: Option<String>,
    /// Where the picture goes, as PNG.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A strip of so many patches.
    #[arg(long, default_value_t = 511, conflicts_with = "page")]
    patches: u32,
    /// A page of `HEIGHTxWIDTH` pixels.
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = size)]
    page: Option<(u32, u32)>,
    /// Patches of `HEIGHTxWIDTH` pixels; a strip is as high as its patches.
    #[arg(long, value_name = "HEIGHTxWIDTH", default_value = "16x16", value_parser = size)]
    patch: (u32, u32),
    /// Cells of 8 pixels (GNU Unifont): two letters a patch.
    #[arg(long)]
    mono: bool,
    /// Pixels of the em; what rises over its line or hangs below is clipped, so larger text wants a larger --line-height.
    #[arg(long, default_value_t = FONT_PX)]
    size: f32,
    /// Pixels from line to line; the baseline lies after three quarters.
    #[arg(long, default_value_t = 16)]
    line_height: u32,
    /// Fonts asked before Noto Sans, in their order.
    #[arg(long)]
    font: Vec<PathBuf>,
    /// An atlas file in the place of Noto Sans; `--size` has to be its size.
    #[arg(long)]
    atlas: Option<PathBuf>,
    /// Draw "Beginning of the sequence: " first, as in pre-training.
    #[arg(long)]
    prefix: bool,
    /// What becomes of line breaks.
    #[arg(long, value_enum, default_value_t = Breaks::Token)]
    newline: Breaks,
    /// No black patch after the text.
    #[arg(long)]
    no_end_marker: bool,
    /// A box for every character the fonts lack.
    #[arg(long)]
    no_fallback: bool,
    /// Refuse text that is not UTF-8.
    #[arg(long)]
    strict: bool,
    /// Black and white alone.
    #[arg(long)]
    one_bit: bool,
    /// Join and place letters as their script asks (Arabic, Devanagari, ligatures, kerning), by the rules in the fonts; `--font` for what Noto Sans lacks.
    #[arg(long)]
    shaping: bool,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(height, width)| Some((height.parse().ok()?, width.parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is not HEIGHTxWIDTH, like 256x512"))
}

/// All of a file, or of standard input.
fn read(path: &Path) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return atomic::read_bounded(path, MOST_BYTES as u64);
    }
    let mut bytes = vec![];
    std::io::stdin().lock().take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

impl Render {
    fn config(&self) -> RenderConfig {
        let (patch_height, patch_width) = self.patch;
        let (height, width) = self.page.unwrap_or((patch_height.max(16), self.patches.saturating_mul(patch_width)));
        RenderConfig {
            width,
            height,
            patch_width,
            patch_height,
            style: if self.mono { Style::Mono } else { Style::Proportional },
            font_px: self.size,
            line_height: self.line_height,
            baseline: self.line_height.saturating_mul(3) / 4,
            prefix: if self.prefix { PREFIX.to_owned() } else { String::new() },
            newline: match self.newline {
                Breaks::Token => Newline::Token,
                Breaks::Line => Newline::Break,
            },
            end_marker: !self.no_end_marker,
            fallback: !self.no_fallback,
            lossy: !self.strict,
            one_bit: self.one_bit,
            shaping: self.shaping,
        }
    }
}

pub fn run(args: &Render, context: Context) -> Result<()> {
    let files = args.font.iter().map(|path| atomic::read_bounded(path, FONT_LIMIT)).collect::<Result<Vec<_>>>()?;
    let atlas = args.atlas.as_deref().map(|path| atomic::read_bounded(path, FONT_LIMIT)).transpose()?;
    let mut sources = FontSources { files: &files, ..FontSources::bundled() };
    if let Some(atlas) = &atlas {
        (sources.atlas, sources.atlas_font) = (Some(&atlas[..]), None);
    }
    let renderer = Renderer::new(args.config(), &sources)?;
    let text = match (&args.text, &args.file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) => read(path)?,
        (None, None) => bail!("a text is needed: --text TEXT or --file FILE"),
    };
    let mut picture = Screenshot::default();
    match &args.pair {
        Some(second) => renderer.render_pair(&text, second.as_bytes(), &mut Scratch::default(), &mut picture)?,
        None => renderer.render_into(&text, &mut Scratch::default(), &mut picture)?,
    }
    if let Some(path) = &args.out {
        atomic::write_file(path, &png::grey(&picture.pixels, picture.width, picture.height)?)?;
    }
    if context.json {
        return print_json(&json!({"schema": "vitrine.screenshot-render/1", "width": picture.width, "height": picture.height,
            "patch": [picture.patch_height, picture.patch_width], "patches": picture.patches(), "hash": picture.hash(), "font_hash": renderer.font_hash(),
            "report": picture.report, "bytes_under": picture.bytes_under, "out": args.out}));
    }
    print_report(&picture, &picture.report);
    if let Some(path) = &args.out {
        println!("{}", path.display());
    }
    Ok(())
}

fn print_report(picture: &Screenshot, report: &Report) {
    println!(
        "{} x {} pixels, {} of {} patches used; {} of {} bytes drawn",
        picture.height,
        picture.width,
        report.end_patch,
        picture.patches(),
        report.rendered_bytes,
        report.total_bytes
    );
    let counts = [
        ("taken from Unifont", report.fallback),
        ("boxes for characters that no font has", report.missing),
        ("runs of bytes that are not UTF-8", report.replaced),
        ("control characters left out", report.dropped),
        ("characters that draw nothing", report.invisible),
        (if report.shaped { "runs from right to left" } else { "runs from right to left, letters not joined" }, report.rtl_runs),
    ];
    for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        println!("  {count} {what}");
    }
    if !report.missing_list.is_empty() {
        let listed: Vec<String> = report.missing_list.iter().take(20).map(|m| format!("U+{:04X} ({})", m.code_point, m.count)).collect();
        println!("  missing: {}", listed.join(", "));
    }
}

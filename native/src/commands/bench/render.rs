//! `bench render`: screenshots a second of processor time, one core: strips, strips as model input, pages. `tests/bench/render` measures other engines in the same run.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::{Map, json};
use vitrine_screenshot::render::{FontSources, RenderConfig, Renderer, Scratch, Screenshot, Style};

use super::{super::Context, Times};
use crate::{Outcome, atomic, open::text, resources};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// A text to draw; sentences made here by default.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Characters of it.
    #[arg(long, default_value_t = 1100)]
    characters: usize,
    /// A font in the place of Noto Sans.
    #[arg(long)]
    font: Option<PathBuf>,
    /// Pictures of one pass.
    #[arg(long, default_value_t = 2000)]
    pictures: usize,
    /// Passes; the median counts.
    #[arg(long, default_value_t = 7)]
    repeats: usize,
}

const SENTENCES: &str = "It was a bright morning, and the ship lay quiet in the harbour; nobody on board had slept for more than an hour. \"We sail at seven,\" said \
the captain, who had written 25 letters that night and sent none of them. Under the bridge a boy sold bread and apples to whoever was awake. ";

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    ensure!(options.repeats > 0 && options.pictures > 0, "at least one pass of one picture is needed");
    let source = options.file.as_deref().map_or_else(|| Ok(SENTENCES.repeat(options.characters / 200 + 1)), text)?;
    let text: String = source.replace('\n', " ").chars().take(options.characters).collect();
    let files = options.font.as_deref().map(|path| atomic::read_bounded(path, 64 << 20)).transpose()?.into_iter().collect::<Vec<_>>();
    let mut sources = FontSources { files: &files, ..FontSources::bundled() };
    if !files.is_empty() {
        (sources.atlas, sources.atlas_font) = (None, None);
    }
    let strip = RenderConfig::default();
    let mono = RenderConfig { style: Style::Mono, ..strip.clone() };
    let shaped = RenderConfig { shaping: true, ..strip.clone() };
    let mut cases = vec![
        ("strip", strip.clone(), false),
        ("strip_f32_patches", strip, true),
        ("page_256x512", RenderConfig::page(256, 512), false),
        ("mono_strip", mono, false),
    ];
    if cfg!(feature = "shaping") {
        cases.push(("strip_shaped", shaped, false));
    }
    let mut found = Map::new();
    // Fonts, atlas and the first picture; later ones reuse its memory.
    let before = resources::reset_peak_memory();
    let mut memory = None;
    for (name, config, model_input) in cases {
        let renderer = Renderer::new(config, &sources)?;
        let (mut scratch, mut picture, mut patches) = (Scratch::default(), Screenshot::default(), vec![]);
        let mut times = Times::default();
        for pass in 0..=options.repeats {
            if pass == 1 {
                // The first pass warmed up.
                times = Times::default();
            }
            times.measure(|| -> Result<()> {
                for _ in 0..options.pictures {
                    renderer.render_into(text.as_bytes(), &mut scratch, &mut picture)?;
                    if model_input {
                        picture.patches_into(&mut patches);
                    }
                }
                Ok(())
            })?;
        }
        memory = memory.or_else(|| Some(resources::peak_memory_bytes()?.saturating_sub(before?)));
        let per_second = options.pictures as f64 / times.median().1;
        if !context.json {
            println!("{name:<20} {per_second:>8.0} a second of one core, {} of {} patches", picture.report.end_patch, picture.patches());
        }
        found.insert(
            name.to_owned(),
            json!({"per_cpu_sec": per_second, "patches_used": picture.report.end_patch, "bytes_drawn": picture.report.rendered_bytes}),
        );
    }
    if context.json {
        super::print_json(&json!({"schema": "vitrine.bench-render/1", "characters": text.chars().count(), "cases": found,
            "renderer_memory_bytes": memory}))?;
    } else if let Some(bytes) = memory {
        println!("memory of the renderer, fonts and one strip: {:.1} MiB", bytes as f64 / f64::from(1 << 20));
    }
    Ok(Outcome::Fine)
}

//! `screenshot reconstruct`: what a model redraws of hidden patches and reads of a damaged picture.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use vitrine_screenshot::{
    look::{
        Asked, Look, Looker, TokenSeen,
        picture::{LINE, SCALE, sheet},
        stress::Stress,
    },
    masks::Hide,
    model::file::Trained,
    render::{FontSources, png},
};

use super::{
    super::{Context, print_json},
    pretrain::MODEL_LIMIT,
};
use crate::atomic;

#[derive(Debug, Args)]
pub struct Reconstruct {
    /// A model that `screenshot pretrain` made.
    #[arg(long)]
    model: PathBuf,
    #[arg(long)]
    text: String,
    /// Share of patches hidden.
    #[arg(long, default_value_t = 0.1)]
    rate: f64,
    /// Share of tokens replaced by the drawn mask.
    #[arg(long, default_value_t = 0.25)]
    text_rate: f64,
    /// Hide patches one by one instead of in spans of up to six.
    #[arg(long)]
    single: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Hide these patches, from 0, in the place of drawn ones.
    #[arg(long, value_delimiter = ',', value_name = "PATCH,...")]
    hide: Option<Vec<usize>>,
    /// Mask these tokens, from 0, in the place of drawn ones.
    #[arg(long, value_delimiter = ',', value_name = "TOKEN,...")]
    mask: Option<Vec<usize>>,
    /// Ask the same model before its training: fresh numbers from this seed.
    #[arg(long, value_name = "SEED")]
    untrained: Option<u64>,
    /// Share of letters with a typing error.
    #[arg(long, default_value_t = 0.0)]
    typos: f64,
    /// Share of letters drawn as Cyrillic or Greek ones that look the same.
    #[arg(long, default_value_t = 0.0)]
    alike: f64,
    /// Share of letters drawn as digits.
    #[arg(long, default_value_t = 0.0)]
    digits: f64,
    /// Radius of a blur, in pixels.
    #[arg(long, default_value_t = 0)]
    blur: u32,
    /// Noise: the share of white by which pixels move at most.
    #[arg(long, default_value_t = 0.0)]
    noise: f64,
    /// Draw with Noto Sans of so many pixels, whatever the model learned.
    #[arg(long, value_name = "PIXELS")]
    font_px: Option<f32>,
    /// Original, what the encoder sees and redrawn, under each other, as PNG.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Read with this program's glyphs even where the model learned others.
    #[arg(long)]
    allow_font_mismatch: bool,
}

impl Reconstruct {
    fn asked(&self) -> Asked {
        Asked {
            text: self.text.clone(),
            text_rate: self.text_rate,
            patch_rate: self.rate,
            hide: if self.single { Hide::Single } else { Hide::Span },
            seed: self.seed,
            masked: self.mask.clone(),
            hidden: self.hide.clone(),
            stress: Stress {
                typos: self.typos,
                alike: self.alike,
                digits: self.digits,
                blur: self.blur,
                noise: self.noise,
                font_px: self.font_px,
            },
            free: true,
        }
    }
}

pub fn run(args: &Reconstruct, context: Context) -> Result<()> {
    let trained =
        Trained::read(&atomic::read_bounded(&args.model, MODEL_LIMIT)?).with_context(|| format!("in {}", args.model.display()))?;
    let mut looker =
        Looker::new(trained, FontSources::bundled(), args.allow_font_mismatch).with_context(|| format!("in {}", args.model.display()))?;
    if let Some(seed) = args.untrained {
        looker = looker.untrained(seed);
    }
    let look = looker.look(&args.asked())?;
    if let Some(path) = &args.out {
        let (pixels, width, height) = sheet(&look, LINE, SCALE);
        atomic::write_file(path, &png::grey(&pixels, width, height)?)?;
    }
    if context.json {
        return print_json(&json!({"schema": "vitrine.screenshot-look/1", "asked": args.asked(), "look": look, "out": args.out}));
    }
    print_look(&look);
    if let Some(path) = &args.out {
        println!("{}", path.display());
    }
    Ok(())
}

fn likeliest(token: &TokenSeen) -> String {
    token.top.iter().map(|guess| format!("{:?} {:.2}", guess.text, guess.log_prob.exp())).collect::<Vec<_>>().join(", ")
}

fn print_look(look: &Look) {
    println!("drawn    {:?}", look.drawn);
    if let Some(free) = &look.free {
        println!("read     {:?}{}", free.text, if free.cut { " (cut: the model is large)" } else { "" });
    }
    let hidden = look.patches.iter().filter(|patch| patch.loss.is_some()).count();
    let nats = |loss: Option<f64>| loss.map_or("none".to_owned(), |loss| format!("{loss:.2}"));
    println!(
        "loss     {} nats a token, {} of masked ones; {} of {hidden} hidden patches (1 is grey all over), redrawn with the true mean and variance",
        nats(look.loss.text),
        nats(look.loss.masked),
        nats(look.loss.pixel)
    );
    if !look.all_drawn {
        let drawn = look.tokens.iter().filter(|token| token.drawn).count();
        println!("cut      the picture holds {drawn} tokens of the text");
    }
    println!("tokens, each with its probability given the true ones before it; the likeliest where it was masked");
    for (number, token) in look.tokens.iter().enumerate() {
        let Some(log_prob) = token.log_prob else { continue };
        let best = if token.masked { format!("   {}", likeliest(token)) } else { String::new() };
        println!("{number:>4} {:<14} {:.3}{best}", format!("{:?}{}", token.text, if token.masked { " *" } else { "" }), log_prob.exp());
    }
}

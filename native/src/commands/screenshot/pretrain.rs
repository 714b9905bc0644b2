//! `screenshot pretrain`: a model that reads pictures of the user's text. `screenshot perplexity`: how well one reads, and whether it reads at all.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use vitrine_core::settings;
use vitrine_screenshot::{
    bpe::Bpe,
    model::{
        Place,
        file::{Trained, is_autoregressive},
        ptp::Ptp,
    },
    render::Renderer,
    train::{
        corpus::Corpus,
        examples::Damage,
        pretrain::{PretrainConfig, Reading, batch, pretrain, reading},
    },
};

use super::{
    super::{Context, print_json},
    ar,
};
use crate::{
    atomic,
    lab::NativeLab,
    open::{self, text},
    signal,
};

/// Largest model file read.
pub const MODEL_LIMIT: u64 = 4 << 30;
const PHASE: &str = "pretrain";
/// Every so many lines one is kept to measure on.
const KEPT_OUT: usize = 50;

#[derive(Debug, Args)]
pub struct Pretrain {
    /// Text to learn from, a paragraph a line; every fiftieth line is kept to measure on (of an autoregressive model's, the last tenth).
    #[arg(long, required_unless_present = "autoregressive")]
    pub text: Vec<PathBuf>,
    /// Train a model that writes on after pictures: of the text's own stretches, or of pages of facts made by rule where there is no text.
    #[arg(long)]
    pub autoregressive: bool,
    /// A TOML file of settings.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// One setting, such as steps=2000 or `damage.text_rate=0.1`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on from the checkpoint beside the model.
    #[arg(long)]
    pub resume: bool,
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// The model's file.
    #[arg(long)]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Perplexity {
    /// A model that `screenshot pretrain` made.
    #[arg(long)]
    pub model: PathBuf,
    /// Text to read, a paragraph a line; an autoregressive model reads pages of facts without.
    #[arg(long)]
    pub text: Option<PathBuf>,
    /// Texts to read.
    #[arg(long, default_value_t = 256)]
    pub examples: usize,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Read with this program's glyphs even where the model learned others.
    #[arg(long)]
    pub allow_font_mismatch: bool,
}

impl Pretrain {
    fn settings(&self) -> Result<PretrainConfig> {
        let mut value: Value = serde_json::to_value(PretrainConfig::default())?;
        if let Some(path) = &self.config {
            settings::lay_file(&mut value, &text(path)?).with_context(|| format!("in {}", path.display()))?;
        }
        self.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
        let mut config: PretrainConfig = serde_json::from_value(value)?;
        config.seed = self.seed.unwrap_or(config.seed);
        config.check()?;
        Ok(config)
    }
}

fn said(found: &Reading, examples: usize) -> String {
    format!(
        "{examples} texts kept out: {:.2} nats a token with the true picture, {:.2} with another's, gap {:.2}; hidden patches {:.2}",
        found.text,
        found.shuffled,
        found.gap(),
        found.pixel
    )
}

fn as_json(found: &Reading) -> Value {
    json!({"text_loss": found.text, "shuffled_text_loss": found.shuffled, "read_gap": found.gap(), "pixel_loss": found.pixel,
        "perplexity": found.text.exp(), "shuffled_perplexity": found.shuffled.exp()})
}

pub fn pretrain_model(args: &Pretrain, context: Context) -> Result<()> {
    if args.autoregressive {
        return ar::pretrain(args, context);
    }
    let config = args.settings()?;
    let device = open::device_for_screenshots(&args.device)?.0;
    let place = Place::of(&device).with(config.precision)?;
    let texts = args.text.iter().map(|path| text(path)).collect::<Result<Vec<_>>>()?;
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).collect();
    let part =
        |kept: bool| lines.iter().enumerate().filter(move |(number, _)| (number % KEPT_OUT == KEPT_OUT - 1) == kept).map(|(_, line)| *line);
    let bpe = Bpe::learn(part(false), config.vocab);
    let corpus = Corpus::new(&bpe, part(false));
    let checkpoint = args.out.with_extension("checkpoint");
    let mut lab = NativeLab::new(device, context.quiet, signal::install()?).keep_in_file(&checkpoint, PHASE, args.resume)?;
    let (params, history) = match pretrain(&config, &bpe, &corpus, &place, &mut lab, PHASE) {
        Ok(done) => done,
        Err(error) if lab.stopping() => bail!("{error}; go on with the same command and --resume"),
        Err(error) => return Err(error.into()),
    };
    lab.end_task();
    let model = config.model_for(&bpe);
    let renderer = Renderer::bundled(config.render.clone())?;
    let kept = Corpus::new(&bpe, part(true));
    let examples = batch(&bpe, &kept, &renderer, 256, config.bytes, &config.damage, [config.seed, 0], "kept out")?;
    let found = reading(&Ptp::new(model.clone()), &params, &examples, &place)?;
    let trained = Trained { config: model, render: config.render, bpe, params, font_hash: renderer.font_hash() };
    atomic::write_file(&args.out, &trained.save()?)?;
    if context.json {
        return print_json(
            &json!({"schema": "vitrine.screenshot-pretrain/1", "kept_out": as_json(&found), "history": history, "out": args.out}),
        );
    }
    println!("{}", said(&found, examples.len()));
    println!("{}", args.out.display());
    Ok(())
}

pub fn perplexity(args: &Perplexity, context: Context) -> Result<()> {
    let bytes = atomic::read_bounded(&args.model, MODEL_LIMIT)?;
    if is_autoregressive(&bytes) {
        return ar::perplexity(args, &bytes, context);
    }
    let trained: Trained = Trained::read(&bytes).with_context(|| format!("in {}", args.model.display()))?;
    let renderer = trained.renderer(args.allow_font_mismatch)?;
    let Some(path) = &args.text else { bail!("--text is needed: the text to read") };
    let source = text(path)?;
    let corpus = Corpus::new(&trained.bpe, source.lines());
    anyhow::ensure!(corpus.tokens() > 0 && args.examples > 0, "{} has no line of eight bytes to read", path.display());
    let whole = Damage { text_rate: 0.0, ..Damage::default() };
    let bytes = trained.config.tokens;
    let examples = batch(&trained.bpe, &corpus, &renderer, args.examples, bytes, &whole, [args.seed, 0], "perplexity")?;
    let found = reading(&Ptp::new(trained.config.clone()), &trained.params, &examples, &Place::Memory)?;
    if context.json {
        return print_json(&json!({"schema": "vitrine.screenshot-perplexity/1", "examples": examples.len(), "undamaged": as_json(&found)}));
    }
    println!("{}", said(&found, examples.len()).replace("kept out", "undamaged"));
    Ok(())
}

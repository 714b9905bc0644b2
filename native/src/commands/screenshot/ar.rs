//! Autoregressive models: trained on pages of facts or on the user's text, measured after four kinds of context, and asked to go on.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use vitrine_core::{
    settings,
    study::screenshot::{
        ar::{
            go_on::go_on,
            passage::{Passage, Source},
            train::{AfterContexts, ArTraining, after_contexts, passages, train, words_of_facts},
        },
        bpe::Bpe,
        model::{
            Place,
            ar::{Ar, ArConfig, Context as Before},
            file::Trained,
        },
        render::{Renderer, Scratch},
        train::corpus::Corpus,
    },
};

use super::{
    super::{Context, print_json},
    pretrain::{MODEL_LIMIT, Perplexity, Pretrain},
};
use crate::{
    atomic,
    lab::NativeLab,
    open::{self, text},
    signal,
};

const PHASE: &str = "autoregressive";
/// Passages measured after a training.
const PASSAGES: usize = 256;

#[derive(Debug, Args)]
pub struct Continue {
    /// A model that `screenshot pretrain --autoregressive` made.
    #[arg(long)]
    model: PathBuf,
    /// What came before: it is drawn, and the model sees the picture.
    #[arg(long)]
    context: Option<String>,
    /// Give the context as words instead of a picture.
    #[arg(long, requires = "context")]
    words: bool,
    /// The beginning of the text.
    #[arg(long, default_value = "")]
    prompt: String,
    /// Most tokens to write.
    #[arg(long, default_value_t = 32)]
    most: usize,
    #[arg(long)]
    allow_font_mismatch: bool,
}

fn settings_of(args: &Pretrain) -> Result<ArTraining> {
    let mut value: Value = serde_json::to_value(ArTraining::default())?;
    if let Some(path) = &args.config {
        settings::lay_file(&mut value, &text(path)?).with_context(|| format!("in {}", path.display()))?;
    }
    args.set.iter().try_for_each(|one| settings::lay_one(&mut value, one))?;
    let mut config: ArTraining = serde_json::from_value(value)?;
    config.seed = args.seed.unwrap_or(config.seed);
    config.check()?;
    Ok(config)
}

fn said(found: &AfterContexts) -> String {
    format!(
        "perplexity of {} tokens: {:.2} after nothing, {:.2} after the picture (ratio {:.3}), {:.2} after another's (ratio {:.3}), {:.2} after the words",
        found.tokens,
        found.nothing.exp(),
        found.picture.exp(),
        found.ratio(),
        found.wrong.exp(),
        found.wrong_ratio(),
        found.words.exp()
    )
}

fn as_json(found: &AfterContexts) -> Value {
    json!({"nats": found, "ratio": found.ratio(), "wrong_ratio": found.wrong_ratio()})
}

pub fn pretrain(args: &Pretrain, context: Context) -> Result<()> {
    let config = settings_of(args)?;
    let device = open::device(&args.device)?.0;
    let place = Place::of(&device).with(config.precision)?;
    let texts = args.text.iter().map(|path| text(path)).collect::<Result<Vec<_>>>()?;
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).collect();
    // Natural text goes on over its lines, so the last tenth is kept out, not single lines.
    let split = lines.len() - lines.len() / 10;
    let [learned, kept] = [&lines[..split], &lines[split..]];
    let bpe = if lines.is_empty() { words_of_facts(config.vocab) } else { Bpe::learn(learned.iter().copied(), config.vocab) };
    let [learned, kept] = [learned, kept].map(|lines| Corpus::new(&bpe, lines.iter().copied()));
    let source = |corpus| match lines.is_empty() {
        true => Source::Facts,
        false => Source::Text { corpus, drawn: config.drawn, text: config.text },
    };
    let checkpoint = args.out.with_extension("checkpoint");
    let mut lab = NativeLab::new(device, context.quiet, signal::install()?).keep_in_file(&checkpoint, PHASE, args.resume)?;
    let (params, history) = match train(&config, source(&learned), &bpe, &place, &mut lab, PHASE) {
        Ok(done) => done,
        Err(error) if lab.stopping() => bail!("{error}; go on with the same command and --resume"),
        Err(error) => return Err(error.into()),
    };
    lab.end_task();
    let renderer = Renderer::bundled(config.render.clone())?;
    let ar = Ar { config: config.model_for(&bpe) };
    let found = if lines.is_empty() || kept.tokens() > 0 {
        let kept = passages(source(&kept), &bpe, &renderer, PASSAGES, 1.0, [config.seed, 0], "kept out")?;
        Some(after_contexts(&ar, &params, &kept, &place)?)
    } else {
        None
    };
    let trained = Trained { config: ar.config, render: config.render, bpe, params, font_hash: renderer.font_hash() };
    atomic::write_file(&args.out, &trained.save()?)?;
    if context.json {
        let kept = found.as_ref().map(as_json);
        return print_json(&json!({"schema": "vitrine.screenshot-ar/1", "kept_out": kept, "history": history, "out": args.out}));
    }
    println!("{}", found.as_ref().map_or_else(|| "fewer than ten lines of text: none was kept out to measure on".to_owned(), said));
    println!("{}", args.out.display());
    Ok(())
}

pub fn perplexity(args: &Perplexity, bytes: &[u8], context: Context) -> Result<()> {
    let trained: Trained<ArConfig> = Trained::read(bytes).with_context(|| format!("in {}", args.model.display()))?;
    let renderer = trained.renderer(args.allow_font_mismatch)?;
    let source = args.text.as_deref().map(text).transpose()?;
    let corpus = Corpus::new(&trained.bpe, source.iter().flat_map(|text| text.lines()));
    let defaults = ArTraining::default();
    let source = match source {
        Some(_) if corpus.tokens() == 0 => bail!("the text has no line of eight bytes to read"),
        Some(_) => Source::Text { corpus: &corpus, drawn: defaults.drawn, text: defaults.text },
        None => Source::Facts,
    };
    ensure!((1..=1 << 16).contains(&args.examples), "--examples has to be 1 to 65,536");
    let kept = passages(source, &trained.bpe, &renderer, args.examples, 1.0, [args.seed, 0], "perplexity")?;
    let found = after_contexts(&Ar { config: trained.config }, &trained.params, &kept, &Place::Memory)?;
    if context.json {
        return print_json(&json!({"schema": "vitrine.screenshot-ar-perplexity/1", "passages": kept.len(), "found": as_json(&found)}));
    }
    println!("{}", said(&found));
    Ok(())
}

pub fn go(args: &Continue, context: Context) -> Result<()> {
    ensure!((1..=4096).contains(&args.most), "--most has to be 1 to 4,096");
    let trained: Trained<ArConfig> =
        Trained::read(&atomic::read_bounded(&args.model, MODEL_LIMIT)?).with_context(|| format!("in {}", args.model.display()))?;
    let renderer = trained.renderer(args.allow_font_mismatch)?;
    let passage = Passage::new(&trained.bpe, &renderer, &mut Scratch::default(), args.context.as_deref().unwrap_or_default(), &[])?;
    let before = match (&args.context, args.words) {
        (None, _) => Before::Nothing,
        (Some(_), true) => Before::Text(&passage.words),
        (Some(_), false) => passage.picture(),
    };
    let begun: Vec<u32> = trained.bpe.encode(&args.prompt).iter().map(|token| token.id).collect();
    let written = go_on(&Ar { config: trained.config.clone() }, &trained.params, before, &begun, args.most);
    let ids: Vec<u32> = written.iter().map(|(id, _)| *id).collect();
    let continuation = trained.bpe.decode(&ids);
    if context.json {
        let tokens: Vec<Value> =
            written.iter().map(|&(id, log_prob)| json!({"id": id, "text": trained.bpe.decode(&[id]), "log_prob": log_prob})).collect();
        return print_json(
            &json!({"schema": "vitrine.screenshot-continue/1", "prompt": args.prompt, "continuation": continuation, "tokens": tokens}),
        );
    }
    println!("{}{continuation}", args.prompt);
    Ok(())
}

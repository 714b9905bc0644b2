//! Autoregressive models: trained on pages of facts or on the user's text, and measured after four kinds of context.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use vitrine_core::settings;
use vitrine_screenshot::{
    ar::{
        passage::Source,
        train::{AfterContexts, ArTraining, after_contexts, passages, train, words_of_facts},
    },
    bpe::Bpe,
    model::{
        Place,
        ar::{Ar, ArConfig},
        file::Trained,
    },
    render::Renderer,
    train::corpus::Corpus,
};

use super::{
    super::{Context, print_json},
    pretrain::{Perplexity, Pretrain},
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
    let device = open::device_for_screenshots(&args.device)?.0;
    let place = Place::of(&device).with(config.precision)?;
    let texts = args.text.iter().map(|path| text(path)).collect::<Result<Vec<_>>>()?;
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).collect();
    // Natural text goes on over its lines, so the last tenth is kept out, not single lines.
    let split = lines.len() - lines.len() / 10;
    let [learned, kept] = [&lines[..split], &lines[split..]];
    let bpe = if lines.is_empty() { words_of_facts(config.vocab) } else { Bpe::learn(learned.iter().copied(), config.vocab) };
    let [learned, kept] = [learned, kept].map(|lines| Corpus::new(&bpe, lines.iter().copied()));
    let source = |corpus| if lines.is_empty() { Source::Facts } else { Source::Text { corpus, drawn: config.drawn, text: config.text } };
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

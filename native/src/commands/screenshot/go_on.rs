//! `screenshot continue`: an autoregressive model writes on after a context, and a given text is scored after four contexts side by side.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use vitrine_screenshot::{
    ar::{
        beside::{Asked, Beside, Kind, Writer},
        go_on::{Choice, go_on},
        passage::Passage,
    },
    model::{
        ar::{Ar, ArConfig, Context as Before},
        file::Trained,
    },
    render::{FontSources, Scratch},
};

use super::{
    super::{Context, print_json},
    pretrain::MODEL_LIMIT,
};
use crate::atomic;

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
    /// 0 takes the likeliest token, above it one is drawn by the seed.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on after nothing, the picture, the wrong picture and the words, side by side.
    #[arg(long, conflicts_with = "words")]
    beside: bool,
    /// Another text: its picture is the wrong one.
    #[arg(long, requires = "beside")]
    other: Option<String>,
    /// The text that truly follows the prompt: what each of its tokens costs after each context.
    #[arg(long, requires = "beside")]
    target: Option<String>,
    /// Tokens of the target, from 0, that means are taken over, in the place of all.
    #[arg(long, requires = "target", value_delimiter = ',', value_name = "TOKEN,...")]
    count: Option<Vec<usize>>,
    /// A page of facts made by rule, its questions as prompt and target, and another page as the wrong one; only answers count.
    #[arg(long, requires = "beside", conflicts_with_all = ["context", "prompt", "other", "target"], value_name = "SEED")]
    facts: Option<u64>,
    #[arg(long)]
    allow_font_mismatch: bool,
}

impl Continue {
    fn choice(&self) -> Choice {
        Choice { temperature: self.temperature, seed: self.seed }
    }

    fn asked(&self, writer: &Writer) -> Asked {
        let asked = self.facts.map_or_else(
            || Asked {
                context: self.context.clone().unwrap_or_default(),
                other: self.other.clone(),
                prompt: self.prompt.clone(),
                target: self.target.clone().unwrap_or_default(),
                counts: self.count.clone(),
                ..Asked::default()
            },
            |seed| writer.example(seed),
        );
        Asked { most: self.most, choice: self.choice(), ..asked }
    }
}

pub fn run(args: &Continue, context: Context) -> Result<()> {
    ensure!((1..=4096).contains(&args.most), "--most has to be 1 to 4,096");
    args.choice().check()?;
    let trained: Trained<ArConfig> =
        Trained::read(&atomic::read_bounded(&args.model, MODEL_LIMIT)?).with_context(|| format!("in {}", args.model.display()))?;
    if args.beside {
        let writer = Writer::new(trained, &FontSources::bundled(), args.allow_font_mismatch)
            .with_context(|| format!("in {}", args.model.display()))?;
        let asked = args.asked(&writer);
        let found = writer.ask(&asked)?;
        if context.json {
            return print_json(&json!({"schema": "vitrine.screenshot-beside/1", "asked": asked, "beside": found}));
        }
        print_beside(&asked, &found);
        return Ok(());
    }
    one(args, &trained, context)
}

/// After one context alone.
fn one(args: &Continue, trained: &Trained<ArConfig>, context: Context) -> Result<()> {
    let renderer = trained.renderer(args.allow_font_mismatch)?;
    let passage = Passage::new(&trained.bpe, &renderer, &mut Scratch::default(), args.context.as_deref().unwrap_or_default(), &[])?;
    let before = match (&args.context, args.words) {
        (None, _) => Before::Nothing,
        (Some(_), true) => Before::Text(&passage.words),
        (Some(_), false) => passage.picture(),
    };
    let begun: Vec<u32> = trained.bpe.encode(&args.prompt).iter().map(|token| token.id).collect();
    let (written, stop) = go_on(&Ar { config: trained.config.clone() }, &trained.params, before, &begun, args.most, args.choice());
    let ids: Vec<u32> = written.iter().map(|(id, _)| *id).collect();
    let continuation = trained.bpe.decode(&ids);
    if context.json {
        let tokens: Vec<Value> =
            written.iter().map(|&(id, log_prob)| json!({"id": id, "text": trained.bpe.decode(&[id]), "log_prob": log_prob})).collect();
        return print_json(&json!({"schema": "vitrine.screenshot-continue/1", "prompt": args.prompt, "continuation": continuation,
            "tokens": tokens, "stop": stop}));
    }
    println!("{}{continuation}", args.prompt);
    Ok(())
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Nothing => "nothing",
        Kind::Picture => "the picture",
        Kind::Wrong => "the wrong picture",
        Kind::Words => "the words",
    }
}

fn print_beside(asked: &Asked, found: &Beside) {
    println!("goes on after {:?}", asked.prompt);
    for after in &found.after {
        println!("{:>17}  {:?}", name(after.kind), after.continuation);
    }
    let [drawn, all] = found.context.bytes;
    if drawn < all {
        println!("the picture holds {drawn} of the context's {all} bytes");
    }
    if found.target.is_empty() {
        return;
    }
    println!("nats of each token of {:?}; * counts", found.scored);
    let heads: Vec<String> = found.after.iter().map(|after| format!("{:>17}", name(after.kind))).collect();
    println!("{:>4} {:<16}{}", "", "", heads.join(" "));
    for (number, token) in found.target.iter().enumerate() {
        let cell = |nats: Option<f64>| nats.map_or_else(|| format!("{:>17}", "cut"), |nats| format!("{nats:>17.3}"));
        let cells: Vec<String> =
            found.after.iter().map(|after| cell(after.target.get(number).map(|scored| 0.0 - scored.log_prob))).collect();
        println!("{number:>4} {:<16}{}", format!("{:?}{}", token.text, if token.counts { " *" } else { "" }), cells.join(" "));
    }
    let row = |name: &str, of: fn(&vitrine_screenshot::ar::beside::After) -> Option<f64>| {
        let cell = |x: Option<f64>| x.map_or_else(|| format!("{:>17}", "none"), |x| format!("{x:>17.3}"));
        let cells: Vec<String> = found.after.iter().map(|after| cell(of(after))).collect();
        println!("{name:<21}{}", cells.join(" "));
    };
    row("mean nats", |after| after.nats);
    row("perplexity", |after| after.perplexity);
    row("over nothing's", |after| after.ratio);
}

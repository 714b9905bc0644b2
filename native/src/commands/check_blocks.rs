//! `check blocks`: does greedy decoding with weights in the file's blocks write what single precision writes?
//!
//! Inputs are rounded to 16 bits for the blocks, so a near tie can fall the other way. Each difference is listed with the step it begins at and by how much single precision
//! preferred its own token there: a small gap is a tie that rounding broke, a large one a fault.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use vitrine_core::decode::{Greedy, Scorer, Settings, Step, TransformerScorer, Unconstrained, decode};

use super::Context;
use crate::{
    Outcome,
    open::{self, Weights},
};

#[derive(Debug, Args)]
pub struct Blocks {
    #[arg(default_value = "smollm2")]
    model: String,
    /// A text a line; each is cut to --prompt tokens.
    #[arg(long)]
    prompts: PathBuf,
    /// Prompts taken, from the first line on.
    #[arg(long, default_value_t = 200)]
    most: usize,
    /// Tokens of a prompt.
    #[arg(long, default_value_t = 12)]
    prompt: usize,
    /// Tokens decoded.
    #[arg(long, default_value_t = 20)]
    tokens: usize,
    /// Largest gap, in nats, that counts as a tie.
    #[arg(long, default_value_t = 0.25)]
    tie: f64,
}

pub fn run(options: &Blocks, context: Context) -> Result<Outcome> {
    let &Blocks { prompt, tokens, tie, .. } = options;
    ensure!(prompt > 0 && tokens > 0, "--prompt and --tokens have to be at least 1");
    let (device, _) = open::device("cpu")?;
    let single = open::model(&options.model, &device)?;
    let blocks = open::model_for_decoding(&options.model, &device, Weights::Blocks)?;
    let (mut exact, mut rounded) = (TransformerScorer::new(&single.model), TransformerScorer::new(&blocks.model));
    let settings = Settings { max_tokens: tokens, ..Settings::default() };
    let greedy = |scorer: &mut TransformerScorer<'_>, prompt: &[u32]| -> Result<Vec<u32>> {
        let found = decode(&Greedy, scorer, prompt, &settings, &Unconstrained, &mut |_, _| {})?;
        Ok(found.hypotheses.into_iter().next().map(|h| h.tokens).unwrap_or_default())
    };
    let text = open::text(&options.prompts)?;
    let (mut same, mut differences, mut largest) = (0, vec![], 0.0_f64);
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(options.most) {
        let mut ids = single.tokenizer.encode(line)?;
        ids.truncate(prompt);
        let (a, b) = (greedy(&mut exact, &ids)?, greedy(&mut rounded, &ids)?);
        let Some(step) = a.iter().zip(&b).position(|(a, b)| a != b) else {
            same += 1;
            continue;
        };
        // What single precision thought of both tokens where they part.
        let mut next = exact.begin(&ids)?;
        for &token in &a[..step] {
            next = exact.advance(&[Step { parent: 0, token }])?.pop().context("the scorer gives no row")?;
        }
        let gap = next[a[step] as usize] - next[b[step] as usize];
        largest = largest.max(gap);
        let show = |token: u32| single.tokenizer.decode(&[token]);
        differences.push(json!({"prompt": single.tokenizer.decode(&ids), "step": step, "single": show(a[step]), "blocks": show(b[step]), "gap_nats": gap}));
    }
    let n = same + differences.len();
    ensure!(n > 0, "{} holds no text", options.prompts.display());
    if context.json {
        println!(
            "{}",
            json!({"schema": "vitrine.check.blocks/1", "prompts": n, "same": same, "largest_gap_nats": largest, "differences": differences})
        );
    } else {
        for d in &differences {
            println!(
                "{} | step {}: {} in single precision, {} with blocks, {:.3} nats apart",
                d["prompt"],
                d["step"],
                d["single"],
                d["blocks"],
                d["gap_nats"].as_f64().unwrap_or(f64::NAN)
            );
        }
        println!(
            "{same} of {n} continuations of {tokens} tokens are the same; where they part, single precision preferred its token by at most {largest:.3} nats"
        );
    }
    Ok(if largest <= tie { Outcome::Fine } else { Outcome::CheckFailed })
}

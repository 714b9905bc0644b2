//! `bench decode`: what a prompt token and a decoded token cost, and beam search with a forking cache against running prefixes again.
//!
//! Processor time of all threads counts, as wall time on a busy machine mostly shows the other work. All figures come from one run; the JSON has a line's worth for `tests/bench/decode`.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use vitrine_core::decode::{Beam, EarlyStop, Method, Rerun, Scorer, Settings, Step, TransformerScorer, Unconstrained, decode};

use super::{super::Context, Times};
use crate::{Outcome, commands::print_json, open, process};

#[derive(Debug, clap::Args)]
pub struct Options {
    model: String,
    /// Tokens of the prompt.
    #[arg(long, default_value_t = 128)]
    prompt: usize,
    /// Tokens decoded.
    #[arg(long, default_value_t = 32)]
    tokens: usize,
    /// Width of the beam.
    #[arg(long, default_value_t = 8)]
    width: usize,
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Threads of the CPU; all by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Leave out the beams.
    #[arg(long)]
    single: bool,
    #[arg(long, default_value = "cpu")]
    device: String,
    /// How decoded tokens meet the weights.
    #[arg(long, value_enum, default_value_t)]
    weights: open::Weights,
}

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    process::with_threads(options.threads, || measure(options, context))?
}

/// Times of a whole search, and what it found.
fn searched(method: &dyn Method, scorer: &mut dyn Scorer, prompt: &[u32], tokens: usize, times: &mut Times) -> Result<Vec<Vec<u32>>> {
    let settings = Settings { max_tokens: tokens, ..Settings::default() };
    let found = times.measure(|| decode(method, scorer, prompt, &settings, &Unconstrained, &mut |_, _| {}))?;
    Ok(found.hypotheses.into_iter().map(|h| h.tokens).collect())
}

fn measure(options: &Options, context: Context) -> Result<Outcome> {
    let &Options { prompt, tokens, width, repeats, .. } = options;
    ensure!(prompt > 0 && tokens > 0 && repeats > 0, "--prompt, --tokens and --repeats have to be at least 1");
    let (device, device_name) = open::device(&options.device)?;
    let opened = open::model_for_decoding(&options.model, &device, options.weights)?;
    let vocab = opened.model.config.vocab_size;
    // Tokens from the lower half of the vocabulary, which every tokenizer uses for text.
    let ids = |salt: usize| -> Vec<u32> { (0..prompt).map(|i| ((i * 7919 + 13 + salt) % (vocab / 2).max(1)) as u32).collect() };
    let [mut reading, mut writing, mut forked, mut rerun] = [const { Times { wall: vec![], cpu: vec![] } }; 4];
    let mut scorer = TransformerScorer::new(&opened.model);
    let beam = Beam { early_stop: EarlyStop::Never, ..Beam::new(width) };
    let mut same = true;
    for repeat in 0..=repeats {
        if repeat == 1 {
            // The first round warmed up.
            (reading, writing, forked, rerun) = Default::default();
        }
        // Another prompt each time, from its first token on: nothing is remembered.
        let prompt = ids(repeat + 1);
        let mut next = reading.measure(|| scorer.begin(&prompt))?;
        writing.measure(|| -> Result<()> {
            for _ in 0..tokens {
                let best = vitrine_core::decode::search::top(&next, 1);
                let token = *best.first().context("the model gives no token")?;
                next = scorer.advance(&[Step { parent: 0, token }])?.pop().context("the scorer gives no row")?;
            }
            Ok(())
        })?;
        if !options.single {
            let prompt = ids(100 + repeat);
            let found = searched(&beam, &mut scorer, &prompt, tokens, &mut forked)?;
            let again = searched(&beam, &mut Rerun::new(&opened.model), &prompt, tokens, &mut rerun)?;
            same &= found == again;
        }
    }
    let rate = |n: usize, (wall, cpu): (f64, f64)| json!({"wall_s": wall, "cpu_s": cpu, "tokens_per_s": n as f64 / wall, "tokens_per_cpu_s": n as f64 / cpu});
    let (read, written, forked, rerun) = (reading.median(), writing.median(), forked.median(), rerun.median());
    let mut out = json!({"schema": "vitrine.bench.decode/1", "program": concat!("vitrine ", env!("CARGO_PKG_VERSION")), "device": device_name, "weights": if options.weights == open::Weights::Blocks { "blocks" } else { "single" },
        "threads": rayon::current_num_threads(), "prompt_tokens": prompt, "tokens": tokens,
        "prompt": rate(prompt, read), "decode": rate(tokens, written)});
    if !options.single {
        out["beam"] = json!({"width": width, "forking": {"wall_s": forked.0, "cpu_s": forked.1}, "rerunning": {"wall_s": rerun.0, "cpu_s": rerun.1},
            "rerunning_over_forking_cpu": rerun.1 / forked.1, "same_hypotheses": same});
    }
    if context.json {
        println!("{out}");
    } else {
        print_json(&out)?;
    }
    Ok(Outcome::Fine)
}

//! `bench pipeline`: whether drawing starves training: processor seconds to make a batch of damaged pictures, beside those of the training step it feeds.

use anyhow::{Result, ensure};
use serde_json::json;
use vitrine_core::study::screenshot::{
    bpe::Bpe,
    experiment::made::made,
    model::ptp::Ptp,
    render::Renderer,
    train::{
        corpus::Corpus,
        objective::losses,
        pretrain::{PretrainConfig, batch},
        state::State,
    },
};

use super::{super::Context, Times};
use crate::Outcome;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Texts of a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Batches; the median counts.
    #[arg(long, default_value_t = 20)]
    repeats: usize,
}

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    ensure!((1..=1 << 16).contains(&options.batch) && options.repeats > 0, "at least one batch of one text is needed");
    let config = PretrainConfig { batch_size: options.batch, ..PretrainConfig::default() };
    let data = made(0);
    let lines = || data.lines.iter().map(String::as_str);
    let bpe = Bpe::learn(lines(), config.vocab);
    let corpus = Corpus::new(&bpe, lines());
    let renderer = Renderer::bundled(config.render.clone())?;
    let ptp = Ptp::new(config.model_for(&bpe));
    let mut state = State::new(ptp.init(0));
    let [mut drawing, mut learning] = [Times::default(), Times::default()];
    for step in 0..=options.repeats as u64 {
        if step == 1 {
            // The first batch warmed up.
            (drawing, learning) = Default::default();
        }
        let examples =
            drawing.measure(|| batch(&bpe, &corpus, &renderer, options.batch, config.bytes, &config.damage, [0, step], "bench"))?;
        learning.measure(|| -> Result<()> {
            let (_, gradients) = losses(&ptp, &state.params, &examples, config.weights, true);
            state.learn(gradients.unwrap_or_default(), 1e-4, config.weight_decay, 1.0);
            Ok(())
        })?;
    }
    let [drawing, learning] = [drawing, learning].map(|times| times.median());
    let share = drawing.0 / (drawing.0 + learning.0);
    if context.json {
        super::print_json(&json!({"schema": "vitrine.bench-pipeline/1", "batch": options.batch,
            "drawing": {"wall_s": drawing.0, "cpu_s": drawing.1}, "step": {"wall_s": learning.0, "cpu_s": learning.1}, "waiting_share": share}))?;
    } else {
        println!(
            "a batch of {}: drawn in {:.1} ms, learned from in {:.1} ms of the processor; training waits {:.1} % of the time",
            options.batch,
            1e3 * drawing.1,
            1e3 * learning.1,
            100.0 * share
        );
    }
    Ok(Outcome::Fine)
}

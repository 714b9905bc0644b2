//! `bench model`: a plain forward and a training step at GPT-2's shapes, for comparison with another program (`tests/bench/torch`).
//! `bench circuit`: what the masked forward and a training step cost, as ratios to a plain forward of the same batch in the same run.

mod model;

use std::time::Instant;

use anyhow::Result;
use burn::tensor::{Tensor, TensorData};
use clap::Subcommand;
use serde_json::json;
use vitrine_core::model::{
    stream::{Capture, EdgeMasked, Plain, Workspace},
    transformer::select_rows,
};

use super::{Context, print_json};
use crate::{Outcome, open, resources};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plain forward or training step of a GPT-2-shaped model with random weights.
    #[command(after_help = "Example:\n  vitrine bench model --case train --threads 1")]
    Model(model::Options),
    /// Plain forward, masked forward, and a training step with cached references.
    #[command(after_help = "Example:\n  vitrine bench circuit smollm2")]
    Circuit {
        model: String,
        #[arg(long, default_value_t = 8)]
        batch: usize,
        #[arg(long, default_value_t = 20)]
        tokens: usize,
        #[arg(long, default_value_t = 5)]
        repeats: usize,
        #[arg(long, default_value = "cpu")]
        device: String,
    },
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    let (model, batch, tokens, repeats, device) = match command {
        Command::Model(options) => return model::run(&options, context),
        Command::Circuit { model, batch, tokens, repeats, device } => (model, batch, tokens, repeats, device),
    };
    let (device, device_name) = open::device(&device)?;
    let model = open::model(&model, &device)?.model;
    let config = model.config;
    let sequences = |salt: usize| -> Vec<Vec<u32>> {
        (0..batch).map(|b| (0..tokens).map(|t| ((b * 37 + t * 101 + salt) % config.vocab_size) as u32).collect()).collect()
    };
    let (clean, corrupted) = (model.batch(&sequences(5))?, model.batch(&sequences(9))?);
    let answers: Vec<usize> = (0..batch).map(|b| clean.row(b, tokens - 1)).collect();
    let graph = config.graph(config.default_embedding_nodes())?;
    let n = graph.n_edges();
    let masks: Tensor<1> = Tensor::from_data(TensorData::new(vec![0.7_f32; n], [n]), &device);
    let before = resources::peak_memory_bytes();
    let mut capture = Capture::default();
    model.forward(&corrupted, &mut capture);
    let reference = capture.into_reference();
    let (mut plain, mut masked, mut step) = (vec![], vec![], vec![]);
    let (mut forward_space, mut step_space) = (Workspace::default(), Workspace::default());
    for repeat in 0..=repeats {
        let began = Instant::now();
        model.unembed(select_rows(model.forward(&clean, &mut Plain::default()), &answers)).try_into_data()?;
        let plain_seconds = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let mut stream = EdgeMasked::new(&model, &graph, masks.clone(), reference.as_ref(), &clean, &mut forward_space, false);
        model.unembed(select_rows(model.forward(&clean, &mut stream), &answers)).try_into_data()?;
        stream.finish(&mut forward_space);
        let masked_seconds = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let mut stream = EdgeMasked::new(&model, &graph, masks.clone(), reference.as_ref(), &clean, &mut step_space, true);
        let read = model.forward(&clean, &mut stream);
        stream.backward(&model, &clean, read * 1e-3, None).try_into_data()?;
        stream.finish(&mut step_space);
        // The first round warms up.
        if repeat > 0 {
            plain.push(plain_seconds);
            masked.push(masked_seconds);
            step.push(began.elapsed().as_secs_f64());
        }
    }
    let (plain, masked, step) = (median(plain), median(masked), median(step));
    let unit = (graph.n_writers() * batch * tokens * config.d_model * 4) as f64;
    let above = before.zip(resources::peak_memory_bytes()).map(|(before, after)| (after.saturating_sub(before)) as f64 / unit);
    print_json(&json!({"schema": "vitrine.bench.circuit/1", "device": device_name, "batch": batch, "tokens": tokens, "edges": n,
        "plain_s": plain, "masked_s": masked, "step_s": step, "masked_over_plain": masked / plain, "step_over_plain": step / plain,
        "peak_above_weights_over_writer_store": above}))?;
    Ok(Outcome::Fine)
}

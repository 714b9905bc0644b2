//! `bench model`: what a plain forward and a training step cost.
//!
//! The shapes, the token ids and the measuring are those of `tests/bench/torch_gpt2.py`, and so is the JSON line, so that the two can be compared within one run. Processor time of
//! all threads counts, as wall time on a busy machine mostly shows the other work.

use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;
use vitrine_core::{
    model::{Transformer, TransformerConfig},
    train::{
        adamw::AdamW,
        language_model::{self, Examples, ModelMoments},
    },
};

use super::{super::Context, median};
use crate::{Outcome, open, process, resources};

/// Learning rate of the training case.
const LR: f64 = 3e-4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    /// Forward, cross-entropy at every position, backward, AdamW: 4 layers of width 256, 8 x 128 tokens.
    Train,
    /// Logits at every position of GPT-2 small, 4 x 64 tokens.
    Forward,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long, value_enum, default_value = "train")]
    case: Case,
    /// Threads of the CPU; all by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Measured iterations.
    #[arg(long, default_value_t = 10)]
    iterations: usize,
    /// Iterations before them.
    #[arg(long, default_value_t = 3)]
    warmup: usize,
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Model and batch of a case: config, sequences, tokens a sequence.
fn shape(case: Case) -> (TransformerConfig, usize, usize) {
    let gpt2 = TransformerConfig::gpt2_small();
    match case {
        Case::Train => {
            let (n_layers, d_model, n_heads, vocab_size) = (4, 256, 4, 4096);
            let sizes = TransformerConfig { n_layers, d_model, n_heads, n_kv_heads: n_heads, d_mlp: 4 * d_model, vocab_size, ..gpt2 };
            (TransformerConfig { d_out: vocab_size, max_positions: 128, ..sizes }, 8, 128)
        }
        Case::Forward => (TransformerConfig { max_positions: 64, ..gpt2 }, 4, 64),
    }
}

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    process::with_threads(options.threads, || measure(options, context))?
}

fn measure(options: &Options, context: Context) -> Result<Outcome> {
    let threads = rayon::current_num_threads();
    let (device, device_name) = open::device(&options.device)?;
    let (config, size, seq) = shape(options.case);
    let mut model = Transformer::init(config, 0, &device);
    let ids: Vec<u32> = (0..size * seq).map(|i| ((i * 7919 + 13) % config.vocab_size) as u32).collect();
    let inputs: Vec<Vec<u32>> = ids.chunks(seq).map(<[u32]>::to_vec).collect();
    let (mut wall, mut cpu, mut number) = (vec![], vec![], 0.0);
    let mut measure = |step: &mut dyn FnMut(u64) -> Result<f64>| -> Result<()> {
        for i in 0..options.warmup + options.iterations {
            let (began, cpu_began) = (Instant::now(), resources::cpu_seconds());
            number = step(i as u64 + 1)?;
            if i >= options.warmup {
                wall.push(began.elapsed().as_secs_f64() * 1e3);
                cpu.extend(resources::cpu_seconds().zip(cpu_began).map(|(after, before)| (after - before) * 1e3));
            }
        }
        Ok(())
    };
    let result = match options.case {
        Case::Train => {
            let targets = ids.iter().map(|&id| (id + 1) % config.vocab_size as u32).collect();
            let (examples, adamw, mut moments) = (Examples::mean(inputs, targets), AdamW::default(), ModelMoments::default());
            measure(&mut |i| Ok(language_model::step(&mut model, &examples, &mut moments, &adamw, i, LR)?))?;
            "loss"
        }
        Case::Forward => {
            let batch = model.batch(&inputs)?;
            let last = batch.n_tokens() - 1;
            measure(&mut |_| Ok(model.logits(&batch).slice([last..last + 1, 0..1]).try_into_scalar::<f32>()?.into()))?;
            "logit"
        }
    };
    if context.json {
        let case = options.case.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
        let line = json!({"schema": "vitrine-bench-model/1", "program": concat!("vitrine ", env!("CARGO_PKG_VERSION")), "case": case,
            "device": device_name, "threads": threads, "tokens": size * seq, "parameters": config.n_parameters(),
            "wall_ms": wall, "cpu_ms": cpu, result: number});
        println!("{line}");
    } else {
        println!("{} tokens, {} weights, {threads} threads, {device_name}", size * seq, config.n_parameters());
        println!("wall time       {:8.1} ms", median(wall));
        println!("processor time  {:8.1} ms", median(cpu));
        println!("{result:<15} {number:8.4}");
    }
    Ok(Outcome::Fine)
}

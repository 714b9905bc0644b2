//! `check golden KIND PATH`: `N of N agree, largest difference D`, or the first failing cases.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use burn::tensor::{Device, Tensor};
use clap::Subcommand;
use serde::Deserialize;
use vitrine_core::{
    formats::safetensors::SafeTensors,
    model::stream::{Ablation, EdgeMasked, Plain, Workspace},
    study::edge_pruning::{
        programs::{Program, TOLERANCE},
        tasks::{
            encode::NumericScoring,
            lines::{LineLimits, read_lines},
            rows::read_rows,
            tracr::EdgeTruth,
        },
    },
    train::hard_concrete,
};

use super::Context;
use crate::{Outcome, atomic, open};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// tracr (a program's folder), circuits (rows of a task), hard-concrete, smollm2-logits.
    #[command(
        after_help = "Example:\n  vitrine check golden tracr path/to/program\n  vitrine check golden smollm2-logits ref_logits.jsonl"
    )]
    Golden {
        kind: String,
        path: Option<PathBuf>,
        #[arg(long, default_value = "cpu")]
        device: String,
        /// Model for circuits and smollm2-logits.
        #[arg(long, default_value = "smollm2")]
        model: String,
    },
}

/// Counts cases and keeps the first failures.
#[derive(Default)]
struct Tally {
    cases: usize,
    agree: usize,
    largest: f64,
    failures: Vec<String>,
}

impl Tally {
    fn case(&mut self, difference: f64, tolerance: f64, name: impl FnOnce() -> String) {
        self.cases += 1;
        self.largest = self.largest.max(difference);
        if difference <= tolerance {
            self.agree += 1;
        } else if self.failures.len() < 10 {
            self.failures.push(format!("{}: off by {difference}", name()));
        }
    }

    fn print(self, what: &str) -> Outcome {
        println!("{what}: {} of {} agree, largest difference {:.3e}", self.agree, self.cases, self.largest);
        self.failures.iter().for_each(|f| println!("  {f}"));
        if self.agree == self.cases && self.cases > 0 { Outcome::Fine } else { Outcome::CheckFailed }
    }
}

pub fn run(command: Command, _: Context) -> Result<Outcome> {
    let Command::Golden { kind, path, device, model } = command;
    let (device, _) = open::device(&device)?;
    let needed = || path.as_deref().context("this kind needs a path");
    match kind.as_str() {
        "tracr" => tracr(needed()?, &device),
        "hard-concrete" => Ok(hard_concrete_fixtures().print("hard-concrete")),
        "circuits" => circuits(needed()?, &model, &device),
        "smollm2-logits" => logits(needed()?, &model, &device),
        other => bail!("no golden kind {other}; there are: tracr, circuits, hard-concrete, smollm2-logits"),
    }
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(atomic::read_bounded(path, open::TEXT_LIMIT)?).with_context(|| format!("{} is not text", path.display()))
}

fn numbers(x: Tensor<2>) -> Result<Vec<f32>> {
    x.try_into_data()?.try_into_vec::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))
}

fn tracr(folder: &Path, device: &Device) -> Result<Outcome> {
    let weights = atomic::read_bounded(&folder.join("model.safetensors"), open::TEXT_LIMIT)?;
    let program = Program::load(&text(&folder.join("config.json"))?, &SafeTensors::open(&weights[..])?, device)?;
    let mut raw = Tally::default();
    let mut decoded = Tally::default();
    for (row, pair) in program.config.read_pairs(&text(&folder.join("pairs.jsonl"))?, LineLimits::default())?.iter().enumerate() {
        let outputs = numbers(program.model.logits(&program.model.batch(&[&pair.input_ids])?))?;
        let rows: Vec<&[f32]> = outputs.chunks_exact(program.config.d_out).skip(1).collect();
        let worst =
            rows.iter().zip(&pair.raw).flat_map(|(a, b)| a.iter().zip(b)).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        raw.case(worst, 1e-3, || format!("row {}", row + 1));
        let right = program.config.is_right(&rows, &pair.output, TOLERANCE);
        decoded.case(f64::from(u8::from(!right)), 0.0, || format!("row {}", row + 1));
    }
    let mut outcome = raw.print("raw outputs");
    if decoded.print("decoded outputs") == Outcome::CheckFailed {
        outcome = Outcome::CheckFailed;
    }
    // Every edge cut alone, through the masked stream.
    let problem = program.problem(Ablation::Zero, NumericScoring::SquaredError, 0)?;
    let truth = EdgeTruth::from_json(&text(&folder.join("edges.json"))?, &problem.graph)?;
    let sequences: Vec<&[u32]> = problem.examples.iter().map(|e| &e.clean[..]).collect();
    let batch = program.model.batch(&sequences)?;
    let full = numbers(program.model.unembed(program.model.forward(&batch, &mut Plain::default())))?;
    let n = problem.graph.n_edges();
    let mut effects = Tally::default();
    let mut workspace = Workspace::default();
    let sampled = program.config.full_length_inputs(usize::MAX, 0).is_ok_and(|all| all.len() > sequences.len());
    for effect in &truth.per_edge {
        let mut masks = vec![1.0_f32; n];
        masks[effect.edge] = 0.0;
        let mut stream = EdgeMasked::new(&program.model, &problem.graph, &masks, None, &batch, &mut workspace, false);
        let cut = numbers(program.model.unembed(program.model.forward(&batch, &mut stream)))?;
        stream.finish(&mut workspace);
        let row = program.config.d_out * batch.seq_len();
        let found = cut
            .chunks_exact(row)
            .zip(full.chunks_exact(row))
            .flat_map(|(a, b)| a.iter().zip(b).skip(program.config.d_out))
            .map(|(a, b)| f64::from((a - b).abs()))
            .fold(0.0, f64::max);
        let difference = if sampled { (found - effect.zero_max_abs).max(0.0) } else { (found - effect.zero_max_abs).abs() };
        effects.case(difference, 1e-3, || {
            let (w, r) = problem.graph.edge(effect.edge);
            format!("{w} -> {r}")
        });
    }
    if effects.print(if sampled { "single-edge effects (a sample of inputs: at most the known size)" } else { "single-edge effects" })
        == Outcome::CheckFailed
    {
        outcome = Outcome::CheckFailed;
    }
    Ok(outcome)
}

fn hard_concrete_fixtures() -> Tally {
    let mut tally = Tally::default();
    for (a, p0, soft) in [
        (0.0_f32, 0.168_178, 0.5),
        (2.0, 0.026_633, 0.916_827),
        (-2.0, 0.599_025, 0.083_173),
        (10.0, 0.000_009, 0.999_994),
        (-10.0, 0.999_775, 0.000_006),
    ] {
        tally.case((hard_concrete::probability_zero(a) - p0).abs(), 1e-5, || format!("P(z = 0) at {a}"));
        tally.case((f64::from(hard_concrete::soft(a)) - soft).abs(), 1e-5, || format!("soft value at {a}"));
    }
    for (a, u, z) in [(0.0_f32, 0.3, 0.162_914), (0.0, 0.5, 0.5), (2.0, 0.3, 0.919_150), (2.0, 0.5, 1.0), (-2.0, 0.3, 0.0)] {
        tally.case((f64::from(hard_concrete::draw(a, u).z) - z).abs(), 1e-5, || format!("draw at {a}, u {u}"));
    }
    tally
}

fn circuits(path: &Path, model: &str, device: &Device) -> Result<Outcome> {
    let opened = open::model(model, device)?;
    let mut tally = Tally::default();
    for row in read_rows(&text(path)?, LineLimits::default())? {
        for (prompt, ids) in [(&row.clean, &row.smollm2_ids), (&row.corrupted, &row.smollm2_corrupted_ids)] {
            let same = opened.tokenizer.encode(prompt)? == *ids;
            tally.case(f64::from(u8::from(!same)), 0.0, || format!("line {}: {prompt:?}", row.line));
        }
    }
    Ok(tally.print("token ids"))
}

#[derive(Debug, Deserialize)]
struct LogitRow {
    ids: Vec<u32>,
    top_ids: Vec<usize>,
    top_logits: Vec<f32>,
    logsumexp: f64,
}

fn logits(path: &Path, model: &str, device: &Device) -> Result<Outcome> {
    let opened = open::model(model, device)?;
    let mut tally = Tally::default();
    for (line, row) in read_lines::<LogitRow>(&text(path)?, LineLimits::default())? {
        let batch = opened.model.batch(&[&row.ids])?;
        let found = numbers(opened.model.logits_at(&batch, &[row.ids.len().saturating_sub(1)]))?;
        let mut worst = (found.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() - row.logsumexp).abs();
        for (&id, &logit) in row.top_ids.iter().zip(&row.top_logits) {
            worst = worst.max(found.get(id).map_or(f64::INFINITY, |x| f64::from((x - logit).abs())));
        }
        for pair in row.top_ids.windows(2).zip(row.top_logits.windows(2)) {
            if let ([a, b], [la, lb]) = pair
                && la - lb > 0.05
                && found[*a] <= found[*b]
            {
                worst = f64::INFINITY;
            }
        }
        tally.case(worst, 0.02, || format!("line {line}"));
    }
    Ok(tally.print("logits"))
}

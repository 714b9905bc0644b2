//! Golden checks of this study: compiled programs, token ids of prepared rows, logits of a known model.
//!
//! **Source.** The files are described in the README of each data set: Tracr programs with raw and decoded outputs and the effect of every single edge;
//! circuit rows with token ids; prompts with the largest logits and the log-partition, from an independent implementation.

use serde::Deserialize;
use thiserror::Error;
use vitrine_core::tensor::Device;

use super::{
    problem::{Problem, PruneError, read},
    programs::{Program, ProgramError, TOLERANCE},
    tasks::{
        encode::NumericScoring,
        lines::{LineLimits, LinesError, read_lines},
        rows::read_rows,
        tracr::{EdgeTruth, TracrError},
    },
};
use vitrine_core::{
    formats::{FormatError, WeightSource},
    golden::Agreement,
    model::{
        Transformer,
        batch::BatchError,
        stream::{Ablation, EdgeMasked, Plain, Workspace},
    },
    text::tokenizer::Tokenizer,
};

/// Largest difference of a raw output or of an edge's effect.
const RAW_TOLERANCE: f64 = 1e-3;
/// Largest difference of a logit and of the log-partition: the files hold four decimals of another order of summation.
const LOGIT_TOLERANCE: f64 = 0.02;
/// Neighbouring logits further apart than this must keep their order.
const ORDER_GAP: f32 = 0.05;

/// Why a golden file could not be compared.
#[derive(Debug, Error)]
pub enum GoldenError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Tracr(#[from] TracrError),
    #[error(transparent)]
    Prune(#[from] PruneError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Lines(#[from] LinesError),
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// The files of one compiled program.
#[derive(Clone, Copy)]
pub struct TracrFiles<'a> {
    /// `config.json`.
    pub config: &'a str,
    /// `model.safetensors`, opened.
    pub weights: &'a dyn WeightSource,
    /// `pairs.jsonl`, where there is one: inputs with raw and decoded outputs.
    pub pairs: Option<&'a str>,
    /// `edges.json`.
    pub edges: &'a str,
}

/// A compiled program against its files: raw outputs and decoded outputs of `pairs`, then every edge cut alone, through the masked stream.
///
/// # Errors
/// [`GoldenError`] for files that make no program.
pub fn tracr(files: TracrFiles, device: &Device) -> Result<Vec<Agreement>, GoldenError> {
    let program = Program::load(files.config, files.weights, device)?;
    let mut found = match files.pairs {
        Some(pairs) => outputs(&program, pairs)?,
        None => Vec::new(),
    };
    found.push(edge_effects(&program, files.edges)?);
    Ok(found)
}

fn outputs(program: &Program, pairs: &str) -> Result<Vec<Agreement>, GoldenError> {
    let (mut raw, mut decoded) = (Agreement::of("raw outputs"), Agreement::of("decoded outputs"));
    for (row, pair) in (1..).zip(program.config.read_pairs(pairs, LineLimits::default())?) {
        let outputs = read(program.model.logits(&program.model.batch(&[&pair.input_ids])?))?;
        let rows: Vec<&[f32]> = outputs.chunks_exact(program.config.d_out).skip(1).collect();
        let worst = rows.iter().zip(&pair.raw).map(|(a, b)| largest_difference(a, b)).fold(0.0, worse);
        raw.case(worst, RAW_TOLERANCE, || format!("row {row}"));
        decoded.yes_or_no(program.config.is_right(&rows, &pair.output, TOLERANCE), || format!("row {row}"));
    }
    Ok(vec![raw, decoded])
}

fn edge_effects(program: &Program, edges: &str) -> Result<Agreement, GoldenError> {
    let problem: Problem = program.problem(Ablation::Zero, NumericScoring::SquaredError, 0)?;
    let truth = EdgeTruth::from_json(edges, &problem.graph)?;
    let sequences: Vec<&[u32]> = problem.examples.iter().map(|e| &e.clean[..]).collect();
    let batch = program.model.batch(&sequences)?;
    let full = read(program.model.unembed(program.model.forward(&batch, &mut Plain::default())))?;
    let n = problem.graph.n_edges();
    // A problem may hold a sample of the inputs that the file's effects were measured on.
    let sampled = program.config.full_length_inputs(usize::MAX, 0).is_ok_and(|all| all.len() > sequences.len());
    let mut found =
        Agreement::of(if sampled { "single-edge effects (a sample of inputs: at most the known size)" } else { "single-edge effects" });
    let mut workspace = Workspace::default();
    for effect in &truth.per_edge {
        let mut masks = vec![1.0_f32; n];
        masks[effect.edge] = 0.0;
        let mut stream = EdgeMasked::new(&program.model, &problem.graph, &masks, None, &batch, &mut workspace, false);
        let cut = read(program.model.unembed(program.model.forward(&batch, &mut stream)))?;
        stream.finish(&mut workspace);
        let (row, skip) = (program.config.d_out * batch.seq_len(), program.config.d_out);
        let size = cut.chunks_exact(row).zip(full.chunks_exact(row)).map(|(a, b)| largest_difference(&a[skip..], &b[skip..]));
        let size = size.fold(0.0, worse);
        let difference = if sampled { (size - effect.zero_max_abs).max(0.0) } else { (size - effect.zero_max_abs).abs() };
        found.case(difference, RAW_TOLERANCE, || {
            let (w, r) = problem.graph.edge(effect.edge);
            format!("{w} -> {r}")
        });
    }
    Ok(found)
}

/// Ids of both prompts of every row of a task file, as `tokenizer` (SmolLM2's) gives them.
///
/// # Errors
/// [`GoldenError`] for a file that holds no rows, or a text that cannot be encoded.
pub fn token_ids(rows: &str, tokenizer: &Tokenizer) -> Result<Agreement, GoldenError> {
    let mut found = Agreement::of("token ids");
    for row in read_rows(rows, LineLimits::default())? {
        for (prompt, ids) in [(&row.clean, &row.smollm2_ids), (&row.corrupted, &row.smollm2_corrupted_ids)] {
            found.yes_or_no(tokenizer.encode(prompt)? == *ids, || format!("line {}: {prompt:?}", row.line));
        }
    }
    Ok(found)
}

#[derive(Debug, Deserialize)]
struct LogitRow {
    ids: Vec<u32>,
    top_ids: Vec<usize>,
    top_logits: Vec<f32>,
    logsumexp: f64,
}

/// Largest logits, their order and the log-partition after every prompt of `rows`.
///
/// # Errors
/// [`GoldenError`] for a file that holds no rows, or ids outside the vocabulary.
pub fn logits(rows: &str, model: &Transformer) -> Result<Agreement, GoldenError> {
    let mut found = Agreement::of("logits");
    for (line, row) in read_lines::<LogitRow>(rows, LineLimits::default())? {
        let batch = model.batch(&[&row.ids])?;
        let logits = read(model.logits_at(&batch, &[row.ids.len().saturating_sub(1)]))?;
        let mut worst = (logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() - row.logsumexp).abs();
        for (&id, &logit) in row.top_ids.iter().zip(&row.top_logits) {
            worst = worse(worst, logits.get(id).map_or(f64::INFINITY, |x| f64::from((x - logit).abs())));
        }
        for pair in row.top_ids.windows(2).zip(row.top_logits.windows(2)) {
            if let ([a, b], [la, lb]) = pair
                && la - lb > ORDER_GAP
                && logits.get(*a) <= logits.get(*b)
            {
                worst = f64::INFINITY;
            }
        }
        found.case(worst, LOGIT_TOLERANCE, || format!("line {line}"));
    }
    Ok(found)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, worse)
}

/// The larger one; a NaN counts as infinite, so that it is never lost.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

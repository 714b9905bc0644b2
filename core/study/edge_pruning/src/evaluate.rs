//! Measuring a circuit: run it with binary masks and compare with the full model.
//!
//! Circuits are always run, never estimated: kept edges carry the writer's output in the circuit itself, cut edges the reference.

use vitrine_core::tensor::Tensor;

use super::{
    problem::{Prepared, Problem, PruneError, read},
    tasks::score::{Scores, mean_scores, score},
};
use vitrine_core::model::stream::Workspace;

/// Outputs of every example, scored positions one after another, `[positions][outputs]`.
pub type Outputs = Vec<Vec<Vec<f32>>>;

/// The full model's outputs for all examples.
///
/// # Errors
/// Batch and device errors.
pub fn full_outputs(problem: &Problem, batch_size: usize) -> Result<Outputs, PruneError> {
    let mut all = vec![];
    for indices in problem.batches(batch_size) {
        let batch = problem.prepare(&indices)?;
        all.extend(by_example(&batch, model_outputs(problem, problem.full_reads(&batch)))?);
    }
    Ok(all)
}

/// A circuit's outputs for all examples; `masks` in edge order, 0 to 1.
///
/// # Errors
/// Batch and device errors, [`PruneError::MaskCount`].
pub fn circuit_outputs(problem: &Problem, masks: &[f32], batch_size: usize) -> Result<Outputs, PruneError> {
    let mut all = vec![];
    let mut workspace = Workspace::default();
    for indices in problem.batches(batch_size) {
        let batch = problem.prepare(&indices)?;
        let reference = problem.reference(&batch);
        let reads = problem.masked_reads(&batch, reference.as_ref(), masks, &mut workspace)?;
        all.extend(by_example(&batch, model_outputs(problem, reads))?);
    }
    Ok(all)
}

/// The metrics of a circuit against the full model, means over the examples.
///
/// # Errors
/// As [`circuit_outputs`]; scoring errors.
pub fn evaluate(problem: &Problem, full: &Outputs, masks: &[f32], batch_size: usize) -> Result<Scores, PruneError> {
    compare(problem, full, &circuit_outputs(problem, masks, batch_size)?)
}

/// The metrics of given outputs against the full model's.
///
/// # Errors
/// Scoring errors.
pub fn compare(problem: &Problem, full: &Outputs, circuit: &Outputs) -> Result<Scores, PruneError> {
    let mut all = Vec::with_capacity(full.len());
    for ((example, full), circuit) in problem.examples.iter().zip(full).zip(circuit) {
        all.push(score(example, &problem.scoring, &slices(full), &slices(circuit))?);
    }
    mean_scores(&all).ok_or(PruneError::NoExamples)
}

fn slices(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}

/// Evaluation wants the whole vocabulary: metrics pick their subset themselves.
fn model_outputs(problem: &Problem, reads: Tensor<2>) -> Tensor<2> {
    problem.model.unembed(reads)
}

fn by_example(batch: &Prepared, outputs: Tensor<2>) -> Result<Outputs, PruneError> {
    let width = outputs.dims()[1];
    let values = read(outputs)?;
    let mut rows = values.chunks_exact(width).map(<[f32]>::to_vec);
    Ok(batch.rows.per_example.iter().map(|&n| rows.by_ref().take(n).collect()).collect())
}

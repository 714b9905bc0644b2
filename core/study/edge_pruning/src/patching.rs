//! Exact effects: one forward for each edge tried.
//!
//! [`single_edge_effects`] cuts one edge at a time from the full model: the ground truth that attribution estimates. [`acdc`] cuts for good: from the output backwards,
//! an edge whose removal raises the loss by less than a threshold stays removed (Conmy et al. 2023). Both cost one forward an edge and are meant for small models.

use super::problem::{Problem, PruneError};
use vitrine_core::{
    lab::{Lab, LabError},
    model::stream::Workspace,
};

/// Rise of the faithfulness loss when each edge alone is cut, in edge order.
///
/// # Errors
/// Device and batch errors; [`LabError::Stopped`].
pub fn single_edge_effects(problem: &Problem, batch_size: usize, lab: &mut dyn Lab) -> Result<Vec<f32>, PruneError> {
    let prepared = problem.prepare_all(batch_size)?;
    let n = problem.graph.n_edges();
    let mut workspace = Workspace::default();
    let mut masks = vec![1.0; n];
    let whole = problem.loss_over(&prepared, &masks, &mut workspace)?;
    let mut effects = Vec::with_capacity(n);
    for edge in 0..n {
        masks[edge] = 0.0;
        effects.push((problem.loss_over(&prepared, &masks, &mut workspace)? - whole) as f32);
        masks[edge] = 1.0;
        advance(lab, "patching", edge, n)?;
    }
    Ok(effects)
}

/// The edges that remain when every edge, from the output backwards, is removed if that raises the loss by less than `threshold` (nats for KL).
///
/// # Errors
/// Device and batch errors; [`LabError::Stopped`].
pub fn acdc(problem: &Problem, threshold: f64, batch_size: usize, lab: &mut dyn Lab) -> Result<Vec<bool>, PruneError> {
    let prepared = problem.prepare_all(batch_size)?;
    let n = problem.graph.n_edges();
    let mut workspace = Workspace::default();
    let mut masks = vec![1.0; n];
    let mut loss = problem.loss_over(&prepared, &masks, &mut workspace)?;
    for (done, edge) in (0..n).rev().enumerate() {
        masks[edge] = 0.0;
        let without = problem.loss_over(&prepared, &masks, &mut workspace)?;
        if without - loss < threshold {
            loss = without;
        } else {
            masks[edge] = 1.0;
        }
        advance(lab, "acdc", done, n)?;
    }
    Ok(masks.iter().map(|&m| m > 0.0).collect())
}

fn advance(lab: &mut dyn Lab, what: &str, done: usize, n: usize) -> Result<(), PruneError> {
    lab.progress(what, done as u64 + 1, n as u64);
    if lab.stop_requested() {
        return Err(LabError::Stopped { step: done as u64 }.into());
    }
    Ok(())
}

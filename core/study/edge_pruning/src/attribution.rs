//! Edge attribution: how much each edge matters, from gradients.
//!
//! **Idea.** Cutting edge w→r changes its reader's input by `x~_w - x_w`; to first order the metric changes by `<x~_w - x_w, dL/dy_r>`. That is minus the gradient of the edge's mask at mask 1, so one
//! masked forward and backward with all masks 1 scores all edges (EAP). The gradient at one point can vanish where the metric is flat; EAP-IG averages it over inputs
//! interpolated from corrupted to clean (`m` points, embeddings interpolated), keeping the differences of the clean run.
//!
//! **Source.** Syed, Rager and Conmy 2023 (EAP); Hanna, Pezzelle and Belinkov 2024 (EAP-IG, inputs).

use serde::{Deserialize, Serialize};

use super::{
    objective::{LossAndGradient, faithfulness, minus_logit_difference},
    problem::{Prepared, Problem, PruneError, read},
    tasks::Scoring,
};
use vitrine_core::{
    lab::{Lab, LabError},
    model::stream::{EdgeMasked, Reference, Workspace},
};

/// What is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionMetric {
    /// Answer's logit minus the wrong answer's.
    LogitDifference,
    /// The task's faithfulness loss (KL). Its gradient is 0 at the clean input itself, so EAP cannot use it; EAP-IG can.
    Faithfulness,
}

/// One attribution run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    pub metric: AttributionMetric,
    /// Interpolation points; 1 is EAP (the clean input alone).
    pub points: usize,
    pub batch_size: usize,
}

/// Batches between two checkpoints.
const CHECKPOINT_EVERY: usize = 16;

/// Attribution under way.
#[derive(Debug, Serialize, Deserialize)]
struct Sums {
    run: Attribution,
    examples: usize,
    /// Batches summed.
    batches: usize,
    /// One an edge.
    total: Vec<f64>,
}

impl Sums {
    /// From the newest checkpoint of `phase`, or from nothing.
    fn resume_or_start(problem: &Problem, run: Attribution, phase: &str, lab: &mut dyn Lab) -> Result<Self, LabError> {
        let (examples, n) = (problem.examples.len(), problem.graph.n_edges());
        let Some(bytes) = lab.resume(phase) else { return Ok(Self { run, examples, batches: 0, total: vec![0.0; n] }) };
        let bad = |reason: String| LabError::BadCheckpoint { what: format!("of {phase}"), reason };
        let sums: Self = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if sums.run != run || sums.examples != examples || sums.total.len() != n {
            return Err(bad("it was made with other settings, examples or edges".into()));
        }
        Ok(sums)
    }

    fn save(&self, phase: &str, lab: &mut dyn Lab) -> Result<(), LabError> {
        let failed = |e: serde_json::Error| LabError::Store { what: phase.to_owned(), reason: e.to_string() };
        lab.save_checkpoint(phase, self.batches as u64, serde_json::to_vec(self).map_err(failed)?)
    }
}

/// Score of every edge, in edge order: the estimated rise of the loss when the edge is cut, mean over examples. Large magnitude means the edge matters.
/// Goes on from the newest checkpoint of `phase`, to the same scores.
///
/// # Errors
/// [`PruneError::NoAnswers`] where the metric needs answers that the examples do not name; device and batch errors; [`LabError`]: stopped, or a checkpoint that
/// cannot be written or used.
pub fn score(problem: &Problem, run: Attribution, phase: &str, lab: &mut dyn Lab) -> Result<Vec<f32>, PruneError> {
    let mut sums = Sums::resume_or_start(problem, run, phase, lab)?;
    let mut workspace = Workspace::default();
    let batches = problem.batches(run.batch_size);
    for (done, indices) in batches.iter().enumerate().skip(sums.batches) {
        let batch = problem.prepare(indices)?;
        let reference = problem.reference(&batch);
        let gradient = batch_gradient(problem, run, &batch, reference.as_ref(), &mut workspace)?;
        for (t, g) in sums.total.iter_mut().zip(&gradient) {
            *t -= f64::from(*g) * indices.len() as f64;
        }
        sums.batches = done + 1;
        lab.progress(phase, sums.batches as u64, batches.len() as u64);
        if sums.batches < batches.len() {
            let stop = lab.stop_requested();
            if stop || sums.batches.is_multiple_of(CHECKPOINT_EVERY) {
                sums.save(phase, lab)?;
            }
            if stop {
                return Err(LabError::Stopped { step: sums.batches as u64 }.into());
            }
        }
    }
    let examples = problem.examples.len() as f64;
    let scores: Vec<f32> = sums.total.iter().map(|t| (t / examples) as f32).collect();
    if scores.iter().all(|s| s.is_finite()) { Ok(scores) } else { Err(PruneError::NotFinite { what: "attribution", step: 0 }) }
}

fn batch_gradient(
    problem: &Problem,
    run: Attribution,
    batch: &Prepared,
    reference: Option<&Reference>,
    workspace: &mut Workspace,
) -> Result<Vec<f32>, PruneError> {
    let model = problem.model;
    let n = problem.graph.n_edges();
    let ones = vec![1.0; n];
    let examples = problem.examples_of(batch);
    let (clean_tok, clean_pos) = model.embed(&batch.clean);
    // What inputs are interpolated from: the reference's embeddings, or nothing under zero ablation.
    let from_tok = reference.map_or_else(|| clean_tok.clone() * 0.0, |r| r.tok.clone());
    let from_pos = clean_pos.clone().map(|pos| reference.and_then(|r| r.pos.clone()).unwrap_or(pos * 0.0));

    let full = (run.metric == AttributionMetric::Faithfulness).then(|| problem.outputs(problem.full_reads(batch)));
    // The clean run's differences, apart from the interpolated runs'.
    let mut clean_space = Workspace::default();
    let differences = if run.points > 1 {
        let mut stream = EdgeMasked::new(model, &problem.graph, &ones, reference, &batch.clean, &mut clean_space, false);
        model.forward(&batch.clean, &mut stream);
        Some(stream.into_differences())
    } else {
        None
    };
    let mut sum: Option<vitrine_core::tensor::Tensor<1>> = None;
    for point in 1..=run.points {
        let at = point as f32 / run.points as f32;
        let tok = from_tok.clone() + (clean_tok.clone() - from_tok.clone()) * at;
        let pos = clean_pos.clone().zip(from_pos.clone()).map(|(clean, from)| from.clone() + (clean - from) * at);
        let mut stream = EdgeMasked::new(model, &problem.graph, &ones, reference, &batch.clean, workspace, true);
        let reads = batch.rows.select(model.forward_from(&batch.clean, tok, pos, &mut stream));
        let outputs = problem.outputs(reads.clone());
        let LossAndGradient { d_logits, .. } = match &full {
            Some(full) => faithfulness(&problem.scoring, &batch.rows, full.clone(), outputs),
            None if matches!(problem.scoring, Scoring::FullVocab) => {
                minus_logit_difference(&examples, &batch.rows, outputs).ok_or(PruneError::NoAnswers)?
            }
            None => return Err(PruneError::NoAnswers),
        };
        let d_final = batch.rows.scatter(problem.outputs_pullback(reads, d_logits), batch.clean.n_tokens());
        let gradient = stream.backward(model, &batch.clean, d_final, None, differences.as_ref());
        stream.finish(workspace);
        sum = Some(match sum {
            Some(sum) => sum + gradient,
            None => gradient,
        });
    }
    let sum = sum.ok_or(PruneError::NoExamples)?;
    read(sum / run.points as f32)
}

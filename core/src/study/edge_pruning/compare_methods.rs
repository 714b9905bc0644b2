//! Edge Pruning against attribution at equal edge counts.
//!
//! For each size, Edge Pruning is trained towards the sparsity that leaves so many edges and exactly that many are kept by log alpha; EAP and EAP-IG keep as many by
//! score magnitude. All circuits are cleaned of dangling edges and run on the test examples.

use serde::Serialize;

use super::{
    attribution::{Attribution, AttributionMetric, score},
    circuit::{
        Circuit,
        cleanup::clean_up,
        nested::{Ranking, nested},
    },
    evaluate::{Outputs, evaluate, full_outputs},
    problem::{Problem, PruneError},
    prune::{PruneConfig, PruneState, StepRecord, train},
    tasks::{Scoring, score::Scores},
};
use crate::{lab::Lab, train::hard_concrete::keep_largest};

/// One method at one size.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub method: &'static str,
    /// Edges asked for.
    pub size: usize,
    /// Edges left after dangling clean-up.
    pub edges: usize,
    pub scores: Scores,
    /// Seconds to find the circuit (scores are shared by all sizes of an attribution method).
    pub seconds: f64,
}

/// Everything the comparison found.
#[derive(Debug)]
pub struct Comparison {
    pub rows: Vec<Row>,
    /// Edge Pruning's circuit of each size.
    pub circuits: Vec<Circuit>,
    /// Training records of each size.
    pub histories: Vec<(usize, Vec<StepRecord>)>,
    /// The full model, and the model with every edge cut, on the test examples.
    pub full: Scores,
    pub empty: Scores,
}

/// Masks of a circuit as numbers.
pub fn masks(circuit: &Circuit) -> Vec<f32> {
    circuit.effective_edges().iter().map(|&kept| f32::from(u8::from(kept))).collect()
}

/// Runs all methods at all `sizes` (edge counts).
///
/// # Errors
/// Errors of training, scoring and running circuits.
pub fn compare_methods(
    train_on: &Problem,
    test_on: &Problem,
    sizes: &[usize],
    config: &PruneConfig,
    lab: &mut dyn Lab,
) -> Result<Comparison, PruneError> {
    let graph = &train_on.graph;
    let batch = config.batch_size;
    let rule = train_on.ablation;
    let full: Outputs = full_outputs(test_on, batch)?;
    let n = graph.n_edges();
    let mut found = Comparison {
        rows: vec![],
        circuits: vec![],
        histories: vec![],
        full: evaluate(test_on, &full, &vec![1.0; n], batch)?,
        empty: evaluate(test_on, &full, &vec![0.0; n], batch)?,
    };
    let circuit_error = |e: super::circuit::CircuitError| PruneError::Config(e.to_string());
    for &size in sizes {
        let began = lab.seconds();
        let target = 1.0 - size as f64 / n as f64;
        let run = PruneConfig { edge_target: target, ..config.clone() };
        let mut state = PruneState::new(graph, &run);
        let history = train(train_on, &run, &mut state, &format!("prune {size} edges"), lab)?;
        let kept = keep_largest(&state.edges.log_alpha, size);
        let circuit =
            Circuit::from_masks(graph, kept, vec![true; graph.n_writers()]).and_then(|c| c.with_scores(state.edges.log_alpha.clone()));
        let (circuit, _) = clean_up(&circuit.map_err(circuit_error)?, rule);
        let seconds = lab.seconds() - began;
        let scores = evaluate(test_on, &full, &masks(&circuit), batch)?;
        found.rows.push(Row { method: "Edge Pruning", size, edges: circuit.counts().kept, scores, seconds });
        found.circuits.push(circuit);
        found.histories.push((size, history));
    }
    let answers = matches!(train_on.scoring, Scoring::FullVocab) && train_on.examples.iter().all(|e| !e.answers.is_empty());
    let mut methods = vec![("EAP-IG (KL, m = 5)", Attribution { metric: AttributionMetric::Faithfulness, points: 5, batch_size: batch })];
    if answers {
        methods.insert(
            0,
            ("EAP (logit difference)", Attribution { metric: AttributionMetric::LogitDifference, points: 1, batch_size: batch }),
        );
        methods.push((
            "EAP-IG (logit difference, m = 5)",
            Attribution { metric: AttributionMetric::LogitDifference, points: 5, batch_size: batch },
        ));
    }
    for (method, run) in methods {
        let began = lab.seconds();
        let scores = score(train_on, run, lab)?;
        let seconds = lab.seconds() - began;
        let circuits = nested(graph, &scores, sizes, Ranking::Magnitude, rule).map_err(circuit_error)?;
        for (&size, circuit) in sizes.iter().zip(&circuits) {
            let scores = evaluate(test_on, &full, &masks(circuit), batch)?;
            found.rows.push(Row { method, size, edges: circuit.counts().kept, scores, seconds });
        }
    }
    Ok(found)
}

//! Edge Pruning against attribution at equal edge counts.
//!
//! For each size, Edge Pruning is trained towards the sparsity that leaves so many edges. All methods then keep their best edges ([`filled`]: by log alpha, by score magnitude), as many as leave the
//! size once dangling edges are cleaned up. The published comparisons keep the size before clean-up, so attribution's circuits, full of dead ends, are smaller than those they are compared
//! with. All circuits are run on the test examples. What is finished is kept, and training is saved: a comparison that was stopped goes on
//! where it was and ends with the same circuits.

use serde::{Deserialize, Serialize};

use super::{
    attribution::{Attribution, AttributionMetric, score},
    checkpoint,
    circuit::{
        Circuit, native,
        nested::{Ranking, filled, ranked_edges},
    },
    evaluate::{Outputs, evaluate},
    problem::{Problem, PruneError},
    prune::{PruneConfig, PruneState, StepRecord, train},
    run::StudyConfig,
    tasks::{Scoring, score::Scores},
    warm_start::warm_start,
};
use vitrine_core::{
    lab::{self, Lab},
    order::descending,
};

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

/// Edge Pruning at the middle size, with one seed.
#[derive(Debug)]
pub struct Repeat {
    pub seed: u64,
    /// Edges asked for.
    pub size: usize,
    pub circuit: Circuit,
    pub scores: Scores,
}

/// Everything the comparison found.
#[derive(Debug)]
pub struct Comparison {
    /// Examples that circuits were sought with, and held-out ones that they are judged on.
    pub examples: [usize; 2],
    pub rows: Vec<Row>,
    /// Edge Pruning's circuit of each size.
    pub circuits: Vec<Circuit>,
    /// Training records of each size.
    pub histories: Vec<(usize, Vec<StepRecord>)>,
    /// Searches at one size with other seeds.
    pub repeats: Vec<Repeat>,
    /// The full model, and the model with every edge cut, on the test examples.
    pub full: Scores,
    pub empty: Scores,
}

/// Name of Edge Pruning that begins from EAP-IG's scores.
pub const WARM: &str = "Edge Pruning (from EAP-IG)";

/// Runs all methods at all sizes, and Edge Pruning at the middle one with further seeds. `full` are the full model's outputs on the test examples. Edge Pruning begins from EAP-IG's scores
/// where the study says so (its seconds then count those of EAP-IG too), else from all gates open.
///
/// # Errors
/// Errors of training, scoring and running circuits.
pub fn compare_methods(
    train_on: &Problem,
    (test_on, full): (&Problem, &Outputs),
    study: &StudyConfig,
    lab: &mut dyn Lab,
) -> Result<Comparison, PruneError> {
    let graph = &train_on.graph;
    let sizes = &study.edge_counts(graph);
    let config = &PruneConfig { seed: study.seed, ..study.prune.clone() };
    let batch = config.batch_size;
    let rule = train_on.ablation;
    let n = graph.n_edges();
    let mut found = Comparison {
        examples: [train_on.examples.len(), test_on.examples.len()],
        rows: vec![],
        circuits: vec![],
        histories: vec![],
        repeats: vec![],
        full: evaluate(test_on, full, &vec![1.0; n], batch)?,
        empty: evaluate(test_on, full, &vec![0.0; n], batch)?,
    };
    let mut start = None;
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
        let attributed: Attributed = lab::finish(lab, method, |lab| -> Result<_, PruneError> {
            let began = lab::began(lab, method)?;
            let scores = score(train_on, run, method, lab)?;
            let seconds = lab.seconds() - began;
            let order = ranked_edges(graph, &scores, Ranking::Magnitude).map_err(circuit_error)?;
            let measure = |&size: &usize| {
                let circuit = filled(graph, &order, size, rule).map_err(circuit_error)?;
                Ok((circuit.counts().kept, evaluate(test_on, full, &circuit.masks(), batch)?))
            };
            Ok(Attributed { circuits: sizes.iter().map(measure).collect::<Result<_, PruneError>>()?, scores, seconds })
        })?;
        for (&size, (edges, scores)) in sizes.iter().zip(attributed.circuits) {
            found.rows.push(Row { method, size, edges, scores, seconds: attributed.seconds });
        }
        if run.metric == AttributionMetric::Faithfulness {
            start = Some((attributed.scores, attributed.seconds));
        }
        lab::stop_point(lab, 0)?;
    }
    let (method, scores, seconds_before) = match start.filter(|_| study.warm_start) {
        Some((scores, seconds)) => (WARM, Some(scores), seconds),
        None => ("Edge Pruning", None, 0.0),
    };
    for &size in sizes {
        let phase = format!("prune to {size} edges");
        let pruned: Pruned =
            lab::finish(lab, &phase, |lab| prune_to(train_on, (test_on, full), scores.as_deref(), size, config, &phase, lab))?;
        let Pruned { circuit, history, scores, seconds } = pruned;
        let circuit = native::from_json(&circuit).map_err(circuit_error)?;
        found.rows.push(Row { method, size, edges: circuit.counts().kept, scores, seconds: seconds_before + seconds });
        found.circuits.push(circuit);
        found.histories.push((size, history));
        lab::stop_point(lab, config.steps)?;
    }
    let middle = sizes.len() / 2;
    if study.seeds > 1 {
        let (circuit, size) = (found.circuits[middle].clone(), sizes[middle]);
        let same = found.rows.iter().find(|row| row.method == method && row.size == size).map(|row| row.scores);
        found.repeats.extend(same.map(|scores| Repeat { seed: study.seed, size, circuit, scores }));
        for seed in (1..study.seeds).map(|more| study.seed.wrapping_add(more)) {
            let phase = format!("prune to {size} edges, seed {seed}");
            let config = PruneConfig { seed, ..config.clone() };
            let Pruned { circuit, scores, .. } =
                lab::finish(lab, &phase, |lab| prune_to(train_on, (test_on, full), scores.as_deref(), size, &config, &phase, lab))?;
            found.repeats.push(Repeat { seed, size, circuit: native::from_json(&circuit).map_err(circuit_error)?, scores });
            lab::stop_point(lab, config.steps)?;
        }
    }
    Ok(found)
}

/// Edge Pruning at one size, finished.
#[derive(Serialize, Deserialize)]
struct Pruned {
    /// As JSON.
    circuit: String,
    history: Vec<StepRecord>,
    scores: Scores,
    seconds: f64,
}

/// An attribution method at all sizes, finished.
#[derive(Serialize, Deserialize)]
struct Attributed {
    /// Edges kept and figures.
    circuits: Vec<(usize, Scores)>,
    /// One an edge.
    scores: Vec<f32>,
    seconds: f64,
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn circuit_error(e: super::circuit::CircuitError) -> PruneError {
    PruneError::Config(e.to_string())
}

fn prune_to(
    train_on: &Problem,
    (test_on, full): (&Problem, &Outputs),
    scores: Option<&[f32]>,
    size: usize,
    config: &PruneConfig,
    phase: &str,
    lab: &mut dyn Lab,
) -> Result<Pruned, PruneError> {
    let graph = &train_on.graph;
    let began = lab::began(lab, phase)?;
    let run = PruneConfig { edge_target: 1.0 - size as f64 / graph.n_edges() as f64, ..config.clone() };
    let (start, run) = match scores {
        Some(scores) => warm_start(graph, scores, size, &run)?,
        None => (PruneState::new(graph, &run), run),
    };
    let mut state = checkpoint::resume_or_start(phase, graph, start, &run, lab)?;
    let history = train(train_on, &run, &mut state, phase, lab)?;
    let log_alpha = &state.edges.log_alpha;
    let order: Vec<usize> = descending(log_alpha).into_iter().filter(|&edge| log_alpha[edge].is_finite()).collect();
    let circuit =
        filled(graph, &order, size, train_on.ablation).map_err(circuit_error)?.with_scores(state.scores()).map_err(circuit_error)?;
    let seconds = lab.seconds() - began;
    let scores = evaluate(test_on, full, &circuit.masks(), config.batch_size)?;
    Ok(Pruned { circuit: native::to_json(&circuit).map_err(circuit_error)?, history, scores, seconds })
}

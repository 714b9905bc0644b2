//! Edge Pruning: learn which edges to keep by gradient.
//!
//! **Idea.** Give every edge a gate, train all gates at once so that the masked model keeps the full model's outputs, and push the share of open gates down to a target.
//!
//! **Method.** `loss = KL(full ‖ masked) + l1 (s - t) + l2 (s - t)^2`, with hard-concrete gates ([`hard_concrete`]), `s` the sparsity of this step's draw, `t` rising linearly to the target, and `l1`, `l2` trained by gradient
//! ascent. Only log alphas and multipliers learn; AdamW with linear warm-up and decay; gradients clipped to joint norm 1. Gates exist for real edges only.
//! Node gates, one a writer, multiply the gates of its edges; with a node target they have multipliers of their own.
//!
//! **Source.** Bhaskar et al. 2024, sections 3 and 4; constants from the public code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    batches::Batches,
    checkpoint,
    circuit::{Circuit, CircuitError},
    problem::{Problem, PruneError, read},
};
use vitrine_core::{
    lab::{Lab, LabError},
    model::{Graph, stream::Workspace},
    train::{
        adamw::{AdamW, Direction, Moments, clip_norm},
        hard_concrete::{self, Draw, keep_largest},
        rng::Stream,
        schedule,
    },
};

/// Settings of one pruning run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PruneConfig {
    pub seed: u64,
    pub steps: u64,
    pub batch_size: usize,
    /// Examples run at a time, to bound memory: a step's gradients are summed over its parts. 0 chooses: half a batch on the CPU where that leaves the matrix products
    /// large enough, else the whole.
    pub micro_batch_size: usize,
    /// Target share of edges cut. Above 1 (to 2) it pushes towards emptiness.
    pub edge_target: f64,
    /// Target share of writers cut; absent: no node gates.
    pub node_target: Option<f64>,
    /// Steps over which the targets rise.
    pub sparsity_warm_up: u64,
    /// Steps over which the learning rates rise.
    pub lr_warm_up: u64,
    pub lr_log_alpha: f64,
    pub lr_lambda: f64,
    /// Keeps the linear multiplier at 0.
    pub fix_linear_multiplier: bool,
    /// With a warm start: so many times the wanted edges stay in the race, by their scores.
    pub candidates: f64,
    pub init_mean: f64,
    pub init_std: f64,
    pub max_grad_norm: f64,
    pub adamw: AdamW,
    /// Multiplies the faithfulness loss.
    pub loss_scale: f64,
    /// Log a line every so many steps.
    pub log_every: u64,
    /// Save every so many steps (0: only when stopped).
    pub checkpoint_every: u64,
    /// Keep each batch's reference activations, when they fit: batches are then fixed and only their order changes.
    pub cache_references: bool,
}

impl Default for PruneConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 3000,
            batch_size: 32,
            micro_batch_size: 0,
            edge_target: 0.98,
            node_target: None,
            sparsity_warm_up: 2500,
            lr_warm_up: 200,
            lr_log_alpha: 0.8,
            lr_lambda: 0.8,
            fix_linear_multiplier: false,
            candidates: 5.0,
            init_mean: 10.0,
            init_std: 0.01,
            max_grad_norm: 1.0,
            adamw: AdamW::default(),
            loss_scale: 1.0,
            log_every: 10,
            checkpoint_every: 500,
            cache_references: false,
        }
    }
}

impl PruneConfig {
    /// # Errors
    /// [`PruneError::Config`] with the first setting that makes no sense.
    pub fn check(&self) -> Result<(), PruneError> {
        let bad = |text: String| Err(PruneError::Config(text));
        let target =
            |name: &str, t: f64| if (0.0..=2.0).contains(&t) { Ok(()) } else { bad(format!("{name} is {t}; it must lie between 0 and 2")) };
        target("edge_target", self.edge_target)?;
        target("node_target", self.node_target.unwrap_or(0.0))?;
        for (name, value) in [
            ("lr_log_alpha", self.lr_log_alpha),
            ("lr_lambda", self.lr_lambda),
            ("loss_scale", self.loss_scale),
            ("max_grad_norm", self.max_grad_norm),
            ("candidates", self.candidates),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return bad(format!("{name} is {value}; it must be a finite number, 0 or more"));
            }
        }
        if self.steps == 0 || self.batch_size == 0 {
            return bad("steps and batch_size must be at least 1".into());
        }
        Ok(())
    }
}

/// One group of gates: edges or writers.
#[derive(Debug, Clone, PartialEq)]
pub struct Gates {
    pub log_alpha: Vec<f32>,
    /// Linear and quadratic multiplier.
    pub lambda: [f32; 2],
    pub(super) moments: Moments,
    pub(super) lambda_moments: Moments,
}

impl Gates {
    fn new(n: usize, config: &PruneConfig, name: &str) -> Self {
        let mut stream = Stream::new(config.seed, name, 0);
        let log_alpha = (0..n).map(|_| (config.init_mean + config.init_std * stream.normal()) as f32).collect();
        Self { log_alpha, lambda: [0.0; 2], moments: Moments::zeros(n), lambda_moments: Moments::zeros(2) }
    }

    /// Cuts for good the gates that are not in `live`.
    pub fn cut_for_good(&mut self, live: &[bool]) {
        for (a, live) in self.log_alpha.iter_mut().zip(live) {
            if !live {
                *a = f32::NEG_INFINITY;
            }
        }
    }

    /// Gates that can open. A log alpha of minus infinity cuts for good: such a gate is always 0, never learns and does not count.
    fn live(&self) -> usize {
        self.log_alpha.iter().filter(|a| a.is_finite()).count()
    }

    fn draw(&self, seed: u64, name: &str, step: u64) -> Vec<Draw> {
        let mut stream = Stream::new(seed, name, step);
        self.log_alpha.iter().map(|&a| hard_concrete::draw(a, stream.uniform())).collect()
    }
}

/// The score of an edge that was cut for good: below any log alpha, yet a number.
pub const CUT_SCORE: f32 = -1000.0;

/// All that a run carries from step to step.
#[derive(Debug, Clone, PartialEq)]
pub struct PruneState {
    /// Steps done.
    pub step: u64,
    pub edges: Gates,
    /// One gate a writer, where the run has a node target.
    pub nodes: Option<Gates>,
    /// The logged steps so far.
    pub history: Vec<StepRecord>,
}

impl PruneState {
    /// The start of a run.
    pub fn new(graph: &Graph, config: &PruneConfig) -> Self {
        Self {
            step: 0,
            edges: Gates::new(graph.n_edges(), config, "log-alpha/edges"),
            nodes: config.node_target.map(|_| Gates::new(graph.n_writers(), config, "log-alpha/nodes")),
            history: vec![],
        }
    }

    /// The circuit of [`PruneState::discretise`], or of the `size` edges of the largest log alphas and all writers. Log alphas are its scores; gates cut for good get [`CUT_SCORE`].
    ///
    /// # Errors
    /// [`CircuitError`] for another graph's state, or log alphas that are no numbers.
    pub fn circuit(&self, graph: &Graph, size: Option<usize>) -> Result<Circuit, CircuitError> {
        let (edges, nodes) = match size {
            Some(size) => (keep_largest(&self.edges.log_alpha, size), None),
            None => self.discretise(),
        };
        let nodes = nodes.unwrap_or_else(|| vec![true; graph.n_writers()]);
        Circuit::from_masks(graph, edges, nodes)?.with_scores(self.scores())
    }

    /// Log alphas as a circuit's scores; [`CUT_SCORE`] for gates cut for good.
    pub fn scores(&self) -> Vec<f32> {
        self.edges.log_alpha.iter().map(|a| a.max(CUT_SCORE)).collect()
    }

    /// Binary edge masks: the rounded sum of evaluation masks kept, largest first; an edge counts only where its writer's gate is open.
    pub fn discretise(&self) -> (Vec<bool>, Option<Vec<bool>>) {
        (hard_concrete::discretise(&self.edges.log_alpha), self.nodes.as_ref().map(|n| hard_concrete::discretise(&n.log_alpha)))
    }
}

/// What one step measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    pub step: u64,
    /// Faithfulness loss of the drawn masks (nats for KL).
    pub loss: f64,
    /// Share of edges cut in this draw.
    pub edge_sparsity: f64,
    /// Where the sparsity should be.
    pub edge_target: f64,
    pub lambda1: f64,
    pub lambda2: f64,
    pub node_sparsity: Option<f64>,
    pub gradient_norm: f64,
    pub lr: f64,
}

/// Trains gates from `state` to the last step; `state` may come from a checkpoint. Returns all logged steps.
///
/// # Errors
/// [`PruneError::Config`], [`PruneError::NotFinite`] with the step, [`LabError::Stopped`] after saving when the lab asks to stop.
pub fn train(
    problem: &Problem,
    config: &PruneConfig,
    state: &mut PruneState,
    phase: &str,
    lab: &mut dyn Lab,
) -> Result<Vec<StepRecord>, PruneError> {
    let mut trainer = Trainer::new(problem, config)?;
    while state.step < config.steps {
        let record = trainer.step(state)?;
        if state.step.is_multiple_of(config.log_every.max(1)) || state.step == config.steps {
            log(&record, phase, lab);
            state.history.push(record);
        }
        lab.progress(phase, state.step, config.steps);
        let stop = lab.stop_requested() && state.step < config.steps;
        if stop || (config.checkpoint_every > 0 && state.step.is_multiple_of(config.checkpoint_every)) {
            lab.save_checkpoint(phase, state.step, checkpoint::save(state, config)?)?;
        }
        if stop {
            return Err(LabError::Stopped { step: state.step }.into());
        }
    }
    Ok(state.history.clone())
}

/// Takes training steps one at a time; holds what lives from step to step but need not be saved.
#[derive(Debug)]
pub struct Trainer<'a, 'b> {
    problem: &'a Problem<'b>,
    config: PruneConfig,
    writer_of: Vec<usize>,
    batches: Batches<'a, 'b>,
    workspace: Workspace,
}

impl<'a, 'b> Trainer<'a, 'b> {
    /// # Errors
    /// [`PruneError::Config`].
    pub fn new(problem: &'a Problem<'b>, config: &PruneConfig) -> Result<Self, PruneError> {
        config.check()?;
        let writer_of = (0..problem.graph.n_edges()).map(|e| problem.graph.edge_ids(e).0).collect();
        Ok(Self { problem, config: config.clone(), writer_of, batches: Batches::new(problem, config), workspace: Workspace::default() })
    }

    /// One step: draw gates, run, update.
    ///
    /// # Errors
    /// [`PruneError::NotFinite`] with the step; batch and device errors.
    pub fn step(&mut self, state: &mut PruneState) -> Result<StepRecord, PruneError> {
        let (config, writer_of, step) = (&self.config, &self.writer_of, state.step);
        let parts = self.batches.at(step)?;
        let edges = state.edges.draw(config.seed, "gates/edges", step);
        let nodes = state.nodes.as_ref().map(|n| n.draw(config.seed, "gates/nodes", step));
        let node = |e: usize| nodes.as_ref().map_or(1.0, |n| n[writer_of[e]].z);
        let masks: Vec<f32> = edges.iter().enumerate().map(|(e, d)| d.z * node(e)).collect();

        // A gate at rest does not learn from its edge's gradient, and neither does its writer's gate unless the edge is open.
        let wanted: Vec<bool> = edges.iter().map(|d| d.slope != 0.0 || (nodes.is_some() && d.z != 0.0)).collect();
        let examples: usize = parts.iter().map(|(batch, ..)| batch.indices.len()).sum();
        let (mut loss, mut gradient) = (0.0, vec![0.0_f32; masks.len()]);
        for (batch, reference, full) in parts {
            let share = batch.indices.len() as f32 / examples as f32;
            let (part, d_masks) =
                self.problem.loss_and_mask_gradient(batch, reference.as_ref(), full.clone(), &masks, &wanted, &mut self.workspace)?;
            loss += f64::from(read(part)?[0] * share);
            gradient.iter_mut().zip(read(d_masks)?).for_each(|(sum, d)| *sum += d * share);
        }
        if !loss.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
            return Err(PruneError::NotFinite { what: "loss or its gradient", step });
        }

        // Gradients of log alphas and multipliers.
        let lr_factor = schedule::linear_with_warm_up(step, config.lr_warm_up, config.steps);
        let scale = config.loss_scale as f32;
        let mut d_nodes = vec![0.0_f32; nodes.as_ref().map_or(0, Vec::len)];
        if let Some(nodes) = &nodes {
            for (e, (d, g)) in edges.iter().zip(&gradient).enumerate() {
                d_nodes[writer_of[e]] += scale * g * d.z * nodes[writer_of[e]].slope;
            }
        }
        let mut d_edges: Vec<f32> = edges.iter().zip(&gradient).enumerate().map(|(e, (d, g))| scale * g * node(e) * d.slope).collect();
        let edge_target = schedule::ramp(step, config.sparsity_warm_up, config.edge_target);
        let edge_sparsity = sparsity(&edges, state.edges.live());
        let mut d_lambda = add_penalty(&state.edges, &edges, edge_sparsity - edge_target, &mut d_edges);
        let node_sparsity = state.nodes.as_ref().zip(nodes.as_ref()).map(|(gates, draws)| sparsity(draws, gates.live()));
        let node_gap = node_sparsity.zip(config.node_target).map(|(s, t)| s - schedule::ramp(step, config.sparsity_warm_up, t));
        let mut d_node_lambda = [0.0; 2];
        if let (Some(gates), Some(nodes), Some(gap)) = (&state.nodes, &nodes, node_gap) {
            d_node_lambda = add_penalty(gates, nodes, gap, &mut d_nodes);
        }
        if config.fix_linear_multiplier {
            (d_lambda[0], d_node_lambda[0]) = (0.0, 0.0);
        }
        let gradient_norm = clip_norm(&mut [&mut d_edges, &mut d_nodes, &mut d_lambda, &mut d_node_lambda], config.max_grad_norm);

        state.step += 1;
        apply(&mut state.edges, &d_edges, &d_lambda, config, state.step, lr_factor);
        if let Some(gates) = &mut state.nodes {
            apply(gates, &d_nodes, &d_node_lambda, config, state.step, lr_factor);
        }
        Ok(StepRecord {
            step: state.step,
            loss,
            edge_sparsity,
            edge_target,
            lambda1: state.edges.lambda[0].into(),
            lambda2: state.edges.lambda[1].into(),
            node_sparsity,
            gradient_norm,
            lr: config.lr_log_alpha * lr_factor,
        })
    }
}

/// Share of `live` gates that a draw closes.
fn sparsity(draws: &[Draw], live: usize) -> f64 {
    1.0 - draws.iter().map(|d| f64::from(d.z)).sum::<f64>() / live.max(1) as f64
}

/// Adds the penalty's gradient to that of the log alphas; returns the multipliers' gradients.
fn add_penalty(gates: &Gates, draws: &[Draw], gap: f64, gradient: &mut [f32]) -> [f32; 2] {
    let slope = f64::from(gates.lambda[0]) + 2.0 * f64::from(gates.lambda[1]) * gap;
    let per_mask = (-slope / gates.live().max(1) as f64) as f32;
    for (g, d) in gradient.iter_mut().zip(draws) {
        *g += per_mask * d.slope;
    }
    [gap as f32, (gap * gap) as f32]
}

fn apply(gates: &mut Gates, gradient: &[f32], d_lambda: &[f32; 2], config: &PruneConfig, step: u64, lr_factor: f64) {
    config.adamw.step(&mut gates.log_alpha, gradient, &mut gates.moments, step, config.lr_log_alpha * lr_factor, Direction::Descend);
    config.adamw.step(&mut gates.lambda, d_lambda, &mut gates.lambda_moments, step, config.lr_lambda * lr_factor, Direction::Ascend);
}

fn log(record: &StepRecord, phase: &str, lab: &mut dyn Lab) {
    let mut values = BTreeMap::from([
        ("loss", record.loss),
        ("edge_sparsity", record.edge_sparsity),
        ("edge_target", record.edge_target),
        ("lambda1", record.lambda1),
        ("lambda2", record.lambda2),
        ("gradient_norm", record.gradient_norm),
        ("lr", record.lr),
    ]);
    if let Some(s) = record.node_sparsity {
        values.insert("node_sparsity", s);
    }
    lab.metrics(phase, record.step, &values);
}

//! Edge Pruning in rounds: for models whose true circuit must be found exactly.
//!
//! **Idea.** With many gates drawn at once, the chance loss of one gate drowns in that of the others, and compiled programs with their large constants break when any gate is half open. Cut for good
//! what one run could do without, and train anew on the rest: fewer random gates, less noise.
//!
//! **Method.** A round is one run of [`prune`](super::prune) on the edges still there, from fresh log alphas. At each of `snapshots` evenly spaced steps the edges are ranked by log alpha, and bisection
//! finds a small number of largest ones whose circuit is right; dead ends are dropped. The smallest right circuit of the round is what the next one starts from. The search ends after `patience` rounds
//! that cut nothing, or `max_rounds`. A checkpoint holds the circuit so far and the state of the round under way, so a search that goes on ends with the same circuit.
//!
//! **Source.** Own addition; rewinding after each cut is Frankle and Carbin 2019.

use serde::{Deserialize, Serialize};

use super::{
    checkpoint,
    circuit::{Circuit, cleanup::clean_up},
    problem::{Problem, PruneError},
    prune::{PruneConfig, PruneState, StepRecord, Trainer},
};
use vitrine_core::{
    lab::{Lab, LabError},
    model::{Graph, stream::Ablation},
    train::hard_concrete::keep_largest,
};

/// Settings of a search in rounds. The defaults recover the compiled programs' circuits (see [`programs`](super::programs)); all programs and both ablations share them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoundsConfig {
    /// One round's run. Each round draws from a seed of its own, made from this one.
    pub prune: PruneConfig,
    pub max_rounds: u64,
    /// Rounds in a row that may cut nothing.
    pub patience: u64,
    /// Times a round looks for a smaller right circuit.
    pub snapshots: u64,
}

impl Default for RoundsConfig {
    fn default() -> Self {
        let prune = PruneConfig {
            steps: 1500,
            batch_size: 16,
            edge_target: 1.02,
            sparsity_warm_up: 1425,
            lr_warm_up: 150,
            lr_log_alpha: 0.1,
            lr_lambda: 0.005,
            // All gates in play from the first step: rounds are short.
            init_mean: 2.0,
            // Practically no clipping: joint clipping would shrink the penalty whenever a draw breaks the program.
            max_grad_norm: 1000.0,
            loss_scale: 30.0,
            cache_references: true,
            ..PruneConfig::default()
        };
        Self { prune, max_rounds: 60, patience: 5, snapshots: 20 }
    }
}

/// A round's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Edges left after it.
    pub edges: usize,
    /// Step of the snapshot that gave them; 0 where the round cut nothing.
    pub step: u64,
}

/// Tells right circuits from others.
pub type Judge<'a> = dyn FnMut(&[bool]) -> Result<bool, PruneError> + 'a;

/// Searches for the smallest circuit that `right` accepts. `None` where even the whole graph is not right. Saves under `phase` after every round and when it is stopped, and
/// goes on from there.
///
/// # Errors
/// [`PruneError::Config`], [`PruneError::NotFinite`]; [`LabError::Stopped`] after saving; [`LabError::BadCheckpoint`]; errors of `right`.
pub fn search(
    problem: &Problem,
    config: &RoundsConfig,
    right: &mut Judge<'_>,
    phase: &str,
    lab: &mut dyn Lab,
) -> Result<Option<(Vec<bool>, Vec<Round>)>, PruneError> {
    let mut search = match lab.resume(phase) {
        Some(bytes) => Search::load(problem, config, &bytes)?,
        None => match Search::new(problem, config, right)? {
            Some(search) => search,
            None => return Ok(None),
        },
    };
    while let Some(step) = search.step(right)? {
        if step.looked {
            lab.progress(phase, step.done, config.max_rounds * config.prune.steps);
        }
        let stop = lab.stop_requested();
        if stop || search.running.is_none() {
            lab.save_checkpoint(phase, step.done, search.save()?)?;
        }
        if stop {
            return Err(LabError::Stopped { step: step.done }.into());
        }
    }
    Ok(Some((search.best, search.rounds)))
}

/// A search that is taken step by step: for a page, which must breathe between steps.
#[derive(Debug)]
pub struct Search<'a, 'b> {
    problem: &'a Problem<'b>,
    config: RoundsConfig,
    best: Vec<bool>,
    rounds: Vec<Round>,
    idle: u64,
    running: Option<Running<'a, 'b>>,
}

/// The round under way.
#[derive(Debug)]
struct Running<'a, 'b> {
    trainer: Trainer<'a, 'b>,
    state: PruneState,
    /// Step of the last snapshot that cut something; 0 before.
    cut_at: u64,
}

/// What a checkpoint holds beside the gates of the round under way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    config: RoundsConfig,
    /// Edge ids of the smallest right circuit so far.
    best: Vec<usize>,
    rounds: Vec<Round>,
    cut_at: u64,
}

/// What one step of a search did.
#[derive(Debug, Clone, Copy)]
pub struct SearchStep {
    /// Steps of all rounds so far.
    pub done: u64,
    /// What the step measured.
    pub record: StepRecord,
    /// Whether a smaller right circuit was looked for after it.
    pub looked: bool,
}

impl<'a, 'b> Search<'a, 'b> {
    /// A search at its start. `None` where even the whole graph is not right.
    ///
    /// # Errors
    /// Errors of `right`.
    pub fn new(problem: &'a Problem<'b>, config: &RoundsConfig, right: &mut Judge<'_>) -> Result<Option<Self>, PruneError> {
        let best = vec![true; problem.graph.n_edges()];
        let start = Self { problem, config: config.clone(), best, rounds: vec![], idle: 0, running: None };
        Ok(if right(&start.best)? { Some(start) } else { None })
    }

    /// The smallest right circuit so far.
    pub fn best(&self) -> &[bool] {
        &self.best
    }

    /// The rounds that are over.
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// Steps of one round.
    pub fn steps_a_round(&self) -> u64 {
        self.config.prune.steps
    }

    /// Log alphas of the round under way; none between rounds.
    pub fn log_alpha(&self) -> Option<&[f32]> {
        self.running.as_ref().map(|running| running.state.edges.log_alpha.as_slice())
    }

    /// Takes one training step, and where a snapshot is due looks for a smaller right circuit. `None` when the search is over.
    ///
    /// # Errors
    /// [`PruneError::Config`], [`PruneError::NotFinite`]; errors of `right`.
    pub fn step(&mut self, right: &mut Judge<'_>) -> Result<Option<SearchStep>, PruneError> {
        let round = self.rounds.len() as u64;
        if self.running.is_none() {
            if self.idle >= self.config.patience || round >= self.config.max_rounds || !self.best.contains(&true) {
                return Ok(None);
            }
            let (run, state) = self.fresh();
            self.running = Some(Running { trainer: Trainer::new(self.problem, &run)?, state, cut_at: 0 });
        }
        let Some(running) = &mut self.running else { return Ok(None) };
        let steps = self.config.prune.steps;
        let record = running.trainer.step(&mut running.state)?;
        let at = running.state.step;
        let looked = at.is_multiple_of((steps / self.config.snapshots.max(1)).max(1)) || at >= steps;
        if looked {
            let (graph, values) = (&self.problem.graph, &running.state.edges.log_alpha);
            if let Some(smaller) = smallest_right(graph, self.problem.ablation, values, count(&self.best), right)? {
                (self.best, running.cut_at) = (smaller, at);
            }
        }
        if at >= steps {
            let step = running.cut_at;
            self.idle = if step == 0 { self.idle + 1 } else { 0 };
            self.rounds.push(Round { edges: count(&self.best), step });
            self.running = None;
        }
        Ok(Some(SearchStep { done: round * steps + at, record, looked }))
    }

    /// Settings and state that the next round begins with.
    fn fresh(&self) -> (PruneConfig, PruneState) {
        let round = self.rounds.len() as u64;
        let run = PruneConfig { seed: self.config.prune.seed.wrapping_add(round << 32), ..self.config.prune.clone() };
        let mut state = PruneState::new(&self.problem.graph, &run);
        state.edges.cut_for_good(&self.best);
        (run, state)
    }

    /// The search as bytes.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub fn save(&self) -> Result<Vec<u8>, PruneError> {
        let best = self.best.iter().enumerate().filter_map(|(edge, kept)| kept.then_some(edge)).collect();
        let cut_at = self.running.as_ref().map_or(0, |running| running.cut_at);
        let note = Note { config: self.config.clone(), best, rounds: self.rounds.clone(), cut_at };
        let failed = |e: serde_json::Error| LabError::Store { what: "the rounds".into(), reason: e.to_string() };
        let note = serde_json::to_string(&note).map_err(failed)?;
        let (run, fresh) = self.fresh();
        checkpoint::save_with(self.running.as_ref().map_or(&fresh, |running| &running.state), &run, Some(&note))
    }

    /// A search that goes on where [`Search::save`] left it.
    ///
    /// # Errors
    /// [`LabError::BadCheckpoint`] for damaged bytes, another graph or other settings.
    pub fn load(problem: &'a Problem<'b>, config: &RoundsConfig, bytes: &[u8]) -> Result<Self, PruneError> {
        let bad = |reason: String| LabError::BadCheckpoint { what: "of the rounds".into(), reason };
        let saved = checkpoint::read(bytes, &problem.graph)?;
        let note: Note = serde_json::from_str(&saved.note.unwrap_or_default()).map_err(|e| bad(e.to_string()))?;
        if note.config != *config {
            return Err(bad("it was made with other settings".into()).into());
        }
        let mut best = vec![false; problem.graph.n_edges()];
        for edge in note.best {
            *best.get_mut(edge).ok_or_else(|| bad(format!("there is no edge {edge}")))? = true;
        }
        let idle = note.rounds.iter().rev().take_while(|round| round.step == 0).count() as u64;
        let mut search = Self { problem, config: config.clone(), best, rounds: note.rounds, idle, running: None };
        // A round that has begun goes on; at its very start it begins by itself, if there is to be one.
        if saved.state.step > 0 {
            let (run, _) = search.fresh();
            search.running = Some(Running { trainer: Trainer::new(problem, &run)?, state: saved.state, cut_at: note.cut_at });
        }
        Ok(search)
    }
}

/// A right circuit of fewer than `below` edges among those of the largest values, if bisection finds one.
fn smallest_right(
    graph: &Graph,
    ablation: Ablation,
    values: &[f32],
    below: usize,
    right: &mut dyn FnMut(&[bool]) -> Result<bool, PruneError>,
) -> Result<Option<Vec<bool>>, PruneError> {
    let mut nested = |k: usize| -> Result<Option<Vec<bool>>, PruneError> {
        let kept = keep_largest(values, k);
        Ok(if right(&kept)? { Some(without_dead_ends(graph, ablation, kept)) } else { None })
    };
    let Some(top) = below.checked_sub(1) else { return Ok(None) };
    let Some(mut found) = nested(top)? else { return Ok(None) };
    let (mut low, mut high) = (0, top);
    while low < high {
        let middle = usize::midpoint(low, high);
        match nested(middle)? {
            Some(kept) => (found, high) = (kept, middle),
            None => low = middle + 1,
        }
    }
    Ok(Some(found))
}

/// Drops edges that cannot change the output: rightness stays as it is.
fn without_dead_ends(graph: &Graph, ablation: Ablation, kept: Vec<bool>) -> Vec<bool> {
    let nodes = vec![true; graph.n_writers()];
    match Circuit::from_masks(graph, kept.clone(), nodes) {
        Ok(circuit) => clean_up(&circuit, ablation).0.edges().to_vec(),
        Err(_) => kept,
    }
}

fn count(kept: &[bool]) -> usize {
    kept.iter().filter(|k| **k).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::model::graph::{EmbeddingNodes, GraphShape};

    #[test]
    fn bisection_finds_the_edges_that_matter_and_drops_dead_ends() -> Result<(), PruneError> {
        let shape = GraphShape { n_layers: 1, n_heads: 1, n_kv_heads: 1, embedding_nodes: EmbeddingNodes::Split };
        let Ok(graph) = Graph::new(shape) else { return Err(PruneError::NoExamples) };
        let n = graph.n_edges();
        let last = n - 1;
        // Ranked by edge id, last first: the last edge (the MLP to the output) matters, and so does the fourth from the end.
        let values: Vec<f32> = (0..n).map(|e| e as f32).collect();
        let mut right = |kept: &[bool]| Ok(kept[last] && kept[last - 3]);
        let found = smallest_right(&graph, Ablation::Zero, &values, n, &mut right)?;
        let expected: Vec<bool> = (0..n).map(|e| e + 4 >= n).collect();
        assert_eq!(found, Some(expected));
        assert_eq!(smallest_right(&graph, Ablation::Zero, &values, 4, &mut right)?, None);
        assert_eq!(smallest_right(&graph, Ablation::Zero, &values, 0, &mut right)?, None);
        // Only edges into the output lead anywhere when no other is kept.
        let first_only: Vec<bool> = (0..n).map(|e| e == 0).collect();
        assert_eq!(count(&without_dead_ends(&graph, Ablation::Zero, first_only)), 0);
        Ok(())
    }

    #[test]
    fn gates_cut_for_good_never_open() -> Result<(), PruneError> {
        let shape = GraphShape { n_layers: 1, n_heads: 1, n_kv_heads: 1, embedding_nodes: EmbeddingNodes::Split };
        let Ok(graph) = Graph::new(shape) else { return Err(PruneError::NoExamples) };
        let mut state = PruneState::new(&graph, &PruneConfig::default());
        let live: Vec<bool> = (0..graph.n_edges()).map(|e| e % 2 == 0).collect();
        state.edges.cut_for_good(&live);
        let (kept, _) = state.discretise();
        assert_eq!(kept, live);
        let closed = vitrine_core::train::hard_concrete::draw(f32::NEG_INFINITY, 1.0);
        assert_eq!((closed.z, closed.slope), (0.0, 0.0));
        Ok(())
    }
}

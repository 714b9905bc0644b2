//! Edge Pruning taken step by step, so that a page can show masks fall and stop between steps.
//!
//! Two kinds, both exactly what the command line's study does with the same seed: a compiled program, pruned in rounds; the small transformer, pruned to a number of edges.
//! Nothing depends on how many steps are taken at once.

use super::{InspectError, Subject, subject::Coding};
use crate::{
    circuit::{Circuit, as_masks, clean_up},
    problem::Problem,
    programs::Program,
    prune::{PruneConfig, PruneState, StepRecord, Trainer},
    rounds::{Judge, Search},
    run::StudyConfig,
    small::Small,
    tasks::{Scoring, Split, encode::NumericScoring},
};
use vitrine_core::{model::stream::Ablation, train::hard_concrete::evaluation_masks};

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The smallest right circuit, in rounds (compiled programs).
    Smallest,
    /// A circuit of at most so many edges (the small transformer).
    Edges(usize),
}

/// What a person may choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choices {
    pub seed: u64,
    pub ablation: Ablation,
    pub goal: Goal,
}

/// The problem of a training run; separate, because the run borrows it.
#[derive(Debug)]
pub struct Ground<'a> {
    program: Option<&'a Program>,
    problem: Problem<'a>,
}

impl<'a> Ground<'a> {
    /// The program behind a subject, to be kept as long as the ground; `None` for other models.
    pub fn program(subject: &Subject) -> Option<Program> {
        match &subject.coding {
            Coding::Program(config) => Some(Program { config: (**config).clone(), model: subject.model.clone() }),
            Coding::Words(_) | Coding::Text(_) => None,
        }
    }

    /// Examples and ablation of a run; `program` is what [`Ground::program`] gave.
    ///
    /// # Errors
    /// [`InspectError::Refused`] for models that bring no training examples; errors of drawing and preparing them.
    pub fn new(subject: &'a Subject, program: Option<&'a Program>, choices: &Choices) -> Result<Self, InspectError> {
        let problem = match (&subject.coding, program) {
            (Coding::Program(_), Some(program)) => program.problem(choices.ablation, NumericScoring::SquaredError, choices.seed)?,
            (Coding::Words(vocab), _) => {
                let small = Small::new(choices.seed)?;
                if small.vocab != *vocab {
                    return Err(InspectError::Refused(
                        "this model's vocabulary is not the study's; there are no examples to train on".into(),
                    ));
                }
                let examples = small.examples(Split::Train, StudyConfig::default().train_examples)?;
                Problem::new(&subject.model, subject.graph.clone(), examples, Scoring::FullVocab, choices.ablation)?
            }
            _ => return Err(InspectError::Refused("this model brings no examples to train on; use the command line with your own".into())),
        };
        Ok(Self { program, problem })
    }
}

/// A run under way.
pub struct Training<'a> {
    problem: &'a Problem<'a>,
    method: Method<'a>,
}

enum Method<'a> {
    Rounds { search: Box<Search<'a, 'a>>, judge: Box<Judge<'a>>, over: bool },
    Once { state: Box<PruneState>, trainer: Box<Trainer<'a, 'a>>, config: PruneConfig, keep: usize },
}

/// What a step measured, and where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Progress {
    /// Steps of the whole run.
    pub step: u64,
    /// Round from 0; always 0 without rounds.
    pub round: usize,
    /// Steps of one round, or of the run.
    pub steps_a_round: u64,
    pub loss: f64,
    pub edge_sparsity: f64,
    pub edge_target: f64,
    /// Edges of the smallest right circuit so far (rounds only).
    pub best: Option<usize>,
}

impl<'a> Training<'a> {
    /// A run at its start.
    ///
    /// # Errors
    /// [`InspectError::Refused`] where the full program is not right by its own measure; settings that make no sense.
    pub fn new(ground: &'a Ground<'a>, choices: &Choices) -> Result<Self, InspectError> {
        let problem = &ground.problem;
        let study = StudyConfig::default();
        let method = match (ground.program, choices.goal) {
            (Some(program), _) => {
                let mut config = study.rounds;
                config.prune.seed = choices.seed;
                let mut judge: Box<Judge<'a>> = Box::new(program.judge(problem)?);
                let search = Search::new(problem, &config, &mut *judge)?;
                let search = search.ok_or_else(|| InspectError::Refused("the full program is not right by its own measure".into()))?;
                Method::Rounds { search: Box::new(search), judge, over: false }
            }
            (None, Goal::Edges(keep)) => {
                let n = problem.graph.n_edges();
                if keep == 0 || keep > n {
                    return Err(InspectError::Refused(format!("the number of edges must lie between 1 and {n}")));
                }
                let config = PruneConfig { seed: choices.seed, edge_target: 1.0 - keep as f64 / n as f64, ..study.prune };
                let state = Box::new(PruneState::new(&problem.graph, &config));
                let trainer = Box::new(Trainer::new(problem, &config)?);
                Method::Once { state, trainer, config, keep }
            }
            (None, Goal::Smallest) => return Err(InspectError::Refused("say how many edges the circuit may have".into())),
        };
        Ok(Self { problem, method })
    }

    /// Takes one step; `None` when the run is over.
    ///
    /// # Errors
    /// A loss that is no number, and what running the model finds.
    pub fn step(&mut self) -> Result<Option<Progress>, InspectError> {
        match &mut self.method {
            Method::Rounds { search, judge, over } => {
                let round = search.rounds().len();
                let Some(step) = search.step(&mut **judge)? else {
                    *over = true;
                    return Ok(None);
                };
                let best = search.best().iter().filter(|kept| **kept).count();
                Ok(Some(progress(&step.record, step.done, round, search.steps_a_round(), Some(best))))
            }
            Method::Once { state, trainer, config, .. } => {
                if state.step >= config.steps {
                    return Ok(None);
                }
                let record = trainer.step(state)?;
                Ok(Some(progress(&record, state.step, 0, config.steps, None)))
            }
        }
    }

    /// Whether no step is left.
    pub fn is_over(&self) -> bool {
        match &self.method {
            Method::Rounds { over, .. } => *over,
            Method::Once { state, config, .. } => state.step >= config.steps,
        }
    }

    /// Every edge's mask as evaluation has it (0 to 1), by edge id.
    pub fn masks(&self) -> Vec<f32> {
        match &self.method {
            Method::Rounds { search, .. } => match search.log_alpha() {
                Some(log_alpha) => evaluation_masks(log_alpha),
                None => as_masks(search.best()),
            },
            Method::Once { state, .. } => evaluation_masks(&state.edges.log_alpha),
        }
    }

    /// The circuit so far, cleaned of dangling edges; with log alphas as scores where there are any for every edge.
    ///
    /// # Errors
    /// None in practice: the masks come from the graph.
    pub fn circuit(&self) -> Result<Circuit, InspectError> {
        let graph = &self.problem.graph;
        let mut circuit = match &self.method {
            Method::Rounds { search, .. } => Circuit::from_masks(graph, search.best().to_vec(), vec![true; graph.n_writers()])?,
            Method::Once { state, keep, .. } => clean_up(&state.circuit(graph, Some(*keep))?, self.problem.ablation).0,
        };
        circuit.meta.insert("method".to_owned(), "Edge Pruning".to_owned());
        if circuit.scores().is_some() {
            circuit.meta.insert("scores".to_owned(), "log alpha".to_owned());
        }
        Ok(circuit)
    }
}

fn progress(record: &StepRecord, step: u64, round: usize, steps_a_round: u64, best: Option<usize>) -> Progress {
    let StepRecord { loss, edge_sparsity, edge_target, .. } = *record;
    Progress { step, round, steps_a_round, loss, edge_sparsity, edge_target, best }
}

impl std::fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training").field("edges", &self.problem.graph.n_edges()).field("over", &self.is_over()).finish()
    }
}

#[cfg(test)]
mod tests {
    use vitrine_core::tensor::Device;

    use super::*;
    use vitrine_core::{formats::safetensors::SafeTensors, lab::MemoryLab, model::Transformer};

    #[test]
    fn train_steps_of_the_small_model_are_those_of_the_method() {
        let small = Small::new(0).unwrap();
        let model = Transformer::init(small.config(), 1, &Device::flex());
        let graph = model.config.graph(model.config.default_embedding_nodes()).unwrap();
        let subject = Subject { model, graph, coding: Coding::Words(small.vocab) };
        let choices = Choices { seed: 2, ablation: Ablation::Interchange, goal: Goal::Edges(9) };
        let ground = Ground::new(&subject, None, &choices).unwrap();
        let mut training = Training::new(&ground, &choices).unwrap();
        let n = subject.graph.n_edges();
        let config = PruneConfig { seed: 2, edge_target: 1.0 - 9.0 / n as f64, ..StudyConfig::default().prune };
        let mut state = PruneState::new(&subject.graph, &config);
        let mut trainer = Trainer::new(&ground.problem, &config).unwrap();
        for step in 1..4 {
            let record = trainer.step(&mut state).unwrap();
            let ours = training.step().unwrap().unwrap();
            assert_eq!((ours.step, ours.loss, ours.edge_sparsity), (step, record.loss, record.edge_sparsity));
        }
        assert_eq!(training.masks(), evaluation_masks(&state.edges.log_alpha));
        let circuit = training.circuit().unwrap();
        assert!(circuit.counts().kept <= 9 && circuit.scores() == Some(state.edges.log_alpha.as_slice()) && !training.is_over());
        for goal in [Goal::Edges(0), Goal::Edges(n + 1), Goal::Smallest] {
            assert!(matches!(Training::new(&ground, &Choices { goal, ..choices }), Err(InspectError::Refused(_))));
        }
    }

    #[test]
    fn train_a_program_step_by_step_as_in_one_go() {
        let config = include_str!("../../../../assets/tracr/hist/config.json");
        let weights = include_bytes!("../../../../assets/tracr/hist/model.safetensors");
        let subject = Subject::program(config, &SafeTensors::open(weights.as_slice()).unwrap(), &Device::flex()).unwrap();
        let choices = Choices { seed: 0, ablation: Ablation::Interchange, goal: Goal::Smallest };
        let program = Ground::program(&subject).unwrap();
        let ground = Ground::new(&subject, Some(&program), &choices).unwrap();
        let mut training = Training::new(&ground, &choices).unwrap();
        let mut steps = 0;
        while let Some(progress) = training.step().unwrap() {
            steps += 1;
            assert_eq!(progress.step, steps);
        }
        let mut lab = MemoryLab::new(Device::flex());
        let (kept, _) = program.search(&ground.problem, &StudyConfig::default().rounds, "search", &mut lab).unwrap().unwrap();
        assert!(training.is_over() && training.step().unwrap().is_none());
        assert_eq!(training.circuit().unwrap().edges(), kept);
        assert!(training.masks().iter().zip(&kept).all(|(&mask, &kept)| (mask > 0.5) == kept));
    }
}

//! A run that was stopped and goes on ends with the bits of an unbroken one.

use vitrine_core::tensor::Device;

use super::*;
use crate::{
    attribution::{Attribution, AttributionMetric, score},
    compare_methods::compare_methods,
    evaluate::full_outputs,
    problem::Problem,
    programs::Program,
    prune::train,
    rounds::{self, RoundsConfig},
    run::{StudyConfig, run},
    small::TRAINING,
    tasks::{Encoded, Scoring, TargetKind, encode::NumericScoring},
};
use vitrine_core::{
    lab::MemoryLab,
    model::{EmbeddingNodes, Transformer, TransformerConfig, stream::Ablation},
    train::rng::Stream,
};

fn model() -> Transformer {
    let config = TransformerConfig {
        n_layers: 2,
        d_model: 16,
        n_heads: 2,
        n_kv_heads: 2,
        d_head: 8,
        d_mlp: 24,
        vocab_size: 13,
        d_out: 13,
        max_positions: 6,
        ..TransformerConfig::gpt2_small()
    };
    Transformer::init(config, 11, &Device::flex())
}

fn problem(model: &Transformer) -> Problem<'_> {
    let mut stream = Stream::new(2, "examples", 0);
    let mut ids = || (0..5).map(|_| stream.below(13) as u32).collect::<Vec<u32>>();
    let example = |clean: Vec<u32>, corrupted: Vec<u32>| Encoded {
        clean,
        corrupted,
        positions: vec![4],
        answers: vec![3],
        wrong: vec![Some(5)],
        target: TargetKind::Tokens,
    };
    let examples = (0..10).map(|_| example(ids(), ids())).collect();
    let graph = model.config.graph(EmbeddingNodes::Split).unwrap();
    Problem::new(model, graph, examples, Scoring::FullVocab, Ablation::Interchange).unwrap()
}

fn settings() -> PruneConfig {
    PruneConfig {
        seed: 7,
        steps: 24,
        batch_size: 4,
        edge_target: 0.6,
        node_target: Some(0.3),
        sparsity_warm_up: 15,
        lr_warm_up: 4,
        init_mean: 1.0,
        log_every: 1,
        checkpoint_every: 5,
        ..PruneConfig::default()
    }
}

fn lab() -> MemoryLab {
    MemoryLab::new(Device::flex())
}

fn stopped_at(step: u64) -> MemoryLab {
    let mut lab = lab();
    lab.stop_at = Some(step);
    lab
}

#[test]
fn training_that_goes_on_from_a_checkpoint_ends_with_the_same_bits() {
    let model = model();
    let problem = problem(&model);
    for config in [settings(), PruneConfig { cache_references: true, node_target: None, ..settings() }] {
        let mut whole = PruneState::new(&problem.graph, &config);
        let history = train(&problem, &config, &mut whole, "prune", &mut lab()).unwrap();
        assert_eq!(history.len(), 24);
        // Within the first epoch, at its end, and right before the last step.
        for step in [1, 3, 13, 23] {
            let mut broken = stopped_at(step);
            let mut state = checkpoint_or_start(&problem, &config, &mut broken);
            let error = train(&problem, &config, &mut state, "prune", &mut broken).unwrap_err();
            assert!(matches!(error, PruneError::Lab(LabError::Stopped { step: at }) if at == step), "{error}");
            broken.stop_at = None;
            let mut state = checkpoint_or_start(&problem, &config, &mut broken);
            assert_eq!(state.step, step);
            let joined = train(&problem, &config, &mut state, "prune", &mut broken).unwrap();
            assert_eq!(state, whole, "stopped at {step}");
            assert_eq!(joined, history);
            assert_eq!(save(&state, &config).unwrap(), save(&whole, &config).unwrap());
        }
    }
}

fn checkpoint_or_start(problem: &Problem, config: &PruneConfig, lab: &mut MemoryLab) -> PruneState {
    resume_or_start("prune", &problem.graph, PruneState::new(&problem.graph, config), config, lab).unwrap()
}

#[test]
fn a_comparison_that_is_stopped_again_and_again_ends_with_the_same_circuits() {
    let model = model();
    let problem = problem(&model);
    let n = problem.graph.n_edges() as f64;
    let prune = PruneConfig { node_target: None, ..settings() };
    let config = StudyConfig { seed: 7, prune, warm_start: true, sizes: vec![12.0 / n, 30.0 / n], seeds: 2, ..StudyConfig::default() };
    let full = full_outputs(&problem, config.prune.batch_size).unwrap();
    let whole = compare_methods(&problem, (&problem, &full), &config, &mut lab()).unwrap();
    assert_eq!(whole.repeats.iter().map(|r| (r.seed, r.size)).collect::<Vec<_>>(), [(7, 30), (8, 30)]);
    assert_eq!(whole.repeats[0].circuit, whole.circuits[1]);
    assert_ne!(whole.repeats[1].circuit, whole.circuits[1]);
    // Every phase's steps count anew, so each of these stops cuts through one phase after the other.
    let mut broken = lab();
    let mut stops = 0;
    let joined = loop {
        let checkpoints = std::mem::take(&mut broken.checkpoints);
        broken = lab();
        broken.checkpoints = checkpoints;
        broken.stop_at = (stops < 6).then_some(9 + 11 * (stops % 2));
        match compare_methods(&problem, (&problem, &full), &config, &mut broken) {
            Ok(found) => break found,
            Err(PruneError::Lab(LabError::Stopped { .. })) => stops += 1,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(stops > 3, "{stops}");
    assert_eq!(joined.circuits, whole.circuits);
    assert_eq!(joined.histories, whole.histories);
    assert!(joined.repeats.iter().map(|r| &r.circuit).eq(whole.repeats.iter().map(|r| &r.circuit)));
    for (a, b) in joined.rows.iter().zip(&whole.rows) {
        assert_eq!((a.method, a.size, a.edges, a.scores), (b.method, b.size, b.edges, b.scores));
    }
    assert_eq!(joined.rows.len(), whole.rows.len());
}

#[test]
fn attribution_that_goes_on_ends_with_the_same_bits() {
    let model = model();
    let problem = problem(&model);
    let run = Attribution { metric: AttributionMetric::Faithfulness, points: 3, batch_size: 3 };
    let whole = score(&problem, run, "scores", &mut lab()).unwrap();
    assert!(whole.iter().any(|s| *s != 0.0));
    let mut broken = lab();
    for batch in [1, 3] {
        broken.stop_at = Some(batch);
        let error = score(&problem, run, "scores", &mut broken).unwrap_err();
        assert!(matches!(error, PruneError::Lab(LabError::Stopped { step }) if step == batch), "{error}");
    }
    broken.stop_at = None;
    assert_eq!(score(&problem, run, "scores", &mut broken).unwrap(), whole);
    let other = Attribution { points: 2, ..run };
    assert!(matches!(score(&problem, other, "scores", &mut broken), Err(PruneError::Lab(LabError::BadCheckpoint { .. }))));
}

#[test]
fn train_rounds_that_go_on_end_with_the_same_circuit() {
    let weights = SafeTensors::open(include_bytes!("../../../assets/tracr/hist/model.safetensors").as_slice()).unwrap();
    let program = Program::load(include_str!("../../../assets/tracr/hist/config.json"), &weights, &Device::flex()).unwrap();
    let problem = program.problem(Ablation::Zero, NumericScoring::SquaredError, 0).unwrap();
    let mut config = RoundsConfig { max_rounds: 4, patience: 2, snapshots: 10, ..RoundsConfig::default() };
    (config.prune.steps, config.prune.sparsity_warm_up, config.prune.lr_warm_up) = (60, 50, 6);
    let search = |lab: &mut MemoryLab| rounds::search(&problem, &config, &mut program.judge(&problem).unwrap(), "rounds", lab);
    let whole = search(&mut lab()).unwrap().unwrap();
    assert!(whole.0.contains(&false), "something was cut");
    for step in [6, 60, 90] {
        let mut broken = stopped_at(step);
        assert!(matches!(search(&mut broken), Err(PruneError::Lab(LabError::Stopped { step: at })) if at >= step));
        broken.stop_at = None;
        assert_eq!(search(&mut broken).unwrap().unwrap(), whole, "stopped at {step}");
    }
    // A search that is over is over when it is called again.
    let mut done = lab();
    search(&mut done).unwrap();
    assert_eq!(search(&mut done).unwrap().unwrap(), whole);
    // Other settings, or the gates' checkpoint of another method, are refused.
    let other = RoundsConfig { patience: 3, ..config.clone() };
    let error = rounds::search(&problem, &other, &mut program.judge(&problem).unwrap(), "rounds", &mut done).unwrap_err();
    assert!(matches!(error, PruneError::Lab(LabError::BadCheckpoint { .. })), "{error}");
    let plain = save(&PruneState::new(&problem.graph, &config.prune), &config.prune).unwrap();
    assert!(rounds::Search::load(&problem, &config, &plain).is_err());
}

#[test]
fn train_study_that_goes_on_keeps_its_trained_model_and_ends_with_the_same_circuits() {
    let mut config = StudyConfig { programs: false, sizes: vec![0.2], train_examples: 24, test_examples: 8, ..StudyConfig::default() };
    (config.language_model.steps, config.language_model.batch_size) = (12, 8);
    (config.prune.steps, config.prune.sparsity_warm_up, config.prune.batch_size) = (30, 20, 8);
    let mut whole = lab();
    let findings = run(&config, &mut whole).unwrap();
    assert_eq!(whole.artifacts.len(), 4, "config, weights and words of the model, and a circuit");
    // 5 and 9: while the model is trained; 20: while its circuit is pruned, with the model kept.
    let mut broken = stopped_at(5);
    for (at, next) in [(5, Some(9)), (9, Some(20)), (0, None)] {
        assert!(run(&config, &mut broken).is_err());
        let checkpoints = std::mem::take(&mut broken.checkpoints);
        assert_eq!(checkpoints[TRAINING].0, at, "a phase that is over is kept as step 0");
        broken = lab();
        (broken.checkpoints, broken.stop_at) = (checkpoints, next);
    }
    assert_eq!(run(&config, &mut broken).unwrap(), findings);
    assert_eq!(broken.artifacts, whole.artifacts);
    assert!(broken.log.iter().all(|(phase, ..)| phase != TRAINING), "the model is not trained again");
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let model = model();
    let problem = problem(&model);
    let config = settings();
    let state = PruneState::new(&problem.graph, &config);
    let bytes = save_with(&state, &config, Some("a note")).unwrap();
    let saved = read(&bytes, &problem.graph).unwrap();
    assert_eq!((saved.state, saved.config, saved.note.as_deref()), (state.clone(), config.clone(), Some("a note")));
    let with_log_alpha = |value: f32| {
        let mut state = state.clone();
        state.edges.log_alpha[3] = value;
        load(&save(&state, &config).unwrap(), &problem.graph)
    };
    assert_eq!(with_log_alpha(f32::NEG_INFINITY).unwrap().0.edges.log_alpha[3], f32::NEG_INFINITY);
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(matches!(with_log_alpha(bad), Err(PruneError::Lab(LabError::BadCheckpoint { .. }))));
    }
    let mut state = state;
    state.edges.lambda[1] = f32::NAN;
    assert!(load(&save(&state, &config).unwrap(), &problem.graph).is_err());
    let graph = TransformerConfig { n_heads: 3, n_kv_heads: 3, ..model.config }.graph(EmbeddingNodes::Split).unwrap();
    assert!(load(&bytes, &graph).is_err(), "another graph");
    for cut in [0, 7, 100, bytes.len() - 1] {
        assert!(load(&bytes[..cut], &problem.graph).is_err(), "cut at {cut}");
    }
    let mut lab = lab();
    lab.save_checkpoint("prune", 0, bytes).unwrap();
    let other = PruneConfig { seed: 8, ..config };
    assert!(matches!(
        resume_or_start("prune", &problem.graph, PruneState::new(&problem.graph, &other), &other, &mut lab),
        Err(PruneError::Lab(LabError::BadCheckpoint { .. }))
    ));
}

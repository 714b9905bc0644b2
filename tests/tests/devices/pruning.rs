//! Edge Pruning on every device: gates trained there find a compiled program's known circuit.

use vitrine_core::{
    lab::MemoryLab,
    model::stream::Ablation,
    study::edge_pruning::{
        prune::PruneConfig,
        rounds::RoundsConfig,
        tasks::{encode::NumericScoring, tracr::EdgeTruth},
    },
};
use vitrine_tests::devices;

use super::models::program;

#[test]
fn train_hard_concrete_gates_find_a_programs_known_circuit() {
    for (label, device) in devices() {
        let (program, truth) = program("xproportion", &device);
        let problem = program.problem(Ablation::Interchange, NumericScoring::SquaredError, 0).unwrap();
        let truth = EdgeTruth::from_json(&truth, &problem.graph).unwrap();
        let defaults = RoundsConfig::default();
        let steps = std::env::var("STEPS").map_or(150, |s| s.parse().unwrap());
        let config = RoundsConfig {
            prune: PruneConfig { steps, sparsity_warm_up: steps * 9 / 10, lr_warm_up: steps / 10, batch_size: 16, ..defaults.prune },
            patience: 2,
            snapshots: 6,
            max_rounds: 12,
        };
        let mut lab = MemoryLab::new(device);
        let (kept, rounds) = program.search(&problem, &config, &mut lab).unwrap().unwrap();
        let found: Vec<usize> = (0..kept.len()).filter(|&e| kept[e]).collect();
        eprintln!("{label}: {found:?} {rounds:?}");
        assert_eq!(kept, truth.mask("minimal_interchange", &problem.graph).unwrap(), "{label}: found {found:?}");
    }
}

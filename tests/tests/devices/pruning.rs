//! Edge Pruning on every device: gates trained there find a compiled program's known circuit.

use burn::tensor::Device;
use vitrine_core::{lab::MemoryLab, model::stream::Ablation};
use vitrine_edge_pruning::{
    prune::PruneConfig,
    rounds::RoundsConfig,
    tasks::{encode::NumericScoring, tracr::EdgeTruth},
};
use vitrine_tests::devices;

use super::models::program;

#[test]
fn train_hard_concrete_gates_find_a_programs_known_circuit() {
    let defaults = RoundsConfig::default();
    let config = RoundsConfig {
        prune: PruneConfig { steps: 80, sparsity_warm_up: 72, lr_warm_up: 8, batch_size: 16, ..defaults.prune },
        patience: 1,
        snapshots: 4,
        max_rounds: 6,
    };
    let search = |config: &RoundsConfig, device: Device| {
        let (program, truth) = program("xproportion", &device);
        let problem = program.problem(Ablation::Interchange, NumericScoring::SquaredError, 0).unwrap();
        let truth = EdgeTruth::from_json(&truth, &problem.graph).unwrap();
        let (kept, _) = program.search(&problem, config, "search", &mut MemoryLab::new(device)).unwrap().unwrap();
        (kept, truth.mask("minimal_interchange", &problem.graph).unwrap())
    };
    for (label, device) in devices() {
        let (found, known) = search(&config, device);
        assert_eq!(found, known, "{label}");
    }
    // Gates that do not learn rank the edges by chance, and the same search ends elsewhere.
    let idle = RoundsConfig { prune: PruneConfig { lr_log_alpha: 0.0, ..config.prune.clone() }, ..config.clone() };
    let (found, known) = search(&idle, Device::flex());
    assert_ne!(found, known);
}

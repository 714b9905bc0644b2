//! Whole models on every device: the self-check, compiled programs with known edge effects, training.

use std::{fs, path::PathBuf};

use burn::tensor::Device;
use vitrine_core::{
    device::check,
    formats::safetensors::SafeTensors,
    lab::MemoryLab,
    model::{Transformer, stream::Ablation},
    train::language_model::{LanguageModelConfig, train},
};
use vitrine_edge_pruning::{
    programs::Program,
    tasks::{encode::NumericScoring, tracr::EdgeTruth},
};
use vitrine_tests::{assert_close, devices, values};

use super::streams::{families, model};

/// A shipped program, and what is known of its edges.
pub fn program(name: &str, device: &Device) -> (Program, String) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../core/assets/tracr").join(name);
    let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let weights = fs::read(folder.join("model.safetensors")).unwrap();
    let program = Program::load(&text("config.json"), &SafeTensors::open(&weights[..]).unwrap(), device).unwrap();
    (program, text("edges.json"))
}

#[test]
fn the_self_check_passes() {
    let numbers = |device: &Device| -> Vec<(&str, Vec<f32>)> {
        check::compute(device).unwrap().into_iter().map(|part| (part.name, values(part.values))).collect()
    };
    let expected = numbers(&Device::flex());
    for (label, device) in devices() {
        for ((part, found), (_, expected)) in numbers(&device).iter().zip(&expected) {
            let difference = check::difference(found, expected);
            eprintln!("{label}, {part}: {difference:.1e}");
            assert!(difference <= check::TOLERANCE, "{label}, {part}: {difference}");
        }
    }
}

#[test]
fn compiled_programs_work_with_their_known_edges_and_not_without_one_of_them() {
    for (label, device) in devices() {
        for name in ["xproportion", "reverse", "hist"] {
            let (program, truth) = program(name, &device);
            for ablation in [Ablation::Zero, Ablation::Interchange] {
                let problem = program.problem(ablation, NumericScoring::SquaredError, 0).unwrap();
                let truth = EdgeTruth::from_json(&truth, &problem.graph).unwrap();
                let known = if ablation == Ablation::Zero { "minimal_zero" } else { "minimal_interchange" };
                let mut kept = truth.mask(known, &problem.graph).unwrap();
                let mut right = program.judge(&problem).unwrap();
                assert!(right(&kept).unwrap(), "{name} on {label}, {known}: these edges alone");
                for edge in (0..kept.len()).filter(|&edge| kept[edge]).collect::<Vec<_>>() {
                    kept[edge] = false;
                    assert!(!right(&kept).unwrap(), "{name} on {label}, {known}: without {:?}", problem.graph.edge(edge));
                    kept[edge] = true;
                }
            }
        }
    }
}

#[test]
fn training_follows_the_cpu() {
    let run = |device: &Device, name: &str| {
        let (_, config, _) = families().into_iter().find(|(family, ..)| *family == name).unwrap();
        let mut trained: Transformer = model(config, device);
        let settings = LanguageModelConfig { steps: 20, batch_size: 4, lr: 3e-3, lr_warm_up: 2, ..LanguageModelConfig::default() };
        let rows = |step: u64| (0..4).map(|i| (0..6).map(|t| (i * 3 + t * 5 + step as u32) % 11).collect()).collect();
        let mut lab = MemoryLab::new(device.clone());
        let history = train(&mut trained, &settings, rows, "train", &mut lab).unwrap();
        let losses: Vec<f32> = history.iter().map(|(_, loss)| *loss as f32).collect();
        (losses, values(trained.logits(&trained.batch(&[[1, 2, 3, 4, 5]]).unwrap())))
    };
    for (label, device) in devices() {
        for family in ["gpt2", "llama"] {
            let (found, expected) = (run(&device, family), run(&Device::flex(), family));
            // Adam divides by the root of squared gradients: where these are tiny, rounding decides a step's direction.
            assert_close(&found.0, &expected.0, 1e-3, &format!("{family} on {label}, losses"));
            assert_close(&found.1, &expected.1, 2e-2, &format!("{family} on {label}, logits after training"));
        }
    }
}

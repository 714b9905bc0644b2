//! The masked streams against the plain one, against each other, and their gradients against finite differences; and the same numbers as the CPU's.
//!
//! Tolerances are for float32 sums of some hundred terms, in whatever order a device takes them.

use burn::tensor::{Device, Tensor, TensorData};
use vitrine_core::{
    model::{
        Activation, Batch, Biases, EmbeddingNodes, Graph, NormKind, Positions, Transformer, TransformerConfig,
        params::ParamVisitor,
        stream::{Capture, EdgeMasked, NodeMasked, Plain, Reference, Workspace},
        transformer::select_rows,
    },
    train::rng::Stream as Random,
};
use vitrine_tests::{assert_close, devices, values};

pub fn families() -> Vec<(&'static str, TransformerConfig, EmbeddingNodes)> {
    let base = TransformerConfig {
        n_layers: 3,
        d_model: 24,
        n_heads: 4,
        n_kv_heads: 4,
        d_head: 6,
        d_mlp: 20,
        vocab_size: 11,
        d_out: 11,
        max_positions: 9,
        ..TransformerConfig::gpt2_small()
    };
    let llama = TransformerConfig {
        n_kv_heads: 2,
        norm: NormKind::Rms { eps: 1e-5 },
        positions: Positions::Rotary { base: 100.0 },
        activation: Activation::SwiGlu,
        biases: Biases::NONE,
        ..base
    };
    // More layers than one block of the masked stream takes, and a last block that is not full.
    let deep = TransformerConfig { n_layers: 6, ..llama };
    let tracr = TransformerConfig { norm: NormKind::None, activation: Activation::Relu, causal: false, tied: false, d_out: 5, ..base };
    vec![
        ("gpt2", base, EmbeddingNodes::Split),
        ("gpt2, one embedding", base, EmbeddingNodes::Single),
        ("gpt2, embeddings on", base, EmbeddingNodes::AlwaysOn),
        ("llama", llama, EmbeddingNodes::Single),
        ("llama, embeddings on", llama, EmbeddingNodes::AlwaysOn),
        ("llama, six layers", deep, EmbeddingNodes::Single),
        ("llama, six layers, embeddings on", deep, EmbeddingNodes::AlwaysOn),
        ("tracr", tracr, EmbeddingNodes::Split),
    ]
}

/// Every family on every device under test.
fn everywhere() -> Vec<(String, TransformerConfig, EmbeddingNodes, Device)> {
    let on = |(label, device): (String, Device)| {
        families().into_iter().map(move |(family, config, embeds)| (format!("{family} on {label}"), config, embeds, device.clone()))
    };
    devices().into_iter().flat_map(on).collect()
}

/// Larger weights than a fresh model's, biases included, so that every term matters.
pub fn model(config: TransformerConfig, device: &Device) -> Transformer {
    struct Grow(u64);
    impl Grow {
        fn noise<const D: usize>(&mut self, value: &mut Tensor<D>, scale: f64) {
            self.0 += 1;
            let mut random = Random::new(7, "grow", self.0);
            let shape = value.dims();
            let noise: Vec<f32> = (0..shape.iter().product()).map(|_| (random.normal() * scale) as f32).collect();
            value.inplace(|v| {
                let device = v.device();
                v + Tensor::from_data(TensorData::new(noise, shape), &device)
            });
        }
    }
    impl ParamVisitor for Grow {
        fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
            self.noise(value, 0.1);
        }
        fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
            self.noise(value, 0.2);
        }
    }
    let mut model = Transformer::init(config, 1, device);
    model.visit(&mut Grow(0));
    model
}

struct Case {
    model: Transformer,
    graph: Graph,
    clean: Batch,
    reference: Reference,
}

fn case(config: TransformerConfig, embeds: EmbeddingNodes, device: &Device) -> Case {
    let model = model(config, device);
    let clean = model.batch(&[vec![1, 2, 3, 4, 5], vec![6, 7, 8]]).unwrap();
    let corrupted = model.batch(&[vec![1, 9, 3, 10, 5], vec![2, 7, 4]]).unwrap();
    let mut capture = Capture::default();
    model.forward(&corrupted, &mut capture);
    Case { graph: config.graph(embeds).unwrap(), reference: capture.into_reference().unwrap(), model, clean }
}

fn flat(v: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(v.to_vec(), [v.len()]), device)
}

fn masked(case: &Case, masks: &[f32], zero: bool) -> Tensor<2> {
    let mut ws = Workspace::default();
    let reference = (!zero).then_some(&case.reference);
    let mut stream = EdgeMasked::new(&case.model, &case.graph, masks, reference, &case.clean, &mut ws, false);
    case.model.forward(&case.clean, &mut stream)
}

/// Rows of real tokens; padding may hold anything.
fn real(case: &Case, x: Tensor<2>) -> Vec<f32> {
    let rows: Vec<usize> = case
        .clean
        .lengths()
        .iter()
        .enumerate()
        .flat_map(|(s, &len)| (0..len).map(move |p| (s, p)))
        .map(|(s, p)| case.clean.row(s, p))
        .collect();
    values(select_rows(x, &rows))
}

#[test]
fn all_edges_kept_is_the_plain_model_and_all_cut_is_the_corrupted_one() {
    for (name, config, embeds, device) in everywhere() {
        let case = case(config, embeds, &device);
        let plain = real(&case, case.model.forward(&case.clean, &mut Plain::default()));
        let n = case.graph.n_edges();
        assert_close(&real(&case, masked(&case, &vec![1.0; n], false)), &plain, 2e-5, &name);
        assert_close(&real(&case, masked(&case, &vec![1.0; n], true)), &plain, 2e-5, &name);
        if embeds != EmbeddingNodes::AlwaysOn {
            let cut = real(&case, masked(&case, &vec![0.0; n], false));
            assert_close(&cut, &real(&case, case.reference.resid_post.clone()), 2e-5, &name);
        }
    }
}

#[test]
fn node_masks_on_the_running_sum_equal_edge_masks_of_whole_writers() {
    for (name, config, embeds, device) in everywhere() {
        let case = case(config, embeds, &device);
        let mut random = Random::new(3, "nodes", 0);
        let nodes: Vec<f32> = (0..case.graph.n_writers()).map(|_| random.uniform() as f32).collect();
        let edges: Vec<f32> = (0..case.graph.n_edges()).map(|e| nodes[case.graph.edge_ids(e).0]).collect();
        for zero in [false, true] {
            // With embeddings always on, the edge-masked stream adds the clean embeddings and the node-masked one does too.
            let mut stream = NodeMasked::new(&case.graph, flat(&nodes, &device), (!zero).then_some(&case.reference));
            let by_node = case.model.forward(&case.clean, &mut stream);
            assert_close(&real(&case, by_node), &real(&case, masked(&case, &edges, zero)), 3e-5, &name);
        }
    }
}

#[test]
fn mask_gradients_equal_finite_differences() {
    for (name, config, embeds, device) in everywhere() {
        let case = case(config, embeds, &device);
        let n = case.graph.n_edges();
        let mut random = Random::new(5, "masks", 0);
        let masks: Vec<f32> = (0..n).map(|_| (0.2 + 0.8 * random.uniform()) as f32).collect();
        for zero in [false, true] {
            // A loss that weighs every final read differently, padding excluded.
            let weights: Vec<f32> = (0..case.clean.n_tokens() * config.d_model)
                .map(|i| {
                    let (s, p) = (i / config.d_model / case.clean.seq_len(), i / config.d_model % case.clean.seq_len());
                    if p < case.clean.lengths()[s] { (random.uniform() - 0.5) as f32 } else { 0.0 }
                })
                .collect();
            let loss = |masks: &[f32]| -> f64 {
                values(masked(&case, masks, zero)).iter().zip(&weights).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum()
            };
            let mut ws = Workspace::default();
            let reference = (!zero).then_some(&case.reference);
            let mut stream = EdgeMasked::new(&case.model, &case.graph, &masks, reference, &case.clean, &mut ws, true);
            case.model.forward(&case.clean, &mut stream);
            let d_final = Tensor::from_data(TensorData::new(weights.clone(), [case.clean.n_tokens(), config.d_model]), &device);
            let gradient = values(stream.backward(&case.model, &case.clean, d_final, None, None));
            assert_eq!(gradient.len(), n);
            // Gradients asked for alone are the same numbers, up to the order of sums.
            let wanted: Vec<bool> = (0..n).map(|edge| edge % 5 == 0).collect();
            let mut stream = EdgeMasked::new(&case.model, &case.graph, &masks, reference, &case.clean, &mut ws, true);
            case.model.forward(&case.clean, &mut stream);
            let d_final = Tensor::from_data(TensorData::new(weights.clone(), [case.clean.n_tokens(), config.d_model]), &device);
            let some = values(stream.backward(&case.model, &case.clean, d_final, Some(&wanted), None));
            let pick = |all: &[f32]| -> Vec<f32> { all.iter().zip(&wanted).filter(|(_, w)| **w).map(|(g, _)| *g).collect() };
            assert_close(&pick(&some), &pick(&gradient), 1e-5, &name);
            let scale = gradient.iter().map(|g| f64::from(g.abs())).sum::<f64>() / n as f64;
            // Four forwards an edge: all edges where they are cheap, every seventh where each is a hundred kernel launches.
            let every = if device == Device::flex() { 1 } else { 7 };
            let mut kinks = 0;
            for edge in (0..n).step_by(every) {
                let at = |step: f32| {
                    let mut moved = masks.clone();
                    moved[edge] += step;
                    loss(&moved)
                };
                let slope = |h: f32| (at(h) - at(-h)) / f64::from(2.0 * h);
                let (wide, narrow) = (slope(0.01), slope(0.005));
                if (wide - narrow).abs() > 0.003 * (narrow.abs() + scale) {
                    kinks += 1; // a ReLU switches within the step: no derivative to compare with
                    continue;
                }
                // Extrapolated from two steps: the error left is of fourth order.
                let numeric = (4.0 * narrow - wide) / 3.0;
                let error = (numeric - f64::from(gradient[edge])).abs() / (numeric.abs() + scale);
                assert!(
                    error < 1e-2,
                    "{name}, zero ablation {zero}, edge {edge} {:?}: {numeric} against {}",
                    case.graph.edge(edge),
                    gradient[edge]
                );
            }
            assert!(kinks * 20 * every < n, "{name}: {kinks} of {} edges could not be checked", n / every);
        }
    }
}

#[test]
fn the_fused_kernels_agree_with_the_tensor_operations() {
    for (name, config, embeds, device) in everywhere() {
        let case = case(config, embeds, &device);
        let fused = real(&case, case.model.logits(&case.clean));
        let ops = real(&case, case.model.tracked().logits(&case.clean).inner());
        assert_close(&fused, &ops, 1e-4, &name);
    }
}

#[test]
fn every_device_computes_what_the_cpu_computes() {
    for (name, config, embeds, device) in everywhere() {
        let numbers = |device: &Device| {
            let case = case(config, embeds, device);
            let n = case.graph.n_edges();
            let mut random = Random::new(9, "masks", 0);
            let masks: Vec<f32> = (0..n).map(|_| random.uniform() as f32).collect();
            let weights: Vec<f32> = (0..case.clean.n_tokens() * config.d_model).map(|_| (random.uniform() - 0.5) as f32).collect();
            let mut ws = Workspace::default();
            let mut stream = EdgeMasked::new(&case.model, &case.graph, &masks, Some(&case.reference), &case.clean, &mut ws, true);
            let reads = case.model.forward(&case.clean, &mut stream);
            let d_final = Tensor::from_data(TensorData::new(weights, [case.clean.n_tokens(), config.d_model]), device);
            let gradient = values(stream.backward(&case.model, &case.clean, d_final, None, None));
            (real(&case, case.model.logits(&case.clean)), real(&case, case.model.unembed(reads)), gradient)
        };
        let (found, expected) = (numbers(&device), numbers(&Device::flex()));
        assert_close(&found.0, &expected.0, 1e-4, &format!("{name}, plain logits"));
        assert_close(&found.1, &expected.1, 1e-4, &format!("{name}, masked logits"));
        assert_close(&found.2, &expected.2, 3e-4, &format!("{name}, mask gradients"));
    }
}

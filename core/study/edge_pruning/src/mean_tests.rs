//! Mean ablation against brute force: every writer kept apart, means taken one example at a time, every reader a plain sum over its edges.

use vitrine_core::tensor::{Device, Tensor};

use super::{
    problem::{Problem, read},
    tasks::{Encoded, Scoring, TargetKind},
};
use vitrine_core::{
    model::{
        EmbeddingNodes, Graph, Transformer, TransformerConfig,
        params::ParamVisitor,
        stream::{Ablation, AttnInput, HeadOutputs, Stream, Workspace},
        transformer::Linear,
    },
    train::rng,
};

/// Each reader gets `sum over its writers of m x + (1 - m) mean`.
struct Brute<'a> {
    graph: &'a Graph,
    masks: &'a [f32],
    /// Mean of each writer, `[1, d_model]`; none while means are being taken (all masks are 1 then).
    means: &'a [Tensor<2>],
    /// What each writer wrote, `[tokens, d_model]`.
    written: Vec<Tensor<2>>,
}

impl Brute<'_> {
    fn read(&self, reader: usize) -> Tensor<2> {
        let edges = self.graph.edges_of_reader(reader).zip(&self.written).enumerate();
        let part = |(writer, (edge, x)): (usize, (usize, &Tensor<2>))| match self.means.get(writer) {
            Some(mean) => x.clone() * self.masks[edge] + mean.clone() * (1.0 - self.masks[edge]),
            None => x.clone(),
        };
        edges.map(part).reduce(|a, b| a + b).unwrap()
    }
}

impl Stream for Brute<'_> {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        self.written = std::iter::once(tok).chain(pos).collect();
    }

    fn attn_input(&mut self, layer: usize) -> AttnInput {
        let first = self.graph.first_reader_of_layer(layer);
        AttnInput::PerReader(Tensor::stack((first..first + self.graph.n_attn_readers()).map(|reader| self.read(reader)).collect(), 0))
    }

    fn write_attn(&mut self, _layer: usize, z: HeadOutputs, out: &Linear) {
        let z = z.per_head();
        let [heads, tokens, d_head] = z.dims();
        for head in 0..heads {
            let rows = out.weight.clone().narrow(0, head * d_head, d_head);
            let own = z.clone().narrow(0, head, 1).reshape([tokens, d_head]).matmul(rows);
            let bias = out.bias.clone().unwrap().unsqueeze::<2>() / heads as f32;
            self.written.push(own + bias);
        }
    }

    fn mlp_input(&mut self, layer: usize) -> Tensor<2> {
        self.read(self.graph.first_reader_of_layer(layer) + self.graph.n_attn_readers())
    }

    fn write_mlp(&mut self, _layer: usize, hidden: Tensor<2>, out: &Linear) {
        self.written.push(out.apply(hidden));
    }

    fn final_input(&mut self) -> Tensor<2> {
        self.read(self.graph.n_readers() - 1)
    }
}

/// Larger weights than a fresh model's, so that a wrong value shows, and biases that are not 0.
struct Enlarge(rng::Stream);

impl ParamVisitor for Enlarge {
    fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
        let noise: Vec<f32> = (0..value.dims()[0]).map(|_| self.0.normal() as f32 * 0.2).collect();
        let noise = Tensor::<1>::from_floats(noise.as_slice(), &value.device());
        value.inplace(|v| v + noise.clone());
    }

    fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
        value.inplace(|v| v * 12.0);
    }
}

#[test]
fn every_reader_gets_the_means_of_what_is_cut() {
    let config = TransformerConfig {
        n_layers: 2,
        d_model: 12,
        n_heads: 3,
        n_kv_heads: 3,
        d_head: 4,
        d_mlp: 20,
        vocab_size: 17,
        d_out: 17,
        max_positions: 7,
        ..TransformerConfig::gpt2_small()
    };
    let mut model = Transformer::init(config, 3, &Device::flex());
    model.visit(&mut Enlarge(rng::Stream::new(4, "enlarge", 0)));
    let graph = config.graph(EmbeddingNodes::Split).unwrap();
    let mut stream = rng::Stream::new(5, "examples", 0);
    // More examples than one batch of the mean holds, of different lengths: padding must not enter.
    let examples: Vec<Encoded> = (0..21)
        .map(|i| {
            let clean: Vec<u32> = (0..3 + i % 4).map(|_| stream.below(17) as u32).collect();
            let target = TargetKind::Tokens;
            Encoded {
                corrupted: clean.clone(),
                positions: vec![1, clean.len() - 1],
                answers: vec![0; 2],
                wrong: vec![None; 2],
                clean,
                target,
            }
        })
        .collect();

    let mut sums: Vec<Tensor<2>> = vec![];
    let mut tokens = 0;
    for example in &examples {
        let mut brute = Brute { graph: &graph, masks: &[], means: &[], written: vec![] };
        model.forward(&model.batch(&[&example.clean]).unwrap(), &mut brute);
        let parts: Vec<Tensor<2>> = brute.written.into_iter().map(|x| x.sum_dim(0)).collect();
        sums = if sums.is_empty() { parts } else { sums.into_iter().zip(parts).map(|(a, b)| a + b).collect() };
        tokens += example.clean.len();
    }
    let means: Vec<Tensor<2>> = sums.into_iter().map(|sum| sum / tokens as f32).collect();
    assert_eq!(means.len(), graph.n_writers());

    let problem = Problem::new(&model, graph.clone(), examples, Scoring::FullVocab, Ablation::Mean).unwrap();
    let n = graph.n_edges();
    let random: Vec<f32> = (0..n).map(|_| stream.uniform() as f32).collect();
    let binary: Vec<f32> = (0..n).map(|_| stream.below(2) as f32).collect();
    for masks in [vec![0.0; n], vec![1.0; n], binary, random] {
        for indices in problem.batches(8) {
            let batch = problem.prepare(&indices).unwrap();
            let reference = problem.reference(&batch);
            let found = read(problem.masked_reads(&batch, reference.as_ref(), &masks, &mut Workspace::default()).unwrap()).unwrap();
            let mut brute = Brute { graph: &graph, masks: &masks, means: &means, written: vec![] };
            let expected = read(batch.rows.select(model.forward(&batch.clean, &mut brute))).unwrap();
            let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let size = expected.iter().map(|x| x.abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4 * size.max(1.0) && size > 0.5, "largest difference {worst} of values up to {size}");
        }
    }
}

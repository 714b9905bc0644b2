//! One clean/corrupted prompt pair, run three ways: the full model on the clean prompt, the circuit (cut edges carry the corrupted prompt's values, or nothing), and the full
//! model on the corrupted prompt.
//!
//! The two plain runs and the reference are made once a pair; a new circuit costs one masked forward.

use vitrine_core::tensor::Tensor;

use super::{InspectError, Subject};
use crate::problem::{Prepared, Problem, read, read_async};
use vitrine_core::model::{
    stream::{Ablation, Plain, Reference, Workspace},
    transformer::select_rows,
};

/// Logits of the three runs at one position, `[outputs]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    pub full: Vec<f32>,
    pub pruned: Vec<f32>,
    pub corrupted: Vec<f32>,
}

/// A prompt pair on a model.
#[derive(Debug)]
pub struct Contrast<'a> {
    subject: &'a Subject,
    problem: Problem<'a>,
    batch: Prepared,
    reference: Option<Reference>,
    /// Final reads `[tokens, d_model]` of the full model on the clean and on the corrupted prompt, and of the circuit.
    full: Tensor<2>,
    corrupted: Tensor<2>,
    pruned: Tensor<2>,
    workspace: Workspace,
}

impl<'a> Contrast<'a> {
    /// Encodes both prompts and runs the full model on them. The circuit is the full graph until [`Contrast::prune`].
    ///
    /// # Errors
    /// [`InspectError::Lengths`] and what [`Subject::encode`] and the model refuse.
    pub fn new(subject: &'a Subject, clean: &str, corrupted: &str, ablation: Ablation) -> Result<Self, InspectError> {
        let example = subject.pair(clean, corrupted, |tokens| (0..tokens).collect())?;
        let problem = Problem::new(&subject.model, subject.graph.clone(), vec![example], subject.scoring(), ablation)?;
        let batch = problem.prepare(&[0])?;
        let reference = problem.reference(&batch);
        let full = problem.full_reads(&batch);
        let corrupted = subject.model.forward(&batch.corrupted, &mut Plain::default());
        Ok(Self { subject, pruned: full.clone(), full, corrupted, problem, batch, reference, workspace: Workspace::default() })
    }

    /// Runs the circuit of `masks` (one an edge, 0 to 1).
    ///
    /// # Errors
    /// A wrong number of masks, device errors.
    pub fn prune(&mut self, masks: &[f32]) -> Result<(), InspectError> {
        self.pruned = self.problem.masked_reads(&self.batch, self.reference.as_ref(), masks, &mut self.workspace)?;
        Ok(())
    }

    /// The model that is run.
    pub fn subject(&self) -> &'a Subject {
        self.subject
    }

    /// Number of tokens of either prompt.
    pub fn tokens(&self) -> usize {
        self.batch.clean.seq_len()
    }

    /// Token ids of the clean and the corrupted prompt.
    pub fn ids(&self) -> (&[u32], &[u32]) {
        self.problem.examples.first().map_or((&[], &[]), |example| (&example.clean, &example.corrupted))
    }

    /// Logits of the three runs after the token at `position`.
    ///
    /// # Errors
    /// [`InspectError::NoPosition`], device errors.
    pub fn logits(&self, position: usize) -> Result<Logits, InspectError> {
        self.check(position)?;
        Ok(Logits::of(self.rows(&[position])?))
    }

    /// As [`Contrast::logits`], where the device has to be awaited.
    ///
    /// # Errors
    /// As [`Contrast::logits`].
    pub(super) async fn logits_async(&self, position: usize) -> Result<Logits, InspectError> {
        self.check(position)?;
        Ok(Logits::of(self.rows_async(&[position]).await?))
    }

    fn check(&self, position: usize) -> Result<(), InspectError> {
        let tokens = self.tokens();
        if position < tokens { Ok(()) } else { Err(InspectError::NoPosition { position, tokens }) }
    }

    /// Logits of full, pruned and corrupted runs at `positions`: all positions of the first run, then of the others.
    ///
    /// # Errors
    /// Device errors.
    pub(super) fn rows(&self, positions: &[usize]) -> Result<Vec<Vec<f32>>, InspectError> {
        Ok(self.split(&read(self.unembedded(positions))?))
    }

    /// As [`Contrast::rows`], where the device has to be awaited.
    pub(super) async fn rows_async(&self, positions: &[usize]) -> Result<Vec<Vec<f32>>, InspectError> {
        Ok(self.split(&read_async(self.unembedded(positions)).await?))
    }

    /// `[3 * positions, outputs]`, on the device.
    fn unembedded(&self, positions: &[usize]) -> Tensor<2> {
        let reads = [&self.full, &self.pruned, &self.corrupted].map(|reads| select_rows(reads.clone(), positions));
        self.subject.model.unembed(Tensor::cat(reads.to_vec(), 0))
    }

    fn split(&self, logits: &[f32]) -> Vec<Vec<f32>> {
        logits.chunks_exact(self.subject.model.config.d_out).map(<[f32]>::to_vec).collect()
    }
}

impl Logits {
    /// From one row a run.
    fn of(mut rows: Vec<Vec<f32>>) -> Self {
        let (corrupted, pruned, full) = (rows.pop(), rows.pop(), rows.pop());
        let row = |row: Option<Vec<f32>>| row.unwrap_or_default();
        Self { full: row(full), pruned: row(pruned), corrupted: row(corrupted) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::{places, reading};
    use super::*;
    use vitrine_core::tensor::Device;

    use crate::{evaluate::circuit_outputs, inspect::subject::Coding, small::Small, tasks::Split};
    use vitrine_core::{formats::safetensors::SafeTensors, model::Transformer, train::rng::Stream};

    fn program() -> Subject {
        let config = include_str!("../../../../assets/tracr/reverse/config.json");
        let weights = include_bytes!("../../../../assets/tracr/reverse/model.safetensors");
        Subject::program(config, &SafeTensors::open(weights.as_slice()).unwrap(), &Device::flex()).unwrap()
    }

    fn small() -> (Small, Subject) {
        let small = Small::new(3).unwrap();
        let model = Transformer::init(small.config(), 3, &Device::flex());
        let graph = model.config.graph(model.config.default_embedding_nodes()).unwrap();
        let coding = Coding::Words(small.vocab.clone());
        (small, Subject { model, graph, coding })
    }

    fn furthest(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
    }

    #[test]
    fn everything_kept_is_the_full_run_and_everything_cut_the_corrupted_one() {
        let (small, subject) = small();
        let pair = small.pair(Split::Test, 4).unwrap();
        let mut contrast = Contrast::new(&subject, &pair.clean, &pair.corrupted, Ablation::Interchange).unwrap();
        let n = subject.graph.n_edges();
        for position in [0, 7, contrast.tokens() - 1] {
            contrast.prune(&vec![1.0; n]).unwrap();
            let all = contrast.logits(position).unwrap();
            assert!(furthest(&all.pruned, &all.full) < 1e-5);
            contrast.prune(&vec![0.0; n]).unwrap();
            let none = contrast.logits(position).unwrap();
            assert!(furthest(&none.pruned, &none.corrupted) < 1e-5);
            assert_eq!(none.full, all.full);
        }
        assert!(matches!(contrast.logits(99), Err(InspectError::NoPosition { .. })));
        assert!(matches!(contrast.prune(&[1.0]), Err(InspectError::Prune(_))));
    }

    #[test]
    fn a_circuit_gives_what_evaluation_gives() {
        let (small, subject) = small();
        let mut stream = Stream::new(1, "contrast", 0);
        let masks: Vec<f32> = (0..subject.graph.n_edges()).map(|_| stream.below(2) as f32).collect();
        let pair = small.pair(Split::Test, 0).unwrap();
        let mut contrast = Contrast::new(&subject, &pair.clean, &pair.corrupted, Ablation::Interchange).unwrap();
        contrast.prune(&masks).unwrap();
        let examples = small.examples(Split::Test, 1).unwrap();
        let problem = Problem::new(&subject.model, subject.graph.clone(), examples, subject.scoring(), Ablation::Interchange).unwrap();
        let expected = circuit_outputs(&problem, &masks, 1).unwrap();
        let logits = contrast.logits(contrast.tokens() - 1).unwrap();
        assert!(furthest(&logits.pruned, &expected[0][0]) < 1e-5);

        let shown = reading(&contrast, contrast.tokens() - 1, 4).unwrap();
        assert!((4..=12).contains(&shown.rows.len()) && !shown.numeric && shown.outputs == small.vocab.len());
        assert!(shown.rows.windows(2).all(|pair| pair[0].logits[0] >= pair[1].logits[0]));
        let p = |logits: &[f32], i: usize| f64::from(logits[i]).exp() / logits.iter().map(|&l| f64::from(l).exp()).sum::<f64>();
        for row in &shown.rows {
            let found = row.probabilities.unwrap();
            let brute = [p(&logits.full, row.id), p(&logits.pruned, row.id), p(&logits.corrupted, row.id)];
            assert!(found.iter().zip(brute).all(|(a, b)| (a - b).abs() < 1e-9));
        }
        let kl: f64 = (0..logits.full.len()).map(|i| p(&logits.full, i) * (p(&logits.full, i) / p(&logits.pruned, i)).ln()).sum();
        assert!((shown.pruned_distance - kl).abs() < 1e-9 && shown.corrupted_distance > 0.0);
    }

    #[test]
    fn programs_are_typed_and_read_in_their_own_tokens() {
        let subject = program();
        let words = subject.input_words();
        let text = words[..3].join(" ");
        let reversed: Vec<String> = words[..3].iter().rev().cloned().collect();
        let contrast = Contrast::new(&subject, &text, &[words[0].as_str(); 3].join(" "), Ablation::Zero).unwrap();
        let places = places(&contrast).unwrap();
        let said: Vec<String> = places.iter().skip(1).map(|place| place.outputs.clone().unwrap()[0].clone()).collect();
        assert_eq!((said, places[0].clean.as_str()), (reversed, "<bos>"));
        let refused = |clean: &str, corrupted: &str| Contrast::new(&subject, clean, corrupted, Ablation::Zero).unwrap_err();
        assert!(matches!(refused("", &text), InspectError::Empty { side: "clean" }));
        assert!(matches!(refused(&text, "nobody"), InspectError::UnknownToken { .. }));
        assert!(matches!(refused(&text, &words[0]), InspectError::Lengths { clean: 4, corrupted: 2 }));
        assert!(matches!(refused(&format!("{text} {text}"), &text), InspectError::TooLong { .. }));
        let (clean, corrupted) = subject.suggestion(3).unwrap().unwrap();
        assert!(Contrast::new(&subject, &clean, &corrupted, Ablation::Interchange).is_ok());
    }
}

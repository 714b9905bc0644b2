//! Compiled Tracr programs as pruning problems: models whose true circuits are known.
//!
//! A program is run on inputs of full length (all of them, or a fixed number drawn without replacement). Under interchange ablation each input gets partners of the same length, drawn from
//! the other inputs. A circuit is *right* when every decoded output of every input is the program's own.
//!
//! **Source.** Lindner et al. 2023 (Tracr); the edge sets are computed by greedy removal (see the data's README).

use thiserror::Error;
use vitrine_core::tensor::{Device, Tensor};

use super::{
    circuit::as_masks,
    evaluate::{circuit_outputs, full_outputs},
    problem::{Problem, PruneError, read},
    rounds::{self, Round, RoundsConfig},
    tasks::{
        Encoded, Scoring, TargetKind,
        encode::NumericScoring,
        tracr::{OutputKind, TracrConfig, TracrError, TracrValue},
    },
};
use vitrine_core::{
    formats::WeightSource,
    lab::Lab,
    model::{
        Activation, Biases, NormKind, Positions, Transformer, TransformerConfig,
        graph::GraphError,
        load::{LoadError, load_tracr},
        stream::{Ablation, Workspace},
    },
    train::rng::Stream,
};

/// Most inputs a problem uses; programs with more are sampled.
pub const MAX_EXAMPLES: usize = 256;
/// Partners of each input under interchange ablation.
const PARTNERS: usize = 4;
/// Inputs run at once when circuits are judged.
const JUDGED_AT_ONCE: usize = 64;
/// Largest difference of a numeric output that still counts as right.
pub const TOLERANCE: f64 = 0.01;

/// Why a program could not be used.
#[derive(Debug, Error)]
pub enum ProgramError {
    #[error(transparent)]
    Tracr(#[from] TracrError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Prune(#[from] PruneError),
    #[error("program {name}: the model's own output cannot be decoded for input {input}")]
    Undecodable { name: String, input: usize },
}

/// A compiled program, loaded.
#[derive(Debug)]
pub struct Program {
    pub config: TracrConfig,
    pub model: Transformer,
}

impl Program {
    /// From `config.json` and the tensors of `model.safetensors`.
    ///
    /// # Errors
    /// [`ProgramError`] for a config or tensors that make no program.
    pub fn load(config: &str, weights: &dyn WeightSource, device: &Device) -> Result<Self, ProgramError> {
        let config = TracrConfig::from_json(config)?;
        let model = load_tracr(transformer_config(&config), weights, device)?;
        Ok(Self { config, model })
    }

    /// The problem of this program: full-length inputs, scored at every position after the first token.
    ///
    /// # Errors
    /// [`ProgramError`] where inputs cannot be listed.
    pub fn problem(&self, ablation: Ablation, numeric: NumericScoring, seed: u64) -> Result<Problem<'_>, ProgramError> {
        let inputs = self.config.full_length_inputs(MAX_EXAMPLES, seed)?;
        let partners = if ablation == Ablation::Interchange { PARTNERS } else { 1 };
        let mut examples = Vec::with_capacity(inputs.len() * partners);
        for (i, clean) in inputs.iter().enumerate() {
            let mut stream = Stream::new(seed, "tracr/partner", i as u64);
            for _ in 0..partners {
                let corrupted = if ablation == Ablation::Interchange { &inputs[stream.below(inputs.len())] } else { clean };
                examples.push(Encoded {
                    clean: clean.clone(),
                    corrupted: corrupted.clone(),
                    positions: (1..clean.len()).collect(),
                    answers: vec![],
                    wrong: vec![],
                    target: TargetKind::Tokens,
                });
            }
        }
        let scoring = match self.config.output_kind {
            OutputKind::Categorical => Scoring::TracrCategorical,
            OutputKind::Numerical => Scoring::TracrNumeric(numeric),
        };
        Ok(Problem::new(&self.model, self.config.graph()?, examples, scoring, ablation)?)
    }

    /// The smallest right circuit of `problem` that pruning in rounds finds, and how the rounds went; saved and resumed under `phase`. `None` where the full program is not
    /// right by its own measure.
    ///
    /// # Errors
    /// As [`rounds::search`] and [`Program::judge`].
    pub fn search(
        &self,
        problem: &Problem,
        config: &RoundsConfig,
        phase: &str,
        lab: &mut dyn Lab,
    ) -> Result<Option<(Vec<bool>, Vec<Round>)>, ProgramError> {
        Ok(rounds::search(problem, config, &mut self.judge(problem)?, phase, lab)?)
    }

    /// Tells right circuits of `problem` from others: every decoded output of every input is the full program's.
    ///
    /// # Errors
    /// [`ProgramError`] where the program's own outputs cannot be decoded, or running fails.
    pub fn judge<'a>(&'a self, problem: &'a Problem<'a>) -> Result<impl FnMut(&[bool]) -> Result<bool, PruneError> + 'a, ProgramError> {
        let mut judged = Vec::new();
        for indices in problem.batches(JUDGED_AT_ONCE) {
            let batch = problem.prepare(&indices)?;
            let (reference, full) = (problem.reference(&batch), problem.full_reads(&batch));
            let expected = self.decoded(problem, full)?;
            let expected: Option<Vec<TracrValue>> = expected.into_iter().collect();
            let expected = expected.ok_or_else(|| ProgramError::Undecodable { name: self.config.name.clone(), input: indices[0] })?;
            judged.push((batch, reference, expected));
        }
        let mut workspace = Workspace::default();
        Ok(move |kept: &[bool]| {
            let masks = as_masks(kept);
            for (batch, reference, expected) in &judged {
                let reads = problem.masked_reads(batch, reference.as_ref(), &masks, &mut workspace)?;
                let right =
                    |(found, expected): (&Option<TracrValue>, &TracrValue)| found.as_ref().is_some_and(|f| f.agrees(expected, TOLERANCE));
                if !self.decoded(problem, reads)?.iter().zip(expected).all(right) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn decoded(&self, problem: &Problem, reads: Tensor<2>) -> Result<Vec<Option<TracrValue>>, PruneError> {
        let outputs = problem.model.unembed(reads);
        let width = outputs.dims()[1];
        Ok(read(outputs)?.chunks_exact(width).map(|row| self.config.decode(row)).collect())
    }

    /// Share of inputs whose every decoded output equals the full program's, under the given masks.
    ///
    /// # Errors
    /// [`ProgramError`] where the program's own outputs cannot be decoded, or running fails.
    pub fn accuracy(&self, problem: &Problem, masks: &[f32]) -> Result<f64, ProgramError> {
        let expected: Vec<Vec<TracrValue>> = full_outputs(problem, 64)?
            .iter()
            .enumerate()
            .map(|(input, rows)| {
                let decoded: Option<Vec<TracrValue>> = rows.iter().map(|row| self.config.decode(row)).collect();
                decoded.ok_or_else(|| ProgramError::Undecodable { name: self.config.name.clone(), input })
            })
            .collect::<Result<_, _>>()?;
        let outputs = circuit_outputs(problem, masks, 64)?;
        let right = outputs
            .iter()
            .zip(&expected)
            .filter(|(rows, expected)| self.config.is_right(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), expected, TOLERANCE))
            .count();
        Ok(right as f64 / outputs.len().max(1) as f64)
    }
}

fn transformer_config(c: &TracrConfig) -> TransformerConfig {
    TransformerConfig {
        n_layers: c.n_layers,
        d_model: c.d_model,
        n_heads: c.n_heads,
        n_kv_heads: c.n_heads,
        d_head: c.key_size,
        d_mlp: c.d_mlp,
        vocab_size: c.vocab_size,
        d_out: c.d_out,
        max_positions: c.max_positions,
        norm: NormKind::None,
        positions: Positions::Learned,
        activation: Activation::Relu,
        causal: c.causal,
        tied: false,
        biases: Biases::ALL,
    }
}

//! A pruning problem: a model, its graph, the examples and what stands in for cut edges.
//!
//! Every method (Edge Pruning, attribution, ACDC, evaluation) asks the same three things of a batch: the reference activations, the full model's outputs, and a masked
//! forward (with or without mask gradients). They are here once.

use thiserror::Error;
use vitrine_core::tensor::Tensor;

use super::{
    objective::{LossAndGradient, OutputHead, ScoredRows, faithfulness},
    tasks::{Encoded, Scoring},
};
use vitrine_core::{
    lab::LabError,
    model::{
        Batch, Graph, Transformer,
        batch::BatchError,
        stream::{Ablation, Capture, EdgeMasked, Plain, Reference, Workspace},
    },
};

/// Why a circuit could not be searched or measured.
#[derive(Debug, Error)]
pub enum PruneError {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("there are no examples")]
    NoExamples,
    #[error("the {what} is not a finite number at step {step}; lower the learning rates, or check the model's weights and the data")]
    NotFinite { what: &'static str, step: u64 },
    #[error("could not read numbers back from the device: {0}")]
    Device(String),
    #[error("{0} masks were given for a graph of {1} edges")]
    MaskCount(usize, usize),
    #[error("these examples name no answer tokens, which this metric needs; use KL instead")]
    NoAnswers,
    #[error("configuration: {0}")]
    Config(String),
    #[error("scoring: {0}")]
    Metric(#[from] super::tasks::metrics::MetricError),
    #[error(
        "about {needed} MiB are needed above the weights, more than the {allowed} MiB allowed; use a smaller batch or allow more memory"
    )]
    Memory { needed: u64, allowed: u64 },
}

/// Reads a tensor back; on the CPU without a copy.
///
/// # Errors
/// [`PruneError::Device`] where the device fails.
pub fn read<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>, PruneError> {
    let data = x.try_into_data().map_err(|e| PruneError::Device(e.to_string()))?;
    data.try_into_vec::<f32>().map_err(|e| PruneError::Device(format!("{e:?}")))
}

/// As [`read`], where the device has to be awaited: a GPU in a page.
///
/// # Errors
/// As [`read`].
pub async fn read_async<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>, PruneError> {
    let data = x.into_data_async().await.map_err(|e| PruneError::Device(e.to_string()))?;
    data.try_into_vec::<f32>().map_err(|e| PruneError::Device(format!("{e:?}")))
}

/// A model, its graph, a task's examples and the ablation.
#[derive(Debug)]
pub struct Problem<'a> {
    pub model: &'a Transformer,
    pub graph: Graph,
    pub examples: Vec<Encoded>,
    pub scoring: Scoring,
    pub ablation: Ablation,
    head: OutputHead,
    mean: Option<Reference>,
}

/// A batch of examples, ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// Indices into [`Problem::examples`].
    pub indices: Vec<usize>,
    pub clean: Batch,
    pub corrupted: Batch,
    pub rows: ScoredRows,
}

/// A batch with what is asked of it again and again: the reference, and the full model's outputs.
pub type Ready = (Prepared, Option<Reference>, Tensor<2>);

impl<'a> Problem<'a> {
    /// Puts a problem together; mean ablation runs the model over all examples once.
    ///
    /// # Errors
    /// [`PruneError::NoExamples`], or whatever the mean's forward finds.
    pub fn new(
        model: &'a Transformer,
        graph: Graph,
        examples: Vec<Encoded>,
        scoring: Scoring,
        ablation: Ablation,
    ) -> Result<Self, PruneError> {
        if examples.is_empty() {
            return Err(PruneError::NoExamples);
        }
        let head = OutputHead::new(model, &scoring);
        let mut problem = Self { model, graph, examples, scoring, ablation, head, mean: None };
        if ablation == Ablation::Mean {
            problem.mean = Some(problem.mean_reference()?);
        }
        Ok(problem)
    }

    /// The same problem with other examples (another split).
    ///
    /// # Errors
    /// [`PruneError::NoExamples`].
    pub fn with_examples(&self, examples: Vec<Encoded>) -> Result<Self, PruneError> {
        if examples.is_empty() {
            return Err(PruneError::NoExamples);
        }
        let Self { model, graph, scoring, ablation, head, mean, .. } = self;
        Ok(Self {
            model,
            graph: graph.clone(),
            examples,
            scoring: scoring.clone(),
            ablation: *ablation,
            head: head.clone(),
            mean: mean.clone(),
        })
    }

    /// Pads and uploads the examples with the given indices.
    ///
    /// # Errors
    /// [`PruneError::Batch`] for sequences that the model cannot take.
    pub fn prepare(&self, indices: &[usize]) -> Result<Prepared, PruneError> {
        let chosen: Vec<&Encoded> = indices.iter().map(|&i| &self.examples[i]).collect();
        let clean = self.model.batch(&chosen.iter().map(|e| &e.clean[..]).collect::<Vec<_>>())?;
        let corrupted = self.model.batch(&chosen.iter().map(|e| &e.corrupted[..]).collect::<Vec<_>>())?;
        let rows = ScoredRows::new(&chosen, clean.seq_len());
        Ok(Prepared { indices: indices.to_vec(), clean, corrupted, rows })
    }

    /// All examples in order, in batches of `size`.
    pub fn batches(&self, size: usize) -> Vec<Vec<usize>> {
        let all: Vec<usize> = (0..self.examples.len()).collect();
        all.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
    }

    /// The examples of a prepared batch.
    pub fn examples_of(&self, batch: &Prepared) -> Vec<&Encoded> {
        batch.indices.iter().map(|&i| &self.examples[i]).collect()
    }

    /// What stands in for cut edges in this batch; `None` under zero ablation.
    pub fn reference(&self, batch: &Prepared) -> Option<Reference> {
        match self.ablation {
            Ablation::Zero => None,
            Ablation::Mean => self.mean.clone(),
            Ablation::Interchange => self.captured(&batch.corrupted),
        }
    }

    fn captured(&self, batch: &Batch) -> Option<Reference> {
        let mut capture = Capture::default();
        self.model.forward(batch, &mut capture);
        capture.into_reference()
    }

    /// The full model's final reads at the scored rows, `[rows, d_model]`.
    pub fn full_reads(&self, batch: &Prepared) -> Tensor<2> {
        batch.rows.select(self.model.forward(&batch.clean, &mut Plain::default()))
    }

    /// Outputs of final reads: all of them, or those the task scores.
    pub fn outputs(&self, reads: Tensor<2>) -> Tensor<2> {
        self.head.logits(reads)
    }

    /// The gradient at final reads from that at the outputs.
    pub fn outputs_pullback(&self, reads: Tensor<2>, d_outputs: Tensor<2>) -> Tensor<2> {
        self.head.pullback(reads, d_outputs)
    }

    /// The masked model's final reads at the scored rows. `masks` are effective (edge times node), in edge order.
    ///
    /// # Errors
    /// [`PruneError::MaskCount`].
    pub fn masked_reads(
        &self,
        batch: &Prepared,
        reference: Option<&Reference>,
        masks: &[f32],
        workspace: &mut Workspace,
    ) -> Result<Tensor<2>, PruneError> {
        let mut stream = EdgeMasked::new(self.model, &self.graph, self.checked(masks)?, reference, &batch.clean, workspace, false);
        let reads = batch.rows.select(self.model.forward(&batch.clean, &mut stream));
        stream.finish(workspace);
        Ok(reads)
    }

    /// Faithfulness loss of masked outputs, and the gradient of the effective masks (edge order); where an edge is not `wanted` it may be anything.
    ///
    /// # Errors
    /// [`PruneError::MaskCount`].
    pub fn loss_and_mask_gradient(
        &self,
        batch: &Prepared,
        reference: Option<&Reference>,
        full_outputs: Tensor<2>,
        masks: &[f32],
        wanted: &[bool],
        workspace: &mut Workspace,
    ) -> Result<(Tensor<1>, Tensor<1>), PruneError> {
        let mut stream = EdgeMasked::new(self.model, &self.graph, self.checked(masks)?, reference, &batch.clean, workspace, true);
        let reads = batch.rows.select(self.model.forward(&batch.clean, &mut stream));
        let LossAndGradient { loss, d_logits } = faithfulness(&self.scoring, &batch.rows, full_outputs, self.outputs(reads.clone()));
        let d_final = batch.rows.scatter(self.outputs_pullback(reads, d_logits), batch.clean.n_tokens());
        let gradient = stream.backward(self.model, &batch.clean, d_final, Some(wanted), None);
        stream.finish(workspace);
        Ok((loss, gradient))
    }

    /// Mean faithfulness loss of `masks` over prepared batches with their references and full outputs.
    ///
    /// # Errors
    /// [`PruneError::MaskCount`], [`PruneError::Device`].
    pub fn loss_over(&self, prepared: &[Ready], masks: &[f32], workspace: &mut Workspace) -> Result<f64, PruneError> {
        let mut total = 0.0;
        for (batch, reference, full) in prepared {
            let reads = self.masked_reads(batch, reference.as_ref(), masks, workspace)?;
            let loss = faithfulness(&self.scoring, &batch.rows, full.clone(), self.outputs(reads)).loss;
            total += f64::from(read(loss)?[0]) * batch.indices.len() as f64;
        }
        Ok(total / self.examples.len() as f64)
    }

    /// All examples prepared once, with references and full outputs: for methods that run the same small set many times.
    ///
    /// # Errors
    /// As [`Problem::prepare`].
    pub fn prepare_all(&self, batch_size: usize) -> Result<Vec<Ready>, PruneError> {
        let prepare = |indices: &Vec<usize>| {
            let batch = self.prepare(indices)?;
            let (reference, full) = (self.reference(&batch), self.outputs(self.full_reads(&batch)));
            Ok((batch, reference, full))
        };
        self.batches(batch_size).iter().map(prepare).collect()
    }

    /// The masks, where there is one an edge.
    fn checked<'m>(&self, masks: &'m [f32]) -> Result<&'m [f32], PruneError> {
        if masks.len() == self.graph.n_edges() { Ok(masks) } else { Err(PruneError::MaskCount(masks.len(), self.graph.n_edges())) }
    }

    /// Mean of every writer's output over all clean tokens of all examples, padding excluded.
    fn mean_reference(&self) -> Result<Reference, PruneError> {
        let mut sum: Option<(Reference, usize)> = None;
        for indices in self.batches(16) {
            let batch = self.prepare(&indices)?;
            let Some(captured) = self.captured(&batch.clean) else { return Err(PruneError::NoExamples) };
            let rows: Vec<usize> = batch
                .clean
                .lengths()
                .iter()
                .enumerate()
                .flat_map(|(s, &len)| (0..len).map(move |p| (s, p)))
                .map(|(s, p)| batch.clean.row(s, p))
                .collect();
            let totals = captured.summed(&rows);
            sum = Some(match sum {
                Some((total, n)) => (total.plus(totals), n + rows.len()),
                None => (totals, rows.len()),
            });
        }
        let (total, n) = sum.ok_or(PruneError::NoExamples)?;
        Ok(total.divided(n as f32))
    }
}

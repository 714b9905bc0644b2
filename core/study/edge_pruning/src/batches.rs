//! The batches of a pruning run: which examples a step sees, run in which parts.
//!
//! A batch is a function of (seed, step): every example once an epoch, in an order drawn for the epoch. On the CPU a batch is run in parts, which bounds memory.

use std::collections::BTreeMap;

use vitrine_core::tensor::{Tensor, TensorData};

use super::{
    problem::{Problem, PruneError, Ready, read},
    prune::PruneConfig,
};
use vitrine_core::{model::cpu::is_host_device, train::rng::Stream};

/// Tokens below which the matrix products of a part would lose speed.
const FEWEST_TOKENS: usize = 64;
/// Most parts of a batch: they bound the memory at 2.5 writer stores of the batch.
const MOST_PARTS: usize = 2;

/// Examples run at a time.
fn part_size(problem: &Problem, config: &PruneConfig, batch: usize) -> usize {
    if config.micro_batch_size > 0 {
        return config.micro_batch_size.min(batch);
    }
    let longest = problem.examples.iter().map(|e| e.clean.len()).max().unwrap_or(1);
    let parts = if is_host_device(&problem.model.device()) { (batch * longest / FEWEST_TOKENS).clamp(1, MOST_PARTS) } else { 1 };
    batch.div_ceil(parts)
}

/// Batches of a run, as a function of the step.
#[derive(Debug)]
pub(super) struct Batches<'a, 'b> {
    problem: &'a Problem<'b>,
    seed: u64,
    size: usize,
    /// Batches are fixed and kept once made; only their order changes from epoch to epoch.
    caching: bool,
    /// Examples of a part of a batch.
    part: usize,
    /// Batches made, in parts, by slot: all of them with caching, else the current one.
    made: BTreeMap<usize, Vec<Ready>>,
    /// What was drawn for the current epoch: order of examples, order of slots.
    epoch: Option<(u64, Vec<usize>, Vec<usize>)>,
    /// Final reads of the full model, by example, once computed: small, and saves one forward a step.
    full_reads: BTreeMap<usize, Vec<f32>>,
}

impl<'a, 'b> Batches<'a, 'b> {
    pub(super) fn new(problem: &'a Problem<'b>, config: &PruneConfig) -> Self {
        let size = config.batch_size.min(problem.examples.len());
        Self {
            problem,
            seed: config.seed,
            size,
            part: part_size(problem, config, size),
            caching: config.cache_references,
            made: BTreeMap::new(),
            epoch: None,
            full_reads: BTreeMap::new(),
        }
    }

    /// The batch of `step`: every example once an epoch, in an order drawn for the epoch.
    pub(super) fn at(&mut self, step: u64) -> Result<&[Ready], PruneError> {
        let n = self.problem.examples.len();
        let slots = n.div_ceil(self.size);
        let (epoch, at) = (step / slots as u64, (step % slots as u64) as usize);
        let shuffled = |n: usize, name: &str, epoch: u64| {
            let mut order: Vec<usize> = (0..n).collect();
            Stream::new(self.seed, name, epoch).shuffle(&mut order);
            order
        };
        let drawn = match self.epoch.take() {
            Some(drawn) if drawn.0 == epoch => drawn,
            _ if self.caching => (epoch, shuffled(n, "order/examples", 0), shuffled(slots, "order/batches", epoch)),
            _ => (epoch, shuffled(n, "order/examples", epoch), (0..slots).collect()),
        };
        let (_, order, slots) = self.epoch.insert(drawn);
        let slot = slots[at];
        let indices: Vec<usize> = order.iter().copied().cycle().skip(slot * self.size).take(self.size).collect();
        if !self.caching {
            self.made.clear();
        }
        if !self.made.contains_key(&slot) {
            let parts = indices.chunks(self.part).map(|part| self.make(part)).collect::<Result<_, _>>()?;
            self.made.insert(slot, parts);
        }
        self.made.get(&slot).map(Vec::as_slice).ok_or(PruneError::NoExamples)
    }

    fn make(&mut self, indices: &[usize]) -> Result<Ready, PruneError> {
        let batch = self.problem.prepare(indices)?;
        let reference = self.problem.reference(&batch);
        let d_model = self.problem.model.config.d_model;
        if indices.iter().any(|i| !self.full_reads.contains_key(i)) {
            let reads = read(self.problem.full_reads(&batch))?;
            let mut at = 0;
            for (&i, &n) in indices.iter().zip(&batch.rows.per_example) {
                self.full_reads.insert(i, reads[at..at + n * d_model].to_vec());
                at += n * d_model;
            }
        }
        let reads: Vec<f32> = indices.iter().filter_map(|i| self.full_reads.get(i)).flatten().copied().collect();
        let rows = batch.rows.rows.len();
        let reads = Tensor::from_data(TensorData::new(reads, [rows, d_model]), &self.problem.model.device());
        let full = self.problem.outputs(reads);
        Ok((batch, reference, full))
    }
}

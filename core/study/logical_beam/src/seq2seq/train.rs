//! Training: cross-entropy of the next piece, copied or said, in all stages.
//!
//! **Method.** Each time an example is drawn one task is drawn with it, and its tables and columns are shuffled. Batches, steps and checkpoints are those of the other model
//! ([`super::super::model::train`]).

use std::collections::BTreeMap;

use super::{
    Weights,
    examples::{Data, Signs, Task},
    file,
    net::{Kept, Memory, Net, NetConfig, init},
    subwords::{END, SubWords},
};
use crate::model::{
    file::between,
    pools::Pools,
    tape::Tape,
    train::{Dropout, TrainConfig, TrainError, descend},
};
use vitrine_core::{
    lab::Lab,
    model::cpu::for_each_task,
    train::{adamw::Moments, rng::Stream},
};

/// Parts of a batch.
const PARTS: usize = 4;
/// Where the shares of the tasks end: templates, fillings, queries, the rest queries behind plans.
const TASKS: [(f64, Task); 4] = [(0.3, Task::Template), (0.6, Task::Fill), (0.9, Task::Query), (1.0, Task::Planned)];

/// Parameters and optimiser between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    pub step: u64,
    pub weights: Weights,
    pub moments: Vec<Moments>,
}

impl TrainState {
    /// Untrained.
    pub fn new(config: &TrainConfig, words: SubWords, databases: Vec<String>) -> Self {
        let net = NetConfig::small(words.len());
        let params = init(&net, config.seed);
        let moments = params.iter().map(|mat| Moments::zeros(mat.data.len())).collect();
        Self { step: 0, weights: Weights { databases, config: net, words, params }, moments }
    }
}

/// An example with its task and the seed of its shuffle.
type Drawn = (usize, Task, Option<Stream>);

fn drawn(config: &TrainConfig, batch: &[(usize, bool)], step: u64) -> Vec<Drawn> {
    let mut coin = Stream::new(config.seed, "task", step);
    let one = |(i, &(example, _)): (usize, &(usize, bool))| {
        let x = coin.uniform();
        let task = TASKS.iter().find(|(end, _)| x < *end).map_or(Task::Query, |(_, task)| *task);
        (example, task, Some(Stream::new(config.seed, "schema order", step * 4096 + i as u64)))
    };
    batch.iter().enumerate().map(one).collect()
}

/// Summed losses, their number, and the gradient.
#[derive(Debug, Clone, Default)]
struct Part {
    loss: f64,
    count: usize,
    gradient: Vec<Vec<f32>>,
}

fn part(weights: &Weights, data: &Data, drawn: &[Drawn], dropout: Dropout, learn: bool) -> Part {
    let (net, signs, mut dropout) = (Net { config: &weights.config }, Signs::new(&weights.words), dropout);
    let (mut read, mut inputs) = (Vec::new(), Vec::new());
    let (mut said, mut targets, mut places, mut spans, mut of_input) = (vec![], vec![], vec![], vec![], vec![]);
    for (example, task, order) in drawn {
        let Some(example) = data.examples.get(*example) else { continue };
        let from = read.len();
        read.extend(signs.input(*task, &example.question, &data.schemas[example.schema], &example.template, order.clone()));
        inputs.push(from..read.len());
        let (output, first) = (example.output(*task), said.len());
        for place in 0..=output.len() {
            said.push(if place == 0 { END } else { output[place - 1] });
            targets.push(output.get(place).copied().unwrap_or(END));
            places.push(place);
            spans.push(first..first + place + 1);
            of_input.push(from..read.len());
        }
    }
    let mut tape = Tape::new(&weights.params);
    if targets.is_empty() {
        return Part { gradient: if learn { tape.backward() } else { vec![] }, ..Part::default() };
    }
    let mut drop = |tape: &mut Tape<'_>, x| dropout.apply(tape, x);
    let memory: Memory = net.read(&mut tape, &read, &inputs, &mut drop);
    let mut past = |_: &mut Tape<'_>, _: usize, kept: Kept| (kept, spans.clone());
    let (words, copies) = net.write(&mut tape, (&said, &places), (&memory, &of_input), &mut past, &mut drop);
    let copied: Vec<&[u32]> = of_input.iter().map(|span| &read[span.clone()]).collect();
    let losses = tape.copy_loss(words, copies, &copied, &targets);
    let gradient = if learn { tape.backward() } else { vec![] };
    Part { loss: losses.iter().map(|&x| f64::from(x)).sum(), count: losses.len(), gradient }
}

/// Trains from `state` on, with checkpoints in `lab`.
///
/// # Errors
/// [`TrainError`] for settings out of range, no examples, losses that are no numbers, a request to stop.
pub fn train(config: &TrainConfig, data: &Data, state: &mut TrainState, phase: &str, lab: &mut dyn Lab) -> Result<(), TrainError> {
    config.check()?;
    if data.examples.is_empty() {
        return Err(TrainError::NoExamples);
    }
    if let Some(bytes) = lab.resume(phase) {
        *state = file::resume(&bytes, state)?;
    }
    let kinds: Vec<_> = data.examples.iter().map(|example| example.kind).collect();
    let pools = Pools::new(&kinds, &config.readings);
    while state.step < config.steps {
        let step = state.step;
        let batch = drawn(config, &pools.batch(config, step), step);
        let mut parts: Vec<Part> = vec![Part::default(); PARTS];
        let tasks: Vec<(&mut Part, &[Drawn])> = parts.iter_mut().zip(batch.chunks(batch.len().div_ceil(PARTS).max(1))).collect();
        let weights = &state.weights;
        for_each_task(tasks, |i, (found, drawn)| {
            let stream = Stream::new(config.seed, "dropout", step * PARTS as u64 + i as u64);
            *found = part(weights, data, drawn, Dropout { stream, rate: config.dropout }, true);
        });
        let (loss, count) = (parts.iter().map(|part| part.loss).sum::<f64>(), parts.iter().map(|part| part.count).sum::<usize>());
        if !loss.is_finite() {
            return Err(TrainError::NotFinite { step });
        }
        let mut gradient: Vec<Vec<f32>> = state.weights.params.iter().map(|mat| vec![0.0; mat.data.len()]).collect();
        for part in &parts {
            for (sum, part) in gradient.iter_mut().zip(&part.gradient) {
                sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x / count.max(1) as f32);
            }
        }
        let [norm, lr] = descend(config, step, (&mut state.weights.params, &mut state.moments), &mut gradient);
        state.step += 1;
        lab.progress(phase, state.step, config.steps);
        if state.step.is_multiple_of(10) || state.step == config.steps {
            let metrics = BTreeMap::from([("loss", loss / count.max(1) as f64), ("gradient norm", norm), ("lr", lr)]);
            lab.metrics(phase, state.step, &metrics);
        }
        if state.step.is_multiple_of(config.checkpoint_every) || lab.stop_requested() {
            let shapes = super::net::shapes(&state.weights.config);
            lab.save_checkpoint(phase, state.step, between(&shapes, state.step, &state.weights.params, &state.moments)?)?;
        }
        vitrine_core::lab::stop_point(lab, state.step)?;
    }
    Ok(())
}

/// Mean loss of a piece over all examples in all tasks, without dropout and in the schemas' own order.
pub fn loss(weights: &Weights, data: &Data) -> f64 {
    let tasks = [Task::Template, Task::Query, Task::Planned, Task::Fill];
    let all: Vec<Drawn> = (0..data.examples.len()).flat_map(|i| tasks.map(|task| (i, task, None))).collect();
    let (mut loss, mut count) = (0.0, 0);
    for some in all.chunks(16) {
        let part = part(weights, data, some, Dropout { stream: Stream::new(0, "none", 0), rate: 0.0 }, false);
        loss += part.loss;
        count += part.count;
    }
    loss / count.max(1) as f64
}

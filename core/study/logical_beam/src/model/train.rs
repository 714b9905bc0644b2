//! Training: cross-entropy of words and fillers in all stages at once.
//!
//! **Method.** Each example gives three texts: its plan and template, its query (with the plan in front half of the time), and its query behind the template, where only fillers and
//! qualifiers are learned. AdamW with warm-up and linear decay, dropout on what the decoder attends to and on what it says. A batch is cut into a fixed number of parts that are computed side by side and
//! summed in order, so threads change nothing. The encoder stays as it is.

use std::{collections::BTreeMap, ops::Range};
use vitrine_core::train::mat::Mat;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Weights,
    boundary::{aliases, allowed_in_fill, filling, slot_rows},
    examples::{Data, Example, Filler},
    file::{self, FileError},
    net::{Filling, Net, NetConfig, Spans, init},
    pools::{Pools, Shares},
    scope::Scope,
    spelling::Fragments,
    tape::{Stretch, Tape, Var},
    words::{BEGIN_FILL, BEGIN_PLANNED, BEGIN_QUERY, BEGIN_TEMPLATE, END, Role, Vocabulary, may_follow},
};
use vitrine_core::{
    lab::{Lab, LabError},
    model::cpu::for_each_task,
    train::{
        adamw::{AdamW, Direction, Moments, clip_norm},
        rng::Stream,
        schedule::linear_with_warm_up,
    },
};

/// Parts of a batch.
const PARTS: usize = 4;

/// How a model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    pub seed: u64,
    pub steps: u64,
    pub batch_size: usize,
    pub lr: f64,
    pub warm_up: u64,
    pub weight_decay: f64,
    pub dropout: f64,
    pub max_norm: f64,
    pub checkpoint_every: u64,
    /// How much of each batch are ambiguous questions, by kind.
    pub readings: Shares,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 2600,
            batch_size: 32,
            lr: 3e-3,
            warm_up: 100,
            weight_decay: 0.01,
            dropout: 0.25,
            max_norm: 2.0,
            checkpoint_every: 250,
            readings: Shares::default(),
        }
    }
}

/// Why training stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    #[error("there are no examples")]
    NoExamples,
    #[error("{0}")]
    Config(&'static str),
    #[error("the loss is no number at step {step}; a smaller learning rate may help")]
    NotFinite { step: u64 },
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] FileError),
    #[error(transparent)]
    Lab(#[from] LabError),
}

impl TrainConfig {
    /// # Errors
    /// A setting out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        let fine = [
            ((1..=1 << 20).contains(&self.steps), "steps has to be 1 to 1048576"),
            ((1..=4096).contains(&self.batch_size), "batch_size has to be 1 to 4096"),
            (self.lr > 0.0 && self.lr <= 1.0, "lr has to be above 0 and at most 1"),
            ((0.0..=1.0).contains(&self.weight_decay), "weight_decay has to be 0 to 1"),
            ((0.0..=0.9).contains(&self.dropout), "dropout has to be 0 to 0.9"),
            (self.max_norm > 0.0, "max_norm has to be above 0"),
            (self.checkpoint_every > 0, "checkpoint_every has to be above 0"),
            (self.readings.is_sound(), "the shares of readings have to be 0 to 1, at most 1 together"),
        ];
        fine.into_iter().find(|(fine, _)| !fine).map_or(Ok(()), |(_, what)| Err(TrainError::Config(what)))
    }
}

/// Parameters and optimiser between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    pub step: u64,
    pub weights: Weights,
    pub moments: Vec<Moments>,
}

impl TrainState {
    /// Untrained, for an encoder of this name with so many numbers a text.
    pub fn new(config: &TrainConfig, (encoder, features): (&str, usize), vocabulary: Vocabulary, fragments: Fragments) -> Self {
        let net = NetConfig::quick(features, vocabulary.len());
        let params = init(&net, config.seed);
        let moments = params.iter().map(|mat| Moments::zeros(mat.data.len())).collect();
        Self {
            step: 0,
            weights: Weights { encoder: encoder.to_owned(), databases: vec![], config: net, vocabulary, fragments, params },
            moments,
        }
    }
}

/// A text to learn.
struct Sequence<'d> {
    example: &'d Example,
    begin: usize,
    /// Word and item before each step; the item's number, none otherwise.
    inputs: Vec<(usize, Option<usize>)>,
    targets: Vec<usize>,
    /// Step and number of the act whose slot is filled there.
    slots: Vec<(usize, usize)>,
    /// Place in the template at each step, in stage 2.
    places: Vec<usize>,
}

/// Number of the item that fills an act.
fn item(filler: Filler) -> Option<usize> {
    if let Filler::Item(item) = filler { Some(item) } else { None }
}

impl<'d> Sequence<'d> {
    fn new(example: &'d Example, begin: usize, vocabulary: &Vocabulary) -> Self {
        let mut new = Self { example, begin, inputs: vec![(begin, None)], targets: vec![], slots: vec![], places: vec![] };
        let mut say = |word: usize, filler: Option<usize>| {
            new.targets.push(word);
            new.inputs.push((word, filler));
        };
        if matches!(begin, BEGIN_TEMPLATE | BEGIN_PLANNED) {
            example.plan.into_iter().for_each(|word| say(word, None));
        }
        if begin == BEGIN_TEMPLATE {
            example.template.iter().for_each(|&word| say(word, None));
        } else {
            example.acts.iter().for_each(|act| say(act.word, item(act.filler)));
            let first = new.targets.len() - example.acts.len();
            let of_slot = |(i, act): (usize, &super::examples::Act)| (act.filler != Filler::None).then_some((first + i, i));
            new.slots = example.acts.iter().enumerate().filter_map(of_slot).collect();
        }
        new.targets.push(END);
        if begin == BEGIN_FILL {
            let mut at = 0;
            for &target in &new.targets {
                new.places.push(at);
                at += usize::from(!matches!(vocabulary.role(target), Role::Qualifier(_)));
            }
        }
        new
    }

    /// Which words may be said at a step.
    fn allowed(&self, step: usize, vocabulary: &Vocabulary, aliases: &[u8]) -> Vec<bool> {
        let mut allowed = vec![false; vocabulary.len()];
        let before = self.inputs[step].0;
        if self.begin == BEGIN_FILL {
            let here = self.example.template.get(self.places[step]).map(|&word| (word, vocabulary.text(word)));
            allowed_in_fill(vocabulary, here, aliases, before, &mut allowed);
        } else {
            (0..allowed.len()).for_each(|word| allowed[word] = may_follow(vocabulary, self.begin, before, word));
        }
        allowed
    }
}

/// What a part of a batch came to: summed losses and counts of words and fillers, and the gradient.
#[derive(Debug, Clone, Default)]
struct Part {
    loss: [f64; 2],
    count: [usize; 2],
    gradient: Vec<Vec<f32>>,
}

/// Scales numbers so that a share of them is dropped.
pub struct Dropout {
    pub stream: Stream,
    pub rate: f64,
}

impl Dropout {
    pub fn apply(&mut self, tape: &mut Tape<'_>, x: Var) -> Var {
        if self.rate == 0.0 {
            return x;
        }
        let kept = (1.0 / (1.0 - self.rate)) as f32;
        let scales = (0..tape.value(x).data.len()).map(|_| if self.stream.uniform() < self.rate { 0.0 } else { kept }).collect();
        tape.scaled(x, scales)
    }
}

/// Losses of examples, in what stages; with a gradient where it is asked for.
fn part(weights: &Weights, data: &Data, examples: &[(usize, bool)], dropout: Dropout, learn: bool) -> Part {
    let Weights { config, vocabulary, params, .. } = weights;
    let mut dropout = dropout;
    let net = Net { config };
    let mut tape = Tape::new(params);
    let examples: Vec<(&Example, bool)> = examples.iter().filter_map(|&(i, planned)| Some((data.examples.get(i)?, planned))).collect();
    if examples.is_empty() {
        return Part { gradient: params.iter().map(|mat| vec![0.0; mat.data.len()]).collect(), ..Part::default() };
    }
    let stacked = |of: &dyn Fn(&Example) -> Mat| {
        let mats: Vec<Mat> = examples.iter().map(|(example, _)| of(example)).collect();
        let rows: Vec<usize> = mats.iter().map(|mat| mat.rows).collect();
        (Mat::of(mats[0].cols, mats.into_iter().flat_map(|mat| mat.data).collect()), rows)
    };
    let (words, word_counts) = stacked(&|e| e.question.word_rows());
    let (items, item_counts) = stacked(&|e| e.question.item_rows(&data.schemas[e.schema]));
    let (words, items) = (tape.given(words), tape.given(items));
    let memory = net.memory(&mut tape, words, items, &mut |tape, x| dropout.apply(tape, x));
    let (mut word_from, mut item_from) = (0, 0);
    let mut rows: Vec<(Sequence<'_>, [Range<usize>; 2], usize)> = Vec::new();
    let mut aheads = Vec::new();
    let mut ahead_rows = 1;
    let none = tape.given(Mat::zeros(1, config.ahead));
    aheads.push(none);
    for ((&(example, planned), n_words), n_items) in examples.iter().zip(word_counts).zip(item_counts) {
        let spans = [word_from..word_from + n_words, item_from..item_from + n_items];
        (word_from, item_from) = (spans[0].end, spans[1].end);
        for begin in [BEGIN_TEMPLATE, if planned { BEGIN_PLANNED } else { BEGIN_QUERY }] {
            rows.push((Sequence::new(example, begin, vocabulary), spans.clone(), 0));
        }
        aheads.push(net.ahead(&mut tape, &example.template));
        rows.push((Sequence::new(example, BEGIN_FILL, vocabulary), spans, ahead_rows));
        ahead_rows += example.template.len();
    }
    let ahead = tape.under(aheads);
    rows.sort_by_key(|(sequence, ..)| std::cmp::Reverse(sequence.targets.len()));
    let all_spans = |n: usize| Spans {
        words: rows[..n].iter().map(|(_, spans, _)| spans[0].clone()).collect(),
        items: rows[..n].iter().map(|(_, spans, _)| spans[1].clone()).collect(),
    };
    let mut state = net.first(&mut tape, memory, &all_spans(rows.len()));
    let (mut outputs, mut places, mut n_outputs) = (Vec::new(), Vec::new(), 0);
    let longest = rows.first().map_or(0, |(sequence, ..)| sequence.targets.len());
    for step in 0..longest {
        let n = rows.iter().take_while(|(sequence, ..)| sequence.targets.len() > step).count();
        let input = |(sequence, spans, _): &(Sequence<'_>, [Range<usize>; 2], usize)| {
            let (word, item) = sequence.inputs[step];
            (word, item.map_or(item_from, |item| spans[1].start + item))
        };
        let (words, fillers) = rows[..n].iter().map(input).unzip();
        let index = |(sequence, _, from): &(Sequence<'_>, [Range<usize>; 2], usize)| match sequence.places.get(step) {
            Some(&place) if place < sequence.example.template.len() => from + place,
            _ => 0,
        };
        let ahead = tape.rows(ahead, rows[..n].iter().map(index).collect());
        for part in [&mut state.h, &mut state.words, &mut state.items] {
            if tape.value(*part).rows > n {
                *part = tape.rows(*part, (0..n).collect());
            }
        }
        let (next, output) = net.step(&mut tape, (words, fillers), ahead, state, memory, &all_spans(n));
        state = next;
        outputs.push(output);
        places.push(n_outputs);
        n_outputs += n;
    }
    let output = tape.under(outputs);
    let output = dropout.apply(&mut tape, output);
    let next = net.next(&mut tape, output);
    let mut found = Part::default();
    let mut allowed = Vec::with_capacity(n_outputs);
    for step in 0..longest {
        for (sequence, ..) in rows.iter().take_while(|(sequence, ..)| sequence.targets.len() > step) {
            let aliases = if sequence.begin == BEGIN_FILL {
                aliases(sequence.example.template.iter().map(|&word| vocabulary.text(word)))
            } else {
                vec![]
            };
            allowed.push((sequence.allowed(step, vocabulary, &aliases), sequence.targets[step]));
        }
    }
    let stretches: Vec<Stretch<'_>> =
        allowed.iter().map(|(allowed, target)| Stretch { len: allowed.len(), allowed: Some(allowed), target: *target }).collect();
    let losses = tape.loss(next, &stretches);
    found.loss[0] = losses.iter().map(|&x| f64::from(x)).sum();
    found.count[0] = losses.len();
    slots(&net, &mut tape, (data, &rows, &places), output, memory, vocabulary, &mut found);
    if learn {
        found.gradient = tape.backward();
    }
    found
}

/// The losses of the fillers.
fn slots<'d>(
    net: &Net<'_>,
    tape: &mut Tape<'d>,
    (data, rows, places): (&'d Data, &[(Sequence<'d>, [Range<usize>; 2], usize)], &[usize]),
    output: Var,
    memory: super::net::Memory,
    vocabulary: &Vocabulary,
    found: &mut Part,
) {
    let mut by_kind: BTreeMap<Filling, (Vec<super::net::SlotRows<'d>>, Vec<(Vec<bool>, usize)>)> = BTreeMap::new();
    for (row, (sequence, spans, _)) in rows.iter().enumerate() {
        let example = sequence.example;
        let schema = &data.schemas[example.schema];
        let (mut scope, mut slots) = (Scope::default(), sequence.slots.iter().peekable());
        for (number, act) in example.acts.iter().enumerate() {
            if let Some(&&(step, _)) = slots.peek().filter(|(_, of)| *of == number) {
                slots.next();
                if let Role::Slot(slot) = vocabulary.role(act.word) {
                    let (kind, is_text) = filling(slot);
                    let first = if kind == Filling::Column { schema.items.tables } else { 0 };
                    let target = match act.filler {
                        Filler::Item(item) => Some(item - first),
                        Filler::Value(value) => Some(value),
                        Filler::None | Filler::Unknown => None,
                    };
                    if let Some(target) = target {
                        let of_row =
                            slot_rows(kind, (schema, &example.question), &scope, places[step] + row, (spans[0].start, spans[1].start));
                        let allowed = match is_text {
                            Some(is_text) => example.question.asked.values.iter().map(|value| value.is_text == is_text).collect(),
                            None => vec![true; of_row.links.candidates],
                        };
                        let entry = by_kind.entry(kind).or_default();
                        entry.0.push(of_row);
                        entry.1.push((allowed, target));
                    }
                }
            }
            scope.read(vocabulary.text(act.word), vocabulary.role(act.word), item(act.filler));
        }
    }
    for (kind, (slots, targets)) in by_kind {
        let scores = net.slots(tape, kind, output, memory, slots);
        let stretches: Vec<Stretch<'_>> =
            targets.iter().map(|(allowed, target)| Stretch { len: allowed.len(), allowed: Some(allowed), target: *target }).collect();
        let losses = tape.loss(scores, &stretches);
        found.loss[1] += losses.iter().map(|&x| f64::from(x)).sum::<f64>();
        found.count[1] += losses.len();
    }
}

/// A step against a gradient, which is clipped; its norm before, and the learning rate.
pub fn descend(config: &TrainConfig, step: u64, (params, moments): (&mut [Mat], &mut [Moments]), gradient: &mut [Vec<f32>]) -> [f64; 2] {
    let adam = AdamW { weight_decay: config.weight_decay, ..AdamW::default() };
    let norm = clip_norm(&mut gradient.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>(), config.max_norm);
    let lr = config.lr * linear_with_warm_up(step + 1, config.warm_up, config.steps + 1);
    for ((param, gradient), moments) in params.iter_mut().zip(gradient).zip(moments) {
        adam.step(&mut param.data, gradient, moments, step + 1, lr, Direction::Descend);
    }
    [norm, lr]
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
        let batch = pools.batch(config, step);
        let mut parts: Vec<Part> = vec![Part::default(); PARTS];
        let tasks: Vec<(&mut Part, &[(usize, bool)])> = parts.iter_mut().zip(batch.chunks(batch.len().div_ceil(PARTS).max(1))).collect();
        let weights = &state.weights;
        for_each_task(tasks, |i, (found, examples)| {
            let stream = Stream::new(config.seed, "dropout", step * PARTS as u64 + i as u64);
            *found = part(weights, data, examples, Dropout { stream, rate: config.dropout }, true);
        });
        let (mut loss, mut count) = ([0.0; 2], [0; 2]);
        let mut gradient: Vec<Vec<f32>> = state.weights.params.iter().map(|mat| vec![0.0; mat.data.len()]).collect();
        for part in &parts {
            for i in 0..2 {
                loss[i] += part.loss[i];
                count[i] += part.count[i];
            }
            for (sum, part) in gradient.iter_mut().zip(&part.gradient) {
                sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x / batch.len() as f32);
            }
        }
        if !loss.iter().all(|x| x.is_finite()) {
            return Err(TrainError::NotFinite { step });
        }
        let [norm, lr] = descend(config, step, (&mut state.weights.params, &mut state.moments), &mut gradient);
        state.step += 1;
        lab.progress(phase, state.step, config.steps);
        if state.step.is_multiple_of(10) || state.step == config.steps {
            let mean = |i: usize| loss[i] / count[i].max(1) as f64;
            lab.metrics(
                phase,
                state.step,
                &BTreeMap::from([("word loss", mean(0)), ("filler loss", mean(1)), ("gradient norm", norm), ("lr", lr)]),
            );
        }
        if state.step.is_multiple_of(config.checkpoint_every) || lab.stop_requested() {
            lab.save_checkpoint(phase, state.step, file::checkpoint(state)?)?;
        }
        vitrine_core::lab::stop_point(lab, state.step)?;
    }
    Ok(())
}

/// Mean losses of words and fillers over all examples, without dropout.
pub fn losses(weights: &Weights, data: &Data) -> [f64; 2] {
    let all: Vec<(usize, bool)> = (0..data.examples.len()).map(|i| (i, i % 2 == 0)).collect();
    let (mut loss, mut count) = ([0.0; 2], [0; 2]);
    for some in all.chunks(16) {
        let part = part(weights, data, some, Dropout { stream: Stream::new(0, "none", 0), rate: 0.0 }, false);
        for i in 0..2 {
            loss[i] += part.loss[i];
            count[i] += part.count[i];
        }
    }
    [0, 1].map(|i| loss[i] / count[i].max(1) as f64)
}

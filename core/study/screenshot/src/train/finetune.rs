//! Fine-tuning: both decoders go, a head on the encoder says which class a text, or a pair of texts, belongs to, or comes near to a number.
//!
//! **Head.** The mean over attended positions (or CLS), dropout, a dense layer, tanh, dropout, a linear layer; cross-entropy, or the squared error of standardised numbers. Nothing is hidden. A run
//! whose training loss is still that of guessing after half of the steps is begun again with another seed, and says so: small sets sometimes stick (PIXEL's authors and the paper's mention it too). With `evaluate_every`
//! the numbers of the best measurement on the dev set are kept, and a run ends after `patience` measurements without a better one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    encoder::{Encoder, Labelled},
    learner::Learner,
    metrics::Metric,
    tsv::Goal,
};
use crate::{
    ScreenshotError,
    model::{
        Params, Place, Precision,
        calls::{Calls, Term, Terms, Var, Writing, part_size},
        params::{Begin, Spec},
        place::Placed,
    },
};
use vitrine_core::{
    lab::{Lab, LabError},
    train::{rng::Stream, schedule::linear_with_warm_up},
};

/// Steps between logged losses.
const LOG_EVERY: u64 = 10;
/// A loss above this share of guessing's is guessing.
const AT_CHANCE: f64 = 0.97;

/// What the head looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    Cls,
    Mean,
}

/// How an encoder is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneConfig {
    pub steps: u64,
    pub batch_size: usize,
    pub lr: f64,
    /// Share of the steps.
    pub warm_up: f64,
    pub weight_decay: f64,
    pub dropout: f64,
    pub pool: Pool,
    /// What matrix products are computed in.
    pub precision: Precision,
    pub seed: u64,
    /// New beginnings of a run that sticks at chance.
    pub restarts: u64,
    /// Steps between measurements on the dev set; 0 for none but at the end.
    pub evaluate_every: u64,
    /// Measurements without a better one after which a run ends.
    pub patience: u64,
}

impl Default for FinetuneConfig {
    fn default() -> Self {
        Self {
            steps: 250,
            batch_size: 64,
            lr: 5e-4,
            warm_up: 0.1,
            weight_decay: 0.01,
            dropout: 0.1,
            pool: Pool::Mean,
            precision: Precision::F32,
            seed: 0,
            restarts: 2,
            evaluate_every: 0,
            patience: 3,
        }
    }
}

impl FinetuneConfig {
    /// # Errors
    /// The first setting that cannot be trained with.
    pub fn check(&self) -> Result<(), ScreenshotError> {
        let fine = self.steps > 0
            && (1..=1 << 16).contains(&self.batch_size)
            && self.lr > 0.0
            && self.lr.is_finite()
            && (0.0..1.0).contains(&self.dropout)
            && (0.0..=1.0).contains(&self.warm_up);
        if fine {
            Ok(())
        } else {
            Err(ScreenshotError::BadConfig("steps, batch_size and lr have to be positive, dropout and warm_up 0 to 1".to_owned()))
        }
    }
}

/// What a task is: its labels, and how good answers are measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub goal: Goal,
    pub metric: Metric,
}

impl Task {
    /// Accuracy of classes, correlation of ranks of numbers.
    #[must_use]
    pub fn of(goal: Goal) -> Self {
        let metric = if goal == Goal::Number { Metric::Spearman } else { Metric::Accuracy };
        Self { goal, metric }
    }
}

/// An encoder with a head.
#[derive(Debug, Clone)]
pub struct Tuned<'e, E> {
    encoder: &'e E,
    pub params: Params,
    pool: Pool,
    head_from: usize,
    goal: Goal,
    /// Mean and deviation of the training set's numbers.
    scale: [f64; 2],
}

/// What a fine-tuning came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub dev: f64,
    pub test: f64,
    /// Mean training loss of the last tenth of the steps.
    pub last_loss: f64,
    /// Steps whose numbers were kept.
    pub steps: u64,
    /// New beginnings that were needed.
    pub restarts: u64,
    /// Whether the loss stayed at that of guessing all the same.
    pub stuck: bool,
    /// The answer to each row of the test set: for paired comparisons.
    pub answers: Vec<f64>,
}

impl<'e, E: Encoder> Tuned<'e, E> {
    /// A fresh head on the encoder of `given`, or on a fresh encoder where it has none of that name and shape.
    #[must_use]
    pub fn new(encoder: &'e E, given: Option<&Params>, goal: &Goal, pool: Pool, seed: u64) -> Self {
        let mut specs = encoder.specs();
        let (head_from, width) = (specs.len(), encoder.width());
        for (name, cols) in [("head.dense", width), ("head.out", goal.outputs())] {
            specs.push(Spec { name: format!("{name}.weight"), rows: width, cols, begin: Begin::Normal(0.02) });
            specs.push(Spec { name: format!("{name}.bias"), rows: 1, cols, begin: Begin::Constant(0.0) });
        }
        let mut params = Params::new(specs, seed);
        if let Some(given) = given {
            params.take_over(given);
        }
        Self { encoder, params, pool, head_from, goal: goal.clone(), scale: [0.0, 1.0] }
    }

    /// What the head puts out, `[inputs, outputs]`; `drops` are the factors of dropout before each of its layers.
    fn outputs(&self, tape: &mut impl Calls, inputs: &[&E::Input], drops: [Option<Vec<f32>>; 2]) -> Var {
        let (out, spans) = self.encoder.read(tape, inputs);
        let mut x = match self.pool {
            Pool::Cls => tape.rows(out, spans.iter().map(|span| span.start).collect()),
            Pool::Mean => tape.means(out, spans),
        };
        let [before_dense, before_last] = drops;
        let [dense, dense_bias, last, last_bias] = std::array::from_fn(|number| tape.param(self.head_from + number));
        if let Some(by) = before_dense {
            x = tape.scaled(x, by);
        }
        x = tape.linear(x, dense, Some(dense_bias));
        x = tape.tanh(x);
        if let Some(by) = before_last {
            x = tape.scaled(x, by);
        }
        tape.linear(x, last, Some(last_bias))
    }

    /// The most likely class of each input, or its number.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`] where a device fails.
    pub fn answers(&self, inputs: &[&E::Input], place: &Place) -> Result<Vec<f64>, ScreenshotError> {
        self.answers_of(&place.put(&self.params.mats), inputs)
    }

    /// As [`Self::answers`], with these numbers.
    fn answers_of(&self, placed: &Placed<'_>, inputs: &[&E::Input]) -> Result<Vec<f64>, ScreenshotError> {
        let mut found = Vec::with_capacity(inputs.len());
        for part in inputs.chunks(64) {
            found.extend(placed.run(Answer { tuned: self, inputs: part })?);
        }
        Ok(found)
    }

    /// What some of a batch's rows, `whole` in all, add to its loss: nats, or squared deviations.
    fn loss(&self, tape: &mut impl Calls, outputs: Var, labels: &[f64], whole: usize) -> Term {
        let weight = 1.0 / whole.max(1) as f32;
        match self.goal {
            Goal::Classes(_) => {
                let labels: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
                Term::sum(tape.cross_entropy(outputs, &labels, &vec![weight; labels.len()]))
            }
            Goal::Number => {
                let [mean, deviation] = self.scale;
                let targets: Vec<f32> = labels.iter().map(|label| ((label - mean) / deviation) as f32).collect();
                Term { each: [weight, 1.0], ..Term::sum(tape.squared_error(outputs, &targets, weight)) }
            }
        }
    }
}

/// What the head says of some inputs.
struct Answer<'a, 'e, E: Encoder> {
    tuned: &'a Tuned<'e, E>,
    inputs: &'a [&'a E::Input],
}

impl<E: Encoder> Writing for Answer<'_, '_, E> {
    type Out = Result<Vec<f64>, ScreenshotError>;

    fn on<C: Calls>(self, calls: &mut C) -> Self::Out {
        let outputs = self.tuned.outputs(calls, self.inputs, [None, None]);
        let mat = calls.read(outputs)?;
        let best = |row: &[f32]| {
            row.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &x)| if x > best.1 { (i, x) } else { best }).0 as f64
        };
        let [mean, deviation] = self.tuned.scale;
        let answer = |row: &[f32]| match self.tuned.goal {
            Goal::Classes(_) => best(row),
            Goal::Number => mean + deviation * f64::from(row[0]),
        };
        Ok(mat.data.chunks_exact(mat.cols.max(1)).map(answer).collect())
    }
}

/// A part of a batch.
pub(super) struct Tuning<'a, 'e, E: Encoder> {
    tuned: &'a Tuned<'e, E>,
    inputs: Vec<&'a E::Input>,
    wanted: Vec<f64>,
    /// Rows of the whole batch, over which the loss is a mean.
    whole: usize,
    /// Factors of dropout at its two places, `[inputs, width]`; none where nothing is dropped.
    drops: [Option<Vec<f32>>; 2],
}

impl<'a, 'e, E: Encoder> Tuning<'a, 'e, E> {
    /// The rows of these numbers, in at most so many parts; what is dropped does not depend on how many.
    pub(super) fn parts(
        tuned: &'a Tuned<'e, E>,
        rows: &[&'a Labelled<E::Input>],
        dropout: f64,
        mut random: Stream,
        parts: usize,
    ) -> Vec<Self> {
        let (whole, width, keep) = (rows.len(), tuned.encoder.width(), 1.0 - dropout);
        let mut factors =
            || -> Vec<f32> { (0..whole * width).map(|_| if random.uniform() < keep { (1.0 / keep) as f32 } else { 0.0 }).collect() };
        let drops = (dropout > 0.0).then(|| [factors(), factors()]);
        let size = part_size(whole, parts);
        let part = |(number, rows): (usize, &[&'a Labelled<E::Input>])| {
            let from = number * size * width;
            let own = |place: usize| drops.as_ref().map(|drops| drops[place][from..from + rows.len() * width].to_vec());
            Self {
                tuned,
                inputs: rows.iter().map(|row| &row.input).collect(),
                wanted: rows.iter().map(|row| row.label).collect(),
                whole,
                drops: [own(0), own(1)],
            }
        };
        rows.chunks(size).enumerate().map(part).collect()
    }
}

impl<E: Encoder> Writing for Tuning<'_, '_, E> {
    type Out = Terms;

    fn on<C: Calls>(self, calls: &mut C) -> Terms {
        let outputs = self.tuned.outputs(calls, &self.inputs, self.drops);
        [Some(self.tuned.loss(calls, outputs, &self.wanted, self.whole)), None]
    }
}

/// Labels of a set.
#[must_use]
pub fn labels<I>(rows: &[Labelled<I>]) -> Vec<f64> {
    rows.iter().map(|row| row.label).collect()
}

fn inputs<I>(rows: &[Labelled<I>]) -> Vec<&I> {
    rows.iter().map(|row| &row.input).collect()
}

/// Fine-tunes an encoder on `sets` (train, dev, test) at a place.
///
/// # Errors
/// [`ScreenshotError::NoData`] for an empty set or fewer than two classes, [`ScreenshotError::NotANumber`], a precision that the place does not have, and the lab's.
#[expect(clippy::too_many_arguments, reason = "what a fine-tuning is made of")]
pub fn finetune<'e, E: Encoder>(
    config: &FinetuneConfig,
    encoder: &'e E,
    given: Option<&Params>,
    task: &Task,
    [train, dev, test]: [&[Labelled<E::Input>]; 3],
    place: &Place,
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<(Tuned<'e, E>, Outcome), ScreenshotError> {
    config.check()?;
    let place = &place.with(config.precision)?;
    let classes = task.goal.outputs();
    if (task.goal != Goal::Number && !(2..=1000).contains(&classes)) || [train, dev, test].iter().any(|set| set.is_empty()) {
        return Err(ScreenshotError::NoData { what: "a labelled set".to_owned(), least: "two classes in training and a row to test on" });
    }
    let n = train.len() as f64;
    let mean = labels(train).iter().sum::<f64>() / n;
    let variance = labels(train).iter().map(|label| (label - mean).powi(2)).sum::<f64>() / n;
    let scale = [mean, variance.sqrt().max(1e-6)];
    let guess = if task.goal == Goal::Number { 1.0 } else { (classes as f64).ln() };
    let mut attempt = 0_u64;
    loop {
        let seed = config.seed.wrapping_add(attempt.wrapping_mul(1000));
        let mut tuned = Tuned { scale, ..Tuned::new(encoder, given, &task.goal, config.pool, seed) };
        let at_chance = |loss: f64| loss > AT_CHANCE * guess;
        let again = attempt < config.restarts;
        let Some((last_loss, steps)) =
            train_once(config, seed, &mut tuned, task.metric, [train, dev], |loss| again && at_chance(loss), place, lab, phase)?
        else {
            attempt += 1;
            continue;
        };
        let stuck = at_chance(last_loss);
        let answers = tuned.answers(&inputs(test), place)?;
        let measure = |answers: &[f64], set| task.metric.of(answers, &labels(set));
        let dev = measure(&tuned.answers(&inputs(dev), place)?, dev);
        let outcome = Outcome { dev, test: measure(&answers, test), last_loss, steps, restarts: attempt, stuck, answers };
        return Ok((tuned, outcome));
    }
}

/// One run from its seed: the mean loss of its last tenth, and the step whose numbers were kept. None where `give_up` says so of that mean: at half of the steps, over those done, and at the end.
#[expect(clippy::too_many_arguments, reason = "what a fine-tuning is made of")]
fn train_once<E: Encoder>(
    config: &FinetuneConfig,
    seed: u64,
    tuned: &mut Tuned<'_, E>,
    metric: Metric,
    [train, dev]: [&[Labelled<E::Input>]; 2],
    give_up: impl Fn(f64) -> bool,
    place: &Place,
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<Option<(f64, u64)>, ScreenshotError> {
    let mut learner = Learner::new(tuned.params.clone(), place);
    let mut order: Vec<usize> = vec![];
    let (mut epoch, mut tail) = (0, vec![]);
    // The best measurement, its step and numbers, and how many came since.
    let (mut best, mut since) = (None::<(f64, u64, Params)>, 0);
    let warm_up = (config.warm_up * config.steps as f64) as u64;
    while learner.step() < config.steps {
        let number = learner.step();
        if lab.stop_requested() {
            return Err(LabError::Stopped { step: number }.into());
        }
        if order.len() < config.batch_size {
            let mut next: Vec<usize> = (0..train.len()).collect();
            Stream::new(seed, "order", epoch).shuffle(&mut next);
            order.extend(next);
            epoch += 1;
        }
        let rows: Vec<&Labelled<E::Input>> = order.drain(..config.batch_size.min(order.len())).map(|row| &train[row]).collect();
        let batch = Tuning::parts(tuned, &rows, config.dropout, Stream::new(seed, "dropout", number), learner.parts());
        let lr = config.lr * linear_with_warm_up(number + 1, warm_up, config.steps + 1);
        learner.learn(batch, phase, lr, config.weight_decay)?;
        let step = learner.step();
        let measured = config.evaluate_every > 0 && (step.is_multiple_of(config.evaluate_every) || step == config.steps);
        let half = step == config.steps.div_ceil(2);
        if step.is_multiple_of(LOG_EVERY) || step == config.steps || measured || half {
            tail.extend(learner.losses(phase)?.into_iter().map(|[loss, _]| loss));
        }
        if step.is_multiple_of(LOG_EVERY)
            && let Some(&loss) = tail.last()
        {
            lab.metrics(phase, step, &BTreeMap::from([("loss", loss), ("lr", lr)]));
        }
        lab.progress(phase, step, config.steps);
        if half && give_up(last_tenth(&tail)) {
            return Ok(None);
        }
        if measured {
            let measured = metric.of(&tuned.answers_of(&learner.placed(), &inputs(dev))?, &labels(dev));
            lab.metrics(phase, step, &BTreeMap::from([("dev", measured)]));
            if best.as_ref().is_none_or(|(best, ..)| measured > *best) {
                (best, since) = (Some((measured, step, learner.params()?)), 0);
            } else {
                since += 1;
                if since >= config.patience.max(1) {
                    break;
                }
            }
        }
    }
    let last_loss = last_tenth(&tail);
    if give_up(last_loss) {
        return Ok(None);
    }
    let steps;
    (tuned.params, steps) = if let Some((_, step, params)) = best {
        (params, step)
    } else {
        let step = learner.step();
        (learner.end()?.0, step)
    };
    Ok(Some((last_loss, steps)))
}

/// The mean of the last tenth of some losses.
fn last_tenth(losses: &[f64]) -> f64 {
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    last.iter().sum::<f64>() / last.len().max(1) as f64
}

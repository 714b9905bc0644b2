//! Fine-tuning: both decoders go, a head on the encoder says which class a text, or a pair of texts, belongs to.
//!
//! **Head.** The mean over attended positions (or CLS), dropout, a dense layer, tanh, dropout, a linear layer; cross-entropy. Nothing is hidden. A run whose training loss stays at that of guessing
//! is begun again with another seed, and says so: small sets sometimes stick (PIXEL's authors and the paper's mention it too).

use crate::train::mat::Mat;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{examples::picture, state::State};
use crate::{
    lab::{Lab, LabError},
    study::screenshot::{
        ScreenshotError,
        model::{
            ModelConfig, Params,
            params::{Begin, Spec, encoder_specs},
            ptp::{Picture, Ptp},
            tape::{Tape, Var},
        },
        render::{Renderer, Scratch, Screenshot},
    },
    train::{rng::Stream, schedule::linear_with_warm_up},
};

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
    pub seed: u64,
    /// New beginnings of a run that sticks at chance.
    pub restarts: u64,
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
            seed: 0,
            restarts: 2,
        }
    }
}

/// A labelled text, as what the encoder gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    pub picture: Picture,
    pub label: u32,
}

/// One row of a table of labelled texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub text: String,
    /// The second text of a pair.
    pub second: Option<String>,
    pub label: u32,
}

/// Draws rows as the encoder was taught to see, pairs with black patches between.
///
/// # Errors
/// What the renderer refuses.
pub fn draw(renderer: &Renderer, rows: &[Row]) -> Result<Vec<Labelled>, ScreenshotError> {
    let (mut scratch, mut shot) = (Scratch::default(), Screenshot::default());
    let mut one = |row: &Row| {
        match &row.second {
            Some(second) => renderer.render_pair(row.text.as_bytes(), second.as_bytes(), &mut scratch, &mut shot)?,
            None => renderer.render_into(row.text.as_bytes(), &mut scratch, &mut shot)?,
        }
        Ok(Labelled { picture: picture(&shot), label: row.label })
    };
    rows.iter().map(&mut one).collect()
}

/// An encoder with a head.
#[derive(Debug, Clone)]
pub struct Classifier {
    ptp: Ptp,
    pub params: Params,
    pool: Pool,
    head_from: usize,
}

/// What a fine-tuning came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub dev: f64,
    pub test: f64,
    /// Mean training loss of the last tenth of the steps.
    pub last_loss: f64,
    /// New beginnings that were needed.
    pub restarts: u64,
    /// Whether the loss stayed at that of guessing all the same.
    pub stuck: bool,
    /// Right or wrong on each row of the test set: for paired comparisons.
    pub right: Vec<bool>,
}

impl Classifier {
    /// A fresh head on the encoder of `given`, or on a fresh encoder where it has none of that name and shape.
    #[must_use]
    pub fn new(config: &ModelConfig, given: Option<&Params>, classes: usize, pool: Pool, seed: u64) -> Self {
        let mut specs = encoder_specs(config);
        let (head_from, width) = (specs.len(), config.encoder.width);
        for (name, cols) in [("head.dense", width), ("head.out", classes)] {
            specs.push(Spec { name: format!("{name}.weight"), rows: width, cols, begin: Begin::Normal(0.02) });
            specs.push(Spec { name: format!("{name}.bias"), rows: 1, cols, begin: Begin::Constant(0.0) });
        }
        let mut params = Params::new(specs, seed);
        if let Some(given) = given {
            params.take_over(given);
        }
        Self { ptp: Ptp::new(config.clone()), params, pool, head_from }
    }

    /// Logits, `[pictures, classes]`; `drop` gives the factors of dropout.
    fn logits(&self, tape: &mut Tape<'_>, pictures: &[Picture], mut drop: impl FnMut(usize) -> Option<Vec<f32>>) -> Var {
        let read = self.ptp.encode(tape, pictures);
        let mut x = match self.pool {
            Pool::Cls => tape.rows(read.out, read.spans.iter().map(|span| span.start).collect()),
            Pool::Mean => tape.means(read.out, read.spans),
        };
        let size = pictures.len() * self.ptp.config.encoder.width;
        let param = |tape: &Tape<'_>, number: usize| tape.param(self.head_from + number);
        if let Some(by) = drop(size) {
            x = tape.scaled(x, by);
        }
        let (w, b) = (param(tape, 0), param(tape, 1));
        x = tape.linear(x, w, Some(b));
        x = tape.tanh(x);
        if let Some(by) = drop(size) {
            x = tape.scaled(x, by);
        }
        let (w, b) = (param(tape, 2), param(tape, 3));
        tape.linear(x, w, Some(b))
    }

    /// The most likely class of each picture.
    #[must_use]
    pub fn classify(&self, pictures: &[Picture]) -> Vec<u32> {
        let mut found = Vec::with_capacity(pictures.len());
        for part in pictures.chunks(64) {
            let mut tape = Tape::new(&self.params.mats);
            let logits = self.logits(&mut tape, part, |_| None);
            let mat: &Mat = tape.value(logits);
            let best = |row: &[f32]| {
                row.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &x)| if x > best.1 { (i as u32, x) } else { best }).0
            };
            found.extend(mat.data.chunks_exact(mat.cols.max(1)).map(best));
        }
        found
    }

    fn right(&self, rows: &[Labelled]) -> Vec<bool> {
        let pictures: Vec<Picture> = rows.iter().map(|row| row.picture.clone()).collect();
        self.classify(&pictures).into_iter().zip(rows).map(|(found, row)| found == row.label).collect()
    }
}

/// Share of `true`.
#[must_use]
pub fn share(right: &[bool]) -> f64 {
    right.iter().filter(|&&right| right).count() as f64 / right.len().max(1) as f64
}

/// Fine-tunes an encoder on `sets` (train, dev, test).
///
/// # Errors
/// [`ScreenshotError::NoData`] for an empty set or fewer than two classes, [`ScreenshotError::NotANumber`], and the lab's.
pub fn finetune(
    config: &FinetuneConfig,
    model: &ModelConfig,
    given: Option<&Params>,
    [train, dev, test]: [&[Labelled]; 3],
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<(Classifier, Outcome), ScreenshotError> {
    let classes = train.iter().map(|row| row.label as usize + 1).max().unwrap_or(0);
    if !(2..=1000).contains(&classes) || dev.is_empty() || test.is_empty() {
        return Err(ScreenshotError::NoData { what: "a labelled set".to_owned(), least: "two classes in training and a row to test on" });
    }
    if let Some(unknown) = dev.iter().chain(test).find(|row| row.label as usize >= classes) {
        return Err(ScreenshotError::BadConfig(format!("the label {} is not among those of the training rows", unknown.label)));
    }
    if config.steps == 0 || config.batch_size == 0 || !(config.lr > 0.0 && config.lr.is_finite()) || !(0.0..1.0).contains(&config.dropout) {
        return Err(ScreenshotError::BadConfig("steps, batch_size and lr have to be positive, dropout 0 to 1".to_owned()));
    }
    let guess = (classes as f64).ln();
    let mut attempt = 0_u64;
    loop {
        let seed = config.seed.wrapping_add(attempt.wrapping_mul(1000));
        let mut classifier = Classifier::new(model, given, classes, config.pool, seed);
        let last_loss = train_once(config, seed, &mut classifier, train, lab, phase)?;
        let stuck = last_loss > 0.97 * guess;
        if stuck && attempt < config.restarts {
            attempt += 1;
            continue;
        }
        let right = classifier.right(test);
        let outcome = Outcome { dev: share(&classifier.right(dev)), test: share(&right), last_loss, restarts: attempt, stuck, right };
        return Ok((classifier, outcome));
    }
}

/// One run from its seed; the mean loss of its last tenth.
fn train_once(
    config: &FinetuneConfig,
    seed: u64,
    classifier: &mut Classifier,
    train: &[Labelled],
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<f64, ScreenshotError> {
    let mut state = State::new(classifier.params.clone());
    let mut order: Vec<usize> = vec![];
    let (mut epoch, mut tail) = (0, vec![]);
    let warm_up = (config.warm_up * config.steps as f64) as u64;
    while state.step < config.steps {
        if lab.stop_requested() {
            return Err(LabError::Stopped { step: state.step }.into());
        }
        if order.len() < config.batch_size {
            let mut next: Vec<usize> = (0..train.len()).collect();
            Stream::new(seed, "order", epoch).shuffle(&mut next);
            order.extend(next);
            epoch += 1;
        }
        let rows: Vec<usize> = order.drain(..config.batch_size.min(order.len())).collect();
        let pictures: Vec<Picture> = rows.iter().map(|&row| train[row].picture.clone()).collect();
        let labels: Vec<u32> = rows.iter().map(|&row| train[row].label).collect();
        let weight = 1.0 / rows.len() as f32;
        let mut random = Stream::new(seed, "dropout", state.step);
        let keep = 1.0 - config.dropout;
        let mut drop = |size: usize| {
            (config.dropout > 0.0).then(|| (0..size).map(|_| if random.uniform() < keep { (1.0 / keep) as f32 } else { 0.0 }).collect())
        };
        let mut tape = Tape::new(&state.params.mats);
        let logits = classifier.logits(&mut tape, &pictures, &mut drop);
        let loss: f64 = tape.cross_entropy(logits, &labels, &vec![weight; rows.len()]).iter().map(|&x| f64::from(x)).sum();
        if !loss.is_finite() {
            return Err(ScreenshotError::NotANumber { phase: phase.to_owned(), step: state.step });
        }
        let gradients = tape.backward();
        let lr = config.lr * linear_with_warm_up(state.step + 1, warm_up, config.steps + 1);
        state.learn(gradients, lr, config.weight_decay, 1.0);
        if state.step * 10 > config.steps * 9 || state.step == config.steps {
            tail.push(loss);
        }
        if state.step.is_multiple_of(10) {
            lab.metrics(phase, state.step, &BTreeMap::from([("loss", loss), ("lr", lr)]));
        }
        lab.progress(phase, state.step, config.steps);
    }
    classifier.params = state.params;
    Ok(tail.iter().sum::<f64>() / tail.len().max(1) as f64)
}

//! Training an autoregressive model, and its perplexity after each kind of context.
//!
//! **Recipe.** AdamW, clipping at 1, warm-up and half a cosine. Most lines come after their picture, some after nothing and some after the same words as tokens, so that the model has met every
//! context that it is measured on. **Curriculum** (ours, as in pre-training): contexts begin short, and batches accordingly larger; they grow from `growing_from` to `growing_to` of the steps.

use serde::{Deserialize, Serialize};

use super::{
    facts::{LINES, facts},
    passage::{Passage, Source},
};
use crate::{
    ScreenshotError,
    bpe::Bpe,
    model::{
        Params, Place, Precision,
        ar::{Ar, ArConfig, ArLaid, ArLosses, Context, Line},
        calls::{Calls, Terms, Writing},
    },
    render::{RenderConfig, Renderer, Scratch, config::Newline},
    train::steps::{Lesson, Plan, run},
};
use vitrine_core::{
    lab::Lab,
    train::{rng::Stream, schedule::cosine_with_warm_up},
};

/// The shortest contexts, as a share of whole ones.
const SHORTEST: f64 = 1.0 / LINES as f64;

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArTraining {
    /// Its patches follow from the picture, its vocabulary from the tokens.
    pub model: ArConfig,
    pub render: RenderConfig,
    pub steps: u64,
    pub batch_size: usize,
    pub lr: f64,
    pub lr_floor: f64,
    /// Share of the steps.
    pub warm_up: f64,
    pub weight_decay: f64,
    /// What matrix products are computed in.
    pub precision: Precision,
    /// Shares of lines after nothing and after words; the rest comes after pictures.
    pub nothing: f64,
    pub words: f64,
    /// Shares of the steps at which contexts begin to grow and have their full length.
    pub growing_from: f64,
    pub growing_to: f64,
    /// Bytes of a context and of the text after it, where they come from stretches of text.
    pub drawn: usize,
    pub text: usize,
    pub vocab: usize,
    pub seed: u64,
    pub log_every: u64,
    pub checkpoint_every: u64,
}

impl Default for ArTraining {
    /// Pages of facts, two cores, minutes.
    fn default() -> Self {
        Self {
            model: ArConfig::default(),
            // Facts have at most 24 letters a line, two to a patch.
            render: RenderConfig { newline: Newline::Break, end_marker: false, height: 96, ..RenderConfig::mono(12) },
            steps: 500,
            batch_size: 32,
            lr: 1e-3,
            lr_floor: 1e-5,
            warm_up: 0.05,
            weight_decay: 0.05,
            precision: Precision::F32,
            nothing: 0.1,
            words: 0.1,
            growing_from: 0.2,
            growing_to: 0.6,
            drawn: 120,
            text: 120,
            vocab: 300,
            seed: 0,
            log_every: 20,
            checkpoint_every: 200,
        }
    }
}

impl ArTraining {
    /// The shape as the picture and the tokens have it.
    #[must_use]
    pub fn model_for(&self, bpe: &Bpe) -> ArConfig {
        let (columns, rows) = self.render.grid();
        ArConfig {
            columns: columns as usize,
            rows: rows as usize,
            patch_len: self.render.patch_len(),
            vocab: bpe.len(),
            ..self.model.clone()
        }
    }

    /// How long contexts are at a step, 0 the shortest and 1 whole, and how many passages make a batch of about the same size.
    fn stage(&self, step: u64) -> (f64, usize) {
        let done = step as f64 / self.steps.max(1) as f64;
        let ease = ((done - self.growing_from) / (self.growing_to - self.growing_from).max(1e-9)).clamp(0.0, 1.0);
        (ease, (self.batch_size as f64 / (SHORTEST + (1.0 - SHORTEST) * ease)) as usize)
    }

    /// # Errors
    /// The first setting that cannot be trained with.
    pub fn check(&self) -> Result<(), ScreenshotError> {
        self.render.check()?;
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let checks = [
            ("steps and batch_size have to be at least 1", self.steps > 0 && self.batch_size > 0),
            ("batch_size can be at most 65,536", self.batch_size <= 1 << 16),
            (
                "lr has to be positive and finite, lr_floor not above it",
                self.lr > 0.0 && self.lr.is_finite() && (0.0..=self.lr).contains(&self.lr_floor),
            ),
            (
                "warm_up, nothing and words have to be 0 to 1, nothing and words together too",
                share(self.warm_up) && share(self.nothing) && share(self.words) && share(self.nothing + self.words),
            ),
            (
                "growing_from and growing_to have to be 0 to 1, in this order",
                share(self.growing_from) && share(self.growing_to) && self.growing_from <= self.growing_to,
            ),
            ("drawn and text have to be 8 to 65,536", [self.drawn, self.text].iter().all(|bytes| (8..=1 << 16).contains(bytes))),
            ("vocab has to be 100 to 8,192", (100..=8192).contains(&self.vocab)),
        ];
        match checks.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(ScreenshotError::BadConfig((*what).to_owned())),
            None => Ok(()),
        }
    }
}

/// Tokens of facts: learned from some thousand pages and texts, whatever the training's seed.
#[must_use]
pub fn words_of_facts(vocab: usize) -> Bpe {
    let texts: Vec<String> = (0..1000)
        .map(|number| {
            let (page, parts) = facts(LINES, &mut Stream::new(0, "words of facts", number));
            let text: String = parts.into_iter().map(|(text, _)| text).collect();
            format!("{page}\n{text}")
        })
        .collect();
    Bpe::learn(texts.iter().map(String::as_str), vocab)
}

/// Passages of a seed and a step: the same for everybody who asks; see [`Source::passage`].
///
/// # Errors
/// What the renderer refuses.
pub fn passages(
    source: Source<'_>,
    bpe: &Bpe,
    renderer: &Renderer,
    count: usize,
    ease: f64,
    [seed, step]: [u64; 2],
    name: &str,
) -> Result<Vec<Passage>, ScreenshotError> {
    let mut scratch = Scratch::default();
    let one = |number: u64| {
        let mut random = Stream::new(seed, name, step.wrapping_mul(1 << 20).wrapping_add(number));
        source.passage(bpe, renderer, &mut scratch, ease, &mut random)
    };
    (0..count as u64).map(one).collect()
}

/// What training learns from.
pub(super) struct Passages<'a> {
    pub config: &'a ArTraining,
    pub source: Source<'a>,
    pub bpe: &'a Bpe,
    pub renderer: Renderer,
    pub ar: Ar,
}

impl Lesson for Passages<'_> {
    type Part = ArLaid;

    fn batch(&self, step: u64, parts: usize) -> Result<Vec<ArLaid>, ScreenshotError> {
        let config = self.config;
        let (ease, count) = config.stage(step);
        let batch = passages(self.source, self.bpe, &self.renderer, count, ease, [config.seed, step], "passages")?;
        let mut random = Stream::new(config.seed, "contexts", step);
        let mut line = |passage| -> Line<'_> {
            let passage: &Passage = passage;
            let context = match random.uniform() {
                at if at < config.nothing => Context::Nothing,
                at if at < config.nothing + config.words => Context::Text(&passage.words),
                _ => passage.picture(),
            };
            Line::new(&self.ar.config, context, &passage.text)
        };
        let lines: Vec<Line<'_>> = batch.iter().map(&mut line).collect();
        Ok(self.ar.lay_out_parts(&lines, parts))
    }

    fn losses<C: Calls>(&self, calls: &mut C, part: ArLaid) -> Terms {
        self.ar.terms(calls, part)
    }
}

/// Trains a model at a place; goes on from the phase's checkpoint where there is one. Returns its numbers and, for each logged step, the step with the losses of tokens and patches.
///
/// # Errors
/// [`ScreenshotError::BadConfig`], [`ScreenshotError::NotANumber`], and the lab's.
pub fn train(
    config: &ArTraining,
    source: Source<'_>,
    bpe: &Bpe,
    place: &Place,
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<(Params, Vec<Vec<f64>>), ScreenshotError> {
    config.check()?;
    if let Source::Text { corpus, .. } = source
        && corpus.tokens() == 0
    {
        return Err(ScreenshotError::NoData { what: "the training text".to_owned(), least: "eight bytes in a line" });
    }
    let model = config.model_for(bpe);
    model.check().map_err(ScreenshotError::BadConfig)?;
    let (place, renderer) = (place.with(config.precision)?, Renderer::bundled(config.render.clone())?);
    let lesson = Passages { config, source, bpe, renderer, ar: Ar { config: model } };
    let plan = Plan {
        config,
        phase,
        steps: config.steps,
        weight_decay: config.weight_decay,
        log_every: config.log_every,
        checkpoint_every: config.checkpoint_every,
    };
    let warm_up = (config.warm_up * config.steps as f64) as u64;
    let rate = |step: u64| cosine_with_warm_up(step + 1, warm_up, config.steps, [config.lr, config.lr_floor]);
    run(&plan, lesson.ar.init(config.seed), &place, lab, rate, &lesson)
}

/// Mean nats a counted token after each context: nothing, the picture, another text's picture, the words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AfterContexts {
    pub nothing: f64,
    pub picture: f64,
    pub wrong: f64,
    pub words: f64,
    /// Tokens counted.
    pub tokens: usize,
}

impl AfterContexts {
    /// Perplexity with the true picture over that without.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        (self.picture - self.nothing).exp()
    }

    /// Perplexity with another text's picture over that without.
    #[must_use]
    pub fn wrong_ratio(&self) -> f64 {
        (self.wrong - self.nothing).exp()
    }
}

/// Lines to be scored.
struct Scored<'a> {
    ar: &'a Ar,
    lines: &'a [Line<'a>],
}

impl Writing for Scored<'_> {
    type Out = Result<ArLosses, ScreenshotError>;

    fn on<C: Calls>(self, calls: &mut C) -> Self::Out {
        self.ar.losses(calls, self.lines)
    }
}

/// Scores the same tokens of every passage after the four contexts. Each passage's wrong picture is its neighbour's.
///
/// # Errors
/// [`ScreenshotError::Device`] where a device fails.
pub fn after_contexts(ar: &Ar, params: &Params, passages: &[Passage], place: &Place) -> Result<AfterContexts, ScreenshotError> {
    let placed = place.put(&params.mats);
    let mut sums = [0.0; 4];
    let mut tokens = 0;
    for (number, part) in passages.chunks(32).enumerate() {
        for (kind, sum) in sums.iter_mut().enumerate() {
            let context = |i: usize| match kind {
                0 => Context::Nothing,
                1 => part[i].picture(),
                2 => passages[(number * 32 + i + 1) % passages.len()].picture(),
                _ => Context::Text(&part[i].words),
            };
            let lines: Vec<Line<'_>> = (0..part.len()).map(|i| Line::new(&ar.config, context(i), &part[i].text)).collect();
            let found = placed.run(Scored { ar, lines: &lines })?;
            let counted = found.text.iter().zip(part).flat_map(|(losses, passage)| losses.iter().zip(&passage.counts));
            *sum += counted.filter(|(_, counts)| **counts).map(|(&loss, _)| f64::from(loss)).sum::<f64>();
        }
        tokens += part.iter().flat_map(|passage| &passage.counts).filter(|counts| **counts).count();
    }
    let [nothing, picture, wrong, words] = sums.map(|sum| sum / tokens.max(1) as f64);
    Ok(AfterContexts { nothing, picture, wrong, words, tokens })
}

//! Pre-training: pictures of damaged text in, hidden patches and the undamaged text out.
//!
//! **Recipe** (Gao et al. 2024): AdamW, clipping at 1, warm-up and half a cosine down to a floor. **Curriculum** (ours): nothing is gained before a model begins to read, and short texts make it
//! begin: the first 30 % of the steps take texts of some 28 % of the picture without text masks, the next 15 % of some 64 %, then the full task; patches are hidden throughout.

use serde::{Deserialize, Serialize};

use super::{
    corpus::Corpus,
    examples::{Damage, Example, example},
    objective::{Batch, Losses, Weights},
    steps::{Lesson, Plan, run},
};
use crate::{
    ScreenshotError,
    bpe::Bpe,
    model::{
        ModelConfig, Params, Place, Precision,
        calls::{Calls, Terms, Writing},
        ptp::{Picture, Ptp},
    },
    render::{RenderConfig, Renderer, Scratch},
};
use vitrine_core::{
    lab::Lab,
    train::{rng::Stream, schedule::cosine_with_warm_up},
};

/// Shares of the steps and of the picture's text of the two easier stages.
const CURRICULUM: [[f64; 2]; 2] = [[0.30, 0.28], [0.45, 0.64]];

/// How a model is pre-trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainConfig {
    /// Its vocabulary and patches follow from the tokens and the picture.
    pub model: ModelConfig,
    pub render: RenderConfig,
    pub damage: Damage,
    pub weights: Weights,
    pub curriculum: bool,
    pub steps: u64,
    pub batch_size: usize,
    pub lr: f64,
    pub lr_floor: f64,
    /// Share of the steps.
    pub warm_up: f64,
    pub weight_decay: f64,
    /// What matrix products are computed in.
    pub precision: Precision,
    /// Most bytes of a text: what the picture holds.
    pub bytes: usize,
    pub vocab: usize,
    pub seed: u64,
    /// Steps between logged losses.
    pub log_every: u64,
    /// Steps between checkpoints; 0 for none but at a stop.
    pub checkpoint_every: u64,
}

impl Default for PretrainConfig {
    /// Two cores, some three minutes.
    fn default() -> Self {
        Self {
            model: ModelConfig::default(),
            render: RenderConfig::mono(40),
            damage: Damage::default(),
            weights: Weights::default(),
            curriculum: true,
            steps: 1000,
            batch_size: 64,
            lr: 2e-3,
            lr_floor: 2e-5,
            warm_up: 0.05,
            weight_decay: 0.05,
            precision: Precision::F32,
            bytes: 78,
            vocab: 800,
            seed: 0,
            log_every: 20,
            checkpoint_every: 200,
        }
    }
}

impl PretrainConfig {
    /// Patches, their size and the vocabulary as the picture and the tokens have them.
    #[must_use]
    pub fn model_for(&self, bpe: &Bpe) -> ModelConfig {
        ModelConfig {
            patches: self.render.patches(),
            patch_len: self.render.patch_len(),
            vocab: bpe.len(),
            tokens: self.bytes.max(1),
            ..self.model.clone()
        }
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
                "warm_up and the rates of damage have to be 0 to 1",
                share(self.warm_up) && share(self.damage.text_rate) && share(self.damage.patch_rate),
            ),
            (
                "weights have to be 0 or more, and one of them more",
                self.weights.text >= 0.0 && self.weights.pixel >= 0.0 && self.weights.text + self.weights.pixel > 0.0,
            ),
            ("bytes have to be 8 to 65,536", (8..=1 << 16).contains(&self.bytes)),
            ("vocab has to be 300 to 8,192", (300..=8192).contains(&self.vocab)),
        ];
        match checks.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(ScreenshotError::BadConfig((*what).to_owned())),
            None => Ok(()),
        }
    }

    /// Most bytes and the share of hidden tokens at a step.
    pub(super) fn stage(&self, step: u64) -> (usize, f64) {
        let done = step as f64 / self.steps.max(1) as f64;
        match CURRICULUM.iter().find(|[until, _]| self.curriculum && done < *until) {
            Some([_, share]) => (((share * self.bytes as f64) as usize).max(8), 0.0),
            None => (self.bytes, self.damage.text_rate),
        }
    }

    pub(super) fn plan<'a>(&'a self, phase: &'a str) -> Plan<'a, Self> {
        Plan {
            config: self,
            phase,
            steps: self.steps,
            weight_decay: self.weight_decay,
            log_every: self.log_every,
            checkpoint_every: self.checkpoint_every,
        }
    }

    pub(super) fn rate(&self, step: u64) -> f64 {
        let warm_up = (self.warm_up * self.steps as f64) as u64;
        cosine_with_warm_up(step + 1, warm_up, self.steps, [self.lr, self.lr_floor])
    }
}

/// The examples of one batch: a function of the seed, the stream's name and the step.
///
/// # Errors
/// What the renderer refuses.
#[expect(clippy::too_many_arguments, reason = "what a batch is a function of")]
pub fn batch(
    bpe: &Bpe,
    corpus: &Corpus,
    renderer: &Renderer,
    size: usize,
    bytes: usize,
    damage: &Damage,
    [seed, step]: [u64; 2],
    name: &str,
) -> Result<Vec<Example>, ScreenshotError> {
    let mut scratch = Scratch::default();
    let one = |number: u64| {
        let mut random = Stream::new(seed, name, step.wrapping_mul(1 << 20).wrapping_add(number));
        let tokens = corpus.stretch(bpe, bytes, &mut random);
        Ok(example(bpe, renderer, &mut scratch, &tokens, damage, &mut random)?)
    };
    (0..size as u64).map(one).collect()
}

/// What pre-training learns from.
pub struct Reader<'a> {
    config: &'a PretrainConfig,
    bpe: &'a Bpe,
    corpus: &'a Corpus,
    renderer: Renderer,
    ptp: Ptp,
}

impl<'a> Reader<'a> {
    /// A lesson of a text.
    ///
    /// # Errors
    /// [`ScreenshotError::NoData`], and settings that cannot be trained with.
    pub fn new(config: &'a PretrainConfig, bpe: &'a Bpe, corpus: &'a Corpus) -> Result<Self, ScreenshotError> {
        config.check()?;
        if corpus.tokens() == 0 {
            return Err(ScreenshotError::NoData { what: "the training text".to_owned(), least: "eight bytes in a line" });
        }
        let model = config.model_for(bpe);
        model.check().map_err(ScreenshotError::BadConfig)?;
        Ok(Self { config, bpe, corpus, renderer: Renderer::bundled(config.render.clone())?, ptp: Ptp::new(model) })
    }

    /// A fresh model.
    #[must_use]
    pub fn init(&self) -> Params {
        self.ptp.init(self.config.seed)
    }
}

impl Lesson for Reader<'_> {
    type Part = Batch;

    fn batch(&self, step: u64, parts: usize) -> Result<Vec<Batch>, ScreenshotError> {
        let config = self.config;
        let (bytes, text_rate) = config.stage(step);
        let damage = Damage { text_rate, ..config.damage };
        let examples = batch(self.bpe, self.corpus, &self.renderer, config.batch_size, bytes, &damage, [config.seed, step], "batch")?;
        Ok(Batch::parts(&self.ptp, &examples, config.weights, parts))
    }

    fn losses<C: Calls>(&self, calls: &mut C, part: Batch) -> Terms {
        part.terms(&self.ptp, calls, self.config.weights).terms
    }
}

/// Pre-trains a model at a place; goes on from the phase's checkpoint where there is one. Returns its numbers and, for each logged step, the step with both losses.
///
/// # Errors
/// [`ScreenshotError::NoData`], [`ScreenshotError::NotANumber`], a precision that the place does not have, and the lab's.
pub fn pretrain(
    config: &PretrainConfig,
    bpe: &Bpe,
    corpus: &Corpus,
    place: &Place,
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<(Params, Vec<Vec<f64>>), ScreenshotError> {
    let reader = Reader::new(config, bpe, corpus)?;
    let place = place.with(config.precision)?;
    run(&config.plan(phase), reader.init(), &place, lab, |step| config.rate(step), &reader)
}

/// How well a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Nats a token with the true picture.
    pub text: f64,
    /// With the picture of another text.
    pub shuffled: f64,
    /// Standardised squared error of hidden patches.
    pub pixel: f64,
}

impl Reading {
    /// What the picture is worth: the proof that a model reads.
    #[must_use]
    pub fn gap(&self) -> f64 {
        self.shuffled - self.text
    }
}

/// Some examples with these pictures.
struct Read<'a> {
    ptp: &'a Ptp,
    pictures: &'a [&'a Picture],
    labels: &'a [&'a [u32]],
}

impl Writing for Read<'_> {
    type Out = Result<Losses, ScreenshotError>;

    fn on<C: Calls>(self, calls: &mut C) -> Self::Out {
        let both = Weights::default();
        Batch::new(self.ptp, self.pictures, self.labels, both).terms(self.ptp, calls, both).read(calls)
    }
}

/// Reads examples with their own pictures, then each with its neighbour's.
///
/// # Errors
/// [`ScreenshotError::Device`] where a device fails.
pub fn reading(ptp: &Ptp, params: &Params, examples: &[Example], place: &Place) -> Result<Reading, ScreenshotError> {
    let placed = place.put(&params.mats);
    let mut sums = [Losses::default(); 2];
    // Whole batches, so that memory stays small; the last picture of a batch goes to its first text.
    for part in examples.chunks(64) {
        let labels: Vec<&[u32]> = part.iter().map(|example| &example.labels[..]).collect();
        let mut pictures: Vec<&Picture> = part.iter().map(|example| &example.picture).collect();
        for (turn, sum) in sums.iter_mut().enumerate() {
            pictures.rotate_right(turn);
            let found = placed.run(Read { ptp, pictures: &pictures, labels: &labels })?;
            sum.text += found.text * found.tokens as f64;
            sum.pixel += found.pixel * found.patches as f64;
            sum.tokens += found.tokens;
            sum.patches += found.patches;
        }
    }
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    Ok(Reading {
        text: mean(sums[0].text, sums[0].tokens),
        shuffled: mean(sums[1].text, sums[1].tokens),
        pixel: mean(sums[0].pixel, sums[0].patches),
    })
}

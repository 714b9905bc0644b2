//! The study: does a model that writes the text while it redraws pixels understand more than one that only redraws, and does a picture help what comes after it?
//!
//! **Arms.** An eye pre-trained to redraw patches and write the text (patch-and-text prediction), one pre-trained to redraw alone, one not at all, and the same tower over words as an upper
//! reference; pre-trained for equal steps on the same text, fine-tuned alike on the same labelled rows with the same seeds. Beside them an autoregressive model answers questions about pages.
//! Everything is measured on rows and texts that were kept out. **Source.** Gao et al. (2024): the comparison of objectives, at a size that two cores train in minutes.

pub mod made;
pub mod presets;
pub mod report;

use serde::{Deserialize, Serialize};

use super::{
    ScreenshotError,
    ar::{
        passage::Source,
        train::{AfterContexts, ArTraining, after_contexts, passages, train, words_of_facts},
    },
    bpe::Bpe,
    look::{
        Asked, Looker,
        picture::{LINE, SCALE, sheet},
    },
    model::{ModelConfig, Params, Place, ar::Ar, file::Trained, ptp::Ptp},
    render::{FontSources, Renderer, png},
    train::{
        corpus::Corpus,
        encoder::{Encoder, Labelled, draw, spell},
        examples::Damage,
        finetune::{FinetuneConfig, Outcome, Task, finetune},
        masked::pretrain_words,
        objective::Weights,
        pretrain::{PretrainConfig, Reading, batch, pretrain, reading},
        tsv::{Goal, Row},
    },
};
use vitrine_core::{
    findings::Picture,
    lab::{Lab, finish},
    train::rng::Stream,
};

/// Every so many lines of text one is kept to measure on.
pub const KEPT_OUT: usize = 50;

/// Texts shown as pictures in the report.
const PICTURES: u64 = 4;

/// How the study is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Patch-and-text prediction; the other arms take their text, steps and sizes from it.
    pub pretrain: PretrainConfig,
    /// Share of patches that the redrawing arm hides: with nothing to write it has to be asked more.
    pub pixel_rate: f64,
    pub finetune: FinetuneConfig,
    pub ar: ArTraining,
    /// Whether the autoregressive model goes on over the text to pre-train on (its last tenth is kept out) instead of over pages of facts.
    pub natural: bool,
    /// Fine-tunings of each arm.
    pub seeds: u64,
    /// Texts and pages to measure reading on.
    pub texts: usize,
    /// Seed of the kept-out pages.
    pub pages_seed: u64,
    pub seed: u64,
}

impl Default for ExperimentConfig {
    /// Two cores, ten minutes.
    fn default() -> Self {
        Self {
            pretrain: PretrainConfig::default(),
            pixel_rate: 0.25,
            finetune: FinetuneConfig::default(),
            ar: ArTraining::default(),
            natural: false,
            seeds: 3,
            texts: 256,
            pages_seed: 1_000_003,
            seed: 0,
        }
    }
}

impl ExperimentConfig {
    /// # Errors
    /// The first setting that cannot be run with.
    pub fn check(&self) -> Result<(), ScreenshotError> {
        self.pretrain.check()?;
        self.finetune.check()?;
        self.ar.check()?;
        if !(1..=64).contains(&self.seeds) || !(2..=1 << 16).contains(&self.texts) || !(0.0..1.0).contains(&self.pixel_rate) {
            return Err(ScreenshotError::BadConfig("seeds have to be 1 to 64, texts 2 to 65,536, pixel_rate 0 to 1".to_owned()));
        }
        Ok(())
    }

    fn pretraining(&self) -> PretrainConfig {
        PretrainConfig { seed: self.seed, ..self.pretrain.clone() }
    }

    /// The redrawing arm: no text is asked for, none is hidden in the picture, and texts are whole from the first step on, as there is no reading to begin with.
    fn pixel_alone(&self) -> PretrainConfig {
        let all = self.pretraining();
        let damage = Damage { text_rate: 0.0, patch_rate: self.pixel_rate, ..all.damage };
        PretrainConfig { weights: Weights { text: 0.0, ..all.weights }, damage, curriculum: false, ..all }
    }
}

/// What is read and told apart.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Lines to pre-train on.
    pub lines: Vec<String>,
    /// Labelled rows: train, dev, test. The texts of the first are pre-trained on too, without their labels.
    pub sets: [Vec<Row>; 3],
    pub classes: Vec<String>,
    /// What the labelled rows are called, and whether they were made by rule.
    pub name: String,
    pub made: bool,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    pub name: String,
    /// Logged losses: step, text, patches.
    pub history: Vec<Vec<f64>>,
    /// How well it reads, where it was taught to.
    pub reading: Option<Reading>,
    /// Fine-tunings, seed by seed.
    pub outcomes: Vec<Outcome>,
    /// Kept-out texts as drawn, as the eye was given them, and as it redrew them.
    pub pictures: Vec<Picture>,
    /// Numbers of the model.
    pub numbers: usize,
    pub seconds: f64,
}

/// The autoregressive model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    pub history: Vec<Vec<f64>>,
    pub after: AfterContexts,
    pub numbers: usize,
    pub seconds: f64,
}

/// What the study found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub arms: Vec<Arm>,
    pub pages: Pages,
    /// Labels of the test rows.
    pub wanted: Vec<f64>,
}

/// The names of the arms, in their order.
pub const ARMS: [&str; 4] = ["patches and text", "patches alone", "no pre-training", "words"];

struct Prepared<'a> {
    config: &'a ExperimentConfig,
    bpe: Bpe,
    corpus: Corpus,
    kept: Corpus,
    renderer: Renderer,
    ptp: Ptp,
    task: Task,
    drawn: [Vec<Labelled<super::model::ptp::Picture>>; 3],
    place: Place,
}

fn prepare<'a>(config: &'a ExperimentConfig, data: &Data, place: &Place) -> Result<Prepared<'a>, ScreenshotError> {
    config.check()?;
    let all: Vec<&str> = data.lines.iter().map(String::as_str).filter(|line| !line.trim().is_empty()).collect();
    let kept_out = |number: usize| number % KEPT_OUT == KEPT_OUT - 1;
    let part = |kept: bool| all.iter().enumerate().filter(move |(number, _)| kept_out(*number) == kept).map(|(_, line)| *line);
    let unlabelled = data.sets[0].iter().flat_map(|row| [Some(row.text.as_str()), row.second.as_deref()]).flatten();
    let learned: Vec<&str> = part(false).chain(unlabelled).collect();
    let bpe = Bpe::learn(learned.iter().copied(), config.pretrain.vocab);
    let corpus = Corpus::new(&bpe, learned.iter().copied());
    let kept = Corpus::new(&bpe, part(true));
    if kept.tokens() == 0 {
        return Err(ScreenshotError::NoData { what: "the text to pre-train on".to_owned(), least: "fifty lines of eight bytes" });
    }
    let renderer = Renderer::bundled(config.pretrain.render.clone())?;
    let ptp = Ptp::new(config.pretrain.model_for(&bpe));
    let [a, b, c] = &data.sets;
    let drawn = [draw(&renderer, a)?, draw(&renderer, b)?, draw(&renderer, c)?];
    Ok(Prepared {
        config,
        bpe,
        corpus,
        kept,
        renderer,
        ptp,
        task: Task::of(Goal::Classes(data.classes.clone())),
        drawn,
        place: place.clone(),
    })
}

/// Runs all arms and the autoregressive model; what is finished in the run that this one continues is not done again. Trained models are kept as artifacts.
///
/// # Errors
/// Bad settings or data, [`ScreenshotError::NotANumber`], and the lab's.
pub fn run(config: &ExperimentConfig, data: &Data, lab: &mut dyn Lab) -> Result<Results, ScreenshotError> {
    let place = &Place::of(lab.device());
    let ready = prepare(config, data, place)?;
    let [eye, redraw, fresh, words] = ARMS;
    let mut arms = vec![];
    for (name, file, settings) in [(eye, "patches-and-text", config.pretraining()), (redraw, "patches-alone", config.pixel_alone())] {
        arms.push(finish(lab, name, |lab| {
            let from = lab.seconds();
            let (params, history) = pretrain(&settings, &ready.bpe, &ready.corpus, place, lab, &format!("{name}: pre-training"))?;
            let reading = ready.read(&params, &settings)?;
            lab.artifact(&format!("{file}.safetensors"), ready.trained(params.clone()).save()?)?;
            let outcomes = ready.tune(&ready.ptp, Some(&params), ready.drawn.each_ref().map(Vec::as_slice), lab, name)?;
            let pictures = ready.pictures(&params, &settings)?;
            Ok::<_, ScreenshotError>(Arm { pictures, ..ready.arm(name, history, Some(reading), outcomes, lab.seconds() - from) })
        })?);
    }
    arms.push(finish(lab, fresh, |lab| {
        let from = lab.seconds();
        let outcomes = ready.tune(&ready.ptp, None, ready.drawn.each_ref().map(Vec::as_slice), lab, fresh)?;
        Ok::<_, ScreenshotError>(ready.arm(fresh, vec![], None, outcomes, lab.seconds() - from))
    })?);
    arms.push(finish(lab, words, |lab| {
        let from = lab.seconds();
        let (model, params, history) =
            pretrain_words(&config.pretraining(), &ready.bpe, &ready.corpus, place, lab, &format!("{words}: pre-training"))?;
        let bytes = config.pretrain.bytes;
        let sets = data.sets.each_ref().map(|rows| spell(&ready.bpe, rows, bytes));
        let outcomes = ready.tune(&model, Some(&params), sets.each_ref().map(Vec::as_slice), lab, words)?;
        let numbers = super::model::params::count(&model.encoder_specs());
        Ok::<_, ScreenshotError>(Arm { numbers, ..ready.arm(words, history, None, outcomes, lab.seconds() - from) })
    })?);
    let pages = finish(lab, "pages", |lab| pages(config, &data.lines, place, lab))?;
    Ok(Results { arms, pages, wanted: data.sets[2].iter().map(|row| row.label).collect() })
}

/// Trains the autoregressive model, on pages of facts or on the given text, and measures it on what was kept out.
fn pages(config: &ExperimentConfig, lines: &[String], place: &Place, lab: &mut dyn Lab) -> Result<Pages, ScreenshotError> {
    let from = lab.seconds();
    let settings = ArTraining { seed: config.seed, ..config.ar.clone() };
    // Natural text goes on over its lines, so the last tenth is kept out, not single lines.
    let [learned, kept] = [&lines[..lines.len() - lines.len() / 10], &lines[lines.len() - lines.len() / 10..]];
    let of = |lines: &[String], bpe: &Bpe| Corpus::new(bpe, lines.iter().map(String::as_str));
    let bpe = if config.natural { Bpe::learn(learned.iter().map(String::as_str), settings.vocab) } else { words_of_facts(settings.vocab) };
    let (learned, kept) = if config.natural { (of(learned, &bpe), of(kept, &bpe)) } else { Default::default() };
    if config.natural && kept.tokens() == 0 {
        return Err(ScreenshotError::NoData { what: "the last tenth of the text".to_owned(), least: "eight bytes in a line" });
    }
    let source = |corpus| if config.natural { Source::Text { corpus, drawn: settings.drawn, text: settings.text } } else { Source::Facts };
    let (params, history) = train(&settings, source(&learned), &bpe, place, lab, "pages: training")?;
    let ar = Ar { config: settings.model_for(&bpe) };
    let renderer = Renderer::bundled(settings.render.clone())?;
    let kept = passages(source(&kept), &bpe, &renderer, config.texts, 1.0, [config.pages_seed, 0], "kept out")?;
    let after = after_contexts(&ar, &params, &kept, &place.with(settings.precision)?)?;
    Ok(Pages { history, after, numbers: super::model::params::count(&params.specs), seconds: lab.seconds() - from })
}

impl Prepared<'_> {
    fn trained(&self, params: Params) -> Trained {
        let config: ModelConfig = self.ptp.config.clone();
        let font_hash = self.renderer.font_hash();
        Trained { config, render: self.config.pretrain.render.clone(), bpe: self.bpe.clone(), params, font_hash }
    }

    /// How well an eye reads texts that were kept out, damaged as in its own training.
    fn read(&self, params: &Params, settings: &PretrainConfig) -> Result<Reading, ScreenshotError> {
        let examples = batch(
            &self.bpe,
            &self.kept,
            &self.renderer,
            self.config.texts,
            settings.bytes,
            &settings.damage,
            [self.config.seed, 0],
            "kept out",
        )?;
        reading(&self.ptp, params, &examples, &self.place.with(settings.precision)?)
    }

    /// Some kept-out texts, damaged as in the eye's own training, with what it redraws and reads.
    fn pictures(&self, params: &Params, settings: &PretrainConfig) -> Result<Vec<Picture>, ScreenshotError> {
        let looker = Looker::new(self.trained(params.clone()), FontSources::bundled(), false)?;
        let mut found = vec![];
        for number in 0..PICTURES {
            let mut random = Stream::new(self.config.seed, "pictures", number);
            let text = self.bpe.decode(&self.kept.stretch(&self.bpe, settings.bytes, &mut random)).trim_start().to_owned();
            let writes = settings.weights.text > 0.0;
            let Damage { text_rate, patch_rate, hide } = settings.damage;
            let look =
                looker.look(&Asked { text: text.clone(), text_rate, patch_rate, hide, seed: number, free: writes, ..Asked::default() })?;
            let (pixels, width, height) = sheet(&look, LINE / 2, SCALE);
            let read = look.free.as_ref().map(|free| format!(" Read: \u{201c}{}\u{201d}.", free.text.trim())).unwrap_or_default();
            let hidden = look.patches.iter().filter(|patch| patch.hidden && patch.attended).count();
            found.push(Picture::new(
                format!("Written: \u{201c}{text}\u{201d}.{read}"),
                format!(
                    "A drawn line of text, below it the same with {hidden} patches grey, below that the same with those patches redrawn"
                ),
                [width, height],
                &png::grey(&pixels, width, height)?,
            ));
        }
        Ok(found)
    }

    fn tune<E: Encoder>(
        &self,
        encoder: &E,
        given: Option<&Params>,
        sets: [&[Labelled<E::Input>]; 3],
        lab: &mut dyn Lab,
        name: &str,
    ) -> Result<Vec<Outcome>, ScreenshotError> {
        let mut one = |seed: u64| {
            let config = FinetuneConfig { seed: self.config.seed.wrapping_add(seed), ..self.config.finetune.clone() };
            let phase = format!("{name}: fine-tuning {}", seed + 1);
            finish(lab, &phase, |lab| Ok(finetune(&config, encoder, given, &self.task, sets, &self.place, lab, &phase)?.1))
        };
        (0..self.config.seeds).map(&mut one).collect()
    }

    fn arm(&self, name: &str, history: Vec<Vec<f64>>, reading: Option<Reading>, outcomes: Vec<Outcome>, seconds: f64) -> Arm {
        Arm {
            name: name.to_owned(),
            history,
            reading,
            outcomes,
            pictures: vec![],
            numbers: super::model::params::count(&self.ptp.specs()),
            seconds,
        }
    }
}

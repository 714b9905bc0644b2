//! Training as a whole: a stopped run ends as an unbroken one, a model comes back from its file, bad input is refused.

use super::{
    corpus::Corpus,
    encoder::{draw, spell},
    finetune::{FinetuneConfig, Pool, Task, Tuned, Tuning, finetune, labels},
    learner::assert_parts_add_up,
    masked::{Words, pretrain_words},
    metrics::Metric,
    pretrain::{PretrainConfig, Reader, batch, pretrain, reading},
    steps::{Lesson as _, writings},
    tsv::{Goal, Row},
};
use crate::{
    ScreenshotError,
    bpe::Bpe,
    model::{ModelConfig, Place, Tower, file::Trained, ptp::Ptp, words::WordModel},
    render::{RenderConfig, Renderer},
};
use vitrine_core::{
    lab::{LabError, MemoryLab},
    tensor::Device,
    train::rng::Stream,
};

const TEXT: &str = "the old ship lay quiet in the harbour\nnobody on board had slept that night\na boy sold bread and apples to the crew\nthe captain wrote \
letters and sent none of them\nunder the bridge the water was dark and cold\nwe sail at seven said the captain to the boy";

fn small() -> PretrainConfig {
    PretrainConfig {
        model: ModelConfig {
            encoder: Tower::new(1, 16, 2),
            pixel: Tower::new(1, 16, 2),
            text: Tower::new(1, 16, 2),
            ..ModelConfig::default()
        },
        render: RenderConfig::mono(12),
        steps: 12,
        batch_size: 4,
        bytes: 22,
        vocab: 300,
        log_every: 2,
        checkpoint_every: 4,
        ..PretrainConfig::default()
    }
}

fn words(config: &PretrainConfig) -> (Bpe, Corpus) {
    let bpe = Bpe::learn(TEXT.lines(), config.vocab);
    let corpus = Corpus::new(&bpe, TEXT.lines());
    (bpe, corpus)
}

#[test]
fn train_a_stopped_run_ends_as_an_unbroken_one() {
    let config = small();
    let (bpe, corpus) = words(&config);
    let mut lab = MemoryLab::new(Device::flex());
    let whole = pretrain(&config, &bpe, &corpus, &Place::Memory, &mut lab, "read").unwrap();
    assert_eq!(whole.1.len(), 6);
    let mut lab = MemoryLab::new(Device::flex());
    lab.stop_at = Some(6);
    assert!(matches!(
        pretrain(&config, &bpe, &corpus, &Place::Memory, &mut lab, "read"),
        Err(ScreenshotError::Lab(LabError::Stopped { step: 6 }))
    ));
    lab.stop_at = None;
    let other = PretrainConfig { lr: 1e-3, ..config.clone() };
    assert!(
        matches!(pretrain(&other, &bpe, &corpus, &Place::Memory, &mut lab, "read"), Err(ScreenshotError::BadModel(_))),
        "other settings do not go on"
    );
    assert_eq!(pretrain(&config, &bpe, &corpus, &Place::Memory, &mut lab, "read").unwrap(), whole);
}

#[test]
fn a_model_comes_back_from_its_file() {
    let config = small();
    let (bpe, _) = words(&config);
    let model = config.model_for(&bpe);
    let params = Ptp::new(model.clone()).init(1);
    let font_hash = Renderer::bundled(config.render.clone()).unwrap().font_hash();
    let trained = Trained { config: model, render: config.render, bpe, params, font_hash };
    let bytes = trained.save().unwrap();
    let mut again: Trained = Trained::read(&bytes).unwrap();
    assert!(again.params == trained.params && again.bpe == trained.bpe && again.save().unwrap() == bytes);
    assert!(again.renderer(false).is_ok());
    again.font_hash.clear();
    assert!(matches!(again.renderer(false), Err(ScreenshotError::BadModel(reason)) if reason.contains("--allow-font-mismatch")));
    assert!(again.renderer(true).is_ok());
    again.params.mats[0].data[0] = f32::NAN;
    assert!(<Trained>::read(&again.save().unwrap()).is_err(), "numbers are finite");
    for cut in [0, 8, bytes.len() / 2, bytes.len() - 1] {
        assert!(<Trained>::read(&bytes[..cut]).is_err());
    }
}

#[test]
fn examples_are_functions_of_seed_and_step() {
    let config = small();
    let (bpe, corpus) = words(&config);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let of = |seed, step| batch(&bpe, &corpus, &renderer, 8, 22, &config.damage, [seed, step], "batch").unwrap();
    assert_eq!(of(0, 3), of(0, 3));
    assert_ne!(of(0, 3), of(0, 4));
    assert_ne!(of(0, 3), of(1, 3));
    // Labels are what was drawn: a text whose damaged form overflows loses its last tokens.
    for example in of(0, 5) {
        assert!(!example.labels.is_empty() && example.labels.len() <= 22);
        assert_eq!(example.picture.hidden.iter().filter(|&&hidden| hidden).count(), 2, "12 patches at a rate of 0.1");
    }
    let ptp = Ptp::new(config.model_for(&bpe));
    let found = reading(&ptp, &ptp.init(0), &of(0, 1), &Place::Memory).unwrap();
    assert!(found.gap().abs() < 0.1 && found.text.is_finite(), "an untrained model does not read: {found:?}");
}

#[test]
fn parts_of_a_batch_add_up_to_it() {
    let config = PretrainConfig { batch_size: 5, curriculum: false, ..small() };
    let (bpe, corpus) = words(&config);
    let eye = Reader::new(&config, &bpe, &corpus).unwrap();
    let of = |parts| writings(&eye, eye.batch(3, parts).unwrap());
    assert_eq!(of(3).len(), 3, "two texts, two and one");
    assert_parts_add_up(&eye.init().mats, of(1), of(3));
    let words = Words { config: &config, bpe: &bpe, corpus: &corpus, model: WordModel { config: config.model_for(&bpe) } };
    let of = |parts| writings(&words, words.batch(3, parts).unwrap());
    assert_parts_add_up(&words.model.init(0).mats, of(1), of(3));
    let encoder = &words.model;
    let rows: Vec<_> = ["the ship", "bread", "we sail at seven", "quiet"]
        .iter()
        .map(|text| Row { text: (*text).into(), second: None, label: 0.0 })
        .collect();
    let rows = spell(&bpe, &rows, 22);
    for goal in [Goal::Classes(vec!["0".into(), "1".into()]), Goal::Number] {
        let tuned = Tuned::new(encoder, None, &goal, Pool::Mean, 0);
        let rows: Vec<_> = rows.iter().collect();
        let of = |parts| Tuning::parts(&tuned, &rows, 0.5, Stream::new(0, "dropout", 0), parts);
        assert_parts_add_up(&tuned.params.mats, of(1), of(3));
    }
}

#[test]
fn bad_training_input_is_refused() {
    let config = small();
    let mut lab = MemoryLab::new(Device::flex());
    for text in ["", "\n\n\n", "short"] {
        let bpe = Bpe::learn(text.lines(), 300);
        let corpus = Corpus::new(&bpe, text.lines());
        assert!(matches!(pretrain(&config, &bpe, &corpus, &Place::Memory, &mut lab, "p"), Err(ScreenshotError::NoData { .. })), "{text:?}");
    }
    assert!(lab.checkpoints.is_empty());
    let (bpe, corpus) = words(&config);
    let wild = PretrainConfig { lr: 1e30, lr_floor: 1e30, warm_up: 0.0, ..config.clone() };
    assert!(matches!(pretrain(&wild, &bpe, &corpus, &Place::Memory, &mut lab, "p"), Err(ScreenshotError::NotANumber { .. })));
    assert!(lab.checkpoints.is_empty(), "nothing of a failed run is kept");
    let bad = PretrainConfig { steps: 0, ..config.clone() };
    assert!(matches!(bad.check(), Err(ScreenshotError::BadConfig(_))));
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let row = |label| Row { text: "x".into(), second: None, label };
    let rows = draw(&renderer, &[row(0.0), row(1.0)]).unwrap();
    let ptp = Ptp::new(config.model_for(&bpe));
    let tune = |classes: usize, sets: [&[_]; 3]| {
        let task = Task::of(Goal::Classes(vec![String::new(); classes]));
        finetune(&FinetuneConfig::default(), &ptp, None, &task, sets, &Place::Memory, &mut MemoryLab::new(Device::flex()), "f").map(|_| ())
    };
    assert!(matches!(tune(1, [&rows, &rows, &rows]), Err(ScreenshotError::NoData { .. })));
    assert!(matches!(tune(2, [&rows, &[], &rows]), Err(ScreenshotError::NoData { .. })));
    let wild = FinetuneConfig { lr: f64::NAN, ..FinetuneConfig::default() };
    assert!(matches!(wild.check(), Err(ScreenshotError::BadConfig(_))));
}

/// Two words tell two classes apart: an encoder from nothing learns it, and pairs are told apart by their second text; words as tokens too.
#[test]
fn train_fine_tuning_learns_what_is_drawn() {
    let config = small();
    let (bpe, corpus) = words(&config);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let ptp = Ptp::new(config.model_for(&bpe));
    let tuning = FinetuneConfig { steps: 120, batch_size: 16, lr: 3e-3, ..FinetuneConfig::default() };
    let task = Task::of(Goal::Classes(vec!["0".into(), "1".into()]));
    let mut lab = MemoryLab::new(Device::flex());
    for pair in [false, true] {
        let row = |i: usize| {
            let word = ["ship", "bread"][i % 2].to_owned();
            let (text, second) = if pair { ("the".to_owned(), Some(word)) } else { (word, None) };
            Row { text, second, label: (i % 2) as f64 }
        };
        let table: Vec<Row> = (0..40).map(row).collect();
        let rows = draw(&renderer, &table).unwrap();
        let (tuned, found) = finetune(&tuning, &ptp, None, &task, [&rows, &rows, &rows[..10]], &Place::Memory, &mut lab, "tune").unwrap();
        assert_eq!((found.dev, found.test, found.stuck, found.answers.len()), (1.0, 1.0, false, 10), "{}", found.last_loss);
        assert_eq!(tuned.answers(&[&rows[1].input], &Place::Memory).unwrap(), [1.0]);
        let (model, params, history) =
            pretrain_words(&PretrainConfig { steps: 2, ..config.clone() }, &bpe, &corpus, &Place::Memory, &mut lab, "words").unwrap();
        assert!((history[0][1] / (bpe.len() as f64).ln() - 1.0).abs() < 0.1, "an untrained model guesses evenly: {history:?}");
        let rows = spell(&bpe, &table, 22);
        let (_, found) =
            finetune(&tuning, &model, Some(&params), &task, [&rows, &rows, &rows], &Place::Memory, &mut lab, "tune words").unwrap();
        assert_eq!(found.test, 1.0);
    }
}

/// The number that a text says is come near to; with measurements on the way the best one is kept and a run that gets no better ends.
#[test]
fn train_numbers_are_learned_and_runs_end_early() {
    let config = small();
    let (bpe, _) = words(&config);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let ptp = Ptp::new(config.model_for(&bpe));
    let rows: Vec<Row> =
        (0..40).map(|i| Row { text: ["one", "two", "three", "four"][i % 4].into(), second: None, label: 10.0 + (i % 4) as f64 }).collect();
    let rows = draw(&renderer, &rows).unwrap();
    let tuning =
        FinetuneConfig { steps: 300, batch_size: 16, lr: 3e-3, dropout: 0.0, evaluate_every: 20, patience: 2, ..FinetuneConfig::default() };
    let task = Task::of(Goal::Number);
    let mut lab = MemoryLab::new(Device::flex());
    let (tuned, found) = finetune(&tuning, &ptp, None, &task, [&rows, &rows, &rows], &Place::Memory, &mut lab, "tune").unwrap();
    assert!(found.test > 0.99 && found.test == found.dev, "{found:?}");
    assert!(found.steps < 300 && found.steps.is_multiple_of(20), "the ranks are right long before the end: {}", found.steps);
    let measured: Vec<f64> = lab.log.iter().filter(|(_, _, name, _)| name == "dev").map(|(.., value)| *value).collect();
    let best = measured.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(
        Metric::Spearman
            .of(&tuned.answers(&rows.iter().map(|row| &row.input).collect::<Vec<_>>(), &Place::Memory).unwrap(), &labels(&rows)),
        best
    );
    assert_eq!(measured.len() as u64, found.steps / 20 + 2, "two more after the best one");
}

//! Training as a whole: a stopped run ends as an unbroken one, a model comes back from its file, bad input is refused.

use super::{
    corpus::Corpus,
    finetune::{FinetuneConfig, Row, draw, finetune},
    pretrain::{PretrainConfig, batch, pretrain, reading},
};
use crate::{
    lab::{LabError, MemoryLab},
    study::screenshot::{
        ScreenshotError,
        bpe::Bpe,
        model::{ModelConfig, Tower, file::Trained, ptp::Ptp},
        render::{RenderConfig, Renderer},
    },
    tensor::Device,
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
    let whole = pretrain(&config, &bpe, &corpus, &mut lab, "read").unwrap();
    assert_eq!(whole.1.len(), 6);
    let mut lab = MemoryLab::new(Device::flex());
    lab.stop_at = Some(6);
    assert!(matches!(pretrain(&config, &bpe, &corpus, &mut lab, "read"), Err(ScreenshotError::Lab(LabError::Stopped { step: 6 }))));
    lab.stop_at = None;
    let other = PretrainConfig { lr: 1e-3, ..config.clone() };
    assert!(matches!(pretrain(&other, &bpe, &corpus, &mut lab, "read"), Err(ScreenshotError::BadModel(_))), "other settings do not go on");
    assert_eq!(pretrain(&config, &bpe, &corpus, &mut lab, "read").unwrap(), whole);
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
    let mut again = Trained::read(&bytes).unwrap();
    assert!(again.params == trained.params && again.bpe == trained.bpe && again.save().unwrap() == bytes);
    assert!(again.renderer(false).is_ok());
    again.font_hash.clear();
    assert!(matches!(again.renderer(false), Err(ScreenshotError::BadModel(reason)) if reason.contains("--allow-font-mismatch")));
    assert!(again.renderer(true).is_ok());
    again.params.mats[0].data[0] = f32::NAN;
    assert!(Trained::read(&again.save().unwrap()).is_err(), "numbers are finite");
    for cut in [0, 8, bytes.len() / 2, bytes.len() - 1] {
        assert!(Trained::read(&bytes[..cut]).is_err());
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
    let found = reading(&ptp, &ptp.init(0), &of(0, 1));
    assert!(found.gap().abs() < 0.1 && found.text.is_finite(), "an untrained model does not read: {found:?}");
}

#[test]
fn bad_training_input_is_refused() {
    let config = small();
    let mut lab = MemoryLab::new(Device::flex());
    for text in ["", "\n\n\n", "short"] {
        let bpe = Bpe::learn(text.lines(), 300);
        let corpus = Corpus::new(&bpe, text.lines());
        assert!(matches!(pretrain(&config, &bpe, &corpus, &mut lab, "p"), Err(ScreenshotError::NoData { .. })), "{text:?}");
    }
    assert!(lab.checkpoints.is_empty());
    let (bpe, corpus) = words(&config);
    let wild = PretrainConfig { lr: 1e30, lr_floor: 1e30, warm_up: 0.0, ..config.clone() };
    assert!(matches!(pretrain(&wild, &bpe, &corpus, &mut lab, "p"), Err(ScreenshotError::NotANumber { .. })));
    assert!(lab.checkpoints.is_empty(), "nothing of a failed run is kept");
    let bad = PretrainConfig { steps: 0, ..config.clone() };
    assert!(matches!(bad.check(), Err(ScreenshotError::BadConfig(_))));
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let row = |label| Row { text: "x".into(), second: None, label };
    let [one, two, other] = [vec![row(0)], vec![row(0), row(1)], vec![row(7)]].map(|rows| draw(&renderer, &rows).unwrap());
    let tune = |sets: [&[_]; 3]| {
        finetune(&FinetuneConfig::default(), &config.model_for(&bpe), None, sets, &mut MemoryLab::new(Device::flex()), "f").map(|_| ())
    };
    assert!(matches!(tune([&one, &one, &one]), Err(ScreenshotError::NoData { .. })));
    assert!(matches!(tune([&two, &[], &two]), Err(ScreenshotError::NoData { .. })));
    assert!(matches!(tune([&two, &two, &other]), Err(ScreenshotError::BadConfig(_))));
}

/// Two words tell two classes apart: an encoder from nothing learns it, and pairs are told apart by their second text.
#[test]
fn train_fine_tuning_learns_what_is_drawn() {
    let config = small();
    let (bpe, _) = words(&config);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    for pair in [false, true] {
        let row = |i: usize| {
            let word = ["ship", "bread"][i % 2].to_owned();
            let (text, second) = if pair { ("the".to_owned(), Some(word)) } else { (word, None) };
            Row { text, second, label: (i % 2) as u32 }
        };
        let rows = draw(&renderer, &(0..40).map(row).collect::<Vec<_>>()).unwrap();
        let tuning = FinetuneConfig { steps: 120, batch_size: 16, lr: 3e-3, ..FinetuneConfig::default() };
        let mut lab = MemoryLab::new(Device::flex());
        let (classifier, found) = finetune(&tuning, &config.model_for(&bpe), None, [&rows, &rows, &rows[..10]], &mut lab, "tune").unwrap();
        assert_eq!((found.dev, found.test, found.stuck, found.right.len()), (1.0, 1.0, false, 10), "{}", found.last_loss);
        assert_eq!(classifier.classify(&[rows[1].picture.clone()]), [1]);
    }
}

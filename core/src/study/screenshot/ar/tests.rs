//! The autoregressive model: its line, its gradients, what it may not see, and that training makes it look things up.

use super::{
    go_on::go_on,
    passage::{Passage, Source},
    train::{ArTraining, after_contexts, passages, train, words_of_facts},
};
use crate::{
    lab::{LabError, MemoryLab},
    study::screenshot::{
        ScreenshotError,
        model::{
            ModelConfig, Place,
            ar::{Ar, ArConfig, Context, Line},
            config::Tower,
            file::{Trained, is_autoregressive},
            tape::Tape,
        },
        render::{Renderer, Scratch},
    },
    tensor::Device,
    train::rng::Stream,
};

fn tiny() -> (Ar, Vec<f32>) {
    let config = ArConfig {
        tower: Tower { layers: 2, width: 8, heads: 2, mlp: 12 },
        columns: 3,
        rows: 2,
        patch_len: 4,
        vocab: 9,
        ..ArConfig::default()
    };
    let mut stream = Stream::new(4, "ink", 0);
    (Ar { config }, (0..24).map(|_| stream.uniform() as f32).collect())
}

#[test]
fn the_gradients_are_those_of_finite_differences() {
    let (ar, ink) = tiny();
    let mut params = ar.init(3);
    let mut stream = Stream::new(5, "weights", 0);
    params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x += 0.3 * stream.normal() as f32);
    let lines = || {
        [
            Line::new(&ar.config, Context::Picture(&ink, 5), &[4, 5, 6]),
            Line::new(&ar.config, Context::Nothing, &[7, 8]),
            Line::new(&ar.config, Context::Text(&[5, 4]), &[6]),
        ]
    };
    let total = |params: &crate::study::screenshot::model::Params| {
        let found = ar.losses(&mut Tape::new(&params.mats), &lines()).unwrap();
        found.tokens + found.pixel
    };
    let mut tape = Tape::new(&params.mats);
    ar.losses(&mut tape, &lines()).unwrap();
    let gradients = tape.backward();
    let step = 1e-2_f32;
    let mut checked = 0;
    for (number, gradient) in gradients.iter().enumerate() {
        for i in (0..gradient.len()).step_by(7) {
            let at = |delta: f32| {
                let mut moved = params.clone();
                moved.mats[number].data[i] += delta;
                total(&moved)
            };
            let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * f64::from(step));
            let found = f64::from(gradient[i]);
            assert!((slope - found).abs() < 3e-3 * (1.0 + slope.abs()), "{} {i}: {slope} {found}", params.specs[number].name);
            checked += 1;
        }
    }
    assert!(checked > 100);
}

#[test]
fn a_place_sees_what_is_before_it_and_nothing_hidden() {
    let (ar, mut ink) = tiny();
    let params = ar.init(3);
    let of = |ink: &[f32], text: &[u32]| {
        ar.losses(&mut Tape::new(&params.mats), &[Line::new(&ar.config, Context::Picture(ink, 5), text)]).unwrap().text[0].clone()
    };
    let found = of(&ink, &[4, 5, 6]);
    assert_eq!(found.len(), 3);
    assert_eq!(of(&ink, &[4, 5, 7])[..2], found[..2], "later tokens are not seen");
    ink[20..24].fill(0.3);
    assert_eq!(of(&ink, &[4, 5, 6]), found, "a patch behind the attended ones is not seen");
    ink[0] += 0.2;
    assert_ne!(of(&ink, &[4, 5, 6]), found, "the picture is");
    // The last patches of a row without ink are not in the line.
    ink[8..12].fill(1.0);
    let blank = of(&ink, &[4, 5, 6]);
    ink[8..12].fill(0.5);
    assert_eq!(of(&ink, &[4, 5, 6]), blank);
    let short = Ar { config: ArConfig { limit: 13, ..ar.config.clone() } };
    let cut = short.losses(&mut Tape::new(&params.mats), &[Line::new(&short.config, Context::Picture(&ink, 5), &[4, 5, 6])]).unwrap();
    assert_eq!(cut.text[0].len(), 2, "eleven places of the picture, two of the text");
}

#[test]
fn the_next_token_is_what_the_losses_say() {
    let (ar, ink) = tiny();
    let params = ar.init(3);
    let next = ar.next(&params, &[Line::new(&ar.config, Context::Picture(&ink, 6), &[4, 5])]).unwrap();
    let sum: f64 = next[0].iter().map(|x| x.exp()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && next[0].len() == 9);
    let loss = |id: u32| {
        f64::from(
            ar.losses(&mut Tape::new(&params.mats), &[Line::new(&ar.config, Context::Picture(&ink, 6), &[4, 5, id])]).unwrap().text[0][2],
        )
    };
    // The losses count the three image tokens too, so differences agree.
    assert!(((loss(6) - loss(7)) - (next[0][7] - next[0][6])).abs() < 1e-5);
}

#[test]
fn going_on_takes_the_likeliest_token_each_time() {
    let (ar, ink) = tiny();
    let params = ar.init(3);
    let context = Context::Picture(&ink, 6);
    let written = go_on(&ar, &params, context, &[4], 5);
    let mut text = vec![4];
    for &(id, log_prob) in &written {
        let next = ar.next(&params, &[Line::new(&ar.config, context, &text)]).unwrap().remove(0);
        assert!(next.iter().all(|x| *x <= next[id as usize]) && next[id as usize] == log_prob);
        text.push(id);
    }
    assert!(written.len() == 5 || written.last().unwrap().0 == crate::study::screenshot::bpe::END);
    let short = Ar { config: ArConfig { limit: 13, ..ar.config } };
    assert!(go_on(&short, &params, context, &[4], 9).len() <= 2, "no further than the line reaches");
}

fn small() -> ArTraining {
    let model = ArConfig { tower: Tower { layers: 1, width: 16, heads: 2, mlp: 24 }, ..ArConfig::default() };
    ArTraining { model, steps: 8, batch_size: 4, log_every: 2, checkpoint_every: 2, ..ArTraining::default() }
}

#[test]
fn train_a_stopped_run_ends_as_an_unbroken_one() {
    let config = small();
    let bpe = words_of_facts(config.vocab);
    let mut lab = MemoryLab::new(Device::flex());
    let whole = train(&config, Source::Facts, &bpe, &Place::Memory, &mut lab, "ar").unwrap();
    let mut lab = MemoryLab::new(Device::flex());
    lab.stop_at = Some(4);
    assert!(matches!(
        train(&config, Source::Facts, &bpe, &Place::Memory, &mut lab, "ar"),
        Err(ScreenshotError::Lab(LabError::Stopped { step: 4 }))
    ));
    lab.stop_at = None;
    assert_eq!(train(&config, Source::Facts, &bpe, &Place::Memory, &mut lab, "ar").unwrap(), whole);
    assert!(matches!(ArTraining { nothing: 0.7, words: 0.7, ..config }.check(), Err(ScreenshotError::BadConfig(_))));
}

#[test]
fn passages_of_facts_and_of_text_count_what_is_measured() {
    let config = small();
    let bpe = words_of_facts(config.vocab);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    for passage in passages(Source::Facts, &bpe, &renderer, 20, 1.0, [1, 2], "p").unwrap() {
        let answers: Vec<u32> = passage.text.iter().zip(&passage.counts).filter(|(_, counts)| **counts).map(|(&id, _)| id).collect();
        let page = bpe.decode(&passage.words);
        let answers = bpe.decode(&answers);
        assert!(
            answers.trim().split(' ').count() >= 6 && answers.trim().split(' ').all(|answer| page.contains(answer)),
            "{answers} {page}"
        );
        assert!(passage.attended > 5 * 12 && passage.attended <= 6 * 12, "every line is drawn: {}", passage.attended);
    }
    let corpus = crate::study::screenshot::train::corpus::Corpus::new(
        &bpe,
        ["lena has red kites and blue maps and what has omar to do with it"].into_iter(),
    );
    let source = Source::Text { corpus: &corpus, drawn: 20, text: 20 };
    let passage = source.passage(&bpe, &renderer, &mut Scratch::default(), 1.0, &mut Stream::new(0, "", 0)).unwrap();
    assert!(bpe.decode(&passage.words).len() <= 20 && bpe.decode(&passage.text).len() <= 40 && !passage.text.is_empty());
    assert!(passage.counts.iter().all(|&counts| counts));
    let untrained = Ar { config: config.model_for(&bpe) };
    let some = [passage, Passage::default()];
    let found = after_contexts(&untrained, &untrained.init(0), &some, &Place::Memory).unwrap();
    let font_hash = renderer.font_hash();
    let trained =
        Trained { config: untrained.config.clone(), render: config.render.clone(), bpe: bpe.clone(), params: untrained.init(0), font_hash };
    let bytes = trained.save().unwrap();
    assert!(is_autoregressive(&bytes) && Trained::<ArConfig>::read(&bytes).unwrap().params == trained.params);
    assert!(matches!(Trained::<ModelConfig>::read(&bytes), Err(ScreenshotError::BadModel(_))), "another kind of model");
    assert!((0.9..1.1).contains(&found.ratio()) && found.tokens == some[0].text.len(), "{found:?}");
}

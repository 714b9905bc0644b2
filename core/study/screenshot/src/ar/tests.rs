//! The autoregressive model: its line, its gradients, what it may not see, and that training makes it look things up.

use super::{
    go_on::{Choice, Stop, go_on},
    passage::{Passage, Source},
    train::{ArTraining, Passages, after_contexts, passages, train, words_of_facts},
};
use crate::{
    ScreenshotError,
    ar::beside::{Asked, Kind, Writer},
    bpe::END,
    model::{
        ModelConfig, Place,
        ar::{Ar, ArConfig, Context, Line},
        config::Tower,
        file::{Trained, is_autoregressive},
        tape::Tape,
    },
    render::{FontSources, Renderer, Scratch},
    train::{
        learner::assert_parts_add_up,
        steps::{Lesson as _, writings},
    },
};
use vitrine_core::{
    lab::{LabError, MemoryLab},
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
fn parts_of_a_batch_add_up_to_it() {
    let config = ArTraining { batch_size: 5, growing_from: 0.0, growing_to: 0.0, ..ArTraining::default() };
    let bpe = words_of_facts(config.vocab);
    let ar = Ar { config: config.model_for(&bpe) };
    let passages =
        Passages { config: &config, source: Source::Facts, bpe: &bpe, renderer: Renderer::bundled(config.render.clone()).unwrap(), ar };
    let of = |parts| writings(&passages, passages.batch(2, parts).unwrap());
    assert_eq!(of(3).len(), 3, "two lines, two and one");
    assert_parts_add_up(&passages.ar.init(0).mats, of(1), of(3));
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
    let total = |params: &crate::model::Params| {
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
    let greedy = Choice::default();
    let (written, stop) = go_on(&ar, &params, context, &[4], 5, greedy);
    let mut text = vec![4];
    for &(id, log_prob) in &written {
        let next = ar.next(&params, &[Line::new(&ar.config, context, &text)]).unwrap().remove(0);
        assert!(next.iter().all(|x| *x <= next[id as usize] + 1e-6) && (next[id as usize] - log_prob).abs() < 1e-6);
        text.push(id);
    }
    assert_eq!(stop, if written.last().unwrap().0 == END { Stop::End } else { Stop::Most });
    let short = Ar { config: ArConfig { limit: 13, ..ar.config.clone() } };
    let (some, stop) = go_on(&short, &params, context, &[4], 9, greedy);
    assert!(some.len() <= 2 && (stop == Stop::Full || stop == Stop::End), "no further than the line reaches");
    assert_eq!(some, written[..some.len()]);
    let tight = Ar { config: ArConfig { limit: 9, ..ar.config } };
    assert_eq!(go_on(&tight, &params, context, &[], 9, greedy), (vec![], Stop::Full), "the picture itself does not fit");
}

#[test]
fn a_line_goes_on_row_by_row_as_if_read_at_once() {
    let (ar, ink) = tiny();
    let mut params = ar.init(3);
    params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x *= 8.0);
    let text = [4, 5, 6, 7, 8];
    for context in [Context::Nothing, Context::Picture(&ink, 5), Context::Text(&[8, 7])] {
        let mut going = ar.begin(&params, &Line::new(&ar.config, context, &text[..1]));
        for n in 1..=text.len() {
            let whole = Line::new(&ar.config, context, &text[..n]);
            let expected = ar.next(&params, std::slice::from_ref(&whole)).unwrap().remove(0);
            let found = ar.after(&params, &going).unwrap();
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{context:?} {n}");
            if let Some(&id) = text.get(n) {
                assert!(ar.go(&params, &mut going, id));
            }
        }
        // The rows of a text name its tokens as the loss counts them, and a line taken back goes on as from there.
        let losses = ar.losses(&mut Tape::new(&params.mats), &[Line::new(&ar.config, context, &text)]).unwrap().text.remove(0);
        let logits = ar.logits(&params, &going, 0..text.len());
        for (place, (loss, &id)) in losses.iter().zip(&text).enumerate() {
            let row = logits.row(place);
            let own = row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() - f64::from(row[id as usize]);
            assert!((own - f64::from(*loss)).abs() < 1e-5, "{context:?} {place}: {own} {loss}");
        }
        going.back(2);
        let short = Line::new(&ar.config, context, &text[..2]);
        let expected = ar.next(&params, &[short]).unwrap().remove(0);
        assert!(ar.after(&params, &going).unwrap().iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn tokens_are_drawn_as_often_as_the_model_says() {
    let (ar, ink) = tiny();
    let mut params = ar.init(3);
    params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x *= 8.0);
    let context = Context::Picture(&ink, 6);
    let next = ar.next(&params, &[Line::new(&ar.config, context, &[4])]).unwrap().remove(0);
    for temperature in [0.5, 2.0] {
        let tempered: Vec<f64> = next.iter().map(|x| (x / temperature).exp()).collect();
        let sum: f64 = tempered.iter().sum();
        let mut counts = vec![0_f64; next.len()];
        let draws = 4000;
        for seed in 0..draws {
            let (written, _) = go_on(&ar, &params, context, &[4], 1, Choice { temperature, seed });
            counts[written[0].0 as usize] += 1.0;
            assert!((written[0].1 - next[written[0].0 as usize]).abs() < 1e-6, "the model's own log-probability");
        }
        for (count, tempered) in counts.iter().zip(&tempered) {
            let (p, n) = (tempered / sum, draws as f64);
            assert!((count / n - p).abs() < 4.0 * (p * (1.0 - p) / n).sqrt() + 1e-3, "{temperature}: {count} {p}");
        }
    }
    assert!(Choice { temperature: f64::NAN, seed: 0 }.check().is_err() && Choice { temperature: -1.0, seed: 0 }.check().is_err());
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
    let corpus = crate::train::corpus::Corpus::new(&bpe, ["lena has red kites and blue maps and what has omar to do with it"].into_iter());
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

#[test]
fn four_contexts_side_by_side_are_those_of_the_mean() {
    let config = small();
    let bpe = words_of_facts(config.vocab);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let ar = Ar { config: config.model_for(&bpe) };
    let mut params = ar.init(2);
    params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x *= 5.0);
    let trained = |config: ArConfig| Trained {
        config,
        render: renderer.config().clone(),
        bpe: bpe.clone(),
        params: params.clone(),
        font_hash: renderer.font_hash(),
    };
    let writer = Writer::new(trained(ar.config.clone()), &FontSources::bundled(), false).unwrap();
    let asked = Asked { most: 5, ..writer.example(7) };
    let found = writer.ask(&asked).unwrap();
    let kinds: Vec<Kind> = found.after.iter().map(|after| after.kind).collect();
    assert_eq!(kinds, [Kind::Nothing, Kind::Picture, Kind::Wrong, Kind::Words]);
    assert!(found.scored.starts_with(' ') && found.scored == asked.target, "the example brings its space");

    // The same passage as `screenshot perplexity` measures it: the wrong picture is its neighbour's.
    let ids = |text: &str| -> Vec<u32> { bpe.encode(text).iter().map(|token| token.id).collect() };
    let counted = asked.counts.clone().unwrap();
    let part = |text: &str, counts: &[usize], from: usize| -> Vec<(Vec<u32>, bool)> {
        ids(text).into_iter().enumerate().map(|(number, id)| (vec![id], counts.contains(&(number + from)))).collect()
    };
    let parts = [vec![(ids(&asked.prompt), false)], part(&asked.target, &counted, 0)].concat();
    let passage =
        |context: &str, parts: &[(Vec<u32>, bool)]| Passage::new(&bpe, &renderer, &mut Scratch::default(), context, parts).unwrap();
    let pair = [passage(&asked.context, &parts), passage(asked.other.as_deref().unwrap(), &[])];
    let expected = after_contexts(&ar, &params, &pair, &Place::Memory).unwrap();
    assert_eq!((expected.tokens, found.counted), (counted.len(), counted.len()));
    let nats: Vec<f64> = found.after.iter().map(|after| after.nats.unwrap()).collect();
    for (own, theirs) in nats.iter().zip([expected.nothing, expected.picture, expected.wrong, expected.words]) {
        assert!((own - theirs).abs() < 1e-5, "{nats:?} {expected:?}");
    }
    assert!((found.after[1].ratio.unwrap() - expected.ratio()).abs() < 1e-5);
    for after in &found.after {
        let place = match after.kind {
            Kind::Nothing => Context::Nothing,
            Kind::Picture => pair[0].picture(),
            Kind::Wrong => pair[1].picture(),
            Kind::Words => Context::Text(&pair[0].words),
        };
        let (written, stop) = go_on(&ar, &params, place, &ids(&asked.prompt), 5, asked.choice);
        assert_eq!(
            (after.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), after.stop),
            (written.iter().map(|one| one.0).collect(), stop)
        );
        assert!(after.target.iter().all(|scored| scored.top.len() == 3 && scored.top[0].log_prob >= scored.log_prob - 1e-9));
    }

    // Without another text there is no wrong picture; a space keeps words apart; what has no room in one line counts in none.
    let alone = writer.ask(&Asked { prompt: "what has lena?".into(), target: "7 red kites".into(), ..Asked::default() }).unwrap();
    assert_eq!((alone.scored.as_str(), alone.after.len(), alone.other.is_none()), (" 7 red kites", 3, true));
    assert!(alone.target.iter().all(|token| token.counts));
    let tight = Writer::new(trained(ArConfig { limit: ar.header() + 20, ..ar.config.clone() }), &FontSources::bundled(), false).unwrap();
    let cut = tight.ask(&asked).unwrap();
    assert!(cut.after[1].target.len() < cut.target.len() && cut.after[0].target.len() > cut.after[1].target.len());
    assert!(cut.counted > 0 && cut.counted < counted.len() && cut.after[1].tokens.len() <= 5);
    let none = tight.ask(&Asked { context: asked.context.repeat(9), prompt: "what has lena? ".repeat(9), ..asked.clone() }).unwrap();
    assert!(none.counted == 0 && none.after.iter().all(|after| after.nats.is_none()), "the prompt alone is longer than a line");
    let no_room = trained(ArConfig { limit: ar.header(), ..ar.config.clone() });
    assert!(matches!(Writer::new(no_room, &FontSources::bundled(), false), Err(ScreenshotError::BadModel(_))));
    let huge = trained(ArConfig { limit: 1 << 20, ..ar.config.clone() });
    assert!(matches!(Writer::new(huge, &FontSources::bundled(), false), Err(ScreenshotError::BadModel(_))));
    assert!(matches!(writer.ask(&Asked { most: 1 << 20, ..asked.clone() }), Err(ScreenshotError::BadConfig(_))));
    assert!(matches!(writer.ask(&Asked { prompt: "a".repeat(5000), ..asked }), Err(ScreenshotError::BadConfig(_))));
}

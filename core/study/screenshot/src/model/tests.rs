//! The models: gradients, counts, what may not be seen, and a batch learned by heart.

use super::{
    params::{count, encoder_specs, pixel_specs, text_specs},
    ptp::{Picture, Ptp},
    tape::{Calls as _, Spans, Tape, Var},
    *,
};
use crate::train::{
    examples::Example,
    objective::{Losses, Weights, losses},
};
use vitrine_core::train::mat::Mat;
use vitrine_core::train::{
    adamw::{AdamW, Direction, Moments},
    rng::Stream,
};

fn random(name: &str, rows: usize, cols: usize) -> Mat {
    let mut stream = Stream::new(1, name, 0);
    Mat::of(cols, (0..rows * cols).map(|_| stream.normal() as f32 * 0.7).collect())
}

/// Every operation of the tape once, over two ragged texts.
fn network(params: &[Mat], tape: &mut Tape<'_>) -> f64 {
    let p: Vec<Var> = (0..params.len()).map(|i| tape.param(i)).collect();
    let x = tape.rows(p[0], vec![0, 2, 1, 2, 3]);
    let x = tape.norm(x, p[1], p[2], 1e-5);
    let qkv = tape.linear(x, p[3], Some(p[4]));
    let attention = kernels::Attention { heads: 2, d_head: 2, q: 0, k: 4, v: 8, scale: 0.8 };
    let spans = |causal| Spans { queries: vec![0..2, 2..5], keys: vec![0..2, 2..5], causal };
    let read = tape.attend(qkv, qkv, attention, spans(true));
    let x = tape.add(x, read);
    let cross = kernels::Attention { q: 0, k: 0, v: 4, ..attention };
    let memory = tape.under(vec![p[5], p[8]]);
    let read = tape.attend(x, memory, cross, Spans { queries: vec![0..2, 2..5], keys: vec![0..3, 3..6], causal: false });
    let x = tape.add(x, read);
    let up = tape.linear(x, p[6], None);
    let up = tape.rotated(up, 8, 4, &[0, 1, 3, 4, 7], 10.0);
    let up = tape.gated(kernels::Gate::Silu, up);
    let up = tape.rms_norm(up, p[9], 1e-5);
    let up = tape.linear(up, p[10], None);
    let hidden = tape.gated(kernels::Gate::Gelu, up);
    let hidden = tape.gelu(hidden);
    let x = tape.linear(hidden, p[7], None);
    let x = tape.tanh(x);
    let x = tape.scaled(x, (0..20).map(|i| 0.5 + 0.1 * i as f32).collect());
    let means = tape.means(x, vec![0..2, 2..5]);
    let means = tape.rows(means, vec![0, 0, 1, 1, 1]);
    let x = tape.add(x, means);
    let logits = tape.linear_tied(x, p[0]);
    let texts = tape.cross_entropy(logits, &[1, 0, 3, 2, 2], &[0.5, 1.0, 0.0, 0.25, 1.0]);
    let errors = tape.squared_error(x, &random("targets", 5, 4).data, 0.3);
    let sum = |var: Var| tape.value(var).data.iter().map(|&x| f64::from(x)).sum::<f64>();
    sum(texts) + 0.3 * sum(errors)
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let shapes = [(4, 4), (1, 4), (1, 4), (4, 12), (1, 12), (2, 8), (4, 12), (6, 4), (4, 8), (1, 6), (6, 12)];
    let params: Vec<Mat> = shapes.iter().enumerate().map(|(i, &(r, c))| random(&format!("p{i}"), r, c)).collect();
    let mut tape = Tape::new(&params);
    network(&params, &mut tape);
    let gradients = tape.backward();
    // One row has a spread of a tenth, so that its norm is steep; wider steps leave what a slope describes.
    let step = 2e-3;
    for (p, gradient) in gradients.iter().enumerate() {
        for (i, found) in gradient.iter().enumerate() {
            let at = |delta: f32| {
                let mut moved = params.clone();
                moved[p].data[i] += delta;
                network(&moved, &mut Tape::new(&moved))
            };
            // Fourth order, so that single precision is what limits.
            let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * f64::from(step));
            let found = f64::from(*found);
            assert!((slope - found).abs() < 2e-3 * (1.0 + slope.abs()), "parameter {p}, {i}: {slope} {found}");
        }
    }
}

/// A model of a few hundred numbers a matrix, and a batch with text and pictures of random ink.
fn tiny() -> (Ptp, Vec<Example>) {
    let config = ModelConfig {
        encoder: Tower::new(2, 8, 2),
        pixel: Tower::new(1, 8, 2),
        text: Tower::new(1, 8, 2),
        patches: 6,
        patch_len: 4,
        vocab: 11,
        tokens: 8,
        ..ModelConfig::default()
    };
    let mut stream = Stream::new(3, "tiny", 0);
    let mut example = |attended: usize, tokens: usize| Example {
        picture: Picture {
            patches: (0..24).map(|_| stream.uniform() as f32).collect(),
            attended,
            hidden: (0..6).map(|patch| patch % 3 == 1).collect(),
        },
        labels: (0..tokens).map(|_| 4 + stream.below(7) as u32).collect(),
    };
    let batch = vec![example(6, 5), example(3, 2), example(1, 0), example(5, 8)];
    (Ptp::new(config), batch)
}

const BOTH: Weights = Weights { text: 1.0, pixel: 1.0 };

#[test]
fn the_whole_model_has_the_gradients_of_finite_differences() {
    let (ptp, batch) = tiny();
    let mut params = ptp.init(5);
    // Weights of 0.02 make norms steep: what a step of a hundredth changes would not be a slope.
    let vision = params.specs.iter().zip(&mut params.mats).filter(|(spec, _)| spec.begin == params::Begin::Normal(0.02));
    vision.for_each(|(_, mat)| mat.data.iter_mut().for_each(|x| *x *= 20.0));
    let gradients = losses(&ptp, &params, &batch, BOTH, true).unwrap().1.unwrap();
    let mut stream = Stream::new(4, "which", 0);
    let mut compared = 0;
    while compared < 40 {
        let p = stream.below(params.mats.len());
        let i = stream.below(params.mats[p].data.len());
        let at = |delta: f32| {
            let mut moved = params.clone();
            moved.mats[p].data[i] += delta;
            losses(&ptp, &moved, &batch, BOTH, false).unwrap().0.total(BOTH)
        };
        let step = 1e-2;
        let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * f64::from(step));
        let found = f64::from(gradients[p][i]);
        // Below this single precision has nothing to say.
        if slope.abs().max(found.abs()) < 1e-3 {
            continue;
        }
        compared += 1;
        assert!((slope - found).abs() < 1e-2 * slope.abs().max(0.02), "{} {i}: {slope} {found}", params.specs[p].name);
    }
}

/// Published shapes: encoder 85.3 to 86.5 million with RGB patches, text decoder 181 to 183 million. Only counted.
#[test]
fn the_base_size_has_the_published_counts() {
    let base = ModelConfig::base();
    let [encoder, pixel, text] = [encoder_specs(&base), pixel_specs(&base), text_specs(&base)].map(|specs| count(&specs) as f64 / 1e6);
    assert!((85.3..86.5).contains(&encoder), "{encoder}");
    assert!((25.0..27.0).contains(&pixel), "{pixel}");
    assert!((180.5..183.0).contains(&text), "{text}");
    let small = ModelConfig::default();
    let all = count(&encoder_specs(&small)) + count(&pixel_specs(&small)) + count(&text_specs(&small));
    assert!((600_000..780_000).contains(&all), "{all}");
    assert!(base.check().is_ok() && ModelConfig { encoder: Tower::new(1, 10, 3), ..small }.check().is_err());
}

#[test]
fn what_is_hidden_or_white_changes_nothing() {
    let (ptp, batch) = tiny();
    let params = ptp.init(5);
    let found = losses(&ptp, &params, &batch, BOTH, false).unwrap().0;
    let text_alone = Weights { text: 1.0, pixel: 0.0 };
    // The tail: patches after the end.
    let mut tail = batch.clone();
    tail[1].picture.patches[12..].fill(0.3);
    assert_eq!(losses(&ptp, &params, &tail, BOTH, false).unwrap().0, found);
    // Hidden patches: their pixels are only ever targets.
    let mut hidden = batch.clone();
    hidden[0].picture.patches[4..8].fill(0.1);
    assert_eq!(losses(&ptp, &params, &hidden, text_alone, false).unwrap().0.text, found.text);
    assert_ne!(losses(&ptp, &params, &hidden, BOTH, false).unwrap().0.pixel, found.pixel);
    // A visible one is seen.
    hidden[0].picture.patches[8..12].fill(0.1);
    assert_ne!(losses(&ptp, &params, &hidden, text_alone, false).unwrap().0.text, found.text);
}

#[test]
fn nothing_to_count_is_no_loss_and_never_nan() {
    let (ptp, mut batch) = tiny();
    let params = ptp.init(5);
    for example in &mut batch {
        example.picture.hidden = vec![];
        example.labels.clear();
        example.picture.attended = 0;
    }
    let (found, gradients) = losses(&ptp, &params, &batch, BOTH, true).unwrap();
    assert_eq!(found, Losses::default());
    assert!(gradients.unwrap().iter().flatten().all(|&g| g == 0.0));
}

/// Untrained the text loss is near that of guessing and the standardised pixel loss about 1; a batch of eight is learned by heart.
#[test]
fn train_a_batch_of_eight_by_heart() {
    use crate::{
        bpe::Bpe,
        render::{RenderConfig, Renderer, Scratch},
        train::examples::{Damage, example},
    };
    let lines =
        ["one bright cat", "two dogs ran", "a red kite", "no more tea", "the old house", "seven ships", "blue paint", "we sail soon"];
    let bpe = Bpe::learn(lines.into_iter(), 60);
    let renderer = Renderer::bundled(RenderConfig::mono(10)).unwrap();
    let damage = Damage { text_rate: 0.0, patch_rate: 0.25, ..Damage::default() };
    let draw = |(number, line): (usize, &&str)| {
        let tokens: Vec<u32> = bpe.encode(line).iter().map(|token| token.id).collect();
        example(&bpe, &renderer, &mut Scratch::default(), &tokens, &damage, &mut Stream::new(1, "by heart", number as u64)).unwrap()
    };
    let batch: Vec<Example> = lines.iter().enumerate().map(draw).collect();
    let config = ModelConfig {
        encoder: Tower::new(2, 64, 4),
        pixel: Tower::new(1, 64, 4),
        text: Tower::new(1, 64, 4),
        patches: 10,
        vocab: bpe.len(),
        tokens: 20,
        ..ModelConfig::default()
    };
    let ptp = Ptp::new(config);
    let mut params = ptp.init(2);
    let mut moments: Vec<Moments> = params.mats.iter().map(|mat| Moments::zeros(mat.data.len())).collect();
    let first = losses(&ptp, &params, &batch, BOTH, false).unwrap().0;
    let guess = (bpe.len() as f64).ln();
    assert!((0.9..1.1).contains(&(first.text / guess)), "{first:?} {guess}");
    // One of the hidden patches is the black mark, flat, whose target is all zeros: 14 of 15 count.
    assert!((0.9..2.2).contains(&(first.pixel * 15.0 / 14.0)), "{first:?}");
    let adam = AdamW { weight_decay: 0.0, ..AdamW::default() };
    let mut last = first;
    for step in 1..=600 {
        let (found, gradients) = losses(&ptp, &params, &batch, BOTH, true).unwrap();
        last = found;
        if last.text < 0.05 && last.pixel < 0.1 {
            break;
        }
        for ((mat, gradient), moments) in params.mats.iter_mut().zip(gradients.unwrap()).zip(&mut moments) {
            adam.step(&mut mat.data, &gradient, moments, step, 3e-3, Direction::Descend);
        }
    }
    assert!(last.text < 0.05 && last.pixel < 0.1, "{last:?}");
}

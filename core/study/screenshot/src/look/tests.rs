//! What a look says, against the losses of training and against what may not be seen.

use super::{stress::Stress, words::Words, *};
use crate::{
    bpe::Bpe,
    losses::standardised,
    model::{ModelConfig, Params, Tower},
    train::{
        examples::{Example, damaged},
        objective::{Weights, losses},
    },
};
use vitrine_core::train::rng::Stream;

const TEXT: &str = "the old ship lay quiet in the harbour";

/// A small model whose numbers are large enough to have opinions.
fn trained() -> Trained {
    let bpe =
        Bpe::learn(["the old ship lay quiet in the harbour", "nobody on board had slept that night", "the ship is old"].into_iter(), 90);
    let render = RenderConfig::mono(24);
    let config = ModelConfig {
        encoder: Tower::new(2, 16, 2),
        pixel: Tower::new(1, 16, 2),
        text: Tower::new(1, 16, 2),
        patches: render.patches(),
        patch_len: render.patch_len(),
        vocab: bpe.len(),
        tokens: 40,
        ..ModelConfig::default()
    };
    let mut params: Params = Ptp::new(config.clone()).init(3);
    params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x *= 3.0);
    let font_hash = Renderer::bundled(render.clone()).unwrap().font_hash();
    Trained { config, render, bpe, params, font_hash }
}

fn looker() -> Looker<'static> {
    Looker::new(trained(), FontSources::bundled(), false).unwrap()
}

fn asked(text: &str) -> Asked {
    Asked { text: text.to_owned(), patch_rate: 0.25, seed: 5, ..Asked::default() }
}

#[test]
fn losses_are_those_of_training() {
    let looker = looker();
    let look = looker.look(&asked(TEXT)).unwrap();
    let shot = looker.renderer.render(&look.drawn).unwrap();
    let picture =
        Picture { patches: shot.patches_f32(), attended: shot.report.attended, hidden: look.patches.iter().map(|p| p.hidden).collect() };
    assert!(picture.counted().count() > 1 && look.tokens.iter().any(|token| token.masked), "{}", look.drawn);
    let labels = look.tokens.iter().filter(|token| token.drawn).map(|token| token.id).collect();
    let weights = Weights::default();
    let found = losses(&looker.ptp, &looker.trained.params, &[Example { picture: picture.clone(), labels }], weights, false).unwrap().0;
    assert!((look.loss.text.unwrap() - found.text).abs() < 1e-5, "{:?} {found:?}", look.loss);
    assert!((look.loss.pixel.unwrap() - found.pixel).abs() < 1e-5, "{:?} {found:?}", look.loss);
    // Only what is hidden and attended to is redrawn, and nowhere else do the pictures differ.
    for (number, patch) in look.patches.iter().enumerate() {
        assert_eq!(patch.loss.is_some(), patch.hidden && patch.attended, "{number}");
        let part = |pixels: &[u8]| (0..16).flat_map(|y| pixels[y * 384 + number * 16..][..16].to_vec()).collect::<Vec<u8>>();
        // The end marker is flat, and comes back as it is.
        let redrawn = patch.loss.is_some() && number != look.end_patch;
        assert_eq!(part(&look.pictures.given) != part(&look.pictures.redrawn), redrawn, "{number}");
    }
}

#[test]
fn words_are_drawn_as_in_training() {
    let bpe = trained().bpe;
    for (step, text) in [" the old ship", "the quiet  night", " ", "", "a  b", "   slept"].into_iter().enumerate() {
        let ids: Vec<u32> = bpe.encode(text).iter().map(|token| token.id).collect();
        let flags: Vec<usize> = {
            let mut random = Stream::new(7, "flags", step as u64);
            (0..ids.len()).filter(|_| random.uniform() < 0.4).collect()
        };
        let known = bpe.encode(text).iter().all(|token| !bpe.piece(token.id).is_empty());
        let words = Words::new(&bpe, text, &Asked { masked: Some(flags), ..Asked::default() });
        let (expected, ends) = damaged(&bpe, &ids, 0.4, &mut Stream::new(7, "flags", step as u64));
        assert!(known && words.drawn.as_bytes() == expected && words.ends() == ends, "{text:?}: {:?}", words.drawn);
    }
}

#[test]
fn hidden_pixels_change_nothing_in_the_reading() {
    let looker = looker();
    let hidden: Vec<usize> = (4..9).collect();
    let of = |text: &str, hidden: &[usize]| {
        let asked = Asked { text: text.to_owned(), hidden: Some(hidden.to_vec()), masked: Some(vec![]), ..Asked::default() };
        looker.look(&asked).unwrap()
    };
    // Cells of 8 pixels: letters 8 to 17 lie under patches 4 to 8.
    let (a, b) = ("the old ship lay quiet", "the old nobo ard quiet");
    let read = |look: &Look| -> Vec<(u32, f64)> { look.tokens[0].top.iter().map(|guess| (guess.id, guess.log_prob)).collect() };
    let (one, other) = (of(a, &hidden), of(b, &hidden));
    assert_eq!(read(&one), read(&other), "the first token is asked of the picture alone");
    assert_eq!(one.free.as_ref().unwrap().tokens[0], other.free.as_ref().unwrap().tokens[0]);
    assert_ne!(read(&of(a, &[])), read(&of(b, &[])), "what is visible is seen");
    assert_ne!(one.pictures.original, other.pictures.original);
}

#[test]
fn patches_come_back_from_their_standardised_form() {
    let mut random = Stream::new(1, "patch", 0);
    let patch: Vec<f64> = (0..256).map(|_| random.uniform()).collect();
    let back = destandardised(&standardised(&patch), &patch);
    assert!(patch.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-12));
    let flat = [0.25; 16];
    assert_eq!(destandardised(&standardised(&flat), &flat), flat);
}

#[test]
fn likeliest_tokens_are_sorted_and_share_one() {
    let logits = [0.5, -1.0, 3.0, 3.0, 0.0, 2.0, f32::MIN];
    let (best, _) = reading::top(&logits, 5);
    assert_eq!(best.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3, 5, 0, 4]);
    let (all, normaliser) = reading::top(&logits, 99);
    assert!((all.iter().map(|(_, p)| p.exp()).sum::<f64>() - 1.0).abs() < 1e-12 && (all[0].1 - (3.0 - normaliser)).abs() < 1e-12);
    let look = looker().look(&asked(TEXT)).unwrap();
    for token in look.tokens.iter().filter(|token| token.drawn) {
        assert!(token.top.len() == 5 && token.top.is_sorted_by(|a, b| a.log_prob >= b.log_prob));
        assert!(token.top.iter().map(|guess| guess.log_prob.exp()).sum::<f64>() <= 1.0 + 1e-9);
        let listed = token.top.iter().find(|guess| guess.id == token.id);
        assert_eq!(listed.is_some(), token.log_prob.unwrap() >= token.top[4].log_prob, "a label among the best is listed");
    }
}

#[test]
fn attention_is_a_share_of_what_is_seen() {
    let look = looker().look(&asked(TEXT)).unwrap();
    let all = look.tokens.iter().map(|token| &token.attention).chain(look.patches.iter().map(|patch| &patch.attention));
    let mut seen = 0;
    for attention in all.flatten() {
        seen += 1;
        assert!((attention.cls + attention.patches.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        for (share, patch) in attention.patches.iter().zip(&look.patches) {
            assert_eq!(*share > 0.0, patch.attended && !patch.hidden);
        }
    }
    let visible = look.patches.iter().filter(|patch| patch.attended && !patch.hidden).count();
    assert_eq!(seen, visible + look.tokens.iter().filter(|token| token.drawn).count());
}

/// Token by token, each time over all that was written: the definition of a greedy reading.
#[test]
fn the_free_reading_is_the_greedy_one() {
    let looker = looker();
    for seed in 0..4 {
        let look = looker.look(&Asked { seed, ..asked(TEXT) }).unwrap();
        let shot = looker.renderer.render(&look.drawn).unwrap();
        let hidden = look.patches.iter().map(|patch| patch.hidden).collect();
        let picture = Picture { patches: shot.patches_f32(), attended: shot.report.attended, hidden };
        let mut tape = Tape::new(&looker.trained.params.mats);
        let encoded = looker.ptp.encode(&mut tape, &[picture]);
        let mut ids = vec![0];
        for _ in look.tokens.iter().filter(|token| token.drawn) {
            let logits = looker.ptp.write(&mut tape, &encoded, &[ids.clone()]);
            ids.push(reading::top(tape.value(logits).row(ids.len() - 1), 1).0[0].0);
        }
        let free = look.free.unwrap();
        assert!(!free.cut);
        assert_eq!(free.tokens.iter().map(|guess| guess.id).collect::<Vec<_>>(), ids[1..], "{}", free.text);
    }
}

#[test]
fn odd_input_is_answered() {
    let looker = looker();
    let empty = looker.look(&asked("")).unwrap();
    assert_eq!((empty.tokens.len(), empty.attended, empty.loss.text), (0, 1, None));
    assert!(empty.all_drawn && empty.free.is_some_and(|free| free.text.is_empty()));
    let all = Asked { hidden: Some((0..999).collect()), masked: Some((0..999).collect()), ..asked(TEXT) };
    let all = looker.look(&all).unwrap();
    assert_eq!(all.drawn, "<mask>");
    assert!(all.patches.iter().all(|patch| patch.hidden && patch.loss.is_some() == patch.attended) && all.loss.text.unwrap().is_finite());
    assert!(all.tokens.iter().all(|token| (token.attention.as_ref().unwrap().cls - 1.0).abs() < 1e-6));
    let long = looker.look(&asked(&"the ship ".repeat(20_000))).unwrap();
    assert!(!long.all_drawn && long.tokens.iter().any(|token| !token.drawn && token.log_prob.is_none()));
    assert!(long.tokens.iter().filter(|token| token.drawn).count() <= 40);
    // Characters without a token of their own, and masks never cut one in two.
    let odd = looker.look(&Asked { masked: Some(vec![1]), ..asked("é日\u{200d}") }).unwrap();
    assert_eq!(odd.drawn, "<mask>日\u{200d}");
    for bad in [f64::NAN, -0.1, 1.5] {
        assert!(matches!(looker.look(&Asked { patch_rate: bad, ..asked(TEXT) }), Err(ScreenshotError::BadConfig(_))));
        let stress = Stress { typos: bad, ..Stress::default() };
        assert!(matches!(looker.look(&Asked { stress, ..asked(TEXT) }), Err(ScreenshotError::BadConfig(_))));
    }
    let mut wild = trained();
    wild.params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x = 1e30);
    let wild = Looker::new(wild, FontSources::bundled(), false).unwrap();
    assert!(matches!(wild.look(&asked(TEXT)), Err(ScreenshotError::BadModel(_))), "finite weights, and nothing finite of them");
    let large = Trained { config: ModelConfig { tokens: 1 << 20, ..trained().config }, ..trained() };
    assert!(matches!(Looker::new(large, FontSources::bundled(), false), Err(ScreenshotError::BadModel(_))));
}

#[test]
fn bytes_and_tokens_under_patches_are_those_of_the_text() {
    let look = looker().look(&Asked { masked: Some(vec![]), hidden: Some(vec![]), ..asked(TEXT) }).unwrap();
    for (number, patch) in look.patches.iter().enumerate().take(TEXT.len() / 2) {
        assert_eq!(patch.bytes, [2 * number, 2 * number + 2], "two letters a patch");
        let covered = patch.tokens.iter().map(|&token| look.tokens[token].bytes);
        assert!(covered.clone().all(|[from, to]| from < patch.bytes[1] && patch.bytes[0] < to) && covered.count() > 0);
    }
    let masked = looker().look(&Asked { masked: Some(vec![0, 1]), hidden: Some(vec![]), ..asked(TEXT) }).unwrap();
    assert!(masked.drawn.starts_with("<mask>"));
    assert_eq!(masked.patches[0].tokens, [0, 1], "a mask stands for all that it hides");
    assert_eq!(masked.patches[0].bytes, [0, masked.tokens[1].bytes[1]]);
}

#[test]
fn stress_changes_the_picture_and_never_the_labels() {
    let looker = looker();
    let of = |stress: Stress| {
        let asked = Asked { masked: Some(vec![]), stress, ..asked(TEXT) };
        looker.look(&asked).unwrap()
    };
    let calm = of(Stress::default());
    let ids = |look: &Look| look.tokens.iter().map(|token| token.id).collect::<Vec<_>>();
    for stress in [
        Stress { typos: 1.0, ..Stress::default() },
        Stress { digits: 1.0, ..Stress::default() },
        Stress { blur: 1, ..Stress::default() },
        Stress { noise: 0.4, ..Stress::default() },
        Stress { font_px: Some(12.0), ..Stress::default() },
    ] {
        let found = of(stress);
        assert_eq!(ids(&found), ids(&calm));
        assert_ne!(found.pictures.given, calm.pictures.given, "{stress:?}");
        assert_eq!(found.pictures.original, calm.pictures.original, "{stress:?}");
        assert_eq!(found, of(stress), "the same seed, the same damage");
    }
    // Unifont draws these alike: the text is another, the picture is not.
    let alike = of(Stress { alike: 1.0, ..Stress::default() });
    assert_ne!(alike.drawn, calm.drawn);
    assert_eq!((&alike.pictures, alike.loss), (&calm.pictures, calm.loss));
    let blurred = of(Stress { blur: 8, ..Stress::default() });
    let marker = calm.end_patch * 16..calm.end_patch * 16 + 16;
    assert!(blurred.pictures.given[marker].iter().all(|&value| value == 0), "the end marker stays");
    assert!(matches!(Stress { blur: 9, ..Stress::default() }.check(), Err(ScreenshotError::BadConfig(_))));
}

#[test]
fn three_strips_lie_under_each_other() {
    let look = looker().look(&Asked { hidden: Some(vec![2]), masked: Some(vec![]), ..asked("the ship is old") }).unwrap();
    assert_eq!(look.attended, 9, "eight patches of letters and the end marker");
    let (pixels, width, height) = picture::sheet(&look, 5, 2);
    // Two lines of three strips of 16 rows with gaps of 2, and 8 between the lines.
    assert_eq!((width, height, pixels.len()), (160, 2 * (2 * (3 * 16 + 2 * 2) + 8), 160 * 224));
    let at = |x: usize, y: usize| pixels[y * 160 + x];
    assert_eq!((at(64, 36), at(95, 67), at(63, 36)), (176, 176, look.pictures.given[31]), "the third patch is grey in the middle strip");
    assert_eq!(at(64, 0), look.pictures.original[32]);
    assert_eq!(at(64, 72), look.pictures.redrawn[32]);
}

//! Masked-word prediction: how the words' encoder is pre-trained, on the same text and for as many steps as an eye.
//!
//! Each token is hidden with the rate that patch-and-text prediction hides text with; the loss is the cross-entropy of the hidden ones (Devlin et al., "BERT", 2019, without its replacements by
//! random words). The curriculum of the eyes is not needed: words are read from the first step on.

use super::{corpus::Corpus, pretrain::PretrainConfig, steps::run};
use crate::{
    lab::Lab,
    study::screenshot::{
        ScreenshotError,
        bpe::Bpe,
        model::{Params, tape::Tape, words::WordModel},
    },
    train::rng::Stream,
};

/// Pre-trains a model of words by the settings of an eye; goes on from the phase's checkpoint where there is one. Returns its numbers and the logged losses.
///
/// # Errors
/// As [`super::pretrain::pretrain`].
pub fn pretrain_words(
    config: &PretrainConfig,
    bpe: &Bpe,
    corpus: &Corpus,
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<(WordModel, Params, Vec<Vec<f64>>), ScreenshotError> {
    config.check()?;
    if corpus.tokens() == 0 {
        return Err(ScreenshotError::NoData { what: "the training text".to_owned(), least: "eight bytes in a line" });
    }
    let model = WordModel { config: config.model_for(bpe) };
    model.config.check().map_err(ScreenshotError::BadConfig)?;
    let mask = model.mask();
    let learn = |step: u64, params: &Params| {
        let (mut texts, mut labels, mut places, mut from) = (vec![], vec![], vec![], 0);
        for number in 0..config.batch_size as u64 {
            let mut random = Stream::new(config.seed, "words", step.wrapping_mul(1 << 20).wrapping_add(number));
            let mut text = corpus.stretch(bpe, config.bytes, &mut random);
            text.truncate(model.config.tokens);
            for (place, id) in text.iter_mut().enumerate() {
                if random.uniform() < config.damage.text_rate {
                    labels.push(*id);
                    // Behind CLS.
                    places.push(from + 1 + place);
                    *id = mask;
                }
            }
            from += 1 + text.len();
            texts.push(text);
        }
        let mut tape = Tape::new(&params.mats);
        if labels.is_empty() {
            return Ok(([0.0; 2], tape.backward()));
        }
        let (read, _) = model.encode(&mut tape, &texts);
        let n = labels.len();
        let logits = model.predict(&mut tape, read, places);
        let losses = tape.cross_entropy(logits, &labels, &vec![1.0 / n as f32; n]);
        Ok(([losses.iter().map(|&loss| f64::from(loss)).sum(), 0.0], tape.backward()))
    };
    let (params, history) = run(&config.plan(phase), model.init(config.seed), lab, |step| config.rate(step), learn)?;
    Ok((model, params, history))
}

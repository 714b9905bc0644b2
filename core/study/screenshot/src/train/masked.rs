//! Masked-word prediction: how the words' encoder is pre-trained, on the same text and for as many steps as an eye.
//!
//! Each token is hidden with the rate that patch-and-text prediction hides text with; the loss is the cross-entropy of the hidden ones (Devlin et al., "BERT", 2019, without its replacements by
//! random words). The curriculum of the eyes is not needed: words are read from the first step on.

use std::ops::Range;

use super::{
    corpus::Corpus,
    pretrain::PretrainConfig,
    steps::{Lesson, run},
};
use crate::{
    ScreenshotError,
    bpe::Bpe,
    model::{
        Params, Place,
        calls::{Calls, Term, Terms, part_size},
        words::WordModel,
    },
};
use vitrine_core::{lab::Lab, train::rng::Stream};

/// Damaged texts, and what was hidden in which rows.
#[derive(Default)]
pub(super) struct Part {
    texts: Vec<Vec<u32>>,
    labels: Vec<u32>,
    places: Vec<usize>,
    /// Tokens hidden in the whole batch.
    hidden: usize,
}

/// What pre-training on words learns from.
pub(super) struct Words<'a> {
    pub config: &'a PretrainConfig,
    pub bpe: &'a Bpe,
    pub corpus: &'a Corpus,
    pub model: WordModel,
}

impl Lesson for Words<'_> {
    type Part = Part;

    fn batch(&self, step: u64, parts: usize) -> Result<Vec<Part>, ScreenshotError> {
        let count = self.config.batch_size;
        let size = part_size(count, parts);
        let mut made: Vec<Part> = (0..count).step_by(size).map(|from| self.part(step, from..count.min(from + size))).collect();
        let hidden = made.iter().map(|part| part.labels.len()).sum();
        for part in &mut made {
            part.hidden = hidden;
        }
        Ok(made)
    }

    fn losses<C: Calls>(&self, calls: &mut C, part: Part) -> Terms {
        let n = part.labels.len();
        if n == 0 {
            return [None; 2];
        }
        let (read, _) = self.model.encode(calls, &part.texts);
        let logits = self.model.predict(calls, read, part.places);
        [Some(Term::sum(calls.cross_entropy(logits, &part.labels, &vec![1.0 / part.hidden as f32; n]))), None]
    }
}

impl Words<'_> {
    /// The texts of these numbers.
    fn part(&self, step: u64, numbers: Range<usize>) -> Part {
        let (mut part, mut from) = (Part::default(), 0);
        for number in numbers {
            let mut random = Stream::new(self.config.seed, "words", step.wrapping_mul(1 << 20).wrapping_add(number as u64));
            let mut text = self.corpus.stretch(self.bpe, self.config.bytes, &mut random);
            text.truncate(self.model.config.tokens);
            for (place, id) in text.iter_mut().enumerate() {
                if random.uniform() < self.config.damage.text_rate {
                    part.labels.push(*id);
                    // Behind CLS.
                    part.places.push(from + 1 + place);
                    *id = self.model.mask();
                }
            }
            from += 1 + text.len();
            part.texts.push(text);
        }
        part
    }
}

/// Pre-trains a model of words by the settings of an eye; goes on from the phase's checkpoint where there is one. Returns its numbers and the logged losses.
///
/// # Errors
/// As [`super::pretrain::pretrain`].
pub fn pretrain_words(
    config: &PretrainConfig,
    bpe: &Bpe,
    corpus: &Corpus,
    place: &Place,
    lab: &mut dyn Lab,
    phase: &str,
) -> Result<(WordModel, Params, Vec<Vec<f64>>), ScreenshotError> {
    config.check()?;
    if corpus.tokens() == 0 {
        return Err(ScreenshotError::NoData { what: "the training text".to_owned(), least: "eight bytes in a line" });
    }
    let model = WordModel { config: config.model_for(bpe) };
    model.config.check().map_err(ScreenshotError::BadConfig)?;
    let words = Words { config, bpe, corpus, model };
    let place = place.with(config.precision)?;
    let (params, history) = run(&config.plan(phase), words.model.init(config.seed), &place, lab, |step| config.rate(step), &words)?;
    Ok((words.model, params, history))
}

//! Masked-word prediction: how the words' encoder is pre-trained, on the same text and for as many steps as an eye.
//!
//! Each token is hidden with the rate that patch-and-text prediction hides text with; the loss is the cross-entropy of the hidden ones (Devlin et al., "BERT", 2019, without its replacements by
//! random words). The curriculum of the eyes is not needed: words are read from the first step on.

use super::{
    corpus::Corpus,
    pretrain::PretrainConfig,
    steps::{Lesson, run},
};
use crate::{
    lab::Lab,
    study::screenshot::{
        ScreenshotError,
        bpe::Bpe,
        model::{
            Params, Place,
            calls::{Calls, Term, Terms},
            words::WordModel,
        },
    },
    train::rng::Stream,
};

/// Damaged texts, and what was hidden in which rows.
struct Batch {
    texts: Vec<Vec<u32>>,
    labels: Vec<u32>,
    places: Vec<usize>,
}

struct Words<'a> {
    config: &'a PretrainConfig,
    bpe: &'a Bpe,
    corpus: &'a Corpus,
    model: WordModel,
}

impl Lesson for Words<'_> {
    type Batch = Batch;

    fn batch(&self, step: u64) -> Result<Batch, ScreenshotError> {
        let (mut texts, mut labels, mut places, mut from) = (vec![], vec![], vec![], 0);
        for number in 0..self.config.batch_size as u64 {
            let mut random = Stream::new(self.config.seed, "words", step.wrapping_mul(1 << 20).wrapping_add(number));
            let mut text = self.corpus.stretch(self.bpe, self.config.bytes, &mut random);
            text.truncate(self.model.config.tokens);
            for (place, id) in text.iter_mut().enumerate() {
                if random.uniform() < self.config.damage.text_rate {
                    labels.push(*id);
                    // Behind CLS.
                    places.push(from + 1 + place);
                    *id = self.model.mask();
                }
            }
            from += 1 + text.len();
            texts.push(text);
        }
        Ok(Batch { texts, labels, places })
    }

    fn losses<C: Calls>(&self, calls: &mut C, batch: Batch) -> Terms {
        let n = batch.labels.len();
        if n == 0 {
            return [None; 2];
        }
        let (read, _) = self.model.encode(calls, &batch.texts);
        let logits = self.model.predict(calls, read, batch.places);
        [Some(Term::sum(calls.cross_entropy(logits, &batch.labels, &vec![1.0 / n as f32; n]))), None]
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

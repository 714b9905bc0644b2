//! Both losses of a batch, and their gradients.

use std::borrow::Borrow;

use crate::{
    ScreenshotError,
    bpe::START,
    losses::standardised,
    model::{
        Params,
        calls::{Calls, Term, Terms, part_size},
        ptp::{Laid, Picture, Ptp},
        tape::Tape,
    },
};

use super::examples::Example;

/// What each loss weighs; 0 turns it off.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    pub text: f64,
    pub pixel: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { text: 1.0, pixel: 1.0 }
    }
}

/// Mean losses, in nats a token and in squared standard deviations a pixel; 0 where nothing counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    pub text: f64,
    pub pixel: f64,
    pub tokens: usize,
    pub patches: usize,
}

impl Losses {
    /// The weighted sum that is made smaller.
    #[must_use]
    pub fn total(&self, weights: Weights) -> f64 {
        weights.text * self.text + weights.pixel * self.pixel
    }
}

/// The counted patches of a batch, standardised, in the order in which [`Ptp::redraw`] redraws them.
#[must_use]
pub fn pixel_targets(pictures: &[impl Borrow<Picture>], length: usize) -> Vec<f32> {
    let mut targets = vec![];
    for picture in pictures {
        let picture: &Picture = picture.borrow();
        for patch in picture.counted() {
            let values: Vec<f64> = picture.patches[patch * length..(patch + 1) * length].iter().map(|&v| f64::from(v)).collect();
            targets.extend(standardised(&values).into_iter().map(|v| v as f32));
        }
    }
    targets
}

/// A batch, or a part of one, laid out: what both losses are made of beside the model's numbers. Made on any thread.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    laid: Laid,
    /// Hidden patches that count, standardised.
    patches: Vec<f32>,
    /// The text decoder's inputs, and for each what comes next and what it weighs.
    inputs: Vec<Vec<u32>>,
    targets: Vec<u32>,
    counts: Vec<f32>,
    /// What the whole batch counts: losses are means over it.
    whole: Counted,
}

/// Tokens and patches that count for the losses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    tokens: usize,
    patches: usize,
}

impl Counted {
    fn of(ptp: &Ptp, pictures: &[impl Borrow<Picture>], labels: &[&[u32]], weights: Weights) -> Self {
        let tokens = labels.iter().map(|labels| labels.len().min(ptp.config.tokens)).sum();
        let patches = pictures.iter().map(|picture| picture.borrow().counted().count()).sum();
        Self { tokens: if weights.text > 0.0 { tokens } else { 0 }, patches: if weights.pixel > 0.0 { patches } else { 0 } }
    }
}

impl Batch {
    /// Lays out pictures and texts; they may be of different examples (a shuffled picture shows whether a model reads).
    #[must_use]
    pub fn new(ptp: &Ptp, pictures: &[impl Borrow<Picture>], labels: &[&[u32]], weights: Weights) -> Self {
        Self::part(ptp, pictures, labels, weights, Counted::of(ptp, pictures, labels, weights))
    }

    fn part(ptp: &Ptp, pictures: &[impl Borrow<Picture>], labels: &[&[u32]], weights: Weights, whole: Counted) -> Self {
        let mut batch = Self { laid: ptp.lay_out(pictures), whole, ..Self::default() };
        if weights.pixel > 0.0 {
            batch.patches = pixel_targets(pictures, ptp.config.patch_len);
        }
        if weights.text > 0.0 && labels.iter().any(|labels| !labels.is_empty()) {
            let most = ptp.config.tokens;
            let labels: Vec<&[u32]> = labels.iter().map(|labels| &labels[..labels.len().min(most)]).collect();
            // Shifted right, the start in front; a text without tokens still has its start, which counts for nothing.
            let input = |labels: &&[u32]| [START].into_iter().chain(labels.iter().copied()).take(labels.len().max(1)).collect();
            batch.inputs = labels.iter().map(input).collect();
            batch.targets = labels.iter().flat_map(|labels| if labels.is_empty() { vec![START] } else { labels.to_vec() }).collect();
            let weight = (weights.text / whole.tokens as f64) as f32;
            let counts = |labels: &&[u32]| if labels.is_empty() { vec![0.0] } else { vec![weight; labels.len()] };
            batch.counts = labels.iter().flat_map(counts).collect();
        }
        batch
    }

    /// Texts and pictures of examples.
    #[must_use]
    pub fn of(ptp: &Ptp, examples: &[Example], weights: Weights) -> Self {
        let (pictures, labels) = split(examples);
        Self::new(ptp, &pictures, &labels, weights)
    }

    /// The same as at most so many parts, whose losses add up to those of all.
    #[must_use]
    pub fn parts(ptp: &Ptp, examples: &[Example], weights: Weights, parts: usize) -> Vec<Self> {
        let (pictures, labels) = split(examples);
        let whole = Counted::of(ptp, &pictures, &labels, weights);
        let size = part_size(examples.len(), parts);
        let parts = pictures.chunks(size).zip(labels.chunks(size));
        parts.map(|(pictures, labels)| Self::part(ptp, pictures, labels, weights, whole)).collect()
    }

    /// Writes both losses, with their weights.
    pub fn terms(self, ptp: &Ptp, calls: &mut impl Calls, weights: Weights) -> Written {
        let Counted { tokens, patches } = self.whole;
        let mut written = Written { terms: [None; 2], tokens, patches };
        let encoded = ptp.encode_laid(calls, self.laid);
        if weights.pixel > 0.0
            && let Some(redrawn) = ptp.redraw(calls, &encoded)
        {
            let errors = calls.squared_error(redrawn, &self.patches, (weights.pixel / patches as f64) as f32);
            written.terms[1] = Some(Term { all: [1.0, patches.max(1) as f64], ..Term::sum(errors) });
        }
        if !self.inputs.is_empty() {
            let logits = ptp.write(calls, &encoded, &self.inputs);
            let losses = calls.cross_entropy(logits, &self.targets, &self.counts);
            written.terms[0] = Some(Term { all: [1.0, weights.text], ..Term::sum(losses) });
        }
        written
    }
}

fn split(examples: &[Example]) -> (Vec<&Picture>, Vec<&[u32]>) {
    examples.iter().map(|example| (&example.picture, &example.labels[..])).unzip()
}

/// Losses that were written, and over how many tokens and patches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Written {
    pub terms: Terms,
    pub tokens: usize,
    pub patches: usize,
}

impl Written {
    /// The losses, read back.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`] where a device fails.
    pub fn read(&self, calls: &impl Calls) -> Result<Losses, ScreenshotError> {
        let one = |term: Option<Term>| term.map_or(Ok::<_, ScreenshotError>(0.0), |term| Ok(term.of(&calls.read(term.rows)?.data)));
        Ok(Losses { text: one(self.terms[0])?, pixel: one(self.terms[1])?, tokens: self.tokens, patches: self.patches })
    }
}

/// Losses of a batch in plain memory, and with `learn` the gradients of their weighted sum at all matrices.
///
/// # Errors
/// None in plain memory.
pub fn losses(
    ptp: &Ptp,
    params: &Params,
    batch: &[Example],
    weights: Weights,
    learn: bool,
) -> Result<(Losses, Option<Vec<Vec<f32>>>), ScreenshotError> {
    let mut tape = Tape::new(&params.mats);
    let found = Batch::of(ptp, batch, weights).terms(ptp, &mut tape, weights).read(&tape)?;
    Ok((found, learn.then(|| tape.backward())))
}

//! Both losses of a batch, and their gradients.

use crate::study::screenshot::{
    bpe::START,
    losses::standardised,
    model::{
        Params,
        ptp::{Picture, Ptp},
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
pub fn pixel_targets(pictures: &[Picture], length: usize) -> Vec<f32> {
    let mut targets = vec![];
    for picture in pictures {
        for patch in picture.counted() {
            let values: Vec<f64> = picture.patches[patch * length..(patch + 1) * length].iter().map(|&v| f64::from(v)).collect();
            targets.extend(standardised(&values).into_iter().map(|v| v as f32));
        }
    }
    targets
}

/// Losses of a batch, and with `learn` the gradients of their weighted sum at all matrices.
#[must_use]
pub fn losses(ptp: &Ptp, params: &Params, batch: &[Example], weights: Weights, learn: bool) -> (Losses, Option<Vec<Vec<f32>>>) {
    let pictures: Vec<Picture> = batch.iter().map(|example| example.picture.clone()).collect();
    let labels: Vec<&[u32]> = batch.iter().map(|example| &example.labels[..]).collect();
    let mut tape = Tape::new(&params.mats);
    let found = on_tape(ptp, &mut tape, &pictures, &labels, weights);
    (found, learn.then(|| tape.backward()))
}

/// Writes both losses on a tape; texts and pictures may be of different examples (a shuffled picture shows whether a model reads).
pub fn on_tape(ptp: &Ptp, tape: &mut Tape<'_>, pictures: &[Picture], labels: &[&[u32]], weights: Weights) -> Losses {
    let mut found = Losses::default();
    let encoded = ptp.encode(tape, pictures);
    if weights.pixel > 0.0
        && let Some(redrawn) = ptp.redraw(tape, &encoded)
    {
        let targets = pixel_targets(pictures, ptp.config.patch_len);
        found.patches = tape.value(redrawn).rows;
        let errors = tape.squared_error(redrawn, &targets, (weights.pixel / found.patches as f64) as f32);
        found.pixel = mean(&errors);
    }
    if weights.text > 0.0 && labels.iter().any(|labels| !labels.is_empty()) {
        let most = ptp.config.tokens;
        let labels: Vec<&[u32]> = labels.iter().map(|labels| &labels[..labels.len().min(most)]).collect();
        // Shifted right, the start in front; a text without tokens still has its start, which counts for nothing.
        let inputs = labels
            .iter()
            .map(|labels| [START].into_iter().chain(labels.iter().copied()).take(labels.len().max(1)).collect())
            .collect::<Vec<_>>();
        let targets: Vec<u32> = labels.iter().flat_map(|labels| if labels.is_empty() { vec![START] } else { labels.to_vec() }).collect();
        found.tokens = labels.iter().map(|labels| labels.len()).sum();
        let weight = (weights.text / found.tokens as f64) as f32;
        let counts: Vec<f32> =
            labels.iter().flat_map(|labels| if labels.is_empty() { vec![0.0] } else { vec![weight; labels.len()] }).collect();
        let logits = ptp.write(tape, &encoded, &inputs);
        let losses = tape.cross_entropy(logits, &targets, &counts);
        found.text = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / weights.text;
    }
    found
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len().max(1) as f64
}

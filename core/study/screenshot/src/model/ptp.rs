//! Patch-and-text prediction: one encoder of pictures, two decoders of what it read.
//!
//! **Method.** The encoder sees CLS and the visible patches up to the end marker. The pixel decoder gets its output back in the places of the patches, a learned vector where one is hidden, and
//! redraws; hidden patches count, each standardised by its own mean and variance. The text decoder writes the undamaged text with cross-attention to the encoder's output. **Source.** Gao et
//! al. (2024); He et al., "Masked Autoencoders" (2022), for the two-decoder shape.

use std::{borrow::Borrow, ops::Range};

use super::{
    calls::{Calls, Spans, Var},
    config::{ModelConfig, Tower},
    kernels::{Attention, Gate},
    params::{self, Params, Spec},
};
use crate::patches::positions;
use vitrine_core::train::mat::Mat;

/// Patches come as `byte / 255`, white 1.0, and are projected as this times their ink, `1 - value`. That is the same family of projections, with weights and bias written otherwise, but
/// white paper no longer drowns the letters: measured, a model begins to read within 200 steps where it had not within 1,000.
pub(super) const INK_GAIN: f32 = 4.0;
/// Of vision norms.
const EPS: f32 = 1e-12;
/// Of the text decoder's.
const TEXT_EPS: f32 = 1e-5;

/// Walks over a model's matrices in the order in which they were listed.
pub(super) struct Walk {
    pub next: usize,
}

impl Walk {
    pub fn take(&mut self, tape: &impl Calls) -> Var {
        self.next += 1;
        tape.param(self.next - 1)
    }

    fn linear(&mut self, tape: &mut impl Calls, x: Var) -> Var {
        let (w, b) = (self.take(tape), self.take(tape));
        tape.linear(x, w, Some(b))
    }

    fn norm(&mut self, tape: &mut impl Calls, x: Var, eps: f32) -> Var {
        let (scale, shift) = (self.take(tape), self.take(tape));
        tape.norm(x, scale, shift, eps)
    }

    /// Pre-norm layers with attention inside each span, and the last norm; with the last layer's attention.
    pub fn vision(&mut self, tape: &mut impl Calls, mut x: Var, tower: Tower, spans: &Spans) -> (Var, Option<Var>) {
        let mut attention_of_last = None;
        let d_head = tower.width / tower.heads;
        let attention =
            Attention { heads: tower.heads, d_head, q: 0, k: tower.width, v: 2 * tower.width, scale: 1.0 / (d_head as f32).sqrt() };
        for _ in 0..tower.layers {
            let normal = self.norm(tape, x, EPS);
            let qkv = self.linear(tape, normal);
            let read = tape.attend(qkv, qkv, attention, spans.clone());
            attention_of_last = Some(read);
            let read = self.linear(tape, read);
            x = tape.add(x, read);
            let normal = self.norm(tape, x, EPS);
            let up = self.linear(tape, normal);
            let hidden = tape.gelu(up);
            let down = self.linear(tape, hidden);
            x = tape.add(x, down);
        }
        (self.norm(tape, x, EPS), attention_of_last)
    }
}

/// One picture as the encoder gets it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    /// All patches, `[patches, patch_len]`.
    pub patches: Vec<f32>,
    /// Patches attended to: all from the first to the end marker.
    pub attended: usize,
    /// Which patches are hidden; none, or one flag a patch.
    pub hidden: Vec<bool>,
}

impl Picture {
    fn is_hidden(&self, patch: usize) -> bool {
        self.hidden.get(patch).copied().unwrap_or(false)
    }

    /// Patches that count for the pixel loss: hidden and attended to.
    pub fn counted(&self) -> impl Iterator<Item = usize> {
        (0..self.attended).filter(|&patch| self.is_hidden(patch))
    }
}

/// Pictures as the encoder's rows.
#[derive(Debug, Clone, Default)]
pub struct Laid {
    /// Ink of the visible patches, text by text.
    patches: Mat,
    /// Row of the table of positions for each.
    places: Vec<usize>,
    /// What stands in each row: 0 for CLS, else one more than the number of a visible patch.
    order: Vec<usize>,
    spans: Vec<Range<usize>>,
    rows: Vec<Vec<Option<usize>>>,
}

/// What the encoder read: rows of CLS and visible patches, text by text.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub out: Var,
    pub spans: Vec<Range<usize>>,
    /// The last layer's attention ([`super::tape::Tape::attention_weights`]); none without layers.
    pub attention: Option<Var>,
    /// For each text the row of each attended patch, or none where it is hidden.
    pub rows: Vec<Vec<Option<usize>>>,
}

/// What the text decoder wrote.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// `[all tokens, vocab]`.
    pub logits: Var,
    /// The last layer's attention to what the encoder read; none without layers.
    pub cross: Option<Var>,
}

/// A model's shape with its tables of positions.
#[derive(Debug, Clone)]
pub struct Ptp {
    pub config: ModelConfig,
    encoder_positions: Mat,
    pixel_positions: Mat,
    pixel_from: usize,
    text_from: usize,
}

impl Ptp {
    #[must_use]
    pub fn new(config: ModelConfig) -> Self {
        let table = |width: usize| Mat::of(width, positions(config.grid, config.patches, width));
        let pixel_from = params::encoder_specs(&config).len();
        Self {
            encoder_positions: table(config.encoder.width),
            pixel_positions: table(config.pixel.width),
            pixel_from,
            text_from: pixel_from + params::pixel_specs(&config).len(),
            config,
        }
    }

    /// All matrices of a model: encoder, pixel decoder, text decoder.
    #[must_use]
    pub fn specs(&self) -> Vec<Spec> {
        [params::encoder_specs(&self.config), params::pixel_specs(&self.config), params::text_specs(&self.config)].concat()
    }

    /// Fresh numbers.
    #[must_use]
    pub fn init(&self, seed: u64) -> Params {
        Params::new(self.specs(), seed)
    }

    /// Lays pictures out as rows, without any model's numbers: on any thread, ahead of the step that reads them.
    #[must_use]
    pub fn lay_out(&self, pictures: &[impl Borrow<Picture>]) -> Laid {
        let length = self.config.patch_len;
        let (mut patches, mut places) = (vec![], vec![]);
        // Row 0 of what the texts are put together from is CLS.
        let (mut order, mut spans, mut rows) = (vec![], vec![], vec![]);
        for picture in pictures {
            let picture: &Picture = picture.borrow();
            let start = order.len();
            order.push(0);
            let mut of_patch = Vec::with_capacity(picture.attended);
            for patch in 0..picture.attended.min(self.config.patches) {
                if picture.is_hidden(patch) {
                    of_patch.push(None);
                    continue;
                }
                of_patch.push(Some(order.len()));
                places.push(patch + 1);
                order.push(places.len());
                patches.extend(picture.patches[patch * length..(patch + 1) * length].iter().map(|value| INK_GAIN * (1.0 - value)));
            }
            spans.push(start..order.len());
            rows.push(of_patch);
        }
        Laid { patches: Mat { rows: places.len(), cols: length, data: patches }, places, order, spans, rows }
    }

    /// Reads pictures. The first parameters are the encoder's.
    pub fn encode(&self, tape: &mut impl Calls, pictures: &[impl Borrow<Picture>]) -> Encoded {
        self.encode_laid(tape, self.lay_out(pictures))
    }

    /// As [`Self::encode`], of what is laid out.
    pub fn encode_laid(&self, tape: &mut impl Calls, laid: Laid) -> Encoded {
        let Laid { patches, places, order, spans, rows } = laid;
        let mut walk = Walk { next: 0 };
        let given = tape.given(patches);
        let drawn = walk.linear(tape, given);
        let table = tape.given(self.encoder_positions.clone());
        let at = tape.rows(table, places);
        let drawn = tape.add(drawn, at);
        let cls = walk.take(tape);
        let all = tape.under(vec![cls, drawn]);
        let x = tape.rows(all, order);
        let inside = Spans { queries: spans.clone(), keys: spans.clone(), causal: false };
        let (out, attention) = walk.vision(tape, x, self.config.encoder, &inside);
        Encoded { out, spans, attention, rows }
    }

    /// Redraws the hidden patches that count, text by text: `[counted, patch_len]`, standardised; nothing where no patch counts.
    pub fn redraw(&self, tape: &mut impl Calls, encoded: &Encoded) -> Option<Var> {
        let mut walk = Walk { next: self.pixel_from };
        let inner = walk.linear(tape, encoded.out);
        let mask = walk.take(tape);
        let n = tape.rows_of(inner);
        let all = tape.under(vec![inner, mask]);
        let (mut order, mut places, mut spans, mut counted) = (vec![], vec![], vec![], vec![]);
        for (span, rows) in encoded.spans.iter().zip(&encoded.rows) {
            let start = order.len();
            order.push(span.start);
            places.push(0);
            for (patch, row) in rows.iter().enumerate() {
                if row.is_none() {
                    counted.push(order.len());
                }
                order.push(row.unwrap_or(n));
                places.push(patch + 1);
            }
            spans.push(start..order.len());
        }
        if counted.is_empty() {
            return None;
        }
        let x = tape.rows(all, order);
        let table = tape.given(self.pixel_positions.clone());
        let at = tape.rows(table, places);
        let x = tape.add(x, at);
        let (x, _) = walk.vision(tape, x, self.config.pixel, &Spans { queries: spans.clone(), keys: spans, causal: false });
        let x = tape.rows(x, counted);
        Some(walk.linear(tape, x))
    }

    /// Logits of every position of texts, one text a picture; `tokens` are the decoder's inputs (`<s>` first). `[all tokens, vocab]`.
    pub fn write(&self, tape: &mut impl Calls, encoded: &Encoded, tokens: &[Vec<u32>]) -> Var {
        self.written(tape, encoded, tokens).logits
    }

    /// As [`Self::write`], with where it looked.
    pub fn written(&self, tape: &mut impl Calls, encoded: &Encoded, tokens: &[Vec<u32>]) -> Written {
        let tower = self.config.text;
        let d_head = tower.width / tower.heads;
        // Scores are not divided by sqrt(d_head): the queries' init makes up for it.
        let attention = Attention { heads: tower.heads, d_head, q: 0, k: 0, v: tower.width, scale: 1.0 };
        let mut walk = Walk { next: self.text_from };
        let (embedding, table) = (walk.take(tape), walk.take(tape));
        let (mut ids, mut places, mut spans) = (vec![], vec![], vec![]);
        for text in tokens {
            let start = ids.len();
            ids.extend(text.iter().map(|&id| id as usize));
            places.extend((0..text.len()).map(|place| place + 2));
            spans.push(start..ids.len());
        }
        let words = tape.rows(embedding, ids);
        let at = tape.rows(table, places);
        let mut x = tape.add(words, at);
        let normal = walk.norm(tape, x, TEXT_EPS);
        if self.config.embedding_norm {
            x = normal;
        }
        let own = Spans { queries: spans.clone(), keys: spans.clone(), causal: true };
        let across = Spans { queries: spans, keys: encoded.spans.clone(), causal: false };
        let mut cross = None;
        for _ in 0..tower.layers {
            for (source, spans) in [(None, &own), (Some(encoded.out), &across)] {
                let normal = walk.norm(tape, x, TEXT_EPS);
                let (wq, wkv, wo) = (walk.take(tape), walk.take(tape), walk.take(tape));
                let q = tape.linear(normal, wq, None);
                let kv = tape.linear(source.unwrap_or(normal), wkv, None);
                let read = tape.attend(q, kv, attention, spans.clone());
                cross = Some(read);
                let read = tape.linear(read, wo, None);
                x = tape.add(x, read);
            }
            let normal = walk.norm(tape, x, TEXT_EPS);
            let (up, down) = (walk.take(tape), walk.take(tape));
            let hidden = tape.linear(normal, up, None);
            let hidden = tape.gated(Gate::Gelu, hidden);
            let out = tape.linear(hidden, down, None);
            x = tape.add(x, out);
        }
        let x = walk.norm(tape, x, TEXT_EPS);
        Written { logits: tape.linear_tied(x, embedding), cross }
    }
}

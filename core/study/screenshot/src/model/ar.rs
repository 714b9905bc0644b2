//! The autoregressive model: patches and tokens in one line, each place predicting the next.
//!
//! **Method.** A Llama decoder (RMSNorm, rotary positions, `SwiGLU`, causal attention). A patch enters by a linear layer, a token by its embedding; at a place before a patch a second linear layer
//! redraws it, standardised by its own mean and variance, before a token the output matrix names it. The line is BOS, `<img>`, the patches of each row and a newline token, `</img>`, the text
//! ([`ArLayout`]). Patches of the white tail are hidden from attention in the published code; here they are not in the line at all, their numbers are left out of the positions, and the
//! last patch with ink is what the newline token is predicted from. **Source.** Gao et al. (2024), section on autoregressive screenshot models, and its code.

mod going;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use going::Going;

use super::{
    calls::{Calls, Spans, Term, Terms, Var, part_size},
    config::Tower,
    kernels::{Attention, Gate},
    params::{Begin, Params, Spec},
    ptp::INK_GAIN,
    tape::Tape,
};
use crate::{
    ScreenshotError,
    bpe::START,
    losses::{IGNORE, standardised},
    sequence::{ArIds, ArLayout},
};
use vitrine_core::{decode::scorer::log_softmax, train::mat::Mat};

/// Tokens beside the vocabulary: `<img>`, `</img>` and the newline of patches.
const EXTRA: usize = 3;
const EPS: f32 = 1e-5;
const STD: Begin = Begin::Normal(0.02);

/// Shape of an autoregressive model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArConfig {
    pub tower: Tower,
    /// Patches side by side, and rows of them.
    pub columns: usize,
    pub rows: usize,
    pub patch_len: usize,
    /// Tokens of text.
    pub vocab: usize,
    /// Most places of a line.
    pub limit: usize,
    pub rope_base: f64,
}

impl Default for ArConfig {
    /// The size two cores train in minutes; a page of six lines.
    fn default() -> Self {
        Self {
            tower: Tower { layers: 4, width: 128, heads: 4, mlp: 352 },
            columns: 12,
            rows: 6,
            patch_len: 256,
            vocab: 300,
            limit: 768,
            rope_base: 10_000.0,
        }
    }
}

impl ArConfig {
    /// # Errors
    /// The first number that makes no model.
    pub fn check(&self) -> Result<(), String> {
        let Tower { layers, width, heads, mlp } = self.tower;
        if heads == 0 || width == 0 || width % heads != 0 || (width / heads) % 2 != 0 || mlp == 0 {
            return Err(format!("a width of {width} does not make {heads} heads of even width"));
        }
        if layers > 64 || width > 8192 || mlp > 65_536 {
            return Err("more than 64 layers, or wider than 8,192".to_owned());
        }
        if !(self.rope_base.is_finite() && self.rope_base > 1.0) {
            return Err("rope_base has to be above 1".to_owned());
        }
        let sizes =
            [("columns", self.columns), ("rows", self.rows), ("patch_len", self.patch_len), ("vocab", self.vocab), ("limit", self.limit)];
        match sizes.iter().find(|(_, size)| *size == 0 || *size > 1 << 20) {
            Some((name, size)) => Err(format!("{name} is {size}")),
            None if self.columns.saturating_mul(self.rows) > 1 << 20 => {
                Err(format!("{} rows of {} patches are too many", self.rows, self.columns))
            }
            None => Ok(()),
        }
    }

    fn ids(&self) -> ArIds {
        let [image, image_end, newline, patch] = [0, 1, 2, 3].map(|extra| (self.vocab + extra) as u32);
        ArIds { bos: START, image, image_end, patch, newline }
    }
}

/// What comes before a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Context<'a> {
    Nothing,
    /// All patches `[patches, patch_len]`, and how many are attended to.
    Picture(&'a [f32], usize),
    Text(&'a [u32]),
}

/// One place of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Token(usize),
    Patch(usize),
}

/// A context and a text as a line, and what each place has to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    picture: &'a [f32],
    places: Vec<Place>,
    positions: Vec<usize>,
    /// Places that have to name a token, and it.
    tokens: Vec<(usize, u32)>,
    /// Places that have to redraw a patch, and it.
    patches: Vec<(usize, usize)>,
    /// How many of `tokens`, the last ones, are the text's.
    text: usize,
    /// The limit left no room for all of the context.
    short: bool,
}

impl<'a> Line<'a> {
    /// The line of a context and a text.
    #[must_use]
    pub fn new(config: &ArConfig, context: Context<'a>, text: &[u32]) -> Self {
        let (picture, layout, header) = match context {
            Context::Picture(picture, attended) => {
                let seen = seen(config, picture, attended);
                let layout = ArLayout::new(config.rows, config.columns, &seen, text, config.ids(), config.limit);
                (picture, layout, 3 + config.rows * (config.columns + 1))
            }
            Context::Nothing => (&[][..], words_alone(&[], text, config.limit), 1),
            Context::Text(before) => (&[][..], words_alone(before, text, config.limit), 1 + before.len()),
        };
        let mut line =
            Self { picture, places: vec![], positions: vec![], tokens: vec![], patches: vec![], text: 0, short: layout.ids.len() < header };
        for (at, &id) in layout.ids.iter().enumerate().filter(|&(at, _)| layout.attention[at]) {
            // What is hidden predicts nothing and is not seen: the place before predicts this one.
            if let (Some(from), Some(target)) = (line.places.len().checked_sub(1), at.checked_sub(1)) {
                if layout.text_target[target] != IGNORE {
                    line.tokens.push((from, id));
                    line.text += usize::from(at >= header);
                }
                if layout.pixel_target[target] {
                    line.patches.extend(layout.patch[at].map(|patch| (from, patch)));
                }
            }
            line.places.push(layout.patch[at].map_or(Place::Token(id as usize), Place::Patch));
            line.positions.push(at);
        }
        line
    }
}

impl Line<'_> {
    /// Whether the limit left no room for the context and all of a text of this many tokens.
    #[must_use]
    pub fn is_cut(&self, text: usize) -> bool {
        self.short || self.text < text
    }
}

/// Which patches are in the line: in each row those up to the last one with ink.
fn seen(config: &ArConfig, picture: &[f32], attended: usize) -> Vec<bool> {
    let mut seen = vec![false; config.columns * config.rows];
    for (row, seen) in seen.chunks_exact_mut(config.columns).enumerate() {
        let ink = |column: &usize| {
            let patch = row * config.columns + column;
            let values = picture.get(patch * config.patch_len..(patch + 1) * config.patch_len).unwrap_or_default();
            patch < attended && values.iter().any(|&value| value != values[0])
        };
        let end = (0..config.columns).rev().find(ink).map_or(0, |last| last + 1);
        seen[..end].fill(true);
    }
    seen
}

/// BOS, a context in words and a text: nothing to redraw.
fn words_alone(before: &[u32], text: &[u32], limit: usize) -> ArLayout {
    let ids: Vec<u32> = [START].into_iter().chain(before.iter().copied()).chain(text.iter().copied()).take(limit).collect();
    let n = ids.len();
    ArLayout {
        attention: vec![true; n],
        patch: vec![None; n],
        text_target: ids.iter().skip(1).map(|&id| i64::from(id)).collect(),
        pixel_target: vec![false; n.saturating_sub(1)],
        ids,
    }
}

/// Losses of lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArLosses {
    /// Nats of each token of each text, in order (what the limit cut off is not there).
    pub text: Vec<Vec<f32>>,
    /// Mean over all predicted tokens: texts, contexts in words, newlines of patches.
    pub tokens: f64,
    /// Mean standardised squared error of patches; 0 where none is predicted.
    pub pixel: f64,
}

/// Lines as rows.
#[derive(Debug, Clone, Default)]
pub struct ArLaid {
    /// Ink of the patches, line by line.
    patches: Mat,
    /// What stands in each row: a token's number, or one behind the tokens for each patch.
    order: Vec<usize>,
    positions: Vec<usize>,
    spans: Vec<Range<usize>>,
    /// Rows that have to name a token, and it.
    named: Vec<usize>,
    labels: Vec<u32>,
    /// Rows that have to redraw a patch, and it, standardised.
    redrawn: Vec<usize>,
    targets: Vec<f32>,
    /// Tokens and patches that count in the whole batch: losses are means over it.
    whole: [usize; 2],
}

/// An autoregressive model's shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Ar {
    pub config: ArConfig,
}

impl Ar {
    /// All matrices.
    #[must_use]
    pub fn specs(&self) -> Vec<Spec> {
        let ArConfig { tower, patch_len, vocab, .. } = self.config;
        let width = tower.width;
        let mut to = vec![];
        let mut add = |name: String, rows: usize, cols: usize, begin: Begin| to.push(Spec { name, rows, cols, begin });
        add("ar.patch_in.weight".into(), patch_len, width, STD);
        add("ar.patch_in.bias".into(), 1, width, Begin::Constant(0.0));
        add("ar.embedding".into(), vocab + EXTRA, width, STD);
        for layer in 0..tower.layers {
            add(format!("ar.{layer}.norm1"), 1, width, Begin::Constant(1.0));
            add(format!("ar.{layer}.qkv"), width, 3 * width, STD);
            add(format!("ar.{layer}.out"), width, width, STD);
            add(format!("ar.{layer}.norm2"), 1, width, Begin::Constant(1.0));
            add(format!("ar.{layer}.gate_up"), width, 2 * tower.mlp, STD);
            add(format!("ar.{layer}.down"), tower.mlp, width, STD);
        }
        add("ar.norm".into(), 1, width, Begin::Constant(1.0));
        add("ar.output".into(), width, vocab + EXTRA, STD);
        add("ar.patch_out.weight".into(), width, patch_len, STD);
        add("ar.patch_out.bias".into(), 1, patch_len, Begin::Constant(0.0));
        to
    }

    /// Fresh numbers.
    #[must_use]
    pub fn init(&self, seed: u64) -> Params {
        Params::new(self.specs(), seed)
    }

    /// Lays lines out as rows, without any model's numbers: on any thread, ahead of the step that reads them.
    #[must_use]
    pub fn lay_out(&self, lines: &[Line<'_>]) -> ArLaid {
        let ArConfig { patch_len, vocab, .. } = self.config;
        let mut laid = ArLaid { patches: Mat { rows: 0, cols: patch_len, data: vec![] }, ..ArLaid::default() };
        for line in lines {
            let start = laid.order.len();
            let values = |patch: usize| &line.picture[patch * patch_len..(patch + 1) * patch_len];
            for place in &line.places {
                match *place {
                    Place::Token(id) => laid.order.push(id),
                    Place::Patch(patch) => {
                        laid.order.push(vocab + EXTRA + laid.patches.rows);
                        laid.patches.rows += 1;
                        laid.patches.data.extend(values(patch).iter().map(|value| INK_GAIN * (1.0 - value)));
                    }
                }
            }
            laid.positions.extend_from_slice(&line.positions);
            laid.spans.push(start..laid.order.len());
            laid.named.extend(line.tokens.iter().map(|&(from, _)| start + from));
            laid.labels.extend(line.tokens.iter().map(|&(_, id)| id));
            laid.redrawn.extend(line.patches.iter().map(|&(from, _)| start + from));
            for &(_, patch) in &line.patches {
                let values: Vec<f64> = values(patch).iter().map(|&v| f64::from(v)).collect();
                laid.targets.extend(standardised(&values).into_iter().map(|v| v as f32));
            }
        }
        laid.whole = [laid.named.len(), laid.redrawn.len()];
        laid
    }

    /// The same as at most so many parts, whose losses add up to those of all.
    #[must_use]
    pub fn lay_out_parts(&self, lines: &[Line<'_>], parts: usize) -> Vec<ArLaid> {
        let mut laid: Vec<ArLaid> = lines.chunks(part_size(lines.len(), parts)).map(|lines| self.lay_out(lines)).collect();
        let whole = laid.iter().fold([0; 2], |sums, part| [sums[0] + part.whole[0], sums[1] + part.whole[1]]);
        for part in &mut laid {
            part.whole = whole;
        }
        laid
    }

    /// The stream behind the last norm, a row a place, line after line; and of each layer queries, keys and values `[places, 3 width]`, turned by their positions.
    ///
    /// One line may go on behind `past`, what each layer had of the places before it (nothing for a line from its beginning).
    fn read(&self, tape: &mut impl Calls, laid: &mut ArLaid, past: &[Mat]) -> (Var, Vec<Var>) {
        let ArConfig { tower, rope_base, .. } = self.config;
        let [patch_in, patch_bias, embedding] = [0, 1, 2].map(|number| tape.param(number));
        let given = tape.given(std::mem::take(&mut laid.patches));
        let patches = tape.linear(given, patch_in, Some(patch_bias));
        let all = tape.under(vec![embedding, patches]);
        let mut x = tape.rows(all, std::mem::take(&mut laid.order));
        let (width, d_head) = (tower.width, tower.width / tower.heads);
        let attention = Attention { heads: tower.heads, d_head, q: 0, k: width, v: 2 * width, scale: 1.0 / (d_head as f32).sqrt() };
        let spans = Spans { queries: laid.spans.clone(), keys: std::mem::take(&mut laid.spans), causal: true };
        let mut turned_of = vec![];
        for layer in 0..tower.layers {
            let [norm1, qkv, out, norm2, gate_up, down] = std::array::from_fn(|part| tape.param(3 + 6 * layer + part));
            let normal = tape.rms_norm(x, norm1, EPS);
            let all = tape.linear(normal, qkv, None);
            let turned = tape.rotated(all, 2 * width, d_head, &laid.positions, rope_base);
            turned_of.push(turned);
            let read = match past.get(layer).filter(|past| past.rows > 0) {
                None => tape.attend(turned, turned, attention, spans.clone()),
                Some(past) => {
                    let keys = tape.given(past.clone());
                    let keys = tape.under(vec![keys, turned]);
                    let new = tape.rows_of(turned);
                    // One row at a time sees all before it and itself, so nothing has to be hidden.
                    let [queries, keys_of] = [new, past.rows + new].map(|rows| std::iter::once(0..rows).collect());
                    let spans = Spans { queries, keys: keys_of, causal: false };
                    tape.attend(turned, keys, attention, spans)
                }
            };
            let read = tape.linear(read, out, None);
            x = tape.add(x, read);
            let normal = tape.rms_norm(x, norm2, EPS);
            let up = tape.linear(normal, gate_up, None);
            let hidden = tape.gated(Gate::Silu, up);
            let down = tape.linear(hidden, down, None);
            x = tape.add(x, down);
        }
        (tape.rms_norm(x, tape.param(self.tail()), EPS), turned_of)
    }

    /// Number of the last norm; output matrix and patch layer follow.
    fn tail(&self) -> usize {
        3 + 6 * self.config.tower.layers
    }

    /// Both losses of lines, with weights 1 and 1: of tokens in nats, and of patches.
    pub fn terms(&self, tape: &mut impl Calls, mut laid: ArLaid) -> Terms {
        let (x, _) = self.read(tape, &mut laid, &[]);
        let ArLaid { named, labels, redrawn, targets, whole: [tokens_of_all, patches_of_all], .. } = laid;
        let (mut tokens, mut pixel) = (None, None);
        let tail = self.tail();
        if !redrawn.is_empty() {
            let weight = 1.0 / patches_of_all as f32;
            let rows = tape.rows(x, redrawn);
            let (w, b) = (tape.param(tail + 2), tape.param(tail + 3));
            let patches = tape.linear(rows, w, Some(b));
            let errors = tape.squared_error(patches, &targets, weight);
            pixel = Some(Term { all: [f64::from(weight), 1.0], ..Term::sum(errors) });
        }
        if !named.is_empty() {
            let n = named.len();
            let rows = tape.rows(x, named);
            let output = tape.param(tail + 1);
            let logits = tape.linear(rows, output, None);
            let weight = 1.0 / tokens_of_all as f32;
            let losses = tape.cross_entropy(logits, &labels, &vec![weight; n]);
            tokens = Some(Term { each: [1.0, weight], all: [1.0, tokens_of_all as f64], ..Term::sum(losses) });
        }
        [tokens, pixel]
    }

    /// Losses of lines, read back.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`] where a device fails.
    pub fn losses(&self, tape: &mut impl Calls, lines: &[Line<'_>]) -> Result<ArLosses, ScreenshotError> {
        let [tokens, pixel] = self.terms(tape, self.lay_out(lines));
        let mut found = ArLosses::default();
        if let Some(term) = pixel {
            found.pixel = term.of(&tape.read(term.rows)?.data);
        }
        if let Some(term) = tokens {
            let losses = tape.read(term.rows)?.data;
            found.tokens = term.of(&losses);
            let mut from = 0;
            for line in lines {
                let to = from + line.tokens.len();
                found.text.push(losses[to - line.text..to].iter().map(|loss| loss / term.each[1]).collect());
                from = to;
            }
        }
        Ok(found)
    }

    /// Places of a picture with what stands around it.
    #[must_use]
    pub fn header(&self) -> usize {
        3 + self.config.rows * (self.config.columns + 1)
    }

    /// Log-probabilities of the token after each line, `[lines, vocab]`, in nats: image tokens cannot come. None for a model whose numbers are none.
    #[must_use]
    pub fn next(&self, params: &Params, lines: &[Line<'_>]) -> Option<Vec<Vec<f64>>> {
        let mut tape = Tape::new(&params.mats);
        let (x, _) = self.read(&mut tape, &mut self.lay_out(lines), &[]);
        let mut end = 0;
        let last = lines.iter().map(|line| {
            end += line.places.len();
            end - 1
        });
        let rows = tape.rows(x, last.collect());
        let output = tape.param(self.tail() + 1);
        let logits = tape.linear(rows, output, None);
        let mat = tape.value(logits);
        (0..mat.rows).map(|row| log_softmax(&mat.row(row)[..self.config.vocab])).collect()
    }
}

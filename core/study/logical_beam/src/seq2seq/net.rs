//! The network: an encoder of what is read and a decoder of what is written, with a head that copies.
//!
//! **Method.** Two layers of self-attention read the input; two layers write, attending to what is written and to what was read. Normalisation comes before each part, and positions are sines. The
//! next piece is one of the vocabulary or a copy of a piece of the input: scores of both share one softmax, and what says the same piece adds up. Input and output share their vectors.
//!
//! **Sources.** Vaswani et al., NeurIPS 2017; Gu et al., ACL 2016 (copying); Xiong et al., ICML 2020 (where the normalisation stands).

use std::ops::Range;
use vitrine_core::train::mat::Mat;

use serde::{Deserialize, Serialize};

use super::super::model::tape::{Tape, Var};
use vitrine_core::train::rng::Stream;

/// Sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetConfig {
    /// Pieces of the vocabulary.
    pub pieces: usize,
    pub width: usize,
    pub heads: usize,
    /// Of the perceptron in each layer.
    pub inner: usize,
    /// Layers that read, and layers that write.
    pub readers: usize,
    pub writers: usize,
}

impl NetConfig {
    /// The small model: some 0.8 million numbers with 2,000 pieces.
    pub fn small(pieces: usize) -> Self {
        Self { pieces, width: 128, heads: 4, inner: 192, readers: 2, writers: 2 }
    }

    /// Whether all sizes are in bounds.
    pub fn is_sound(&self) -> bool {
        let Self { pieces, width, heads, inner, readers, writers } = *self;
        (3..=1 << 17).contains(&pieces)
            && [width, inner].into_iter().all(|n| (1..=8192).contains(&n))
            && (1..=64).contains(&heads)
            && width.is_multiple_of(heads)
            && width.is_multiple_of(2)
            && [readers, writers].into_iter().all(|n| (1..=32).contains(&n))
    }
}

/// Parameters of a block of attention: gain and bias of its normalisation, then query, key, value and output.
const ATTENTION: usize = 6;
/// Of a perceptron: gain, bias, first matrix and bias, second matrix and bias.
const PERCEPTRON: usize = 6;
const EMBED: usize = 0;
const LAYERS: usize = 1;

/// Names and shapes of the parameters, in order.
pub fn shapes(c: &NetConfig) -> Vec<(String, [usize; 2])> {
    let (d, f) = (c.width, c.inner);
    let mut all = vec![("pieces".to_owned(), [c.pieces, d])];
    let attention = |prefix: String, all: &mut Vec<(String, [usize; 2])>| {
        let parts = [("gain", [1, d]), ("bias", [1, d]), ("query", [d, d]), ("key", [d, d]), ("value", [d, d]), ("output", [d, d])];
        all.extend(parts.map(|(part, shape)| (format!("{prefix}.{part}"), shape)));
    };
    let perceptron = |prefix: String, all: &mut Vec<(String, [usize; 2])>| {
        let parts = [("gain", [1, d]), ("bias", [1, d]), ("in", [d, f]), ("in.bias", [1, f]), ("out", [f, d]), ("out.bias", [1, d])];
        all.extend(parts.map(|(part, shape)| (format!("{prefix}.{part}"), shape)));
    };
    for layer in 0..c.readers {
        attention(format!("reader.{layer}.self"), &mut all);
        perceptron(format!("reader.{layer}.perceptron"), &mut all);
    }
    for layer in 0..c.writers {
        attention(format!("writer.{layer}.self"), &mut all);
        attention(format!("writer.{layer}.input"), &mut all);
        perceptron(format!("writer.{layer}.perceptron"), &mut all);
    }
    for (name, shape) in [
        ("read.gain", [1, d]),
        ("read.bias", [1, d]),
        ("written.gain", [1, d]),
        ("written.bias", [1, d]),
        ("copy.query", [d, d]),
        ("copy.key", [d, d]),
    ] {
        all.push((name.to_owned(), shape));
    }
    all
}

/// Random parameters.
pub fn init(config: &NetConfig, seed: u64) -> Vec<Mat> {
    let one = |(name, [rows, cols]): (String, [usize; 2])| {
        let mut stream = Stream::new(seed, &name, 1);
        if name.ends_with("gain") {
            return Mat::of(cols, vec![1.0; rows * cols]);
        }
        let scale = match name.as_str() {
            "pieces" => 1.0 / (cols as f64).sqrt(),
            name if name.ends_with("bias") => 0.0,
            // What is added to the stream begins small.
            name if matches!(name.rsplit('.').next(), Some("output" | "out")) => 0.5 / (rows as f64).sqrt(),
            _ => 1.0 / (rows as f64).sqrt(),
        };
        Mat::of(cols, (0..rows * cols).map(|_| (scale * stream.normal()) as f32).collect())
    };
    shapes(config).into_iter().map(one).collect()
}

/// Keys and values of a layer, of what was read or of what is written so far.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    pub keys: Var,
    pub values: Var,
}

/// What was read, as the layers that write see it.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Of each layer.
    pub layers: Vec<Kept>,
    /// For copies, `[piece of the input, width]`.
    pub copies: Var,
}

/// The calls of the network. `drop` scales numbers of some matrices, in training only.
pub struct Net<'n> {
    pub config: &'n NetConfig,
}

type Drop<'d, 'a> = &'d mut dyn FnMut(&mut Tape<'a>, Var) -> Var;

impl Net<'_> {
    /// Vectors of pieces at their places, `[piece, width]`.
    fn embedded(&self, tape: &mut Tape<'_>, pieces: &[u32], places: impl Iterator<Item = usize>) -> Var {
        let width = self.config.width;
        let table = tape.param(EMBED);
        let rows = tape.rows(table, pieces.iter().map(|&piece| piece as usize).collect());
        let scaled = tape.scaled(rows, vec![(width as f32).sqrt(); pieces.len() * width]);
        let mut data = Vec::with_capacity(pieces.len() * width);
        for place in places.take(pieces.len()) {
            for i in 0..width / 2 {
                let angle = place as f32 / 10_000_f32.powf(2.0 * i as f32 / width as f32);
                data.extend([angle.sin(), angle.cos()]);
            }
        }
        let places = tape.given(Mat::of(width, data));
        tape.add(scaled, places)
    }

    fn normal(tape: &mut Tape<'_>, x: Var, first: usize) -> Var {
        let (gain, bias) = (tape.param(first), tape.param(first + 1));
        tape.norm(x, gain, bias)
    }

    fn product(tape: &mut Tape<'_>, x: Var, param: usize) -> Var {
        let w = tape.param(param);
        tape.linear(x, w, None)
    }

    fn perceptron<'a>(tape: &mut Tape<'a>, x: Var, first: usize, drop: Drop<'_, 'a>) -> Var {
        let y = Self::normal(tape, x, first);
        let [w, b, v, c] = [2, 3, 4, 5].map(|i| tape.param(first + i));
        let y = tape.linear(y, w, Some(b));
        let y = tape.relu(y);
        let y = tape.linear(y, v, Some(c));
        let y = drop(tape, y);
        tape.add(x, y)
    }

    fn attended<'a>(
        &self,
        tape: &mut Tape<'a>,
        (x, first): (Var, usize),
        qkv: [Var; 3],
        spans: &[Range<usize>],
        drop: Drop<'_, 'a>,
    ) -> Var {
        let y = tape.heads(qkv, spans.to_vec(), self.config.heads);
        let y = Self::product(tape, y, first + 5);
        let y = drop(tape, y);
        tape.add(x, y)
    }

    /// Reads inputs that lie one behind the other, each in its span.
    pub fn read<'a>(&self, tape: &mut Tape<'a>, pieces: &[u32], inputs: &[Range<usize>], drop: Drop<'_, 'a>) -> Memory {
        let places = inputs.iter().flat_map(|input| 0..input.len());
        let mut x = self.embedded(tape, pieces, places);
        x = drop(tape, x);
        let spans: Vec<Range<usize>> = inputs.iter().flat_map(|input| std::iter::repeat_n(input.clone(), input.len())).collect();
        let mut at = LAYERS;
        for _ in 0..self.config.readers {
            let y = Self::normal(tape, x, at);
            let qkv = [2, 3, 4].map(|i| Self::product(tape, y, at + i));
            x = self.attended(tape, (x, at), qkv, &spans, drop);
            at += ATTENTION;
            x = Self::perceptron(tape, x, at, drop);
            at += PERCEPTRON;
        }
        let last = LAYERS + (ATTENTION + PERCEPTRON) * self.config.readers + (2 * ATTENTION + PERCEPTRON) * self.config.writers;
        let x = Self::normal(tape, x, last);
        let of_layer = |tape: &mut Tape<'a>, layer: usize| {
            let first = at + (2 * ATTENTION + PERCEPTRON) * layer + ATTENTION;
            Kept { keys: Self::product(tape, x, first + 3), values: Self::product(tape, x, first + 4) }
        };
        let layers = (0..self.config.writers).map(|layer| of_layer(tape, layer)).collect();
        Memory { layers, copies: Self::product(tape, x, last + 5) }
    }

    /// Writes: rows are pieces at their places; `past` gives each layer's keys and values, from those of these rows, and the spans of what each row sees of them; `inputs` is each row's span of what was
    /// read. Returns the scores of all pieces, `[row, pieces]`, and of copies, one row's under the other's.
    pub fn write<'a>(
        &self,
        tape: &mut Tape<'a>,
        (pieces, places): (&[u32], &[usize]),
        (memory, inputs): (&Memory, &[Range<usize>]),
        past: &mut dyn FnMut(&mut Tape<'a>, usize, Kept) -> (Kept, Vec<Range<usize>>),
        drop: Drop<'_, 'a>,
    ) -> (Var, Var) {
        let mut x = self.embedded(tape, pieces, places.iter().copied());
        x = drop(tape, x);
        let mut at = LAYERS + (ATTENTION + PERCEPTRON) * self.config.readers;
        for (layer, read) in memory.layers.iter().enumerate() {
            let y = Self::normal(tape, x, at);
            let [q, keys, values] = [2, 3, 4].map(|i| Self::product(tape, y, at + i));
            let (kept, spans) = past(tape, layer, Kept { keys, values });
            x = self.attended(tape, (x, at), [q, kept.keys, kept.values], &spans, drop);
            at += ATTENTION;
            let y = Self::normal(tape, x, at);
            let q = Self::product(tape, y, at + 2);
            x = self.attended(tape, (x, at), [q, read.keys, read.values], inputs, drop);
            at += ATTENTION;
            x = Self::perceptron(tape, x, at, drop);
            at += PERCEPTRON;
        }
        let x = Self::normal(tape, x, at + 2);
        let table = tape.param(EMBED);
        let words = tape.against(x, table);
        let q = Self::product(tape, x, at + 4);
        (words, tape.near(q, memory.copies, inputs.to_vec()))
    }
}

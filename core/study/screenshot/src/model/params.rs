//! The numbers of a model, by name, and how they begin.
//!
//! **Init** (the published code's): linear weights N(0, 0.02), biases 0, norms 1 and 0, CLS and mask token N(0, 0.02). In the text decoder, whose scores are not divided by `sqrt(d_head)`,
//! queries begin with a deviation of `(d * d_head)^-1/2`, keys, values and embeddings `d^-1/2`, attention's output `(heads * d_head)^-1/2`, the MLP's input `d^-1/2`, its output `d_ff^-1/2`.

use super::config::{ModelConfig, Tower};
use vitrine_core::train::mat::Mat;
use vitrine_core::train::rng::Stream;

/// How a matrix begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Begin {
    Normal(f64),
    Constant(f32),
}

/// One matrix of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub name: String,
    pub rows: usize,
    pub cols: usize,
    pub begin: Begin,
}

impl Spec {
    /// Whether weight decay pulls it towards 0: matrices, not biases and norms.
    #[must_use]
    pub fn decays(&self) -> bool {
        self.rows > 1 && matches!(self.begin, Begin::Normal(_))
    }
}

/// Of the text decoder's last norm.
const OUTPUT_SCALE: f32 = 0.25;
const STD: Begin = Begin::Normal(0.02);

fn spec(name: impl Into<String>, rows: usize, cols: usize, begin: Begin) -> Spec {
    Spec { name: name.into(), rows, cols, begin }
}

fn norm(to: &mut Vec<Spec>, name: &str, width: usize) {
    to.push(spec(format!("{name}.scale"), 1, width, Begin::Constant(1.0)));
    to.push(spec(format!("{name}.shift"), 1, width, Begin::Constant(0.0)));
}

fn linear(to: &mut Vec<Spec>, name: &str, rows: usize, cols: usize) {
    to.push(spec(format!("{name}.weight"), rows, cols, STD));
    to.push(spec(format!("{name}.bias"), 1, cols, Begin::Constant(0.0)));
}

/// Pre-norm layers of a vision transformer: 12 matrices each.
pub(super) fn vision(to: &mut Vec<Spec>, name: &str, tower: Tower) {
    for layer in 0..tower.layers {
        let part = |part: &str| format!("{name}.{layer}.{part}");
        norm(to, &part("norm1"), tower.width);
        linear(to, &part("qkv"), tower.width, 3 * tower.width);
        linear(to, &part("out"), tower.width, tower.width);
        norm(to, &part("norm2"), tower.width);
        linear(to, &part("up"), tower.width, tower.mlp);
        linear(to, &part("down"), tower.mlp, tower.width);
    }
    norm(to, &format!("{name}.norm"), tower.width);
}

/// Layers of the text decoder: self-attention, cross-attention, gated MLP; no biases but the norms'.
fn text(to: &mut Vec<Spec>, config: &ModelConfig) {
    let (tower, source) = (config.text, config.encoder.width);
    let (d, d_head) = (tower.width as f64, (tower.width / tower.heads.max(1)) as f64);
    let [query, key, out] = [(d * d_head).powf(-0.5), d.powf(-0.5), d.powf(-0.5)].map(Begin::Normal);
    to.push(spec("text.embedding", config.vocab, tower.width, key));
    // Learned positions begin at 2; 1 is that of padding.
    to.push(spec("text.positions", config.tokens + 2, tower.width, key));
    norm(to, "text.embedding_norm", tower.width);
    for layer in 0..tower.layers {
        let part = |part: &str| format!("text.{layer}.{part}");
        norm(to, &part("norm1"), tower.width);
        to.push(spec(part("self.query"), tower.width, tower.width, query));
        to.push(spec(part("self.key_value"), tower.width, 2 * tower.width, key));
        to.push(spec(part("self.out"), tower.width, tower.width, out));
        norm(to, &part("norm2"), tower.width);
        to.push(spec(part("cross.query"), tower.width, tower.width, query));
        to.push(spec(part("cross.key_value"), source, 2 * tower.width, Begin::Normal((source as f64).powf(-0.5))));
        to.push(spec(part("cross.out"), tower.width, tower.width, out));
        norm(to, &part("norm3"), tower.width);
        to.push(spec(part("up"), tower.width, 2 * tower.mlp, key));
        to.push(spec(part("down"), tower.mlp, tower.width, Begin::Normal((tower.mlp as f64).powf(-0.5))));
    }
    // Small at first, so that an untrained model guesses evenly although the output matrix is that of the embeddings.
    to.push(spec("text.norm.scale", 1, tower.width, Begin::Constant(OUTPUT_SCALE)));
    to.push(spec("text.norm.shift", 1, tower.width, Begin::Constant(0.0)));
}

/// The encoder's matrices: what fine-tuning keeps.
#[must_use]
pub fn encoder_specs(config: &ModelConfig) -> Vec<Spec> {
    let mut to = vec![];
    linear(&mut to, "encoder.patch", config.patch_len, config.encoder.width);
    to.push(spec("encoder.cls", 1, config.encoder.width, STD));
    vision(&mut to, "encoder", config.encoder);
    to
}

/// The pixel decoder's.
#[must_use]
pub fn pixel_specs(config: &ModelConfig) -> Vec<Spec> {
    let mut to = vec![];
    linear(&mut to, "pixel.in", config.encoder.width, config.pixel.width);
    to.push(spec("pixel.mask", 1, config.pixel.width, STD));
    vision(&mut to, "pixel", config.pixel);
    linear(&mut to, "pixel.patch", config.pixel.width, config.patch_len);
    to
}

/// The text decoder's.
#[must_use]
pub fn text_specs(config: &ModelConfig) -> Vec<Spec> {
    let mut to = vec![];
    text(&mut to, config);
    to
}

/// Numbers of some matrices.
#[must_use]
pub fn count(specs: &[Spec]) -> usize {
    specs.iter().map(|spec| spec.rows * spec.cols).sum()
}

/// Matrices with their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    pub specs: Vec<Spec>,
    pub mats: Vec<Mat>,
}

impl Params {
    /// Fresh numbers: each matrix has a stream of its own, so that models that share a part begin alike there.
    #[must_use]
    pub fn new(specs: Vec<Spec>, seed: u64) -> Self {
        let fresh = |spec: &Spec| {
            let mut random = Stream::new(seed, &spec.name, 0);
            let n = spec.rows * spec.cols;
            let data = match spec.begin {
                Begin::Normal(std) => (0..n).map(|_| (std * random.normal()) as f32).collect(),
                Begin::Constant(value) => vec![value; n],
            };
            Mat { rows: spec.rows, cols: spec.cols, data }
        };
        Self { mats: specs.iter().map(fresh).collect(), specs }
    }

    /// Takes over the matrices that `from` has by the same name and shape; returns how many.
    pub fn take_over(&mut self, from: &Self) -> usize {
        let mut taken = 0;
        for (spec, mat) in self.specs.iter().zip(&mut self.mats) {
            let same = |(other, _): &(&Spec, &Mat)| (&other.name, other.rows, other.cols) == (&spec.name, spec.rows, spec.cols);
            if let Some((_, given)) = from.specs.iter().zip(&from.mats).find(same) {
                mat.data.clone_from(&given.data);
                taken += 1;
            }
        }
        taken
    }
}

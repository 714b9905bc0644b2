//! BERT: a transformer that reads a text in both directions, and the sentence vectors made of it.
//!
//! **Idea.** Every token sees every other; what comes out is a vector for each token in its context. The mean over a text's tokens, scaled to length 1, is a vector for the text:
//! close texts have a large inner product.
//!
//! **Method.** Post-norm blocks: `x = norm(x + attention(x))`, `x = norm(x + mlp(x))`, exact GELU, learned positions, one type for all tokens. Texts of similar length are run
//! together, padded to the right; the products and the attention are the kernels of the other models. Computed in the CPU's plain memory.
//!
//! **Source.** Devlin et al., NAACL 2019; sentence vectors as in Reimers and Gurevych, EMNLP 2019; the weights' names are those of the published checkpoints.

mod golden;
#[cfg(test)]
mod tests;

use thiserror::Error;

use super::{
    Linear, Norm,
    cpu::{
        self, Host,
        attention::{Heads, Visible, attend},
    },
    load::transpose,
};
use crate::{
    formats::{FormatError, WeightSource, weights::check_finite},
    tensor::{Device, Tensor},
    text::tokenizer::Tokenizer,
};

pub use golden::golden;

/// Most layers, numbers of a token and tokens of a vocabulary: far above any encoder that fits memory.
const MOST_LAYERS: usize = 96;
const MOST_WIDTH: usize = 8192;
const MOST_TOKENS: usize = 1 << 20;
/// About so many tokens are run at once.
const TOKENS_AT_ONCE: usize = 512;

/// Why weights make no encoder, or a text cannot be read.
#[derive(Debug, Error)]
pub enum BertError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("the encoder's {what} is {found}; supported are {supported}")]
    Unsupported { what: &'static str, found: usize, supported: &'static str },
    #[error("token {token} is outside the vocabulary of {vocab}")]
    Token { token: u32, vocab: usize },
    #[error("a text of {found} tokens; the encoder reads 1 to {most}")]
    Length { found: usize, most: usize },
    #[error("the tokenizer has no token {0}")]
    NoToken(&'static str),
}

/// What the tensors' shapes do not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BertConfig {
    pub heads: usize,
    pub norm_eps: f64,
}

impl Default for BertConfig {
    /// Those of MiniLM-L6.
    fn default() -> Self {
        Self { heads: 12, norm_eps: 1e-12 }
    }
}

/// One layer.
#[derive(Debug, Clone)]
struct Layer {
    /// `[width, 3 width]`: q, k and v of all heads.
    qkv: Linear,
    attention_out: Linear,
    norm_attention: Norm,
    mlp_in: Linear,
    mlp_out: Linear,
    norm_mlp: Norm,
}

/// The encoder.
#[derive(Debug, Clone)]
pub struct Bert {
    heads: usize,
    width: usize,
    vocab: usize,
    positions: usize,
    /// `[vocab, width]`, row-major.
    tokens: Vec<f32>,
    /// `[position, width]`, the type of all tokens added.
    places: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

/// Reads tensors; linear maps are stored `[out, in]`.
struct Reader<'a>(&'a dyn WeightSource, Device);

impl Reader<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, FormatError> {
        let values = self.0.read_shaped(name, shape)?;
        check_finite(name, &values)?;
        Ok(values)
    }

    /// Several maps of the same input as one, side by side.
    fn linear(&self, names: &[String], d_in: usize, d_out: usize) -> Result<Linear, FormatError> {
        let (mut rows, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            rows.extend(self.values(&format!("{name}.weight"), &[d_out, d_in])?);
            bias.extend(self.values(&format!("{name}.bias"), &[d_out])?);
        }
        let wide = d_out * names.len();
        let weight = cpu::tensor(transpose(&rows, wide, d_in), [d_in, wide], &self.1);
        Ok(Linear::new(weight, Some(cpu::tensor(bias, [wide], &self.1))))
    }

    fn norm(&self, name: &str, width: usize, eps: f64) -> Result<Norm, FormatError> {
        let vector = |part: &str| Ok::<_, FormatError>(cpu::tensor(self.values(&format!("{name}.{part}"), &[width])?, [width], &self.1));
        Ok(Norm::Layer { scale: vector("weight")?, shift: vector("bias")?, eps })
    }
}

impl Bert {
    /// The encoder of a checkpoint with the published names.
    ///
    /// # Errors
    /// [`BertError`] for tensors that are missing, misshapen or not finite, and for sizes out of bounds.
    pub fn load(source: &dyn WeightSource, config: BertConfig) -> Result<Self, BertError> {
        let shape = |name: &str| match source.info(name).map(|info| info.shape).as_deref() {
            Some(&[a, b]) => Ok([a, b]),
            _ => Err(FormatError::missing(format!("matrix {name}"))),
        };
        let word_embeddings = "embeddings.word_embeddings.weight";
        let [vocab, width] = shape(word_embeddings)?;
        let [positions, _] = shape("embeddings.position_embeddings.weight")?;
        let [types, _] = shape("embeddings.token_type_embeddings.weight")?;
        let layer = |l: usize, part: &str| format!("encoder.layer.{l}.{part}");
        let layers = (0..=MOST_LAYERS).take_while(|&l| source.info(&layer(l, "output.dense.weight")).is_some()).count();
        let [inner, _] = shape(&layer(0, "intermediate.dense.weight"))?;
        let within = |what, found, most, supported| {
            if (1..=most).contains(&found) { Ok(()) } else { Err(BertError::Unsupported { what, found, supported }) }
        };
        within("number of layers", layers, MOST_LAYERS, "1 to 96")?;
        within("width", width, MOST_WIDTH, "1 to 8192")?;
        within("inner width", inner, 4 * MOST_WIDTH, "1 to 32768")?;
        within("vocabulary", vocab, MOST_TOKENS, "1 to 1048576 tokens")?;
        within("number of positions", positions, MOST_TOKENS, "1 to 1048576")?;
        within("number of token types", types, MOST_TOKENS, "1 to 1048576")?;
        if config.heads == 0 || !width.is_multiple_of(config.heads) {
            return Err(BertError::Unsupported { what: "number of heads", found: config.heads, supported: "those that divide the width" });
        }
        let reader = Reader(source, Device::flex());
        let mut places = reader.values("embeddings.position_embeddings.weight", &[positions, width])?;
        let first_type = reader.values("embeddings.token_type_embeddings.weight", &[types, width])?;
        for row in places.chunks_exact_mut(width) {
            row.iter_mut().zip(&first_type).for_each(|(x, t)| *x += t);
        }
        let norm = |name: &str| reader.norm(name, width, config.norm_eps);
        let read = |l: usize| -> Result<Layer, FormatError> {
            let one = |part: &str, d_in, d_out| reader.linear(&[layer(l, part)], d_in, d_out);
            let qkv = ["query", "key", "value"].map(|part| layer(l, &format!("attention.self.{part}")));
            Ok(Layer {
                qkv: reader.linear(&qkv, width, width)?,
                attention_out: one("attention.output.dense", width, width)?,
                norm_attention: norm(&layer(l, "attention.output.LayerNorm"))?,
                mlp_in: one("intermediate.dense", width, inner)?,
                mlp_out: one("output.dense", inner, width)?,
                norm_mlp: norm(&layer(l, "output.LayerNorm"))?,
            })
        };
        Ok(Self {
            heads: config.heads,
            width,
            vocab,
            positions,
            tokens: reader.values(word_embeddings, &[vocab, width])?,
            places,
            norm: norm("embeddings.LayerNorm")?,
            layers: (0..layers).map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Numbers of a token.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Longest text, in tokens.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The vectors of a text's tokens, `[position, width]`.
    ///
    /// # Errors
    /// As [`Bert::encode_all`].
    pub fn encode(&self, tokens: &[u32]) -> Result<Vec<f32>, BertError> {
        Ok(self.encode_all(&[tokens.to_vec()])?.pop().unwrap_or_default())
    }

    /// The vectors of the tokens of each text, `[position, width]`; many at once are faster than one by one.
    ///
    /// # Errors
    /// [`BertError::Length`] for a text without tokens or with too many, [`BertError::Token`] for one outside the vocabulary.
    pub fn encode_all(&self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, BertError> {
        for text in texts {
            if !(1..=self.positions).contains(&text.len()) {
                return Err(BertError::Length { found: text.len(), most: self.positions });
            }
            if let Some(&token) = text.iter().find(|&&token| token as usize >= self.vocab) {
                return Err(BertError::Token { token, vocab: self.vocab });
            }
        }
        // By length, so that little is padded.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| texts[i].len());
        let mut found = vec![Vec::new(); texts.len()];
        let mut rest = &order[..];
        while let Some(&first) = rest.first() {
            let fits = |n: usize| rest.get(n - 1).is_some_and(|&last| texts[last].len() * n <= TOKENS_AT_ONCE);
            let n = (1..=rest.len()).take_while(|&n| n == 1 || fits(n)).last().unwrap_or(1);
            let (batch, later) = rest.split_at(n);
            debug_assert!(batch.contains(&first));
            let batch_texts: Vec<&[u32]> = batch.iter().map(|&i| &texts[i][..]).collect();
            for (&i, vectors) in batch.iter().zip(self.forward(&batch_texts)) {
                found[i] = vectors;
            }
            rest = later;
        }
        Ok(found)
    }

    /// A vector of length 1 for a text.
    ///
    /// # Errors
    /// As [`Bert::encode_all`].
    pub fn sentence(&self, tokens: &[u32]) -> Result<Vec<f32>, BertError> {
        Ok(unit_mean(&self.encode(tokens)?, self.width))
    }

    fn forward(&self, texts: &[&[u32]]) -> Vec<Vec<f32>> {
        let (d, device) = (self.width, Device::flex());
        let seq = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let mut values = vec![0.0_f32; texts.len() * seq * d];
        for (text, rows) in texts.iter().zip(values.chunks_exact_mut(seq * d)) {
            for ((&token, row), place) in text.iter().zip(rows.chunks_exact_mut(d)).zip(self.places.chunks_exact(d)) {
                let token = &self.tokens[token as usize * d..][..d];
                row.iter_mut().zip(token).zip(place).for_each(|((x, t), p)| *x = t + p);
            }
        }
        let shape = [texts.len() * seq, d];
        let mut x = self.norm.apply(cpu::tensor(values, shape, &device));
        let visible = Visible::Lengths(texts.iter().map(|text| text.len()).collect());
        let heads = Heads { heads: self.heads, kv_heads: self.heads, visible: &visible, angles: None };
        let split = [texts.len(), seq, 3 * self.heads, d / self.heads];
        for layer in &self.layers {
            let qkv: Tensor<4> = layer.qkv.apply(x.clone()).reshape(split).permute([0, 2, 1, 3]);
            let dims = qkv.dims();
            let attended = match Host::new(qkv) {
                Ok(qkv) => attend(heads, qkv, dims, &device).permute([0, 2, 1, 3]).reshape(shape),
                // The CPU's memory is plain: there is no other device here.
                Err(_) => x.clone(),
            };
            x = layer.norm_attention.apply(x + layer.attention_out.apply(attended));
            let mut inner = cpu::into_vec(layer.mlp_in.apply(x.clone()));
            for x in &mut inner {
                *x = gelu(*x);
            }
            let width = inner.len() / shape[0].max(1);
            x = layer.norm_mlp.apply(x + layer.mlp_out.apply(cpu::tensor(inner, [shape[0], width], &device)));
        }
        let values = cpu::into_vec(x);
        texts.iter().zip(values.chunks_exact(seq * d)).map(|(text, rows)| rows[..text.len() * d].to_vec()).collect()
    }
}

/// The mean of rows of `width`, scaled to length 1.
pub fn unit_mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0_f32; width];
    for row in rows.chunks_exact(width.max(1)) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
    }
    unit(mean)
}

/// A vector scaled to length 1; zero stays zero.
pub fn unit(mut x: Vec<f32>) -> Vec<f32> {
    let square: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
    for x in &mut x {
        *x = (f64::from(*x) * scale) as f32;
    }
    x
}

/// `x (1 + erf(x / sqrt 2)) / 2`, with erf to 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let tail = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_8) * t - 0.284_496_74) * t + 0.254_829_6) * t * (-z * z).exp();
    0.5 * if x < 0.0 { x * tail } else { x * (2.0 - tail) }
}

/// An encoder with its tokenizer: texts in, vectors out.
pub struct Sentences {
    pub bert: Bert,
    tokenizer: Tokenizer,
    start: u32,
    end: u32,
}

impl Sentences {
    /// # Errors
    /// [`BertError::NoToken`] where the tokenizer lacks the tokens that begin and end a text.
    pub fn new(bert: Bert, tokenizer: Tokenizer) -> Result<Self, BertError> {
        let token = |name| tokenizer.raw_token_id(name).ok_or(BertError::NoToken(name));
        let (start, end) = (token("[CLS]")?, token("[SEP]")?);
        Ok(Self { bert, tokenizer, start, end })
    }

    /// The tokens of a text between those that begin and end it; what does not fit is cut off.
    ///
    /// # Errors
    /// [`FormatError::Limit`] for a text that no tokenizer reads.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, BertError> {
        let mut tokens = vec![self.start];
        tokens.extend(self.tokenizer.encode(text)?);
        tokens.truncate(self.bert.positions().saturating_sub(1));
        tokens.push(self.end);
        Ok(tokens)
    }

    /// Unit vectors of texts.
    ///
    /// # Errors
    /// As [`Bert::encode_all`].
    pub fn sentences(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BertError> {
        let tokens = texts.iter().map(|text| self.tokens(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.bert.encode_all(&tokens)?.iter().map(|rows| unit_mean(rows, self.bert.width())).collect())
    }

    /// For each text, given as its words, a vector a word: the mean over its tokens in context, `[word, width]`. Words past the longest text are zero, as are words
    /// without tokens.
    ///
    /// # Errors
    /// As [`Bert::encode_all`].
    pub fn words(&self, texts: &[Vec<String>]) -> Result<Vec<Vec<f32>>, BertError> {
        let d = self.bert.width();
        let (mut tokens, mut ends) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
        for words in texts {
            let (mut text, mut ends_of) = (vec![self.start], Vec::with_capacity(words.len()));
            for word in words {
                let pieces = self.tokenizer.encode(word)?;
                if text.len() + pieces.len() < self.bert.positions() {
                    text.extend(pieces);
                }
                ends_of.push(text.len());
            }
            text.push(self.end);
            tokens.push(text);
            ends.push(ends_of);
        }
        let mean = |(rows, ends): (Vec<f32>, &Vec<usize>)| {
            let mut out = vec![0.0; ends.len() * d];
            let mut from = 1;
            for (word, &end) in out.chunks_exact_mut(d).zip(ends) {
                for row in rows[from * d..end * d].chunks_exact(d) {
                    word.iter_mut().zip(row).for_each(|(w, x)| *w += x / (end - from) as f32);
                }
                from = end;
            }
            out
        };
        Ok(self.bert.encode_all(&tokens)?.into_iter().zip(&ends).map(mean).collect())
    }
}

//! Weights in: from a checkpoint's names and layouts to [`Transformer`].
//!
//! | layout | where it comes from |
//! | --- | --- |
//! | Hugging Face GPT-2 | `wte`, `h.{l}.attn.c_attn` (already `[in, out]`), with or without the prefix `transformer.` |
//! | Hugging Face Llama, Qwen2 | `model.layers.{l}.self_attn.q_proj` (`[out, in]`) |
//! | GGUF gpt2, llama | `blk.{l}.attn_q` (`[out, in]`; llama's q and k rows permuted for rotation of adjacent pairs) |
//! | Tracr | `token_embed`, `layers.{l}.W_Q`, right-multiplied |
//! | vitrine | the names of [`super::params`], config in the file's metadata |
//!
//! Nothing is folded, centred or re-quantised. Two layouts change, both exactly: q, k and v become one matrix, and adjacent-pair rotation becomes half-split by permuting the rows of q
//! and k (the permutation is the same for both, so attention scores stay what they were).

use crate::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

use super::{
    Activation, Biases, Block, Linear, Norm, NormKind, Positions, Transformer, TransformerConfig,
    layout::{Ends, Layout, unpaired},
};
use crate::formats::{
    FormatError, WeightSource,
    config::{self as described, ModelDescription},
    weights::check_finite,
};

/// Key of the config in the metadata of vitrine's own files.
pub const CONFIG_KEY: &str = "vitrine.transformer/1";

/// Why weights do not make a model.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("this model's {what} is {found}; vitrine runs {supported}")]
    Unsupported { what: &'static str, found: String, supported: &'static str },
    #[error("the file's `{CONFIG_KEY}` metadata is no transformer config: {reason}")]
    BadConfig { reason: String },
}

struct Reader<'a> {
    source: &'a dyn WeightSource,
    device: &'a Device,
    /// Whether matrices are stored `[out, in]`.
    transposed: bool,
}

impl Reader<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let values = self.source.read_shaped(name, shape)?;
        check_finite(name, &values)?;
        Ok(values)
    }

    /// A matrix as `[d_in, d_out]`, row-major.
    fn matrix(&self, name: &str, d_in: usize, d_out: usize) -> Result<Vec<f32>, LoadError> {
        if self.transposed { Ok(transpose(&self.values(name, &[d_out, d_in])?, d_out, d_in)) } else { self.values(name, &[d_in, d_out]) }
    }

    fn tensor2(&self, values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    fn vector(&self, name: &str, len: usize) -> Result<Tensor<1>, LoadError> {
        Ok(Tensor::from_data(TensorData::new(self.values(name, &[len])?, [len]), self.device))
    }

    fn norm(&self, config: &TransformerConfig, name: &str) -> Result<Norm, LoadError> {
        let d = config.d_model;
        Ok(match config.norm {
            NormKind::None => Norm::None,
            NormKind::Layer { eps } => {
                Norm::Layer { scale: self.vector(&format!("{name}.weight"), d)?, shift: self.vector(&format!("{name}.bias"), d)?, eps }
            }
            NormKind::Rms { eps } => Norm::Rms { scale: self.vector(&format!("{name}.weight"), d)?, eps },
        })
    }

    /// Several stored maps from the same input as one, side by side.
    fn joined(&self, names: &[(&str, usize)], d_in: usize, bias: bool, unpair: &[Option<usize>]) -> Result<Linear, LoadError> {
        let width: usize = names.iter().map(|(_, d_out)| d_out).sum();
        let mut weight = vec![0.0_f32; d_in * width];
        let mut biases = Vec::with_capacity(if bias { width } else { 0 });
        let mut at = 0;
        for ((name, d_out), unpair) in names.iter().zip(unpair) {
            let mut part = self.matrix(&format!("{name}.weight"), d_in, *d_out)?;
            if let Some(d_head) = unpair {
                part.chunks_exact_mut(*d_out).for_each(|row| unpair_heads(row, *d_head));
            }
            for (to, from) in weight.chunks_exact_mut(width).zip(part.chunks_exact(*d_out)) {
                to[at..at + d_out].copy_from_slice(from);
            }
            if bias {
                let mut part = self.values(&format!("{name}.bias"), &[*d_out])?;
                if let Some(d_head) = unpair {
                    unpair_heads(&mut part, *d_head);
                }
                biases.extend(part);
            }
            at += d_out;
        }
        let bias = bias.then(|| Tensor::from_data(TensorData::new(biases, [width]), self.device));
        Ok(Linear::new(self.tensor2(weight, [d_in, width]), bias))
    }
}

/// Reorders a row of heads from adjacent pairs (0, 1), (2, 3), … to half-split pairs (0, d/2), (1, d/2 + 1), ….
fn unpair_heads(row: &mut [f32], d_head: usize) {
    for head in row.chunks_exact_mut(d_head) {
        let paired = head.to_vec();
        let (first, second) = head.split_at_mut(d_head / 2);
        for (i, pair) in paired.chunks_exact(2).enumerate() {
            first[i] = pair[0];
            second[i] = pair[1];
        }
    }
}

/// `[rows, columns]` to `[columns, rows]`, by blocks that fit a cache.
pub(super) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const BLOCK: usize = 32;
    let mut out = vec![0.0; values.len()];
    for r0 in (0..rows).step_by(BLOCK) {
        for c0 in (0..columns).step_by(BLOCK) {
            for r in r0..(r0 + BLOCK).min(rows) {
                for c in c0..(c0 + BLOCK).min(columns) {
                    out[c * rows + r] = values[r * columns + c];
                }
            }
        }
    }
    out
}

impl TryFrom<&ModelDescription> for TransformerConfig {
    type Error = LoadError;

    fn try_from(d: &ModelDescription) -> Result<Self, LoadError> {
        let activation = match (d.activation, d.gated_mlp) {
            (described::Activation::GeluNew, false) => Activation::GeluTanh,
            (described::Activation::Relu, false) => Activation::Relu,
            (described::Activation::Silu, true) => Activation::SwiGlu,
            (kind, gated) => {
                let found = format!("{kind:?}{}", if gated { ", gated" } else { "" });
                return Err(LoadError::Unsupported {
                    what: "activation",
                    found,
                    supported: "gelu_new and relu without a gate, silu with one",
                });
            }
        };
        Ok(Self {
            n_layers: d.n_layers,
            d_model: d.d_model,
            n_heads: d.n_heads,
            n_kv_heads: d.n_kv_heads,
            d_head: d.d_head,
            d_mlp: d.d_mlp,
            vocab_size: d.vocab_size,
            d_out: d.vocab_size,
            max_positions: d.max_positions,
            norm: match d.norm {
                described::NormKind::LayerNorm => NormKind::Layer { eps: d.norm_eps },
                described::NormKind::RmsNorm => NormKind::Rms { eps: d.norm_eps },
            },
            positions: match d.positions {
                described::Positions::Learned => Positions::Learned,
                described::Positions::Rope { base, .. } => Positions::Rotary { base },
            },
            activation,
            causal: true,
            tied: d.tied_embeddings,
            biases: Biases { qkv: d.biases.qkv, attn_out: d.biases.attention_out, mlp: d.biases.mlp },
        })
    }
}

/// Builds a GPT-2, Llama or Qwen2 model from a Hugging Face checkpoint or a GGUF, told apart by their tensor names.
///
/// # Errors
/// [`LoadError`] for missing, misshapen or non-finite tensors and for choices that the forward pass does not know.
pub fn load(description: &ModelDescription, source: &dyn WeightSource, device: &Device) -> Result<Transformer, LoadError> {
    let config = TransformerConfig::try_from(description)?;
    let layout = Layout::of(description, source);
    let reader = Reader { source, device, transposed: layout.transposed() };
    let TransformerConfig { d_model, d_head, vocab_size, .. } = config;
    let (q_width, kv_width) = (config.n_heads * d_head, config.n_kv_heads * d_head);
    let unpair = unpaired(description).then_some(d_head);
    let block = |layer: usize| -> Result<Block, LoadError> {
        let n = layout.layer(layer);
        let qkv = if n.k.is_empty() {
            reader.joined(&[(&n.q, q_width + 2 * kv_width)], d_model, config.biases.qkv, &[None])?
        } else {
            reader.joined(&[(&n.q, q_width), (&n.k, kv_width), (&n.v, kv_width)], d_model, config.biases.qkv, &[unpair, unpair, None])?
        };
        let mlp_in: Vec<(&str, usize)> = n.mlp_in.iter().map(|name| (name.as_str(), config.d_mlp)).collect();
        Ok(Block {
            norm_attn: reader.norm(&config, &n.norm_attn)?,
            qkv,
            attn_out: reader.joined(&[(&n.out, d_model)], q_width, config.biases.attn_out, &[None])?,
            norm_mlp: reader.norm(&config, &n.norm_mlp)?,
            mlp_in: reader.joined(&mlp_in, d_model, config.biases.mlp, &vec![None; mlp_in.len()])?,
            mlp_out: reader.joined(&[(&n.mlp_out, d_model)], config.d_mlp, config.biases.mlp, &[None])?,
        })
    };
    let Ends { tok, pos, norm, head } = layout.ends();
    Ok(Transformer {
        config,
        tok_embed: reader.tensor2(reader.values(tok, &[vocab_size, d_model])?, [vocab_size, d_model]),
        pos_embed: match config.positions {
            Positions::Learned => {
                Some(reader.tensor2(reader.values(pos, &[config.max_positions, d_model])?, [config.max_positions, d_model]))
            }
            Positions::Rotary { .. } => None,
        },
        blocks: (0..config.n_layers).map(block).collect::<Result<_, _>>()?,
        final_norm: reader.norm(&config, norm)?,
        unembed: if config.tied {
            None
        } else {
            let values = transpose(&reader.values(head, &[vocab_size, d_model])?, vocab_size, d_model);
            Some(reader.tensor2(values, [d_model, vocab_size]))
        },
        unembed_blocks: None,
    })
}

/// Builds a compiled Tracr program, as its `config` describes it, from its tensors (`layers.{l}.W_Q`, …).
///
/// # Errors
/// As [`load`].
pub fn load_tracr(config: TransformerConfig, source: &dyn WeightSource, device: &Device) -> Result<Transformer, LoadError> {
    let reader = Reader { source, device, transposed: false };
    let TransformerConfig { d_model, d_mlp, .. } = config;
    let heads = config.n_heads * config.d_head;
    // Tracr's names are `W_Q` and `b_Q` where others have `.weight` and `.bias`.
    let matrix = |layer: usize, part: &str, shape: [usize; 2]| reader.values(&format!("layers.{layer}.W_{part}"), &shape);
    let bias = |layer: usize, part: &str, len: usize| reader.values(&format!("layers.{layer}.b_{part}"), &[len]);
    let vector = |values: Vec<f32>| {
        let len = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [len]), device)
    };
    let linear = |layer: usize, part: &str, d_in: usize, d_out: usize| -> Result<Linear, LoadError> {
        Ok(Linear::new(reader.tensor2(matrix(layer, part, [d_in, d_out])?, [d_in, d_out]), Some(vector(bias(layer, part, d_out)?))))
    };
    let block = |layer: usize| -> Result<Block, LoadError> {
        let parts = ["Q", "K", "V"].map(|part| linear(layer, part, d_model, heads));
        let [q, k, v] = parts;
        let (q, k, v) = (q?, k?, v?);
        let bias = [q.bias, k.bias, v.bias].into_iter().flatten().collect();
        Ok(Block {
            norm_attn: Norm::None,
            qkv: Linear::new(Tensor::cat(vec![q.weight, k.weight, v.weight], 1), Some(Tensor::cat(bias, 0))),
            attn_out: linear(layer, "O", heads, d_model)?,
            norm_mlp: Norm::None,
            mlp_in: linear(layer, "in", d_model, d_mlp)?,
            mlp_out: linear(layer, "out", d_mlp, d_model)?,
        })
    };
    Ok(Transformer {
        config,
        tok_embed: reader.tensor2(reader.values("token_embed", &[config.vocab_size, d_model])?, [config.vocab_size, d_model]),
        pos_embed: Some(reader.tensor2(reader.values("pos_embed", &[config.max_positions, d_model])?, [config.max_positions, d_model])),
        blocks: (0..config.n_layers).map(block).collect::<Result<_, _>>()?,
        final_norm: Norm::None,
        unembed: Some(reader.tensor2(reader.values("unembed", &[d_model, config.d_out])?, [d_model, config.d_out])),
        unembed_blocks: None,
    })
}

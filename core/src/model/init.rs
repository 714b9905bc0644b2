//! Fresh weights, as GPT-2 draws them.
//!
//! Matrices are normal with standard deviation 0.02, those that write to the residual stream scaled down by `1 / sqrt(2 * n_layers)` (Radford et al. 2019, section 2.3);
//! biases and shifts are 0, norm scales 1. Every matrix has its own random stream, named after it, so its values do not depend on any other.

use crate::tensor::{Device, Tensor, TensorData};

use super::{Block, Linear, Norm, NormKind, Positions, Transformer, TransformerConfig};
use crate::train::rng::Stream;

impl Transformer {
    /// A transformer with random weights, the same for the same `seed` everywhere.
    pub fn init(config: TransformerConfig, seed: u64, device: &Device) -> Self {
        let TransformerConfig { d_model, d_head, d_mlp, .. } = config;
        let matrix = |name: &str, rows: usize, columns: usize, scale: f64| {
            let mut stream = Stream::new(seed, name, 0);
            let values: Vec<f32> = (0..rows * columns).map(|_| (stream.normal() * 0.02 * scale) as f32).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let linear = |name: String, rows: usize, columns: usize, scale: f64, bias: bool| {
            Linear::new(matrix(&name, rows, columns, scale), bias.then(|| Tensor::zeros([columns], device)))
        };
        let norm = || match config.norm {
            NormKind::None => Norm::None,
            NormKind::Layer { eps } => Norm::Layer { scale: Tensor::ones([d_model], device), shift: Tensor::zeros([d_model], device), eps },
            NormKind::Rms { eps } => Norm::Rms { scale: Tensor::ones([d_model], device), eps },
        };
        let residual = (2.0 * config.n_layers as f64).powf(-0.5);
        let blocks = (0..config.n_layers)
            .map(|l| Block {
                norm_attn: norm(),
                qkv: linear(format!("blocks.{l}.qkv"), d_model, config.n_attn_readers() * d_head, 1.0, config.biases.qkv),
                attn_out: linear(format!("blocks.{l}.attn_out"), config.n_heads * d_head, d_model, residual, config.biases.attn_out),
                norm_mlp: norm(),
                mlp_in: linear(format!("blocks.{l}.mlp_in"), d_model, config.d_mlp_in(), 1.0, config.biases.mlp),
                mlp_out: linear(format!("blocks.{l}.mlp_out"), d_mlp, d_model, residual, config.biases.mlp),
            })
            .collect();
        Self {
            config,
            tok_embed: matrix("tok_embed", config.vocab_size, d_model, 1.0),
            pos_embed: (config.positions == Positions::Learned).then(|| matrix("pos_embed", config.max_positions, d_model, 1.0)),
            blocks,
            final_norm: norm(),
            unembed: (!config.tied).then(|| matrix("unembed", d_model, config.d_out, 1.0)),
            unembed_blocks: None,
        }
    }
}

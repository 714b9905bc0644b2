//! What a decoder-only transformer is, in numbers.
//!
//! GPT-2, Llama and compiled Tracr programs differ in five choices (norm, positions, activation, head grouping, causality); one config holds
//! them, and [`super::Transformer`] has one forward pass for all. An architecture with another *order* of blocks (BERT's post-norm) gets a module of its own over
//! the same residual-stream seam.

use serde::{Deserialize, Serialize};

use super::graph::{EmbeddingNodes, Graph, GraphError, GraphShape};

/// Normalisation in front of every reader.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NormKind {
    /// None at all (Tracr).
    None,
    /// LayerNorm with scale and shift (GPT-2).
    Layer { eps: f64 },
    /// RMSNorm with scale (Llama).
    Rms { eps: f64 },
}

/// How positions enter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Positions {
    /// A learned table, added to the token embedding: a writer of its own.
    Learned,
    /// Rotation of q and k after projection; half-split pairs (i, i + d/2). Weights stored for adjacent pairs are un-permuted when loaded.
    Rotary { base: f64 },
}

/// The MLP's non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    Relu,
    /// GELU with GPT-2's tanh approximation.
    GeluTanh,
    /// `silu(gate) * up`: the input projection is twice as wide, gate first.
    SwiGlu,
}

/// Which linear maps carry biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Biases {
    pub qkv: bool,
    pub attn_out: bool,
    pub mlp: bool,
}

impl Biases {
    pub const ALL: Self = Self { qkv: true, attn_out: true, mlp: true };
    pub const NONE: Self = Self { qkv: false, attn_out: false, mlp: false };
}

/// Sizes and choices of a decoder-only, pre-norm transformer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub d_head: usize,
    /// Hidden width of the MLP.
    pub d_mlp: usize,
    pub vocab_size: usize,
    /// Width of the output: `vocab_size`, or the number of output values of a compiled program.
    pub d_out: usize,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
    pub norm: NormKind,
    pub positions: Positions,
    pub activation: Activation,
    /// Whether a token sees only itself and earlier ones.
    pub causal: bool,
    /// Whether the unembedding is the token embedding, transposed.
    pub tied: bool,
    /// Which linear maps carry biases.
    pub biases: Biases,
}

impl TransformerConfig {
    /// GPT-2 small.
    pub const fn gpt2_small() -> Self {
        Self {
            n_layers: 12,
            d_model: 768,
            n_heads: 12,
            n_kv_heads: 12,
            d_head: 64,
            d_mlp: 3072,
            vocab_size: 50_257,
            d_out: 50_257,
            max_positions: 1024,
            norm: NormKind::Layer { eps: 1e-5 },
            positions: Positions::Learned,
            activation: Activation::GeluTanh,
            causal: true,
            tied: true,
            biases: Biases::ALL,
        }
    }

    /// CodeLlama-13B, for counting its graph.
    pub const fn codellama_13b() -> Self {
        Self {
            n_layers: 40,
            d_model: 5120,
            n_heads: 40,
            n_kv_heads: 40,
            d_head: 128,
            d_mlp: 13_824,
            vocab_size: 32_016,
            d_out: 32_016,
            max_positions: 16_384,
            norm: NormKind::Rms { eps: 1e-5 },
            positions: Positions::Rotary { base: 1e6 },
            activation: Activation::SwiGlu,
            causal: true,
            tied: false,
            biases: Biases::NONE,
        }
    }

    /// The embedding nodes this model has when none are asked for: `tok` and `pos` apart where positions are learned, else one node.
    pub fn default_embedding_nodes(&self) -> EmbeddingNodes {
        match self.positions {
            Positions::Learned => EmbeddingNodes::Split,
            Positions::Rotary { .. } => EmbeddingNodes::Single,
        }
    }

    /// The model's computational graph.
    ///
    /// # Errors
    /// [`GraphError::BadShape`] for sizes that make no graph.
    pub fn graph(&self, embedding_nodes: EmbeddingNodes) -> Result<Graph, GraphError> {
        Graph::new(GraphShape { n_layers: self.n_layers, n_heads: self.n_heads, n_kv_heads: self.n_kv_heads, embedding_nodes })
    }

    /// Readers of one attention block: q of each head, k and v of each key/value head.
    pub fn n_attn_readers(&self) -> usize {
        self.n_heads + 2 * self.n_kv_heads
    }

    /// Width of the MLP's input projection: twice `d_mlp` for gated activations.
    pub fn d_mlp_in(&self) -> usize {
        if self.activation == Activation::SwiGlu { 2 * self.d_mlp } else { self.d_mlp }
    }

    /// Number of weights.
    pub fn n_parameters(&self) -> usize {
        let Biases { qkv: qkv_bias, attn_out: out_bias, mlp: mlp_bias } = self.biases;
        let with_bias = |d_in: usize, d_out: usize, bias: bool| (d_in + usize::from(bias)) * d_out;
        let norm = match self.norm {
            NormKind::None => 0,
            NormKind::Layer { .. } => 2 * self.d_model,
            NormKind::Rms { .. } => self.d_model,
        };
        let qkv = self.n_attn_readers() * self.d_head;
        let attn = with_bias(self.d_model, qkv, qkv_bias) + with_bias(self.n_heads * self.d_head, self.d_model, out_bias);
        let mlp = with_bias(self.d_model, self.d_mlp_in(), mlp_bias) + with_bias(self.d_mlp, self.d_model, mlp_bias);
        let embeds = self.vocab_size * self.d_model
            + if self.positions == Positions::Learned { self.max_positions * self.d_model } else { 0 }
            + if self.tied { 0 } else { self.d_model * self.d_out };
        embeds + norm + self.n_layers * (attn + mlp + 2 * norm)
    }
}

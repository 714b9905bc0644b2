//! Small shapes of the families, for tests.

use super::{Activation, Biases, NormKind, Positions, TransformerConfig};

/// GPT-2's and Llama's, three layers of four heads.
pub fn families() -> [TransformerConfig; 2] {
    let gpt2 = TransformerConfig {
        n_layers: 3,
        d_model: 24,
        n_heads: 4,
        n_kv_heads: 4,
        d_head: 6,
        d_mlp: 20,
        vocab_size: 11,
        d_out: 11,
        max_positions: 12,
        ..TransformerConfig::gpt2_small()
    };
    let llama = TransformerConfig {
        n_kv_heads: 2,
        norm: NormKind::Rms { eps: 1e-5 },
        positions: Positions::Rotary { base: 100.0 },
        activation: Activation::SwiGlu,
        biases: Biases::NONE,
        ..gpt2
    };
    [gpt2, llama]
}

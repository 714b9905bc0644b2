//! Where checkpoints keep their tensors.

use crate::formats::{
    WeightSource,
    config::{Family, ModelDescription, Positions, RopeStyle},
};

/// One layer's tensors, without `.weight` and `.bias`.
pub(super) struct Names {
    /// All of q, k and v where `k` is empty.
    pub q: String,
    pub k: String,
    pub v: String,
    pub out: String,
    /// One tensor, or gate and up.
    pub mlp_in: Vec<String>,
    pub mlp_out: String,
    pub norm_attn: String,
    pub norm_mlp: String,
}

/// Tensors before and after the layers.
pub(super) struct Ends<'a> {
    pub tok: &'a str,
    pub pos: &'a str,
    /// Without `.weight` and `.bias`.
    pub norm: &'a str,
    pub head: &'a str,
}

/// The names that a file uses, told apart by the name of its token embedding.
pub(super) enum Layout {
    Gguf { gpt2: bool, gated: bool },
    Gpt2 { prefixed: bool },
    Llama,
}

impl Layout {
    pub fn of(description: &ModelDescription, source: &dyn WeightSource) -> Self {
        let gpt2 = description.family == Family::Gpt2;
        if source.info("token_embd.weight").is_some() {
            Self::Gguf { gpt2, gated: description.gated_mlp }
        } else if gpt2 {
            Self::Gpt2 { prefixed: source.info("transformer.wte.weight").is_some() }
        } else {
            Self::Llama
        }
    }

    /// Whether matrices are stored `[out, in]`.
    pub fn transposed(&self) -> bool {
        !matches!(self, Self::Gpt2 { .. })
    }

    pub fn layer(&self, layer: usize) -> Names {
        match *self {
            Self::Gguf { gpt2, gated } => {
                let n = |part: &str| format!("blk.{layer}.{part}");
                let mlp_in = if gated { vec![n("ffn_gate"), n("ffn_up")] } else { vec![n("ffn_up")] };
                let (q, k, v) = if gpt2 { (n("attn_qkv"), String::new(), String::new()) } else { (n("attn_q"), n("attn_k"), n("attn_v")) };
                Names { q, k, v, out: n("attn_output"), mlp_in, mlp_out: n("ffn_down"), norm_attn: n("attn_norm"), norm_mlp: n("ffn_norm") }
            }
            Self::Gpt2 { prefixed } => {
                let n = |part: &str| format!("{}h.{layer}.{part}", if prefixed { "transformer." } else { "" });
                Names {
                    q: n("attn.c_attn"),
                    k: String::new(),
                    v: String::new(),
                    out: n("attn.c_proj"),
                    mlp_in: vec![n("mlp.c_fc")],
                    mlp_out: n("mlp.c_proj"),
                    norm_attn: n("ln_1"),
                    norm_mlp: n("ln_2"),
                }
            }
            Self::Llama => {
                let n = |part: &str| format!("model.layers.{layer}.{part}");
                Names {
                    q: n("self_attn.q_proj"),
                    k: n("self_attn.k_proj"),
                    v: n("self_attn.v_proj"),
                    out: n("self_attn.o_proj"),
                    mlp_in: vec![n("mlp.gate_proj"), n("mlp.up_proj")],
                    mlp_out: n("mlp.down_proj"),
                    norm_attn: n("input_layernorm"),
                    norm_mlp: n("post_attention_layernorm"),
                }
            }
        }
    }

    pub fn ends(&self) -> Ends<'static> {
        match self {
            Self::Gguf { .. } => Ends { tok: "token_embd.weight", pos: "position_embd.weight", norm: "output_norm", head: "output.weight" },
            Self::Gpt2 { prefixed: true } => {
                Ends { tok: "transformer.wte.weight", pos: "transformer.wpe.weight", norm: "transformer.ln_f", head: "lm_head.weight" }
            }
            Self::Gpt2 { prefixed: false } => Ends { tok: "wte.weight", pos: "wpe.weight", norm: "ln_f", head: "lm_head.weight" },
            Self::Llama => Ends { tok: "model.embed_tokens.weight", pos: "", norm: "model.norm", head: "lm_head.weight" },
        }
    }
}

/// Whether q and k rows are permuted for the rotation of adjacent pairs.
pub(super) fn unpaired(description: &ModelDescription) -> bool {
    matches!(description.positions, Positions::Rope { style: RopeStyle::AdjacentPairs, .. })
}

//! `config.json` of Hugging Face checkpoints: GPT-2, Llama and Qwen2.
//!
//! Absent fields take the defaults of the `transformers` configuration classes of the family, because
//! files are written without fields that have their default value.

use serde::Deserialize;

use super::{
    super::error::{FormatError, show},
    Activation, Biases, Counts, Family, ModelDescription, NormKind, Positions, RopeStyle, epsilon, limits, rope, unsupported,
};

/// The fields of interest of all families; whatever else the file holds is skipped.
#[derive(Deserialize)]
struct File {
    model_type: Option<String>,
    vocab_size: Option<u64>,
    tie_word_embeddings: Option<bool>,
    // GPT-2
    n_embd: Option<u64>,
    n_layer: Option<u64>,
    n_head: Option<u64>,
    n_inner: Option<u64>,
    n_positions: Option<u64>,
    layer_norm_epsilon: Option<f64>,
    activation_function: Option<String>,
    scale_attn_weights: Option<bool>,
    scale_attn_by_inverse_layer_idx: Option<bool>,
    // Llama, Qwen2
    hidden_size: Option<u64>,
    num_hidden_layers: Option<u64>,
    num_attention_heads: Option<u64>,
    num_key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    intermediate_size: Option<u64>,
    max_position_embeddings: Option<u64>,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RopeSettings>,
    rope_parameters: Option<RopeSettings>,
    rope_interleaved: Option<bool>,
    partial_rotary_factor: Option<f64>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
}

#[derive(Deserialize)]
struct RopeSettings {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

impl ModelDescription {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`FormatError::Unsupported`] for other model types and for settings that change the forward pass
    /// (rope scaling, sliding windows, unknown activations); [`FormatError::Missing`],
    /// [`FormatError::Limit`] and [`FormatError::Invalid`] for numbers that are absent or make no sense.
    pub fn from_hf_config(json: &[u8]) -> Result<Self, FormatError> {
        let length = json.len() as u64;
        FormatError::check_limit(|| "config.json length".into(), length, limits::CONFIG_BYTES)?;
        let file: File = serde_json::from_slice(json).map_err(|e| FormatError::invalid("config.json", e.to_string()))?;
        match file.model_type.as_deref() {
            Some("gpt2") => file.gpt2(),
            Some("llama") => file.llama(Family::Llama),
            Some("qwen2") => file.llama(Family::Qwen2),
            Some(other) => Err(unsupported("model_type", show(other), "gpt2, llama and qwen2")),
            None => Err(FormatError::missing("model_type in config.json")),
        }
    }
}

impl File {
    fn gpt2(&self) -> Result<ModelDescription, FormatError> {
        if self.scale_attn_weights == Some(false) {
            return Err(unsupported("scale_attn_weights", "false", "true"));
        }
        if self.scale_attn_by_inverse_layer_idx == Some(true) {
            return Err(unsupported("scale_attn_by_inverse_layer_idx", "true", "false"));
        }
        let width = need(self.n_embd, "n_embd")?;
        let heads = need(self.n_head, "n_head")?;
        let counts = Counts {
            layers: need(self.n_layer, "n_layer")?,
            width,
            heads,
            kv_heads: heads,
            head: None,
            mlp: self.n_inner.unwrap_or(width.saturating_mul(4)),
            vocab: need(self.vocab_size, "vocab_size")?,
            positions: need(self.n_positions, "n_positions")?,
        };
        let counts = counts.check()?;
        Ok(ModelDescription {
            family: Family::Gpt2,
            n_layers: counts.n_layers,
            d_model: counts.d_model,
            n_heads: counts.n_heads,
            n_kv_heads: counts.n_kv_heads,
            d_head: counts.d_head,
            d_mlp: counts.d_mlp,
            vocab_size: counts.vocab_size,
            max_positions: counts.max_positions,
            norm: NormKind::LayerNorm,
            norm_eps: epsilon(self.layer_norm_epsilon.unwrap_or(1e-5))?,
            activation: activation(self.activation_function.as_deref().unwrap_or("gelu_new"))?,
            gated_mlp: false,
            positions: Positions::Learned,
            tied_embeddings: self.tie_word_embeddings.unwrap_or(true),
            biases: Biases { qkv: true, attention_out: true, mlp: true },
        })
    }

    fn llama(&self, family: Family) -> Result<ModelDescription, FormatError> {
        let base = self.rope_base()?;
        if self.use_sliding_window == Some(true) {
            return Err(unsupported("use_sliding_window", "true", "false"));
        }
        if self.rope_interleaved == Some(true) {
            return Err(unsupported("rope_interleaved", "true", "false"));
        }
        if let Some(factor) = self.partial_rotary_factor
            && factor != 1.0
        {
            return Err(unsupported("partial_rotary_factor", factor.to_string(), "1"));
        }
        let heads = need(self.num_attention_heads, "num_attention_heads")?;
        let counts = Counts {
            layers: need(self.num_hidden_layers, "num_hidden_layers")?,
            width: need(self.hidden_size, "hidden_size")?,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head: self.head_dim,
            mlp: need(self.intermediate_size, "intermediate_size")?,
            vocab: need(self.vocab_size, "vocab_size")?,
            positions: need(self.max_position_embeddings, "max_position_embeddings")?,
        };
        let counts = counts.check()?;
        let attention_bias = self.attention_bias.unwrap_or(false);
        let biases = match family {
            Family::Qwen2 => Biases { qkv: true, attention_out: false, mlp: false },
            Family::Llama | Family::Gpt2 => {
                Biases { qkv: attention_bias, attention_out: attention_bias, mlp: self.mlp_bias.unwrap_or(false) }
            }
        };
        Ok(ModelDescription {
            family,
            n_layers: counts.n_layers,
            d_model: counts.d_model,
            n_heads: counts.n_heads,
            n_kv_heads: counts.n_kv_heads,
            d_head: counts.d_head,
            d_mlp: counts.d_mlp,
            vocab_size: counts.vocab_size,
            max_positions: counts.max_positions,
            norm: NormKind::RmsNorm,
            norm_eps: epsilon(self.rms_norm_eps.unwrap_or(1e-6))?,
            activation: activation(self.hidden_act.as_deref().unwrap_or("silu"))?,
            gated_mlp: true,
            positions: rope(base, RopeStyle::HalfSplit, counts.d_head)?,
            tied_embeddings: self.tie_word_embeddings.unwrap_or(false),
            biases,
        })
    }

    /// The base of the rotation; older files state it at top level, newer ones in `rope_parameters`.
    fn rope_base(&self) -> Result<f64, FormatError> {
        let settings = [&self.rope_scaling, &self.rope_parameters];
        for settings in settings.into_iter().flatten() {
            match settings.rope_type.as_deref() {
                None | Some("default") => {}
                Some(other) => {
                    return Err(unsupported("rope scaling", show(other), "none"));
                }
            }
        }
        let nested = settings.into_iter().flatten().find_map(|settings| settings.rope_theta);
        Ok(self.rope_theta.or(nested).unwrap_or(10_000.0))
    }
}

fn need(value: Option<u64>, name: &str) -> Result<u64, FormatError> {
    value.ok_or_else(|| FormatError::missing(format!("{name} in config.json")))
}

fn activation(name: &str) -> Result<Activation, FormatError> {
    Ok(match name {
        "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluNew,
        "gelu" => Activation::Gelu,
        "silu" | "swish" => Activation::Silu,
        "relu" => Activation::Relu,
        other => {
            return Err(unsupported("activation", show(other), "gelu_new, gelu, silu and relu"));
        }
    })
}

//! The model description in the metadata of a GGUF: architectures `llama`, `qwen2` and `gpt2`.
//!
//! What the metadata leaves open is read off the tensors: a file without `output.weight` has tied
//! embeddings, and biases are there when their tensors are. Files of the `llama` architecture hold q and
//! k with their rows permuted, so that neighbouring dimensions rotate together; `qwen2` files do not.

use super::{
    super::{
        error::{FormatError, show},
        gguf::Gguf,
        source::ByteSource,
        weights::WeightSource,
    },
    Activation, Biases, Counts, Family, ModelDescription, NormKind, Positions, RopeStyle, epsilon, rope, unsupported,
};

impl ModelDescription {
    /// Reads the description from an opened GGUF file.
    ///
    /// # Errors
    /// As [`ModelDescription::from_hf_config`]; the token embedding must have the stated shape.
    pub fn from_gguf<S: ByteSource>(file: &Gguf<S>) -> Result<Self, FormatError> {
        let architecture = file
            .entries()
            .get("general.architecture")
            .and_then(|value| value.as_str())
            .ok_or_else(|| FormatError::missing("metadata 'general.architecture'"))?;
        let family = match architecture {
            "llama" => Family::Llama,
            "qwen2" => Family::Qwen2,
            "gpt2" => Family::Gpt2,
            other => {
                return Err(unsupported("general.architecture", show(other), "llama, qwen2 and gpt2"));
            }
        };
        Keys { file, architecture }.describe(family)
    }
}

/// Metadata keys of one architecture.
struct Keys<'a, S> {
    file: &'a Gguf<S>,
    architecture: &'a str,
}

impl<S: ByteSource> Keys<'_, S> {
    fn describe(&self, family: Family) -> Result<ModelDescription, FormatError> {
        let is_gpt2 = family == Family::Gpt2;
        self.refuse_scaling()?;
        if self.number("expert_count")?.is_some_and(|n| n > 0) {
            return Err(unsupported("expert_count", "above 0", "dense models"));
        }
        let heads = self.need("attention.head_count")?;
        let embedding = self.file.info("token_embd.weight").ok_or_else(|| FormatError::missing("tensor 'token_embd.weight'"))?;
        let rows = embedding.shape.first().copied().unwrap_or(0) as u64;
        let counts = Counts {
            layers: self.need("block_count")?,
            width: self.need("embedding_length")?,
            heads,
            kv_heads: self.number("attention.head_count_kv")?.unwrap_or(heads),
            head: self.number("attention.key_length")?,
            mlp: self.need("feed_forward_length")?,
            vocab: self.number("vocab_size")?.unwrap_or(rows),
            positions: self.need("context_length")?,
        };
        let counts = counts.check()?;
        if embedding.shape != [counts.vocab_size, counts.d_model] {
            return Err(FormatError::invalid(
                "tensor 'token_embd.weight'",
                format!("has shape {:?}, but the metadata asks for [{}, {}]", embedding.shape, counts.vocab_size, counts.d_model),
            ));
        }
        for key in ["rope.dimension_count", "attention.value_length"] {
            if let Some(n) = self.number(key)?
                && n != counts.d_head as u64
            {
                let name = format!("{}.{key}", self.architecture);
                let supported = format!("the head width, {}", counts.d_head);
                return Err(unsupported(&name, n.to_string(), &supported));
            }
        }
        let (norm, eps_key) = if is_gpt2 {
            (NormKind::LayerNorm, "attention.layer_norm_epsilon")
        } else {
            (NormKind::RmsNorm, "attention.layer_norm_rms_epsilon")
        };
        let eps = self.float(eps_key)?.ok_or_else(|| FormatError::missing(self.name(eps_key)))?;
        let positions = if is_gpt2 {
            Positions::Learned
        } else {
            let style = match family {
                Family::Llama => RopeStyle::AdjacentPairs,
                Family::Qwen2 | Family::Gpt2 => RopeStyle::HalfSplit,
            };
            let base = self.float("rope.freq_base")?.unwrap_or(10_000.0);
            rope(base, style, counts.d_head)?
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
            norm,
            norm_eps: epsilon(eps)?,
            activation: if is_gpt2 { Activation::GeluNew } else { Activation::Silu },
            gated_mlp: !is_gpt2,
            positions,
            tied_embeddings: self.file.info("output.weight").is_none(),
            biases: Biases {
                qkv: self.has("attn_q.bias") || self.has("attn_qkv.bias"),
                attention_out: self.has("attn_output.bias"),
                mlp: self.has("ffn_up.bias"),
            },
        })
    }

    /// A scaled rotation comes as a type, as a factor or as a tensor of frequencies.
    fn refuse_scaling(&self) -> Result<(), FormatError> {
        let key = format!("{}.rope.scaling.type", self.architecture);
        let kind = self.file.entries().get(&key);
        let kind = kind.map_or(Some("none"), |value| value.as_str());
        let factor = self.float("rope.scaling.factor")?.unwrap_or(1.0);
        let linear = self.float("rope.scale_linear")?.unwrap_or(1.0);
        let found = if kind != Some("none") {
            show(kind.unwrap_or("not a string"))
        } else if factor != 1.0 || linear != 1.0 {
            format!("a factor of {factor} and {linear}")
        } else if self.file.info("rope_freqs.weight").is_some() {
            "a tensor of frequency factors".into()
        } else {
            return Ok(());
        };
        Err(unsupported("rope scaling", found, "none"))
    }

    fn has(&self, tensor: &str) -> bool {
        self.file.info(&format!("blk.0.{tensor}")).is_some()
    }

    fn name(&self, key: &str) -> String {
        format!("metadata {}", show(&format!("{}.{key}", self.architecture)))
    }

    fn need(&self, key: &str) -> Result<u64, FormatError> {
        self.number(key)?.ok_or_else(|| FormatError::missing(self.name(key)))
    }

    fn number(&self, key: &str) -> Result<Option<u64>, FormatError> {
        let key = format!("{}.{key}", self.architecture);
        let Some(value) = self.file.entries().get(&key) else {
            return Ok(None);
        };
        let wrong = || {
            let reason = format!("{} is not one non-negative integer", value.summary());
            FormatError::invalid(format!("metadata {}", show(&key)), reason)
        };
        value.as_u64().map(Some).ok_or_else(wrong)
    }

    fn float(&self, key: &str) -> Result<Option<f64>, FormatError> {
        let key = format!("{}.{key}", self.architecture);
        let Some(value) = self.file.entries().get(&key) else {
            return Ok(None);
        };
        let wrong = || {
            let reason = format!("{} is not a float", value.summary());
            FormatError::invalid(format!("metadata {}", show(&key)), reason)
        };
        value.as_f64().map(Some).ok_or_else(wrong)
    }
}

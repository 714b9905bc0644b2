//! Weights out: a model as the two files other programs read too.
//!
//! **Method.** The layout is Hugging Face's GPT-2: `config.json`, and `model.safetensors` with `wte`, `wpe`, `h.{l}.attn.c_attn` (`[in, out]`, q then k then v), which is how
//! [`Transformer`] keeps its weights, so nothing is permuted and what is loaded again is the same to the bit. Models of other families are refused.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use thiserror::Error;

use super::{Activation, Biases, NormKind, Positions, Transformer, params::ParamVisitor};
use crate::formats::{
    FormatError,
    safetensors::{self, TensorData},
};

/// Why a model could not be written.
#[derive(Debug, Error)]
pub enum SaveError {
    #[error("only models of GPT-2's shape can be written (learned positions, layer norms, tied embeddings, biases, GELU)")]
    Unsupported,
    #[error("could not read weights back from the device: {0}")]
    Device(String),
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// `config.json` and `model.safetensors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub config: String,
    pub weights: Vec<u8>,
}

/// Writes a model of GPT-2's shape in GPT-2's layout.
///
/// # Errors
/// [`SaveError::Unsupported`] for other shapes, [`SaveError::Device`] where weights cannot be read.
pub fn to_gpt2(model: &Transformer) -> Result<Saved, SaveError> {
    let c = &model.config;
    let NormKind::Layer { eps } = c.norm else { return Err(SaveError::Unsupported) };
    let heads_fill = c.n_heads == c.n_kv_heads && c.n_heads * c.d_head == c.d_model;
    let same = c.positions == Positions::Learned && c.activation == Activation::GeluTanh && c.tied && c.biases == Biases::ALL && c.causal;
    if !(heads_fill && same && c.d_out == c.vocab_size) {
        return Err(SaveError::Unsupported);
    }
    let mut collect = Collect::default();
    model.clone().visit(&mut collect);
    if let Some(error) = collect.error {
        return Err(SaveError::Device(error));
    }
    let tensors: BTreeMap<String, _> =
        collect.tensors.iter().map(|(name, (shape, values))| (name.clone(), (shape.clone(), TensorData::F32(values)))).collect();
    let weights = safetensors::write(&tensors, &BTreeMap::from([("format".to_owned(), "pt".to_owned())]))?;
    let config = serde_json::json!({
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new",
        "n_layer": c.n_layers, "n_head": c.n_heads, "n_embd": c.d_model, "n_inner": c.d_mlp,
        "vocab_size": c.vocab_size, "n_positions": c.max_positions, "layer_norm_epsilon": eps, "tie_word_embeddings": true,
    });
    Ok(Saved { config: format!("{config:#}\n"), weights })
}

#[derive(Default)]
struct Collect {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    error: Option<String>,
}

impl Collect {
    fn keep<const D: usize>(&mut self, name: &str, value: &Tensor<D>) {
        match value.clone().try_into_data().map_err(|e| e.to_string()).and_then(|d| d.try_into_vec::<f32>().map_err(|e| format!("{e:?}"))) {
            Ok(values) => drop(self.tensors.insert(gpt2_name(name), (value.dims().to_vec(), values))),
            Err(error) => self.error = Some(error),
        }
    }
}

impl ParamVisitor for Collect {
    fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
        self.keep(name, value);
    }

    fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
        self.keep(name, value);
    }
}

/// `blocks.3.attn_out.bias` is `h.3.attn.c_proj.bias` there.
fn gpt2_name(name: &str) -> String {
    const PARTS: [(&str, &str); 11] = [
        ("tok_embed", "wte.weight"),
        ("pos_embed", "wpe.weight"),
        ("blocks.", "h."),
        ("norm_attn", "ln_1"),
        ("norm_mlp", "ln_2"),
        ("final_norm", "ln_f"),
        (".qkv", ".attn.c_attn"),
        (".attn_out", ".attn.c_proj"),
        (".mlp_in", ".mlp.c_fc"),
        (".mlp_out", ".mlp.c_proj"),
        (".shift", ".bias"),
    ];
    PARTS.iter().fold(name.to_owned(), |name, (ours, theirs)| name.replace(ours, theirs)).replace(".scale", ".weight")
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{
        formats::{config::ModelDescription, safetensors::SafeTensors},
        model::{TransformerConfig, load},
    };

    #[test]
    fn what_is_written_loads_to_the_same_bits() -> Result<(), Box<dyn std::error::Error>> {
        let config = TransformerConfig {
            n_layers: 2,
            d_model: 24,
            n_heads: 3,
            n_kv_heads: 3,
            d_head: 8,
            d_mlp: 40,
            vocab_size: 11,
            d_out: 11,
            max_positions: 9,
            ..TransformerConfig::gpt2_small()
        };
        let device = Device::flex();
        let model = Transformer::init(config, 5, &device);
        let saved = to_gpt2(&model)?;
        let description = ModelDescription::from_hf_config(saved.config.as_bytes())?;
        let back = load::load(&description, &SafeTensors::open(saved.weights.as_slice())?, &device)?;
        assert_eq!(back.config, config);
        let values = |m: &Transformer| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
            Ok(m.logits(&m.batch(&[vec![1_u32, 7, 3, 10]])?).try_into_data()?.try_into_vec::<f32>().map_err(|e| format!("{e:?}"))?)
        };
        assert_eq!(values(&back)?, values(&model)?);
        assert_eq!(to_gpt2(&back)?, saved);
        let other = Transformer::init(TransformerConfig { tied: false, ..config }, 5, &device);
        assert!(matches!(to_gpt2(&other), Err(SaveError::Unsupported)));
        Ok(())
    }
}

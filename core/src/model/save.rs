//! Weights out: a model as the two files of a Hugging Face folder, which other programs read too.
//!
//! **Method.** `config.json` and `model.safetensors` in single precision, with the names and layouts of the model's family: GPT-2 (`[in, out]`, q, k and v side by side) or Llama and
//! Qwen2 (`[out, in]`, q, k and v apart, half-split rotation). Splitting and transposing move numbers and change none, so what [`super::load`] reads back is the same to the bit.

use std::collections::BTreeMap;

use crate::tensor::Tensor;
use serde_json::{Value, json};
use thiserror::Error;

use super::{Activation, Biases, Linear, Norm, NormKind, Positions, Transformer, TransformerConfig, load::transpose};
use crate::formats::{
    FormatError,
    safetensors::{self, TensorData},
};

/// Why a model could not be written.
#[derive(Debug, Error)]
pub enum SaveError {
    #[error("this model has the shape of none of the families that can be written (GPT-2, Llama, Qwen2): {reason}")]
    Unsupported { reason: &'static str },
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

/// The model as a Hugging Face folder's files. Takes some three times the model's memory while it works.
///
/// # Errors
/// [`SaveError::Unsupported`] for shapes that no published family has, [`SaveError::Device`] where weights cannot be read.
pub fn to_hugging_face(model: &Transformer) -> Result<Saved, SaveError> {
    let c = &model.config;
    let mut out = Tensors::default();
    let config = match c.positions {
        Positions::Learned => gpt2(model, gpt2_config(c)?, &mut out)?,
        Positions::Rotary { base } => llama(model, llama_config(c, base)?, &mut out)?,
    };
    let tensors = out.0.iter().map(|(name, (shape, values))| (name.clone(), (shape.clone(), TensorData::F32(values)))).collect();
    let weights = safetensors::write(&tensors, &BTreeMap::from([("format".to_owned(), "pt".to_owned())]))?;
    Ok(Saved { config: format!("{config:#}\n"), weights })
}

fn refuse<T>(reason: &'static str) -> Result<T, SaveError> {
    Err(SaveError::Unsupported { reason })
}

fn gpt2_config(c: &TransformerConfig) -> Result<Value, SaveError> {
    let NormKind::Layer { eps } = c.norm else { return refuse("learned positions without layer norms") };
    let activation = match c.activation {
        Activation::GeluTanh => "gelu_new",
        Activation::Relu => "relu",
        Activation::SwiGlu => return refuse("learned positions with a gated activation"),
    };
    if c.n_heads != c.n_kv_heads || c.n_heads * c.d_head != c.d_model {
        return refuse("GPT-2's heads fill the width and share no keys");
    }
    if c.biases != Biases::ALL || !c.causal || c.d_out != c.vocab_size {
        return refuse("GPT-2 is causal, has biases everywhere and predicts its own tokens");
    }
    Ok(json!({
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": activation,
        "n_layer": c.n_layers, "n_head": c.n_heads, "n_embd": c.d_model, "n_inner": c.d_mlp, "vocab_size": c.vocab_size,
        "n_positions": c.max_positions, "layer_norm_epsilon": eps, "tie_word_embeddings": c.tied, "torch_dtype": "float32",
    }))
}

fn llama_config(c: &TransformerConfig, base: f64) -> Result<Value, SaveError> {
    let NormKind::Rms { eps } = c.norm else { return refuse("rotary positions without RMS norms") };
    if c.activation != Activation::SwiGlu || !c.causal || c.d_out != c.vocab_size {
        return refuse("Llama is causal, gated by SiLU and predicts its own tokens");
    }
    let (kind, architecture) = match c.biases {
        Biases { qkv, attn_out, .. } if qkv == attn_out => ("llama", "LlamaForCausalLM"),
        Biases { qkv: true, attn_out: false, mlp: false } => ("qwen2", "Qwen2ForCausalLM"),
        _ => return refuse("biases on some of the attention's maps"),
    };
    Ok(json!({
        "model_type": kind, "architectures": [architecture], "hidden_act": "silu",
        "num_hidden_layers": c.n_layers, "num_attention_heads": c.n_heads, "num_key_value_heads": c.n_kv_heads, "head_dim": c.d_head,
        "hidden_size": c.d_model, "intermediate_size": c.d_mlp, "vocab_size": c.vocab_size, "max_position_embeddings": c.max_positions,
        "rms_norm_eps": eps, "rope_theta": base, "tie_word_embeddings": c.tied,
        "attention_bias": c.biases.attn_out, "mlp_bias": c.biases.mlp, "torch_dtype": "float32",
    }))
}

/// Shapes and values by name.
#[derive(Default)]
struct Tensors(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Tensors {
    fn put(&mut self, name: impl Into<String>, shape: Vec<usize>, values: Vec<f32>) {
        self.0.insert(name.into(), (shape, values));
    }

    fn tensor<const D: usize>(&mut self, name: impl Into<String>, value: &Tensor<D>) -> Result<(), SaveError> {
        self.put(name, value.dims().to_vec(), read(value)?);
        Ok(())
    }

    fn norm(&mut self, name: &str, norm: &Norm) -> Result<(), SaveError> {
        match norm {
            Norm::None => Ok(()),
            Norm::Rms { scale, .. } => self.tensor(format!("{name}.weight"), scale),
            Norm::Layer { scale, shift, .. } => {
                self.tensor(format!("{name}.weight"), scale)?;
                self.tensor(format!("{name}.bias"), shift)
            }
        }
    }

    /// A map as it is kept here, `[in, out]`.
    fn linear(&mut self, name: &str, linear: &Linear) -> Result<(), SaveError> {
        self.tensor(format!("{name}.weight"), &linear.weight)?;
        linear.bias.iter().try_for_each(|bias| self.tensor(format!("{name}.bias"), bias))
    }

    /// Side-by-side maps, each as a tensor `[out, in]` of its own: names and widths.
    fn apart(&mut self, parts: &[(String, usize)], linear: &Linear) -> Result<(), SaveError> {
        let [d_in, width] = linear.weight.dims();
        let values = read(&linear.weight)?;
        let bias = linear.bias.as_ref().map(read).transpose()?;
        let mut from = 0;
        for (name, d_out) in parts {
            let part: Vec<f32> = values.chunks_exact(width).flat_map(|row| &row[from..from + d_out]).copied().collect();
            self.put(format!("{name}.weight"), vec![*d_out, d_in], transpose(&part, d_in, *d_out));
            if let Some(bias) = &bias {
                self.put(format!("{name}.bias"), vec![*d_out], bias[from..from + d_out].to_vec());
            }
            from += d_out;
        }
        Ok(())
    }

    /// The output matrix `[d_model, vocabulary]`, where it is not the token embedding, as `[vocabulary, d_model]`.
    fn head(&mut self, model: &Transformer) -> Result<(), SaveError> {
        let Some(unembed) = &model.unembed else { return Ok(()) };
        let [rows, columns] = unembed.dims();
        self.put("lm_head.weight", vec![columns, rows], transpose(&read(unembed)?, rows, columns));
        Ok(())
    }
}

fn read<const D: usize>(value: &Tensor<D>) -> Result<Vec<f32>, SaveError> {
    let data = value.clone().try_into_data().map_err(|e| SaveError::Device(e.to_string()))?;
    data.try_into_vec::<f32>().map_err(|e| SaveError::Device(format!("{e:?}")))
}

fn gpt2(model: &Transformer, config: Value, out: &mut Tensors) -> Result<Value, SaveError> {
    out.tensor("wte.weight", &model.tok_embed)?;
    model.pos_embed.iter().try_for_each(|table| out.tensor("wpe.weight", table))?;
    for (layer, block) in model.blocks.iter().enumerate() {
        let name = |part: &str| format!("h.{layer}.{part}");
        out.norm(&name("ln_1"), &block.norm_attn)?;
        out.linear(&name("attn.c_attn"), &block.qkv)?;
        out.linear(&name("attn.c_proj"), &block.attn_out)?;
        out.norm(&name("ln_2"), &block.norm_mlp)?;
        out.linear(&name("mlp.c_fc"), &block.mlp_in)?;
        out.linear(&name("mlp.c_proj"), &block.mlp_out)?;
    }
    out.norm("ln_f", &model.final_norm)?;
    out.head(model)?;
    Ok(config)
}

fn llama(model: &Transformer, config: Value, out: &mut Tensors) -> Result<Value, SaveError> {
    let c = &model.config;
    out.tensor("model.embed_tokens.weight", &model.tok_embed)?;
    for (layer, block) in model.blocks.iter().enumerate() {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let (q, kv) = (c.n_heads * c.d_head, c.n_kv_heads * c.d_head);
        let parts = [("self_attn.q_proj", q), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)].map(|(part, width)| (name(part), width));
        out.norm(&name("input_layernorm"), &block.norm_attn)?;
        out.apart(&parts, &block.qkv)?;
        out.apart(&[(name("self_attn.o_proj"), c.d_model)], &block.attn_out)?;
        out.norm(&name("post_attention_layernorm"), &block.norm_mlp)?;
        out.apart(&[(name("mlp.gate_proj"), c.d_mlp), (name("mlp.up_proj"), c.d_mlp)], &block.mlp_in)?;
        out.apart(&[(name("mlp.down_proj"), c.d_model)], &block.mlp_out)?;
    }
    out.norm("model.norm", &model.final_norm)?;
    out.head(model)?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use crate::tensor::Device;

    use super::*;
    use crate::{
        formats::{config::ModelDescription, safetensors::SafeTensors},
        model::{load, params::ParamVisitor},
        train::rng::Stream,
    };

    /// Random values everywhere, so that a bias or norm at the wrong place shows.
    struct Shake(Stream);

    impl Shake {
        fn shaken<const D: usize>(&mut self, value: &mut Tensor<D>) {
            let noise: Vec<f32> = (0..value.dims().iter().product()).map(|_| self.0.normal() as f32 * 0.1).collect();
            let noise = Tensor::<1>::from_floats(noise.as_slice(), &value.device()).reshape(value.dims());
            value.inplace(|v| v + noise.clone());
        }
    }

    impl ParamVisitor for Shake {
        fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
            self.shaken(value);
        }

        fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
            self.shaken(value);
        }
    }

    fn small(base: TransformerConfig) -> TransformerConfig {
        TransformerConfig {
            n_layers: 2,
            d_model: 24,
            n_heads: 3,
            n_kv_heads: 3,
            d_head: 8,
            d_mlp: 40,
            vocab_size: 11,
            d_out: 11,
            max_positions: 9,
            ..base
        }
    }

    #[test]
    fn what_is_written_loads_to_the_same_bits_in_every_family() -> Result<(), Box<dyn std::error::Error>> {
        let (gpt2, llama) = (small(TransformerConfig::gpt2_small()), small(TransformerConfig::codellama_13b()));
        let attention = Biases { qkv: true, attn_out: true, mlp: false };
        let qwen = Biases { qkv: true, attn_out: false, mlp: false };
        let device = Device::flex();
        for config in [
            gpt2,
            TransformerConfig { tied: false, activation: Activation::Relu, ..gpt2 },
            llama,
            TransformerConfig { n_heads: 4, n_kv_heads: 2, d_head: 10, tied: true, ..llama },
            TransformerConfig { biases: attention, ..llama },
            TransformerConfig { biases: qwen, n_kv_heads: 1, ..llama },
        ] {
            let mut model = Transformer::init(config, 5, &device);
            model.visit(&mut Shake(Stream::new(1, "shake", 0)));
            let saved = to_hugging_face(&model)?;
            let description = ModelDescription::from_hf_config(saved.config.as_bytes())?;
            let back = load::load(&description, &SafeTensors::open(saved.weights.as_slice())?, &device)?;
            assert_eq!(back.config, config);
            let values = |m: &Transformer| read(&m.logits(&m.batch(&[vec![1_u32, 7, 3, 10]]).unwrap())).unwrap();
            assert_eq!(values(&back), values(&model), "{config:?}");
            assert_eq!(to_hugging_face(&back)?, saved);
        }
        for odd in [
            TransformerConfig { n_kv_heads: 1, ..gpt2 },
            TransformerConfig { biases: Biases::NONE, ..gpt2 },
            TransformerConfig { activation: Activation::Relu, ..llama },
            TransformerConfig { biases: Biases { attn_out: true, ..Biases::NONE }, ..llama },
        ] {
            assert!(matches!(to_hugging_face(&Transformer::init(odd, 5, &device)), Err(SaveError::Unsupported { .. })), "{odd:?}");
        }
        Ok(())
    }
}

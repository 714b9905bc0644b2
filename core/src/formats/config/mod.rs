//! The shape of a transformer: the numbers a loader needs before it asks for the first tensor.
//!
//! Two kinds of file say it: the `config.json` that lies beside a safetensors checkpoint (`hf`) and
//! the metadata inside a GGUF (`gguf`). Both end in one [`ModelDescription`], bounded and checked, so
//! that code which builds a model from it can multiply the numbers without fear. A setting that would
//! change the forward pass and is not implemented is an error, never ignored.

mod gguf;
mod hf;

use super::error::FormatError;

/// Largest accepted values: far above any published model, small enough to multiply.
pub mod limits {
    /// Blocks.
    pub const LAYERS: u64 = 1024;
    /// Width of the residual stream, and of all heads together.
    pub const WIDTH: u64 = 65_536;
    /// Query heads.
    pub const HEADS: u64 = 1024;
    /// Width of the feed-forward layer.
    pub const MLP: u64 = 1 << 19;
    /// Tokens in the vocabulary.
    pub const VOCAB: u64 = 1 << 21;
    /// Positions.
    pub const POSITIONS: u64 = 1 << 24;
    /// Bytes of a `config.json`.
    pub const CONFIG_BYTES: u64 = 1 << 20;
}

/// Which published family a model belongs to: this fixes the names of its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// GPT-2: learned positions, layer norms, fused q/k/v with biases.
    Gpt2,
    /// Llama and models of its shape: rotary positions, RMS norms, gated feed-forward.
    Llama,
    /// Qwen2: Llama's shape with biases on q, k and v.
    Qwen2,
}

/// Kind of normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Centre and scale, with weight and bias.
    LayerNorm,
    /// Scale by the root mean square, with weight.
    RmsNorm,
}

/// Activation of the feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU by tanh (`gelu_new`).
    GeluNew,
    /// Exact GELU by the error function.
    Gelu,
    /// x · sigmoid(x).
    Silu,
    /// max(x, 0).
    Relu,
}

/// Which dimensions of a head rotate together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeStyle {
    /// Dimensions 2i and 2i + 1: GGUF files of the llama family, whose q and k rows are permuted for it.
    AdjacentPairs,
    /// Dimensions i and i + `d_head` / 2: Hugging Face checkpoints.
    HalfSplit,
}

/// How the model knows positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// A learned vector per position.
    Learned,
    /// Rotary embedding of the whole head.
    Rope {
        /// Base of the frequencies.
        base: f64,
        /// Which dimensions rotate together.
        style: RopeStyle,
    },
}

/// Which linear layers have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// On q, k and v.
    pub qkv: bool,
    /// On the attention output.
    pub attention_out: bool,
    /// On the feed-forward layers.
    pub mlp: bool,
}

/// All a loader needs to know about a decoder-only transformer. Every count is at least 1 and within
/// [`limits`]; `n_kv_heads` divides `n_heads`; with rotary positions `d_head` is even.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelDescription {
    /// Family, for the tensor names.
    pub family: Family,
    /// Number of blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub d_head: usize,
    /// Width of the feed-forward layer.
    pub d_mlp: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest context.
    pub max_positions: usize,
    /// Normalisation.
    pub norm: NormKind,
    /// Its epsilon.
    pub norm_eps: f64,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Whether the feed-forward layer is gated: `down(act(gate(x)) * up(x))`.
    pub gated_mlp: bool,
    /// Positions.
    pub positions: Positions,
    /// Whether the output matrix is the token embedding.
    pub tied_embeddings: bool,
    /// Which linear layers have biases.
    pub biases: Biases,
}

/// The raw counts, before they are checked together.
struct Counts {
    layers: u64,
    width: u64,
    heads: u64,
    kv_heads: u64,
    /// Width of one head where the file states it.
    head: Option<u64>,
    mlp: u64,
    vocab: u64,
    positions: u64,
}

/// The checked counts.
struct Checked {
    n_layers: usize,
    d_model: usize,
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    d_mlp: usize,
    vocab_size: usize,
    max_positions: usize,
}

impl Counts {
    fn check(&self) -> Result<Checked, FormatError> {
        let bad = |reason: String| Err(FormatError::invalid("model description", reason));
        let n_layers = count("number of layers", self.layers, limits::LAYERS)?;
        let d_model = count("model width", self.width, limits::WIDTH)?;
        let n_heads = count("number of heads", self.heads, limits::HEADS)?;
        let n_kv_heads = count("number of key/value heads", self.kv_heads, limits::HEADS)?;
        if n_heads % n_kv_heads != 0 {
            return bad(format!("{n_heads} heads are not a multiple of {n_kv_heads} key/value heads"));
        }
        let d_head = match self.head {
            Some(head) => count("head width", head, limits::WIDTH)?,
            None if d_model % n_heads == 0 => d_model / n_heads,
            None => {
                return bad(format!("width {d_model} is not a multiple of {n_heads} heads"));
            }
        };
        let all_heads = n_heads as u64 * d_head as u64;
        FormatError::check_limit(|| "width of all heads".into(), all_heads, limits::WIDTH)?;
        Ok(Checked {
            n_layers,
            d_model,
            n_heads,
            n_kv_heads,
            d_head,
            d_mlp: count("feed-forward width", self.mlp, limits::MLP)?,
            vocab_size: count("vocabulary size", self.vocab, limits::VOCAB)?,
            max_positions: count("number of positions", self.positions, limits::POSITIONS)?,
        })
    }
}

/// A count from a file: at least 1, at most `max`.
fn count(what: &str, value: u64, max: u64) -> Result<usize, FormatError> {
    FormatError::check_limit(|| what.into(), value, max)?;
    if value == 0 {
        return Err(FormatError::invalid(what, "is zero"));
    }
    // All limits are below 2^32.
    usize::try_from(value).map_err(|_| FormatError::invalid(what, "is too large"))
}

/// An epsilon: above 0, below 1.
fn epsilon(value: f64) -> Result<f64, FormatError> {
    if value > 0.0 && value < 1.0 {
        return Ok(value);
    }
    let reason = format!("{value} is not between 0 and 1");
    Err(FormatError::invalid("norm epsilon", reason))
}

/// Rotation of the given base over whole heads.
fn rope(base: f64, style: RopeStyle, d_head: usize) -> Result<Positions, FormatError> {
    if !(base.is_finite() && base >= 1.0) {
        let reason = format!("{base} is not a finite number from 1 on");
        return Err(FormatError::invalid("rope base", reason));
    }
    if !d_head.is_multiple_of(2) {
        let reason = format!("is {d_head}, but rotation needs an even number");
        return Err(FormatError::invalid("head width", reason));
    }
    Ok(Positions::Rope { base, style })
}

fn unsupported(what: &str, found: impl Into<String>, supported: &str) -> FormatError {
    FormatError::Unsupported { what: what.into(), found: found.into(), supported: supported.into() }
}

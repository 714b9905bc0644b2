//! What takes a writer's place when its edge is cut.
//!
//! The masked stream needs, for every writer, the reference output x~ that enters where the edge's mask is 0, and for every reader the sum B of all references: what
//! it would read with everything cut. For a head only the 64-odd numbers before its output projection are kept (the projection is linear, so
//! `x - x~ = (z - z~) W_O`), and B is the residual stream of the reference run itself: far less than one tensor a writer.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What a cut edge carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ablation {
    /// The writer's output on the corrupted partner (activation patching).
    Interchange,
    /// The writer's mean output over a data set and its positions.
    Mean,
    /// Nothing.
    Zero,
}

/// One layer of a reference; `rows` is `tokens`, or 1 where one vector serves all tokens.
#[derive(Debug, Clone)]
pub struct LayerReference {
    /// Stream before the layer, `[rows, d_model]`.
    pub resid_pre: Tensor<2>,
    /// Head outputs before projection, `[heads, rows, d_head]`.
    pub z: Tensor<3>,
    /// Stream between attention and MLP, `[rows, d_model]`.
    pub resid_mid: Tensor<2>,
    /// MLP output, `[rows, d_model]`.
    pub mlp: Tensor<2>,
}

/// Reference outputs of all writers. Zero ablation keeps nothing.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Token embeddings `[rows, d_model]`.
    pub tok: Tensor<2>,
    /// Position embeddings `[rows, d_model]`, where learned.
    pub pos: Option<Tensor<2>>,
    pub layers: Vec<LayerReference>,
    /// Stream after the last layer, `[rows, d_model]`.
    pub resid_post: Tensor<2>,
}

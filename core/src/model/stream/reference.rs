//! What takes a writer's place when its edge is cut.
//!
//! The masked stream needs, for every writer, the reference output x~ that enters where the edge's mask is 0, and for every reader the sum B of all references: what
//! it would read with everything cut. For a head only the 64-odd numbers before its output projection are kept (the projection is linear, so
//! `x - x~ = (z - z~) W_O`), and B is the residual stream of the reference run itself: far less than one tensor a writer.

use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::model::transformer::select_rows;

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

impl Reference {
    /// The stream before `layer` (past the last: the final read), `[rows, d_model]`; `resid_post` where the model has fewer layers.
    pub fn resid_pre(&self, layer: usize) -> Tensor<2> {
        match layer.checked_sub(1).map(|before| self.layers.get(before)) {
            None => self.pos.iter().fold(self.tok.clone(), |sum, pos| sum + pos.clone()),
            Some(Some(before)) if layer < self.layers.len() => before.resid_mid.clone() + before.mlp.clone(),
            Some(_) => self.resid_post.clone(),
        }
    }

    /// Every tensor through `rows2` (`[rows, width]`) or `rows3` (`[heads, rows, d_head]`). All parts are linear in the writers' outputs, so sums and means of
    /// references are references again, `B` included.
    fn map(self, rows2: impl Fn(Tensor<2>) -> Tensor<2>, rows3: impl Fn(Tensor<3>) -> Tensor<3>) -> Self {
        let layer = |l: LayerReference| LayerReference { z: rows3(l.z), resid_mid: rows2(l.resid_mid), mlp: rows2(l.mlp) };
        Self {
            tok: rows2(self.tok),
            pos: self.pos.map(&rows2),
            layers: self.layers.into_iter().map(layer).collect(),
            resid_post: rows2(self.resid_post),
        }
    }

    /// Sums over the given token rows: one row everywhere.
    pub fn summed(self, rows: &[usize]) -> Self {
        let three = |x: Tensor<3>| {
            let [heads, tokens, d_head] = x.dims();
            let side_by_side = x.permute([1, 0, 2]).reshape([tokens, heads * d_head]);
            select_rows(side_by_side, rows).sum_dim(0).reshape([heads, 1, d_head])
        };
        self.map(|x| select_rows(x, rows).sum_dim(0), three)
    }

    /// All values divided by `n`.
    pub fn divided(self, n: f32) -> Self {
        self.map(|x| x / n, |x| x / n)
    }

    /// Two references of the same shape, added.
    pub fn plus(self, other: Self) -> Self {
        let layer = |(a, b): (LayerReference, LayerReference)| LayerReference {
            z: a.z + b.z,
            resid_mid: a.resid_mid + b.resid_mid,
            mlp: a.mlp + b.mlp,
        };
        Self {
            tok: self.tok + other.tok,
            pos: self.pos.zip(other.pos).map(|(a, b)| a + b),
            layers: self.layers.into_iter().zip(other.layers).map(layer).collect(),
            resid_post: self.resid_post + other.resid_post,
        }
    }
}

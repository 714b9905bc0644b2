//! The residual stream as an interface, and its implementations.
//!
//! A transformer's forward hands every writer's output to a [`Stream`] and asks it for every reader's input. [`Plain`] keeps one running sum and costs
//! what a hand-written forward costs. [`Capture`] also remembers what writers wrote. [`NodeMasked`] replaces whole writers by a reference. [`EdgeMasked`]
//! keeps every writer apart and gives each reader its own mixture: the disentangled stream of Edge Pruning and of activation patching.

mod capture;
mod edge_backward;
mod edge_masked;
mod masks;
mod node_masked;
mod plain;
mod reference;
mod store;

pub use capture::Capture;
pub use edge_masked::{Differences, EdgeMasked, Workspace};
pub use node_masked::NodeMasked;
pub use plain::Plain;
pub use reference::{Ablation, LayerReference, Reference};

use crate::tensor::Tensor;

use super::{attention::Qkv, transformer::Linear};

/// What the attention of a layer reads.
#[derive(Debug, Clone)]
pub enum AttnInput {
    /// All readers see the same stream, `[tokens, d_model]`.
    Shared(Tensor<2>),
    /// Each reader (q of each head, k and v of each key/value head) has its own, `[readers, tokens, d_model]`.
    PerReader(Tensor<3>),
}

/// Attention results before the output projection, `[batch, heads, query, d_head]`.
#[derive(Debug, Clone)]
pub struct HeadOutputs(pub Tensor<4>);

impl HeadOutputs {
    /// Side by side for one product with the whole output projection, `[tokens, heads * d_head]`.
    pub fn fused(self) -> Tensor<2> {
        let [batch, heads, query, d_head] = self.0.dims();
        self.0.permute([0, 2, 1, 3]).reshape([batch * query, heads * d_head])
    }

    /// One matrix a head, `[heads, tokens, d_head]`.
    pub fn per_head(self) -> Tensor<3> {
        let [batch, heads, query, d_head] = self.0.dims();
        self.0.permute([1, 0, 2, 3]).reshape([heads, batch * query, d_head])
    }
}

/// A value inside a block that a stream may look at.
#[derive(Debug)]
pub enum Site<'a> {
    /// Queries, keys and values before rotation.
    Qkv(&'a Qkv),
    /// Head outputs before the output projection.
    HeadOutputs(&'a HeadOutputs),
    /// MLP pre-activations `[tokens, d_mlp_in]`.
    MlpPre(&'a Tensor<2>),
}

/// The residual stream: readers ask, writers give. Calls come in forward order.
pub trait Stream {
    /// The embeddings, `[tokens, d_model]` each.
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>);
    /// What the attention of `layer` reads.
    fn attn_input(&mut self, layer: usize) -> AttnInput;
    /// What the heads of `layer` write: `z` through the output projection `out`.
    fn write_attn(&mut self, layer: usize, z: HeadOutputs, out: &Linear);
    /// What the MLP of `layer` reads, `[tokens, d_model]`.
    fn mlp_input(&mut self, layer: usize) -> Tensor<2>;
    /// What the MLP of `layer` writes: hidden values `[tokens, d_mlp]` through `out`.
    fn write_mlp(&mut self, layer: usize, hidden: Tensor<2>, out: &Linear);
    /// The read before the last norm, `[tokens, d_model]`.
    fn final_input(&mut self) -> Tensor<2>;
    /// Shows a value inside a block. Does nothing unless a stream cares.
    fn observe(&mut self, _layer: usize, _site: Site<'_>) {}
}

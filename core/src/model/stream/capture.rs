//! Plain execution that remembers what every writer wrote: the reference run.

use crate::tensor::Tensor;

use super::{AttnInput, HeadOutputs, LayerReference, Plain, Reference, Stream};
use crate::model::transformer::Linear;

/// Runs like [`Plain`] and keeps a [`Reference`].
#[derive(Debug, Default)]
pub struct Capture {
    plain: Plain,
    tok: Option<Tensor<2>>,
    pos: Option<Tensor<2>>,
    layers: Vec<LayerReference>,
    pending: Option<Tensor<3>>,
    mid: Option<Tensor<2>>,
}

impl Capture {
    /// What was written, after a whole forward; `None` before.
    pub fn into_reference(mut self) -> Option<Reference> {
        let resid_post = self.plain.final_input();
        Some(Reference { tok: self.tok?, pos: self.pos, layers: self.layers, resid_post })
    }
}

impl Stream for Capture {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        self.layers.clear();
        self.tok = Some(tok.clone());
        self.pos.clone_from(&pos);
        self.plain.begin(tok, pos);
    }

    fn attn_input(&mut self, layer: usize) -> AttnInput {
        self.plain.attn_input(layer)
    }

    fn write_attn(&mut self, layer: usize, z: HeadOutputs, out: &Linear) {
        self.pending = Some(z.clone().per_head());
        self.plain.write_attn(layer, z, out);
    }

    fn mlp_input(&mut self, layer: usize) -> Tensor<2> {
        let mid = self.plain.mlp_input(layer);
        self.mid = Some(mid.clone());
        mid
    }

    fn write_mlp(&mut self, _layer: usize, hidden: Tensor<2>, out: &Linear) {
        let mlp = out.apply(hidden);
        if let (Some(z), Some(resid_mid)) = (self.pending.take(), self.mid.take()) {
            self.layers.push(LayerReference { z, resid_mid, mlp: mlp.clone() });
        }
        self.plain.add(mlp);
    }

    fn final_input(&mut self) -> Tensor<2> {
        self.plain.final_input()
    }
}

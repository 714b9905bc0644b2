//! Whole writers replaced by their reference, all readers alike.
//!
//! The written value is `n_w x_w + (1 - n_w) x~_w`. A head's mask commutes with its output projection, so heads are mixed before it and the
//! stream stays one running sum: node masks cost next to nothing over a plain forward. Masks 0 or 1 give mean, zero and interchange ablation of components.

use crate::tensor::Tensor;

use super::{AttnInput, HeadOutputs, Plain, Reference, Stream};
use crate::model::{
    graph::{EmbeddingNodes, Graph},
    transformer::Linear,
};

/// The node-masked stream.
#[derive(Debug)]
pub struct NodeMasked<'a> {
    graph: &'a Graph,
    /// One mask a writer, `[writers]`.
    masks: Tensor<1>,
    reference: Option<&'a Reference>,
    plain: Plain,
}

impl<'a> NodeMasked<'a> {
    /// `masks` is `[writers]` in writer order; `reference` `None` means zero ablation.
    pub fn new(graph: &'a Graph, masks: Tensor<1>, reference: Option<&'a Reference>) -> Self {
        Self { graph, masks, reference, plain: Plain::default() }
    }

    /// `n x + (1 - n) x~` as `x~ + n (x - x~)` for one writer.
    fn mixed(&self, writer: usize, x: Tensor<2>, reference: Option<&Tensor<2>>) -> Tensor<2> {
        let mask = self.masks.clone().narrow(0, writer, 1).reshape([1, 1]);
        match reference {
            Some(reference) => reference.clone() + (x - reference.clone()) * mask,
            None => x * mask,
        }
    }
}

impl Stream for NodeMasked<'_> {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        let reference = self.reference;
        match self.graph.shape().embedding_nodes {
            EmbeddingNodes::AlwaysOn => self.plain.begin(tok, pos),
            EmbeddingNodes::Single => {
                let sum = |tok: Tensor<2>, pos: Option<Tensor<2>>| match pos {
                    Some(pos) => tok + pos,
                    None => tok,
                };
                let x = self.mixed(0, sum(tok, pos), reference.map(|r| sum(r.tok.clone(), r.pos.clone())).as_ref());
                self.plain.begin(x, None);
            }
            EmbeddingNodes::Split => {
                let tok = self.mixed(0, tok, reference.map(|r| &r.tok));
                let pos = pos.map(|pos| self.mixed(1, pos, reference.and_then(|r| r.pos.as_ref())));
                self.plain.begin(tok, pos);
            }
        }
    }

    fn attn_input(&mut self, layer: usize) -> AttnInput {
        self.plain.attn_input(layer)
    }

    fn write_attn(&mut self, layer: usize, z: HeadOutputs, out: &Linear) {
        let [batch, heads, query, d_head] = z.0.dims();
        let first = self.graph.first_writer_of_layer(layer);
        let mask = self.masks.clone().narrow(0, first, heads);
        let by_head = mask.clone().reshape([1, heads, 1, 1]);
        let mixed = match self.reference {
            Some(reference) => {
                let r = reference.layers[layer].z.clone();
                let rows = r.dims()[1];
                let r = if rows == 1 {
                    r.reshape([1, heads, 1, d_head])
                } else {
                    r.reshape([heads, batch, query, d_head]).permute([1, 0, 2, 3])
                };
                r.clone() + (z.0 - r) * by_head
            }
            None => z.0 * by_head,
        };
        // A head's share of the output bias is part of what it writes: under zero ablation it goes with the head.
        let bias = match (&out.bias, self.reference) {
            (Some(bias), None) => Some(bias.clone() * (mask.sum() / heads as f32)),
            (bias, _) => bias.clone(),
        };
        self.plain.write_attn(layer, HeadOutputs(mixed), &Linear::new(out.weight.clone(), bias));
    }

    fn mlp_input(&mut self, layer: usize) -> Tensor<2> {
        self.plain.mlp_input(layer)
    }

    fn write_mlp(&mut self, layer: usize, hidden: Tensor<2>, out: &Linear) {
        let writer = self.graph.first_writer_of_layer(layer) + self.graph.shape().n_heads;
        let mixed = self.mixed(writer, out.apply(hidden), self.reference.map(|r| &r.layers[layer].mlp));
        self.plain.add(mixed);
    }

    fn final_input(&mut self) -> Tensor<2> {
        self.plain.final_input()
    }
}

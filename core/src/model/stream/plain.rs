//! The residual stream as one running sum.

use crate::tensor::Tensor;

use super::{AttnInput, HeadOutputs, Stream};
use crate::model::transformer::Linear;

/// Plain execution: every reader sees the sum of all that was written.
#[derive(Debug, Default)]
pub struct Plain {
    sum: Option<Tensor<2>>,
}

impl Plain {
    fn read(&self) -> Tensor<2> {
        self.sum.clone().unwrap_or_else(|| unreachable!("the forward begins with the embeddings"))
    }

    /// Adds a writer's output, `[tokens, d_model]`.
    pub fn add(&mut self, x: Tensor<2>) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + x,
            None => x,
        });
    }
}

impl Stream for Plain {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        self.sum = None;
        self.add(tok);
        if let Some(pos) = pos {
            self.add(pos);
        }
    }

    fn attn_input(&mut self, _layer: usize) -> AttnInput {
        AttnInput::Shared(self.read())
    }

    fn write_attn(&mut self, _layer: usize, z: HeadOutputs, out: &Linear) {
        self.add(out.apply(z.fused()));
    }

    fn mlp_input(&mut self, _layer: usize) -> Tensor<2> {
        self.read()
    }

    fn write_mlp(&mut self, _layer: usize, hidden: Tensor<2>, out: &Linear) {
        self.add(out.apply(hidden));
    }

    fn final_input(&mut self) -> Tensor<2> {
        self.read()
    }
}

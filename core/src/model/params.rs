//! The weights of a transformer by name: for saving, loading, training and counting.
//!
//! Names are vitrine's own and the same for every family: `tok_embed`, `pos_embed`, `blocks.{l}.norm_attn.scale`, `blocks.{l}.qkv.weight`, `blocks.{l}.attn_out.bias`, …,
//! `final_norm.scale`, `unembed`. Matrices are stored `[d_in, d_out]`.

use crate::tensor::Tensor;

use super::{Block, Linear, Norm, Transformer};

/// Something that looks at, or replaces, every weight in turn.
pub trait ParamVisitor {
    /// A vector: biases, norm scales and shifts.
    fn vector(&mut self, name: &str, value: &mut Tensor<1>);
    /// A matrix: linear maps and embeddings.
    fn matrix(&mut self, name: &str, value: &mut Tensor<2>);
}

impl Transformer {
    /// Shows every weight to `visitor`, always in the same order.
    pub fn visit(&mut self, visitor: &mut dyn ParamVisitor) {
        visitor.matrix("tok_embed", &mut self.tok_embed);
        if let Some(table) = &mut self.pos_embed {
            visitor.matrix("pos_embed", table);
        }
        for (layer, block) in self.blocks.iter_mut().enumerate() {
            let Block { norm_attn, qkv, attn_out, norm_mlp, mlp_in, mlp_out } = block;
            visit_norm(norm_attn, &format!("blocks.{layer}.norm_attn"), visitor);
            visit_linear(qkv, &format!("blocks.{layer}.qkv"), visitor);
            visit_linear(attn_out, &format!("blocks.{layer}.attn_out"), visitor);
            visit_norm(norm_mlp, &format!("blocks.{layer}.norm_mlp"), visitor);
            visit_linear(mlp_in, &format!("blocks.{layer}.mlp_in"), visitor);
            visit_linear(mlp_out, &format!("blocks.{layer}.mlp_out"), visitor);
        }
        visit_norm(&mut self.final_norm, "final_norm", visitor);
        if let Some(unembed) = &mut self.unembed {
            visitor.matrix("unembed", unembed);
        }
    }

    /// A copy whose weights autodiff follows.
    #[cfg(feature = "autodiff")]
    pub fn tracked(&self) -> Self {
        struct Track;
        impl ParamVisitor for Track {
            fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
                value.inplace(|v| v.autodiff().require_grad());
            }
            fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
                value.inplace(|v| v.autodiff().require_grad());
            }
        }
        let mut model = self.clone();
        model.visit(&mut Track);
        model
    }
}

fn visit_norm(norm: &mut Norm, name: &str, visitor: &mut dyn ParamVisitor) {
    match norm {
        Norm::None => {}
        Norm::Layer { scale, shift, .. } => {
            visitor.vector(&format!("{name}.scale"), scale);
            visitor.vector(&format!("{name}.shift"), shift);
        }
        Norm::Rms { scale, .. } => visitor.vector(&format!("{name}.scale"), scale),
    }
}

fn visit_linear(linear: &mut Linear, name: &str, visitor: &mut dyn ParamVisitor) {
    visitor.matrix(&format!("{name}.weight"), &mut linear.weight);
    if let Some(bias) = &mut linear.bias {
        visitor.vector(&format!("{name}.bias"), bias);
    }
}

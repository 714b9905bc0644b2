//! The MLP's non-linearity and its pullback.
//!
//! GELU's tanh form is written as `x * sigmoid(2 * sqrt(2/pi) * (x + 0.044715 x^3))`, which is the same function (Hendrycks and Gimpel 2016) without a tanh.

use crate::tensor::{
    Tensor,
    activation::{relu, sigmoid},
};

use super::{
    config::Activation,
    cpu::{self, Host},
};

/// `2 * sqrt(2 / pi)`.
pub(super) const GELU_LINEAR: f32 = 1.595_769_1;
/// `2 * sqrt(2 / pi) * 0.044715`.
pub(super) const GELU_CUBIC: f32 = 0.071_354_814;

impl Activation {
    /// Hidden values `[rows, d_mlp]` from pre-activations `[rows, d_mlp]`, or `[rows, 2 * d_mlp]` (gate first) for gated activations.
    pub fn apply(self, pre: Tensor<2>) -> Tensor<2> {
        let (shape, device) = (pre.dims(), pre.device());
        let pre = match Host::new(pre) {
            Ok(pre) => return cpu::activation(self, pre, shape, &device),
            Err(pre) => pre,
        };
        match self {
            Self::Relu => relu(pre),
            Self::GeluTanh => pre.clone() * sigmoid(gelu_argument(pre)),
            Self::SwiGlu => {
                let [gate, up] = halves(pre);
                gate.clone() * sigmoid(gate) * up
            }
        }
    }

    /// Gradient at `pre` from the gradient at the hidden values.
    pub fn pullback(self, pre: Tensor<2>, d_hidden: Tensor<2>) -> Tensor<2> {
        if cpu::is_host(&pre) {
            return cpu::activation_pullback(self, pre, d_hidden);
        }
        match self {
            Self::Relu => d_hidden.mask_fill(pre.lower_equal_scalar(0.0), 0.0),
            Self::GeluTanh => {
                let s = sigmoid(gelu_argument(pre.clone()));
                let slope = pre.clone().square() * (3.0 * GELU_CUBIC) + GELU_LINEAR;
                d_hidden * (s.clone() + pre * s.clone() * (s.neg() + 1.0) * slope)
            }
            Self::SwiGlu => {
                let [gate, up] = halves(pre);
                let s = sigmoid(gate.clone());
                let d_up = d_hidden.clone() * gate.clone() * s.clone();
                let d_gate = d_hidden * up * s.clone() * (gate * (s.neg() + 1.0) + 1.0);
                Tensor::cat(vec![d_gate, d_up], 1)
            }
        }
    }
}

fn gelu_argument(x: Tensor<2>) -> Tensor<2> {
    x.clone() * (x.square() * GELU_CUBIC + GELU_LINEAR)
}

fn halves(pre: Tensor<2>) -> [Tensor<2>; 2] {
    let half = pre.dims()[1] / 2;
    [pre.clone().narrow(1, 0, half), pre.narrow(1, half, half)]
}

//! Normalisation in front of a reader, and its pullback.
//!
//! RMSNorm (Zhang and Sennrich 2019): `y = x / sqrt(mean(x^2) + eps) * scale`. LayerNorm (Ba et al. 2016) subtracts the mean first and adds a shift. The
//! pullbacks are the closed forms: with `x^ = (x - mean) * r` and `g = dy * scale`, `dx = r * (g - mean(g) - x^ * mean(g * x^))` (the mean of `g`
//! is absent for RMSNorm).

use crate::tensor::Tensor;

use super::{
    cpu::{self, Host, TiledRows, back},
    product::sum_of_rows,
};

/// A normalisation over the last axis, with its weights.
#[derive(Debug, Clone)]
pub enum Norm {
    /// The identity.
    None,
    /// LayerNorm: `scale`, `shift` of shape `[d_model]`.
    Layer { scale: Tensor<1>, shift: Tensor<1>, eps: f64 },
    /// RMSNorm: `scale` of shape `[d_model]`.
    Rms { scale: Tensor<1>, eps: f64 },
}

impl Norm {
    /// Normalises `x` of shape `[rows, d_model]`, row by row.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        let (shape, device) = (x.dims(), x.device());
        let x = match (self, Host::new(x)) {
            (Self::Layer { scale, shift, eps }, Ok(x)) => return cpu::norm(x, scale, Some(shift), *eps, shape, &device),
            (Self::Rms { scale, eps }, Ok(x)) => return cpu::norm(x, scale, None, *eps, shape, &device),
            (_, x) => back(x),
        };
        match self {
            Self::None => x,
            Self::Layer { scale, shift, eps } => {
                let (unit, _) = unit(x, true, *eps);
                unit * scale.clone().unsqueeze() + shift.clone().unsqueeze()
            }
            Self::Rms { scale, eps } => unit(x, false, *eps).0 * scale.clone().unsqueeze(),
        }
    }

    /// Pulls `d_out` back to the input: the gradient at `x`; both of shape `[rows, d_model]`.
    pub fn pullback(&self, x: Tensor<2>, d_out: Tensor<2>) -> Tensor<2> {
        let (scale, centred, eps) = match self {
            Self::None => return d_out,
            Self::Layer { scale, eps, .. } => (scale, true, *eps),
            Self::Rms { scale, eps } => (scale, false, *eps),
        };
        let x = match Host::new(x) {
            Ok(x) => return cpu::norm_pullback(x, d_out, scale, centred, eps),
            Err(x) => x,
        };
        let (unit, inverse) = unit(x, centred, eps);
        let g = d_out * scale.clone().unsqueeze();
        let along = (g.clone() * unit.clone()).mean_dim(1);
        let g = if centred { g.clone() - g.mean_dim(1) } else { g };
        (g - unit * along) * inverse
    }
}

impl Norm {
    /// [`Self::pullback`] written to tiles from row `at`; its arguments come back where they are not plain memory or do not fill tiles.
    pub(super) fn pullback_into_tiles(
        &self,
        x: Tensor<2>,
        d_out: Tensor<2>,
        tiles: &mut TiledRows,
        at: usize,
    ) -> Option<(Tensor<2>, Tensor<2>)> {
        let norm = match self {
            Self::Layer { scale, eps, .. } => (scale, true, *eps),
            Self::Rms { scale, eps } => (scale, false, *eps),
            Self::None => return Some((x, d_out)),
        };
        if !cpu::whole_tiles(x.dims()[1]) {
            return Some((x, d_out));
        }
        match (Host::new(x), Host::new(d_out)) {
            (Ok(x), Ok(d_out)) => {
                cpu::norm_pullback_into_tiles(x, d_out, norm, tiles, at);
                None
            }
            (x, d_out) => Some((back(x), back(d_out))),
        }
    }

    /// Gradients of the scale and of the shift, where there are such, from the input and the gradient at the output, both `[rows, d_model]`.
    pub fn weight_gradients(&self, x: Tensor<2>, d_out: Tensor<2>) -> (Option<Tensor<1>>, Option<Tensor<1>>) {
        let (centred, eps) = match self {
            Self::None => return (None, None),
            Self::Layer { eps, .. } => (true, *eps),
            Self::Rms { eps, .. } => (false, *eps),
        };
        let (width, device) = (x.dims()[1], x.device());
        let shift = centred.then(|| sum_of_rows(d_out.clone()));
        let scale = match (Host::new(x), Host::new(d_out)) {
            (Ok(x), Ok(d_out)) => {
                let (x, d_out) = (x.contiguous(), d_out.contiguous());
                cpu::tensor(cpu::norm_scale_gradient(x.values(), d_out.values(), width, centred, eps), [width], &device)
            }
            (x, d_out) => sum_of_rows(back(d_out) * unit(back(x), centred, eps).0),
        };
        (Some(scale), shift)
    }
}

/// The input with unit root mean square (after centring), and the factor that made it so.
fn unit(x: Tensor<2>, centred: bool, eps: f64) -> (Tensor<2>, Tensor<2>) {
    let x = if centred { x.clone() - x.mean_dim(1) } else { x };
    let inverse = (x.clone().square().mean_dim(1) + eps).sqrt().recip();
    (x * inverse.clone(), inverse)
}

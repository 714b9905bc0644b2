//! Functions of whole tensors.

use super::{Tensor, arithmetic::sum_of, memory::AXES};

pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.map(|x| x.max(0.0))
}

pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.map(|x| 1.0 / (1.0 + (-x).exp()))
}

/// `e^x / sum e^x` along an axis.
pub fn softmax<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    along(x, axis, |row, largest| {
        for x in row.iter_mut() {
            *x = (*x - largest).exp();
        }
        let total = sum_of(row);
        for x in row {
            *x /= total;
        }
    })
}

/// `x - log sum e^x` along an axis.
pub fn log_softmax<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    along(x, axis, |row, largest| {
        let powers: Vec<f32> = row.iter().map(|x| (x - largest).exp()).collect();
        let shift = largest + sum_of(&powers).ln();
        for x in row {
            *x -= shift;
        }
    })
}

/// Every run along an axis, with its largest number.
fn along<const D: usize>(x: Tensor<D>, axis: usize, body: impl Fn(&mut [f32], f32)) -> Tensor<D> {
    let mut x = x.swap_dims(axis, D - 1);
    let width = x.memory.shape[AXES - 1].max(1);
    for row in x.memory.values_mut().chunks_exact_mut(width) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        body(row, largest);
    }
    x.swap_dims(axis, D - 1)
}

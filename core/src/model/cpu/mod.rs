//! Fused row kernels for the CPU backend.
//!
//! **Why.** The masked forward reads every head's input apart, so norms and activations run over many times the rows of a plain forward. As tensor operations each costs several
//! passes over memory and a scalar `exp`; fused, each row is read and written once.
//!
//! **Method.** On the flex backend a tensor that nobody else holds turns into its `Vec<f32>` and back without a copy. The kernels are plain loops over
//! rows that the compiler vectorises, compiled once per instruction set and chosen at run time (`pulp`). Tensors that autodiff tracks, and tensors of other devices, take the tensor operations in the calling modules.

pub mod attention;
pub mod blocks;
pub mod cached;
mod cross_entropy;
mod few_rows;
mod host;
pub mod matmul;
mod pack;
pub mod rows;
mod sums;
mod tiles;

pub use cross_entropy::cross_entropy;
pub use host::{Host, back};
pub use rows::{activation, activation_pullback, norm, norm_pullback, norm_pullback_into_tiles};
pub use sums::{norm_scale_gradient, sum_of_rows};
pub use tiles::{MixedRow, TiledRows, whole_tiles};

use crate::tensor::{Device, Tensor, TensorData};

/// Whether the kernels here may run on this tensor: plain CPU backend, no autodiff.
pub fn is_host<const D: usize>(x: &Tensor<D>) -> bool {
    is_host_device(&x.device())
}

/// Whether tensors of this device are plain CPU memory.
pub fn is_host_device(device: &Device) -> bool {
    #[cfg(feature = "burn")]
    if device.is_autodiff() {
        return false;
    }
    *device == Device::flex()
}

/// The tensor's values, row-major; without a copy where nobody else holds them. Only for tensors for which [`is_host`] holds.
pub fn into_vec<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec::<f32>().unwrap_or_default()
}

/// A tensor of the given values and shape, on `device`.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Threads that [`for_each_task`] may use.
fn threads() -> usize {
    #[cfg(feature = "native-cpu")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "native-cpu"))]
    1
}

/// Runs `body` on every task with its index, in parallel where threads are there. Tasks own what they write, so the result does not depend on their order.
pub fn for_each_task<T: Send>(tasks: Vec<T>, body: impl Fn(usize, T) + Sync + Send) {
    #[cfg(feature = "native-cpu")]
    if tasks.len() > 1 {
        use rayon::prelude::*;
        return tasks.into_par_iter().enumerate().for_each(|(i, task)| body(i, task));
    }
    tasks.into_iter().enumerate().for_each(|(i, task)| body(i, task));
}

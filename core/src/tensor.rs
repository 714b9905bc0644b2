//! The tensors that core computes with: burn's, or, in the page's first bundle, plain memory.
//!
//! **Why.** burn chooses backend and type of number at run time, so a program holds every operation for every type. That is what a program with GPUs needs; in the bundle that
//! every page and report carries it was a third of all code, for numbers that are always `f32` in plain memory. **Method.** Core names tensors by this module
//! alone. With the feature `burn` they are burn's; without it they are a small type with the same names, whose results the tests compare with burn's.

#[cfg(feature = "burn")]
pub use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};

/// Functions of whole tensors.
#[cfg(feature = "burn")]
pub mod activation {
    pub use burn::tensor::activation::{log_softmax, relu, sigmoid, softmax};
}

#[cfg(any(test, not(feature = "burn")))]
#[cfg_attr(feature = "burn", expect(dead_code, reason = "only what is compared with burn is used where burn is there"))]
pub mod plain;

#[cfg(not(feature = "burn"))]
pub use plain::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};

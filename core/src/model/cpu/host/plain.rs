//! The page's own tensors as memory, which is what they are.

use crate::{
    model::cpu::matmul::View,
    tensor::{Tensor, plain::Memory},
};

/// The memory of a tensor of 32-bit floats.
#[derive(Debug, Clone)]
pub struct Host(Memory<f32>);

impl Host {
    /// The tensor's memory, without a copy.
    ///
    /// # Errors
    /// None: there are no tensors elsewhere.
    pub fn new<const D: usize>(x: Tensor<D>) -> Result<Self, Tensor<D>> {
        Ok(Self(x.into_memory()))
    }

    /// As a tensor again.
    pub fn into_tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_memory(self.0)
    }

    /// The numbers from the first one on; further ones by the strides.
    pub fn data(&self) -> &[f32] {
        self.0.data()
    }

    /// Numbers from one element to the next, for each axis.
    pub fn strides<const D: usize>(&self) -> [usize; D] {
        let strides = self.0.strides();
        std::array::from_fn(|axis| strides[strides.len() - D + axis])
    }

    /// A matrix.
    pub fn view(&self) -> View<'_> {
        View { data: self.data(), strides: self.strides() }
    }

    /// All numbers one after another, row-major; a copy only where they do not lie so.
    #[must_use]
    pub fn contiguous(self) -> Self {
        if self.0.rows().is_some() { self } else { Self(Memory::new(self.0.clone().into_vec(), self.0.shape)) }
    }

    /// The numbers of a [`Host::contiguous`] tensor.
    pub fn values(&self) -> &[f32] {
        self.0.rows().unwrap_or_default()
    }

    /// Whether nobody else holds the memory.
    pub fn is_unique(&self) -> bool {
        self.0.is_unique()
    }

    /// All numbers, row-major, to be changed; a copy only where somebody else holds them or they lie otherwise.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.0.values_mut()
    }
}

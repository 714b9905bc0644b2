//! burn's CPU tensors as memory.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{DType, Tensor, TensorData},
};

use crate::model::cpu::matmul::View;

/// The memory of a tensor of 32-bit floats.
#[derive(Debug, Clone)]
pub struct Host(FlexTensor);

impl Host {
    /// The tensor's memory, without a copy; the tensor itself where it is not plain CPU memory.
    ///
    /// # Errors
    /// The tensor, where [`super::super::is_host`] does not hold.
    #[expect(
        clippy::result_large_err,
        reason = "the tensor comes back on the usual path of other devices; boxing it would cost them an allocation"
    )]
    pub fn new<const D: usize>(x: Tensor<D>) -> Result<Self, Tensor<D>> {
        match x.clone().try_into_primitive::<Flex>() {
            Ok(flex) if flex.dtype() == DType::F32 && flex.layout().strides().iter().all(|&s| s >= 0) => Ok(Self(flex)),
            _ => Err(x),
        }
    }

    /// As a tensor again.
    pub fn into_tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Flex>(self.0)
    }

    /// The numbers from the first one on; further ones by the strides.
    pub fn data(&self) -> &[f32] {
        self.0.storage::<f32>().get(self.0.layout().start_offset()..).unwrap_or_default()
    }

    /// Numbers from one element to the next, for each axis.
    pub fn strides<const D: usize>(&self) -> [usize; D] {
        let strides = self.0.layout().strides();
        std::array::from_fn(|axis| strides.get(axis).and_then(|&s| usize::try_from(s).ok()).unwrap_or(0))
    }

    /// A matrix.
    pub fn view(&self) -> View<'_> {
        View { data: self.data(), strides: self.strides() }
    }

    /// All numbers one after another, row-major; a copy only where they do not lie so.
    #[must_use]
    pub fn contiguous(self) -> Self {
        if self.0.as_slice::<f32>().is_some() { self } else { Self(self.0.to_contiguous()) }
    }

    /// The numbers of a [`Host::contiguous`] tensor.
    pub fn values(&self) -> &[f32] {
        self.0.as_slice::<f32>().unwrap_or_default()
    }

    /// Whether nobody else holds the memory.
    pub fn is_unique(&self) -> bool {
        self.0.is_unique()
    }

    /// All numbers, row-major, to be changed; a copy only where somebody else holds them or they lie otherwise.
    pub fn values_mut(&mut self) -> &mut [f32] {
        let n = self.0.layout().num_elements();
        if self.0.layout().start_offset() != 0 || !self.0.is_contiguous() || self.0.bytes().len() != n * size_of::<f32>() {
            let copy: Vec<f32> = self.clone().contiguous().values().to_vec();
            let shape = self.0.layout().shape().clone();
            self.0 = FlexTensor::from_data(TensorData::new(copy, shape));
        }
        self.0.storage_mut::<f32>()
    }
}

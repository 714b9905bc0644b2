//! A plain CPU tensor as memory: read where it lies, by its strides, and changed in place where nobody else holds it.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{DType, Tensor},
};

use super::matmul::View;

/// The memory of a tensor of 32-bit floats.
#[derive(Debug, Clone)]
pub struct Host(FlexTensor);

impl Host {
    /// The tensor's memory, without a copy; the tensor itself where it is not plain CPU memory.
    ///
    /// # Errors
    /// The tensor, where [`super::is_host`] does not hold.
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
            self.0 = FlexTensor::from_data(burn::tensor::TensorData::new(copy, shape));
        }
        self.0.storage_mut::<f32>()
    }
}

/// The tensor that was not, or need not have been, taken as memory.
pub fn back<const D: usize>(x: Result<Host, Tensor<D>>) -> Tensor<D> {
    x.map_or_else(|tensor| tensor, Host::into_tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn matrix() -> Tensor<2> {
        Tensor::from_data(TensorData::new((0..12).map(|i| i as f32).collect::<Vec<f32>>(), [3, 4]), &Device::flex())
    }

    #[test]
    fn views_follow_strides_and_offsets() {
        let x = Host::new(matrix().transpose().narrow(0, 1, 2)).unwrap();
        let View { data, strides } = x.view();
        assert_eq!((strides, data[0], data[strides[0]], data[2 * strides[1]]), ([1, 4], 1.0, 2.0, 9.0));
        assert_eq!(x.contiguous().values(), [1.0, 5.0, 9.0, 2.0, 6.0, 10.0]);
    }

    #[test]
    fn changing_leaves_other_holders_alone_and_an_only_one_in_place() {
        let shared = matrix();
        for view in [shared.clone(), shared.clone().narrow(0, 1, 1), shared.clone().transpose(), shared.clone().narrow(0, 0, 2)] {
            let expected: Vec<f32> = view.to_data().try_to_vec::<f32>().unwrap().iter().map(|x| x + 1.0).collect();
            let mut host = Host::new(view).unwrap();
            host.values_mut().iter_mut().for_each(|x| *x += 1.0);
            assert_eq!(host.values(), expected);
        }
        assert_eq!(shared.clone().into_data().try_into_vec::<f32>().unwrap(), (0..12).map(|i| i as f32).collect::<Vec<f32>>());
        let mut host = Host::new(shared).unwrap();
        let before = host.data().as_ptr();
        assert_eq!(host.values_mut().as_ptr(), before);
    }

    #[cfg(feature = "autodiff")]
    #[test]
    fn what_autodiff_follows_is_not_plain_memory() {
        assert!(Host::new(matrix().autodiff().require_grad()).is_err());
    }
}

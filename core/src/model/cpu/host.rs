//! A plain CPU tensor as memory: read where it lies, by its strides, and changed in place where nobody else holds it.

#[cfg(feature = "burn")]
mod burn;
#[cfg(not(feature = "burn"))]
mod plain;

#[cfg(feature = "burn")]
pub use burn::Host;
#[cfg(not(feature = "burn"))]
pub use plain::Host;

use crate::tensor::Tensor;

/// The tensor that was not, or need not have been, taken as memory.
pub fn back<const D: usize>(x: Result<Host, Tensor<D>>) -> Tensor<D> {
    x.map_or_else(|tensor| tensor, Host::into_tensor)
}

#[cfg(test)]
mod tests {
    use super::super::matmul::View;
    use super::*;
    use crate::tensor::{Device, TensorData};

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

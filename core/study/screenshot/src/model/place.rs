//! Where a model is computed, and how precisely.
//!
//! Plain memory is the CPU's: the fused kernels of [`super::tape`], and what every page runs. A device is anything that burn has a backend for.

use serde::{Deserialize, Serialize};

use super::{calls::Writing, tape::Tape};
use crate::ScreenshotError;
use vitrine_core::{tensor::Device, train::mat::Mat};
#[cfg(feature = "burn")]
use {super::device::DeviceTape, vitrine_core::tensor::Tensor};

/// What matrix products are computed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// Factors of products in bfloat16; parameters, optimiser, sums, norms and softmax in single precision.
    Bf16,
}

/// Where a model is computed.
#[derive(Debug, Clone)]
pub enum Place {
    /// Plain memory and threads.
    Memory,
    /// Tensors of a device.
    #[cfg(feature = "burn")]
    Device(Device, Precision),
}

impl Place {
    /// The place of a device, in single precision: plain memory for the CPU.
    #[must_use]
    pub fn of(device: &Device) -> Self {
        #[cfg(feature = "burn")]
        if !vitrine_core::model::cpu::is_host_device(device) {
            return Self::Device(device.clone(), Precision::F32);
        }
        #[cfg(not(feature = "burn"))]
        let _ = device;
        Self::Memory
    }

    /// The same place with another precision.
    ///
    /// # Errors
    /// [`ScreenshotError::BadConfig`] where it does not compute in it.
    pub fn with(&self, precision: Precision) -> Result<Self, ScreenshotError> {
        let refused =
            || ScreenshotError::BadConfig("precision = \"bf16\": this device does not compute in bfloat16; use \"f32\"".to_owned());
        match self {
            Self::Memory if precision == Precision::Bf16 => Err(refused()),
            Self::Memory => Ok(Self::Memory),
            #[cfg(feature = "burn")]
            Self::Device(device, _) => {
                let can = precision == Precision::F32 || device.supports_dtype(burn::tensor::FloatDType::BF16);
                if can { Ok(Self::Device(device.clone(), precision)) } else { Err(refused()) }
            }
        }
    }

    /// Brings matrices there.
    #[must_use]
    pub fn put<'a>(&self, mats: &'a [Mat]) -> Placed<'a> {
        match self {
            Self::Memory => Placed::Memory(mats),
            #[cfg(feature = "burn")]
            Self::Device(device, precision) => {
                let tensor =
                    |mat: &Mat| Tensor::from_data(vitrine_core::tensor::TensorData::new(mat.data.clone(), [mat.rows, mat.cols]), device);
                Placed::Device(mats.iter().map(tensor).collect(), device.clone(), *precision)
            }
        }
    }
}

/// Matrices where a model is computed.
#[derive(Debug, Clone)]
pub enum Placed<'a> {
    Memory(&'a [Mat]),
    #[cfg(feature = "burn")]
    Device(Vec<Tensor<2>>, Device, Precision),
}

impl Placed<'_> {
    /// Computes something with these matrices as parameters.
    pub fn run<W: Writing>(&self, writing: W) -> W::Out {
        match self {
            Self::Memory(mats) => writing.on(&mut Tape::new(mats)),
            #[cfg(feature = "burn")]
            Self::Device(tensors, device, precision) => writing.on(&mut DeviceTape::new(tensors, device, *precision)),
        }
    }
}

/// A device's numbers in plain memory; waits for them.
///
/// # Errors
/// [`ScreenshotError::Device`] where the device fails.
#[cfg(feature = "burn")]
pub fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ScreenshotError> {
    let failed = |reason: String| ScreenshotError::Device(reason.lines().next().unwrap_or_default().to_owned());
    tensor.try_into_data().map_err(|error| failed(error.to_string()))?.try_into_vec().map_err(|error| failed(format!("{error:?}")))
}

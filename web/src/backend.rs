//! Where tensors live: the CPU backend is in both bundles, WebGPU in the one built with the feature `gpu`.

#[cfg(feature = "gpu")]
use vitrine_core::device::check;
use vitrine_core::tensor::Device;
#[cfg(feature = "gpu")]
use vitrine_edge_pruning::problem::read_async;
use wasm_bindgen::prelude::*;

/// A device that models are loaded on.
#[wasm_bindgen]
pub struct Backend(pub(crate) Device);

#[wasm_bindgen]
impl Backend {
    /// The CPU.
    #[must_use]
    pub fn cpu() -> Self {
        Self(Device::flex())
    }

    /// The page's GPU. Asked for once, before any other use of it.
    ///
    /// # Errors
    /// No adapter, or a second call: the page stays on the CPU.
    #[cfg(feature = "gpu")]
    pub async fn gpu() -> Result<Self, JsError> {
        Ok(Self(Device::wgpu_options().init_async().await?))
    }

    /// Computes a small model here and on the CPU; what is wrong, or nothing.
    ///
    /// # Errors
    /// A device that cannot be read.
    #[cfg(feature = "gpu")]
    pub async fn check(&self) -> Result<Option<String>, JsError> {
        let (expected, found) = (check::compute(&Device::flex())?, check::compute(&self.0)?);
        for (expected, found) in expected.into_iter().zip(found) {
            let difference = check::difference(&read_async(found.values).await?, &read_async(expected.values).await?);
            if difference > check::TOLERANCE {
                return Ok(Some(format!("its {} differ from the CPU’s by {difference:.3} of their size", found.name)));
            }
        }
        Ok(None)
    }
}

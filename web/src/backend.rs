//! Where tensors live: the CPU backend is in both bundles, WebGPU in the one built with the feature `gpu`.

use vitrine_core::tensor::Device;
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
}

//! Golden checks that need no model file: the page, and the tests under node, ask the same code as `vitrine check golden`.

use vitrine_core::golden as core;
use wasm_bindgen::prelude::*;

/// How many cases agree, and how far off the worst is.
#[wasm_bindgen(getter_with_clone)]
pub struct Agreement {
    /// What was compared.
    pub what: String,
    pub cases: usize,
    pub agree: usize,
    /// Largest difference over all cases.
    pub largest: f64,
    /// The first failing cases, a line each.
    pub failures: Vec<String>,
    /// Whether there were cases and all agree.
    pub passed: bool,
}

impl From<core::Agreement> for Agreement {
    fn from(found: core::Agreement) -> Self {
        let passed = found.passed();
        let core::Agreement { what, cases, agree, largest, failures } = found;
        Self { what, cases, agree, largest, failures, passed }
    }
}

#[cfg(feature = "circuits")]
mod circuits {
    use vitrine_core::{formats::safetensors::SafeTensors, tensor::Device, train::hard_concrete};
    use vitrine_edge_pruning::golden::{self, TracrFiles};
    use wasm_bindgen::prelude::*;

    use super::Agreement;

    /// Published values of the hard-concrete distribution.
    #[wasm_bindgen(js_name = goldenHardConcrete)]
    pub fn hard_concrete() -> Agreement {
        hard_concrete::golden().into()
    }

    /// A compiled program: its outputs on `pairs`, where given, and the effect of every edge.
    ///
    /// # Errors
    /// Files that make no program.
    #[wasm_bindgen(js_name = goldenTracr)]
    pub fn tracr(config: &str, weights: &[u8], edges: &str, pairs: Option<String>) -> Result<Vec<Agreement>, JsError> {
        let weights = SafeTensors::open(weights)?;
        let found = golden::tracr(TracrFiles { config, weights: &weights, pairs: pairs.as_deref(), edges }, &Device::flex())?;
        Ok(found.into_iter().map(Agreement::from).collect())
    }
}

#[cfg(feature = "golden")]
mod studio {
    use vitrine_screenshot::{
        golden,
        render::{FontSources, golden as render},
    };
    use wasm_bindgen::prelude::*;

    use super::Agreement;

    /// What the published screenshot models' code computed, section by section.
    ///
    /// # Errors
    /// A file that cannot be read.
    #[wasm_bindgen(js_name = goldenScreenshot)]
    pub fn screenshot(json: &str) -> Result<Vec<Agreement>, JsError> {
        let found = golden::sections(json).map_err(|reason| JsError::new(&reason))?;
        Ok(found.into_iter().map(Agreement::from).collect())
    }

    /// Odd inputs with what a renderer owes them, a line a case, drawn with the fonts that come with the program.
    ///
    /// # Errors
    /// A line that cannot be read.
    #[wasm_bindgen(js_name = goldenRender)]
    pub fn render(lines: &str) -> Result<Vec<Agreement>, JsError> {
        let found = render::cases(lines, &FontSources::bundled()).map_err(|reason| JsError::new(&reason))?;
        Ok(found.into_iter().map(Agreement::from).collect())
    }
}

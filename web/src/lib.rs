//! vitrine in a page: core's functions as WebAssembly, plain typed data in and out.
//!
//! Everything here is a thin binding; what deserves a test of its own is in core. Bytes, numbers and strings cross the border, no DOM. An error becomes a
//! JavaScript `Error` with one sentence. A panic is written to the console and ends the instance: the worker that owns it starts a new one.
#![deny(unsafe_code)]

#[cfg(feature = "circuits")]
mod backend;
#[cfg(feature = "decode")]
mod decoding;
#[cfg(any(feature = "circuits", feature = "golden"))]
mod golden;
#[cfg(feature = "studio")]
mod look;
#[cfg(feature = "circuits")]
mod model;
#[cfg(feature = "circuits")]
mod pruning;
#[cfg(feature = "sql")]
mod readings;
#[cfg(feature = "circuits")]
mod recompute;
#[cfg(any(feature = "decode", feature = "sql"))]
mod search_tree;
#[cfg(feature = "circuits")]
mod sheet;
#[cfg(feature = "circuits")]
mod source;
#[cfg(feature = "studio")]
mod studio;
#[cfg(feature = "circuits")]
mod subject;
#[cfg(feature = "circuits")]
mod tokenizer;
#[cfg(feature = "studio")]
mod writing;

use wasm_bindgen::prelude::*;

/// Version of vitrine.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Plain data as text, for the page to parse.
fn json(value: &impl serde::Serialize) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

//! The core of vitrine.
#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests read fixtures and say what they skip"))]

pub mod decode;
pub mod device;
pub mod findings;
pub mod formats;
pub mod golden;
pub mod lab;
pub mod model;
pub mod order;
pub mod report;
pub mod settings;
pub mod stats;
pub mod tensor;
pub mod text;
pub mod train;

//! The core of vitrine.
#![forbid(unsafe_code)]

pub mod device;
pub mod findings;
pub mod formats;
pub mod lab;
pub mod model;
pub mod report;
pub mod study;
pub mod text;
pub mod train;

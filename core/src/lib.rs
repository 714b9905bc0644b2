//! The core of vitrine.
#![forbid(unsafe_code)]

pub mod findings;
pub mod formats;
pub mod model;
pub mod train;

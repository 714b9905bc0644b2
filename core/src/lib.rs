//! The core of vitrine.
#![forbid(unsafe_code)]

pub mod model;
pub mod train;

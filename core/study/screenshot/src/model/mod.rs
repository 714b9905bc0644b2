//! The models: a vision transformer that reads pictures of text, a small decoder that redraws hidden patches, and one that writes the text.
//!
//! Everything runs in plain memory, with and without burn, so a page reads pictures by the same code that trained the model. Training is by a tape of closed forms ([`tape`]) on the CPU:
//! texts stand one after another without padding, so what attention masks hide is never computed.

pub mod ar;
pub mod calls;
pub mod config;
#[cfg(feature = "burn")]
pub mod device;
pub mod file;
pub mod kernels;
pub mod params;
pub mod place;
pub mod ptp;
pub mod tape;
pub mod words;

pub use config::{ModelConfig, Tower};
pub use params::Params;
pub use place::{Place, Precision};

#[cfg(test)]
mod tests;

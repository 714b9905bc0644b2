//! Model files, read as what they are: input from strangers.
//!
//! A weight file names its own sizes, so every reader here believes a number only after comparing it
//! with what the file really holds: counts and lengths are checked before anything is allocated,
//! products are checked arithmetic, and nesting has a depth limit. A file is seen only through
//! [`source::ByteSource`], which reads ranges, so a large file never sits in memory whole: the header
//! is parsed once and each tensor is fetched when it is asked for.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`source`] | bytes at an offset, from a slice, a shared buffer or (in native) a file |
//! | [`safetensors`] | reader and deterministic writer of the safetensors format |
//! | [`gguf`] | GGUF metadata, tensor listing and dequantisation |
//! | [`weights`] | one trait over both, with shapes in the same order, and sharded checkpoints |
//! | [`config`] | the shape of a model, from `config.json` or from GGUF metadata |
//!
//! Nothing in here knows a tensor library: values come out as `Vec<f32>`.

pub mod config;
pub mod error;
pub mod gguf;
pub mod safetensors;
pub mod source;
pub mod weights;

mod shape;

pub use error::FormatError;
pub use source::ByteSource;
pub use weights::{TensorInfo, WeightSource};

#[cfg(test)]
mod tests;

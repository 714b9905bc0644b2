//! Transformers, their weights, and the residual-stream seam.

pub mod activation;
pub mod attention;
pub mod batch;
pub mod bert;
pub mod cache;
pub mod config;
pub mod cpu;
pub mod graph;
pub mod init;
mod keep_blocks;
mod layout;
pub mod load;
pub mod norm;
pub mod params;
pub mod product;
pub mod save;
pub mod stream;
#[cfg(test)]
pub mod testing;
pub mod transformer;

pub use batch::Batch;
pub use cache::Cache;
pub use config::{Activation, Biases, NormKind, Positions, TransformerConfig};
pub use graph::{EmbeddingNodes, Graph, Reader, Writer};
pub use norm::Norm;
pub use transformer::{Block, Linear, Transformer};

//! The studies: one folder a method.

pub mod edge_pruning;
pub mod logical_beam;
pub mod screenshot;

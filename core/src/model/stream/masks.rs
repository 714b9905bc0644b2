//! Edge masks as a matrix, readers by writers.
//!
//! The writers that a reader reads are the first ones, and readers of neighbouring layers are neighbours, so whatever the masked stream multiplies is a rectangle of this matrix.

use std::ops::Range;

use crate::tensor::{Device, Tensor, TensorData};

use crate::model::{cpu, graph::Graph};

/// `[readers, writers]`, 0 where there is no edge.
#[derive(Debug)]
pub struct MaskMatrix {
    values: Vec<f32>,
    n_writers: usize,
    /// The same on a device that is not the CPU.
    uploaded: Option<Tensor<2>>,
}

/// A rectangle of a [`MaskMatrix`]: a row a result, a column a stored row.
#[derive(Debug, Clone)]
pub struct MaskBlock<'a> {
    matrix: &'a MaskMatrix,
    readers: Range<usize>,
    writers: Range<usize>,
    /// Whether writers are the results (gradients flow from readers to writers).
    by_writer: bool,
}

impl MaskMatrix {
    /// From masks in edge order, `[edges]`.
    pub fn new(graph: &Graph, masks: &[f32], device: &Device) -> Self {
        let n_writers = graph.n_writers();
        let mut values = vec![0.0; graph.n_readers() * n_writers];
        for (reader, row) in values.chunks_exact_mut(n_writers).enumerate() {
            let edges = &masks[graph.edges_of_reader(reader)];
            row[..edges.len()].copy_from_slice(edges);
        }
        let shape = [graph.n_readers(), n_writers];
        let uploaded = (!cpu::is_host_device(device)).then(|| Tensor::from_data(TensorData::new(values.clone(), shape), device));
        Self { values, n_writers, uploaded }
    }

    /// What `readers` read from `writers`.
    pub fn reads(&self, readers: Range<usize>, writers: Range<usize>) -> MaskBlock<'_> {
        MaskBlock { matrix: self, readers, writers, by_writer: false }
    }

    /// What flows back from `readers` to `writers`.
    pub fn flows_back(&self, writers: Range<usize>, readers: Range<usize>) -> MaskBlock<'_> {
        MaskBlock { matrix: self, readers, writers, by_writer: true }
    }
}

impl MaskBlock<'_> {
    /// Results and stored rows.
    pub fn dims(&self) -> [usize; 2] {
        let dims = [self.readers.len(), self.writers.len()];
        if self.by_writer { [dims[1], dims[0]] } else { dims }
    }

    /// The mask of one result and one stored row.
    pub fn value(&self, result: usize, stored: usize) -> f32 {
        let (reader, writer) = if self.by_writer { (stored, result) } else { (result, stored) };
        self.matrix.values[(self.readers.start + reader) * self.matrix.n_writers + self.writers.start + writer]
    }

    /// `[results, stored rows]` on the device; `None` on the CPU.
    pub fn tensor(&self) -> Option<Tensor<2>> {
        let block = self.matrix.uploaded.clone()?.slice([self.readers.clone(), self.writers.clone()]);
        Some(if self.by_writer { block.transpose() } else { block })
    }
}

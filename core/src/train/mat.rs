//! A matrix in plain memory: what small networks with closed-form gradients are made of.

use crate::formats::{FormatError, WeightSource, weights::check_finite};

/// A matrix, row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mat {
    pub rows: usize,
    pub cols: usize,
    pub data: Vec<f32>,
}

impl Mat {
    /// Zeros.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// Rows of `cols` numbers.
    #[must_use]
    pub fn of(cols: usize, data: Vec<f32>) -> Self {
        Self { rows: data.len() / cols.max(1), cols, data }
    }

    /// The tensor of this name and shape.
    ///
    /// # Errors
    /// One that is not there, of another shape, or with what is no number.
    pub fn read(source: &dyn WeightSource, name: &str, [rows, cols]: [usize; 2]) -> Result<Self, FormatError> {
        let data = source.read_shaped(name, &[rows, cols])?;
        check_finite(name, &data)?;
        Ok(Self { rows, cols, data })
    }

    /// One row.
    #[inline]
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }
}

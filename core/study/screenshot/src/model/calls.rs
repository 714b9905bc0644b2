//! The calls that the models are written in.
//!
//! **Idea.** A model is written once, as calls that compute at once or when a device comes to it, and that note what they did, so that gradients of the losses can be asked for. Who takes the
//! calls decides where the numbers are: [`super::tape::Tape`] in plain memory (training on the CPU, and every page), [`super::device::DeviceTape`] in tensors of any device. Both are the same
//! closed forms, and the tests compare them call by call. **Shapes.** Everything is a matrix, a row a position of some text, texts one after another without padding.

use std::ops::Range;

use super::kernels::{Attention, Gate};
use crate::ScreenshotError;
use vitrine_core::train::mat::Mat;

/// A matrix that a call made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var(pub(super) usize);

/// Which rows attend to which: for each text its rows of queries and of keys; causal ones see keys up to their own place. Texts follow one another and leave no row out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    pub queries: Vec<Range<usize>>,
    pub keys: Vec<Range<usize>>,
    pub causal: bool,
}

/// What takes the calls of a model.
pub trait Calls {
    /// The parameter of this number.
    fn param(&self, number: usize) -> Var;

    /// How many rows a matrix has.
    fn rows_of(&self, var: Var) -> usize;

    /// A matrix as plain numbers; waits for a device.
    ///
    /// # Errors
    /// [`ScreenshotError::Device`] where a device fails.
    fn read(&self, var: Var) -> Result<Mat, ScreenshotError>;

    /// A constant.
    fn given(&mut self, mat: Mat) -> Var;

    /// `x w + b` for `x` `[n, k]`, `w` `[k, m]` and `b` `[1, m]`.
    fn linear(&mut self, x: Var, w: Var, b: Option<Var>) -> Var;

    /// `x w^T` for `x` `[n, k]` and `w` `[m, k]`.
    fn linear_tied(&mut self, x: Var, w: Var) -> Var;

    /// The rows of these numbers.
    fn rows(&mut self, of: Var, index: Vec<usize>) -> Var;

    /// One under the other; all of one width.
    fn under(&mut self, parts: Vec<Var>) -> Var;

    /// The mean of the rows of each span, `[spans, width]`.
    fn means(&mut self, of: Var, spans: Vec<Range<usize>>) -> Var;

    /// Two of one shape.
    fn add(&mut self, a: Var, b: Var) -> Var;

    /// Number by number by constants: dropout.
    fn scaled(&mut self, a: Var, by: Vec<f32>) -> Var;

    /// Each row with mean 0 and variance 1, scaled and shifted.
    fn norm(&mut self, x: Var, scale: Var, shift: Var, eps: f32) -> Var;

    /// Each row divided by its root mean square, scaled.
    fn rms_norm(&mut self, x: Var, scale: Var, eps: f32) -> Var;

    /// The tanh form.
    fn gelu(&mut self, a: Var) -> Var;

    /// `gate(first half) * second half` of each row of `[n, 2 d]`.
    fn gated(&mut self, gate: Gate, a: Var) -> Var;

    /// Rotary positions on the first `width` columns, `d_head` to a head; `places` has one a row.
    fn rotated(&mut self, of: Var, width: usize, d_head: usize, places: &[usize], base: f64) -> Var;

    fn tanh(&mut self, a: Var) -> Var;

    /// Attention; queries are columns of `q`, keys and values columns of `kv`, as `attention` says. `[queries, heads * d_head]`.
    fn attend(&mut self, q: Var, kv: Var, attention: Attention, spans: Spans) -> Var;

    /// A loss: `weight * -log p(target)` of each row of `logits`, `[rows, 1]`. Nothing can be computed from it but its gradient.
    fn cross_entropy(&mut self, logits: Var, targets: &[u32], weights: &[f32]) -> Var;

    /// A loss: `weight * mean squared error` of each row with targets of the same shape. What comes back, `[rows, 1]`, are the errors without the weight.
    fn squared_error(&mut self, of: Var, targets: &[f32], weight: f32) -> Var;
}

/// Something that is computed by calls, whoever takes them.
pub trait Writing {
    type Out;

    fn on<C: Calls>(self, calls: &mut C) -> Self::Out;
}

/// A mean or sum of a loss's rows, as it is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Rows of a loss, `[rows, 1]`.
    pub rows: Var,
    /// What each row is multiplied and then divided by.
    pub each: [f32; 2],
    /// What their sum is multiplied and then divided by.
    pub all: [f64; 2],
}

impl Term {
    /// The sum of the rows.
    #[must_use]
    pub fn sum(rows: Var) -> Self {
        Self { rows, each: [1.0; 2], all: [1.0; 2] }
    }

    /// The number of rows that a loss came to.
    #[must_use]
    pub fn of(&self, rows: &[f32]) -> f64 {
        let ([times, over], [all_times, all_over]) = (self.each, self.all);
        rows.iter().map(|row| f64::from(row * times / over)).sum::<f64>() * all_times / all_over
    }

    /// What the sum of the rows is multiplied by in all.
    #[must_use]
    pub fn factor(&self) -> f64 {
        f64::from(self.each[0]) / f64::from(self.each[1]) * self.all[0] / self.all[1]
    }
}

/// Texts of a part, where so many are cut into at most so many parts.
#[must_use]
pub fn part_size(texts: usize, parts: usize) -> usize {
    texts.div_ceil(parts.max(1)).max(1)
}

/// The losses of text and of patches, where there are some.
pub type Terms = [Option<Term>; 2];

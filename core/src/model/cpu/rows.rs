//! The row kernels: norms and activations.

use crate::tensor::{Device, Tensor};

use super::{Host, TiledRows, for_each_task, into_vec, tensor};
use crate::model::{
    activation::{GELU_CUBIC, GELU_LINEAR},
    config::Activation,
};

/// What happens to one row. Implementations are `inline(always)`: the loop around them is compiled once per instruction set, and only what is inlined into it
/// uses that set.
pub(super) trait RowKernel: Sync {
    /// Changes row `index` in place.
    fn row(&self, index: usize, row: &mut [f32]);
}

struct Rows<'a, K> {
    kernel: &'a K,
    data: &'a mut [f32],
    width: usize,
    first: usize,
}

impl<K: RowKernel> pulp::WithSimd for Rows<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        for (i, row) in self.data.chunks_exact_mut(self.width).enumerate() {
            self.kernel.row(self.first + i, row);
        }
    }
}

/// Runs `kernel` on every row of `data` (rows of `width`), several rows a task where threads are there.
fn for_rows(data: &mut [f32], width: usize, kernel: &impl RowKernel) {
    let rows_a_task = (16_384 / width.max(1)).max(1);
    let tasks = data.chunks_mut(rows_a_task * width.max(1)).collect();
    for_each_task(tasks, |task, data| pulp::Arch::new().dispatch(Rows { kernel, data, width, first: task * rows_a_task }));
}

/// Lanes of a running sum: fixed, so that every instruction set adds in the same order.
const LANES: usize = 16;

/// Sum of `term` over the values, in [`LANES`] running sums.
#[inline(always)]
pub(super) fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += term(chunk[i]);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&x| term(x)).sum::<f32>()
}

/// The largest value.
#[inline(always)]
pub(super) fn largest(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

#[inline(always)]
fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest), (c, c_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), c.as_chunks::<LANES>());
    let mut lanes = [0.0_f32; LANES];
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i] * c[i];
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).zip(c_rest).map(|((a, b), c)| a * b * c).sum::<f32>()
}

#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// `e^x / sum e^x` in place.
#[inline(always)]
pub fn softmax(row: &mut [f32]) {
    let largest = largest(row);
    for x in row.iter_mut() {
        *x = exp(*x - largest);
    }
    let inverse = 1.0 / sum(row, |x| x);
    for x in row {
        *x *= inverse;
    }
}

/// `e^x` to about 2 units in the last place, as arithmetic that vectorises: `2^n * e^r` with `|r| <= ln(2)/2` and a polynomial of
/// degree 6 for `e^r`. Saturates at the ends of the f32 range.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = ((((1.388_889e-3 * r + 8.333_334e-3) * r + 4.166_666_6e-2) * r + 1.666_666_7e-1) * r + 0.5) * r * r + r + 1.0;
    // The last bits of `rounded` are n: a conversion to integers would be done number by number.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Mean (0 for RMSNorm) and inverse root mean square of a row.
#[inline(always)]
pub fn moments(row: &[f32], centred: bool, eps: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = if centred { sum(row, |x| x) / n } else { 0.0 };
    let square = sum(row, |x| (x - mean) * (x - mean)) / n;
    (mean, 1.0 / (square + eps).sqrt())
}

struct NormRows<'a> {
    /// What is normed; nothing where rows are changed in place.
    x: Option<&'a [f32]>,
    scale: &'a [f32],
    /// Absent for RMSNorm.
    shift: Option<&'a [f32]>,
    eps: f32,
}

impl RowKernel for NormRows<'_> {
    #[inline(always)]
    fn row(&self, index: usize, row: &mut [f32]) {
        let width = row.len();
        let x = self.x.map(|x| &x[index * width..(index + 1) * width]);
        let (mean, inverse) = moments(x.unwrap_or(row), self.shift.is_some(), self.eps);
        match (x, self.shift) {
            (None, Some(shift)) => row.iter_mut().zip(self.scale).zip(shift).for_each(|((x, s), b)| *x = (*x - mean) * inverse * s + b),
            (None, None) => row.iter_mut().zip(self.scale).for_each(|(x, s)| *x = *x * inverse * s),
            (Some(x), Some(shift)) => {
                row.iter_mut().zip(x).zip(self.scale).zip(shift).for_each(|(((y, x), s), b)| *y = (x - mean) * inverse * s + b);
            }
            (Some(x), None) => row.iter_mut().zip(x).zip(self.scale).for_each(|((y, x), s)| *y = x * inverse * s),
        }
    }
}

/// LayerNorm, or RMSNorm where there is no shift. What somebody else holds is read where it lies.
pub fn norm(x: Host, scale: &Tensor<1>, shift: Option<&Tensor<1>>, eps: f64, shape: [usize; 2], device: &Device) -> Tensor<2> {
    let (scale, shift) = (into_vec(scale.clone()), shift.map(|s| into_vec(s.clone())));
    let kernel = |x| NormRows { x, scale: &scale, shift: shift.as_deref(), eps: eps as f32 };
    let mut x = x.contiguous();
    if x.is_unique() {
        for_rows(x.values_mut(), shape[1], &kernel(None));
        return x.into_tensor();
    }
    let mut values = vec![0.0; shape[0] * shape[1]];
    for_rows(&mut values, shape[1], &kernel(Some(x.values())));
    tensor(values, shape, device)
}

struct NormPullbackRows<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    centred: bool,
    eps: f32,
}

impl RowKernel for NormPullbackRows<'_> {
    #[inline(always)]
    fn row(&self, index: usize, g: &mut [f32]) {
        let width = g.len();
        let x = &self.x[index * width..(index + 1) * width];
        let (mean, inverse) = moments(x, self.centred, self.eps);
        let n = width as f32;
        // mean(g * unit) with unit = (x - mean) * inverse
        let plain = if self.centred { dot(g, self.scale) } else { 0.0 };
        let along = (dot3(g, self.scale, x) - mean * plain) * inverse / n;
        let shift = plain / n;
        for ((g, s), x) in g.iter_mut().zip(self.scale).zip(x) {
            *g = (*g * s - shift - (x - mean) * inverse * along) * inverse;
        }
    }
}

/// Gradient at the input of a norm: see [`crate::model::norm`] for the formula.
pub fn norm_pullback(x: Host, d_out: Tensor<2>, scale: &Tensor<1>, centred: bool, eps: f64) -> Tensor<2> {
    let (shape, device) = (d_out.dims(), d_out.device());
    let (scale, x, mut grad) = (into_vec(scale.clone()), x.contiguous(), into_vec(d_out));
    for_rows(&mut grad, shape[1], &NormPullbackRows { x: x.values(), scale: &scale, centred, eps: eps as f32 });
    tensor(grad, shape, &device)
}

/// The same written to `tiles` from row `at`, of which each holds several rows of the norm; without a pass over the gradient in between.
pub fn norm_pullback_into_tiles(x: Host, d_out: Host, (scale, centred, eps): (&Tensor<1>, bool, f64), tiles: &mut TiledRows, at: usize) {
    let (scale, x, d_out) = (into_vec(scale.clone()), x.contiguous(), d_out.contiguous());
    tiles.put_made(at, d_out.values(), scale.len(), &NormPullbackRows { x: x.values(), scale: &scale, centred, eps: eps as f32 });
}

struct ActivationRows<'a> {
    kind: Activation,
    /// Gate and up, for gated activations; for others nothing where rows are changed in place.
    pre: &'a [f32],
}

impl ActivationRows<'_> {
    #[inline(always)]
    fn each(&self, index: usize, row: &mut [f32], f: impl Fn(f32) -> f32) {
        if self.pre.is_empty() {
            for x in row {
                *x = f(*x);
            }
        } else {
            let from = index * row.len();
            row.iter_mut().zip(&self.pre[from..]).for_each(|(y, &x)| *y = f(x));
        }
    }
}

impl RowKernel for ActivationRows<'_> {
    #[inline(always)]
    fn row(&self, index: usize, row: &mut [f32]) {
        match self.kind {
            Activation::Relu => self.each(index, row, |x| x.max(0.0)),
            Activation::GeluTanh => self.each(index, row, |x| x * sigmoid(x * (x * x * GELU_CUBIC + GELU_LINEAR))),
            Activation::SwiGlu => {
                let half = row.len();
                let (gate, up) = self.pre[2 * index * half..2 * (index + 1) * half].split_at(half);
                for ((out, &gate), &up) in row.iter_mut().zip(gate).zip(up) {
                    *out = gate * sigmoid(gate) * up;
                }
            }
        }
    }
}

/// Hidden values from pre-activations; see [`Activation::apply`].
pub fn activation(kind: Activation, mut pre: Host, [rows, width]: [usize; 2], device: &Device) -> Tensor<2> {
    match kind {
        Activation::Relu | Activation::GeluTanh if !pre.is_unique() => {
            let pre = pre.contiguous();
            let mut hidden = vec![0.0; rows * width];
            for_rows(&mut hidden, width, &ActivationRows { kind, pre: pre.values() });
            tensor(hidden, [rows, width], device)
        }
        Activation::Relu | Activation::GeluTanh => {
            for_rows(pre.values_mut(), width, &ActivationRows { kind, pre: &[] });
            pre.into_tensor()
        }
        Activation::SwiGlu => {
            let pre = pre.contiguous();
            let mut hidden = vec![0.0; rows * width / 2];
            for_rows(&mut hidden, width / 2, &ActivationRows { kind, pre: pre.values() });
            tensor(hidden, [rows, width / 2], device)
        }
    }
}

struct ActivationPullbackRows<'a> {
    kind: Activation,
    d_hidden: &'a [f32],
    hidden_width: usize,
}

impl RowKernel for ActivationPullbackRows<'_> {
    #[inline(always)]
    fn row(&self, index: usize, row: &mut [f32]) {
        let d = &self.d_hidden[index * self.hidden_width..(index + 1) * self.hidden_width];
        match self.kind {
            Activation::Relu => row.iter_mut().zip(d).for_each(|(x, &d)| *x = if *x > 0.0 { d } else { 0.0 }),
            Activation::GeluTanh => row.iter_mut().zip(d).for_each(|(x, &d)| {
                let square = *x * *x;
                let s = sigmoid(*x * (square * GELU_CUBIC + GELU_LINEAR));
                *x = d * (s + *x * s * (1.0 - s) * (square * 3.0 * GELU_CUBIC + GELU_LINEAR));
            }),
            Activation::SwiGlu => {
                let (gate, up) = row.split_at_mut(self.hidden_width);
                for ((gate, up), &d) in gate.iter_mut().zip(up).zip(d) {
                    let s = sigmoid(*gate);
                    let d_up = d * *gate * s;
                    *gate = d * *up * s * (1.0 + *gate * (1.0 - s));
                    *up = d_up;
                }
            }
        }
    }
}

/// Gradient at the pre-activations; see [`Activation::pullback`].
pub fn activation_pullback(kind: Activation, pre: Tensor<2>, d_hidden: Tensor<2>) -> Tensor<2> {
    let (shape, device) = (pre.dims(), pre.device());
    let hidden_width = d_hidden.dims()[1];
    let (mut pre, d_hidden) = (into_vec(pre), into_vec(d_hidden));
    for_rows(&mut pre, shape[1], &ActivationPullbackRows { kind, d_hidden: &d_hidden, hidden_width });
    tensor(pre, shape, &device)
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_close_to_the_library_function_over_the_whole_range() {
        let worst = (-8700..8800).map(|i| i as f32 * 0.01).map(|x| ((super::exp(x) / x.exp()) - 1.0).abs()).fold(0.0_f32, f32::max);
        assert!(worst < 4e-7, "{worst}");
    }
}

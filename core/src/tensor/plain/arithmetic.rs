//! Arithmetic number by number, sums along an axis, products.

use std::ops::{Add, Div, Mul, Range, Sub};

use super::{IndexingUpdateOp, Int, Memory, Tensor, memory::AXES, place, positions};
use crate::model::cpu::matmul::{self, Start, View};

impl<const D: usize> Tensor<D> {
    pub(super) fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        self.memory.values_mut().iter_mut().for_each(|x| *x = f(*x));
        self
    }

    pub fn square(self) -> Self {
        self.map(|x| x * x)
    }

    pub fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }

    pub fn recip(self) -> Self {
        self.map(f32::recip)
    }

    pub fn exp(self) -> Self {
        self.map(f32::exp)
    }

    #[expect(clippy::should_implement_trait, reason = "burn's name")]
    pub fn neg(self) -> Self {
        self.map(|x| -x)
    }

    /// 1 where a number is at most `bound`, 0 elsewhere.
    pub fn lower_equal_scalar(self, bound: f32) -> Self {
        self.map(|x| if x <= bound { 1.0 } else { 0.0 })
    }

    /// `value` where the mask is not 0.
    pub fn mask_fill(self, mask: Self, value: f32) -> Self {
        Self::of(zip(self.memory, mask.memory, |x, mask| if mask == 0.0 { x } else { value }))
    }

    /// Sum of all numbers, `[1]`.
    pub fn sum(self) -> Tensor<1> {
        let n = self.memory.count();
        self.reshape([n]).sum_dim(0)
    }

    /// Sums along an axis, which keeps length 1.
    pub fn sum_dim(self, axis: usize) -> Self {
        let mut last = [0, 1, 2, 3];
        last.swap(Self::axis(axis), AXES - 1);
        let moved = self.memory.permute(last);
        let width = moved.shape[AXES - 1];
        let mut sums = Vec::with_capacity(moved.count() / width.max(1));
        moved.for_each_row(|row, step| match step {
            1 => sums.push(sum_of(&row[..width])),
            0 => sums.push(row[0] * width as f32),
            _ => sums.push(row.iter().step_by(step).take(width).sum()),
        });
        let mut shape = moved.shape;
        shape[AXES - 1] = 1;
        sums.resize(shape.iter().product(), 0.0);
        Self::of(Memory::new(sums, shape).permute(last))
    }

    pub fn mean_dim(self, axis: usize) -> Self {
        let n = self.dims()[axis] as f32;
        self.sum_dim(axis).map(|x| x / n)
    }

    /// Matrix products of the last two axes; axes before them are repeated where one side has length 1.
    pub fn matmul(self, other: Self) -> Self {
        let [a, b, m, k] = self.memory.shape;
        let n = other.memory.shape[AXES - 1];
        let outer = [a.max(other.memory.shape[0]), b.max(other.memory.shape[1])];
        let x = self.memory.expand([outer[0], outer[1], m, k]);
        let y = other.memory.expand([outer[0], outer[1], k, n]);
        let mut out = vec![0.0; outer[0] * outer[1] * m * n];
        matmul::products(
            [m, k, n],
            |entry| [&x, &y].map(|memory| matrix(memory, [entry / outer[1], entry % outer[1]])),
            |_| Start::Zero,
            &mut out,
        );
        Self::of(Memory::new(out, [outer[0], outer[1], m, n]))
    }

    /// Adds `values` to the entries of `axis` that `indices` name.
    pub fn select_assign(self, axis: usize, indices: Tensor<1, Int>, values: Self, how: IndexingUpdateOp) -> Self {
        let IndexingUpdateOp::Add = how;
        let mut first = [0, 1, 2, 3];
        first.swap(0, Self::axis(axis));
        let mut out = self.memory.permute(first);
        let values = values.memory.permute(first).into_vec();
        let width: usize = out.shape[1..].iter().product();
        let into = out.values_mut();
        for (index, row) in positions(indices).into_iter().zip(values.chunks_exact(width.max(1))) {
            into[index * width..(index + 1) * width].iter_mut().zip(row).for_each(|(to, x)| *to += x);
        }
        Self::of(out.permute(first))
    }

    /// Puts `values` in place of the part that `ranges` name, one an axis.
    pub fn slice_assign(mut self, ranges: [Range<usize>; D], values: Self) -> Self {
        let (shape, part) = (self.memory.shape, values.memory.shape);
        let mut first = [0; AXES];
        for (axis, range) in ranges.into_iter().enumerate() {
            first[Self::axis(axis)] = range.start;
        }
        let values = values.memory.into_vec();
        let into = self.memory.values_mut();
        for (row, values) in values.chunks_exact(part[3].max(1)).enumerate() {
            let (c, rest) = (row % part[2] + first[2], row / part[2]);
            let (b, a) = (rest % part[1] + first[1], rest / part[1] + first[0]);
            let at = ((a * shape[1] + b) * shape[2] + c) * shape[3] + first[3];
            into[at..at + part[3]].copy_from_slice(values);
        }
        self
    }

    /// From each run along the last axis the numbers that the same run of `indices` names.
    ///
    /// # Panics
    /// For another axis than the last.
    pub fn gather(self, axis: usize, indices: Tensor<D, Int>) -> Self {
        assert_eq!(axis, D - 1, "gathered along the last axis");
        let (shape, width) = (indices.memory.shape, self.memory.shape[AXES - 1]);
        let per_row = shape[AXES - 1].max(1);
        let values = self.memory.into_vec();
        let named = indices.memory.into_vec();
        let rows = values.chunks_exact(width.max(1)).zip(named.chunks_exact(per_row));
        let out = rows.flat_map(|(row, named)| named.iter().map(|&index| row[place(index)])).collect();
        Self::of(Memory::new(out, shape))
    }

    /// Adds `values` where `indices` name, run by run along the last axis.
    ///
    /// # Panics
    /// For another axis than the last.
    pub fn scatter(mut self, axis: usize, indices: Tensor<D, Int>, values: Self, how: IndexingUpdateOp) -> Self {
        let IndexingUpdateOp::Add = how;
        assert_eq!(axis, D - 1, "scattered along the last axis");
        let (width, per_row) = (self.memory.shape[AXES - 1], indices.memory.shape[AXES - 1].max(1));
        let (named, values) = (indices.memory.into_vec(), values.memory.into_vec());
        let rows = self.memory.values_mut().chunks_exact_mut(width.max(1));
        for ((row, named), values) in rows.zip(named.chunks_exact(per_row)).zip(values.chunks_exact(per_row)) {
            named.iter().zip(values).for_each(|(&index, x)| row[place(index)] += x);
        }
        self
    }
}

/// One matrix of the last two axes.
fn matrix(memory: &Memory<f32>, at: [usize; 2]) -> View<'_> {
    let [i, j, row, column] = memory.strides();
    View { data: memory.data(), strides: [row, column] }.skip(at[0] * i + at[1] * j)
}

/// In 8 running sums, as long rows would lose digits in one.
pub(super) fn sum_of(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += x);
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// `f` of every pair, lengths of 1 repeated.
fn zip(mut a: Memory<f32>, b: Memory<f32>, f: impl Fn(f32, f32) -> f32) -> Memory<f32> {
    let shape: [usize; AXES] = std::array::from_fn(|axis| if a.shape[axis] == 1 { b.shape[axis] } else { a.shape[axis] });
    if a.shape != shape {
        a = a.expand(shape);
    }
    let b = b.expand(shape);
    let width = shape[AXES - 1].max(1);
    let mut rows = a.values_mut().chunks_exact_mut(width);
    b.for_each_row(|row, step| {
        let Some(out) = rows.next() else { return };
        match step {
            1 => out.iter_mut().zip(row).for_each(|(x, &y)| *x = f(*x, y)),
            0 => out.iter_mut().for_each(|x| *x = f(*x, row[0])),
            _ => out.iter_mut().zip(row.iter().step_by(step)).for_each(|(x, &y)| *x = f(*x, y)),
        }
    });
    a
}

macro_rules! operator {
    ($trait:ident $name:ident) => {
        impl<const D: usize> $trait for Tensor<D> {
            type Output = Self;
            fn $name(self, other: Self) -> Self {
                Self::of(zip(self.memory, other.memory, |a, b| a.$name(b)))
            }
        }
        impl<const D: usize> $trait<f32> for Tensor<D> {
            type Output = Self;
            fn $name(self, other: f32) -> Self {
                self.map(|x| x.$name(other))
            }
        }
        impl<const D: usize> $trait<f64> for Tensor<D> {
            type Output = Self;
            fn $name(self, other: f64) -> Self {
                self.$name(other as f32)
            }
        }
    };
}
operator!(Add add);
operator!(Sub sub);
operator!(Mul mul);
operator!(Div div);

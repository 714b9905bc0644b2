//! Tensors of 32-bit floats in plain memory, with burn's names for what core uses of it.
//!
//! Only the CPU, only `f32` (and `i32` for indices). What takes time (products, norms, attention, the masked stream) has kernels of its own in
//! [`crate::model::cpu`] that read this memory; the operations here are plain loops.

pub mod activation;
mod arithmetic;
mod memory;

use std::{convert::Infallible, marker::PhantomData, ops::Range};

use memory::AXES;
pub use memory::Memory;

/// What a tensor holds.
pub trait Kind {
    type Number: Copy + std::fmt::Debug;
}

/// 32-bit floats.
#[derive(Debug, Clone, Copy)]
pub struct Float;
/// 32-bit whole numbers: indices.
#[derive(Debug, Clone, Copy)]
pub struct Int;

impl Kind for Float {
    type Number = f32;
}
impl Kind for Int {
    type Number = i32;
}

/// Where tensors live: here there is only the CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device;

impl Device {
    /// The CPU.
    pub const fn flex() -> Self {
        Self
    }
}

/// How values meet those that are there.
#[derive(Debug, Clone, Copy)]
pub enum IndexingUpdateOp {
    Add,
}

/// A tensor with `D` axes.
#[derive(Debug)]
pub struct Tensor<const D: usize, K: Kind = Float> {
    memory: Memory<K::Number>,
    kind: PhantomData<K>,
}

impl<const D: usize, K: Kind> Clone for Tensor<D, K> {
    fn clone(&self) -> Self {
        Self::of(self.memory.clone())
    }
}

/// `shape` on the last axes.
fn widened<const D: usize>(shape: [usize; D]) -> [usize; AXES] {
    let mut all = [1; AXES];
    all[AXES - D..].copy_from_slice(&shape);
    all
}

/// Numbers with a shape, on their way in or out.
#[derive(Debug)]
pub struct TensorData<T = f32>(Memory<T>);

impl<T: Copy> TensorData<T> {
    /// `values` in rows.
    pub fn new<const D: usize>(values: Vec<T>, shape: [usize; D]) -> Self {
        Self(Memory::new(values, widened(shape)))
    }

    /// The numbers in rows. The type is named for burn's sake, where it may be another than what is held.
    ///
    /// # Errors
    /// None.
    pub fn try_into_vec<U>(self) -> Result<Vec<T>, Infallible>
    where
        T: Into<U>,
    {
        Ok(self.0.into_vec())
    }
}

impl<const D: usize, K: Kind> Tensor<D, K> {
    const fn of(memory: Memory<K::Number>) -> Self {
        Self { memory, kind: PhantomData }
    }

    pub(crate) fn from_memory(memory: Memory<K::Number>) -> Self {
        Self::of(memory)
    }

    pub(crate) fn into_memory(self) -> Memory<K::Number> {
        self.memory
    }

    /// Place of an axis among all.
    const fn axis(axis: usize) -> usize {
        AXES - D + axis
    }

    pub fn from_data(data: TensorData<K::Number>, _: &Device) -> Self {
        Self::of(data.0)
    }

    pub fn dims(&self) -> [usize; D] {
        std::array::from_fn(|axis| self.memory.shape[Self::axis(axis)])
    }

    pub fn device(&self) -> Device {
        Device
    }

    pub fn into_data(self) -> TensorData<K::Number> {
        TensorData(self.memory)
    }

    /// # Errors
    /// None: memory can always be read.
    pub fn try_into_data(self) -> Result<TensorData<K::Number>, Infallible> {
        Ok(self.into_data())
    }

    pub fn reshape<const E: usize>(self, shape: [usize; E]) -> Tensor<E, K> {
        Tensor::of(self.memory.reshape(widened(shape)))
    }

    pub fn flatten<const E: usize>(self, first: usize, last: usize) -> Tensor<E, K> {
        let dims = self.dims();
        let joined: usize = dims[first..=last].iter().product();
        self.reshape(std::array::from_fn(|axis| match axis {
            before if before < first => dims[before],
            at if at == first => joined,
            after => dims[after + last - first],
        }))
    }

    /// More axes of length 1 in front.
    pub fn unsqueeze<const E: usize>(self) -> Tensor<E, K> {
        Tensor::of(self.memory)
    }

    pub fn permute(self, order: [usize; D]) -> Self {
        let mut all = [0, 1, 2, 3];
        for (axis, from) in order.into_iter().enumerate() {
            all[Self::axis(axis)] = Self::axis(from);
        }
        Self::of(self.memory.permute(all))
    }

    pub fn swap_dims(self, a: usize, b: usize) -> Self {
        let mut order = std::array::from_fn(|axis| axis);
        order.swap(a, b);
        self.permute(order)
    }

    pub fn narrow(self, axis: usize, from: usize, len: usize) -> Self {
        Self::of(self.memory.narrow(Self::axis(axis), from, len))
    }

    pub fn slice<const E: usize>(self, ranges: [Range<usize>; E]) -> Self {
        ranges.into_iter().enumerate().fold(self, |x, (axis, range)| x.narrow(axis, range.start, range.len()))
    }

    pub fn expand(self, shape: [usize; D]) -> Self {
        Self::of(self.memory.expand(widened(shape)))
    }

    pub fn cat(parts: Vec<Self>, axis: usize) -> Self {
        let parts: Vec<Memory<K::Number>> = parts.into_iter().map(|part| part.memory).collect();
        Self::of(Memory::cat(&parts, Self::axis(axis)))
    }

    pub fn repeat_dim(self, axis: usize, times: usize) -> Self {
        Self::cat(vec![self; times], axis)
    }

    pub fn select(self, axis: usize, indices: Tensor<1, Int>) -> Self {
        Self::of(self.memory.select(Self::axis(axis), &positions(indices)))
    }
}

/// A negative index becomes one that no axis has.
fn place(index: i32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn positions(indices: Tensor<1, Int>) -> Vec<usize> {
    indices.memory.into_vec().into_iter().map(place).collect()
}

impl<K: Kind> Tensor<2, K> {
    pub fn transpose(self) -> Self {
        self.swap_dims(0, 1)
    }
}

impl<const D: usize> Tensor<D> {
    pub fn full(shape: [usize; D], value: f32, _: &Device) -> Self {
        let shape = widened(shape);
        Self::of(Memory::new(vec![value; shape.iter().product()], shape))
    }

    pub fn zeros(shape: [usize; D], device: &Device) -> Self {
        Self::full(shape, 0.0, device)
    }

    pub fn ones(shape: [usize; D], device: &Device) -> Self {
        Self::full(shape, 1.0, device)
    }

    pub fn empty(shape: [usize; D], device: &Device) -> Self {
        Self::zeros(shape, device)
    }

    pub fn zeros_like(&self) -> Self {
        Self::zeros(self.dims(), &Device)
    }

    /// The only number.
    ///
    /// # Errors
    /// None: memory can always be read.
    pub fn try_into_scalar<T>(self) -> Result<f32, Infallible>
    where
        f32: Into<T>,
    {
        Ok(self.memory.data().first().copied().unwrap_or_default())
    }

    /// # Errors
    /// None: memory can always be read.
    #[expect(clippy::unused_async, reason = "burn's name for it, which waits for a GPU")]
    pub async fn into_data_async(self) -> Result<TensorData, Infallible> {
        Ok(self.into_data())
    }

    /// Changes the tensor by a function of itself.
    pub fn inplace(&mut self, change: impl FnOnce(Self) -> Self) {
        let taken = std::mem::replace(self, Self::of(Memory::new(vec![], [0; AXES])));
        *self = change(taken);
    }
}

#[cfg(test)]
mod tests;

//! Numbers in plain memory, read by strides.
//!
//! Every tensor has four axes here, the first ones of length 1 where it has fewer: shapes need no allocation, broadcasting is a stride of 0, and no code is
//! made anew for each number of axes.

use std::sync::Arc;

/// Axes of every tensor.
pub const AXES: usize = 4;

/// A view of shared numbers.
#[derive(Debug, Clone)]
pub struct Memory<T> {
    data: Arc<Vec<T>>,
    start: usize,
    pub shape: [usize; AXES],
    strides: [usize; AXES],
}

/// Steps between neighbours of each axis where rows lie one after another.
fn row_major(shape: [usize; AXES]) -> [usize; AXES] {
    let [_, b, c, d] = shape;
    [b * c * d, c * d, d, 1]
}

impl<T: Copy> Memory<T> {
    /// `data` in rows.
    pub fn new(data: Vec<T>, shape: [usize; AXES]) -> Self {
        Self { data: Arc::new(data), start: 0, shape, strides: row_major(shape) }
    }

    /// How many numbers it shows.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The strides; an axis of length 1 has none to speak of.
    pub fn strides(&self) -> [usize; AXES] {
        self.strides
    }

    /// The numbers from the first one on.
    pub fn data(&self) -> &[T] {
        self.data.get(self.start..).unwrap_or_default()
    }

    /// The numbers in order, where they lie one after another.
    pub fn rows(&self) -> Option<&[T]> {
        let expected = row_major(self.shape);
        let whole = (0..AXES).all(|axis| self.shape[axis] == 1 || self.strides[axis] == expected[axis]);
        if whole { self.data().get(..self.count()) } else { None }
    }

    /// Appends the numbers in order.
    pub fn append_to(&self, out: &mut Vec<T>) {
        if let Some(rows) = self.rows() {
            out.extend_from_slice(rows);
            return;
        }
        self.for_each_row(|row, step| match step {
            1 => out.extend_from_slice(&row[..self.shape[3]]),
            0 => out.extend(std::iter::repeat_n(row[0], self.shape[3])),
            _ => out.extend(row.iter().step_by(step).take(self.shape[3])),
        });
    }

    /// Every run along the last axis: the memory from its first number on, and the step to the next.
    pub fn for_each_row(&self, mut body: impl FnMut(&[T], usize)) {
        if self.count() == 0 {
            return;
        }
        let ([a, b, c, _], [i, j, k, step]) = (self.shape, self.strides);
        let data = self.data();
        for at in 0..a {
            for bt in 0..b {
                for ct in 0..c {
                    body(&data[at * i + bt * j + ct * k..], step);
                }
            }
        }
    }

    /// The numbers in order; without a copy where nobody else holds them and they lie so.
    pub fn into_vec(self) -> Vec<T> {
        let whole = self.start == 0 && self.rows().is_some_and(|rows| rows.len() == self.data.len());
        if whole {
            return Arc::try_unwrap(self.data).unwrap_or_else(|shared| shared.as_ref().clone());
        }
        let mut out = Vec::with_capacity(self.count());
        self.append_to(&mut out);
        out
    }

    /// The numbers in order, to be changed; copied only where somebody else holds them or they lie otherwise.
    pub fn values_mut(&mut self) -> &mut [T] {
        if self.start != 0 || self.rows().is_none_or(|rows| rows.len() != self.data.len()) {
            let mut copy = Vec::with_capacity(self.count());
            self.append_to(&mut copy);
            *self = Self::new(copy, self.shape);
        }
        let data: &mut Vec<T> = Arc::make_mut(&mut self.data);
        data
    }

    /// Whether nobody else holds the numbers.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.data) == 1
    }

    /// The same numbers in rows of another shape.
    ///
    /// # Panics
    /// Where it does not hold as many.
    pub fn reshape(self, shape: [usize; AXES]) -> Self {
        assert_eq!(self.count(), shape.iter().product::<usize>(), "a new shape holds as many numbers");
        if self.rows().is_some() { Self { shape, strides: row_major(shape), ..self } } else { Self::new(self.into_vec(), shape) }
    }

    /// The axes in another order.
    pub fn permute(mut self, order: [usize; AXES]) -> Self {
        self.shape = order.map(|axis| self.shape[axis]);
        self.strides = order.map(|axis| self.strides[axis]);
        self
    }

    /// `len` entries of one axis, from `from` on.
    ///
    /// # Panics
    /// Where the axis is shorter.
    pub fn narrow(mut self, axis: usize, from: usize, len: usize) -> Self {
        assert!(from + len <= self.shape[axis], "a part lies within its axis");
        self.start += from * self.strides[axis];
        self.shape[axis] = len;
        self
    }

    /// Axes of length 1 repeated to `shape`.
    ///
    /// # Panics
    /// Where another axis would have to be.
    pub fn expand(mut self, shape: [usize; AXES]) -> Self {
        for ((stride, have), want) in self.strides.iter_mut().zip(self.shape).zip(shape) {
            if have != want {
                assert_eq!(have, 1, "only an axis of length 1 can be repeated");
                *stride = 0;
            }
        }
        self.shape = shape;
        self
    }

    /// Tensors one after another along `axis`.
    pub fn cat(parts: &[Self], axis: usize) -> Self {
        let mut shape = parts.first().map_or([0; AXES], |part| part.shape);
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        let outer: usize = shape[..axis].iter().product();
        let mut out = Vec::with_capacity(shape.iter().product());
        let inner: Vec<Vec<T>> = parts.iter().map(|part| part.clone().into_vec()).collect();
        for at in 0..outer {
            for part in &inner {
                let len = part.len() / outer;
                out.extend_from_slice(&part[at * len..(at + 1) * len]);
            }
        }
        Self::new(out, shape)
    }

    /// The entries of `axis` that `indices` name.
    pub fn select(self, axis: usize, indices: &[usize]) -> Self {
        let mut first = [0, 1, 2, 3];
        first.swap(0, axis);
        let moved = self.permute(first);
        let mut out = Vec::with_capacity(indices.len() * moved.shape[1..].iter().product::<usize>());
        for &index in indices {
            moved.clone().narrow(0, index, 1).append_to(&mut out);
        }
        let mut shape = moved.shape;
        shape[0] = indices.len();
        Self::new(out, shape).permute(first)
    }
}

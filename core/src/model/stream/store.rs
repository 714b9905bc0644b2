//! Where the disentangled stream keeps its rows: tile-major numbers on the CPU, one tensor elsewhere.

use std::ops::Range;

use crate::tensor::{Device, Tensor};

use super::masks::MaskBlock;
use crate::model::{
    cpu::{
        self, Host, MixedRow, TiledRows,
        matmul::{Start, View},
    },
    norm::Norm,
    product,
};

/// `[rows, width]`, filled row by row.
#[derive(Debug)]
pub enum Store {
    Host { rows: TiledRows, width: usize, device: Device },
    Device(Tensor<2>),
}

/// Neighbouring results of [`Store::mix`] that become one tensor.
#[derive(Debug)]
pub struct Part {
    /// How many.
    pub rows: usize,
    /// What they are added to, `[rows, width]`.
    pub onto: Option<Tensor<2>>,
    /// Added to each of them, `[1, width]`.
    pub base: Option<Tensor<2>>,
}

impl Store {
    /// Room for `rows` rows, reusing `old` where it has that shape. What it holds at first is not defined.
    pub fn reuse(old: Option<Self>, rows: usize, width: usize, device: &Device) -> Self {
        match old {
            Some(Self::Host { rows: tiled, device, .. }) if tiled.fits(rows, width) => Self::Host { rows: tiled, width, device },
            Some(Self::Device(tensor)) if tensor.dims() == [rows, width] => Self::Device(tensor),
            _ if cpu::is_host_device(device) => Self::Host { rows: TiledRows::zeros(rows, width), width, device: device.clone() },
            _ => Self::Device(Tensor::empty([rows, width], device)),
        }
    }

    /// Where results live.
    pub fn device(&self) -> Device {
        match self {
            Self::Host { device, .. } => device.clone(),
            Self::Device(tensor) => tensor.device(),
        }
    }

    /// How many rows there is room for.
    pub fn rows(&self) -> usize {
        match self {
            Self::Host { rows, .. } => rows.rows(),
            Self::Device(tensor) => tensor.dims()[0],
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Host { width, .. } => *width,
            Self::Device(tensor) => tensor.dims()[1],
        }
    }

    /// Writes `values` `[n, width]` from row `at`.
    pub fn put(&mut self, at: usize, values: Tensor<2>) {
        match self {
            Self::Host { rows, .. } => {
                if let Ok(values) = Host::new(values) {
                    rows.put(at, values.contiguous().values());
                }
            }
            Self::Device(tensor) => {
                let [n, width] = values.dims();
                tensor.inplace(|store| store.slice_assign([at..at + n, 0..width], values));
            }
        }
    }

    /// Writes `a b + bias` of each entry as a row from row `at`: `a` `[entries, m, k]`, `b` `[entries, k, n]`, `bias` `[n]`, the store `m * n` wide.
    pub fn put_products(&mut self, at: usize, a: Tensor<3>, b: Tensor<3>, bias: Option<Tensor<1>>) {
        let ([entries, m, k], n) = (a.dims(), b.dims()[2]);
        match (self, Host::new(a), Host::new(b)) {
            (Self::Host { rows, .. }, Ok(a), Ok(b)) if cpu::whole_tiles(n) => {
                let bias = bias.map(cpu::into_vec);
                let (x, y): ([usize; 3], [usize; 3]) = (a.strides(), b.strides());
                let start = bias.as_deref().map_or(Start::Zero, Start::Row);
                rows.put_products(at, entries, [m, k, n], |i| [View::entry(a.data(), x, i), View::entry(b.data(), y, i)], start);
            }
            (store, a, b) => {
                let bias = bias.map(|bias| bias.reshape([1, n]).expand([entries, n]));
                store.put(at, product::batched(cpu::back(a), cpu::back(b), bias).reshape([entries, m * n]));
            }
        }
    }

    /// Writes the pullback of a norm from row `at`: `read` and `d_normed` are `[rows, d_model]`, many of which are one row here.
    pub fn put_pullback(&mut self, at: usize, norm: &Norm, read: Tensor<2>, d_normed: Tensor<2>) {
        let numbers = read.dims()[0] * read.dims()[1];
        let (read, d_normed) = match self {
            Self::Host { rows, .. } => match norm.pullback_into_tiles(read, d_normed, rows, at) {
                None => return,
                Some(arguments) => arguments,
            },
            Self::Device(_) => (read, d_normed),
        };
        let width = self.width();
        self.put(at, norm.pullback(read, d_normed).reshape([numbers / width.max(1), width]));
    }

    /// `masks [n, columns] x rows[first..first + columns]`, one tensor `[part rows, width]` a part.
    pub fn mix(&self, masks: &MaskBlock<'_>, first: usize, parts: Vec<Part>) -> Vec<Tensor<2>> {
        let [_, columns] = masks.dims();
        match self {
            Self::Host { rows, width, device } => {
                let bases: Vec<Option<Host>> = parts.iter().map(|part| Some(Host::new(part.base.clone()?).ok()?.contiguous())).collect();
                let sizes: Vec<usize> = parts.iter().map(|part| part.rows).collect();
                let mut results: Vec<(bool, Vec<f32>)> = parts
                    .into_iter()
                    .map(|part| match part.onto {
                        Some(onto) => (true, cpu::into_vec(onto)),
                        None => (false, vec![0.0; part.rows * width]),
                    })
                    .collect();
                let mut outs = Vec::with_capacity(masks.dims()[0]);
                for ((add, values), base) in results.iter_mut().zip(&bases) {
                    outs.extend(values.chunks_exact_mut((*width).max(1)).map(|values| MixedRow {
                        values,
                        add: *add,
                        base: base.as_ref().map(Host::values),
                    }));
                }
                rows.mix(|i, c| masks.value(i, c), first, columns, outs);
                results.into_iter().zip(sizes).map(|((_, values), rows)| cpu::tensor(values, [rows, *width], device)).collect()
            }
            Self::Device(tensor) => {
                let width = tensor.dims()[1];
                let mixed = masks.tensor().filter(|_| columns > 0).map(|m| m.matmul(tensor.clone().narrow(0, first, columns)));
                let mut at = 0;
                let one = |part: Part| {
                    let own = mixed.as_ref().map(|mixed| mixed.clone().narrow(0, at, part.rows));
                    at += part.rows;
                    let base = part.base.map(|base| base.expand([part.rows, width]));
                    let sum = [own, part.onto, base].into_iter().flatten().reduce(|a, b| a + b);
                    sum.unwrap_or_else(|| Tensor::zeros([part.rows, width], &tensor.device()))
                };
                parts.into_iter().map(one).collect()
            }
        }
    }

    /// Inner products of rows `theirs` of `other` with the first `columns` rows, `[theirs, columns]`. Those that are not `wanted` may be anything.
    pub fn dots(&self, columns: usize, other: &Self, theirs: Range<usize>, wanted: impl Fn(usize, usize) -> bool) -> Tensor<2> {
        match (self, other) {
            (Self::Host { rows, device, .. }, Self::Host { rows: other, .. }) => {
                let n = theirs.len();
                cpu::tensor(rows.dots(columns, other, theirs, wanted), [n, columns], device)
            }
            (Self::Device(tensor), Self::Device(other)) => {
                other.clone().narrow(0, theirs.start, theirs.len()).matmul(tensor.clone().narrow(0, 0, columns).transpose())
            }
            _ => unreachable!("stores of one model live on one device"),
        }
    }
}

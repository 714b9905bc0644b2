//! Where the disentangled stream keeps its rows: tile-major numbers on the CPU, one tensor elsewhere.

use burn::tensor::{Device, Tensor};

use crate::model::cpu::{self, TiledRows};

/// `[rows, width]`, filled row by row.
#[derive(Debug)]
pub enum Store {
    Host { rows: TiledRows, device: Device },
    Device(Tensor<2>),
}

impl Store {
    /// Room for `rows` rows, reusing `old` where it has that shape. What it holds at first is not defined.
    pub fn reuse(old: Option<Self>, rows: usize, width: usize, device: &Device) -> Self {
        match old {
            Some(Self::Host { rows: tiled, device }) if tiled.fits(rows, width) => Self::Host { rows: tiled, device },
            Some(Self::Device(tensor)) if tensor.dims() == [rows, width] => Self::Device(tensor),
            _ if cpu::is_host_device(device) => Self::Host { rows: TiledRows::zeros(rows, width), device: device.clone() },
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

    /// Writes `values` `[n, width]` from row `at`.
    pub fn put(&mut self, at: usize, values: Tensor<2>) {
        match self {
            Self::Host { rows, .. } => rows.put(at, &cpu::into_vec(values)),
            Self::Device(tensor) => {
                let [n, width] = values.dims();
                tensor.inplace(|store| store.slice_assign([at..at + n, 0..width], values));
            }
        }
    }

    /// `weights [n, columns] x rows[first..first + columns] + base`, `[n, width]`; `base` `[1, width]` goes to every output.
    pub fn mix(&self, weights: Tensor<2>, first: usize, base: Option<Tensor<2>>) -> Tensor<2> {
        let [n, columns] = weights.dims();
        match self {
            Self::Host { rows, device } => {
                let base = base.map(cpu::into_vec);
                let out = rows.mix(&cpu::into_vec(weights), first, columns, base.as_deref());
                let width = out.len() / n.max(1);
                cpu::tensor(out, [n, width], device)
            }
            Self::Device(tensor) => {
                let mixed = weights.matmul(tensor.clone().narrow(0, first, columns));
                match base {
                    Some(base) => mixed + base,
                    None => mixed,
                }
            }
        }
    }

    /// Inner products of `other` `[n, width]` with the first `columns` rows, `[n, columns]`.
    pub fn dots(&self, other: Tensor<2>, columns: usize) -> Tensor<2> {
        match self {
            Self::Host { rows, device } => {
                let n = other.dims()[0];
                cpu::tensor(rows.dots(&cpu::into_vec(other), columns), [n, columns], device)
            }
            Self::Device(tensor) => other.matmul(tensor.clone().narrow(0, 0, columns).transpose()),
        }
    }
}

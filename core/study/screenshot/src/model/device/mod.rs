//! The calls of a model in tensors of any device.
//!
//! **Method.** Each call computes its closed form by tensor operations and notes what it did; walking the notes backwards gives the gradients, which stay on the device. Ragged texts are
//! gathered into padded ones for attention alone (`ragged`); all else works on rows, so nothing is computed for padding. Gradients are written by hand as in plain memory, rather than followed
//! by burn's autodiff: nothing more is kept than a pullback needs, and a build has no second backend. With [`Precision::Bf16`] the products' factors are rounded; parameters, sums over rows,
//! norms, softmax and losses are in single precision.

mod backward;
pub mod check;
mod parts;
mod ragged;

use std::{ops::Range, rc::Rc};

use self::{
    parts::{Heads, Turn, product},
    ragged::{Layout, Lists, index, numbers},
};
use super::{
    calls::{Calls, Spans, Var},
    kernels::{Attention, Gate, rotations},
    place::Precision,
};
use crate::ScreenshotError;
use vitrine_core::{
    tensor::{Device, Tensor},
    train::mat::Mat,
};

enum Op {
    /// Nothing flows back.
    Given,
    /// Its gradient is what is asked for.
    Param,
    Linear {
        x: Var,
        w: Var,
        b: Option<Var>,
    },
    LinearTied {
        x: Var,
        w: Var,
    },
    Rows {
        of: Var,
        index: Vec<usize>,
    },
    Under(Vec<Var>),
    Means {
        of: Var,
        spans: Vec<Range<usize>>,
    },
    Add(Var, Var),
    Scaled(Var, Tensor<2>),
    Norm {
        x: Var,
        scale: Var,
        shift: Option<Var>,
        eps: f32,
    },
    Gelu(Var),
    Gated(Gate, Var),
    Rotated(Var, Turn),
    Tanh(Var),
    Attend {
        q: Var,
        kv: Var,
        attention: Attention,
        layout: Rc<Layout>,
    },
    Loss {
        of: Var,
        gradient: Tensor<2>,
    },
}

struct Node {
    /// None for a matrix without rows: no device need know of empty tensors.
    value: Option<Tensor<2>>,
    shape: [usize; 2],
    op: Op,
}

/// What was computed on a device, in order.
pub struct DeviceTape {
    nodes: Vec<Node>,
    params: usize,
    device: Device,
    precision: Precision,
    /// Paddings made so far; the layers of a model share one.
    layouts: Vec<(Spans, Rc<Layout>)>,
    /// Angles of rotary positions, as often shared.
    turns: Vec<Turned>,
}

/// Cosines and sines of places, with what they are for.
struct Turned {
    places: Vec<usize>,
    d_head: usize,
    base: f64,
    angles: [Tensor<3>; 2],
}

impl DeviceTape {
    /// A tape whose first variables are the parameters, in order.
    #[must_use]
    pub fn new(params: &[Tensor<2>], device: &Device, precision: Precision) -> Self {
        let node = |param: &Tensor<2>| Node { shape: param.dims(), value: Some(param.clone()), op: Op::Param };
        let nodes = params.iter().map(node).collect();
        Self { nodes, params: params.len(), device: device.clone(), precision, layouts: vec![], turns: vec![] }
    }

    /// The tensor of a call; none without rows.
    #[must_use]
    pub fn tensor(&self, var: Var) -> Option<Tensor<2>> {
        self.nodes[var.0].value.clone()
    }

    fn push(&mut self, value: Option<Tensor<2>>, cols: usize, op: Op) -> Var {
        let shape = value.as_ref().map_or([0, cols], Tensor::dims);
        self.nodes.push(Node { value, shape, op });
        Var(self.nodes.len() - 1)
    }

    /// A row-wise call; nothing of nothing.
    fn each(&mut self, a: Var, cols: usize, op: Op, compute: impl FnOnce(&Self, Tensor<2>) -> Tensor<2>) -> Var {
        let value = self.tensor(a).map(|a| compute(self, a));
        self.push(value, cols, op)
    }

    fn cols(&self, var: Var) -> usize {
        self.nodes[var.0].shape[1]
    }

    /// A parameter's tensor, or one of zeros: what weights a call has are never empty.
    fn weights(&self, var: Var) -> Tensor<2> {
        self.tensor(var).unwrap_or_else(|| Tensor::zeros([1, self.cols(var)], &self.device))
    }

    fn layout(&mut self, spans: Spans) -> Rc<Layout> {
        if let Some((_, layout)) = self.layouts.iter().find(|(known, _)| *known == spans) {
            return Rc::clone(layout);
        }
        let layout = Rc::new(Layout::new(&spans, &self.device));
        self.layouts.push((spans, Rc::clone(&layout)));
        layout
    }

    /// Cosines and sines of every row, `[rows, 1, d_head / 2]`.
    fn angles(&mut self, places: &[usize], d_head: usize, base: f64) -> [Tensor<3>; 2] {
        let known = |turned: &&Turned| turned.d_head == d_head && turned.base.to_bits() == base.to_bits() && turned.places == places;
        if let Some(turned) = self.turns.iter().find(known) {
            return turned.angles.clone();
        }
        // Places come again and again: each is turned into angles once, and looked up.
        let distinct: Vec<usize> = (0..=places.iter().copied().max().unwrap_or(0)).collect();
        let (half, n) = (d_head / 2, distinct.len());
        let table = rotations(&distinct, d_head, base);
        let rows = index(places.iter().copied(), &self.device);
        let angles = [0, 1].map(|part| {
            let table: Tensor<2> = numbers(table.iter().map(|angle| angle[part]).collect(), [n, half], &self.device);
            table.select(0, rows.clone()).reshape([places.len(), 1, half])
        });
        self.turns.push(Turned { places: places.to_vec(), d_head, base, angles: angles.clone() });
        angles
    }
}

impl Calls for DeviceTape {
    fn param(&self, number: usize) -> Var {
        Var(number)
    }

    fn rows_of(&self, var: Var) -> usize {
        self.nodes[var.0].shape[0]
    }

    fn read(&self, var: Var) -> Result<Mat, ScreenshotError> {
        let [rows, cols] = self.nodes[var.0].shape;
        let data = self.tensor(var).map_or_else(|| Ok(vec![]), super::place::host)?;
        Ok(Mat { rows, cols, data })
    }

    fn given(&mut self, mat: Mat) -> Var {
        let (rows, cols) = (mat.rows, mat.cols);
        let value = (rows > 0).then(|| numbers(mat.data, [rows, cols], &self.device));
        self.push(value, cols, Op::Given)
    }

    fn linear(&mut self, x: Var, w: Var, b: Option<Var>) -> Var {
        let cols = self.cols(w);
        self.each(x, cols, Op::Linear { x, w, b }, |tape, x| {
            let out = product(x, tape.weights(w), tape.precision);
            match b {
                Some(b) => out + tape.weights(b),
                None => out,
            }
        })
    }

    fn linear_tied(&mut self, x: Var, w: Var) -> Var {
        let cols = self.rows_of(w);
        self.each(x, cols, Op::LinearTied { x, w }, |tape, x| product(x, tape.weights(w).transpose(), tape.precision))
    }

    fn rows(&mut self, of: Var, rows: Vec<usize>) -> Var {
        let cols = self.cols(of);
        let value = self.tensor(of).filter(|_| !rows.is_empty()).map(|of| of.select(0, index(rows.iter().copied(), &self.device)));
        let constant = matches!(self.nodes[of.0].op, Op::Given);
        self.push(value, cols, if constant { Op::Given } else { Op::Rows { of, index: rows } })
    }

    fn under(&mut self, parts: Vec<Var>) -> Var {
        let cols = parts.first().map_or(0, |&part| self.cols(part));
        let mut values: Vec<Tensor<2>> = parts.iter().filter_map(|&part| self.tensor(part)).collect();
        let value = if values.len() > 1 { Some(Tensor::cat(values, 0)) } else { values.pop() };
        self.push(value, cols, Op::Under(parts))
    }

    fn means(&mut self, of: Var, spans: Vec<Range<usize>>) -> Var {
        let cols = self.cols(of);
        let value = self.tensor(of).filter(|_| !spans.is_empty()).map(|of| Lists::spans(&spans).sums(of) * self.parts_of(&spans));
        self.push(value, cols, Op::Means { of, spans })
    }

    fn add(&mut self, a: Var, b: Var) -> Var {
        let cols = self.cols(a);
        self.each(a, cols, Op::Add(a, b), |tape, x| x + tape.weights(b))
    }

    fn scaled(&mut self, a: Var, by: Vec<f32>) -> Var {
        let shape = self.nodes[a.0].shape;
        if shape[0] == 0 {
            return self.push(None, shape[1], Op::Given);
        }
        let by = numbers(by, shape, &self.device);
        self.each(a, shape[1], Op::Scaled(a, by.clone()), |_, x| x * by)
    }

    fn norm(&mut self, x: Var, scale: Var, shift: Var, eps: f32) -> Var {
        let cols = self.cols(x);
        self.each(x, cols, Op::Norm { x, scale, shift: Some(shift), eps }, |tape, x| {
            parts::norm(x, tape.weights(scale), Some(tape.weights(shift)), eps)
        })
    }

    fn rms_norm(&mut self, x: Var, scale: Var, eps: f32) -> Var {
        let cols = self.cols(x);
        self.each(x, cols, Op::Norm { x, scale, shift: None, eps }, |tape, x| parts::norm(x, tape.weights(scale), None, eps))
    }

    fn gelu(&mut self, a: Var) -> Var {
        let cols = self.cols(a);
        self.each(a, cols, Op::Gelu(a), |_, x| parts::gelu(x))
    }

    fn gated(&mut self, gate: Gate, a: Var) -> Var {
        let cols = self.cols(a) / 2;
        self.each(a, cols, Op::Gated(gate, a), |_, x| parts::gated(gate, x))
    }

    fn rotated(&mut self, of: Var, width: usize, d_head: usize, places: &[usize], base: f64) -> Var {
        let cols = self.cols(of);
        if places.is_empty() {
            return self.push(None, cols, Op::Given);
        }
        let [cos, sin] = self.angles(places, d_head, base);
        let turn = Turn { width, d_head, cos, sin };
        self.each(of, cols, Op::Rotated(of, turn.clone()), |_, x| turn.of(x, false))
    }

    fn tanh(&mut self, a: Var) -> Var {
        let cols = self.cols(a);
        self.each(a, cols, Op::Tanh(a), |_, x| x.tanh())
    }

    fn attend(&mut self, q: Var, kv: Var, attention: Attention, spans: Spans) -> Var {
        let (Some(query), Some(keys)) = (self.tensor(q), self.tensor(kv)) else {
            return self.push(None, attention.width(), Op::Given);
        };
        let layout = self.layout(spans);
        let read = Heads::new(&query, &keys, attention, &layout, self.precision).read(&layout, self.precision);
        self.push(Some(read), attention.width(), Op::Attend { q, kv, attention, layout })
    }

    fn cross_entropy(&mut self, logits: Var, targets: &[u32], weights: &[f32]) -> Var {
        let Some(given) = self.tensor(logits) else { return self.push(None, 1, Op::Given) };
        let n = targets.len();
        let targets = index(targets.iter().map(|&target| target as usize), &self.device).reshape([n, 1]);
        let [losses, gradient] = parts::cross_entropy(given, targets, numbers(weights.to_vec(), [n, 1], &self.device));
        self.push(Some(losses), 1, Op::Loss { of: logits, gradient })
    }

    fn squared_error(&mut self, of: Var, targets: &[f32], weight: f32) -> Var {
        let Some(given) = self.tensor(of) else { return self.push(None, 1, Op::Given) };
        let shape = self.nodes[of.0].shape;
        let off = given - numbers(targets.to_vec(), shape, &self.device);
        let gradient = off.clone() * (2.0 * weight / shape[1].max(1) as f32);
        self.push(Some(off.square().mean_dim(1)), 1, Op::Loss { of, gradient })
    }
}

//! Matrix products on any device: fused kernels on the CPU's plain memory, tensor operations elsewhere.

use crate::tensor::Tensor;

use super::cpu::{
    self, Host, back,
    blocks::Blocks,
    matmul::{self, Start, View},
};

/// `a b + bias` for `a` `[m, k]`, `b` `[k, n]` and `bias` `[n]`. Transposed and cut operands are read where they lie.
pub fn affine(a: Tensor<2>, b: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let ([m, k], n, device) = (a.dims(), b.dims()[1], a.device());
    match (Host::new(a), Host::new(b)) {
        (Ok(a), Ok(b)) => {
            let mut out = vec![0.0; m * n];
            let bias = bias.map(cpu::into_vec);
            let start = bias.as_deref().map_or(Start::Zero, Start::Row);
            matmul::product([m, k, n], a.view(), b.view(), start, &mut out);
            cpu::tensor(out, [m, n], &device)
        }
        (a, b) => {
            let y = back(a).matmul(back(b));
            match bias {
                Some(bias) => y + bias.unsqueeze(),
                None => y,
            }
        }
    }
}

/// `a b + bias` for a `b` that stays in a file's blocks, with `a` rounded for it; on the CPU, wherever `a` was.
pub fn by_blocks(a: Tensor<2>, b: &Blocks, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (rows, device) = (a.dims()[0], a.device());
    let bias = bias.map(cpu::into_vec);
    cpu::tensor(b.apply(&cpu::into_vec(a), bias.as_deref()), [rows, b.d_out()], &device)
}

/// `a b` for `a` `[m, k]` and `b` `[k, n]`.
pub fn product(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    affine(a, b, None)
}

/// `sum + a b`, in the memory of `sum` where nobody else holds it.
pub fn add_product(sum: Tensor<2>, a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let ([m, k], n) = (a.dims(), b.dims()[1]);
    match (Host::new(sum), Host::new(a), Host::new(b)) {
        (Ok(mut sum), Ok(a), Ok(b)) => {
            matmul::product([m, k, n], a.view(), b.view(), Start::Keep, sum.values_mut());
            sum.into_tensor()
        }
        (sum, a, b) => back(sum) + back(a).matmul(back(b)),
    }
}

/// One product a batch entry, `a b + bias` for `a` `[batch, m, k]`, `b` `[batch, k, n]` and `bias` `[batch, n]`.
pub fn batched(a: Tensor<3>, b: Tensor<3>, bias: Option<Tensor<2>>) -> Tensor<3> {
    let ([batch, m, k], n, device) = (a.dims(), b.dims()[2], a.device());
    match (Host::new(a), Host::new(b)) {
        (Ok(a), Ok(b)) => {
            let mut out = vec![0.0; batch * m * n];
            let bias = bias.map(cpu::into_vec);
            let start = |i: usize| bias.as_ref().map_or(Start::Zero, |bias| Start::Row(&bias[i * n..(i + 1) * n]));
            let (x, y): ([usize; 3], [usize; 3]) = (a.strides(), b.strides());
            matmul::products([m, k, n], |i| [View::entry(a.data(), x, i), View::entry(b.data(), y, i)], start, &mut out);
            cpu::tensor(out, [batch, m, n], &device)
        }
        (a, b) => {
            let y = back(a).matmul(back(b));
            match bias {
                Some(bias) => y + bias.reshape([batch, 1, n]),
                None => y,
            }
        }
    }
}

/// The sum of all rows of `[rows, width]`.
pub fn sum_of_rows(x: Tensor<2>) -> Tensor<1> {
    let (width, device) = (x.dims()[1], x.device());
    match Host::new(x) {
        Ok(x) => cpu::tensor(cpu::sum_of_rows(x.contiguous().values(), width), [width], &device),
        Err(x) => x.sum_dim(0).reshape([width]),
    }
}

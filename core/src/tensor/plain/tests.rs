//! Every operation on the same numbers as burn's, on tensors that lie in rows, are cut, turned and repeated.
#![cfg(feature = "burn")]

use burn::tensor as reference;

use super::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};
use crate::train::rng::Stream;

const SHAPE: [usize; 3] = [3, 4, 5];

fn numbers(name: &str, n: usize) -> Vec<f32> {
    let mut stream = Stream::new(11, name, 0);
    (0..n).map(|_| stream.normal() as f32).collect()
}

/// The same numbers in both kinds of tensor.
struct Both<const D: usize>(Tensor<D>, reference::Tensor<D>);

impl<const D: usize> Both<D> {
    fn new(name: &str, shape: [usize; D]) -> Self {
        let values = numbers(name, shape.iter().product());
        let theirs = reference::Tensor::from_data(reference::TensorData::new(values.clone(), shape), &reference::Device::flex());
        Self(Tensor::from_data(TensorData::new(values, shape), &Device), theirs)
    }
}

fn agree<const D: usize>(what: &str, ours: Tensor<D>, theirs: reference::Tensor<D>) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}");
    let ours = ours.into_data().try_into_vec::<f32>().unwrap();
    let theirs = theirs.into_data().try_into_vec::<f32>().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() <= 2e-6 * b.abs().max(1.0), "{what}: {a} and {b}");
    }
}

/// The same views of both.
fn views(name: &str) -> Vec<Both<3>> {
    let all = || Both::new(name, SHAPE);
    let turned = Both::new(name, [5, 3, 4]);
    let wide = Both::new(name, [4, 6, 9]);
    let thin = Both::new(name, [3, 1, 5]);
    vec![
        all(),
        Both(turned.0.permute([1, 2, 0]), turned.1.permute([1, 2, 0])),
        Both(wide.0.slice([1..4, 2..6, 3..8]), wide.1.slice([1..4, 2..6, 3..8])),
        Both(thin.0.expand(SHAPE), thin.1.expand(SHAPE)),
        Both(all().0.swap_dims(0, 2).narrow(0, 1, 3).narrow(2, 0, 2), all().1.swap_dims(0, 2).narrow(0, 1, 3).narrow(2, 0, 2)),
    ]
}

/// Runs the same lines on both kinds of tensor.
macro_rules! same {
    ($what:expr, [$($both:expr),+], |$($name:ident),+| $body:expr) => {{
        let ours = same!(@ 0, [$($both),+], [$($name),+], $body);
        let theirs = same!(@ 1, [$($both),+], [$($name),+], $body);
        agree($what, ours, theirs);
    }};
    (@ $side:tt, [$($both:expr),+], [$($name:ident),+], $body:expr) => {{
        $(let $name = $both.$side.clone();)+
        $body
    }};
}

#[test]
fn views_and_arithmetic_are_burns() {
    for x in views("x") {
        same!("read", [x], |x| x);
        same!("reshape", [x], |x| {
            let n = x.dims().iter().product::<usize>();
            x.reshape([2, n / 2])
        });
        same!("flatten", [x], |x| x.flatten::<2>(0, 1));
        same!("flatten last", [x], |x| x.flatten::<2>(1, 2));
        same!("unsqueeze", [x], |x| x.unsqueeze::<4>());
        same!("repeat", [x], |x| x.repeat_dim(1, 3));
        same!("cat", [x], |x| {
            let doubled = x.clone() * 2.0_f32;
            Tensorlike::cat(vec![x, doubled], 1)
        });
        same!("square", [x], |x| x.square());
        same!("root", [x], |x| (x.square() + 0.5_f32).sqrt().recip());
        same!("exp", [x], |x| x.exp().neg());
        same!("scalars", [x], |x| (x * 3.0_f32 - 1.5_f32) / 0.7_f32 + 2.0_f32);
        same!("sum", [x], |x| x.sum());
        for axis in 0..3 {
            same!("sum_dim", [x], |x| x.sum_dim(axis));
            same!("mean_dim", [x], |x| x.mean_dim(axis));
        }
        same!("filled", [x], |x| {
            let mask = x.clone().lower_equal_scalar(0.1);
            x.mask_fill(mask, 7.0)
        });
        same!("in place", [x], |x| {
            let mut x = x;
            x.inplace(|x| x + 1.0_f32);
            x
        });
    }
}

/// `cat` under one name for both.
trait Tensorlike: Sized {
    fn cat(parts: Vec<Self>, axis: usize) -> Self;
}
impl<const D: usize> Tensorlike for Tensor<D> {
    fn cat(parts: Vec<Self>, axis: usize) -> Self {
        Self::cat(parts, axis)
    }
}
impl<const D: usize> Tensorlike for reference::Tensor<D> {
    fn cat(parts: Vec<Self>, axis: usize) -> Self {
        Self::cat(parts, axis)
    }
}

#[test]
fn pairs_meet_as_burns_do() {
    let (all, others) = (views("x"), views("y"));
    for (x, y) in all.iter().flat_map(|x| others.iter().map(move |y| (x, y))).filter(|(x, y)| x.0.dims() == y.0.dims()) {
        same!("add", [x, y], |x, y| x + y);
        same!("subtract", [x, y], |x, y| x - y);
        same!("multiply", [x, y], |x, y| x * y);
        same!("divide", [x, y], |x, y| x / (y.square() + 1.0_f32));
    }
    // Lengths of 1 on either side.
    let (x, row, column) = (Both::new("x", SHAPE), Both::new("row", [1, 1, 5]), Both::new("column", [3, 4, 1]));
    same!("row", [x, row], |x, row| x + row);
    same!("row first", [x, row], |x, row| row - x);
    same!("column", [x, column], |x, column| x * column);
    same!("outer", [row, column], |row, column| row * column);
    // What somebody else holds stays as it was.
    let kept = x.0.clone();
    let _ = x.0.clone() + 1.0;
    agree("kept", kept, x.1);
}

#[test]
fn products_are_burns() {
    let (a, b) = (Both::new("a", [2, 3, 6, 7]), Both::new("b", [2, 3, 7, 5]));
    same!("batched", [a, b], |a, b| a.matmul(b));
    let b = Both::new("b", [2, 1, 5, 7]);
    same!("repeated and turned", [a, b], |a, b| a.matmul(b.swap_dims(2, 3)));
    let (a, b) = (Both::new("a", [7, 6]), Both::new("b", [7, 9]));
    same!("turned", [a, b], |a, b| a.transpose().matmul(b.narrow(1, 2, 4)));
}

#[test]
fn rows_by_index_are_burns() {
    let indices = |chosen: &[i32]| {
        let ours = Tensor::<1, Int>::from_data(TensorData::new(chosen.to_vec(), [chosen.len()]), &Device);
        let data = reference::TensorData::new(chosen.to_vec(), [chosen.len()]);
        (ours, reference::Tensor::<1, reference::Int>::from_data(data, &reference::Device::flex()))
    };
    let chosen = [2, 0, 2, 1];
    for (axis, x) in views("x").into_iter().enumerate().map(|(i, x)| (i % 3, x)) {
        let most = i32::try_from(x.0.dims()[axis]).unwrap() - 1;
        let (ours, theirs) = indices(&chosen.map(|i| i.min(most)));
        agree("select", x.0.clone().select(axis, ours), x.1.clone().select(axis, theirs));
    }
    let (x, rows) = (Both::new("x", [5, 4]), Both::new("rows", [4, 4]));
    let (ours, theirs) = indices(&chosen);
    let (how, their_how) = (IndexingUpdateOp::Add, reference::IndexingUpdateOp::Add);
    agree("select_assign", x.0.clone().select_assign(0, ours, rows.0, how), x.1.clone().select_assign(0, theirs, rows.1, their_how));
    let part = Both::new("part", [2, 3]);
    same!("slice_assign", [x, part], |x, part| x.slice_assign([1..3, 1..4], part));
    let (ours, theirs) = indices(&[3, 0, 1, 2, 2, 1, 3, 3, 0, 1]);
    let (ours, theirs) = (ours.reshape([5, 2]), theirs.reshape([5, 2]));
    agree("gather", x.0.clone().gather(1, ours.clone()), x.1.clone().gather(1, theirs.clone()));
    let added = Both::new("added", [5, 2]);
    agree("scatter", x.0.scatter(1, ours, added.0, how), x.1.scatter(1, theirs, added.1, their_how));
}

#[test]
fn functions_are_burns() {
    for x in views("x") {
        agree("relu", activation::relu(x.0.clone()), reference::activation::relu(x.1.clone()));
        agree("sigmoid", activation::sigmoid(x.0.clone() * 9.0), reference::activation::sigmoid(x.1.clone() * 9.0));
        for axis in 0..3 {
            agree("softmax", activation::softmax(x.0.clone() * 9.0, axis), reference::activation::softmax(x.1.clone() * 9.0, axis));
            let theirs = reference::activation::log_softmax(x.1.clone() * 9.0, axis);
            agree("log_softmax", activation::log_softmax(x.0.clone() * 9.0, axis), theirs);
        }
    }
}

#[test]
fn made_tensors_and_their_numbers_are_burns() {
    let device = reference::Device::flex();
    agree("zeros", Tensor::zeros([2, 3], &Device), reference::Tensor::zeros([2, 3], &device));
    agree("ones", Tensor::ones([4], &Device), reference::Tensor::ones([4], &device));
    agree("full", Tensor::full([2, 2], 1.5, &Device), reference::Tensor::full([2, 2], 1.5, &device));
    let x = Both::new("x", [1]);
    assert_eq!(x.0.try_into_scalar::<f32>().unwrap().to_bits(), x.1.try_into_scalar::<f32>().unwrap().to_bits());
}

//! The self-check of a device that is to train screenshot models: every kind of call, forwards and backwards, computed there and not read back.
//!
//! It goes with [`vitrine_core::device::check`], which knows other models' kernels. Sizes are no powers of two, and texts of different length are padded.

use super::{
    super::{
        calls::{Calls as _, Spans, Var},
        kernels::{Attention, Gate},
        place::Precision,
    },
    DeviceTape,
};
use vitrine_core::{
    device::check::Part,
    tensor::{Device, Tensor, TensorData},
    train::rng::Stream,
};

const ROWS: usize = 11;
/// Two heads of six.
const WIDTH: usize = 12;
const WORDS: usize = 37;

fn noise(name: &str, rows: usize, cols: usize) -> Vec<f32> {
    let mut stream = Stream::new(17, name, 0);
    (0..rows * cols).map(|_| (stream.normal() * 0.5) as f32).collect()
}

/// Losses and gradients of a block with one of everything; single precision.
#[must_use]
pub fn compute(device: &Device) -> Vec<Part> {
    let shapes = [[ROWS, WIDTH], [1, WIDTH], [1, WIDTH], [WIDTH, 3 * WIDTH], [1, 3 * WIDTH], [WIDTH, 2 * WIDTH], [WORDS, WIDTH]];
    let params: Vec<Tensor<2>> = shapes
        .iter()
        .enumerate()
        .map(|(number, &[rows, cols])| Tensor::from_data(TensorData::new(noise(&format!("p{number}"), rows, cols), [rows, cols]), device))
        .collect();
    let mut tape = DeviceTape::new(&params, device, Precision::F32);
    let losses = write(&mut tape);
    let values: Vec<Tensor<1>> = losses.iter().filter_map(|&loss| tape.tensor(loss)).map(|loss| loss.flatten(0, 1)).collect();
    let losses = Part { name: "losses of screenshot models", values: Tensor::cat(values, 0) };
    let gradients = tape.backward().into_iter().map(|gradient| gradient.flatten(0, 1)).collect();
    vec![losses, Part { name: "gradients of screenshot models", values: Tensor::cat(gradients, 0) }]
}

/// One block over three texts, read in two ways, and its losses.
fn write(tape: &mut DeviceTape) -> [Var; 2] {
    let [rows, scale, shift, qkv, bias, up, words] = [0, 1, 2, 3, 4, 5, 6].map(Var);
    let texts = || vec![0..5, 5..6, 6..ROWS];
    let spans = |causal| Spans { queries: texts(), keys: texts(), causal };
    let attention = Attention { heads: 2, d_head: WIDTH / 2, q: 0, k: WIDTH, v: 2 * WIDTH, scale: 0.4 };
    let places: Vec<usize> = texts().into_iter().flat_map(|text| 0..text.len()).collect();

    let normal = tape.norm(rows, scale, shift, 1e-5);
    let read = tape.linear(normal, qkv, Some(bias));
    let turned = tape.rotated(read, 2 * WIDTH, WIDTH / 2, &places, 100.0);
    let causal = tape.attend(turned, turned, attention, spans(true));
    let mid = tape.add(rows, causal);
    let normal = tape.rms_norm(mid, scale, 1e-5);
    let wide = tape.linear(normal, up, None);
    let silu = tape.gated(Gate::Silu, wide);
    let gelu = tape.gated(Gate::Gelu, wide);
    let both = tape.add(silu, gelu);
    let dropped = tape.scaled(both, noise("dropout", ROWS, WIDTH));
    let soft = tape.gelu(dropped);
    // Every text's mean under chosen rows, some of them twice.
    let means = tape.means(soft, texts());
    let chosen = tape.rows(mid, vec![9, 3, 3, 0, 7]);
    let all = tape.under(vec![chosen, means, soft]);
    let bounded = tape.tanh(all);
    let logits = tape.linear_tied(bounded, words);
    let n = tape.rows_of(logits);
    let targets: Vec<u32> = (0..n).map(|row| (row * 5 % WORDS) as u32).collect();
    let text = tape.cross_entropy(logits, &targets, &vec![0.3; n]);
    let pixels = tape.squared_error(all, &noise("pixels", n, WIDTH), 0.7);
    [text, pixels]
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::device::check::difference;

    #[test]
    fn every_parameter_has_a_gradient_and_numbers_repeat_themselves() {
        let numbers = || -> Vec<Vec<f32>> {
            compute(&Device::flex()).into_iter().map(|part| part.values.into_data().try_into_vec::<f32>().unwrap()).collect()
        };
        let (first, second) = (numbers(), numbers());
        for (a, b) in first.iter().zip(&second) {
            assert_eq!(difference(a, b), 0.0);
            assert!(a.iter().filter(|x| **x != 0.0).count() * 10 > a.len() * 9, "a part that is mostly zeros checks nothing");
        }
        let wrong: Vec<f32> = first[1].iter().map(|x| x * 1.1).collect();
        assert!(difference(&wrong, &first[1]) > vitrine_core::device::check::TOLERANCE);
    }
}

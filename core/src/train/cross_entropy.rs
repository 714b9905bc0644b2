//! Cross-entropy through the unembedding, a block of rows at a time.
//!
//! **Idea.** Logits of all tokens over the whole vocabulary, and their gradient, are the largest matrices of a training step, and each is needed once. A block of rows is made, turned into its own
//! gradient in place (`softmax - one-hot`, times the row's weight), and multiplied into both gradients while it is near.

use crate::tensor::{
    Int, Tensor, TensorData,
    activation::{log_softmax, softmax},
};

use crate::model::{
    cpu::{self, Host},
    product::{add_product, product},
};

/// Logits held at once.
const BLOCK: usize = 1 << 21;

/// The loss could not be read back from the device.
#[derive(Debug, thiserror::Error)]
#[error("could not read the loss back from the device: {0}")]
pub struct ReadError(String);

/// A loss and its gradients.
#[derive(Debug)]
pub struct CrossEntropy {
    /// `sum over rows of weight * -log p(target)`, in nats.
    pub loss: f64,
    /// At the rows, `[rows, d_model]`.
    pub d_input: Tensor<2>,
    /// At the unembedding `[d_model, vocab]`, or at the table `[vocab, d_model]` it is the transpose of.
    pub d_unembedding: Tensor<2>,
}

/// The loss of `targets` and `weights`, one a row, where logits are `input [rows, d_model]` times `unembedding [d_model, vocab]`; `tied` asks for the gradient transposed.
///
/// # Errors
/// [`ReadError`] when the device does not give the loss back.
pub fn through_unembedding(
    input: &Tensor<2>,
    unembedding: &Tensor<2>,
    tied: bool,
    targets: &[u32],
    weights: &[f32],
) -> Result<CrossEntropy, ReadError> {
    let ([rows, _], vocab) = (input.dims(), unembedding.dims()[1]);
    let block = (BLOCK / vocab.max(1)).clamp(1, rows.max(1));
    let (mut loss, mut d_input, mut d_unembedding) = (0.0, vec![], None);
    for from in (0..rows).step_by(block) {
        let n = block.min(rows - from);
        let x = input.clone().narrow(0, from, n);
        let logits = product(x.clone(), unembedding.clone());
        let (part, d_logits) = loss_and_gradient(logits, &targets[from..from + n], &weights[from..from + n])?;
        loss += part;
        let [a, b] = if tied { [d_logits.clone().transpose(), x] } else { [x.transpose(), d_logits.clone()] };
        d_unembedding = Some(match d_unembedding {
            Some(sum) => add_product(sum, a, b),
            None => product(a, b),
        });
        d_input.push(product(d_logits, unembedding.clone().transpose()));
    }
    let d_unembedding =
        d_unembedding.unwrap_or_else(|| if tied { unembedding.clone().transpose().zeros_like() } else { unembedding.zeros_like() });
    Ok(CrossEntropy { loss, d_input: Tensor::cat(d_input, 0), d_unembedding })
}

/// The weighted loss of logits `[rows, vocab]`, and its gradient at them.
fn loss_and_gradient(logits: Tensor<2>, targets: &[u32], weights: &[f32]) -> Result<(f64, Tensor<2>), ReadError> {
    let [rows, vocab] = logits.dims();
    match Host::new(logits) {
        Ok(mut logits) => {
            let losses = cpu::cross_entropy(logits.values_mut(), vocab, targets, weights);
            Ok((losses.into_iter().map(f64::from).sum(), logits.into_tensor()))
        }
        Err(logits) => {
            let device = logits.device();
            let ids: Vec<i32> = targets.iter().map(|&id| i32::try_from(id).unwrap_or(i32::MAX)).collect();
            let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, 1]), &device);
            let weights = Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &device);
            let chosen = log_softmax(logits.clone(), 1).gather(1, ids.clone()) * weights.clone();
            let loss = chosen.sum().neg().try_into_scalar::<f32>().map_err(|e| ReadError(e.to_string()))?;
            let one_hot = Tensor::zeros([rows, vocab], &device).scatter(1, ids, weights.clone(), crate::tensor::IndexingUpdateOp::Add);
            Ok((loss.into(), softmax(logits, 1) * weights - one_hot))
        }
    }
}

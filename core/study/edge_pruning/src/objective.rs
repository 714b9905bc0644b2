//! What a circuit is trained to keep, as a loss with its gradient.
//!
//! All losses compare the masked model's outputs with the full model's at the scored positions: KL(full ‖ masked) over the vocabulary or a subset of it, over the positions of a sequence (numbers taken
//! as logits), or the squared difference of numbers. Each example weighs the same, and its positions share its weight. Attribution methods use the answer's logit
//! against the wrong one's instead. Gradients are closed forms: for KL, `softmax(masked) - softmax(full)`.

use vitrine_core::tensor::{
    Device, Int, Tensor, TensorData,
    activation::{log_softmax, softmax},
};

use super::tasks::{Encoded, Scoring, encode::NumericScoring};
use vitrine_core::model::{Norm, Transformer, product::product, transformer::select_rows};

/// The output map restricted to what a task scores: final norm, then the unembedding's columns.
#[derive(Debug, Clone)]
pub struct OutputHead {
    norm: Norm,
    /// `[d_model, scored outputs]`.
    columns: Tensor<2>,
}

impl OutputHead {
    /// All outputs, or the columns of the subset that `scoring` names.
    pub fn new(model: &Transformer, scoring: &Scoring) -> Self {
        let all = model.unembedding();
        let columns = match scoring {
            Scoring::Subset(ids) => {
                let ids: Vec<i32> = ids.iter().map(|&id| i32::try_from(id).unwrap_or(i32::MAX)).collect();
                let n = ids.len();
                all.select(1, Tensor::<1, Int>::from_data(TensorData::new(ids, [n]), &model.device()))
            }
            _ => all,
        };
        Self { norm: model.final_norm.clone(), columns }
    }

    /// `[rows, d_model]` final reads to `[rows, scored outputs]`.
    pub fn logits(&self, reads: Tensor<2>) -> Tensor<2> {
        product(self.norm.apply(reads), self.columns.clone())
    }

    /// The gradient at the reads.
    pub fn pullback(&self, reads: Tensor<2>, d_logits: Tensor<2>) -> Tensor<2> {
        self.norm.pullback(reads, product(d_logits, self.columns.clone().transpose()))
    }
}

/// The scored rows of a flattened batch: where they are and what each weighs.
#[derive(Debug, Clone)]
pub struct ScoredRows {
    /// Rows of `[batch * position, …]`, example by example.
    pub rows: Vec<usize>,
    /// Scored positions of each example.
    pub per_example: Vec<usize>,
}

impl ScoredRows {
    /// Rows of the examples in a batch padded to `seq_len`.
    pub fn new(examples: &[&Encoded], seq_len: usize) -> Self {
        let rows = examples.iter().enumerate().flat_map(|(i, e)| e.positions.iter().map(move |p| i * seq_len + p)).collect();
        Self { rows, per_example: examples.iter().map(|e| e.positions.len()).collect() }
    }

    /// Weight of each row, `[rows, 1]`: examples alike, positions of an example alike.
    pub fn weights(&self, device: &Device) -> Tensor<2> {
        let examples = self.per_example.len() as f32;
        let weights: Vec<f32> = self.per_example.iter().flat_map(|&n| std::iter::repeat_n(1.0 / (examples * n as f32), n)).collect();
        let rows = weights.len();
        Tensor::from_data(TensorData::new(weights, [rows, 1]), device)
    }

    /// The scored rows of `[batch * position, width]`.
    pub fn select(&self, x: Tensor<2>) -> Tensor<2> {
        select_rows(x, &self.rows)
    }

    /// Puts gradients of the scored rows back among `tokens` rows of zeros.
    pub fn scatter(&self, d_rows: Tensor<2>, tokens: usize) -> Tensor<2> {
        let device = d_rows.device();
        let width = d_rows.dims()[1];
        let indices: Vec<i32> = self.rows.iter().map(|&r| i32::try_from(r).unwrap_or(i32::MAX)).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [self.rows.len()]), &device);
        Tensor::zeros([tokens, width], &device).select_assign(0, indices, d_rows, vitrine_core::tensor::IndexingUpdateOp::Add)
    }
}

/// A loss over a batch, `[1]`, and its gradient at the masked model's outputs.
#[derive(Debug)]
pub struct LossAndGradient {
    pub loss: Tensor<1>,
    pub d_logits: Tensor<2>,
}

/// The faithfulness loss of outputs `masked` against the full model's `full`, both `[rows, outputs]`.
pub fn faithfulness(scoring: &Scoring, rows: &ScoredRows, full: Tensor<2>, masked: Tensor<2>) -> LossAndGradient {
    let device = masked.device();
    match scoring {
        Scoring::FullVocab | Scoring::Subset(_) | Scoring::TracrCategorical => kl(full, masked, rows.weights(&device)),
        Scoring::TracrNumeric(NumericScoring::SquaredError) => {
            let difference = masked - full;
            let weights = rows.weights(&device);
            let loss = (difference.clone().square() * weights.clone()).sum();
            LossAndGradient { loss, d_logits: difference * weights * 2.0 }
        }
        Scoring::TracrNumeric(NumericScoring::AsLogits) => {
            // One row a sequence; sequences of a batch have equal lengths (full-length inputs).
            let (n, per) = (rows.per_example.len(), rows.per_example.first().copied().unwrap_or(1));
            let weights = Tensor::full([n, 1], 1.0 / n as f32, &device);
            let LossAndGradient { loss, d_logits } = kl(full.reshape([n, per]), masked.reshape([n, per]), weights);
            LossAndGradient { loss, d_logits: d_logits.reshape([n * per, 1]) }
        }
    }
}

fn kl(full: Tensor<2>, masked: Tensor<2>, weights: Tensor<2>) -> LossAndGradient {
    let full_log = log_softmax(full, 1);
    let full = full_log.clone().exp();
    let masked_log = log_softmax(masked.clone(), 1);
    let loss = (full.clone() * (full_log - masked_log) * weights.clone()).sum();
    LossAndGradient { loss, d_logits: (softmax(masked, 1) - full) * weights }
}

/// Minus the logit difference of answer and wrong answer (minus the answer's log-probability where there is no wrong one), averaged like the faithfulness loss.
/// `None` where the examples name no answers.
pub fn minus_logit_difference(examples: &[&Encoded], rows: &ScoredRows, logits: Tensor<2>) -> Option<LossAndGradient> {
    let device = logits.device();
    let [n, outputs] = logits.dims();
    let mut direction = vec![0.0_f32; n * outputs];
    let mut has_plain_answer = vec![0.0_f32; n];
    let mut row = 0;
    for example in examples {
        if example.answers.len() != example.positions.len() {
            return None;
        }
        for (&answer, wrong) in example.answers.iter().zip(&example.wrong) {
            *direction.get_mut(row * outputs + answer as usize)? = -1.0;
            match wrong {
                Some(wrong) => *direction.get_mut(row * outputs + *wrong as usize)? = 1.0,
                None => has_plain_answer[row] = 1.0,
            }
            row += 1;
        }
    }
    let direction = Tensor::<2>::from_data(TensorData::new(direction, [n, outputs]), &device);
    let plain = Tensor::<2>::from_data(TensorData::new(has_plain_answer, [n, 1]), &device);
    let weights = rows.weights(&device);
    // Without a wrong answer: -log p(answer) = -logit + logsumexp, whose gradient is softmax - one-hot.
    let p = softmax(logits.clone(), 1);
    let log_sum = (log_softmax(logits.clone(), 1) - logits.clone()).mean_dim(1).neg();
    let loss = (((logits * direction.clone()).sum_dim(1) + log_sum * plain.clone()) * weights.clone()).sum();
    Some(LossAndGradient { loss, d_logits: (direction + p * plain) * weights })
}

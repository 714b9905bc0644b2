//! Gradients of every weight of a transformer, by closed forms.
//!
//! **Idea.** An autodiff graph keeps and copies what the backward pass could compute or read in place. Here [`Recorder`], a residual stream, keeps of the one forward pass what the closed
//! forms need, and [`Recorder::backward`] sweeps the layers downwards: one product for each weight, one for each input, and the pullbacks that circuits' masks use too.
//!
//! **Method.** With `d` the gradient at an affine map's output: `dW = x^T d`, `db = sum over rows of d`, `dx = d W^T`. Norms, activations, attention: see their modules. Normed inputs are computed
//! again, being cheap; q, k, v, head outputs, pre-activations and hidden values are kept. The same code runs on every device.

use std::collections::BTreeMap;

use crate::tensor::{IndexingUpdateOp, Int, Tensor};

use super::cross_entropy;
use crate::model::{
    Batch, Block, Linear, Norm, Transformer,
    attention::{AttentionContext, Qkv},
    cpu::{Host, back},
    product::{product, sum_of_rows},
    stream::{AttnInput, HeadOutputs, Plain, Site, Stream},
};

/// Gradients by the names of [`crate::model::params`], each flat.
pub type Gradients = BTreeMap<String, Tensor<1>>;

/// What the backward pass of a layer needs.
#[derive(Debug)]
struct Kept {
    /// What attention read, `[tokens, d_model]`.
    attn_read: Tensor<2>,
    qkv: Option<Qkv>,
    /// Head outputs side by side, `[tokens, heads * d_head]`.
    z: Option<Tensor<2>>,
    /// What the MLP read, `[tokens, d_model]`.
    mlp_read: Option<Tensor<2>>,
    mlp_pre: Option<Tensor<2>>,
    hidden: Option<Tensor<2>>,
}

/// The residual stream as one running sum that keeps what a backward pass needs.
#[derive(Debug, Default)]
pub struct Recorder {
    plain: Plain,
    layers: Vec<Kept>,
}

impl Stream for Recorder {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        self.layers.clear();
        self.plain.begin(tok, pos);
    }

    fn attn_input(&mut self, layer: usize) -> AttnInput {
        let read = self.plain.final_input();
        self.layers.push(Kept { attn_read: read, qkv: None, z: None, mlp_read: None, mlp_pre: None, hidden: None });
        self.plain.attn_input(layer)
    }

    fn write_attn(&mut self, layer: usize, z: HeadOutputs, out: &Linear) {
        let z = z.fused();
        self.layers[layer].z = Some(z.clone());
        self.plain.add(out.apply(z));
    }

    fn mlp_input(&mut self, layer: usize) -> Tensor<2> {
        let read = self.plain.mlp_input(layer);
        self.layers[layer].mlp_read = Some(read.clone());
        read
    }

    fn write_mlp(&mut self, layer: usize, hidden: Tensor<2>, out: &Linear) {
        self.layers[layer].hidden = Some(hidden.clone());
        self.plain.write_mlp(layer, hidden, out);
    }

    fn final_input(&mut self) -> Tensor<2> {
        self.plain.final_input()
    }

    fn observe(&mut self, layer: usize, site: Site<'_>) {
        match site {
            Site::Qkv(qkv) => self.layers[layer].qkv = Some(qkv.clone()),
            Site::MlpPre(pre) => self.layers[layer].mlp_pre = Some(pre.clone()),
            Site::HeadOutputs(_) => {}
        }
    }
}

/// The weighted cross-entropy of `targets` (one token a row of the batch) in nats, and its gradient at every weight.
///
/// # Errors
/// [`cross_entropy::ReadError`] when the device does not give the loss back.
pub fn loss_and_gradients(
    model: &Transformer,
    batch: &Batch,
    targets: &[u32],
    weights: &[f32],
) -> Result<(f64, Gradients), cross_entropy::ReadError> {
    let mut recorder = Recorder::default();
    let read = model.forward(batch, &mut recorder);
    let mut gradients = Gradients::new();
    let normed = model.final_norm.apply(read.clone());
    let output = cross_entropy::through_unembedding(&normed, &model.unembedding(), model.unembed.is_none(), targets, weights)?;
    let d_final = through_norm(&model.final_norm, "final_norm", read, output.d_input, &mut gradients);
    // A tied table has its gradient as the unembedding already; that as the embedding comes on top.
    let table = match &model.unembed {
        Some(_) => {
            gradients.insert("unembed".to_owned(), flat(output.d_unembedding));
            Tensor::zeros(model.tok_embed.dims(), &model.device())
        }
        None => output.d_unembedding,
    };
    let d_embedding = recorder.backward(model, batch, d_final, &mut gradients);
    if let Some(positions) = &model.pos_embed {
        let [_, d_model] = positions.dims();
        let by_position = sum_of_rows(d_embedding.clone().reshape([batch.size(), batch.seq_len() * d_model]));
        let all = Tensor::zeros(positions.dims(), &model.device());
        let rows = by_position.reshape([batch.seq_len(), d_model]);
        gradients.insert("pos_embed".to_owned(), flat(all.slice_assign([0..batch.seq_len(), 0..d_model], rows)));
    }
    gradients.insert("tok_embed".to_owned(), flat(add_rows(table, batch, d_embedding)));
    Ok((output.loss, gradients))
}

impl Recorder {
    /// Inserts the gradients of all layers' weights and returns the gradient at the embeddings' sum, from that at the final read; all `[tokens, d_model]`.
    pub fn backward(&mut self, model: &Transformer, batch: &Batch, d_final: Tensor<2>, gradients: &mut Gradients) -> Tensor<2> {
        let context = AttentionContext::new(&model.config, batch, &model.device());
        let mut d = d_final;
        // The running sum is of no use any more; without it the kept tensors have one holder each.
        self.plain = Plain::default();
        for (layer, block) in model.blocks.iter().enumerate().rev() {
            let Some(kept) = self.layers.pop() else { break };
            let Kept { attn_read, qkv: Some(qkv), z: Some(z), mlp_read: Some(mlp_read), mlp_pre: Some(pre), hidden: Some(hidden) } = kept
            else {
                break;
            };
            let name = |part: &str| format!("blocks.{layer}.{part}");
            let Block { norm_attn, qkv: in_map, attn_out, norm_mlp, mlp_in, mlp_out } = block;

            let d_hidden = through_linear(mlp_out, &name("mlp_out"), hidden, d.clone(), gradients);
            let d_pre = model.config.activation.pullback(pre, d_hidden);
            let d_normed = through_linear(mlp_in, &name("mlp_in"), norm_mlp.apply(mlp_read.clone()), d_pre, gradients);
            d = d + through_norm(norm_mlp, &name("norm_mlp"), mlp_read, d_normed, gradients);

            let [tokens, width] = z.dims();
            let [size, seq] = [batch.size(), batch.seq_len()];
            let d_z = through_linear(attn_out, &name("attn_out"), z, d.clone(), gradients);
            let d_z = d_z.reshape([size, seq, model.config.n_heads, width / model.config.n_heads]).permute([0, 2, 1, 3]);
            let d_qkv = context.pullback(qkv, d_z).0.permute([0, 2, 1, 3]).reshape([tokens, in_map.weight.dims()[1]]);
            let d_normed = through_linear(in_map, &name("qkv"), norm_attn.apply(attn_read.clone()), d_qkv, gradients);
            d = d + through_norm(norm_attn, &name("norm_attn"), attn_read, d_normed, gradients);
        }
        d
    }
}

/// Inserts the gradients of an affine map and returns the one at its input `x`.
fn through_linear(linear: &Linear, name: &str, x: Tensor<2>, d_out: Tensor<2>, gradients: &mut Gradients) -> Tensor<2> {
    if linear.bias.is_some() {
        gradients.insert(format!("{name}.bias"), sum_of_rows(d_out.clone()));
    }
    gradients.insert(format!("{name}.weight"), flat(product(x.transpose(), d_out.clone())));
    linear.pullback(d_out)
}

/// Inserts the gradients of a norm's weights and returns the one at its input `x`.
fn through_norm(norm: &Norm, name: &str, x: Tensor<2>, d_out: Tensor<2>, gradients: &mut Gradients) -> Tensor<2> {
    let (scale, shift) = norm.weight_gradients(x.clone(), d_out.clone());
    gradients.extend(scale.map(|g| (format!("{name}.scale"), g)));
    gradients.extend(shift.map(|g| (format!("{name}.shift"), g)));
    norm.pullback(x, d_out)
}

fn flat(x: Tensor<2>) -> Tensor<1> {
    let [rows, columns] = x.dims();
    x.reshape([rows * columns])
}

/// Adds row `i` of `rows` to the row of `table` that token `i` names.
fn add_rows(table: Tensor<2>, batch: &Batch, rows: Tensor<2>) -> Tensor<2> {
    let width = table.dims()[1];
    let ids: Tensor<1, Int> = batch.ids().flatten(0, 1);
    match (Host::new(table), Host::new(rows)) {
        (Ok(mut table), Ok(rows)) => {
            let (rows, ids) = (rows.contiguous(), ids.into_data().try_into_vec::<i32>().unwrap_or_default());
            let values = table.values_mut();
            for (row, id) in rows.values().chunks_exact(width.max(1)).zip(ids) {
                let at = usize::try_from(id).unwrap_or(0) * width;
                values[at..at + width].iter_mut().zip(row).for_each(|(x, d)| *x += d);
            }
            table.into_tensor()
        }
        (table, rows) => back(table).select_assign(0, ids, back(rows), IndexingUpdateOp::Add),
    }
}

#[cfg(test)]
mod tests;

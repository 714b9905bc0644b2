//! The disentangled stream: every writer kept apart, every reader with its own mixture.
//!
//! **Idea.** Reader r receives `y_r = sum_w [ m_wr x_w + (1 - m_wr) x~_w ]`. Written by differences, `y_r = B + sum_w m_wr (x_w - x~_w)`, where `B = sum_w x~_w` is the residual
//! stream of the reference run: only differences are stored, and one layer's readers are one matrix product
//! `[readers, writers] x [writers, tokens * d_model]`. The MLP's read of the earlier layers rides in the attention's product; its own layer's heads are added when
//! they have written.
//!
//! **Masks** are one flat tensor in edge order ([`Graph`]), already multiplied by node masks (`n_w m_wr`). Because edges of one layer's readers
//! are contiguous, each layer's mask matrix is a view of it.
//!
//! **Backward.** [`EdgeMasked::backward`] sweeps the layers downwards. Gradients at reader inputs (`DY`) fill the same buffer from the other end, as differences of
//! finished layers are no longer needed: at most `readers + embeddings` rows exist in all. A writer's gradient is one product of mask columns and `DY`; a mask's gradient is
//! `<DY_r, x_w - x~_w>`. Reader inputs are computed again, pre-activations and q, k, v are kept, so no block product is done twice.
//!
//! **Source.** Bhaskar et al. 2024, section 3 (the stream); the difference form is algebra.

use burn::tensor::{Device, Tensor};

use super::{AttnInput, HeadOutputs, Reference, Site, Stream, store::Store};
use crate::model::{
    attention::{AttentionContext, Qkv},
    batch::Batch,
    cpu,
    graph::{EmbeddingNodes, Graph},
    transformer::{Linear, Transformer},
};

/// Buffers that live from step to step, so that large allocations are made once.
#[derive(Debug, Default)]
pub struct Workspace {
    store: Option<Store>,
}

/// The differences `x_w - x~_w` of one forward, kept for another's backward.
#[derive(Debug)]
pub struct Differences(Store);

/// What a layer keeps for its backward pass.
#[derive(Debug, Default)]
struct Kept {
    qkv: Option<Qkv>,
    mlp_pre: Option<Tensor<2>>,
}

/// The edge-masked stream.
#[derive(Debug)]
pub struct EdgeMasked<'a> {
    graph: &'a Graph,
    /// Effective masks in edge order, `[edges]`.
    masks: Tensor<1>,
    /// `None` is zero ablation.
    reference: Option<&'a Reference>,
    /// Rows `0..writers written`: differences `x_w - x~_w`, `[rows, tokens * d_model]`.
    store: Store,
    written: usize,
    /// `[tokens, d_model]`: what embeddings that are no nodes add to every reader.
    always: Option<Tensor<2>>,
    /// The MLP's read of earlier layers, `[1, tokens * d_model]`.
    mlp_partial: Option<Tensor<2>>,
    tokens: usize,
    d_model: usize,
    kept: Option<Vec<Kept>>,
}

impl<'a> EdgeMasked<'a> {
    /// A stream for one forward of `batch`; with `keep`, [`EdgeMasked::backward`] can follow.
    ///
    /// `masks` is `[edges]`, in edge order, already multiplied by node masks. `reference` `None` means zero ablation.
    pub fn new(
        model: &Transformer,
        graph: &'a Graph,
        masks: Tensor<1>,
        reference: Option<&'a Reference>,
        batch: &Batch,
        workspace: &mut Workspace,
        keep: bool,
    ) -> Self {
        let (tokens, d_model) = (batch.n_tokens(), model.config.d_model);
        let store = Store::reuse(workspace.store.take(), rows(graph, keep), tokens * d_model, &model.device());
        let kept = keep.then(|| (0..model.config.n_layers).map(|_| Kept::default()).collect());
        Self { graph, masks, reference, store, written: 0, always: None, mlp_partial: None, tokens, d_model, kept }
    }

    /// Hands the buffer back for the next step.
    pub fn finish(self, workspace: &mut Workspace) {
        workspace.store = Some(self.store);
    }

    fn device(&self) -> Device {
        self.store.device()
    }

    /// Appends rows `[n, tokens * d_model]` to the store.
    fn push(&mut self, rows: Tensor<2>) {
        let n = rows.dims()[0];
        self.store.put(self.written, rows);
        self.written += n;
    }

    fn flat(&self, x: Tensor<2>) -> Tensor<2> {
        let [rows, width] = x.dims();
        let x = if rows == self.tokens { x } else { x.expand([self.tokens, width]) };
        x.reshape([1, self.tokens * self.d_model])
    }

    /// `B` for the attention of `layer` (or, past the last, for the final read): references plus always-on embeddings.
    fn base(&self, layer: usize) -> Option<Tensor<2>> {
        let reference = self.reference.map(|r| match r.layers.get(layer) {
            Some(l) => l.resid_pre.clone(),
            None => r.resid_post.clone(),
        });
        match (reference, &self.always) {
            (Some(reference), Some(always)) => Some(self.flat(reference) + self.flat(always.clone())),
            (Some(x), None) => Some(self.flat(x)),
            (None, Some(x)) => Some(self.flat(x.clone())),
            (None, None) => None,
        }
    }

    /// What the reference's attention of `layer` adds to `B`, `[1, tokens * d_model]`.
    fn base_step(&self, layer: usize) -> Option<Tensor<2>> {
        self.reference.map(|r| self.flat(r.layers[layer].resid_mid.clone() - r.layers[layer].resid_pre.clone()))
    }

    /// Mask rows `[n, columns]` that are contiguous in edge order from `first_edge`.
    fn mask_block(&self, first_edge: usize, n: usize, columns: usize) -> Tensor<2> {
        self.masks.clone().narrow(0, first_edge, n * columns).reshape([n, columns])
    }

    /// As [`Self::mask_block`], with zeros up to `width` columns.
    fn padded_block(&self, first_edge: usize, n: usize, columns: usize, width: usize) -> Tensor<2> {
        let zeros = |columns: usize| Tensor::zeros([n, columns], &self.device());
        if columns == 0 {
            zeros(width)
        } else if columns == width {
            self.mask_block(first_edge, n, columns)
        } else {
            Tensor::cat(vec![self.mask_block(first_edge, n, columns), zeros(width - columns)], 1)
        }
    }

    /// Gradient of the masks, `[edges]` in edge order, from the gradient at the final read, `[tokens, d_model]`.
    ///
    /// `differences` `[writers, tokens * d_model]` stand in for this forward's own in the masks' gradient (integrated gradients want the clean run's).
    /// Needs a forward with `keep`. The gradient of an edge's own mask is this times its writer's node mask, and a node mask's is the sum over its edges of mask times this.
    pub fn backward(&mut self, model: &Transformer, batch: &Batch, d_final: Tensor<2>, differences: Option<&Differences>) -> Tensor<1> {
        let graph = self.graph;
        let config = &model.config;
        let (h, readers, n_writers, shift) = (config.n_heads, graph.n_attn_readers(), graph.n_writers(), graph.n_embeds());
        let (tokens, d_model, width) = (self.tokens, self.d_model, self.tokens * self.d_model);
        let context = AttentionContext::new(config, batch, &self.device());
        let mut kept = self.kept.take().unwrap_or_default();

        // Masks from readers (rows) to writers (columns), dense, for the columns of one layer's writers.
        let dense = self.dense_masks();
        let mut pieces: Vec<Tensor<1>> = Vec::with_capacity(config.n_layers + 1);
        let d_out = d_final.reshape([1, width]);
        pieces.push(self.mask_gradient(d_out.clone(), n_writers, differences).reshape([n_writers]));
        self.store.put(graph.n_readers() - 1 + shift, d_out);

        for (layer, block) in model.blocks.iter().enumerate().rev() {
            let Some(Kept { qkv: Some(qkv), mlp_pre: Some(mlp_pre) }) = kept.pop() else { break };
            let first_writer = graph.first_writer_of_layer(layer);
            let first_reader = graph.first_reader_of_layer(layer);
            let first_edge = graph.edges_of_reader(first_reader).start;

            // Gradients of this layer's writers from all readers above it.
            let above = first_reader + readers + 1..graph.n_readers();
            let columns = dense.clone().slice([above.clone(), first_writer..first_writer + h + 1]).transpose();
            let (g_heads, g_mlp) = split_rows(self.store.mix(columns, above.start + shift, None), h);

            // What this layer's readers read, again, in one product.
            let slot = first_writer + h;
            let mlp_masks = self.mask_block(first_edge + readers * first_writer, 1, slot);
            let masks = Tensor::cat(vec![self.padded_block(first_edge, readers, first_writer, slot), mlp_masks.clone()], 0);
            let (y_attn, y_mlp) = split_rows(self.store.mix(masks, 0, self.base(layer)), readers);
            let y_mlp = match self.base_step(layer) {
                Some(step) => y_mlp + step,
                None => y_mlp,
            };

            // Through the MLP.
            let d_hidden = block.mlp_out.pullback(g_mlp.reshape([tokens, d_model]));
            let d_pre = config.activation.pullback(mlp_pre, d_hidden);
            let dy_mlp = block.norm_mlp.pullback(y_mlp.reshape([tokens, d_model]), block.mlp_in.pullback(d_pre)).reshape([1, width]);

            // Through the heads, which the MLP reads too.
            let own = mlp_masks.narrow(1, first_writer, h).transpose();
            let g_heads = g_heads + own.matmul(dy_mlp.clone());
            let d_head = config.d_head;
            let per_head = block.attn_out.weight.clone().reshape([h, d_head, d_model]).swap_dims(1, 2);
            let d_z = g_heads.reshape([h, tokens, d_model]).matmul(per_head);
            let d_z = d_z.reshape([h, batch.size(), batch.seq_len(), d_head]).permute([1, 0, 2, 3]);
            let d_qkv = context.pullback(qkv, d_z);
            let dy_attn = block.project_pullback(y_attn.reshape([readers, tokens, d_model]), d_qkv, d_head).reshape([readers, width]);

            // Masks of this layer's readers.
            let dy = Tensor::cat(vec![dy_attn, dy_mlp], 0);
            let d_masks = self.mask_gradient(dy.clone(), slot, differences);
            pieces.push(d_masks.clone().slice([readers..readers + 1, 0..slot]).reshape([slot]));
            if first_writer > 0 {
                pieces.push(d_masks.slice([0..readers, 0..first_writer]).reshape([readers * first_writer]));
            }
            self.store.put(first_reader + shift, dy);
        }
        pieces.reverse();
        Tensor::cat(pieces, 0)
    }

    /// `<dy_r, x_w - x~_w>` for the first `columns` writers, `[dy rows, columns]`.
    fn mask_gradient(&self, dy: Tensor<2>, columns: usize, differences: Option<&Differences>) -> Tensor<2> {
        differences.map_or(&self.store, |d| &d.0).dots(dy, columns)
    }

    /// After a forward: all differences `x_w - x~_w`.
    pub fn into_differences(self) -> Differences {
        Differences(self.store)
    }

    /// Masks as `[readers, writers]`, 0 where there is no edge.
    fn dense_masks(&self) -> Tensor<2> {
        let graph = self.graph;
        let n_writers = graph.n_writers();
        let mut blocks = Vec::with_capacity(2 * graph.shape().n_layers + 1);
        for layer in 0..graph.shape().n_layers {
            let (first, n) = (graph.first_writer_of_layer(layer), graph.n_attn_readers());
            let first_edge = graph.edges_of_reader(graph.first_reader_of_layer(layer)).start;
            blocks.push(self.padded_block(first_edge, n, first, n_writers));
            blocks.push(self.padded_block(first_edge + n * first, 1, first + graph.shape().n_heads, n_writers));
        }
        let last = graph.edges_of_reader(graph.n_readers() - 1).start;
        blocks.push(self.mask_block(last, 1, n_writers));
        Tensor::cat(blocks, 0)
    }
}

/// Rows of the buffer: all differences; for a backward, also room for every reader's gradient above the differences still in use.
fn rows(graph: &Graph, keep: bool) -> usize {
    if keep { graph.n_readers() + graph.n_embeds() } else { graph.n_writers() }
}

/// Splits `[rows, width]` after `n` rows, without copying the larger part on the CPU.
fn split_rows(x: Tensor<2>, n: usize) -> (Tensor<2>, Tensor<2>) {
    let [rows, width] = x.dims();
    if cpu::is_host(&x) {
        let device = x.device();
        let mut values = cpu::into_vec(x);
        let tail = values.split_off(n * width);
        return (cpu::tensor(values, [n, width], &device), cpu::tensor(tail, [rows - n, width], &device));
    }
    (x.clone().narrow(0, 0, n), x.narrow(0, n, rows - n))
}

impl Stream for EdgeMasked<'_> {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        self.written = 0;
        let reference = self.reference;
        let less = |x: Tensor<2>, of: fn(&Reference) -> Option<&Tensor<2>>| match reference.and_then(of) {
            Some(reference) => x - reference.clone(),
            None => x,
        };
        let tok = less(tok, |r| Some(&r.tok));
        let pos = pos.map(|pos| less(pos, |r| r.pos.as_ref()));
        let both = |tok: Tensor<2>, pos: Option<Tensor<2>>| match pos {
            Some(pos) => tok + pos,
            None => tok,
        };
        match self.graph.shape().embedding_nodes {
            EmbeddingNodes::AlwaysOn => self.always = Some(both(tok, pos)),
            EmbeddingNodes::Single => self.push(self.flat(both(tok, pos))),
            EmbeddingNodes::Split => {
                self.push(self.flat(tok));
                let pos = pos.unwrap_or_else(|| Tensor::zeros([self.tokens, self.d_model], &self.device()));
                self.push(self.flat(pos));
            }
        }
    }

    fn attn_input(&mut self, layer: usize) -> AttnInput {
        let (readers, columns) = (self.graph.n_attn_readers(), self.written);
        let base = self.base(layer);
        let first_edge = self.graph.edges_of_reader(self.graph.first_reader_of_layer(layer)).start;
        let y = if columns == 0 {
            let zero = || Tensor::zeros([1, self.tokens * self.d_model], &self.device());
            base.unwrap_or_else(zero).repeat_dim(0, readers + 1)
        } else {
            self.store.mix(self.mask_block(first_edge, readers + 1, columns), 0, base)
        };
        let (attn, mlp) = split_rows(y, readers);
        self.mlp_partial = Some(mlp);
        AttnInput::PerReader(attn.reshape([readers, self.tokens, self.d_model]))
    }

    fn write_attn(&mut self, layer: usize, z: HeadOutputs, out: &Linear) {
        let heads = self.graph.shape().n_heads;
        let z = z.per_head();
        let d_head = z.dims()[2];
        let z = match self.reference {
            Some(reference) => z - reference.layers[layer].z.clone(),
            None => z,
        };
        let x = z.matmul(out.weight.clone().reshape([heads, d_head, self.d_model]));
        // Shared by all heads and equal in the reference, the bias only shows where the reference is nothing.
        let x = match (&out.bias, self.reference) {
            (Some(bias), None) => x + bias.clone().reshape([1, 1, self.d_model]) / heads as f32,
            _ => x,
        };
        self.push(x.reshape([heads, self.tokens * self.d_model]));
    }

    fn mlp_input(&mut self, layer: usize) -> Tensor<2> {
        let (heads, readers) = (self.graph.shape().n_heads, self.graph.n_attn_readers());
        let earlier = self.written - heads;
        let first_edge = self.graph.edges_of_reader(self.graph.first_reader_of_layer(layer) + readers).start;
        let own = self.store.mix(self.mask_block(first_edge + earlier, 1, heads), earlier, None);
        let y = match self.mlp_partial.take() {
            Some(partial) => partial + own,
            None => own,
        };
        let y = match self.base_step(layer) {
            Some(step) => y + step,
            None => y,
        };
        y.reshape([self.tokens, self.d_model])
    }

    fn write_mlp(&mut self, layer: usize, hidden: Tensor<2>, out: &Linear) {
        let x = out.apply(hidden);
        let x = match self.reference {
            Some(reference) => x - reference.layers[layer].mlp.clone(),
            None => x,
        };
        self.push(self.flat(x));
    }

    fn final_input(&mut self) -> Tensor<2> {
        let columns = self.written;
        let base = self.base(self.graph.shape().n_layers);
        let first_edge = self.graph.edges_of_reader(self.graph.n_readers() - 1).start;
        let masks = self.mask_block(first_edge, 1, columns);
        self.store.mix(masks, 0, base).reshape([self.tokens, self.d_model])
    }

    fn observe(&mut self, layer: usize, site: Site<'_>) {
        let Some(kept) = self.kept.as_mut().and_then(|kept| kept.get_mut(layer)) else { return };
        match site {
            Site::Qkv(qkv) => kept.qkv = Some(qkv.clone()),
            Site::MlpPre(pre) => kept.mlp_pre = Some(pre.clone()),
            Site::HeadOutputs(_) => {}
        }
    }
}

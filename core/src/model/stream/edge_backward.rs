//! The backward pass of the edge-masked stream: gradients of all masks.
//!
//! **Idea.** The gradient of edge w→r's mask is `<DY_r, x_w - x~_w>`, `DY_r` being the gradient at what r reads; and the gradient at what w wrote is `sum_r m_wr DY_r`. All weights
//! are frozen, so nothing else is needed.
//!
//! **Method.** The layers are swept downwards, by the forward's blocks. Gradients at reader inputs fill the differences' buffer from the other end, as differences of
//! finished blocks are no longer needed. Per block: one product gives what its writers get back from all later blocks; then layer by layer its MLP and its heads are
//! pulled back; then one product gives the gradients of all its readers' masks. What was read, pre-activations and q, k, v were kept by the forward, so nothing is computed twice.

use crate::tensor::Tensor;

use super::{
    EdgeMasked,
    edge_masked::{Differences, Kept, LayerRows, block_readers, blocks},
    store::Part,
};
use crate::model::{attention::AttentionContext, batch::Batch, product, transformer::Transformer};

impl EdgeMasked<'_> {
    /// Gradient of the masks, `[edges]` in edge order, from the gradient at the final read, `[tokens, d_model]`.
    ///
    /// `wanted`, one an edge, says which gradients matter; the others may be anything (with many gates at rest, few matter). `differences` stand in for this forward's own in the masks' gradient (integrated gradients want the clean run's). Needs a forward with `keep`. The gradient of an edge's own
    /// mask is this times its writer's node mask, and a node mask's is the sum over its edges of mask times this.
    pub fn backward(
        &mut self,
        model: &Transformer,
        batch: &Batch,
        d_final: Tensor<2>,
        wanted: Option<&[bool]>,
        differences: Option<&Differences>,
    ) -> Tensor<1> {
        let graph = self.graph;
        let context = AttentionContext::new(&model.config, batch, &self.device());
        let mut kept = self.kept.take().unwrap_or_default();
        let (readers, heads, n_layers) = (graph.n_attn_readers(), graph.shape().n_heads, graph.shape().n_layers);
        let shift = self.gradient_row(0);
        self.store.put(graph.n_readers() - 1 + shift, d_final.reshape([1, self.tokens * self.d_model]));

        // From the last edge to the first.
        let mut pieces: Vec<Tensor<1>> = Vec::with_capacity(2 * n_layers + 1);
        for layers in blocks(graph).rev() {
            let start = layers.start;
            let mut gradients = self.gradients_from_above(start, layers.end);
            for layer in layers.clone().rev() {
                let (Some(kept), Some(gradients)) = (kept.pop(), gradients.pop()) else { break };
                let gradients = self.add_gradients(gradients, layer, layers.end);
                self.layer_backward(model, batch, &context, layer, kept, gradients);
            }
            let block = block_readers(graph, &layers);
            let columns = graph.first_writer_of_layer(layers.end);
            let wanted = |row: usize, writer: usize| {
                let edges = graph.edges_of_reader(block.start + row);
                writer < edges.len() && wanted.is_none_or(|wanted| wanted[edges.start + writer])
            };
            let differences = differences.map_or(&self.store, |d| &d.0);
            let d_masks = differences.dots(columns, &self.store, block.start + shift..block.end + shift, wanted);
            if layers.end == n_layers {
                pieces.push(d_masks.clone().slice([block.len() - 1..block.len(), 0..columns]).reshape([columns]));
            }
            for layer in layers.rev() {
                let (first, from) = (graph.first_writer_of_layer(layer), (layer - start) * (readers + 1));
                let slot = first + heads;
                pieces.push(d_masks.clone().slice([from + readers..from + readers + 1, 0..slot]).reshape([slot]));
                if first > 0 {
                    pieces.push(d_masks.clone().slice([from..from + readers, 0..first]).reshape([readers * first]));
                }
            }
        }
        pieces.reverse();
        Tensor::cat(pieces, 0)
    }

    /// Row of the buffer where a reader's gradient lies.
    fn gradient_row(&self, reader: usize) -> usize {
        self.store.rows() - self.graph.n_readers() + reader
    }

    /// What the writers of layers `start..end` get back from the readers of layers from `end` on.
    fn gradients_from_above(&self, start: usize, end: usize) -> Vec<LayerRows> {
        let graph = self.graph;
        let above = graph.first_reader_of_layer(end)..graph.n_readers();
        let masks = self.masks.flows_back(graph.first_writer_of_layer(start)..graph.first_writer_of_layer(end), above.clone());
        let part = |rows: usize| Part { rows, onto: None, base: None };
        let parts = (start..end).flat_map(|_| [part(graph.shape().n_heads), part(1)]).collect();
        let mut mixed = self.store.mix(&masks, self.gradient_row(above.start), parts).into_iter();
        (start..end).map_while(|_| LayerRows::next(&mut mixed)).collect()
    }

    /// Adds what the writers of `layer` get back from the readers of layers `layer + 1..end`.
    fn add_gradients(&self, gradients: LayerRows, layer: usize, end: usize) -> LayerRows {
        let graph = self.graph;
        let above = graph.first_reader_of_layer(layer + 1)..graph.first_reader_of_layer(end);
        if above.is_empty() {
            return gradients;
        }
        let masks = self.masks.flows_back(graph.first_writer_of_layer(layer)..graph.first_writer_of_layer(layer + 1), above.clone());
        gradients.plus(&self.store, &masks, self.gradient_row(above.start))
    }

    /// Pulls the gradients at what one layer wrote back to what it read, and stores them.
    fn layer_backward(
        &mut self,
        model: &Transformer,
        batch: &Batch,
        context: &AttentionContext,
        layer: usize,
        kept: Kept,
        gradients: LayerRows,
    ) {
        let Kept { attn_reads: Some(attn_reads), qkv: Some(qkv), mlp_read: Some(mlp_read), mlp_pre: Some(mlp_pre) } = kept else { return };
        let (graph, config, block) = (self.graph, &model.config, &model.blocks[layer]);
        let (tokens, d_model, width) = (self.tokens, self.d_model, self.tokens * self.d_model);
        let (h, readers, d_head) = (config.n_heads, graph.n_attn_readers(), config.d_head);
        let first_reader = graph.first_reader_of_layer(layer);

        // Through the MLP.
        let d_hidden = block.mlp_out.pullback(gradients.mlp.reshape([tokens, d_model]));
        let d_pre = config.activation.pullback(mlp_pre, d_hidden);
        let dy_mlp = block.norm_mlp.pullback(mlp_read, block.mlp_in.pullback(d_pre)).reshape([1, width]);
        let mlp_row = self.gradient_row(first_reader + readers);
        self.store.put(mlp_row, dy_mlp);

        // Through the heads, which the MLP reads too.
        let first_writer = graph.first_writer_of_layer(layer);
        let own = self.masks.flows_back(first_writer..first_writer + h, first_reader + readers..first_reader + readers + 1);
        let d_heads = self.store.mix(&own, mlp_row, vec![Part { rows: h, onto: Some(gradients.attn), base: None }]).pop();
        let Some(d_heads) = d_heads else { return };
        let per_head = block.attn_out.weight.clone().reshape([h, d_head, d_model]).swap_dims(1, 2);
        let d_z = product::batched(d_heads.reshape([h, tokens, d_model]), per_head, None);
        let d_z = d_z.reshape([h, batch.size(), batch.seq_len(), d_head]).permute([1, 0, 2, 3]);
        let d_qkv = context.pullback(qkv, d_z);
        let rows = [readers * tokens, d_model];
        let d_normed = block.project_pullback(d_qkv, d_head).reshape(rows);
        self.store.put_pullback(self.gradient_row(first_reader), &block.norm_attn, attn_reads.reshape(rows), d_normed);
    }
}

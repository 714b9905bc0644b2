//! The disentangled stream: every writer kept apart, every reader with its own mixture.
//!
//! **Idea.** Reader r receives `y_r = sum_w [ m_wr x_w + (1 - m_wr) x~_w ]`. Written by differences, `y_r = B + sum_w m_wr (x_w - x~_w)`, where `B = sum_w x~_w` is the residual
//! stream of the reference run: only differences are stored, and one layer's readers are one matrix product
//! `[readers, writers] x [writers, tokens * d_model]`. The MLP's read of the earlier layers rides in the attention's product; its own layer's heads are added when
//! they have written.
//!
//! **Blocks of layers.** One layer has few readers (16 in SmolLM2), so its product would wait for memory. What the readers of several neighbouring layers read from the layers
//! before all of them is one product instead, and only what they read of each other comes layer by layer. Backward goes by the same blocks.
//!
//! **Backward** is in [`super::edge_backward`].
//!
//! **Source.** Bhaskar et al. 2024, section 3 (the stream); the difference form is algebra.

use std::{collections::VecDeque, ops::Range};

use crate::tensor::{Device, Tensor};

use super::{
    AttnInput, HeadOutputs, Reference, Site, Stream,
    masks::{MaskBlock, MaskMatrix},
    store::{Part, Store},
};
use crate::model::{
    attention::Qkv,
    batch::Batch,
    graph::{EmbeddingNodes, Graph},
    transformer::{Linear, Transformer},
};

/// Readers whose reads of earlier layers are one product: enough for arithmetic, not memory, to be the limit.
const READERS_A_BLOCK: usize = 64;

/// Buffers that live from step to step, so that large allocations are made once.
#[derive(Debug, Default)]
pub struct Workspace {
    store: Option<Store>,
}

/// The differences `x_w - x~_w` of one forward, kept for another's backward.
#[derive(Debug)]
pub struct Differences(pub(super) Store);

/// What a layer keeps for its backward pass.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the attention's readers read, `[readers, tokens * d_model]`.
    pub attn_reads: Option<Tensor<2>>,
    pub qkv: Option<Qkv>,
    /// What the MLP read, `[tokens, d_model]`.
    pub mlp_read: Option<Tensor<2>>,
    pub mlp_pre: Option<Tensor<2>>,
}

/// Rows of one layer, `[rows, tokens * d_model]` each: those of its attention (what readers read, or what heads get back) and the one of its MLP.
#[derive(Debug)]
pub(super) struct LayerRows {
    pub attn: Tensor<2>,
    pub mlp: Tensor<2>,
}

impl LayerRows {
    /// The next layer's of what [`Store::mix`] gives.
    pub fn next(mixed: &mut impl Iterator<Item = Tensor<2>>) -> Option<Self> {
        Some(Self { attn: mixed.next()?, mlp: mixed.next()? })
    }

    /// Adds `masks` x rows of `store` from `first`.
    pub fn plus(self, store: &Store, masks: &MaskBlock<'_>, first: usize) -> Self {
        let part = |onto: Tensor<2>| Part { rows: onto.dims()[0], onto: Some(onto), base: None };
        let mut mixed = store.mix(masks, first, vec![part(self.attn), part(self.mlp)]).into_iter();
        Self::next(&mut mixed).unwrap_or_else(|| unreachable!("two parts make two tensors"))
    }
}

/// What the layers of one block read from the layers before the block.
#[derive(Debug)]
struct BlockReads {
    /// First layer of the block.
    start: usize,
    layers: VecDeque<LayerRows>,
    /// The final read's share, in the last block.
    last: Option<Tensor<2>>,
}

/// The edge-masked stream.
#[derive(Debug)]
pub struct EdgeMasked<'a> {
    pub(super) graph: &'a Graph,
    pub(super) masks: MaskMatrix,
    /// `None` is zero ablation.
    reference: Option<&'a Reference>,
    /// Rows `0..writers written`: differences `x_w - x~_w`, `[rows, tokens * d_model]`.
    pub(super) store: Store,
    written: usize,
    /// `[tokens, d_model]`: what embeddings that are no nodes add to every reader.
    always: Option<Tensor<2>>,
    /// The current block.
    block: Option<BlockReads>,
    /// What the current layer's MLP reads from earlier layers, `[1, tokens * d_model]`.
    mlp_partial: Option<Tensor<2>>,
    pub(super) tokens: usize,
    pub(super) d_model: usize,
    pub(super) kept: Option<Vec<Kept>>,
}

impl<'a> EdgeMasked<'a> {
    /// A stream for one forward of `batch`; with `keep`, [`EdgeMasked::backward`] can follow.
    ///
    /// `masks` is `[edges]`, in edge order, already multiplied by node masks (`n_w m_wr`). `reference` `None` means zero ablation.
    pub fn new(
        model: &Transformer,
        graph: &'a Graph,
        masks: &[f32],
        reference: Option<&'a Reference>,
        batch: &Batch,
        workspace: &mut Workspace,
        keep: bool,
    ) -> Self {
        let (tokens, d_model, device) = (batch.n_tokens(), model.config.d_model, model.device());
        let rows = if keep { backward_rows(graph) } else { graph.n_writers() };
        Self {
            graph,
            masks: MaskMatrix::new(graph, masks, &device),
            reference,
            store: Store::reuse(workspace.store.take(), rows, tokens * d_model, &device),
            written: 0,
            always: None,
            block: None,
            mlp_partial: None,
            tokens,
            d_model,
            kept: keep.then(|| (0..model.config.n_layers).map(|_| Kept::default()).collect()),
        }
    }

    /// Hands the buffer back for the next step.
    pub fn finish(self, workspace: &mut Workspace) {
        workspace.store = Some(self.store);
    }

    /// After a forward: all differences `x_w - x~_w`.
    pub fn into_differences(self) -> Differences {
        Differences(self.store)
    }

    pub(super) fn device(&self) -> Device {
        self.store.device()
    }

    /// Appends rows `[n, tokens * d_model]` to the store.
    fn push(&mut self, rows: Tensor<2>) {
        let n = rows.dims()[0];
        self.store.put(self.written, rows);
        self.written += n;
    }

    fn kept_of(&mut self, layer: usize) -> Option<&mut Kept> {
        self.kept.as_mut()?.get_mut(layer)
    }

    fn flat(&self, x: Tensor<2>) -> Tensor<2> {
        let [rows, _] = x.dims();
        let x = if rows == self.tokens { x } else { x.expand([self.tokens, self.d_model]) };
        x.reshape([1, self.tokens * self.d_model])
    }

    /// `B` of a reader, `[1, tokens * d_model]`: the reference's stream there, and always-on embeddings.
    fn base(&self, of: impl Fn(&Reference) -> Tensor<2>) -> Option<Tensor<2>> {
        let reference = self.reference.map(|r| self.flat(of(r)));
        let always = self.always.as_ref().map(|always| self.flat(always.clone()));
        [reference, always].into_iter().flatten().reduce(|a, b| a + b)
    }

    /// What the layers of a block read from the layers before it, with `B`.
    fn block_reads(&self, layers: Range<usize>) -> BlockReads {
        let (graph, start, n_layers) = (self.graph, layers.start, self.graph.shape().n_layers);
        let part = |rows: usize, base: Option<Tensor<2>>| Part { rows, onto: None, base };
        let mut parts = Vec::with_capacity(2 * layers.len() + 1);
        for layer in layers.clone() {
            parts.push(part(graph.n_attn_readers(), self.base(|r| r.resid_pre(layer))));
            parts.push(part(1, self.base(|r| r.layers[layer].resid_mid.clone())));
        }
        if layers.end == n_layers {
            parts.push(part(1, self.base(|r| r.resid_post.clone())));
        }
        let masks = self.masks.reads(block_readers(graph, &layers), 0..graph.first_writer_of_layer(start));
        let mut mixed = self.store.mix(&masks, 0, parts).into_iter();
        let layers = layers.map_while(|_| LayerRows::next(&mut mixed)).collect();
        BlockReads { start, layers, last: mixed.next() }
    }

    /// Adds what the readers of `layer` read from the block's earlier layers, `start..layer`, to what they read before.
    fn add_reads(&self, reads: LayerRows, layer: usize, start: usize) -> LayerRows {
        if start == layer {
            return reads;
        }
        let (first, end) = (self.graph.first_writer_of_layer(start), self.graph.first_writer_of_layer(layer));
        let (reader, n) = (self.graph.first_reader_of_layer(layer), self.graph.n_attn_readers());
        reads.plus(&self.store, &self.masks.reads(reader..reader + n + 1, first..end), first)
    }

    /// Adds what one reader reads from `writers` to what it read before.
    fn add_read(&self, onto: Option<Tensor<2>>, reader: usize, writers: Range<usize>) -> Tensor<2> {
        let first = writers.start;
        let masks = self.masks.reads(reader..reader + 1, writers);
        let mut mixed = self.store.mix(&masks, first, vec![Part { rows: 1, onto, base: None }]);
        mixed.pop().unwrap_or_else(|| unreachable!("one part makes one tensor"))
    }
}

/// Blocks of layers whose readers are taken together, from the first on.
pub(super) fn blocks(graph: &Graph) -> impl DoubleEndedIterator<Item = Range<usize>> {
    let (n_layers, step) = (graph.shape().n_layers, (READERS_A_BLOCK / (graph.n_attn_readers() + 1)).max(1));
    (0..n_layers).step_by(step).map(move |start| start..(start + step).min(n_layers))
}

/// Readers of a block: those of its layers, and the final read after the last layer.
pub(super) fn block_readers(graph: &Graph, layers: &Range<usize>) -> Range<usize> {
    let last = usize::from(layers.end == graph.shape().n_layers);
    graph.first_reader_of_layer(layers.start)..graph.first_reader_of_layer(layers.end) + last
}

/// Rows of the buffer for a backward: differences up to a block's end and gradients of all readers from its start on, at the block where this is most.
fn backward_rows(graph: &Graph) -> usize {
    let rows =
        |layers: Range<usize>| graph.first_writer_of_layer(layers.end) + graph.n_readers() - graph.first_reader_of_layer(layers.start);
    blocks(graph).map(rows).max().unwrap_or_else(|| graph.n_writers())
}

impl Stream for EdgeMasked<'_> {
    fn begin(&mut self, tok: Tensor<2>, pos: Option<Tensor<2>>) {
        self.written = 0;
        self.block = None;
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
        let mut block = match self.block.take() {
            Some(block) if !block.layers.is_empty() => block,
            _ => self.block_reads(blocks(self.graph).find(|layers| layers.start == layer).unwrap_or(layer..layer + 1)),
        };
        let reads = block.layers.pop_front().unwrap_or_else(|| unreachable!("a block holds its layers"));
        let reads = self.add_reads(reads, layer, block.start);
        self.block = Some(block);
        self.mlp_partial = Some(reads.mlp);
        if let Some(kept) = self.kept_of(layer) {
            kept.attn_reads = Some(reads.attn.clone());
        }
        AttnInput::PerReader(reads.attn.reshape([self.graph.n_attn_readers(), self.tokens, self.d_model]))
    }

    fn write_attn(&mut self, layer: usize, z: HeadOutputs, out: &Linear) {
        let heads = self.graph.shape().n_heads;
        let z = z.per_head();
        let d_head = z.dims()[2];
        let z = match self.reference {
            Some(reference) => z - reference.layers[layer].z.clone(),
            None => z,
        };
        // Shared by all heads and equal in the reference, the bias only shows where the reference is nothing.
        let bias = out.bias.as_ref().filter(|_| self.reference.is_none()).map(|bias| bias.clone() / heads as f32);
        self.store.put_products(self.written, z, out.weight.clone().reshape([heads, d_head, self.d_model]), bias);
        self.written += heads;
    }

    fn mlp_input(&mut self, layer: usize) -> Tensor<2> {
        let reader = self.graph.first_reader_of_layer(layer) + self.graph.n_attn_readers();
        let own = self.graph.first_writer_of_layer(layer)..self.written;
        let partial = self.mlp_partial.take();
        let read = self.add_read(partial, reader, own).reshape([self.tokens, self.d_model]);
        if let Some(kept) = self.kept_of(layer) {
            kept.mlp_read = Some(read.clone());
        }
        read
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
        let block = self.block.take();
        let start = block.as_ref().map_or(0, |block| self.graph.first_writer_of_layer(block.start));
        let last = block.and_then(|block| block.last);
        self.add_read(last, self.graph.n_readers() - 1, start..self.written).reshape([self.tokens, self.d_model])
    }

    fn observe(&mut self, layer: usize, site: Site<'_>) {
        let Some(kept) = self.kept_of(layer) else { return };
        match site {
            Site::Qkv(qkv) => kept.qkv = Some(qkv.clone()),
            Site::MlpPre(pre) => kept.mlp_pre = Some(pre.clone()),
            Site::HeadOutputs(_) => {}
        }
    }
}

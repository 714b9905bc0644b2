//! A decoder-only, pre-norm transformer: weights and the one forward pass.
//!
//! **Idea.** The forward is written over [`Stream`], the residual stream's interface: a reader asks for its input, a writer gives its output. What the stream
//! does with them (one running sum, edge masks, ablation, capture) is the stream's affair; no method has a forward pass of its own.
//!
//! **Method.** All tokens of a batch are one matrix `[tokens, d_model]`, `tokens = batch * position`. q, k and v are one product (`[d_model, (heads + 2 kv_heads) * d_head]`, readers in
//! graph order) when a layer's readers share their input; when each has its own, the same weights serve as a batch of per-head matrices.

use std::sync::Arc;

use crate::tensor::{Device, Int, Tensor, TensorData};

use super::{
    attention::{AttentionContext, Qkv},
    batch::Batch,
    cache::{Cache, CacheError},
    config::TransformerConfig,
    cpu::{self, blocks::Blocks},
    norm::Norm,
    product,
    stream::{AttnInput, HeadOutputs, Plain, Site, Stream},
};

/// An affine map, `y = x weight + bias`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[d_in, d_out]`.
    pub weight: Tensor<2>,
    /// `[d_out]`.
    pub bias: Option<Tensor<1>>,
    /// The same weight in the file's blocks, for few rows; see [`Transformer::keep_blocks`].
    pub blocks: Option<Arc<Blocks>>,
}

impl Linear {
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight, bias, blocks: None }
    }

    /// `[rows, d_in]` to `[rows, d_out]`.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.blocks {
            Some(blocks) if x.dims()[0] <= cpu::blocks::FEW => product::by_blocks(x, blocks, self.bias.clone()),
            _ => product::affine(x, self.weight.clone(), self.bias.clone()),
        }
    }

    /// The gradient at the input from the gradient at the output.
    pub fn pullback(&self, d_out: Tensor<2>) -> Tensor<2> {
        product::product(d_out, self.weight.clone().transpose())
    }
}

/// One layer: attention, then an MLP.
#[derive(Debug, Clone)]
pub struct Block {
    pub norm_attn: Norm,
    /// `[d_model, (n_heads + 2 n_kv_heads) * d_head]`: q of each head, k and v of each key/value head.
    pub qkv: Linear,
    /// `[n_heads * d_head, d_model]`; its bias belongs to no single head and is shared evenly among them.
    pub attn_out: Linear,
    pub norm_mlp: Norm,
    /// `[d_model, d_mlp]`, or `[d_model, 2 d_mlp]` with the gate first.
    pub mlp_in: Linear,
    /// `[d_mlp, d_model]`.
    pub mlp_out: Linear,
}

/// Weights and config of a decoder-only transformer.
#[derive(Debug, Clone)]
pub struct Transformer {
    pub config: TransformerConfig,
    /// `[vocab, d_model]`.
    pub tok_embed: Tensor<2>,
    /// `[max_positions, d_model]`, where positions are learned.
    pub pos_embed: Option<Tensor<2>>,
    pub blocks: Vec<Block>,
    pub final_norm: Norm,
    /// `[d_model, d_out]`; absent where tied to `tok_embed`.
    pub unembed: Option<Tensor<2>>,
    /// The unembedding in the file's blocks, for few rows.
    pub unembed_blocks: Option<Arc<Blocks>>,
}

impl Transformer {
    /// Where the weights live.
    pub fn device(&self) -> Device {
        self.tok_embed.device()
    }

    /// Checks and pads token sequences for this model.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn batch<S: AsRef<[u32]>>(&self, sequences: &[S]) -> Result<Batch, super::batch::BatchError> {
        Batch::new(sequences, self.config.vocab_size, self.config.max_positions, &self.device())
    }

    /// Runs the blocks over `stream` and returns the final read, `[tokens, d_model]`, before the last norm.
    pub fn forward(&self, batch: &Batch, stream: &mut dyn Stream) -> Tensor<2> {
        let (tok, pos) = self.embed(batch);
        self.forward_from(batch, tok, pos, stream)
    }

    /// Token embeddings `[tokens, d_model]` and, where positions are learned, theirs.
    pub fn embed(&self, batch: &Batch) -> (Tensor<2>, Option<Tensor<2>>) {
        let ids: Tensor<1, Int> = batch.ids().flatten(0, 1);
        let pos = self.pos_embed.as_ref().map(|table| {
            let rows = table.clone().narrow(0, 0, batch.seq_len());
            rows.repeat_dim(0, batch.size())
        });
        (self.tok_embed.clone().select(0, ids), pos)
    }

    /// As [`Transformer::forward`], from embeddings that the caller made.
    pub fn forward_from(&self, batch: &Batch, tok: Tensor<2>, pos: Option<Tensor<2>>, stream: &mut dyn Stream) -> Tensor<2> {
        let context = AttentionContext::new(&self.config, batch, &self.device());
        self.run(batch, tok, pos, stream, &mut |_, qkv| context.attend(qkv))
    }

    /// Runs the blocks over the tokens that `batch` adds to each row of `cache`, which then holds them too; returns their final reads, `[tokens, d_model]`.
    /// All sequences of the batch have the same length; an empty cache takes as many rows as the batch has.
    ///
    /// # Errors
    /// [`CacheError`] where batch and cache do not fit each other or the context is full.
    pub fn forward_cached(&self, batch: &Batch, cache: &mut Cache, stream: &mut dyn Stream) -> Result<Tensor<2>, CacheError> {
        let past = cache.tokens();
        let mut attention = cache.extend(self, batch)?;
        let tok = self.tok_embed.clone().select(0, batch.ids().flatten(0, 1));
        let pos = self.pos_embed.as_ref().map(|table| table.clone().narrow(0, past, batch.seq_len()).repeat_dim(0, batch.size()));
        Ok(self.run(batch, tok, pos, stream, &mut |layer, qkv| attention.attend(layer, qkv)))
    }

    /// The one forward: `attend` gives the head outputs of a layer from its queries, keys and values.
    fn run(
        &self,
        batch: &Batch,
        tok: Tensor<2>,
        pos: Option<Tensor<2>>,
        stream: &mut dyn Stream,
        attend: &mut dyn FnMut(usize, Qkv) -> Tensor<4>,
    ) -> Tensor<2> {
        stream.begin(tok, pos);
        for (layer, block) in self.blocks.iter().enumerate() {
            let qkv = block.project(stream.attn_input(layer), &self.config, batch);
            stream.observe(layer, Site::Qkv(&qkv));
            let z = HeadOutputs(attend(layer, qkv));
            stream.observe(layer, Site::HeadOutputs(&z));
            stream.write_attn(layer, z, &block.attn_out);
            let pre = block.mlp_in.apply(block.norm_mlp.apply(stream.mlp_input(layer)));
            stream.observe(layer, Site::MlpPre(&pre));
            stream.write_mlp(layer, self.config.activation.apply(pre), &block.mlp_out);
        }
        stream.final_input()
    }

    /// Logits `[rows, d_out]` of final reads `[rows, d_model]`.
    pub fn unembed(&self, final_read: Tensor<2>) -> Tensor<2> {
        let read = self.final_norm.apply(final_read);
        match &self.unembed_blocks {
            Some(blocks) if read.dims()[0] <= cpu::blocks::FEW => product::by_blocks(read, blocks, None),
            _ => product::product(read, self.unembedding()),
        }
    }

    /// Plain logits `[tokens, d_out]` at every position.
    pub fn logits(&self, batch: &Batch) -> Tensor<2> {
        self.unembed(self.forward(batch, &mut Plain::default()))
    }

    /// Plain logits `[rows.len(), d_out]` at the given rows of the flattened batch (see [`Batch::row`]).
    pub fn logits_at(&self, batch: &Batch, rows: &[usize]) -> Tensor<2> {
        let read = self.forward(batch, &mut Plain::default());
        self.unembed(select_rows(read, rows))
    }

    /// `[d_model, d_out]`.
    pub fn unembedding(&self) -> Tensor<2> {
        self.unembed.clone().unwrap_or_else(|| self.tok_embed.clone().transpose())
    }
}

/// The named rows of a matrix, `[rows.len(), width]`.
pub fn select_rows(x: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let device = x.device();
    let indices: Vec<i32> = rows.iter().map(|&r| i32::try_from(r).unwrap_or(i32::MAX)).collect();
    x.select(0, Tensor::<1, Int>::from_data(TensorData::new(indices, [rows.len()]), &device))
}

impl Block {
    /// q, k and v, before rotation, from what the layer's attention reads.
    pub fn project(&self, input: AttnInput, config: &TransformerConfig, batch: &Batch) -> Qkv {
        let (batch_size, seq, d_head, readers) = (batch.size(), batch.seq_len(), config.d_head, config.n_attn_readers());
        let by_reader = match input {
            AttnInput::Shared(x) => {
                let y = self.qkv.apply(self.norm_attn.apply(x));
                y.reshape([batch_size, seq, readers, d_head]).permute([0, 2, 1, 3])
            }
            AttnInput::PerReader(x) => {
                let [readers, tokens, d_model] = x.dims();
                let x = self.norm_attn.apply(x.reshape([readers * tokens, d_model])).reshape([readers, tokens, d_model]);
                let bias = self.qkv.bias.as_ref().map(|bias| bias.clone().reshape([readers, d_head]));
                let y = product::batched(x, self.per_reader_weight(readers, d_head), bias);
                y.reshape([readers, batch_size, seq, d_head]).permute([1, 0, 2, 3])
            }
        };
        Qkv(by_reader)
    }

    /// Gradients at the normed per-reader inputs, `[readers, tokens, d_model]`, from those at q, k and v; [`Self::norm_attn`]'s pullback comes next.
    pub fn project_pullback(&self, d: Qkv, d_head: usize) -> Tensor<3> {
        let [batch, readers, seq, _] = d.0.dims();
        let d = d.0.permute([1, 0, 2, 3]).reshape([readers, batch * seq, d_head]);
        product::batched(d, self.per_reader_weight(readers, d_head).swap_dims(1, 2), None)
    }

    /// The projection as one matrix a reader, `[readers, d_model, d_head]`.
    fn per_reader_weight(&self, readers: usize, d_head: usize) -> Tensor<3> {
        let d_model = self.qkv.weight.dims()[0];
        self.qkv.weight.clone().reshape([d_model, readers, d_head]).permute([1, 0, 2])
    }
}

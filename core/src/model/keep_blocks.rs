//! A model's weights once more in the file's own blocks, for decoding.
//!
//! **Why.** Prompts, training and circuits multiply many rows at once, for which single precision is fast and exact. A decoded token is one row, and costs what reading the weights costs
//! ([`super::cpu::blocks`]). So both are held: single precision, and a fifth of that in blocks.

use std::sync::Arc;

use super::{
    Linear, Transformer,
    cpu::{
        self,
        blocks::{Blocks, Kind},
    },
    layout::{Ends, Layout, unpaired},
    load::LoadError,
};
use crate::formats::{WeightSource, config::ModelDescription};

/// One stored matrix of a map: its name, its outputs, and the width of its heads where their rows are permuted.
type Stored<'a> = (&'a str, usize, Option<usize>);

/// Where output `i` of half-split heads lies among rows of adjacent pairs.
fn paired_row(i: usize, d_head: usize) -> usize {
    let (head, j, half) = (i / d_head, i % d_head, d_head / 2);
    head * d_head + if j < half { 2 * j } else { 2 * (j - half) + 1 }
}

fn blocks(source: &dyn WeightSource, d_in: usize, stored: &[Stored<'_>]) -> Result<Option<Arc<Blocks>>, LoadError> {
    let Some(mut blocks) = Blocks::new(d_in) else { return Ok(None) };
    for &(name, d_out, d_head) in stored {
        let info = source.info(name).filter(|info| info.shape == [d_out, d_in]);
        let Some(kind) = info.and_then(|info| Kind::from_name(&info.dtype)) else { return Ok(None) };
        let Some(bytes) = source.read_blocks(name)? else { return Ok(None) };
        let pushed = match d_head {
            Some(d_head) => blocks.push(kind, d_out, &bytes, |i| paired_row(i, d_head)),
            None => blocks.push(kind, d_out, &bytes, |i| i),
        };
        if pushed.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(Arc::new(blocks)))
}

impl Transformer {
    /// Keeps the weights in the blocks of the file they were loaded from too, and returns how many of the model's matrices that are: all those of types with a kernel, on the CPU.
    /// From then on products of few rows round their inputs to 16 bits, so logits of decoded tokens differ a little from those in single precision.
    ///
    /// # Errors
    /// What reading the file finds.
    pub fn keep_blocks(&mut self, description: &ModelDescription, source: &dyn WeightSource) -> Result<usize, LoadError> {
        if !cpu::is_host_device(&self.device()) {
            return Ok(0);
        }
        let layout = Layout::of(description, source);
        if !layout.transposed() {
            return Ok(0);
        }
        let config = self.config;
        let d_head = unpaired(description).then_some(config.d_head);
        let (q_width, kv_width) = (config.n_heads * config.d_head, config.n_kv_heads * config.d_head);
        let mut kept = 0;
        let mut keep = |linear: &mut Linear, d_in: usize, stored: &[Stored<'_>]| -> Result<(), LoadError> {
            linear.blocks = blocks(source, d_in, stored)?;
            kept += usize::from(linear.blocks.is_some());
            Ok(())
        };
        let weight = |name: &String| format!("{name}.weight");
        for (l, block) in self.blocks.iter_mut().enumerate() {
            let names = layout.layer(l);
            let [q, k, v, out, mlp_out] = [&names.q, &names.k, &names.v, &names.out, &names.mlp_out].map(weight);
            if names.k.is_empty() {
                keep(&mut block.qkv, config.d_model, &[(&q, q_width + 2 * kv_width, None)])?;
            } else {
                keep(&mut block.qkv, config.d_model, &[(&q, q_width, d_head), (&k, kv_width, d_head), (&v, kv_width, None)])?;
            }
            keep(&mut block.attn_out, q_width, &[(&out, config.d_model, None)])?;
            let mlp_in: Vec<String> = names.mlp_in.iter().map(weight).collect();
            let mlp_in: Vec<Stored<'_>> = mlp_in.iter().map(|name| (name.as_str(), config.d_mlp, None)).collect();
            keep(&mut block.mlp_in, config.d_model, &mlp_in)?;
            keep(&mut block.mlp_out, config.d_mlp, &[(&mlp_out, config.d_model, None)])?;
        }
        let Ends { tok, head, .. } = layout.ends();
        self.unembed_blocks = blocks(source, config.d_model, &[(if config.tied { tok } else { head }, config.d_out, None)])?;
        Ok(kept + usize::from(self.unembed_blocks.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        decode::{Scorer, Step, TransformerScorer},
        formats::{
            FormatError, TensorInfo,
            gguf::{GgmlType, Gguf, dequantize},
        },
        model::load,
        tensor::Device,
        train::rng::Stream,
    };

    /// A small file whose layers' matrices are blocks of random bytes, `Q4_1` and `Q4_0` in turn.
    struct Mixed(Gguf<Vec<u8>>);

    impl Mixed {
        fn kind(&self, name: &str) -> Option<GgmlType> {
            let is_matrix = name.starts_with("blk.") && self.0.info(name)?.shape.len() == 2;
            is_matrix.then(|| GgmlType::from_name(if name.len().is_multiple_of(2) { "Q4_1" } else { "Q4_0" }))?
        }
    }

    impl WeightSource for Mixed {
        fn names(&self) -> Vec<String> {
            self.0.names()
        }

        fn info(&self, name: &str) -> Option<TensorInfo> {
            let info = self.0.info(name)?;
            Some(TensorInfo { dtype: self.kind(name).map_or(info.dtype, |ty| ty.name().into()), ..info })
        }

        fn read_f32(&self, name: &str) -> Result<Vec<f32>, FormatError> {
            let (Some(ty), Some(bytes)) = (self.kind(name), self.read_blocks(name)?) else { return self.0.read_f32(name) };
            let mut values = vec![0.0; bytes.len() / ty.block_bytes() * ty.block_values()];
            dequantize(ty, &bytes, &mut values)?;
            Ok(values)
        }

        fn read_blocks(&self, name: &str) -> Result<Option<Vec<u8>>, FormatError> {
            let Some(ty) = self.kind(name) else { return self.0.read_blocks(name) };
            let blocks = self.0.info(name).unwrap().shape.iter().product::<usize>() / ty.block_values();
            let mut draw = Stream::new(1, name, 0);
            let mut bytes = vec![];
            for _ in 0..blocks {
                let scale = half::f16::from_f64(0.02 * draw.uniform());
                bytes.extend(scale.to_le_bytes());
                if ty.name() == "Q4_1" {
                    bytes.extend((half::f16::from_f32(-7.5) * scale).to_le_bytes());
                }
                bytes.extend((0..16).map(|_| draw.below(256) as u8));
            }
            Ok(Some(bytes))
        }

        fn metadata(&self) -> BTreeMap<String, String> {
            self.0.metadata()
        }
    }

    #[test]
    fn decoded_tokens_are_scored_as_in_single_precision() {
        // One layer, heads of adjacent pairs.
        let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gguf/tiny-llama.gguf")).unwrap();
        let gguf = Gguf::open(file).unwrap();
        let description = ModelDescription::from_gguf(&gguf).unwrap();
        let source = Mixed(gguf);
        let single = load::load(&description, &source, &Device::flex()).unwrap();
        let mut blocks = single.clone();
        assert_eq!(blocks.keep_blocks(&description, &source).unwrap(), 5, "four matrices of the layer, and the unembedding");
        let (mut a, mut b) = (TransformerScorer::new(&single), TransformerScorer::new(&blocks));
        for i in 0..20 {
            let (x, y) = if i == 0 {
                (a.begin(&[5]).unwrap(), b.begin(&[5]).unwrap())
            } else {
                let step = [Step { parent: 0, token: i * 7 % 263 }];
                (a.advance(&step).unwrap().remove(0), b.advance(&step).unwrap().remove(0))
            };
            let largest = x.iter().zip(&y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(largest < 1e-4 && largest > 0.0, "after {i} tokens: {largest}");
        }
    }
}

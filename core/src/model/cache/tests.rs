use super::*;
use crate::model::{stream::Plain, testing::families, transformer::select_rows};

/// A model whose small random weights are made large enough to matter.
fn model(config: TransformerConfig) -> Transformer {
    let mut model = Transformer::init(config, 3, &Device::flex());
    model.tok_embed = model.tok_embed * 40.0;
    for block in &mut model.blocks {
        block.qkv.weight = block.qkv.weight.clone() * 20.0;
        block.attn_out.weight = block.attn_out.weight.clone() * 20.0;
    }
    model
}

/// Logits after each of the sequences, from nothing.
fn whole(model: &Transformer, sequences: &[Vec<u32>]) -> Vec<f32> {
    let batch = model.batch(sequences).unwrap();
    let rows: Vec<usize> = (0..batch.size()).map(|r| batch.row(r, batch.seq_len() - 1)).collect();
    model.logits_at(&batch, &rows).into_data().try_into_vec().unwrap()
}

/// Logits after new tokens.
fn more(model: &Transformer, cache: &mut Cache, new: &[Vec<u32>]) -> Vec<f32> {
    let batch = model.batch(new).unwrap();
    let read = model.forward_cached(&batch, cache, &mut Plain::default()).unwrap();
    let rows: Vec<usize> = (0..batch.size()).map(|r| batch.row(r, batch.seq_len() - 1)).collect();
    model.unembed(select_rows(read, &rows)).into_data().try_into_vec().unwrap()
}

fn close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-5, "{what}: {worst}");
}

/// As on a device without plain memory.
fn tensors(model: &Transformer) -> Cache {
    Cache { store: Store::Tensors { layers: vec![], kept: vec![], device: Device::flex() }, ..Cache::new(model) }
}

#[test]
fn decode_from_a_forked_cache_equals_running_the_prefixes_again() {
    for config in families() {
        let model = model(config);
        for mut cache in [Cache::new(&model), tensors(&model)] {
            let prompt = vec![3, 1, 4, 1];
            close(&more(&model, &mut cache, std::slice::from_ref(&prompt)), &whole(&model, std::slice::from_ref(&prompt)), "prompt");
            cache.keep();
            let mut rows = vec![prompt.clone()];
            for (parents, tokens) in
                [(vec![0, 0, 0], vec![5, 9, 2]), (vec![2, 0, 0, 2], vec![6, 5, 3, 5]), (vec![3, 1], vec![8, 9]), (vec![1, 1], vec![0, 10])]
            {
                cache.fork(&parents).unwrap();
                rows = parents.iter().zip(&tokens).map(|(&p, &t)| [&rows[p][..], &[t]].concat()).collect();
                let new: Vec<Vec<u32>> = tokens.iter().map(|&t| vec![t]).collect();
                close(&more(&model, &mut cache, &new), &whole(&model, &rows), "fork");
            }
            assert!(cache.slots().is_none_or(|slots| slots <= 4 + 2 * 4), "{:?}", cache.slots());
            // Back to a part of the prompt, then several tokens at once.
            cache.restart(3);
            let other = vec![3, 1, 4, 7, 7, 2];
            close(&more(&model, &mut cache, &[other[3..].to_vec()]), &whole(&model, &[other]), "another prompt");
            cache.restart(0);
            let fresh = vec![vec![2, 2], vec![5, 1]];
            close(&more(&model, &mut cache, &fresh), &whole(&model, &fresh), "from nothing, two rows");
        }
    }
}

#[test]
fn what_does_not_fit_a_cache_is_refused() {
    let model = model(families()[1]);
    let mut cache = Cache::new(&model);
    let add = |cache: &mut Cache, rows: &[Vec<u32>]| model.forward_cached(&model.batch(rows).unwrap(), cache, &mut Plain::default()).err();
    assert_eq!(add(&mut cache, &[vec![1, 2], vec![1]]), Some(CacheError::Ragged));
    assert_eq!(add(&mut cache, &[vec![1; 10]]), None);
    assert_eq!(add(&mut cache, &[vec![1; 3]]), Some(CacheError::Full { tokens: 13, max: 12 }));
    assert_eq!(add(&mut cache, &[vec![1], vec![1]]), Some(CacheError::Rows { cached: 1, new: 2 }));
    assert_eq!(cache.fork(&[0, 1]), Err(CacheError::Parent { row: 1, cached: 1 }));
    assert_eq!(add(&mut cache, &[vec![1; 2]]), None);
    let both_ways = Transformer { config: TransformerConfig { causal: false, ..model.config }, ..model.clone() };
    let batch = both_ways.batch(&[[1_u32]]).unwrap();
    assert_eq!(both_ways.forward_cached(&batch, &mut Cache::new(&both_ways), &mut Plain::default()).err(), Some(CacheError::NotCausal));
}

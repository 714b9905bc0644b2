use std::collections::BTreeMap;

use super::*;
use crate::{
    formats::safetensors::{SafeTensors, TensorData, write},
    train::rng::Stream,
};

const WIDTH: usize = 12;
const INNER: usize = 10;
const HEADS: usize = 3;
const LAYERS: usize = 2;

type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn random() -> Weights {
    let mut weights = Weights::new();
    let mut add = |name: &str, shape: &[usize]| {
        let mut stream = Stream::new(3, name, 0);
        weights.insert(name.to_owned(), (shape.to_vec(), (0..shape.iter().product()).map(|_| 0.5 * stream.normal() as f32).collect()));
    };
    let mut part = |name: &str, shape: &[usize]| {
        add(&format!("{name}.weight"), shape);
        add(&format!("{name}.bias"), &shape[..1]);
    };
    part("embeddings.LayerNorm", &[WIDTH]);
    for layer in 0..LAYERS {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
        for name in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
            part(&at(name), &[WIDTH, WIDTH]);
        }
        part(&at("intermediate.dense"), &[INNER, WIDTH]);
        part(&at("output.dense"), &[WIDTH, INNER]);
        part(&at("attention.output.LayerNorm"), &[WIDTH]);
        part(&at("output.LayerNorm"), &[WIDTH]);
    }
    add("embeddings.word_embeddings.weight", &[7, WIDTH]);
    add("embeddings.position_embeddings.weight", &[9, WIDTH]);
    add("embeddings.token_type_embeddings.weight", &[2, WIDTH]);
    weights
}

fn load(weights: &Weights, heads: usize) -> Result<Bert, BertError> {
    let tensors = weights.iter().map(|(name, (shape, values))| (name.clone(), (shape.clone(), TensorData::F32(values)))).collect();
    let file = write(&tensors, &BTreeMap::new()).unwrap();
    Bert::load(&SafeTensors::open(&file[..]).unwrap(), BertConfig { heads, norm_eps: 1e-12 })
}

/// The formulas, number by number in double precision.
fn plain(weights: &Weights, tokens: &[u32]) -> Vec<Vec<f64>> {
    let get = |name: &str, i: usize| f64::from(weights[name].1[i]);
    let linear = |name: &str, x: &[f64], d_out: usize| -> Vec<f64> {
        let weight = |o: usize, i: usize| get(&format!("{name}.weight"), o * x.len() + i);
        (0..d_out).map(|o| (0..x.len()).map(|i| weight(o, i) * x[i]).sum::<f64>() + get(&format!("{name}.bias"), o)).collect()
    };
    let norm = |name: &str, x: &[f64]| -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let scaled =
            |i: usize| (x[i] - mean) / (variance + 1e-12).sqrt() * get(&format!("{name}.weight"), i) + get(&format!("{name}.bias"), i);
        (0..x.len()).map(scaled).collect()
    };
    let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
    // The error function as the integral it is, by Simpson's rule.
    let erf = |x: f64| {
        let (n, f) = (2000, |t: f64| (-t * t).exp());
        let h = x / f64::from(n);
        let inner: f64 = (1..n).map(|i| f(h * f64::from(i)) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        (f(0.0) + inner + f(x)) * h / 3.0 * 2.0 / std::f64::consts::PI.sqrt()
    };
    let embed = |(p, &token): (usize, &u32)| {
        let part = |name: &str, row: usize, i: usize| get(&format!("embeddings.{name}_embeddings.weight"), row * WIDTH + i);
        let sum = |i: usize| part("word", token as usize, i) + part("position", p, i) + part("token_type", 0, i);
        norm("embeddings.LayerNorm", &(0..WIDTH).map(sum).collect::<Vec<_>>())
    };
    let mut x: Vec<Vec<f64>> = tokens.iter().enumerate().map(embed).collect();
    for layer in 0..LAYERS {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
        let all = |name: &str| x.iter().map(|x| linear(&at(name), x, WIDTH)).collect::<Vec<_>>();
        let [q, k, v] = ["query", "key", "value"].map(|name| all(&format!("attention.self.{name}")));
        let d = WIDTH / HEADS;
        let attended = |p: usize| {
            let mut z = vec![0.0; WIDTH];
            for head in 0..HEADS {
                let scores: Vec<f64> = (0..x.len())
                    .map(|j| ((head * d..(head + 1) * d).map(|i| q[p][i] * k[j][i]).sum::<f64>() / (d as f64).sqrt()).exp())
                    .collect();
                let total: f64 = scores.iter().sum();
                for (j, score) in scores.iter().enumerate() {
                    (head * d..(head + 1) * d).for_each(|i| z[i] += score / total * v[j][i]);
                }
            }
            z
        };
        let z: Vec<Vec<f64>> = (0..x.len()).map(attended).collect();
        for (x, z) in x.iter_mut().zip(&z) {
            *x = norm(&at("attention.output.LayerNorm"), &add(x, &linear(&at("attention.output.dense"), z, WIDTH)));
            let inner: Vec<f64> = linear(&at("intermediate.dense"), x, INNER);
            let inner: Vec<f64> = inner.iter().map(|&x| 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt()))).collect();
            *x = norm(&at("output.LayerNorm"), &add(x, &linear(&at("output.dense"), &inner, WIDTH)));
        }
    }
    x
}

#[test]
fn vectors_are_those_of_plain_loops_alone_and_beside_longer_texts() {
    let weights = random();
    let bert = load(&weights, HEADS).unwrap();
    let texts = [vec![1, 2, 3, 4, 5], vec![6], vec![0, 0, 3]];
    let together = bert.encode_all(&texts).unwrap();
    for (text, found) in texts.iter().zip(&together) {
        assert_eq!(found.len(), text.len() * WIDTH);
        let alone = bert.encode(text).unwrap();
        let expected = plain(&weights, text).concat();
        for ((found, alone), expected) in found.iter().zip(&alone).zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} {expected}");
            assert!((found - alone).abs() < 2e-5, "{found} {alone}");
        }
    }
    let mean = |i: usize| plain(&weights, &texts[2]).iter().map(|row| row[i]).sum::<f64>();
    let length = (0..WIDTH).map(|i| mean(i) * mean(i)).sum::<f64>().sqrt();
    for (i, x) in bert.sentence(&texts[2]).unwrap().iter().enumerate() {
        assert!((f64::from(*x) - mean(i) / length).abs() < 2e-5);
    }
}

#[test]
fn what_is_missing_misshapen_or_out_of_range_is_refused() {
    let weights = random();
    let without = |name: &str| {
        let mut weights = weights.clone();
        weights.remove(name).unwrap();
        load(&weights, HEADS).unwrap_err().to_string()
    };
    assert!(without("embeddings.word_embeddings.weight").contains("word_embeddings"));
    assert!(without("encoder.layer.1.attention.self.key.bias").contains("key.bias"));
    let mut misshapen = weights.clone();
    misshapen.insert("encoder.layer.0.output.dense.bias".into(), (vec![3], vec![0.0; 3]));
    assert!(load(&misshapen, HEADS).unwrap_err().to_string().contains("shape"));
    let mut infinite = weights.clone();
    infinite.get_mut("embeddings.LayerNorm.bias").unwrap().1[0] = f32::INFINITY;
    assert!(load(&infinite, HEADS).is_err());
    assert!(matches!(load(&weights, 5), Err(BertError::Unsupported { .. })));
    assert!(matches!(load(&weights, 0), Err(BertError::Unsupported { .. })));
    let bert = load(&weights, HEADS).unwrap();
    assert!(matches!(bert.encode(&[7]), Err(BertError::Token { token: 7, vocab: 7 })));
    assert!(matches!(bert.encode(&[]), Err(BertError::Length { found: 0, most: 9 })));
    assert!(matches!(bert.encode(&[0; 10]), Err(BertError::Length { found: 10, most: 9 })));
}

#[test]
fn minilm_gives_the_golden_vectors() {
    let Some(folder) = std::env::var_os("VITRINE_MINILM") else {
        eprintln!("skipped: VITRINE_MINILM not set");
        return;
    };
    let read = |file: &str| std::fs::read(std::path::Path::new(&folder).join(file)).unwrap();
    let weights = read("model.safetensors");
    let bert = Bert::load(&SafeTensors::open(&weights[..]).unwrap(), BertConfig::default()).unwrap();
    let encoder = Sentences::new(bert, Tokenizer::from_json(&read("tokenizer.json")).unwrap()).unwrap();
    for agreement in golden(&encoder).unwrap() {
        assert!(agreement.passed(), "{agreement}");
    }
}

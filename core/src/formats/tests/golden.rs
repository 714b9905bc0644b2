//! Values against those of PyPI gguf 0.19.0 (`tests/fixtures/gguf/make.py`): every bit must agree.

use super::{super::gguf::*, super::*, read};
use crate::formats::config::{Family, ModelDescription, Positions, RopeStyle};

/// Compares every tensor of a fixture, in order of names, with the floats in the file beside it.
fn compare(stem: &str) -> Vec<String> {
    let file = Gguf::open(read(&format!("gguf/{stem}.gguf"))).unwrap();
    let expected = read(&format!("gguf/{stem}.f32"));
    let mut expected = expected.as_chunks::<4>().0.iter();
    for name in file.names() {
        let shape = file.info(&name).unwrap().shape;
        let values = file.read_shaped(&name, &shape).unwrap();
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
        for (i, value) in values.iter().enumerate() {
            let want = u32::from_le_bytes(*expected.next().unwrap());
            assert_eq!(value.to_bits(), want, "{name}[{i}] = {value}");
        }
    }
    assert_eq!(expected.next(), None);
    file.names()
}

#[test]
fn every_type_agrees_bit_for_bit() {
    let names = compare("types");
    for ty in ["BF16", "F16", "F32", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K", "Q8_0"] {
        assert!(names.contains(&format!("t.{ty}")), "{ty}");
    }
    assert_eq!(names.len(), 11);
}

#[test]
fn a_small_model_agrees_and_describes_itself() {
    compare("tiny-llama");
    let file = Gguf::open(read("gguf/tiny-llama.gguf")).unwrap();
    // ggml stores [in, out]; here it is [out, in].
    assert_eq!(file.info("blk.0.ffn_up.weight").unwrap().shape, [64, 32]);
    assert_eq!(file.info("token_embd.weight").unwrap().dtype, "Q8_0");
    let model = ModelDescription::from_gguf(&file).unwrap();
    assert_eq!(model.family, Family::Llama);
    assert_eq!((model.n_layers, model.d_model, model.d_mlp), (1, 32, 64));
    assert_eq!((model.n_heads, model.n_kv_heads, model.d_head), (4, 2, 8));
    assert_eq!((model.vocab_size, model.max_positions), (263, 64));
    assert!(model.tied_embeddings && model.gated_mlp && !model.biases.qkv);
    let style = RopeStyle::AdjacentPairs;
    let base = 10_000.0;
    assert_eq!(model.positions, Positions::Rope { base, style });
}

#[test]
fn metadata_of_every_type() {
    let file = Gguf::open(read("gguf/types.gguf")).unwrap();
    let one = |name: &str| file.entries()[&format!("one.{name}")].clone();
    let many = |name: &str| file.entries()[&format!("many.{name}")].clone();
    assert_eq!(one("uint8"), Value::Unsigned(200));
    assert_eq!(one("int8"), Value::Signed(-100));
    assert_eq!(one("uint16"), Value::Unsigned(60_000));
    assert_eq!(one("int16"), Value::Signed(-30_000));
    assert_eq!(one("uint32"), Value::Unsigned(4_000_000_000));
    assert_eq!(one("int32"), Value::Signed(-2_000_000_000));
    assert_eq!(one("uint64"), Value::Unsigned((1 << 63) + 5));
    assert_eq!(one("int64"), Value::Signed(-(1 << 62)));
    assert_eq!(one("float32"), Value::Float(f64::from(0.1f32)));
    assert_eq!(one("float64"), Value::Float(0.1));
    assert_eq!(one("bool"), Value::Bool(true));
    assert_eq!(one("string").as_str(), Some("Größe ✓"));
    assert_eq!(many("uint8"), Value::Array(Array::U8(vec![200; 3])));
    assert_eq!(many("int8"), Value::Array(Array::I8(vec![-100; 3])));
    assert_eq!(many("uint16"), Value::Array(Array::U16(vec![60_000; 3])));
    assert_eq!(many("int16"), Value::Array(Array::I16(vec![-30_000; 3])));
    assert_eq!(many("uint32"), Value::Array(Array::U32(vec![4_000_000_000; 3])));
    assert_eq!(many("int32"), Value::Array(Array::I32(vec![-2_000_000_000; 3])));
    assert_eq!(many("uint64"), Value::Array(Array::U64(vec![(1 << 63) + 5; 3])));
    assert_eq!(many("int64"), Value::Array(Array::I64(vec![-(1 << 62); 3])));
    assert_eq!(many("float32"), Value::Array(Array::F32(vec![0.1; 3])));
    assert_eq!(many("float64"), Value::Array(Array::F64(vec![0.1; 3])));
    assert_eq!(many("bool"), Value::Array(Array::Bool(vec![true; 3])));
    assert_eq!(many("string").as_strings().unwrap()[2], "Größe ✓");
    let Value::Array(Array::Array(nested)) = many("array") else {
        panic!("not nested");
    };
    assert_eq!(nested.iter().map(Array::len).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(file.metadata()["many.array"], "array of 2 × array");
}

/// Version 2 differs from 3 in nothing but the number; the bytes may come through any pointer.
#[test]
fn version_two_and_borrowed_sources() {
    let mut bytes = read("gguf/types.gguf");
    let three = Gguf::open(bytes.clone()).unwrap();
    bytes[4] = 2;
    let two = Gguf::open(bytes.as_slice()).unwrap();
    assert_eq!((three.version(), two.version()), (3, 2));
    assert_eq!(two.read_f32("t.Q6_K"), three.read_f32("t.Q6_K"));
    let boxed: Box<dyn ByteSource> = Box::new(bytes.clone());
    assert_eq!(Gguf::open(boxed).unwrap().names(), two.names());
}

/// Tensors above the streaming size are read in pieces that must join without a seam.
#[test]
fn long_tensors_are_streamed_in_order() {
    let n = 600_000u32;
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    bytes.push(b't');
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(u64::from(n).to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend((0..n).flat_map(|i| (i as f32).to_le_bytes()));
    let values = Gguf::open(bytes).unwrap().read_f32("t").unwrap();
    assert!(values.iter().zip(0..).all(|(&v, i)| v == i as f32) && values.len() == n as usize);
}

#[test]
fn unknown_names_and_other_shapes_are_errors() {
    let file = Gguf::open(read("gguf/types.gguf")).unwrap();
    assert!(matches!(file.read_f32("nope"), Err(FormatError::Missing { .. })));
    assert_eq!(file.info("nope"), None);
    let error = file.read_shaped("t.F32", &[5, 3]).unwrap_err().to_string();
    assert_eq!(error, "tensor 't.F32': has shape [3, 5], but the model needs [5, 3]");
}

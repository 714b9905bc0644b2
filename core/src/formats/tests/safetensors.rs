//! What is written must read back, the same tensors must give the same bytes, and shards must join.

use std::collections::BTreeMap;

use half::{bf16, f16};
use proptest::prelude::*;

use super::super::{
    safetensors::{SafeTensors, TensorData, write},
    weights::{ShardIndex, Sharded, check_finite},
    *,
};

type Tensors<'a> = BTreeMap<String, (Vec<usize>, TensorData<'a>)>;

fn named<'a, const N: usize>(list: [(&str, Vec<usize>, TensorData<'a>); N]) -> Tensors<'a> {
    list.into_iter().map(|(name, shape, data)| (name.to_owned(), (shape, data))).collect()
}

#[test]
fn every_type_is_written_and_read() {
    let (half, brain) = ([f16::from_f32(-0.5)], [bf16::from_f32(3.0)]);
    let tensors = named([
        ("byte", vec![3], TensorData::U8(&[7, 8, 9])),
        ("brain", vec![1], TensorData::BF16(&brain)),
        ("half", vec![], TensorData::F16(&half)),
        ("single", vec![1, 2], TensorData::F32(&[1.5, -2.0])),
        ("double", vec![2], TensorData::F64(&[0.1, 1e300])),
        ("int", vec![1], TensorData::I32(&[-5])),
        ("long", vec![1], TensorData::I64(&[-6])),
        ("none", vec![2, 0], TensorData::F32(&[])),
    ]);
    let metadata = BTreeMap::from([("a \"b\"".to_owned(), "ü".to_owned())]);
    let bytes = write(&tensors, &metadata).unwrap();
    assert_eq!(bytes, write(&tensors, &metadata).unwrap());
    let file = SafeTensors::open(bytes).unwrap();
    assert_eq!(file.names().len(), 8);
    assert_eq!(file.metadata(), metadata);
    assert_eq!(file.read_f32("single").unwrap(), [1.5, -2.0]);
    assert_eq!(file.read_f32("half").unwrap(), [-0.5]);
    assert_eq!(file.read_f32("brain").unwrap(), [3.0]);
    assert_eq!(file.read_f32("double").unwrap(), [0.1, f32::INFINITY]);
    assert_eq!(file.read_f32("none").unwrap(), [0.0; 0]);
    assert_eq!(file.read_bytes("byte").unwrap(), [7, 8, 9]);
    assert_eq!(file.read_bytes("long").unwrap(), (-6i64).to_le_bytes());
    assert_eq!(file.info("int").unwrap().dtype, "I32");
    assert!(matches!(file.read_f32("int"), Err(FormatError::UnsupportedType { .. })));
    let error = check_finite("double", &file.read_f32("double").unwrap());
    assert!(error.unwrap_err().to_string().contains("inf at index 1"));
}

/// The exact bytes of a small file: the format must not drift.
#[test]
fn the_layout_is_fixed() {
    let tensors = named([("b", vec![1], TensorData::F32(&[1.0])), ("a", vec![2], TensorData::U8(&[1, 2]))]);
    let header = br#"{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}} "#;
    let mut want = vec![header.len().next_multiple_of(8) as u8, 0, 0, 0, 0, 0, 0, 0];
    want.extend(header);
    want.resize(8 + header.len().next_multiple_of(8), b' ');
    want.extend([0, 0, 0x80, 0x3f, 1, 2]);
    assert_eq!(write(&tensors, &BTreeMap::new()).unwrap(), want);
}

#[test]
fn tensors_that_could_not_be_read_back_are_not_written() {
    let none = BTreeMap::new();
    let refused = [("t", vec![2], "does not hold 1 values"), ("__metadata__", vec![1], "reserved"), ("t", vec![1; 9], "too many")];
    for (name, shape, reason) in refused {
        let error = write(&named([(name, shape, TensorData::U8(&[1]))]), &none).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn shards_read_as_one() {
    let none = BTreeMap::new();
    let one = write(&named([("a", vec![1], TensorData::F32(&[1.0]))]), &none).unwrap();
    let two = write(&named([("b", vec![1], TensorData::F32(&[2.0]))]), &none).unwrap();
    let index = br#"{"metadata":{"total_size":8},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}"#;
    let index = ShardIndex::parse(index).unwrap();
    assert_eq!(index.files(), ["m-1.safetensors", "m-2.safetensors"]);
    let open = |bytes: &[u8]| SafeTensors::open(bytes.to_vec()).unwrap();
    let shards = |first: &[u8], second: &[u8]| {
        BTreeMap::from([("m-1.safetensors".to_owned(), open(first)), ("m-2.safetensors".to_owned(), open(second))])
    };
    let all = Sharded::new(index.clone(), shards(&one, &two)).unwrap();
    assert_eq!(all.names(), ["a", "b"]);
    assert_eq!(all.read_f32("b").unwrap(), [2.0]);
    assert_eq!(all.info("a").unwrap().shape, [1]);
    assert!(all.read_f32("c").is_err());
    let error = Sharded::new(index, shards(&two, &one)).unwrap_err();
    assert_eq!(error.to_string(), "tensor 'a' in shard 'm-1.safetensors' is missing");
}

proptest! {
    /// Any names (also those that JSON escapes) and shapes come back with their values.
    #[test]
    fn round_trip(list in prop::collection::btree_map(".{0,12}", (0usize..4, 0usize..5), 0..6)) {
        let values: Vec<f32> = (0..20u8).map(|i| f32::from(i) - 3.5).collect();
        let tensors: Tensors = list
            .iter()
            .map(|(name, &(rows, columns))| {
                let data = TensorData::F32(&values[..rows * columns]);
                (name.clone(), (vec![rows, columns], data))
            })
            .collect();
        let bytes = write(&tensors, &BTreeMap::new()).unwrap();
        let file = SafeTensors::open(bytes.as_slice()).unwrap();
        prop_assert_eq!(file.names(), list.keys().cloned().collect::<Vec<_>>());
        for (name, &(rows, columns)) in &list {
            prop_assert_eq!(file.info(name).unwrap().shape, vec![rows, columns]);
            prop_assert_eq!(&file.read_f32(name).unwrap(), &values[..rows * columns]);
        }
        // One byte less or more is another file.
        prop_assert!(SafeTensors::open(&bytes[..bytes.len() - 1]).is_err());
        prop_assert!(SafeTensors::open([bytes.as_slice(), &[0]].concat()).is_err());
    }
}

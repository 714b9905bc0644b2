//! Random damage: whatever the bytes, a reader answers with a value or an error.

use proptest::prelude::*;

use super::{
    super::{config::ModelDescription, gguf::Gguf, safetensors::SafeTensors, weights::*, *},
    read,
};
use crate::text::tokenizer::Tokenizer;

fn read_all(file: &impl WeightSource, len: usize) {
    for name in file.names() {
        let info = file.info(&name).unwrap();
        if let Ok(values) = file.read_f32(&name) {
            assert_eq!(values.len(), info.shape.iter().product::<usize>());
            // At most 32 values in 18 bytes.
            assert!(values.len() <= 2 * len, "{name}");
        }
    }
    file.metadata();
}

fn try_gguf(bytes: &[u8]) {
    if let Ok(file) = Gguf::open(bytes) {
        read_all(&file, bytes.len());
        let _ = ModelDescription::from_gguf(&file);
        if let Ok(tokenizer) = Tokenizer::from_gguf(&file) {
            use_tokenizer(&tokenizer);
        }
    }
}

fn use_tokenizer(tokenizer: &Tokenizer) {
    let text = " the 12 in <|end|> \u{301}é\u{1f600}\r\n\t x";
    if let Ok(ids) = tokenizer.encode(text) {
        let _ = tokenizer.decode(&ids);
    }
    for id in [0, 1, 255, 300, u32::MAX] {
        let _ = tokenizer.token_text(id);
    }
    let _ = tokenizer.decode(&[0, u32::MAX, 5]);
}

/// Overwrites some bytes, prefers values that are dangerous as counts, and sometimes cuts the file.
fn damage(mut bytes: Vec<u8>, at: &[(usize, u8)], cut: Option<usize>) -> Vec<u8> {
    for &(position, byte) in at {
        let n = bytes.len().max(1);
        if let Some(b) = bytes.get_mut(position % n) {
            *b = byte;
        }
    }
    if let Some(cut) = cut {
        bytes.truncate(cut % (bytes.len() + 1));
    }
    bytes
}

/// Positions, mostly in the first `head` bytes, and the byte to put there.
fn edits(head: usize) -> impl Strategy<Value = Vec<(usize, u8)>> {
    let position = prop_oneof![4 => 0..head, 1 => any::<usize>()];
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x80), Just(1)];
    prop::collection::vec((position, byte), 0..6)
}

fn cut() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![3 => Just(None), 1 => any::<usize>().prop_map(Some)]
}

fn safetensors_file() -> Vec<u8> {
    let values: Vec<f32> = (0..12u8).map(f32::from).collect();
    let tensors = [
        ("a", (vec![3, 4], safetensors::TensorData::F32(&values))),
        ("b.bias", (vec![2], safetensors::TensorData::I64(&[1, -1]))),
        ("empty", (vec![0, 7], safetensors::TensorData::U8(&[]))),
    ];
    let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor));
    let metadata = [("format".to_owned(), "pt".to_owned())];
    safetensors::write(&tensors.into(), &metadata.into()).unwrap()
}

const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,
"added_tokens":[{"id":4,"content":"<|end|>","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":true}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]},
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]},
"post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
"vocab":{"t":0,"h":1,"th":2,"e":3},"merges":["t h"]}}"#;

const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":576,"num_hidden_layers":30,
"num_attention_heads":9,"num_key_value_heads":3,"vocab_size":49152,"intermediate_size":1536,"max_position_embeddings":8192,
"rms_norm_eps":1e-05,"hidden_act":"silu","rope_theta":100000,"rope_scaling":null,"tie_word_embeddings":true}"#;

#[test]
fn the_undamaged_files_are_fine() {
    let tokenizer = Tokenizer::from_json(TOKENIZER.as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("thE<|end|>").unwrap(), [2, 3, 4]);
    assert!(ModelDescription::from_hf_config(CONFIG.as_bytes()).is_ok());
    assert!(SafeTensors::open(safetensors_file()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_gguf(edits in edits(1500), cut in cut()) {
        try_gguf(&damage(read("gguf/types.gguf"), &edits, cut));
    }

    #[test]
    fn damaged_gguf_tokenizer(edits in edits(7000), cut in cut()) {
        try_gguf(&damage(read("gguf/tiny-llama.gguf"), &edits, cut));
    }

    #[test]
    fn random_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        try_gguf(&bytes);
        let _ = SafeTensors::open(bytes.as_slice());
        let _ = Tokenizer::from_json(&bytes);
        let _ = ModelDescription::from_hf_config(&bytes);
        // The same behind a good beginning.
        bytes.splice(0..0, *b"GGUF\x03\0\0\0");
        try_gguf(&bytes);
        bytes.splice(0..8, *b"\x20\0\0\0\0\0\0\0");
        let _ = SafeTensors::open(bytes.as_slice());
    }

    #[test]
    fn damaged_safetensors(edits in edits(250), cut in cut()) {
        let bytes = damage(safetensors_file(), &edits, cut);
        if let Ok(file) = SafeTensors::open(bytes.as_slice()) {
            read_all(&file, bytes.len());
        }
    }

    #[test]
    fn damaged_json(edits in edits(2000), cut in cut(), digit in any::<u64>()) {
        let bytes = damage(TOKENIZER.into(), &edits, cut);
        if let Ok(tokenizer) = Tokenizer::from_json(&bytes) {
            use_tokenizer(&tokenizer);
        }
        let _ = ModelDescription::from_hf_config(&damage(CONFIG.into(), &edits, cut));
        for field in ["576", "30", "9,", "49152", "1536", "8192", "100000"] {
            let with = format!("{digit}{}", if field.ends_with(',') { "," } else { "" });
            if let Ok(model) = ModelDescription::from_hf_config(CONFIG.replace(field, &with).as_bytes()) {
                prop_assert_eq!(model.n_heads % model.n_kv_heads, 0);
                prop_assert_eq!(model.d_head % 2, 0);
            }
        }
    }
}

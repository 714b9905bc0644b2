//! Small tokenizers whose ids can be worked out by hand.

use super::*;

/// One-block llama fixture: id 0 is `<|end|>`, 1 + b is byte b, then the merges in order.
fn tiny() -> Tokenizer {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gguf/tiny-llama.gguf");
    let file = Gguf::open(std::fs::read(path).unwrap()).unwrap();
    Tokenizer::from_gguf(&file).unwrap()
}

fn byte(b: u8) -> u32 {
    1 + u32::from(b)
}

#[test]
fn the_byte_table_is_a_bijection() {
    let characters = (0..0x200u32).filter_map(char::from_u32);
    let mut bytes: Vec<u8> = characters.filter_map(byte_of).collect();
    bytes.sort_unstable();
    assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
    assert_eq!(byte_of('Ġ'), Some(b' '));
    assert_eq!(byte_of('Ċ'), Some(b'\n'));
    assert_eq!(byte_of('é'), Some(0xe9));
    assert_eq!(byte_of('\u{143}'), Some(0xad));
    assert_eq!(byte_of('\u{144}'), None);
    assert_eq!(byte_of(' '), None);
}

#[test]
fn merges_follow_their_ranks_and_digits_stay_single() {
    let tokenizer = tiny();
    assert_eq!(tokenizer.vocab_size(), 263);
    // "Ġt" 257, "he" 258, "Ġthe" 259, "12" 260, "in" 261, "Ġa" 262.
    assert_eq!(tokenizer.encode(" the").unwrap(), [259]);
    assert_eq!(tokenizer.encode("the").unwrap(), [byte(b't'), 258]);
    assert_eq!(tokenizer.encode("12").unwrap(), [byte(b'1'), byte(b'2')]);
    assert_eq!(tokenizer.encode("in a").unwrap(), [261, 262]);
    assert_eq!(tokenizer.encode("").unwrap(), [0u32; 0]);
    assert_eq!(tokenizer.encode("x<|end|>").unwrap(), [byte(b'x'), 0]);
    assert_eq!(tokenizer.single_token(" the"), Some(259));
    assert_eq!(tokenizer.single_token("the"), None);
    assert_eq!(tokenizer.raw_token(259).unwrap(), "Ġthe");
    assert_eq!(tokenizer.raw_token_id("<|end|>"), Some(0));
}

#[test]
fn what_is_written_as_json_splits_the_same() {
    let tokenizer = tiny();
    let json = tokenizer.to_json().unwrap();
    let back = Tokenizer::from_json(json.as_bytes()).unwrap();
    assert_eq!(back.to_json().unwrap(), json);
    for text in ["in the 1212 é ✓ 1984\r\n\t  the  ", "x<|end|> the", "日本 a", " in12a"] {
        assert_eq!(back.encode(text).unwrap(), tokenizer.encode(text).unwrap(), "{text}");
        assert_eq!(back.decode(&back.encode(text).unwrap()), text);
    }
    assert_eq!(back.token_text(259), " the");
}

#[test]
fn every_text_survives_the_way_there_and_back() {
    let tokenizer = tiny();
    for text in ["é ✓ 1984\r\n\t  the  ", "\u{0}\u{7f}\u{ad}", "日本", "<|end|> the"] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids), text);
    }
}

#[test]
fn tokens_are_readable_even_when_they_are_no_text() {
    let tokenizer = tiny();
    assert_eq!(tokenizer.token_text(259), " the");
    assert_eq!(tokenizer.token_text(byte(0xe2)), "<0xE2>");
    assert_eq!(tokenizer.token_text(byte(b'\n')), "\n");
    assert_eq!(tokenizer.token_text(0), "<|end|>");
    assert_eq!(tokenizer.token_text(70_000), "<id 70000>");
    assert_eq!(tokenizer.decode(&[259, 70_000, 262]), " the\u{fffd} a");
    assert_eq!(tokenizer.decode(&[byte(0xe2)]), "\u{fffd}");
}

#[test]
fn long_and_dull_texts_take_no_time() {
    let tokenizer = tiny();
    for piece in [" ", "a", "\n", "the", "1", "\u{301}"] {
        let text = piece.repeat(200_000 / piece.len());
        let ids = tokenizer.encode(&text).unwrap();
        assert_eq!(tokenizer.decode(&ids), text);
    }
    let long = " ".repeat(usize::try_from(MAX_TEXT).unwrap() + 1);
    assert!(tokenizer.encode(&long).is_err());
}

#[test]
fn wordpiece_of_bert() {
    let json = r###"{"added_tokens":[{"id":0,"content":"[UNK]","special":true}],
        "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
        "pre_tokenizer":{"type":"BertPreTokenizer"},
        "post_processor":{"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{}},
        "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
        "padding":{"strategy":{"Fixed":128},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"[PAD]"},
        "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
        "vocab":{"[UNK]":0,"play":1,"##ing":2,"cafe":3,"!":4}}}"###;
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    // The file's padding to 128 tokens is left out.
    assert_eq!(tokenizer.encode("Playing Café! zzz").unwrap(), [1, 2, 3, 4, 0]);
    assert_eq!(tokenizer.decode(&[1, 2, 3]), "playing cafe");
    assert_eq!(tokenizer.token_text(2), "##ing");
}

/// The split patterns, by what they keep together; every byte is a token, so only splits show.
#[test]
fn pre_tokenizers_differ_on_digits() {
    let words = |pre: &str| {
        let json = format!(
            r#"{{"decoder":{{"type":"ByteLevel"}},"pre_tokenizer":{pre},"model":{{"type":"BPE",
            "vocab":{{"1":0,"11":1,"111":2,"1111":3,"Ġ":4,"Ġ1":5,"Ġ11":6}},
            "merges":["1 1",["11","1"],["111","1"],"Ġ 1","Ġ1 1"]}}}}"#
        );
        Tokenizer::from_json(json.as_bytes()).unwrap().encode("1111 11").unwrap()
    };
    let split = |pattern: &str| {
        let pattern = serde_json::to_string(pattern).unwrap();
        words(&format!(
            r#"{{"type":"Sequence","pretokenizers":[{{"type":"Split","pattern":{{"Regex":{pattern}}},"behavior":"Isolated","invert":false}},
            {{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}}]}}"#
        ))
    };
    // Words "1111", " 11" with GPT-2; "11" joins before "Ġ1", so " 11" is "Ġ", "11".
    assert_eq!(words(r#"{"type":"ByteLevel","add_prefix_space":false}"#), [1, 1, 4, 1]);
    assert_eq!(split(plan::Pattern::Gpt2.text()), [1, 1, 4, 1]);
    assert_eq!(split(plan::Pattern::Llama3.text()), [2, 0, 4, 1]);
    assert_eq!(split(plan::Pattern::Qwen2.text()), [0, 0, 0, 0, 4, 0, 0]);
}

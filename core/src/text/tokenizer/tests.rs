//! Both engines on the same texts: the page's must give what the `tokenizers` crate gives.

use proptest::prelude::*;
use tokenizers::utils::SysRegex;

use super::{direct, json, parts, plan::*, reference, split};

/// Where membership of a class changes, by the reference's own regular expressions.
fn changes(class: &str) -> Vec<u32> {
    let all: String = ('\0'..=char::MAX).collect();
    let pattern = SysRegex::new(&format!("{class}+")).unwrap();
    let code = |at: usize| all[at..].chars().next().map_or(u32::from(char::MAX) + 1, u32::from);
    pattern.find_iter(&all).flat_map(|(start, end)| [code(start), code(end)]).collect()
}

#[test]
fn classes_are_the_references() {
    use super::classes::*;
    for (name, class, table) in [("LETTERS", r"\p{L}", &LETTERS[..]), ("NUMBERS", r"\p{N}", &NUMBERS[..]), ("WORD", r"\w", &WORD[..])] {
        let expected = changes(class);
        assert!(table == expected, "{name} should be {expected:#x?}");
    }
    let spaces = SysRegex::new(r"\s").unwrap();
    for c in '\0'..=char::MAX {
        assert_eq!(spaces.find_iter(c.encode_utf8(&mut [0; 4])).count() == 1, c.is_whitespace(), "{c:?}");
    }
}

/// Texts of what patterns and vocabularies tell apart: short, so that every neighbourhood comes up.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            " ", "  ", "\n", "\r\n", "\t", "\u{a0}", "\u{3000}", "\u{85}", "'", "'s", "'S", "'ſ", "'re", "'RE", "'ll", "'lL", "'v", "’s", "a", "the", "THE", "é", "e\u{301}",
            "ß", "İ", "ſ", "ﬁ", "1", "12", "1234", "٣", "Ⅷ", "½", "四", "日本", "한", "\u{1112}\u{1161}", "ש\u{5bc}", "नि", "ำ", "_", "-", "...", "!", "$", "😀", "👩\u{200d}👧", "\u{200b}", "\u{feff}",
            "\u{0}", "\u{7f}", "\u{ad}", "\u{fffd}", "<|end|>", "<|end", "<|endless|>", "[X]", "x[X]x", " [X] ", "Wörd", "WÖRD", "wo\u{308}rd",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A vocabulary of bytes and some merges, or of words, under the given steps.
fn plans() -> Vec<(&'static str, Plan)> {
    let gpt2 = r#"{"type":"ByteLevel","add_prefix_space":false}"#;
    let digits = |individual: bool| format!(r#"{{"type":"Digits","individual_digits":{individual}}}"#);
    let pattern = |pattern: Pattern| {
        let text = serde_json::to_string(pattern.text()).unwrap();
        format!(
            r#"{{"type":"Split","pattern":{{"Regex":{text}}},"behavior":"Isolated"}},{{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}}"#
        )
    };
    let sequence = |steps: &str| format!(r#"{{"type":"Sequence","pretokenizers":[{steps}]}}"#);
    let bytes: Vec<String> = (0..=255).map(|byte| parts::char_of(byte).to_string()).collect();
    let merges = ["t h", "th e", "Ġ the", "Ġ Ġ", "Ċ Ċ", "1 2", "12 3", "e n", "l l", "' s", "Ġ a"];
    let mut vocab: Vec<String> = bytes.into_iter().chain(merges.iter().map(|merge| merge.replace(' ', ""))).collect();
    vocab.sort();
    vocab.dedup();
    let ids = |vocab: &[String]| {
        let pairs: Vec<String> =
            vocab.iter().enumerate().map(|(id, token)| format!("{}:{id}", serde_json::to_string(token).unwrap())).collect();
        format!("{{{}}}", pairs.join(","))
    };
    // Added tokens with every option; the longer of two that begin alike, one inside a word, one that normalisation changes.
    let n = vocab.len();
    let added = |first: usize| {
        format!(
            r#"[{{"id":{first},"content":"<|end|>","special":true}},{{"id":{},"content":"<|endless|>","special":true,"rstrip":true}},
            {{"id":{},"content":"[X]","lstrip":true,"rstrip":true}},{{"id":{},"content":"Wörd","normalized":true,"single_word":true}},
            {{"id":{},"content":"<|end","lstrip":true}}]"#,
            first + 1,
            first + 2,
            first + 3,
            first + 4
        )
    };
    let byte_level = |name: &'static str, pre: &str, normalizer: &str, ignore: bool| {
        let json = format!(
            r#"{{"added_tokens":{},"normalizer":{normalizer},"pre_tokenizer":{pre},"decoder":{{"type":"ByteLevel"}},
            "model":{{"type":"BPE","vocab":{},"merges":{},"ignore_merges":{ignore}}}}}"#,
            added(n),
            ids(&vocab),
            serde_json::to_string(&merges).unwrap()
        );
        (name, json::load(json.as_bytes()).unwrap())
    };
    let words: Vec<String> =
        ["[UNK]", "the", "a", "##a", "12", "##1", "!", "word", "##the", "'", "s", "日", "e", "$", "-", "_"].map(str::to_owned).to_vec();
    let word_piece = |name: &'static str, pre: &str, normalizer: &str| {
        let json = format!(
            r###"{{"added_tokens":{},"normalizer":{normalizer},"pre_tokenizer":{pre},"decoder":{{"type":"WordPiece","prefix":"##","cleanup":true}},
            "model":{{"type":"WordPiece","unk_token":"[UNK]","vocab":{}}}}}"###,
            added(words.len()),
            ids(&words)
        );
        (name, json::load(json.as_bytes()).unwrap())
    };
    let bert = r#"{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"#;
    vec![
        byte_level("gpt2", gpt2, "null", false),
        byte_level("smollm", &sequence(&format!("{},{gpt2}", digits(true))), "null", false),
        byte_level("grouped digits", &sequence(&format!("{},{gpt2}", digits(false))), r#"{"type":"NFD"}"#, false),
        byte_level("prefix space", r#"{"type":"ByteLevel","add_prefix_space":true}"#, r#"{"type":"NFKC"}"#, false),
        byte_level("gpt2 spelled out", &sequence(&pattern(Pattern::Gpt2)), "null", false),
        byte_level("llama3", &sequence(&pattern(Pattern::Llama3)), "null", true),
        byte_level("qwen2", &sequence(&pattern(Pattern::Qwen2)), r#"{"type":"NFC"}"#, false),
        byte_level(
            "folded",
            gpt2,
            r#"{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"StripAccents"},{"type":"Lowercase"}]}"#,
            false,
        ),
        byte_level("bytes in two steps", &sequence(&format!("{gpt2},{}", digits(true))), "null", false),
        byte_level("no splits", "null", "null", false),
        word_piece("bert", r#"{"type":"BertPreTokenizer"}"#, bert),
        word_piece("words", r#"{"type":"Whitespace"}"#, "null"),
        word_piece("white space", r#"{"type":"WhitespaceSplit"}"#, r#"{"type":"Lowercase"}"#),
    ]
}

#[test]
fn both_engines_know_the_same_tokens() {
    for (name, plan) in plans() {
        let (direct, reference) = (direct::Engine::new(plan.clone()).unwrap(), reference::Engine::new(plan).unwrap());
        assert_eq!(direct.vocab_size(), reference.vocab_size(), "{name}");
        for id in 0..=reference.vocab_size() as u32 {
            let token = reference.id_to_token(id);
            assert_eq!(direct.id_to_token(id), token, "{name}: {id}");
            if let Some(token) = token {
                assert_eq!(direct.token_to_id(&token), reference.token_to_id(&token), "{name}: {token}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn patterns_cut_as_the_regular_expressions_do(text in texts()) {
        for pattern in Pattern::ALL {
            let reference = SysRegex::new(pattern.text()).unwrap();
            let expected: Vec<&str> = reference.find_iter(&text).map(|(start, end)| &text[start..end]).collect();
            let found: Vec<&str> = split::pattern(pattern, &text).collect();
            prop_assert_eq!(found, expected, "{:?}", pattern);
        }
    }
}

#[test]
fn both_engines_give_the_same_ids_and_texts() {
    let engines: Vec<_> = plans()
        .into_iter()
        .map(|(name, plan)| (name, direct::Engine::new(plan.clone()).unwrap(), reference::Engine::new(plan).unwrap()))
        .collect();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1024));
    let compared = runner.run(&texts(), |text| {
        for (name, direct, reference) in &engines {
            let expected = reference.encode(&text).unwrap();
            prop_assert_eq!(&direct.encode(&text).unwrap(), &expected, "{}", name);
            prop_assert_eq!(direct.decode(&expected).unwrap(), reference.decode(&expected).unwrap(), "{}", name);
        }
        Ok(())
    });
    compared.unwrap();
}

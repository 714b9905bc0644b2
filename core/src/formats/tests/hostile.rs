//! One file per attack (`tests/fixtures/hostile/make.py`): each must cause the error it is made for.

use std::collections::BTreeMap;

use super::{
    super::{config::ModelDescription, gguf::Gguf, safetensors::SafeTensors, weights::*, *},
    fixture, read,
};
use crate::text::tokenizer::Tokenizer;

/// Does with a file all that vitrine does with files of its kind.
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "the fixtures are named in lower case")]
fn use_file(name: &str, bytes: Vec<u8>) -> Result<(), FormatError> {
    if name.ends_with(".gguf") {
        let file = Gguf::open(bytes)?;
        read_all(&file)?;
        if file.entries().contains_key("general.architecture") {
            ModelDescription::from_gguf(&file)?;
        }
        if file.entries().contains_key("tokenizer.ggml.model") {
            Tokenizer::from_gguf(&file)?;
        }
    } else if name.ends_with(".safetensors") {
        read_all(&SafeTensors::open(bytes)?)?;
    } else if name.ends_with(".config.json") {
        ModelDescription::from_hf_config(&bytes)?;
    } else if name.ends_with(".tokenizer.json") {
        Tokenizer::from_json(&bytes)?;
    } else if name.ends_with(".index.json") {
        let none: BTreeMap<String, SafeTensors<Vec<u8>>> = BTreeMap::new();
        Sharded::new(ShardIndex::parse(&bytes)?, none)?;
    } else {
        panic!("no reader for {name}");
    }
    Ok(())
}

fn read_all(file: &impl WeightSource) -> Result<(), FormatError> {
    for name in file.names() {
        check_finite(&name, &file.read_f32(&name)?)?;
    }
    Ok(())
}

#[test]
fn every_attack_ends_in_its_own_error() {
    let table = String::from_utf8(read("hostile/expected.tsv")).unwrap();
    let table: BTreeMap<&str, &str> = table.lines().filter_map(|l| l.split_once('\t')).collect();
    let mut files = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(fixture("hostile")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "make.py" || name == "expected.tsv" {
            continue;
        }
        files += 1;
        let want = table.get(name.as_str()).copied().unwrap_or("(not listed)");
        match use_file(&name, read(&format!("hostile/{name}"))) {
            Ok(()) => wrong.push(format!("{name}: accepted, expected {want}")),
            Err(error) => {
                let error = error.to_string();
                let printable = error.len() < 600 && !error.contains(char::is_control);
                if !error.contains(want) || !printable {
                    wrong.push(format!("{name}: {error:?}, expected {want}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(files, table.len());
}

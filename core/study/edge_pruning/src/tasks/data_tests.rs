//! Reads the shared data sets where `VITRINE_DATA` says they are; says so and passes where it is unset.

use super::boolean::{BooleanPrompt, ChatFormat};
use super::encode::{EncodeOptions, TargetKind, YearForm};
use super::ioi::IoiCorruption;
use super::lines::LineLimits;
use super::pair::Split;
use super::rows::{IdFamily, RowOptions, read_rows};
use super::tracr::{EdgeTruth, OutputKind, TracrConfig};
use std::path::PathBuf;

fn read(path: &str) -> Option<String> {
    let Some(root) = std::env::var_os("VITRINE_DATA") else {
        eprintln!("skipped: VITRINE_DATA not set");
        return None;
    };
    Some(std::fs::read_to_string(PathBuf::from(root).join(path)).unwrap())
}

#[test]
fn all_prepared_rows_are_read_and_fit_both_vocabularies() {
    for (task, corruptions) in [("ioi", 3), ("gt", 1), ("gp", 1), ("bool", 1)] {
        let Some(text) = read(&format!("circuits/{task}.jsonl")) else { return };
        let rows = read_rows(&text, LineLimits::default()).unwrap();
        let count = |split| rows.iter().filter(|row| row.split == Some(split)).count();
        assert_eq!((count(Split::Train), count(Split::Validation), count(Split::Test)), (200, 100, 200), "{task}");
        for row in &rows {
            for (family, vocab_size, form) in [(IdFamily::Gpt2, 50_257, YearForm::TwoDigits), (IdFamily::SmolLm2, 49_152, YearForm::Digits)]
            {
                let e = row.encoded(family, &EncodeOptions { context: 64, vocab_size, bos: None }).unwrap();
                assert_eq!(e.positions, [e.clean.len() - 1]);
                match e.target {
                    TargetKind::Tokens => assert!(e.answers.len() == 1 && e.wrong[0].is_some_and(|wrong| wrong != e.answers[0])),
                    TargetKind::Year { yy, form: own } => assert!(task == "gt" && own == form && (2..=98).contains(&yy)),
                }
                assert_ne!(e.clean, e.corrupted);
            }
            for corruption in [IoiCorruption::FreshNames, IoiCorruption::RepeatedName, IoiCorruption::Swap].into_iter().take(corruptions) {
                for prompt in [BooleanPrompt::Bare, BooleanPrompt::FewShot, BooleanPrompt::Instruction(ChatFormat::Llama2)] {
                    let pair = row.pair(RowOptions { corruption, prompt }).unwrap();
                    assert!(pair.serves(Split::Test) == (row.split == Some(Split::Test)) && pair.clean != pair.corrupted);
                }
            }
        }
    }
}

#[test]
fn all_programs_are_read_and_their_outputs_decode() {
    for (program, edges, zero, interchange) in [("xproportion", 32, 5, 3), ("reverse", 94, 9, 2), ("hist", 13, 6, 4)] {
        let Some(config) = read(&format!("tracr/{program}/config.json")) else { return };
        let config = TracrConfig::from_json(&config).unwrap();
        let pairs = config.read_pairs(&read(&format!("tracr/{program}/pairs.jsonl")).unwrap(), LineLimits::default()).unwrap();
        for pair in &pairs {
            let raw: Vec<&[f32]> = pair.raw.iter().map(Vec::as_slice).collect();
            assert!(config.is_right(&raw, &pair.output, 1e-5), "{program} {:?}", pair.tokens);
            let ids = pair.tokens.iter().map(|token| config.vocab.iter().find(|(known, _)| known == token).unwrap().1);
            assert!(std::iter::once(config.bos_id).chain(ids).eq(pair.input_ids.iter().copied()));
        }
        let full = config.full_length_inputs(1 << 16, 0).unwrap();
        assert_eq!(full.len(), config.input_tokens().len().pow(u32::try_from(config.max_seq_len_without_bos).unwrap()));
        // Every prepared input of full length is among the listed ones.
        let longest = pairs.iter().filter(|pair| pair.tokens.len() == config.max_seq_len_without_bos);
        assert!(longest.map(|pair| &pair.input_ids).all(|ids| full.binary_search(ids).is_ok()));
        assert_eq!(config.output_kind == OutputKind::Numerical, program == "xproportion");
        let graph = config.graph().unwrap();
        let truth = EdgeTruth::from_json(&read(&format!("tracr/{program}/edges.json")).unwrap(), &graph).unwrap();
        assert_eq!((graph.n_edges(), truth.sets.len(), truth.per_edge.len()), (edges, 7, edges));
        assert_eq!((truth.sets["minimal_zero"].len(), truth.sets["minimal_interchange"].len()), (zero, interchange));
        // An edge is in `single_…` exactly if its removal changes some output.
        let changing = |share: fn(&super::tracr::EdgeEffect) -> f64| {
            let mut ids: Vec<usize> = truth.per_edge.iter().filter(|effect| share(effect) > 0.0).map(|effect| effect.edge).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(truth.sets["single_zero"], changing(|effect| effect.zero_frac_changed));
        assert_eq!(truth.sets["single_interchange"], changing(|effect| effect.interchange_frac_changed));
    }
}

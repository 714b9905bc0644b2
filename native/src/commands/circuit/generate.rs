//! `circuit data`: examples of the known tasks as JSON lines, and inputs with outputs of the shipped compiled programs.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use vitrine_core::formats::safetensors::SafeTensors;
use vitrine_edge_pruning::{
    programs::Program,
    run::PROGRAMS,
    tasks::{
        EncodeOptions, Generator, Pair, Split, boolean::Boolean, encode, greater_than::GreaterThan, ioi::Ioi, pair::Predict,
        pronoun::Pronoun,
    },
};

use super::data::{CorruptionArg, PromptArg};
use crate::{atomic, open};

/// Most rows of one call: the readers take no more.
const MAX_ROWS: u64 = 1 << 20;

/// The known tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TaskName {
    /// Indirect object identification.
    Ioi,
    /// Greater-than: the end of a range of years.
    Gt,
    /// Gendered pronoun.
    Gp,
    /// Boolean expressions.
    Bool,
    /// Inputs and outputs of a compiled program (see --program).
    Tracr,
}

#[derive(Debug, Args)]
pub struct Generate {
    #[arg(long, value_enum)]
    task: TaskName,
    /// Rows in all: two fifths train, one fifth validation, two fifths test.
    #[arg(long, default_value_t = 500)]
    rows: u64,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only examples that this model can be asked: as many tokens in both prompts, answers of one token.
    #[arg(long)]
    model: Option<String>,
    /// Indirect objects: what the corrupted prompt changes.
    #[arg(long, value_enum, default_value_t)]
    corruption: CorruptionArg,
    /// Booleans: how the question is put.
    #[arg(long, value_enum, default_value_t)]
    prompt: PromptArg,
    /// The compiled program of task tracr: xproportion, reverse or hist.
    #[arg(long, default_value = "xproportion")]
    program: String,
    #[arg(long)]
    out: PathBuf,
}

pub fn run(args: &Generate) -> Result<()> {
    ensure!((1..=MAX_ROWS).contains(&args.rows), "--rows must be 1 to {MAX_ROWS}");
    let text = match args.task {
        TaskName::Tracr => program_rows(&args.program, args.rows, args.seed)?,
        TaskName::Ioi => rows(&Ioi { corruption: args.corruption.into(), ..Ioi::default() }, args)?,
        TaskName::Gt => rows(&GreaterThan, args)?,
        TaskName::Gp => rows(&Pronoun, args)?,
        TaskName::Bool => rows(&Boolean { prompt: args.prompt.into(), ..Boolean::default() }, args)?,
    };
    atomic::write_file(&args.out, text.as_bytes())?;
    println!("{} rows; {}", text.lines().count(), args.out.display());
    Ok(())
}

fn rows(task: &dyn Generator, args: &Generate) -> Result<String> {
    let described = args.model.as_deref().map(|name| Ok::<_, anyhow::Error>((open::config(name)?, open::tokenizer(name)?))).transpose()?;
    let accept = |pair: &Pair| {
        described.as_ref().is_none_or(|(config, tokenizer)| {
            let ids = |text: &str| tokenizer.encode(text).map_err(|e| e.to_string());
            encode(pair, 1, &ids, &EncodeOptions { context: config.max_positions, vocab_size: config.vocab_size, bos: None }).is_ok()
        })
    };
    let (train, validation) = (args.rows * 2 / 5, args.rows / 5);
    let counts = [(Split::Train, train), (Split::Validation, validation), (Split::Test, args.rows - train - validation)];
    let mut text = String::new();
    for (split, count) in counts {
        for index in 0..count {
            let pair = task.example_where(args.seed, split, index, &accept)?;
            writeln!(text, "{}", Value::Object(row(&pair)))?;
        }
    }
    Ok(text)
}

/// A pair as a row that `--data` reads.
fn row(pair: &Pair) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("split".into(), json!(pair.split));
    row.insert("clean".into(), json!(pair.clean));
    row.insert("corrupted".into(), json!(pair.corrupted));
    match &pair.predict {
        Predict::Next { answer, wrong } => {
            row.insert("answer".into(), json!(answer));
            if let Some(wrong) = wrong {
                row.insert("wrong".into(), json!(wrong));
            }
        }
        Predict::Year { yy } => drop(row.insert("year".into(), json!(yy))),
        Predict::Spans { .. } => {}
    }
    for (tag, name) in [("order", "order"), ("noun", "noun")] {
        row.extend(pair.tags.get(tag).map(|value| (name.to_owned(), json!(value))));
    }
    row.extend(pair.tags.get("frame").and_then(|frame| frame.parse::<u32>().ok()).map(|frame| ("template".to_owned(), json!(frame))));
    row
}

/// Full-length inputs of a shipped program with the outputs that its model gives.
fn program_rows(name: &str, rows: u64, seed: u64) -> Result<String> {
    let known = PROGRAMS.iter().find(|(known, ..)| *known == name);
    let names: Vec<&str> = PROGRAMS.iter().map(|(known, ..)| *known).collect();
    let (_, config, _, weights) = known.with_context(|| format!("there is no shipped program {name}; there are: {}", names.join(", ")))?;
    let program = Program::load(config, &SafeTensors::open(*weights)?, &Device::flex())?;
    let mut text = String::new();
    for ids in program.config.full_length_inputs(usize::try_from(rows)?, seed)?.iter().take(usize::try_from(rows)?) {
        let outputs = program.model.logits(&program.model.batch(&[&ids])?).try_into_data()?;
        let outputs = outputs.try_into_vec::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let raw: Vec<&[f32]> = outputs.chunks_exact(program.config.d_out).skip(1).collect();
        let output: Option<Vec<_>> = raw.iter().map(|row| program.config.decode(row)).collect();
        let token = |id: &u32| program.config.vocab.iter().find(|(_, known)| known == id).map(|(token, _)| token);
        let tokens: Vec<_> = ids.iter().skip(1).filter_map(token).collect();
        writeln!(text, "{}", json!({"tokens": tokens, "input_ids": ids, "output": output, "raw": raw}))?;
    }
    Ok(text)
}

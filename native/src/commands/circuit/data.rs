//! What a circuit command works on: a model, examples of a task, an ablation; and what it says about them before it starts.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use vitrine_core::model::{EmbeddingNodes, stream};
use vitrine_edge_pruning::{
    evaluate::{Outputs, compare},
    problem::{Problem, PruneError},
    tasks::{
        EncodeOptions, Encoded, Pair, Scoring, Split,
        boolean::{BooleanPrompt, ChatFormat},
        custom::read_custom,
        encode::{TargetKind, YearTokens},
        encode_split,
        ioi::IoiCorruption,
        lines::LineLimits,
        rows::{RowOptions, read_rows},
    },
};

use crate::{open, resources};

/// What stands in for cut edges.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum AblationArg {
    #[default]
    Interchange,
    Mean,
    Zero,
}

impl From<AblationArg> for stream::Ablation {
    fn from(a: AblationArg) -> Self {
        match a {
            AblationArg::Interchange => Self::Interchange,
            AblationArg::Mean => Self::Mean,
            AblationArg::Zero => Self::Zero,
        }
    }
}

/// Which corruption of indirect-object rows.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum CorruptionArg {
    /// Three fresh names.
    #[default]
    Fresh,
    /// A third name in place of the repeated one.
    Repeated,
    /// The other name repeated.
    Swap,
}

/// How boolean rows are put.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum PromptArg {
    #[default]
    Bare,
    FewShot,
    Llama2,
    Chatml,
}

impl From<PromptArg> for BooleanPrompt {
    fn from(prompt: PromptArg) -> Self {
        match prompt {
            PromptArg::Bare => Self::Bare,
            PromptArg::FewShot => Self::FewShot,
            PromptArg::Llama2 => Self::Instruction(ChatFormat::Llama2),
            PromptArg::Chatml => Self::Instruction(ChatFormat::ChatMl),
        }
    }
}

impl From<CorruptionArg> for IoiCorruption {
    fn from(corruption: CorruptionArg) -> Self {
        match corruption {
            CorruptionArg::Fresh => Self::FreshNames,
            CorruptionArg::Repeated => Self::RepeatedName,
            CorruptionArg::Swap => Self::Swap,
        }
    }
}

/// Examples and what is done with them.
#[derive(Debug, Clone, Default, Args)]
pub struct Task {
    /// JSON lines: `clean`, `corrupted` and `answer` or `year`, or the predicted part in <predict>…</predict>.
    #[arg(long)]
    pub data: PathBuf,
    /// What cut edges carry: the corrupted partner's values, means over the examples, or nothing.
    #[arg(long, value_enum, default_value_t)]
    pub ablation: AblationArg,
    /// Use at most so many examples of each split.
    #[arg(long)]
    pub limit: Option<usize>,
    /// Embeddings always reach every reader and are no nodes.
    #[arg(long)]
    pub without_embeddings: bool,
    /// Which corruption, for rows that have several.
    #[arg(long, value_enum, default_value_t)]
    pub corruption: CorruptionArg,
    /// How boolean rows are put.
    #[arg(long, value_enum, default_value_t)]
    pub prompt: PromptArg,
    /// Warn when the full model's accuracy on the test split is below this.
    #[arg(long, default_value_t = DEFAULT_FLOOR)]
    pub floor: f64,
}

/// Accuracy of the full model below which a circuit explains little.
pub const DEFAULT_FLOOR: f64 = 0.5;

/// Training and test problems of a model and a data file.
pub fn problem<'a>(opened: &'a open::Opened, task: &Task) -> Result<(Problem<'a>, Problem<'a>)> {
    let text = &open::text(&task.data)?;
    let place = || format!("in {}", task.data.display());
    let pairs: Vec<Pair> = if text.contains("<predict>") {
        read_custom(text, LineLimits::default()).with_context(place)?
    } else {
        let rows = read_rows(text, LineLimits::default()).with_context(place)?;
        let options = RowOptions { corruption: task.corruption.into(), prompt: task.prompt.into() };
        rows.iter().map(|row| row.pair(options)).collect::<Result<_, _>>().with_context(place)?
    };
    let config = opened.model.config;
    let ids = |text: &str| opened.tokenizer.encode(text).map_err(|e| e.to_string());
    let options = EncodeOptions { context: config.max_positions, vocab_size: config.vocab_size, bos: None };
    let split = |split: Split| -> Result<Vec<Encoded>> {
        let mut examples = encode_split(&pairs, split, &ids, &options).with_context(place)?;
        examples.truncate(task.limit.unwrap_or(usize::MAX));
        Ok(examples)
    };
    let (train_examples, test_examples) = (split(Split::Train)?, split(Split::Test)?);
    let years = train_examples.iter().any(|e| matches!(e.target, TargetKind::Year { .. }));
    let scoring = if years { YearTokens::detect(&ids)?.scoring() } else { Scoring::FullVocab };
    let nodes = if task.without_embeddings { EmbeddingNodes::AlwaysOn } else { config.default_embedding_nodes() };
    let train_on = Problem::new(&opened.model, config.graph(nodes)?, train_examples, scoring, task.ablation.into())?;
    let test_on = train_on.with_examples(test_examples)?;
    Ok((train_on, test_on))
}

/// Says what training will need above the weights, and refuses to start where that is more than allowed.
///
/// 2.5 writer stores (see the bound on peak memory in the method's definition): `2.5 · writers · batch · tokens · width · 4` bytes, and with kept references the activations of every
/// example. Returns MiB.
///
/// # Errors
/// [`PruneError::Memory`].
pub fn check_memory(problem: &Problem, batch_size: usize, cached: bool, max_memory: Option<u64>, quiet: bool) -> Result<u64> {
    let config = &problem.model.config;
    let tokens = problem.examples.iter().map(|e| e.clean.len()).max().unwrap_or(0) as u64;
    let (examples, width) = (problem.examples.len() as u64, config.d_model as u64);
    let batch = (batch_size as u64).min(examples);
    let step = (problem.graph.n_writers() as u64).saturating_mul(batch).saturating_mul(tokens).saturating_mul(width * 4) / 2 * 5;
    let heads = (config.n_heads * config.d_head) as u64;
    let reference = (config.n_layers as u64).saturating_mul(2 * width + heads) + 3 * width;
    let kept = if cached { reference.saturating_mul(4).saturating_mul(examples).saturating_mul(tokens) } else { 0 };
    let needed = step.saturating_add(kept).div_ceil(1 << 20);
    if !quiet {
        eprintln!("about {needed} MiB above the weights, for batches of {batch} examples of up to {tokens} tokens");
    }
    if let Some(allowed) = max_memory.filter(|allowed| needed > *allowed) {
        return Err(PruneError::Memory { needed, allowed }.into());
    }
    if let Some(available) = resources::available_memory_bytes().map(|bytes| bytes >> 20).filter(|available| needed > *available) {
        eprintln!("warning: only {available} MiB are free; a smaller batch needs less");
    }
    Ok(needed)
}

/// A warning where the full model itself does badly on the task.
///
/// # Errors
/// Scoring errors, such as outputs that are not finite.
pub fn floor_warning(test_on: &Problem, full: &Outputs, floor: f64) -> Result<Option<String>> {
    let accuracy = compare(test_on, full, full)?.accuracy;
    Ok(accuracy.filter(|accuracy| *accuracy < floor).map(|accuracy| {
        format!("the full model's own accuracy on this task is {accuracy:.3}, below the floor of {floor}: its circuits explain little")
    }))
}

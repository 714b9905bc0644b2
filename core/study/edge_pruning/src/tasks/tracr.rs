//! Compiled programs: transformers whose weights were written by a compiler, so that the right circuit is known.
//!
//! Four files describe one program: its sizes and vocabulary (`config.json`), inputs with the compiler's own outputs (`pairs.jsonl`), edge sets
//! (`edges.json`) and weights (read elsewhere). Inputs are the beginning-of-text token and up to `max_seq_len_without_bos` tokens.

use super::lines::{LineLimits, LinesError, read_lines};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;
use vitrine_core::model::graph::{EmbeddingNodes, Graph, GraphError, GraphShape};
use vitrine_core::train::rng::Stream;

/// Largest size of anything in a config: layers, dimensions, vocabulary, positions.
pub const MAX_SIZE: usize = 1 << 16;
/// Most inputs listed for one program.
pub const MAX_INPUTS: usize = 1 << 20;

/// A token of a program's vocabulary or one of its output values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TracrValue {
    /// Truth values come from selectors turned into outputs.
    Bool(bool),
    /// Whole numbers.
    Int(i64),
    /// Fractions.
    Number(f64),
    /// Words.
    Text(String),
}

impl TracrValue {
    /// Equality that takes 1 and 1.0 for the same, and numbers within `tolerance`.
    pub fn agrees(&self, other: &Self, tolerance: f64) -> bool {
        let number = |value: &Self| match value {
            Self::Int(i) => Some(*i as f64),
            Self::Number(x) => Some(*x),
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            Self::Text(_) => None,
        };
        match (number(self), number(other)) {
            (Some(a), Some(b)) => (a - b).abs() <= tolerance,
            _ => self == other,
        }
    }
}

/// What a program gives at each position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// The argmax over `output_values`.
    Categorical,
    /// One number.
    Numerical,
}

/// Sizes and vocabulary of a compiled program.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TracrConfig {
    pub name: String,
    #[serde(default)]
    pub doc: String,
    pub n_layers: usize,
    pub n_heads: usize,
    pub key_size: usize,
    pub d_model: usize,
    pub d_mlp: usize,
    pub causal: bool,
    pub vocab_size: usize,
    pub max_seq_len_without_bos: usize,
    pub max_positions: usize,
    pub bos_id: u32,
    pub pad_id: u32,
    /// Token and id.
    pub vocab: Vec<(TracrValue, u32)>,
    pub output_kind: OutputKind,
    pub d_out: usize,
    /// The value of each class; absent for numbers.
    pub output_values: Option<Vec<TracrValue>>,
    #[serde(default)]
    pub residual_labels: Vec<String>,
    #[serde(default)]
    pub n_edges_total: Option<usize>,
}

/// One input and what the compiled program gives for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TracrPair {
    pub tokens: Vec<TracrValue>,
    /// Beginning-of-text id and the tokens' ids.
    pub input_ids: Vec<u32>,
    /// Decoded output of the positions after the first.
    pub output: Vec<TracrValue>,
    /// Output before decoding, `[positions after the first][d_out]`.
    pub raw: Vec<Vec<f32>>,
}

/// What can be wrong with a program's files.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TracrError {
    #[error("config.json: {0}")]
    Config(String),
    #[error("pairs.jsonl: {0}")]
    Pairs(#[from] LinesError),
    #[error("edges.json: {0}")]
    Edges(String),
    #[error("edges.json, set `{set}`: {error}")]
    Edge { set: String, error: GraphError },
    #[error("length {length} is outside 1..={max} for this program")]
    Length { length: usize, max: usize },
}

impl TracrConfig {
    /// Reads and checks a config.
    ///
    /// # Errors
    /// [`TracrError::Config`].
    pub fn from_json(text: &str) -> Result<Self, TracrError> {
        let config: Self = serde_json::from_str(text).map_err(|error| TracrError::Config(error.to_string()))?;
        config.checked().map_err(TracrError::Config)
    }

    fn checked(self) -> Result<Self, String> {
        let sizes = [
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            ("key_size", self.key_size),
            ("d_model", self.d_model),
            ("d_mlp", self.d_mlp),
            ("vocab_size", self.vocab_size),
            ("max_seq_len_without_bos", self.max_seq_len_without_bos),
            ("max_positions", self.max_positions),
            ("d_out", self.d_out),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| !(1..=MAX_SIZE).contains(size)) {
            return Err(format!("{name} is {size}; it must be 1 to {MAX_SIZE}"));
        }
        if self.n_layers.checked_mul(self.n_heads).is_none_or(|heads| heads > 1024) || self.n_heads > 256 {
            return Err(format!("{} layers of {} heads are too many", self.n_layers, self.n_heads));
        }
        if self.max_positions <= self.max_seq_len_without_bos {
            return Err(format!("max_positions {} leaves no room for the first token", self.max_positions));
        }
        if self.vocab.len() != self.vocab_size {
            return Err(format!("vocab lists {} tokens, vocab_size is {}", self.vocab.len(), self.vocab_size));
        }
        let mut seen = vec![false; self.vocab_size];
        for (token, id) in &self.vocab {
            match seen.get_mut(*id as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(format!("id {id} of token {token:?} is outside 0..{} or used twice", self.vocab_size)),
            }
        }
        if [self.bos_id, self.pad_id].iter().any(|&id| id as usize >= self.vocab_size) {
            return Err("bos_id or pad_id is outside the vocabulary".to_owned());
        }
        match (self.output_kind, self.output_values.as_ref().map(Vec::len)) {
            (OutputKind::Categorical, Some(n)) if n == self.d_out => Ok(self),
            (OutputKind::Numerical, None) if self.d_out == 1 => Ok(self),
            (kind, n) => Err(format!("{kind:?} output with d_out {} and {n:?} output values", self.d_out)),
        }
    }

    /// The program's graph: token and position embeddings apart, key/value heads not shared.
    ///
    /// # Errors
    /// None for a checked config.
    pub fn graph(&self) -> Result<Graph, GraphError> {
        let (n_layers, n_heads) = (self.n_layers, self.n_heads);
        Graph::new(GraphShape { n_layers, n_heads, n_kv_heads: n_heads, embedding_nodes: EmbeddingNodes::Split })
    }

    /// Ids that may stand in an input, ascending.
    pub fn input_tokens(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.vocab.iter().map(|(_, id)| *id).filter(|&id| id != self.bos_id && id != self.pad_id).collect();
        ids.sort_unstable();
        ids
    }

    /// Inputs (first token included) with `length` tokens after it: all of them in lexicographic order of ids where at most `cap` exist, else
    /// `cap` drawn independently by `seed`. `cap` is itself held to [`MAX_INPUTS`].
    ///
    /// # Errors
    /// [`TracrError::Length`].
    pub fn inputs(&self, length: usize, cap: usize, seed: u64) -> Result<Vec<Vec<u32>>, TracrError> {
        if length == 0 || length > self.max_seq_len_without_bos {
            return Err(TracrError::Length { length, max: self.max_seq_len_without_bos });
        }
        let (tokens, cap) = (self.input_tokens(), cap.min(MAX_INPUTS));
        let all = u32::try_from(length).ok().and_then(|length| tokens.len().checked_pow(length));
        let exhaustive = all.filter(|&all| all <= cap);
        let input = |index: usize| -> Vec<u32> {
            let mut ids = vec![self.bos_id; length + 1];
            let mut stream = Stream::new(seed, "tracr/inputs", index as u64);
            let mut rest = index;
            for id in ids.iter_mut().skip(1).rev() {
                let digit = if exhaustive.is_some() { rest % tokens.len() } else { stream.below(tokens.len()) };
                rest /= tokens.len().max(1);
                *id = tokens.get(digit).copied().unwrap_or(self.pad_id);
            }
            ids
        };
        Ok((0..exhaustive.unwrap_or(cap)).map(input).collect())
    }

    /// All inputs of full length, or `cap` drawn ones; see [`TracrConfig::inputs`].
    ///
    /// # Errors
    /// None for a checked config.
    pub fn full_length_inputs(&self, cap: usize, seed: u64) -> Result<Vec<Vec<u32>>, TracrError> {
        self.inputs(self.max_seq_len_without_bos, cap, seed)
    }

    /// Decodes one position's output: the value of its largest class, or its number.
    pub fn decode(&self, raw: &[f32]) -> Option<TracrValue> {
        match (self.output_kind, &self.output_values) {
            (OutputKind::Categorical, Some(values)) => values.get(super::metrics::argmax(raw, None).ok()?).cloned(),
            _ => raw.first().map(|&x| TracrValue::Number(f64::from(x))),
        }
    }

    /// Whether an input's decoded outputs are right; numbers within `tolerance`.
    pub fn is_right(&self, raw: &[&[f32]], expected: &[TracrValue], tolerance: f64) -> bool {
        raw.len() == expected.len()
            && raw.iter().zip(expected).all(|(raw, right)| self.decode(raw).is_some_and(|value| value.agrees(right, tolerance)))
    }

    /// Reads and checks inputs with outputs.
    ///
    /// # Errors
    /// [`TracrError::Pairs`] with the line number.
    pub fn read_pairs(&self, text: &str, limits: LineLimits) -> Result<Vec<TracrPair>, TracrError> {
        let rows = read_lines::<TracrPair>(text, limits)?;
        let check = |(line, pair): (usize, TracrPair)| match self.misfit(&pair) {
            Some(reason) => Err(TracrError::Pairs(LinesError::Row { line, reason })),
            None => Ok(pair),
        };
        rows.into_iter().map(check).collect()
    }

    fn misfit(&self, pair: &TracrPair) -> Option<String> {
        let n = pair.tokens.len();
        if n == 0 || n > self.max_seq_len_without_bos {
            return Some(format!("{n} tokens; this program takes 1 to {}", self.max_seq_len_without_bos));
        }
        if pair.input_ids.len() != n + 1 || pair.output.len() != n || pair.raw.len() != n {
            return Some("input_ids must have one entry more than tokens, output and raw as many".to_owned());
        }
        if let Some(id) = pair.input_ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            return Some(format!("id {id} is outside the vocabulary of {}", self.vocab_size));
        }
        if pair.input_ids.first() != Some(&self.bos_id) {
            return Some(format!("the first id must be {}", self.bos_id));
        }
        if pair.raw.iter().any(|row| row.len() != self.d_out || row.iter().any(|x| !x.is_finite())) {
            return Some(format!("every row of raw needs {} finite numbers", self.d_out));
        }
        None
    }
}

/// The known edge sets of a program, as edge ids of its graph.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeTruth {
    /// Edge ids by set name (`structural`, `minimal_zero`, `minimal_interchange`, …), ascending.
    pub sets: BTreeMap<String, Vec<usize>>,
    /// Measured effects of removing single edges.
    pub per_edge: Vec<EdgeEffect>,
}

/// What removing one edge alone does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeEffect {
    /// Edge id.
    pub edge: usize,
    /// Largest change of a raw output, edge set to zero.
    pub zero_max_abs: f64,
    /// Share of decoded outputs that change, edge set to zero.
    pub zero_frac_changed: f64,
    /// Largest change of a raw output, edge carrying another input's value.
    pub interchange_max_abs: f64,
    /// Share of decoded outputs that change, edge carrying another input's value.
    pub interchange_frac_changed: f64,
}

#[derive(Deserialize)]
struct EdgesFile {
    n_edges_total: usize,
    #[serde(default)]
    per_edge: Vec<EffectRow>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct EffectRow {
    from: String,
    to: String,
    zero_max_abs: f64,
    zero_frac_changed: f64,
    interchange_max_abs: f64,
    interchange_frac_changed: f64,
}

/// The edge sets a truth file may hold.
const SETS: [&str; 7] = [
    "structural",
    "minimal_zero",
    "minimal_zero_all_lengths",
    "minimal_interchange",
    "minimal_interchange_all_lengths",
    "single_zero",
    "single_interchange",
];

impl EdgeTruth {
    /// Reads the known edge sets and checks every edge against the program's graph.
    ///
    /// # Errors
    /// [`TracrError::Edges`], [`TracrError::Edge`] for unknown nodes and backwards edges.
    pub fn from_json(text: &str, graph: &Graph) -> Result<Self, TracrError> {
        let file: EdgesFile = serde_json::from_str(text).map_err(|error| TracrError::Edges(error.to_string()))?;
        if file.n_edges_total != graph.n_edges() {
            return Err(TracrError::Edges(format!(
                "for a graph of {} edges, but this program has {}",
                file.n_edges_total,
                graph.n_edges()
            )));
        }
        let mut sets = BTreeMap::new();
        for name in SETS {
            let Some(value) = file.rest.get(name) else { continue };
            let pairs: Vec<(String, String)> =
                Deserialize::deserialize(value).map_err(|error| TracrError::Edges(format!("set `{name}`: {error}")))?;
            let edge = |error| TracrError::Edge { set: name.to_owned(), error };
            let mut ids = pairs.iter().map(|(w, r)| graph.edge_by_name(w, r).map_err(edge)).collect::<Result<Vec<_>, _>>()?;
            ids.sort_unstable();
            if ids.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(TracrError::Edges(format!("set `{name}` names an edge twice")));
            }
            sets.insert(name.to_owned(), ids);
        }
        let effect = |row: &EffectRow| -> Result<EdgeEffect, TracrError> {
            let error = |error| TracrError::Edge { set: "per_edge".to_owned(), error };
            Ok(EdgeEffect {
                edge: graph.edge_by_name(&row.from, &row.to).map_err(error)?,
                zero_max_abs: row.zero_max_abs,
                zero_frac_changed: row.zero_frac_changed,
                interchange_max_abs: row.interchange_max_abs,
                interchange_frac_changed: row.interchange_frac_changed,
            })
        };
        Ok(Self { sets, per_edge: file.per_edge.iter().map(effect).collect::<Result<_, _>>()? })
    }

    /// A set as a mask over edge ids, or `None` where the file has no such set.
    pub fn mask(&self, set: &str, graph: &Graph) -> Option<Vec<bool>> {
        let mut mask = vec![false; graph.n_edges()];
        for &id in self.sets.get(set)? {
            *mask.get_mut(id)? = true;
        }
        Some(mask)
    }
}

#[cfg(test)]
#[path = "tracr_tests.rs"]
mod tests;

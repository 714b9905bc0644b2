//! A circuit on the table: what pages and commands need to look at one.
//!
//! **Idea.** A person opens a circuit, turns edges on and off, and wants to see at once what the model then says. All of it in core, so that a page and the command line
//! give the same numbers and neither computes any.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`subject`] | a model with its graph and its words |
//! | [`contrast`] | one clean/corrupted prompt pair, run full, pruned and corrupted |
//! | [`reading`] | next-token distributions of the three runs, side by side |
//! | [`faithfulness`] | the loss of circuits over a task's examples: the curve |
//! | [`scoring`] | a first circuit for any model |
//! | [`sheet`], [`listing`] | the circuit shown: sizes, switches, a second circuit, lists |
//! | [`mod@open`] | circuit files of any format |
//! | [`training`] | Edge Pruning taken step by step |

pub mod contrast;
pub mod faithfulness;
pub mod listing;
pub mod open;
pub mod reading;
pub mod scoring;
pub mod sheet;
pub mod subject;
pub mod training;

pub use contrast::Contrast;
pub use faithfulness::Faithfulness;
pub use open::open;
pub use sheet::Sheet;
pub use subject::Subject;
pub use training::Training;

use thiserror::Error;

use super::{
    circuit::CircuitError,
    problem::PruneError,
    programs::ProgramError,
    run::StudyError,
    tasks::{EncodeError, tracr::TracrError, vocab::VocabError},
};
use vitrine_core::{
    formats::FormatError,
    model::{graph::GraphError, load::LoadError},
};

/// Why something could not be shown.
#[derive(Debug, Error)]
pub enum InspectError {
    #[error(transparent)]
    Circuit(#[from] CircuitError),
    #[error(transparent)]
    Prune(#[from] PruneError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Vocab(#[from] VocabError),
    #[error(transparent)]
    Tracr(#[from] TracrError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error("no weights of this file lie in blocks that can be multiplied as they are (Q4_0, Q4_1, Q8_0)")]
    Blocks,
    #[error("the {side} prompt is empty")]
    Empty { side: &'static str },
    #[error("`{word}` is no token of this program; it knows: {known}")]
    UnknownToken { word: String, known: String },
    #[error(
        "the clean prompt has {clean} tokens and the corrupted one {corrupted}; both need the same number, so that each token has its partner"
    )]
    Lengths { clean: usize, corrupted: usize },
    #[error("{tokens} tokens are more than this model's {most}")]
    TooLong { tokens: usize, most: usize },
    #[error("there is no position {position}; the prompt has {tokens} tokens")]
    NoPosition { position: usize, tokens: usize },
    #[error("an edge list names no model; open the model it belongs to first")]
    NeedsModel,
    #[error("the circuit has no scores, so it cannot be shown at another size")]
    NoScores,
    #[error("{0}")]
    Refused(String),
}

//! One example as text: a clean prompt, a corrupted prompt, and what is predicted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Which part of a data set an example belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Masks are learned and edges are scored here.
    #[serde(alias = "training")]
    Train,
    /// Thresholds and settings are chosen here.
    #[serde(alias = "val", alias = "valid", alias = "dev")]
    Validation,
    /// Reported figures come from here.
    Test,
}

impl Split {
    /// The three splits, in the order in which a run uses them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name used in files: `train`, `validation`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the model is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predict {
    /// The one token after the whole prompt. Both texts carry their leading space where the tokenizer glues it to the word.
    Next {
        /// The right continuation, for example ` Mary`.
        answer: String,
        /// The tempting continuation, for logit differences.
        wrong: Option<String>,
    },
    /// Marked parts of the text itself: every token inside is predicted from what stands before it.
    Spans {
        /// Byte ranges of `clean`, ascending and apart.
        clean: Vec<Range<usize>>,
        /// The matching byte ranges of `corrupted`; empty where the corrupted prompt carries no marks.
        corrupted: Vec<Range<usize>>,
        /// What could stand in place of the only span instead.
        wrong: Option<String>,
    },
    /// The end of a range of years that started in year `yy` of the century: any two-digit number above `yy` is right.
    Year {
        /// Last two digits of the first year, `0..100`.
        yy: u8,
    },
}

/// A clean prompt, its corrupted partner and what is predicted. No tokenizer is involved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The prompt whose behaviour is explained.
    pub clean: String,
    /// The prompt whose activations replace what a circuit leaves out. Must have as many tokens as `clean`.
    pub corrupted: String,
    /// What is predicted.
    pub predict: Predict,
    /// The split, or `None` for an example that serves all of them.
    pub split: Option<Split>,
    /// How the example was made (frame, order, line), for reports.
    pub tags: BTreeMap<String, String>,
}

impl Pair {
    /// Whether the example takes part in `split`: it says so, or says nothing.
    pub fn serves(&self, split: Split) -> bool {
        self.split.is_none_or(|own| own == split)
    }
}

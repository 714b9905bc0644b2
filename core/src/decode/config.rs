//! A method with its settings as plain data: what the command line and the page choose from.

use serde::{Deserialize, Serialize};

use super::{Beam, Diverse, Filter, Greedy, Method, Sample, Stochastic, beam::EarlyStop, beam::LengthPenalty};
use crate::text::tokenizer::Tokenizer;

/// Names that tokens have which end a text, in the vocabularies of known models.
const ENDS: [&str; 5] = ["<|im_end|>", "<|endoftext|>", "</s>", "<|end_of_text|>", "<|eot_id|>"];

/// The tokens that end a text, ascending: those of the usual names that the vocabulary has.
pub fn usual_ends(tokenizer: &Tokenizer) -> Vec<u32> {
    let mut ends: Vec<u32> = ENDS.iter().filter_map(|name| tokenizer.raw_token_id(name)).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// A method that needs no vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum MethodConfig {
    Greedy,
    Beam { width: usize, penalty: LengthPenalty, early_stop: EarlyStop },
    Diverse { groups: usize, width: usize, strength: f64 },
    Stochastic { width: usize },
    Sample { samples: usize, temperature: f64, filters: Vec<Filter> },
}

impl MethodConfig {
    pub fn method(self) -> Box<dyn Method> {
        match self {
            Self::Greedy => Box::new(Greedy),
            Self::Beam { width, penalty, early_stop } => Box::new(Beam { width, penalty, early_stop }),
            Self::Diverse { groups, width, strength } => Box::new(Diverse { groups, width, strength }),
            Self::Stochastic { width } => Box::new(Stochastic { width }),
            Self::Sample { samples, temperature, filters } => Box::new(Sample { samples, temperature, filters }),
        }
    }
}

//! Decoding: from a model's next-token distribution to text.
//!
//! **Idea.** A method never sees a model, only a [`Scorer`]: log-probabilities of the next token for a batch of hypotheses that fork. A [`Constraint`] says which tokens a hypothesis
//! may take and where it may branch; a [`Trace`] remembers every hypothesis, its score, and why it was kept or cut.
//!
//! **Method.** [`Search`] does what all methods share: masks, forks, ends, budgets, the trace. A method, one struct a file, only chooses. Log-probabilities are summed in double precision from the
//! left; ties go to the lower token id, of sequences to the lexicographically smaller. Randomness is a function of seed, position and hypothesis ([`crate::train::rng`]).
//!
//! **Sources** are named in each method's file.

pub mod beam;
pub mod config;
pub mod constraint;
pub mod diverse;
pub mod filter;
pub mod golden;
pub mod greedy;
pub mod lexical;
pub mod lexicon;
pub mod rerank;
pub mod rerun;
pub mod sample;
pub mod scorer;
pub mod search;
pub mod stochastic;
pub mod table;
pub mod trace;
pub mod transformer;

pub use beam::{Beam, EarlyStop, LengthPenalty};
pub use config::MethodConfig;
pub use constraint::{All, Banned, Constraint, Forced, Mask, OneOf, Unconstrained};
pub use diverse::Diverse;
pub use filter::Filter;
pub use greedy::Greedy;
pub use lexical::Lexical;
pub use lexicon::{ForcedText, Lexicon, Machine};
pub use rerun::Rerun;
pub use sample::Sample;
pub use scorer::{Scorer, ScorerError, Step};
pub use search::{DecodeError, Decoded, Hypothesis, Search, Settings, decode, explore};
pub use stochastic::Stochastic;
pub use table::{FnScorer, Markov};
pub use trace::{Cut, Ending, Fate, Trace};
pub use transformer::TransformerScorer;

/// A way to choose hypotheses.
pub trait Method {
    /// Whether there is only ever one hypothesis, so that its tokens can be shown as they come.
    fn is_single(&self) -> bool {
        false
    }

    /// Searches from the prompt and returns what was found, the best first.
    ///
    /// # Errors
    /// [`DecodeError`] for settings out of range and a scorer that fails.
    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError>;
}

#[cfg(test)]
mod tests;

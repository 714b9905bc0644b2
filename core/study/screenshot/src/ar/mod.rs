//! Autoregressive screenshot models at work: a picture, then text that goes on from it.
//!
//! **Idea.** If a picture of what came before lowers the perplexity of what comes next, the model reads it. The same texts are scored after nothing, after their picture, after another text's
//! picture, and after the same words as tokens (the upper bound). **Source.** Gao et al. (2024), experiments with autoregressive screenshot models; the wrong picture is ours.

pub mod beside;
pub mod example;
pub mod facts;
pub mod go_on;
pub mod passage;
pub mod train;

#[cfg(test)]
mod tests;

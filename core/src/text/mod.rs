//! Text in: tokenizers.

pub mod tokenizer;

//! LogicalBeam: when a question has two valid SQL readings, a short list of answers should hold both.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`sql`] | everything about SQL text that needs no model: schemas, exact-set match, templates and plans, the AmbiQT generators, coverage |
//! | [`beam`] | LogicalBeam over any such model, its ablations and what it is compared with |
//! | [`causal`] | any causal language model as such a model |
//! | [`prefix`] | queries while they are written: whether a text can still become one |
//! | [`stages`] | what decoding asks of a text-to-SQL model |
//! | [`model`], [`seq2seq`] | a text-to-SQL model that trains in minutes; one from scratch, text in and text out |
//! | [`synthetic`] | questions and queries made by rule |
//! | [`comparison`] | decoders against each other, with intervals and judged claims |
//! | [`figure`] | what two decoders did with one question, drawn |
//! | [`golden`], [`golden_coverage`] | comparison with what the official evaluators computed |
//!
//! **Source.** Bhaskar, Tomar, Sathe, Sarawagi, "Benchmarking and Improving Text-to-SQL Generation under Ambiguity", EMNLP 2023.
#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests read fixtures and say what they skip"))]

pub mod beam;
pub mod causal;
pub mod comparison;
pub mod figure;
pub mod golden;
pub mod golden_coverage;
pub mod model;
pub mod prefix;
pub mod seq2seq;
pub mod sql;
pub mod stages;
pub mod synthetic;

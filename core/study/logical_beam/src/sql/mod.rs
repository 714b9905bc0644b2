//! SQL text without a model: reading it, comparing it, taking it apart and putting it together again.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`schema`], [`tables_json`], [`ddl`] | tables, columns and keys of a database; Spider's file of schemas; `CREATE TABLE` text |
//! | [`words`], [`tokens`] | the official evaluator's tokens |
//! | [`names`], [`query`], [`parse`] | its names, its tree and how it reads one |
//! | [`comparable`], [`exact`], [`hardness`], [`accuracy`] | exact-set match: what is forgotten before comparing, ten clauses, how hard a query is |
//! | [`strict`] | the match that exact-set match is not: values, join conditions and scopes count |
//! | [`text`], [`template`], [`plan`] | one spelling; queries without names and values; their shape |
//! | [`said`], [`statement`] | names that need quotes; whether a text is one SELECT |
//! | [`ambiguate`], [`coverage`] | the four AmbiQT generators; which readings a list of candidates covers |
//! | [`measure`] | coverage of many lists, by every measure |
//! | [`execute`], [`rows`] | running queries, whoever runs them; when two results are the same |
//! | [`schema_text`] | a schema as the text that a model reads |

pub mod accuracy;
pub mod ambiguate;
pub mod comparable;
pub mod coverage;
pub mod ddl;
pub mod exact;
pub mod execute;
pub mod hardness;
pub mod measure;
pub mod names;
pub mod parse;
pub mod plan;
pub mod query;
pub mod rows;
pub mod said;
pub mod schema;
pub mod schema_text;
pub mod statement;
pub mod strict;
pub mod tables_json;
pub mod template;
pub mod text;
pub mod tokens;
pub mod words;

#[cfg(test)]
mod data_tests;
#[cfg(test)]
mod tests;

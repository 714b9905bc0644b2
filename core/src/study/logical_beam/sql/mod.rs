//! SQL text without a model: reading it, comparing it, taking it apart and putting it together again.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`schema`], [`tables_json`] | tables, columns and keys of a database; Spider's file of schemas |
//! | [`words`], [`tokens`] | the official evaluator's tokens |
//! | [`names`], [`query`], [`parse`] | its names, its tree and how it reads one |
//! | [`comparable`], [`exact`], [`hardness`] | exact-set match: what is forgotten before comparing, ten clauses, how hard a query is |

pub mod comparable;
pub mod exact;
pub mod hardness;
pub mod names;
pub mod parse;
pub mod query;
pub mod schema;
pub mod tables_json;
pub mod tokens;
pub mod words;

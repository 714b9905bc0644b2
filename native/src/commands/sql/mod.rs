//! `sql`: queries compared, taken apart and written, and a model that writes them.

mod ambiguate;
mod coverage;
mod decode;
pub mod learn;
mod matching;
mod plan;
pub mod train;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use vitrine_logical_beam::sql::{ddl, schema::Schema, tables_json};

use super::Context;
use crate::open::text;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Exact-set match, and with databases execution match, by hardness.
    #[command(
        after_help = "The gold file has a line a question: the query, a tab, the database's name; the file of predictions a query a line.\n\nExample:\n  vitrine sql match --gold gold.txt --pred pred.txt --tables tables.json --db database/"
    )]
    Match(matching::Match),
    /// Plan, template and slots of a query.
    #[command(after_help = "Example:\n  vitrine sql plan 'SELECT name FROM singer WHERE age > 20' --schema shop.sql")]
    Plan(plan::Plans),
    /// The pairs of readings that the four AmbiQT rules make of a query, or of each query of a file.
    #[command(
        after_help = "Kinds C and T need the lists of synonyms.\n\nExamples:\n  vitrine sql ambiguate 'SELECT name, age FROM singer' --kind J --tables tables.json --database concert_singer\n  vitrine sql ambiguate --data dev.jsonl --tables tables.json --kind C --column-synonyms col_synonyms.json > C.jsonl"
    )]
    Ambiguate(ambiguate::Ambiguate),
    /// How many lists of candidates hold one reading of an ambiguous question, and how many both.
    #[command(
        after_help = "The file of predictions has a line an example: {\"id\": ..., \"candidates\": [query, ...]}.\n\nExample:\n  vitrine sql coverage --kind J --data J.jsonl --predictions lists.jsonl --db db/"
    )]
    Coverage(coverage::Coverage),
    /// A question in, its distinct readings as SQL out.
    #[command(
        after_help = "Example:\n  vitrine sql decode --model smollm2 --db shop.sqlite --question 'how many customers?' --method beam"
    )]
    Decode(Box<decode::Decode>),
    /// Train a text-to-SQL model on questions with queries; without data on ones made by rule.
    #[command(
        after_help = "Examples:\n  vitrine sql train --out sql-model\n  vitrine sql train --data train.jsonl --tables tables.json --ambiqt ambiqt/ --out sql-model\n  vitrine sql train --architecture seq2seq --readings C=0.2,T=0.2 --out sql-model"
    )]
    Train(Box<train::Train>),
}

/// Where a schema comes from.
#[derive(Debug, Args)]
struct Source {
    /// Spider's tables.json; with --database.
    #[arg(long, conflicts_with = "schema")]
    tables: Option<PathBuf>,
    #[arg(long)]
    database: Option<String>,
    /// A file of CREATE TABLE statements.
    #[arg(long)]
    schema: Option<PathBuf>,
}

pub fn run(command: Command, context: Context) -> Result<()> {
    match command {
        Command::Match(args) => matching::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Ambiguate(args) => ambiguate::run(&args, context),
        Command::Coverage(args) => coverage::run(&args, context),
        Command::Decode(args) => decode::run(&args, context),
        Command::Train(args) => train::run(&args, context),
    }
}

impl Source {
    fn read(&self) -> Result<Schema> {
        match (&self.tables, &self.schema) {
            (Some(tables), _) => {
                let name = self.database.as_deref().context("--tables needs --database NAME")?;
                tables_json::read(&text(tables)?)
                    .with_context(|| format!("cannot read {}", tables.display()))?
                    .into_iter()
                    .find(|schema| schema.name == name)
                    .with_context(|| format!("there is no database {name} in {}", tables.display()))
            }
            (None, Some(path)) => {
                let name =
                    self.database.clone().or_else(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).unwrap_or_default();
                ddl::read(&text(path)?, &name).with_context(|| format!("cannot read the schema {}", path.display()))
            }
            (None, None) => bail!("a schema is needed: --tables FILE --database NAME, or --schema FILE.sql"),
        }
    }
}

//! The commands, one file each.

mod bench;
mod check;
mod check_blocks;
mod circuit;
mod decode;
mod device;
mod logits;
mod model;
mod recompute;
mod report;
mod run;
mod run_logical_beam;
mod run_screenshot;
mod screenshot;
mod serve;
mod sql;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::Outcome;

/// Look into language models: find circuits, run them, share what was found as one file.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, after_help = "Example:\n  vitrine run edge-pruning\n  vitrine report verify runs/*/report.html")]
pub struct Cli {
    /// No progress on standard error.
    #[arg(long, global = true)]
    quiet: bool,
    /// Print the result as JSON on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What every command may need to know.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub quiet: bool,
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a study and write its report.
    #[command(subcommand)]
    Run(run::Study),
    /// Search, measure, compare and convert circuits of a model.
    #[command(subcommand)]
    Circuit(circuit::Command),
    /// Fetch, describe and run models.
    #[command(subcommand)]
    Model(model::Command),
    /// Continue a prompt, by any decoding method; show the search as a tree.
    Decode(decode::Decode),
    /// Build, check and compare reports.
    #[command(subcommand)]
    Report(report::Command),
    /// Compare this program with golden files.
    #[command(subcommand)]
    Check(check::Command),
    /// Text-to-SQL: compare queries, take them apart, find second readings.
    #[command(subcommand)]
    Sql(sql::Command),
    /// Screenshot language models: draw text, and what reads it.
    #[command(subcommand)]
    Screenshot(screenshot::Command),
    /// Measure speed; ratios within one run.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Show a folder of pages on this machine only.
    #[command(after_help = "Example:\n  trunk build && vitrine serve")]
    Serve(serve::Serve),
    /// Devices: what there is and what works.
    #[command(subcommand)]
    Device(device::Command),
}

/// Runs the chosen command.
pub fn dispatch(cli: Cli) -> Result<Outcome> {
    let context = Context { quiet: cli.quiet, json: cli.json };
    match cli.command {
        Command::Run(study) => run::run(study, context),
        Command::Circuit(command) => circuit::run(command, context),
        Command::Model(command) => model::run(command, context),
        Command::Decode(args) => decode::run(&args, context),
        Command::Report(command) => report::run(command, context),
        Command::Check(command) => check::run(command, context),
        Command::Sql(command) => sql::run(command, context).map(|()| Outcome::Fine),
        Command::Screenshot(command) => screenshot::run(command, context).map(|()| Outcome::Fine),
        Command::Bench(command) => bench::run(command, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Device(command) => device::run(command, context),
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

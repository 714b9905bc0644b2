//! The command line: arguments, files, devices, progress. Everything that deserves a test of its own is in core.

mod atomic;
mod commands;
mod device;
mod grammar;
mod interactive;
mod lab;
mod open;
mod process;
mod progress;
mod registry;
mod resources;
mod run_folder;
mod signal;
mod sql;
mod sql_model;
mod tensorboard;
mod text_to_sql;

use std::process::ExitCode;

use clap::Parser;

/// How a command ended when it could run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// It ran, but a check failed.
    CheckFailed,
}

fn main() -> ExitCode {
    process::prepare();
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let help = !error.use_stderr();
            // A closed pipe is fine.
            let _ = error.print();
            return if help { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match process::in_pool(|| commands::dispatch(cli)) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::CheckFailed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("vitrine: {error:#}");
            ExitCode::from(2)
        }
    }
}

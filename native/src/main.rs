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

/// Help is printed as it is; what is wrong with the arguments takes one line, like every other refusal.
fn arguments_refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed pipe is fine.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    eprintln!("vitrine: {}", one_line(&error.render().to_string()));
    ExitCode::from(2)
}

/// The sentence, the list and the tips of a refusal in one line, without the usage that follows them.
fn one_line(refusal: &str) -> String {
    let mut line = String::new();
    let said = refusal.lines().take_while(|said| !said.starts_with("Usage:") && !said.starts_with("For more information"));
    for said in said.map(str::trim).filter(|said| !said.is_empty()) {
        match said.strip_prefix("tip: ") {
            Some(tip) => line.push_str(&format!("; {tip}")),
            None if line.is_empty() => line.push_str(said.strip_prefix("error: ").unwrap_or(said)),
            None if line.ends_with(':') || said.starts_with('[') => line.push_str(&format!(" {said}")),
            None => line.push_str(&format!(", {said}")),
        }
    }
    line.push_str("; --help says more");
    line
}

fn main() -> ExitCode {
    process::prepare();
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return arguments_refused(&error),
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

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn refused_arguments_take_one_line() {
        let missing = "error: the following required arguments were not provided:\n  --question <QUESTION>\n  <--db <DB>|--schema <SCHEMA>>\n\nUsage: vitrine sql decode\n\nFor more information, try '--help'.\n";
        let said =
            "the following required arguments were not provided: --question <QUESTION>, <--db <DB>|--schema <SCHEMA>>; --help says more";
        assert_eq!(one_line(missing), said);
        let unknown = "error: unrecognized subcommand 'list'\n\n  tip: a similar subcommand exists: 'logits'\n\nUsage: vitrine\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(unknown), "unrecognized subcommand 'list'; a similar subcommand exists: 'logits'; --help says more");
        let value = "error: invalid value 'x' for '--method <METHOD>'\n  [possible values: greedy, sample]\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(value), "invalid value 'x' for '--method <METHOD>' [possible values: greedy, sample]; --help says more");
    }
}

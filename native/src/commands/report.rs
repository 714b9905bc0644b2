//! `report build|verify|diff`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use vitrine_core::{
    findings::{Findings, RunRecord},
    report::{self, Options},
};

use super::{Context, print_json};
use crate::{Outcome, atomic, open::TEXT_LIMIT};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// One HTML file (and its JSON twin) from run folders.
    #[command(after_help = "Example:\n  vitrine report build runs/* --out report.html")]
    Build {
        runs: Vec<PathBuf>,
        #[arg(long)]
        out: PathBuf,
        #[arg(long)]
        title: Option<String>,
    },
    /// Check a report's hashes and draw it again.
    #[command(after_help = "Example:\n  vitrine report verify report.html")]
    Verify { reports: Vec<PathBuf> },
    /// What differs between two reports.
    Diff { a: PathBuf, b: PathBuf },
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(atomic::read_bounded(path, TEXT_LIMIT)?).with_context(|| format!("{} is not text", path.display()))
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    match command {
        Command::Build { runs, out, title } => {
            if runs.is_empty() {
                bail!("name at least one run folder");
            }
            let read = |run: &PathBuf| -> Result<(RunRecord, Findings)> {
                let record = RunRecord::from_json(&atomic::read_bounded(&run.join("run.json"), TEXT_LIMIT)?)?;
                Ok((record, Findings::from_json(&atomic::read_bounded(&run.join("findings.json"), TEXT_LIMIT)?)?))
            };
            let runs: Vec<_> = runs.iter().map(|run| read(run).with_context(|| format!("in {}", run.display()))).collect::<Result<_>>()?;
            let html = report::render(&runs, &Options { title, ..Options::default() })?;
            atomic::write_file(&out, html.as_bytes())?;
            atomic::write_file(&out.with_extension("json"), report::to_json(&runs)?.as_bytes())?;
            println!("{}", out.display());
            Ok(Outcome::Fine)
        }
        Command::Verify { reports } => {
            if reports.is_empty() {
                bail!("name at least one report");
            }
            let mut outcome = Outcome::Fine;
            for path in reports {
                let found = report::verify(&text(&path)?).with_context(|| format!("in {}", path.display()))?;
                if !found.ok() {
                    outcome = Outcome::CheckFailed;
                }
                println!("{}: {found}", path.display());
            }
            Ok(outcome)
        }
        Command::Diff { a, b } => {
            let extracted =
                |path: &Path| -> Result<_> { Ok(report::extract(&text(path)?).with_context(|| format!("in {}", path.display()))?.runs) };
            let diff = report::diff(&extracted(&a)?, &extracted(&b)?);
            if context.json {
                print_json(&diff)?;
            } else {
                println!("{diff}");
            }
            Ok(if diff.is_empty() { Outcome::Fine } else { Outcome::CheckFailed })
        }
    }
}

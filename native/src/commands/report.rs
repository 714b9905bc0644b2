//! `report build|verify|recompute|diff`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use vitrine_core::{
    findings::{Findings, RunRecord},
    report::{self, Options},
};

use super::{Context, print_json, recompute};
use crate::{
    Outcome, atomic, interactive,
    open::{TEXT_LIMIT, text},
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// One HTML file (and its JSON twin) from run folders.
    #[command(
        after_help = "Example:\n  vitrine report build runs/* --out report.html\n  vitrine report build runs/edge-pruning-0123abcd --out report.html --interactive"
    )]
    Build {
        runs: Vec<PathBuf>,
        #[arg(long)]
        out: PathBuf,
        #[arg(long)]
        title: Option<String>,
        /// Put the models and the program that runs them into the report, from the folder that scripts/web-bundle made.
        #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
        #[expect(clippy::option_option, reason = "how clap says: not given, given, given with a value")]
        interactive: Option<Option<PathBuf>>,
    },
    /// Check a report's hashes and draw it again.
    #[command(after_help = "Example:\n  vitrine report verify report.html")]
    Verify {
        reports: Vec<PathBuf>,
        /// Compare the program inside, too, with the one that scripts/web-bundle made.
        #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
        #[expect(clippy::option_option, reason = "how clap says: not given, given, given with a value")]
        interactive: Option<Option<PathBuf>>,
    },
    /// Make a report's numbers again from the models inside it.
    #[command(after_help = "Example:\n  vitrine report recompute report.html")]
    Recompute {
        report: PathBuf,
        #[arg(long, default_value = "cpu")]
        device: String,
    },
    /// What differs between two reports.
    Diff { a: PathBuf, b: PathBuf },
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    match command {
        Command::Build { runs: folders, out, title, interactive } => {
            if folders.is_empty() {
                bail!("name at least one run folder");
            }
            let read = |run: &PathBuf| -> Result<(RunRecord, Findings)> {
                let record = RunRecord::from_json(&atomic::read_bounded(&run.join("run.json"), TEXT_LIMIT)?)?;
                Ok((record, Findings::from_json(&atomic::read_bounded(&run.join("findings.json"), TEXT_LIMIT)?)?))
            };
            let runs: Vec<_> =
                folders.iter().map(|run| read(run).with_context(|| format!("in {}", run.display()))).collect::<Result<_>>()?;
            let places: Vec<_> = folders.iter().cloned().zip(runs.iter().map(|(record, _)| record)).collect();
            let program = interactive.map(|bundle| interactive::pack(bundle.as_deref(), &places)).transpose()?;
            let html = report::render_interactive(&runs, &Options { title, ..Options::default() }, program.as_ref())?;
            atomic::write_file(&out, html.as_bytes())?;
            atomic::write_file(&out.with_extension("json"), report::to_json(&runs)?.as_bytes())?;
            println!("{}", out.display());
            Ok(Outcome::Fine)
        }
        Command::Verify { reports, interactive: bundle } => {
            if reports.is_empty() {
                bail!("name at least one report");
            }
            let mut outcome = Outcome::Fine;
            for path in reports {
                let html = text(&path)?;
                let mut found = report::verify(&html).with_context(|| format!("in {}", path.display()))?;
                if let Some(program) = report::extract(&html).ok().and_then(|extracted| extracted.interactive) {
                    found.problems.extend(interactive::problems(&program));
                    if let Some(bundle) = &bundle {
                        found.problems.extend(interactive::compare(&program, bundle.as_deref())?);
                    }
                }
                if !found.ok() {
                    outcome = Outcome::CheckFailed;
                }
                println!("{}: {found}", path.display());
            }
            Ok(outcome)
        }
        Command::Recompute { report, device } => {
            recompute::run(&text(&report)?, &device, context).with_context(|| format!("in {}", report.display()))
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

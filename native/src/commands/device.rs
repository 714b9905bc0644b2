//! `device list`: what there is, what works, and why not.

use anyhow::Result;
use clap::Subcommand;
use vitrine_core::device::check::TOLERANCE;

use super::{Context, print_json};
use crate::{
    Outcome,
    device::{self, Name, Verdict, Work},
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Every kind of device: in this build or not, a driver or not, its self-check, and why not.
    #[command(
        after_help = "Example:\n  vitrine device list\n\nThe self-check runs a small model forwards and backwards and compares with the CPU."
    )]
    List,
    /// The self-check in this process, as one line of JSON.
    #[command(hide = true)]
    Check {
        name: String,
        /// What trains screenshot models, too.
        #[arg(long)]
        screenshots: bool,
    },
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    match command {
        Command::Check { name, screenshots } => {
            let work = if screenshots { Work::Screenshots } else { Work::Models };
            let verdict = device::check_here(Name::parse(&name)?, work);
            println!("{}", serde_json::to_string(&verdict)?);
            Ok(if verdict.works() { Outcome::Fine } else { Outcome::CheckFailed })
        }
        Command::List => {
            let rows = device::list();
            if context.json {
                let rows: Vec<_> = rows.iter().map(|(name, verdict)| row(*name, verdict)).collect();
                print_json(&serde_json::json!({"schema": "vitrine.devices/1", "tolerance": TOLERANCE, "devices": rows}))?;
            } else {
                for (name, verdict) in &rows {
                    println!("{:8} {}", name.to_string(), line(verdict));
                }
            }
            Ok(Outcome::Fine)
        }
    }
}

fn row(name: Name, verdict: &Verdict) -> serde_json::Value {
    serde_json::json!({
        "device": name.to_string(),
        "compiled": verdict.compiled,
        "driver": verdict.devices > 0,
        "adapter": verdict.adapter,
        "software": verdict.software,
        "works": verdict.works(),
        "difference": verdict.difference,
        "problem": verdict.problem,
        "reason": verdict.problem.as_ref().map(ToString::to_string),
    })
}

fn line(verdict: &Verdict) -> String {
    let adapter = verdict.adapter.as_ref().map(|adapter| format!(" [{adapter}]")).unwrap_or_default();
    match (&verdict.problem, verdict.difference) {
        (Some(problem), _) => format!("{problem}{adapter}"),
        (None, Some(difference)) if verdict.adapter.is_some() => {
            let software = if verdict.software { "; software, slower than cpu: not taken by auto" } else { "" };
            format!("works{adapter} (largest difference from the CPU {difference:.1e}{software})")
        }
        (None, _) => "works".into(),
    }
}

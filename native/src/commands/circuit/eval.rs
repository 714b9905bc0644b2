//! `circuit eval`: a circuit run and measured.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use vitrine_edge_pruning::{
    circuit::{Circuit, nested},
    evaluate::{Outputs, evaluate, full_outputs},
    problem::Problem,
    tasks::mib,
};

use super::super::{Context, print_json};
use super::data::{Task, floor_warning, problem};
use super::print_scores;
use crate::open;

/// What is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Metric {
    /// All figures of the task.
    #[default]
    All,
    /// MIB: faithfulness at ten sizes, CPR and CMD (by the circuit's scores where it has some).
    Mib,
}

#[derive(Debug, Args)]
pub struct Eval {
    model: String,
    #[command(flatten)]
    task: Task,
    /// A circuit file; without one the full graph.
    #[arg(long)]
    circuit: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    metric: Metric,
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    #[arg(long, default_value = "auto")]
    device: String,
}

pub fn run(args: &Eval, context: Context) -> Result<()> {
    let (device, _) = open::device(&args.device)?;
    let opened = open::model(&args.model, &device)?;
    let (_, test_on) = problem(&opened, &args.task)?;
    let circuit = match &args.circuit {
        Some(path) => open::circuit(path, &test_on.graph)?,
        None => Circuit::full(&test_on.graph),
    };
    if let (Some(of), Some(here)) = (&circuit.model_hash, opened.weights_hash())
        && *of != here
    {
        eprintln!("warning: this circuit was found in other weights (SHA-256 {of}, these have {here})");
    }
    let full = full_outputs(&test_on, args.batch_size)?;
    if let Some(warning) = floor_warning(&test_on, &full, args.task.floor)? {
        eprintln!("warning: {warning}");
    }
    if args.metric == Metric::Mib {
        let curve = mib_curve(&test_on, &full, &circuit, args.batch_size)?;
        if context.json {
            return print_json(&curve);
        }
        println!("{:>8} {:>10} {:>10} {:>12} {:>8}", "size", "allowed", "edges", "logit diff.", "f");
        for p in &curve.points {
            println!("{:>8} {:>10} {:>10} {:>12.4} {:>8.4}", p.size, p.edges_allowed, p.edges, p.value, p.f);
        }
        println!("CPR {:.4}, CMD {:.4}", curve.cpr, curve.cmd);
        return Ok(());
    }
    let scores = evaluate(&test_on, &full, &circuit.masks(), args.batch_size)?;
    let (counts, examples) = (circuit.counts(), test_on.examples.len());
    if context.json {
        return print_json(
            &json!({"schema": "vitrine.eval/1", "edges": counts.kept, "effective": counts.effective, "examples": examples, "scores": scores}),
        );
    }
    println!("{} edges ({} effective), {examples} examples", counts.kept, counts.effective);
    print_scores(&scores);
    Ok(())
}

/// MIB's curve: nested circuits by the circuit's scores, or the one circuit wherever it is small enough.
fn mib_curve(test_on: &Problem, full: &Outputs, circuit: &Circuit, batch_size: usize) -> Result<mib::MibCurve> {
    let graph = &test_on.graph;
    let n = graph.n_edges();
    let logit_difference = |masks: &[f32]| -> Result<f64> {
        evaluate(test_on, full, masks, batch_size)?.logit_difference.context("MIB's metric needs wrong answers in the data")
    };
    let (whole, empty) = (logit_difference(&vec![1.0; n])?, logit_difference(&vec![0.0; n])?);
    let measure = |c: &Circuit| -> Result<(usize, f64)> { Ok((c.counts().kept, logit_difference(&c.masks())?)) };
    Ok(match circuit.scores() {
        Some(scores) => {
            let sizes: Vec<usize> = mib::SIZES.iter().map(|&s| mib::edges_at(s, n)).collect();
            let circuits = nested::nested(graph, scores, &sizes, nested::Ranking::Value, test_on.ablation)?;
            mib::curve(whole, empty, n, &circuits.iter().map(measure).collect::<Result<Vec<_>>>()?)?
        }
        None => mib::curve_of_circuits(whole, empty, n, &[measure(circuit)?])?,
    })
}

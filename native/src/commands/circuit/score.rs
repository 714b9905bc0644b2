//! `circuit score`: EAP, EAP-IG and ACDC.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use vitrine_edge_pruning::{
    attribution::{Attribution, AttributionMetric, score},
    circuit::{Circuit, cleanup::clean_up, native, nested},
    patching::acdc,
};

use super::super::{Context, print_json};
use super::data::{Task, check_memory, problem};
use crate::{atomic, lab::NativeLab, open, signal};

/// How edges are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Gradient at the clean input times the change of the edge's value.
    Eap,
    /// The same with the gradient averaged from the corrupted to the clean input.
    #[default]
    EapIg,
    /// From the output backwards, remove what raises the loss by less than a threshold: one forward an edge, for small models.
    Acdc,
}

#[derive(Debug, Args)]
pub struct Score {
    model: String,
    #[command(flatten)]
    task: Task,
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// EAP-IG: interpolation points.
    #[arg(long, default_value_t = 5)]
    points: usize,
    /// EAP-IG: differentiate KL instead of the logit difference.
    #[arg(long)]
    kl: bool,
    /// EAP, EAP-IG: keep so many edges.
    #[arg(long)]
    edges: Option<usize>,
    /// ACDC: rise of the loss (nats) from which an edge stays.
    #[arg(long, default_value_t = 0.01)]
    threshold: f64,
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Refuse to start when more MiB above the weights are needed.
    #[arg(long)]
    max_memory: Option<u64>,
    #[arg(long, default_value = "auto")]
    device: String,
    #[arg(long)]
    out: PathBuf,
}

pub fn run(args: &Score, context: Context) -> Result<()> {
    let (device, _) = open::device(&args.device)?;
    let mut lab = NativeLab::new(device.clone(), context.quiet, signal::install()?);
    let opened = open::model(&args.model, &device)?;
    let (train_on, _) = problem(&opened, &args.task)?;
    check_memory(&train_on, args.batch_size, args.method == Method::Acdc, args.max_memory, context.quiet)?;
    let graph = &train_on.graph;
    let mut circuit = if args.method == Method::Acdc {
        ensure!(args.threshold >= 0.0, "--threshold is a rise of the loss, 0 or more");
        let kept = acdc(&train_on, args.threshold, args.batch_size, &mut lab)?;
        clean_up(&Circuit::from_masks(graph, kept, vec![true; graph.n_writers()])?, train_on.ablation).0
    } else {
        let edges = args.edges.context("say with --edges how many edges to keep")?;
        ensure!(!(args.kl && args.method == Method::Eap), "the gradient of KL is 0 at the clean input: use --method eap-ig with --kl");
        let metric = if args.kl { AttributionMetric::Faithfulness } else { AttributionMetric::LogitDifference };
        // The clean input and at least one other: with a single point EAP-IG would be EAP.
        let points = if args.method == Method::Eap { 1 } else { args.points.max(2) };
        let scores = score(&train_on, Attribution { metric, points, batch_size: args.batch_size }, "attribution", &mut lab)?;
        let circuits = nested::nested(graph, &scores, &[edges], nested::Ranking::Magnitude, train_on.ablation)?;
        circuits.into_iter().next().context("no circuit of that size")?.with_scores(scores)?
    };
    lab.end_task();
    let name = args.method.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
    circuit.meta =
        BTreeMap::from([("method".to_owned(), name.clone()), ("data_sha256".to_owned(), atomic::hash_file(&args.task.data)?.sha256)]);
    circuit.model_hash = opened.weights_hash();
    atomic::write_file(&args.out, native::to_json(&circuit)?.as_bytes())?;
    let kept = circuit.counts().kept;
    if context.json {
        print_json(&json!({"schema": "vitrine.score/1", "method": name, "edges": kept, "out": args.out}))
    } else {
        println!("{kept} of {} edges kept; {}", graph.n_edges(), args.out.display());
        Ok(())
    }
}

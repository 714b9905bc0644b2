//! `circuit graph|score|prune|eval|compare|export`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use vitrine_core::{
    lab::{Lab as _, LabError},
    model::{EmbeddingNodes, TransformerConfig, stream},
    study::edge_pruning::{
        attribution::{Attribution, AttributionMetric, score},
        checkpoint,
        circuit::{Circuit, cleanup::clean_up, eap_ig, edge_list, native, nested},
        compare_methods::masks,
        evaluate::{evaluate, full_outputs},
        problem::{Problem, PruneError},
        prune::{PruneConfig, PruneState, train},
        tasks::{
            EncodeOptions, Encoded, Pair, Scoring, Split,
            custom::read_custom,
            encode::{TargetKind, YearTokens},
            encode_split,
            lines::LineLimits,
            mib,
            rows::{RowOptions, read_rows},
        },
    },
};

use super::{Context, print_json};
use crate::{Outcome, atomic, lab::NativeLab, open, signal};

/// What stands in for cut edges.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum AblationArg {
    #[default]
    Interchange,
    Mean,
    Zero,
}

impl From<AblationArg> for stream::Ablation {
    fn from(a: AblationArg) -> Self {
        match a {
            AblationArg::Interchange => Self::Interchange,
            AblationArg::Mean => Self::Mean,
            AblationArg::Zero => Self::Zero,
        }
    }
}

#[derive(Debug, Clone, Default, Args)]
pub struct Task {
    /// JSON lines: `clean`, `corrupted` and `answer` or `year`, or the predicted part in <predict>…</predict>.
    #[arg(long)]
    pub data: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    pub ablation: AblationArg,
    /// Use at most so many examples of each split.
    #[arg(long)]
    pub limit: Option<usize>,
    /// Embeddings always reach every reader and are no nodes.
    #[arg(long)]
    pub without_embeddings: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count writers, readers and edges of a model or of a known config (gpt2, codellama-13b).
    Graph {
        model: String,
        #[arg(long)]
        without_embeddings: bool,
    },
    /// Score all edges by attribution (EAP, EAP-IG).
    Score {
        model: String,
        #[command(flatten)]
        task: Task,
        /// Interpolation points; 1 is EAP.
        #[arg(long, default_value_t = 5)]
        points: usize,
        /// Differentiate KL instead of the logit difference.
        #[arg(long)]
        kl: bool,
        /// Keep so many edges.
        #[arg(long)]
        edges: usize,
        #[arg(long, default_value_t = 8)]
        batch_size: usize,
        #[arg(long)]
        out: PathBuf,
    },
    /// Find a circuit by Edge Pruning; Ctrl-C saves, --resume goes on.
    #[command(after_help = "Example:\n  vitrine circuit prune smollm2 --data ioi.jsonl --target 0.98 --steps 200 --out circuit.json")]
    Prune {
        model: String,
        #[command(flatten)]
        task: Task,
        /// Share of edges to cut, 0 to 2.
        #[arg(long, default_value_t = 0.98)]
        target: f64,
        #[arg(long, default_value_t = 200)]
        steps: u64,
        #[arg(long, default_value_t = 8)]
        batch_size: usize,
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Go on from `OUT.checkpoint`.
        #[arg(long)]
        resume: bool,
        /// Refuse to start when more MiB above the weights are needed.
        #[arg(long)]
        max_memory: Option<u64>,
        #[arg(long)]
        out: PathBuf,
    },
    /// Run a circuit (any format) and compare it with the full model.
    Eval {
        model: String,
        #[command(flatten)]
        task: Task,
        #[arg(long)]
        circuit: Option<PathBuf>,
        /// `all` figures, or `mib`: f at ten sizes, CPR and CMD (from the circuit's scores).
        #[arg(long, default_value = "all")]
        metric: String,
        #[arg(long, default_value_t = 8)]
        batch_size: usize,
    },
    /// What the full model, a circuit and the corrupted run say after one prompt pair.
    #[command(
        after_help = "Example:\n  vitrine circuit logits smollm2 --circuit circuit.json --clean 'John met Mary. John gave a book to' --corrupted 'Anna met Mary. Jack gave a book to'"
    )]
    Logits(super::logits::Logits),
    /// Shared and separate edges of two circuits of one model.
    Compare { model: String, a: PathBuf, b: PathBuf },
    /// Convert between formats: vitrine, eap-ig, list, text, csv.
    Export {
        model: String,
        circuit: PathBuf,
        #[arg(long, default_value = "eap-ig")]
        format: String,
        #[arg(long)]
        out: PathBuf,
    },
}

/// The config behind a name that needs no weights, or the model's own.
fn config_of(name: &str) -> Result<TransformerConfig> {
    Ok(match name {
        "gpt2" => TransformerConfig::gpt2_small(),
        "codellama-13b" => TransformerConfig::codellama_13b(),
        _ => open::model(name, &open::device("cpu")?.0)?.model.config,
    })
}

/// Training and test problems of a model and a data file.
pub fn problem<'a>(opened: &'a open::Opened, task: &Task) -> Result<(Problem<'a>, Problem<'a>)> {
    let bytes = atomic::read_bounded(&task.data, open::TEXT_LIMIT)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{} is not UTF-8 text", task.data.display()))?;
    let place = || format!("in {}", task.data.display());
    let pairs: Vec<Pair> = if text.contains("<predict>") {
        read_custom(text, LineLimits::default()).with_context(place)?
    } else {
        let rows = read_rows(text, LineLimits::default()).with_context(place)?;
        rows.iter().map(|row| row.pair(RowOptions::default())).collect::<Result<_, _>>().with_context(place)?
    };
    let config = opened.model.config;
    let ids = |text: &str| opened.tokenizer.encode(text).map_err(|e| e.to_string());
    let options = EncodeOptions { context: config.max_positions, vocab_size: config.vocab_size, bos: None };
    let split = |split: Split| -> Result<Vec<Encoded>> {
        let mut examples = encode_split(&pairs, split, &ids, &options).with_context(place)?;
        examples.truncate(task.limit.unwrap_or(usize::MAX));
        Ok(examples)
    };
    let train_examples = split(Split::Train)?;
    let years = train_examples.iter().any(|e| matches!(e.target, TargetKind::Year { .. }));
    let scoring = if years { YearTokens::detect(&ids)?.scoring() } else { Scoring::FullVocab };
    let nodes = if task.without_embeddings { EmbeddingNodes::AlwaysOn } else { config.default_embedding_nodes() };
    let train_on = Problem::new(&opened.model, config.graph(nodes)?, train_examples, scoring, task.ablation.into())?;
    let test_on = train_on.with_examples(split(Split::Test)?)?;
    Ok((train_on, test_on))
}

pub fn run(command: Command, context: Context) -> Result<Outcome> {
    let (device, _) = open::device("cpu")?;
    let mut lab = NativeLab::new(device.clone(), context.quiet, signal::install()?, None);
    match command {
        Command::Graph { model, without_embeddings } => {
            let config = config_of(&model)?;
            let graph = config.graph(if without_embeddings { EmbeddingNodes::AlwaysOn } else { config.default_embedding_nodes() })?;
            if context.json {
                print_json(
                    &json!({"schema": "vitrine.graph/1", "writers": graph.n_writers(), "readers": graph.n_readers(), "edges": graph.n_edges()}),
                )?;
            } else {
                println!("{} writers, {} readers, {} edges", graph.n_writers(), graph.n_readers(), graph.n_edges());
            }
        }
        Command::Score { model, task, points, kl, edges, batch_size, out } => {
            let opened = open::model(&model, &device)?;
            let (train_on, _) = problem(&opened, &task)?;
            let metric = if kl { AttributionMetric::Faithfulness } else { AttributionMetric::LogitDifference };
            let scores = score(&train_on, Attribution { metric, points: points.max(1), batch_size }, &mut lab)?;
            let circuits = nested::nested(&train_on.graph, &scores, &[edges], nested::Ranking::Magnitude, train_on.ablation)?;
            let circuit = circuits.into_iter().next().context("no circuit of that size")?.with_scores(scores)?;
            atomic::write_file(&out, native::to_json(&circuit)?.as_bytes())?;
            println!("{} edges kept; {}", circuit.counts().kept, out.display());
        }
        Command::Prune { model, task, target, steps, batch_size, seed, resume, max_memory, out } => {
            let config = PruneConfig {
                seed,
                steps,
                batch_size,
                edge_target: target,
                sparsity_warm_up: steps * 5 / 6,
                lr_warm_up: steps / 15,
                ..PruneConfig::default()
            };
            config.check()?;
            let opened = open::model(&model, &device)?;
            let (train_on, test_on) = problem(&opened, &task)?;
            let longest = train_on.examples.iter().map(|e| e.clean.len()).max().unwrap_or(0);
            let estimate = train_on.graph.n_writers() * batch_size * longest * opened.model.config.d_model * 4 * 5 / 2 / (1 << 20);
            eprintln!("about {estimate} MiB above the weights");
            if let Some(allowed) = max_memory.filter(|allowed| (estimate as u64) > *allowed) {
                return Err(PruneError::Memory { needed: estimate as u64, allowed }.into());
            }
            let saved = out.with_extension("checkpoint");
            let mut state = if resume {
                let (state, earlier) = checkpoint::load(&atomic::read_bounded(&saved, open::TEXT_LIMIT)?, &train_on.graph)?;
                if earlier != config {
                    bail!("{} was made with other settings; use the same options to go on", saved.display());
                }
                state
            } else {
                PruneState::new(&train_on.graph, &config)
            };
            let trained = train(&train_on, &config, &mut state, "prune", &mut lab);
            atomic::write_file(&saved, &checkpoint::save(&state, &config)?)?;
            if let Err(PruneError::Lab(LabError::Stopped { step })) = &trained {
                bail!("stopped at step {step}; go on with --resume (saved in {})", saved.display());
            }
            trained?;
            let (edges, nodes) = state.discretise();
            let nodes = nodes.unwrap_or_else(|| vec![true; train_on.graph.n_writers()]);
            let circuit = Circuit::from_masks(&train_on.graph, edges, nodes)?.with_scores(state.edges.log_alpha.clone())?;
            let before = circuit.counts();
            let (mut circuit, removed) = clean_up(&circuit, train_on.ablation);
            circuit.model_hash = opened.hashes.values().next().cloned();
            atomic::write_file(&out, native::to_json(&circuit)?.as_bytes())?;
            let full = full_outputs(&test_on, batch_size)?;
            let scores = evaluate(&test_on, &full, &masks(&circuit), batch_size)?;
            let result = json!({"schema": "vitrine.prune/1", "kept": before.kept, "dangling": removed, "edges": circuit.counts().kept,
                "sparsity": circuit.counts().sparsity(), "test": scores, "seconds": lab.seconds(), "peak_memory_bytes": lab.peak_memory()});
            print_json(&result)?;
        }
        Command::Eval { model, task, circuit, metric, batch_size } => {
            let opened = open::model(&model, &device)?;
            let (_, test_on) = problem(&opened, &task)?;
            let graph = &test_on.graph;
            let circuit = match circuit {
                Some(path) => open::circuit(&path, graph)?,
                None => Circuit::full(graph),
            };
            let full = full_outputs(&test_on, batch_size)?;
            match metric.as_str() {
                "all" => {
                    let scores = evaluate(&test_on, &full, &masks(&circuit), batch_size)?;
                    print_json(
                        &json!({"schema": "vitrine.eval/1", "edges": circuit.counts().kept, "effective": circuit.counts().effective, "examples": test_on.examples.len(), "scores": scores}),
                    )?;
                }
                "mib" => {
                    let n = graph.n_edges();
                    let logit_difference = |masks: &[f32]| -> Result<f64> {
                        evaluate(&test_on, &full, masks, batch_size)?
                            .logit_difference
                            .context("MIB's metric needs wrong answers in the data")
                    };
                    let (whole, empty) = (logit_difference(&vec![1.0; n])?, logit_difference(&vec![0.0; n])?);
                    let curve = if let Some(scores) = circuit.scores() {
                        let sizes: Vec<usize> = mib::SIZES.iter().map(|&s| mib::edges_at(s, n)).collect();
                        let circuits = nested::nested(graph, scores, &sizes, nested::Ranking::Value, test_on.ablation)?;
                        let measured: Vec<(usize, f64)> =
                            circuits.iter().map(|c| Ok((c.counts().kept, logit_difference(&masks(c))?))).collect::<Result<_>>()?;
                        mib::curve(whole, empty, n, &measured)?
                    } else {
                        mib::curve_of_circuits(whole, empty, n, &[(circuit.counts().kept, logit_difference(&masks(&circuit))?)])?
                    };
                    print_json(&curve)?;
                }
                other => bail!("no metric {other}; there are: all, mib"),
            }
        }
        Command::Logits(args) => return super::logits::run(&args, context),
        Command::Compare { model, a, b } => {
            let config = config_of(&model)?;
            let graph = config.graph(config.default_embedding_nodes())?;
            let (a, b) = (open::circuit(&a, &graph)?, open::circuit(&b, &graph)?);
            print_json(&json!({"schema": "vitrine.compare/1", "a": a.counts().effective, "b": b.counts().effective,
                "intersection": a.intersection(&b)?.counts().effective, "union": a.union(&b)?.counts().effective, "jaccard": a.jaccard(&b)?}))?;
        }
        Command::Export { model, circuit, format, out } => {
            let config = config_of(&model)?;
            let circuit = open::circuit(&circuit, &config.graph(config.default_embedding_nodes())?)?;
            let text = match format.as_str() {
                "vitrine" => native::to_json(&circuit)?,
                "eap-ig" => eap_ig::to_json(&circuit, config.d_model)?,
                "list" => edge_list::to_json(&circuit),
                "text" => edge_list::to_text(&circuit),
                "csv" => edge_list::to_csv(&circuit, false),
                other => bail!("no format {other}; there are: vitrine, eap-ig, list, text, csv"),
            };
            atomic::write_file(&out, text.as_bytes())?;
        }
    }
    Ok(Outcome::Fine)
}

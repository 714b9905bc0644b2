//! The study as one run: compiled programs whose circuits are known, then a small transformer trained on the spot, or the user's own model.
//!
//! Part one prunes three compiled Tracr programs (shipped) under zero and interchange ablation and compares with their known edge sets. Part two trains a two-layer
//! transformer on generated indirect-object sentences and compares Edge Pruning with EAP and EAP-IG at equal edge counts on held-out sentences. Every claim in the
//! findings is computed in the run.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    circuit::{Circuit, CircuitError, native},
    compare_methods::{Comparison, compare_methods},
    evaluate::full_outputs,
    problem::{Problem, PruneError},
    programs::{Program, ProgramError},
    prune::PruneConfig,
    rounds::RoundsConfig,
    shown::{own, picture, report_comparison},
    small::{Small, TRAINING},
    tasks::{
        EncodeError, GenerateError, Generator, Scoring, Split,
        encode::NumericScoring,
        tracr::{EdgeTruth, TracrError},
        vocab::VocabError,
    },
};
use vitrine_core::{
    findings::{Axis, Claim, Column, Findings, Line, Panel, Series, Source, Table, Verdict, sha256_hex},
    formats::{FormatError, config::ModelDescription, safetensors::SafeTensors},
    lab::{self, Lab, LabError},
    model::{
        EmbeddingNodes, Graph,
        graph::GraphError,
        load::{self, LoadError},
        save::{self, SaveError, Saved},
        stream::Ablation,
    },
    train::language_model::{LanguageModelConfig, LanguageModelError},
};

/// Settings of the study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudyConfig {
    pub seed: u64,
    /// Search the compiled programs.
    pub programs: bool,
    pub rounds: RoundsConfig,
    /// Train and prune the small transformer.
    pub small_transformer: bool,
    pub language_model: LanguageModelConfig,
    pub prune: PruneConfig,
    /// Start Edge Pruning from EAP-IG's scores: for runs too short to learn from all gates open.
    pub warm_start: bool,
    /// Circuit sizes of the comparison, as shares of all edges.
    pub sizes: Vec<f64>,
    /// Searches at the middle size, with seeds counted up: how much circuits agree over seeds. 1: none beside the comparison's own.
    pub seeds: u64,
    pub train_examples: u64,
    pub test_examples: u64,
}

impl Default for StudyConfig {
    fn default() -> Self {
        let prune = PruneConfig {
            steps: 600,
            batch_size: 32,
            sparsity_warm_up: 500,
            lr_warm_up: 40,
            lr_log_alpha: 0.3,
            lr_lambda: 0.3,
            ..PruneConfig::default()
        };
        Self {
            seed: 0,
            programs: true,
            rounds: RoundsConfig::default(),
            small_transformer: true,
            language_model: LanguageModelConfig::default(),
            prune,
            warm_start: true,
            sizes: vec![0.05, 0.1, 0.2],
            seeds: 3,
            train_examples: 256,
            test_examples: 128,
        }
    }
}

impl StudyConfig {
    /// The sizes as numbers of `graph`'s edges, at least 1 each.
    pub fn edge_counts(&self, graph: &Graph) -> Vec<usize> {
        self.sizes.iter().map(|s| ((s * graph.n_edges() as f64).round() as usize).max(1)).collect()
    }
}

/// Why the study could not be run.
#[derive(Debug, Error)]
pub enum StudyError {
    #[error(transparent)]
    Prune(#[from] PruneError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Tracr(#[from] TracrError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error(transparent)]
    Vocab(#[from] VocabError),
    #[error(transparent)]
    LanguageModel(#[from] LanguageModelError),
    #[error(transparent)]
    Circuit(#[from] CircuitError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the shipped program {0} is damaged: it lacks its known edge set")]
    Truth(&'static str),
}

/// The shipped programs: name, config, known edge sets, weights.
pub const PROGRAMS: [(&str, &str, &str, &[u8]); 3] = [
    (
        "xproportion",
        include_str!("../../../assets/tracr/xproportion/config.json"),
        include_str!("../../../assets/tracr/xproportion/edges.json"),
        include_bytes!("../../../assets/tracr/xproportion/model.safetensors"),
    ),
    (
        "reverse",
        include_str!("../../../assets/tracr/reverse/config.json"),
        include_str!("../../../assets/tracr/reverse/edges.json"),
        include_bytes!("../../../assets/tracr/reverse/model.safetensors"),
    ),
    (
        "hist",
        include_str!("../../../assets/tracr/hist/config.json"),
        include_str!("../../../assets/tracr/hist/edges.json"),
        include_bytes!("../../../assets/tracr/hist/model.safetensors"),
    ),
];

/// Runs the study on the shipped programs and the small transformer.
///
/// # Errors
/// [`StudyError`]; a stop request ends it with what the lab has saved.
pub fn run(config: &StudyConfig, lab: &mut dyn Lab) -> Result<Findings, StudyError> {
    let mut findings = Findings::new("edge-pruning", "Edge Pruning: circuits by gradient");
    findings.summary.push("A circuit is a set of edges between a model's components that does, alone, what the whole model does on a task. Edge Pruning learns which edges to keep.".into());
    if config.programs {
        programs(config, &mut findings, lab)?;
    }
    if config.small_transformer {
        small_transformer(config, &mut findings, lab)?;
    }
    Ok(findings)
}

fn programs(config: &StudyConfig, findings: &mut Findings, lab: &mut dyn Lab) -> Result<(), StudyError> {
    let mut table = Table::new(vec![
        Column::text("program"),
        Column::text("cut edges carry"),
        Column::number("edges", 0),
        Column::number("known circuit", 0),
        Column::number("found", 0),
        Column::number("F1", 3),
        Column::number("accuracy", 3),
        Column::number("seconds", 1),
    ]);
    let (mut exact, mut total) = (0, 0);
    for (name, program_config, truth, weights) in PROGRAMS {
        let file = SafeTensors::open(weights)?;
        let program = Program::load(program_config, &file, lab.device())?;
        for (ablation, set, what) in
            [(Ablation::Zero, "minimal_zero", "nothing"), (Ablation::Interchange, "minimal_interchange", "another input's values")]
        {
            let problem = program.problem(ablation, NumericScoring::SquaredError, config.seed)?;
            let truth = EdgeTruth::from_json(truth, &problem.graph)?.mask(set, &problem.graph).ok_or(StudyError::Truth(name))?;
            let phase = format!("{name}, {}", ablation_name(ablation));
            let Searched { kept: found, seconds } = lab::finish(lab, &phase, |lab| search(&program, &problem, config, &phase, lab))?;
            lab::stop_point(lab, 0)?;
            let circuit = Circuit::from_masks(&problem.graph, found.clone(), vec![true; problem.graph.n_writers()])?;
            lab.artifact(&format!("circuit-{name}-{}.json", ablation_name(ablation)), native::to_json(&circuit)?.into_bytes())?;
            let count = |m: &[bool]| m.iter().filter(|&&k| k).count();
            let both = found.iter().zip(&truth).filter(|(a, b)| **a && **b).count();
            let f1 = if count(&found) + count(&truth) == 0 { 1.0 } else { 2.0 * both as f64 / (count(&found) + count(&truth)) as f64 };
            total += 1;
            exact += usize::from(found == truth);
            table.push(vec![
                name.into(),
                what.into(),
                truth.len().into(),
                count(&truth).into(),
                count(&found).into(),
                f1.into(),
                program.accuracy(&problem, &circuit.masks())?.into(),
                seconds.into(),
            ]);
            if ablation == Ablation::Zero {
                let picture = picture(&problem.graph, &found, None, "kept");
                findings.panels.push(Panel::new(
                    format!("circuit-{name}"),
                    format!("The circuit of {name}"),
                    "Zero ablation. The edges shown are kept; all others are cut.",
                    picture,
                ));
            }
        }
    }
    let caption = "Pruning in rounds with one set of hyper-parameters; a circuit counts as right when every decoded output equals the program's. The known sets come from greedy removal.";
    findings.panels.insert(0, Panel::new("programs", "Compiled programs", caption, table));
    findings.claims.push(Claim {
        id: "tracr".into(),
        statement: "Edge Pruning recovers the circuits of compiled programs exactly.".into(),
        source: Source { section: "abstract".into(), ..own(true) },
        published: Some("both programs tried (xproportion, reverse) recovered".into()),
        found: format!("{exact} of {total} recovered exactly"),
        tolerance: "all edge sets equal".into(),
        verdict: Verdict::from_test(exact == total),
        differs: "pruned in rounds with selection by correctness, a third program and interchange ablation added".into(),
    });
    Ok(())
}

/// A program's search, finished.
#[derive(Serialize, Deserialize)]
struct Searched {
    kept: Vec<bool>,
    seconds: f64,
}

fn search(program: &Program, problem: &Problem, config: &StudyConfig, phase: &str, lab: &mut dyn Lab) -> Result<Searched, StudyError> {
    let began = lab::began(lab, phase)?;
    let mut rounds = config.rounds.clone();
    rounds.prune.seed = config.seed;
    let found = program.search(problem, &rounds, phase, lab)?;
    let kept = found.map_or_else(|| vec![true; problem.graph.n_edges()], |(kept, _)| kept);
    Ok(Searched { kept, seconds: lab.seconds() - began })
}

fn ablation_name(ablation: Ablation) -> &'static str {
    match ablation {
        Ablation::Interchange => "interchange",
        Ablation::Mean => "mean",
        Ablation::Zero => "zero",
    }
}

/// The small transformer, trained: its files, and its loss by step.
#[derive(Serialize, Deserialize)]
struct Trained {
    config: String,
    weights: Vec<u8>,
    history: Vec<(u64, f64)>,
}

fn small_transformer(config: &StudyConfig, findings: &mut Findings, lab: &mut dyn Lab) -> Result<(), StudyError> {
    let small = Small::new(config.seed)?;
    let trained: Trained = lab::finish(lab, TRAINING, |lab| -> Result<_, StudyError> {
        let (model, history) = small.train(&config.language_model, lab)?;
        let Saved { config, weights } = save::to_hugging_face(&model)?;
        Ok(Trained { config, weights, history })
    })?;
    let Trained { config: saved_config, weights, history } = trained;
    let description = ModelDescription::from_hf_config(saved_config.as_bytes())?;
    let model = load::load(&description, &SafeTensors::open(weights.as_slice())?, lab.device())?;
    let graph = model.config.graph(EmbeddingNodes::Split)?;
    let examples = small.examples(Split::Train, config.train_examples)?;
    let train_on = Problem::new(&model, graph.clone(), examples, Scoring::FullVocab, Ablation::Interchange)?;
    let test_on = train_on.with_examples(small.examples(Split::Test, config.test_examples)?)?;
    let sizes = config.edge_counts(&graph);
    let full = full_outputs(&test_on, config.prune.batch_size)?;
    let comparison = compare_methods(&train_on, (&test_on, &full), config, lab)?;
    keep_small(&small, Saved { config: saved_config, weights }, &sizes, &comparison, lab)?;

    let (x, y): (Vec<f64>, Vec<f64>) = history.iter().map(|&(s, l)| (s as f64, l)).unzip();
    let series = Series {
        x: Axis::new("step", ""),
        y: Axis::new("loss", "nats"),
        lines: vec![Line::new("training loss", x, y)],
        ..Series::default()
    };
    findings.panels.push(Panel::new(
        "small-training",
        "Training the small transformer",
        "Two layers, four heads, width 64; generated indirect-object sentences.",
        series,
    ));
    findings.caveats.push(format!(
        "The small transformer has {} weights and a closed vocabulary of {} words: its circuits say how the method behaves, not how language models do it.",
        model.config.n_parameters(),
        small.vocab.len()
    ));
    report_comparison("small", "the small transformer, indirect objects", &graph, &comparison, findings);
    Ok(())
}

/// Leaves the model and its circuits behind, as files that pages and other programs read.
fn keep_small(small: &Small, saved: Saved, sizes: &[usize], comparison: &Comparison, lab: &mut dyn Lab) -> Result<(), StudyError> {
    let model_hash = sha256_hex(&saved.weights);
    lab.artifact("small-config.json", saved.config.into_bytes())?;
    lab.artifact("small-model.safetensors", saved.weights)?;
    lab.artifact("small-words.json", small.vocab.to_json().into_bytes())?;
    for (size, circuit) in sizes.iter().zip(&comparison.circuits) {
        let mut circuit = circuit.clone();
        circuit.model_hash = Some(model_hash.clone());
        let facts = [
            ("method", "Edge Pruning".to_owned()),
            ("scores", "log alpha".to_owned()),
            ("task", small.task.name().to_owned()),
            ("seed", small.seed.to_string()),
            ("edges asked for", size.to_string()),
        ];
        circuit.meta = facts.map(|(key, value)| (key.to_owned(), value)).into();
        lab.artifact(&format!("small-circuit-{size}.json"), native::to_json(&circuit)?.into_bytes())?;
    }
    Ok(())
}

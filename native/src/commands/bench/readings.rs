//! `bench readings`: seconds a question to a text-to-SQL model: reading question and schema once, then decoding by each decoder.
//!
//! Questions are those of `run logical-beam`: the benchmark's, each on its changed schema, or questions made by rule. Processor time of all threads counts, as wall time on a busy machine mostly shows the
//! other work. The decoders take turns with each question, so that all meet the same load.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use vitrine_logical_beam::{
    beam::{Asked, Decoder, Limits},
    model::evaluate::changed,
    sql::ambiguate::Kind,
};

use super::{
    super::{Context, run_logical_beam},
    Times,
};
use crate::{Outcome, commands::print_json, process, resources, sql_model};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of a model that `sql train` made.
    model: PathBuf,
    /// A folder as `run logical-beam` takes it; that of `VITRINE_DATA` where it is set, questions made by rule without.
    #[arg(long)]
    ambiqt: Option<PathBuf>,
    /// Questions asked, as many of each kind.
    #[arg(long, default_value_t = 60)]
    questions: usize,
    /// Decoders by name.
    #[arg(long, value_delimiter = ',', default_values_t = ["beam".to_owned(), "logical-beam".to_owned()])]
    decoders: Vec<String>,
    /// Threads of the CPU; all by default.
    #[arg(long)]
    threads: Option<usize>,
}

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    process::with_threads(options.threads, || measure(options, context))?
}

/// Median and ninth decile, in seconds.
fn spread(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((share * times.len().saturating_sub(1) as f64).round() as usize);
    json!({"median_s": at(0.5), "ninth_decile_s": at(0.9)})
}

fn of(times: &Times) -> Value {
    json!({"cpu": spread(times.cpu.clone()), "wall": spread(times.wall.clone())})
}

fn measure(options: &Options, context: Context) -> Result<Outcome> {
    ensure!(options.questions > 0, "--questions has to be at least 1");
    let mut decoders = vec![];
    for name in &options.decoders {
        let Some(decoder) = Decoder::from_name(name) else { bail!("there is no decoder {name}") };
        decoders.push((name, decoder, Times::default(), 0));
    }
    let ambiqt = options.ambiqt.clone().or_else(|| Some(run_logical_beam::given_data()?.join("ambiqt")));
    let (lines, schemas, _) = run_logical_beam::questions(ambiqt.as_deref(), 0)?;
    let model = sql_model::open(&options.model)?;
    let each = options.questions.div_ceil(Kind::ALL.len());
    let (mut reading, mut asked_of) = (Times::default(), 0);
    for kind in Kind::ALL {
        let of_kind: Vec<_> = lines.iter().filter(|line| line.example.kind == kind).collect();
        for line in of_kind.iter().step_by(of_kind.len().div_ceil(each).max(1)) {
            let schema = schemas.iter().find(|schema| schema.name == line.database);
            let schema = schema.with_context(|| format!("there is no database {} among the schemas", line.database))?;
            let schema = changed(schema, &line.example.change);
            let asked = reading.measure(|| Asked::new(model.model(), &line.question, &schema, Limits::default()))?;
            for (_, decoder, times, scored) in &mut decoders {
                *scored += times.measure(|| decoder.list(&asked))?.record.scored();
            }
            asked_of += 1;
        }
    }
    ensure!(asked_of > 0, "there are no questions");
    let by_decoder: Vec<Value> = decoders
        .iter()
        .map(|(name, _, times, scored)| json!({"decoder": name, "decoding": of(times), "prefixes": *scored as f64 / f64::from(asked_of)}))
        .collect();
    let out = json!({"schema": "vitrine.bench.readings/1", "program": concat!("vitrine ", env!("CARGO_PKG_VERSION")), "model": model.describe(),
        "threads": rayon::current_num_threads(), "questions": asked_of, "reading": of(&reading), "decoders": by_decoder, "peak_memory_bytes": resources::peak_memory_bytes()});
    if context.json {
        println!("{out}");
    } else {
        print_json(&out)?;
    }
    Ok(Outcome::Fine)
}

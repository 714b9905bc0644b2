//! `sql decode`: a question in, its distinct readings out: what sets each apart, and what it returns.

use std::{fmt::Write as _, path::PathBuf, rc::Rc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use vitrine_logical_beam::{
    beam::{
        Asked, Decoder, Limits, List,
        answer::{self, Answer, answers, difference, stretches},
        choice::Choice,
        record::{Purpose, Record},
        results::{Rank, groups},
    },
    prefix::{Mode, Rules, SqlConstraint},
    sql::{ddl, rows::Value, schema::Schema, template::SchemaWords},
};

use crate::{
    commands::{Context, print_json},
    open::{self, text},
    sql::file::File,
    text_to_sql::{
        self,
        endpoint::Endpoint,
        preference::{self, forget},
    },
};

/// What is checked of a query while it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Checks {
    /// Nothing.
    None,
    /// Tokens, quotes and brackets.
    Lexing,
    /// The grammar, with any names.
    Parsing,
    /// The grammar and the names of the schema.
    Guarded,
}

/// How a list is ranked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rerank {
    /// By log-probability.
    Prob,
    /// By log-probability for the length.
    Length,
    /// What runs before what fails (needs --db).
    Execution,
    /// By how many candidates give the same result (needs --db).
    Votes,
    /// By the least expected loss, equality of results as the measure (needs --db).
    Mbr,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the command line")]
pub struct Decode {
    #[arg(long)]
    question: String,
    /// A database file, only read: its schema, and results of each reading.
    #[arg(long, conflicts_with = "schema", required_unless_present = "schema")]
    db: Option<PathBuf>,
    /// A file of CREATE TABLE statements.
    #[arg(long)]
    schema: Option<PathBuf>,
    /// A model by name, folder or GGUF file.
    #[arg(long, conflicts_with = "endpoint", required_unless_present_any = ["endpoint", "forget"])]
    model: Option<String>,
    /// Address of a chat server in place of a model, up to and without /chat/completions; http:// only.
    #[arg(long)]
    endpoint: Option<String>,
    /// The model's name at that server.
    #[arg(long, default_value = "default", requires = "endpoint")]
    endpoint_model: String,
    /// How queries are found; the best one that the model can do by default.
    #[arg(long)]
    method: Option<String>,
    /// Queries held at once, or drawn.
    #[arg(long, conflicts_with = "endpoint")]
    width: Option<usize>,
    /// Power of the length that log-probabilities are divided by (beam, logical-beam).
    #[arg(long, conflicts_with = "endpoint")]
    length_penalty: Option<f64>,
    /// What a group pays, in nats, for a token that an earlier one chose (diverse).
    #[arg(long, conflicts_with = "endpoint")]
    strength: Option<f64>,
    /// Mass that sampling keeps (top-p, typical).
    #[arg(short, conflicts_with = "endpoint")]
    p: Option<f64>,
    /// Queries wanted.
    #[arg(short, long, default_value_t = 5)]
    k: usize,
    #[arg(long, value_enum)]
    rerank: Option<Rerank>,
    /// Check queries while they are written (methods that write queries in one search); guarded by default for a language model, none for one that `sql train` made.
    #[arg(long, value_enum)]
    check: Option<Checks>,
    /// Continuations of a text that are checked, the likeliest ones; the others are not followed.
    #[arg(long, default_value_t = 8)]
    looks: usize,
    /// Fork at the first token of each name, as the published code does (logical-beam).
    #[arg(long)]
    first_token: bool,
    /// Rank queries of templates by probability, not by places (logical-beam).
    #[arg(long)]
    rank_prob: bool,
    /// Longest text of a search, in tokens.
    #[arg(long, default_value_t = 96)]
    max_tokens: usize,
    /// Of queries with the same result only the first.
    #[arg(long, requires = "db")]
    one_per_result: bool,
    /// Rows shown of each reading.
    #[arg(long, default_value_t = 3)]
    rows: usize,
    /// Most seconds of one query, or of the server's answer.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Remember that reading N is the one that was meant.
    #[arg(long)]
    choose: Option<usize>,
    /// Forget what was chosen for this schema.
    #[arg(long, conflicts_with = "choose")]
    forget: bool,
    /// Show every search: plans, templates, what was kept and why.
    #[arg(long)]
    trace: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub fn run(args: &Decode, context: Context) -> Result<()> {
    let (schema, mut file) = source(args)?;
    if args.forget {
        let forgotten = forget(&schema)?;
        println!("{}", if forgotten { "forgotten" } else { "nothing was chosen for this schema" });
        if args.model.is_none() && args.endpoint.is_none() {
            return Ok(());
        }
    }
    ensure!(args.seconds > 0, "--seconds is 0, but has to be at least 1");
    ensure!((1..=50).contains(&args.k), "--k is {}, but has to be between 1 and 50", args.k);
    let mut preferences = preference::read(&schema)?;
    let words = SchemaWords::new(&schema);
    let list = list(args, &schema)?;
    let groups = match &mut file {
        Some(file) => Some(groups(&list.candidates.iter().map(|c| c.sql.as_str()).collect::<Vec<_>>(), "", file)?),
        None => None,
    };
    let order = match args.rerank {
        None => Rank::Cost,
        Some(Rerank::Prob) => Rank::LogProb,
        Some(Rerank::Length) => Rank::Length(1.0),
        Some(Rerank::Execution) => Rank::Execution,
        Some(Rerank::Votes) => Rank::Votes,
        Some(Rerank::Mbr) => Rank::Mbr,
    }
    .order(&list.candidates, groups.as_deref())?;
    let mut readings = answers(&list.candidates, &order, groups.as_deref(), args.one_per_result);
    ensure!(!readings.is_empty(), "the model wrote no query");
    let texts: Vec<&str> = readings.iter().map(|reading| reading.candidate.sql.as_str()).collect();
    let preferred = preferences.order(&args.question, &texts, &words);
    let by_choice = preferred.first() != Some(&0);
    if let Some(n) = args.choose {
        let chosen = n.checked_sub(1).and_then(|n| preferred.get(n)).and_then(|place| texts.get(*place));
        let chosen = chosen.with_context(|| format!("--choose is {n}, but there are {} readings", texts.len()))?;
        preferences.choose(&args.question, chosen, &texts, &words);
        preference::keep(&preferences, &schema)?;
    }
    let mut placed: Vec<Option<Answer>> = readings.drain(..).map(Some).collect();
    let readings: Vec<Answer> = preferred.iter().filter_map(|place| placed[*place].take()).collect();
    if context.json {
        return print_json(&as_json(args, &readings, &list.record, by_choice, &words));
    }
    print(args, &readings, &list.record, by_choice, &words);
    Ok(())
}

/// The schema, and the database where there is one.
fn source(args: &Decode) -> Result<(Schema, Option<File>)> {
    match (&args.db, &args.schema) {
        (Some(path), _) => {
            let file = File::open(path, Duration::from_secs(args.seconds))?;
            Ok((file.schema(path)?, Some(file)))
        }
        (None, Some(path)) => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            Ok((ddl::read(&text(path)?, &name).with_context(|| format!("cannot read the schema {}", path.display()))?, None))
        }
        (None, None) => bail!("a schema is needed: --db FILE.sqlite or --schema FILE.sql"),
    }
}

fn list(args: &Decode, schema: &Schema) -> Result<List> {
    if let Some(url) = &args.endpoint {
        ensure!(args.method.is_none(), "--method belongs to --model: a server searches by itself");
        // The same bounds as for a model.
        ensure!(!args.question.trim().is_empty(), "the question is empty");
        ensure!(args.question.len() <= 16_000, "the question has {} bytes; at most 16000 are sent", args.question.len());
        let endpoint = Endpoint { url, model: &args.endpoint_model, seconds: args.seconds, temperature: 0.6 };
        return Ok(List { candidates: endpoint.list(&args.question, schema, args.k)?, record: Record::default() });
    }
    let name = args.model.as_deref().context("a model is needed: --model or --endpoint")?;
    let mut limits = Limits { k: args.k, max_tokens: args.max_tokens, seed: args.seed, trace_cuts: args.trace, ..Limits::default() };
    let choice = |method: &str| Choice {
        method: method.to_owned(),
        width: args.width,
        penalty: args.length_penalty,
        strength: args.strength,
        mass: args.p,
        first_token: args.first_token,
        rank_prob: args.rank_prob,
    };
    let named = args.method.as_deref().map(|method| choice(method).decoder(&mut limits)).transpose()?;
    let (device, _) = open::device(&args.device)?;
    let model = text_to_sql::open(name, &device)?;
    let chosen = match named {
        Some(decoder) => decoder,
        None => choice(model.decoder()).decoder(&mut limits)?,
    };
    let one_search = !matches!(chosen, Decoder::LogicalBeam(_) | Decoder::Masking(_));
    // A language model writes much besides SQL.
    let usual = if one_search && matches!(model, text_to_sql::Model::Causal(_)) { Checks::Guarded } else { Checks::None };
    let mode = match args.check.unwrap_or(usual) {
        Checks::None => None,
        Checks::Lexing => Some(Mode::Lexing),
        Checks::Parsing => Some(Mode::Parsing),
        Checks::Guarded => Some(Mode::Guarded),
    };
    ensure!(mode.is_none() || one_search, "--check belongs to methods that write queries in one search, such as beam");
    ensure!(args.looks > 0, "--looks is 0, but has to be at least 1");
    let rules = mode.map(|mode| Rules::new(mode, schema)).transpose()?;
    model.with(|model| {
        let asked = Asked::new(model, &args.question, schema, limits)?;
        Ok(match rules {
            Some(rules) => chosen.constrained(&asked, &SqlConstraint::new(Rc::new(rules), &asked.lexicon, args.looks))?,
            None => chosen.list(&asked)?,
        })
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

fn print(args: &Decode, readings: &[Answer], record: &Record, by_choice: bool, words: &SchemaWords) {
    for (place, reading) in readings.iter().enumerate() {
        let (mut line, mut marks) = (format!("{}. ", place + 1), String::from("   "));
        for stretch in &stretches(readings, place) {
            line.push_str(&stretch.text);
            marks.extend(std::iter::repeat_n(if stretch.differs { '^' } else { ' ' }, stretch.text.chars().count()));
        }
        println!("{line}");
        if marks.contains('^') {
            println!("{}", marks.trim_end());
        }
        let difference = difference(readings, place, words);
        let than = if place == 0 { "the second" } else { "the first" };
        if !difference.is_empty() {
            println!("   {difference} (unlike {than})");
        }
        match &reading.rows {
            Some(Ok(rows)) => {
                let same = match reading.same_result {
                    0 => String::new(),
                    n => format!("; {n} other {} the same", if n == 1 { "returns" } else { "return" }),
                };
                println!("   {} rows of {}{same}", rows.rows.len(), rows.columns.join(", "));
                for row in rows.rows.iter().take(args.rows) {
                    println!("     {}", row.iter().map(shown).collect::<Vec<_>>().join(" | "));
                }
            }
            Some(Err(error)) => println!("   does not run: {error}"),
            None => {}
        }
    }
    if by_choice {
        println!("The order follows what was chosen before for this schema (--forget undoes it).");
    }
    for note in &record.notes {
        println!("note: {note}");
    }
    if args.trace {
        print!("{}", searches(record));
    }
}

/// The searches, a line each, and their outputs.
fn searches(record: &Record) -> String {
    let mut out = String::new();
    for run in &record.runs {
        let what = match &run.purpose {
            Purpose::FreeTemplate => "template, freely".to_owned(),
            Purpose::Template { plan } => format!("template of {plan}"),
            Purpose::Fill { template, text } => format!("fill of template {template}: {text}"),
            Purpose::Query => "queries".into(),
            Purpose::FreePlannedQuery => "plan and query, freely".into(),
            Purpose::PlannedQuery { plan } => format!("query of {plan}"),
            Purpose::Hidden { names } => format!("queries without {}", names.join(", ")),
        };
        let _ = writeln!(out, "{what}: {} prefixes in {} forward passes, {} nodes", run.scored, run.forwards, run.search.nodes.len());
        for output in &run.outputs {
            let dropped = output.dropped.as_ref().map_or_else(String::new, |why| format!("  dropped: {why}"));
            let _ = writeln!(out, "  {:10.4}  {:?}{dropped}", output.log_prob, output.text);
        }
        if let Some(problem) = &run.problem {
            let _ = writeln!(out, "  {problem}");
        }
    }
    let _ = writeln!(out, "{} prefixes scored in {} forward passes", record.scored(), record.forwards());
    out
}

fn as_json(args: &Decode, readings: &[Answer], record: &Record, by_choice: bool, words: &SchemaWords) -> Json {
    let mut out = json!({"schema": "vitrine.sql-decode/1", "question": args.question,
        "readings": answer::as_json(readings, args.rows, words), "by_choice": by_choice, "notes": record.notes,
        "forwards": record.forwards(), "scored": record.scored()});
    if args.trace {
        out["searches"] = json!(record.runs);
    }
    out
}

//! `sql match`: predictions against gold queries, by hardness.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use vitrine_logical_beam::{
    golden,
    sql::{
        accuracy::{Accuracy, Executed},
        exact::Gold,
        execute::{execution_match, match_by_rows},
        strict,
    },
};

use crate::{
    commands::{Context, print_json},
    open::text,
    sql::Folder,
};

#[derive(Debug, Args)]
pub struct Match {
    #[arg(long)]
    gold: PathBuf,
    #[arg(long)]
    pred: PathBuf,
    #[arg(long)]
    tables: PathBuf,
    /// Folder of databases, NAME.sqlite or NAME/*.sqlite.
    #[arg(long)]
    db: Option<PathBuf>,
    /// Keep DISTINCT when results are compared.
    #[arg(long, requires = "db")]
    keep_distinct: bool,
    /// Also compare without the official reader's habits: join conditions, values, limits and DISTINCT count, aliases have a scope.
    #[arg(long)]
    strict: bool,
    /// Most seconds of one query.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub fn run(args: &Match, context: Context) -> Result<()> {
    let (gold, predictions) = (text(&args.gold)?, text(&args.pred)?);
    let gold: Vec<&str> = gold.lines().filter(|line| !line.trim().is_empty()).collect();
    let predictions: Vec<&str> = predictions.lines().collect();
    // A prediction may be an empty line, except behind the last one.
    let last = predictions.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    let predictions = &predictions[..last.max(predictions.len().min(gold.len()))];
    ensure!(!gold.is_empty(), "{} has no questions", args.gold.display());
    ensure!(
        gold.len() == predictions.len(),
        "{} has {} questions, {} has {} predictions",
        args.gold.display(),
        gold.len(),
        args.pred.display(),
        predictions.len()
    );
    let names = golden::names(&text(&args.tables)?).with_context(|| format!("cannot read {}", args.tables.display()))?;
    let mut folder = args.db.as_deref().map(|root| Folder::new(root, Duration::from_secs(args.seconds)));
    let mut accuracy = Accuracy::default();
    for (i, (line, prediction)) in gold.iter().zip(predictions).enumerate() {
        let at = || format!("question {}", i + 1);
        let (query, database) =
            line.rsplit_once('\t').with_context(|| format!("{}: no tab and database's name in {}", at(), args.gold.display()))?;
        let database = database.trim();
        let names =
            names.get(database).with_context(|| format!("{}: there is no database {database} in {}", at(), args.tables.display()))?;
        let gold = Gold::new(query, names).with_context(|| format!("{}: the gold query cannot be read", at()))?;
        // What a tab separates from a prediction is its score.
        let prediction = prediction.split('\t').next().unwrap_or_default();
        let executed = match &mut folder {
            Some(folder) => {
                let suite = execution_match(query, prediction, database, args.keep_distinct, folder)
                    .with_context(|| format!("{}: the gold query has no result", at()))?;
                Some(Executed { suite, by_rows: match_by_rows(query, prediction, database, names, folder).with_context(at)? })
            }
            None => None,
        };
        let strict = if args.strict { Some(strict::same(query, prediction, names).with_context(at)?) } else { None };
        accuracy.add(&gold.judge(prediction), strict, executed);
    }
    if context.json {
        let levels: serde_json::Map<String, serde_json::Value> =
            accuracy.named().map(|(name, count)| Ok((name, serde_json::to_value(count)?))).collect::<Result<_>>()?;
        return print_json(&json!({"schema": "vitrine.sql-match/1", "levels": levels}));
    }
    println!(
        "{:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "level", "questions", "readable", "exact", "strict", "executed", "EXM", "DX"
    );
    for (name, count) in accuracy.named() {
        let share =
            |right: usize| if count.questions == 0 { "-".to_owned() } else { format!("{:.3}", right as f64 / count.questions as f64) };
        let or_dash = |right: Option<usize>| right.map_or_else(|| "-".to_owned(), share);
        println!(
            "{name:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            count.questions,
            share(count.readable),
            share(count.exact),
            or_dash(count.strict),
            or_dash(count.executed),
            or_dash(count.exm),
            or_dash(count.dx)
        );
    }
    Ok(())
}

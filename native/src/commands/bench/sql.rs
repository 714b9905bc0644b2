//! `bench sql`: pairs judged per second of processor time, one core, for comparison with the official Python tool (`tests/bench/sql`).
//!
//! Each pass reads and judges every pair anew, gold query included, as the official tool does. A file of pairs is one of the golden shape (`check golden sql-em`); without one,
//! pairs of queries over a small schema are made here.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use vitrine_logical_beam::{
    golden,
    sql::{ddl, exact::Gold, names::Names},
};

use super::{super::Context, Times};
use crate::{Outcome, open::text};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Golden pairs, with tables.json beside them.
    pairs: Option<PathBuf>,
    /// Passes over all pairs; the median counts.
    #[arg(long, default_value_t = 20)]
    repeats: usize,
}

const SCHEMA: &str = "CREATE TABLE singer (singer_id int PRIMARY KEY, name text, country text, age int);
    CREATE TABLE concert (concert_id int PRIMARY KEY, title text, year int, singer_id int REFERENCES singer);";

pub fn run(options: &Options, context: Context) -> Result<Outcome> {
    ensure!(options.repeats > 0, "at least one pass is needed");
    let mut names = std::collections::BTreeMap::new();
    let pairs: Vec<(String, String, String)> = if let Some(path) = &options.pairs {
        names = golden::names(&text(&path.with_file_name("tables.json"))?)?;
        golden::pairs(&text(path)?)?.into_iter().map(|pair| (pair.db_id, pair.gold, pair.pred)).collect()
    } else {
        names.insert("made".to_owned(), Names::new(&ddl::read(SCHEMA, "made")?));
        made().map(|(gold, prediction)| ("made".to_owned(), gold, prediction)).collect()
    };
    ensure!(!pairs.is_empty(), "there are no pairs");
    let mut times = Times::default();
    let mut exact = 0;
    for pass in 0..=options.repeats {
        let judge = || -> Result<usize> {
            let mut exact = 0;
            for (database, gold, prediction) in &pairs {
                let names = names.get(database).with_context(|| format!("there is no database {database}"))?;
                exact += usize::from(Gold::new(gold, names)?.judge(prediction).exact);
            }
            Ok(exact)
        };
        if pass == 1 {
            // The first pass warmed up.
            times = Times::default();
        }
        exact = times.measure(judge)?;
    }
    let (wall, cpu) = times.median();
    let (pairs, per_second) = (pairs.len(), pairs.len() as f64 / cpu);
    if context.json {
        super::print_json(
            &json!({"schema": "vitrine.bench-sql/1", "pairs": pairs, "exact": exact, "wall_secs": wall, "cpu_secs": cpu, "pairs_per_cpu_sec": per_second}),
        )?;
    } else {
        println!("{pairs} pairs ({exact} exact): {per_second:.0} pairs a second of one core");
    }
    Ok(Outcome::Fine)
}

/// Pairs over the small schema: each gold query with itself, with other values, and with another query.
fn made() -> impl Iterator<Item = (String, String)> {
    let queries = [
        "SELECT name, country FROM singer WHERE age > 20 ORDER BY age DESC LIMIT 3",
        "SELECT count(*), max(age) FROM singer WHERE country = 'France' OR country = \"Chile\"",
        "SELECT T1.name FROM singer AS T1 JOIN concert AS T2 ON T1.singer_id = T2.singer_id WHERE T2.year = 2014",
        "SELECT name FROM singer WHERE singer_id NOT IN (SELECT singer_id FROM concert WHERE year >= 2014)",
        "SELECT country, count(*) FROM singer GROUP BY country HAVING count(*) > 1",
        "SELECT title FROM concert WHERE year = 2014 INTERSECT SELECT title FROM concert WHERE year = 2015",
    ];
    (0..queries.len() * 36).map(move |i| {
        let gold = queries[i % queries.len()];
        (gold.to_owned(), if i % 3 == 0 { queries[i / queries.len() % queries.len()].to_owned() } else { gold.replace("2014", "1999") })
    })
}

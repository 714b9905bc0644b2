//! Schema masking: decode, hide a name that the query used, decode again.
//!
//! **Idea.** What keeps a second reading out of a list is the name that the first one used. Without that name in the schema the model has to find the other.
//!
//! **Method.** Breadth first: each query that is found opens one search for each column and each table it uses, columns first, with that name hidden besides those hidden already. It
//! ends with k queries, or when the searches are used up.
//!
//! **Source.** ODIN (Wang et al. 2025), its generation of candidates; its selection by conformal prediction is not here.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    asked::{Asked, BeamError},
    merge::{Candidate, Origin, distinct},
    record::{Purpose, Record},
};
use crate::{
    sql::{
        schema::Schema,
        template::{Slot, templatise},
        text::bare,
    },
    stages::Stage,
};
use vitrine_core::decode::{Beam, Unconstrained};

/// Schema masking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Masking {
    /// Width of each search, of which the best query counts.
    pub width: usize,
    /// Most searches.
    pub searches: usize,
}

impl Default for Masking {
    fn default() -> Self {
        Self { width: 1, searches: 20 }
    }
}

/// A schema without the named tables and columns (`table.column`, `table`), in lower case; keys that lose an end are left out.
pub fn hidden(schema: &Schema, names: &BTreeSet<String>) -> Schema {
    let table_stays = |number: usize| schema.tables.get(number).is_some_and(|table| !names.contains(&table.to_lowercase()));
    let stays: Vec<bool> = schema
        .columns
        .iter()
        .map(|column| {
            let table = schema.tables.get(column.table).map(|table| table.to_lowercase()).unwrap_or_default();
            table_stays(column.table) && !names.contains(&format!("{table}.{}", column.name.to_lowercase()))
        })
        .collect();
    // A table that has lost all its columns goes, too.
    let table_stays = |number: usize| {
        let had = schema.columns_of(number).next().is_some();
        table_stays(number) && (!had || schema.columns_of(number).any(|(column, _)| stays[column]))
    };
    let kept: Vec<usize> = (0..schema.tables.len()).filter(|number| table_stays(*number)).collect();
    let table = |number: usize| kept.iter().position(|kept| *kept == number);
    let column =
        |number: usize| stays.get(number).copied().unwrap_or(false).then(|| stays[..number].iter().filter(|stays| **stays).count());
    Schema {
        name: schema.name.clone(),
        tables: kept.iter().map(|number| schema.tables[*number].clone()).collect(),
        columns: schema
            .columns
            .iter()
            .zip(&stays)
            .filter(|(_, stays)| **stays)
            .filter_map(|(column, _)| Some(super::super::sql::schema::Column { table: table(column.table)?, ..column.clone() }))
            .collect(),
        primary_keys: schema.primary_keys.iter().filter_map(|key| column(*key)).collect(),
        foreign_keys: schema.foreign_keys.iter().filter_map(|(a, b)| Some((column(*a)?, column(*b)?))).collect(),
    }
}

/// The columns and tables that a query uses, columns first, in the order in which they appear. A column counts for each of the query's tables that has it.
fn used(sql: &str, asked: &Asked<'_>, schema: &Schema) -> Vec<String> {
    let values = templatise(sql, &asked.words).values;
    let plain = |text: &String| text.replace('`', "").to_lowercase();
    let tables: Vec<String> = values.iter().filter(|(slot, _)| *slot == Slot::Table).map(|(_, text)| plain(text)).collect();
    let mut names: Vec<String> = vec![];
    for (_, text) in values.iter().filter(|(slot, _)| *slot == Slot::Column) {
        let column = plain(text);
        for table in &tables {
            let number = schema.table(table);
            let has = number.is_some_and(|number| schema.columns_of(number).any(|(_, other)| other.name.to_lowercase() == bare(&column)));
            if has {
                names.push(format!("{table}.{}", bare(&column)));
            }
        }
    }
    names.extend(tables);
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

impl Masking {
    /// The list of a question.
    ///
    /// # Errors
    /// What the searches say; names without which the model finds nothing to read are left in.
    pub fn decode(&self, asked: &Asked<'_>, record: &mut Record) -> Result<Vec<Candidate>, BeamError> {
        let beam = Beam::new(self.width.max(1));
        let mut open: VecDeque<BTreeSet<String>> = VecDeque::from([BTreeSet::new()]);
        let mut tried: BTreeSet<BTreeSet<String>> = BTreeSet::new();
        let mut found: Vec<Candidate> = vec![];
        while let Some(names) = open.pop_front() {
            if tried.len() >= self.searches.max(1) || found.len() >= asked.limits.k || !tried.insert(names.clone()) {
                continue;
            }
            let schema = hidden(asked.schema, &names);
            if schema.tables.is_empty() || schema.columns.is_empty() {
                continue;
            }
            let list: Vec<String> = names.iter().cloned().collect();
            let again = Asked::new(asked.model, asked.question, &schema, asked.limits)?.watched(asked.watch);
            let purpose = if list.is_empty() { Purpose::Query } else { Purpose::Hidden { names: list.clone() } };
            let outputs = again.search(purpose, Stage::Query, (&beam, 1), &Unconstrained, record)?;
            let Some(best) = outputs.into_iter().find(|output| output.dropped.is_none()) else { continue };
            for name in used(&best.text, asked, &schema) {
                let mut more = names.clone();
                more.insert(name);
                open.push_back(more);
            }
            let origin = if list.is_empty() { Origin::Plain { rank: 0 } } else { Origin::Hidden { names: list } };
            found.push(Candidate { sql: best.text, cost: found.len() as f64, log_prob: best.log_prob, origin });
            found = distinct(found, asked.limits.k);
        }
        Ok(found)
    }
}

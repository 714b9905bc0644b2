//! Questions and queries made by rule over small schemas of our own: enough to train and try everything without any data.
//!
//! **Method.** A schema has three tables of different things; the second has a key to the first, the third to the second. Each thing has columns that can be asked for, and each name two more that
//! mean the same, so that all four kinds of ambiguity ([`super::sql::ambiguate`]) can be made. Sentences and queries come in pairs of forms (`forms`). Some schemas are held out with all their
//! questions; of their queries the ambiguous questions are made. A function of the seed.

mod forms;
pub mod other_names;
mod things;

use std::collections::BTreeMap;

use super::{
    golden_coverage::Line,
    model::examples::Pair,
    sql::{
        ambiguate::{ColumnFile, Kind as Ambiguity, Synonyms, TableFile, ambiguate},
        schema::{Column, Kind, Schema},
    },
};
use forms::FORMS;
use things::{THINGS, Thing};
use vitrine_core::train::rng::Stream;

/// How much is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticConfig {
    pub seed: u64,
    pub schemas: usize,
    /// Of the schemas, those that training never sees.
    pub held_out: usize,
    pub questions_a_schema: usize,
}

impl Default for SyntheticConfig {
    /// About 2,000 questions, a sixth of them held out.
    fn default() -> Self {
        Self { seed: 0, schemas: 60, held_out: 10, questions_a_schema: 34 }
    }
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Synthetic {
    pub schemas: Vec<Schema>,
    pub train: Vec<Pair>,
    /// About schemas that `train` never asks about.
    pub held_out: Vec<Pair>,
    /// Of `held_out`, with two readings each.
    pub ambiguous: Vec<Line>,
    /// Of `train`, likewise.
    pub ambiguous_train: Vec<Line>,
}

/// A schema and what its names are called in sentences.
struct Made {
    schema: Schema,
    things: [&'static Thing; 3],
    /// Columns of each thing that this schema has.
    columns: [Vec<&'static things::Property>; 3],
}

/// Makes schemas, questions and queries.
pub fn synthetic(config: &SyntheticConfig) -> Synthetic {
    let made: Vec<Made> = (0..config.schemas).map(|i| schema(config.seed, i)).collect();
    let held_out_from = config.schemas.saturating_sub(config.held_out);
    let (mut train, mut held_out, mut ambiguous, mut ambiguous_train) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (i, made) in made.iter().enumerate() {
        let mut stream = Stream::new(config.seed, "synthetic questions", i as u64);
        let (columns, tables) = names(made);
        let synonyms = Synonyms::of(&made.schema.name, &columns, &tables);
        let to = if i < held_out_from { &mut train } else { &mut held_out };
        for _ in 0..config.questions_a_schema {
            let Some(form) = stream.pick(&FORMS) else { continue };
            let (question, query) = form(made, &mut stream);
            let lines = if i < held_out_from { &mut ambiguous_train } else { &mut ambiguous };
            for kind in Ambiguity::ALL {
                for example in ambiguate(kind, &query, &made.schema, &synonyms) {
                    let id = format!("{kind:?}{}", lines.len());
                    lines.push(Line { id, database: made.schema.name.clone(), question: question.clone(), example });
                }
            }
            to.push(Pair { database: made.schema.name.clone(), question, query, kind: None });
        }
    }
    Synthetic { schemas: made.into_iter().map(|made| made.schema).collect(), train, held_out, ambiguous, ambiguous_train }
}

fn schema(seed: u64, number: usize) -> Made {
    let mut stream = Stream::new(seed, "synthetic schemas", number as u64);
    let mut order: Vec<&'static Thing> = THINGS.iter().collect();
    stream.shuffle(&mut order);
    let things = [order[0], order[1], order[2]];
    let columns = things.map(|thing| {
        let mut properties: Vec<&'static things::Property> = thing.properties.iter().collect();
        stream.shuffle(&mut properties);
        properties.truncate(4);
        properties
    });
    let mut schema = Schema { name: format!("made_{number}"), ..Schema::default() };
    let mut keys: Vec<usize> = Vec::new();
    for (table, thing) in things.iter().enumerate() {
        schema.tables.push(thing.name.into());
        let mut add = |name: String, kind| {
            schema.columns.push(Column { table, name, kind });
            schema.columns.len() - 1
        };
        keys.push(add(format!("{}_id", thing.name), Kind::Number));
        if let Some(before) = table.checked_sub(1) {
            let foreign = add(format!("{}_id", things[before].name), Kind::Number);
            schema.foreign_keys.push((foreign, keys[before]));
        }
        for property in &columns[table] {
            add(property.name.into(), if property.is_number { Kind::Number } else { Kind::Text });
        }
    }
    schema.primary_keys = keys;
    Made { schema, things, columns }
}

/// The other names of a schema's columns and tables.
fn names(made: &Made) -> (ColumnFile, TableFile) {
    let two = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let tables = made.things.iter().map(|thing| (thing.name.to_owned(), two(thing.synonyms))).collect();
    let columns = made.things.iter().zip(&made.columns).map(|(thing, columns)| {
        (thing.name.to_owned(), columns.iter().map(|property| (property.name.to_owned(), two(property.synonyms))).collect())
    });
    let of = |name: &String| name.clone();
    (BTreeMap::from([(of(&made.schema.name), columns.collect())]), BTreeMap::from([(of(&made.schema.name), tables)]))
}

#[cfg(test)]
mod tests {
    use super::super::sql::{exact::Gold, names::Names, plan::Plan};
    use super::*;

    #[test]
    fn queries_can_be_read_schemas_are_apart_and_all_kinds_are_there() {
        let made = synthetic(&SyntheticConfig::default());
        assert_eq!((made.train.len(), made.held_out.len()), (50 * 34, 10 * 34));
        let schema = |name: &str| made.schemas.iter().find(|schema| schema.name == name).unwrap();
        for pair in made.train.iter().chain(&made.held_out) {
            let names = Names::new(schema(&pair.database));
            assert!(Gold::new(&pair.query, &names).is_ok_and(|gold| gold.judge(&pair.query).exact), "{}", pair.query);
            assert!(!pair.question.contains(['{', '_']), "{}", pair.question);
        }
        assert!(made.held_out.iter().all(|pair| made.train.iter().all(|other| other.database != pair.database)));
        for kind in Ambiguity::ALL {
            assert!(made.ambiguous.iter().filter(|line| line.example.kind == kind).count() >= 20, "{kind:?}");
        }
        let plans: std::collections::BTreeSet<Plan> = made.train.iter().map(|pair| Plan::of(&pair.query)).collect();
        assert!(plans.len() >= 5);
        let again = synthetic(&SyntheticConfig::default());
        assert_eq!((&again.train, &again.schemas), (&made.train, &made.schemas));
        assert_ne!(synthetic(&SyntheticConfig { seed: 1, ..SyntheticConfig::default() }).train, made.train);
    }
}

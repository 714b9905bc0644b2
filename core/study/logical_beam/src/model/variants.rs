//! Both readings as training targets: ambiguous questions made of unambiguous ones.
//!
//! **Idea.** A model that has only ever seen one right query for a question learns that there is one. The generators of the benchmark ([`ambiguate`]) change a schema so that a question of a
//! training database has two right queries; learned beside each other from the same input, they share the model's probability, and a decoder that looks for both can find them.
//!
//! **Method.** Of each question at most one example a kind, drawn by the seed. The model reads the changed schema; both queries are targets of the same question. A changed schema that several
//! questions have is made once.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 3 (the generators). That both readings are learned is this implementation's: the paper's models were trained on one.

use std::collections::BTreeMap;

use super::{
    super::{
        golden_coverage::Line,
        sql::{
            ambiguate::{Kind, Synonyms, ambiguate},
            schema::Schema,
        },
    },
    evaluate::changed,
    examples::Pair,
};
use vitrine_core::train::rng::Stream;

/// Ambiguous questions of these questions, at most one a question and kind. Questions of unknown databases are left out. `synonyms` gives a database's other names.
pub fn ambiguous(pairs: &[Pair], schemas: &[Schema], synonyms: impl Fn(&str) -> Synonyms, seed: u64) -> Vec<Line> {
    let schemas: BTreeMap<&str, &Schema> = schemas.iter().map(|schema| (schema.name.as_str(), schema)).collect();
    let mut known: BTreeMap<&str, Synonyms> = BTreeMap::new();
    let mut lines = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        let Some(schema) = schemas.get(pair.database.as_str()) else { continue };
        let synonyms = known.entry(pair.database.as_str()).or_insert_with(|| synonyms(&pair.database));
        let mut stream = Stream::new(seed, "variants", number as u64);
        for kind in Kind::ALL {
            if let Some(example) = stream.pick(&ambiguate(kind, &pair.query, schema, synonyms)) {
                let id = format!("{kind:?}{number}");
                lines.push(Line { id, database: pair.database.clone(), question: pair.question.clone(), example: example.clone() });
            }
        }
    }
    lines
}

/// The changed schemas of ambiguous questions, and the questions with both queries as examples of those. Changed schemas have names that no other schema has.
pub fn both_readings(lines: &[Line], schemas: &[Schema]) -> (Vec<Schema>, Vec<Pair>) {
    let by_name: BTreeMap<&str, &Schema> = schemas.iter().map(|schema| (schema.name.as_str(), schema)).collect();
    let mut numbers = BTreeMap::new();
    let (mut made, mut pairs) = (Vec::new(), Vec::new());
    for line in lines {
        let Some(schema) = by_name.get(line.database.as_str()) else { continue };
        let number = *numbers.entry((&line.database, &line.example.change)).or_insert_with(|| {
            // No name of a database has a line break.
            let name = format!("{}\n{}", line.database, made.len());
            made.push(Schema { name, ..changed(schema, &line.example.change) });
            made.len() - 1
        });
        let pair = |query: &String| Pair {
            database: made[number].name.clone(),
            question: line.question.clone(),
            query: query.clone(),
            kind: Some(line.example.kind),
        };
        pairs.extend(line.example.readings.iter().map(pair));
    }
    (made, pairs)
}

#[cfg(test)]
mod tests {
    use super::super::super::{
        sql::{ambiguate::Change, ddl, template::SchemaWords},
        synthetic::{SyntheticConfig, synthetic},
    };
    use super::{super::words::words_of, *};

    fn schema() -> Schema {
        ddl::read("CREATE TABLE singer (id int PRIMARY KEY, name text, age int, city text)", "d").unwrap()
    }

    fn pair(query: &str) -> Pair {
        Pair { database: "d".into(), question: "q".into(), query: query.into(), kind: None }
    }

    fn synonyms(_: &str) -> Synonyms {
        let two = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let columns = BTreeMap::from([("name".to_owned(), two("label", "title")), ("age".to_owned(), two("years", "seniority"))]);
        let columns = BTreeMap::from([("d".to_owned(), BTreeMap::from([("singer".to_owned(), columns)]))]);
        let tables = BTreeMap::from([("d".to_owned(), BTreeMap::from([("singer".to_owned(), two("artist", "vocalist"))]))]);
        Synonyms::of("d", &columns, &tables)
    }

    #[test]
    fn both_queries_are_targets_on_the_changed_schema_and_nowhere_else() {
        let queries =
            ["select name, age from singer where age > 3", "select avg(age) from singer where age > 3", "select name, age from singer"];
        let pairs: Vec<Pair> = queries.map(pair).to_vec();
        let lines = ambiguous(&pairs, &[schema()], synonyms, 0);
        let kinds: Vec<Kind> = lines.iter().map(|line| line.example.kind).collect();
        // A name that ends a query is not seen by the rule of tables.
        assert_eq!(kinds, [Kind::C, Kind::T, Kind::J, Kind::C, Kind::T, Kind::P, Kind::C, Kind::J]);
        let (made, both) = both_readings(&lines, &[schema()]);
        assert_eq!(both.len(), 2 * lines.len());
        assert!(made.len() < lines.len(), "questions of the same change share its schema");
        for (line, two) in lines.iter().zip(both.chunks_exact(2)) {
            let schema = made.iter().find(|schema| schema.name == two[0].database).unwrap();
            assert_eq!(
                (&two[0].database, two[0].kind, &two[0].query),
                (&two[1].database, Some(line.example.kind), &line.example.readings[0])
            );
            assert_ne!(two[0].query, two[1].query);
            for pair in two {
                assert!(words_of(&pair.query, &SchemaWords::new(schema)).is_some(), "{}", pair.query);
            }
            if let Change::Column { names, column, .. } = &line.example.change {
                let has = |name: &String| schema.columns.iter().any(|column| column.name == *name);
                assert!(names.iter().all(has) && !has(column));
            }
        }
        assert!(ambiguous(&pairs, &[], synonyms, 0).is_empty());
    }

    #[test]
    fn each_question_gives_one_example_a_kind_by_the_seed() {
        let pairs = vec![pair("select name, age from singer where city = 'x'"); 40];
        let lines = ambiguous(&pairs, &[schema()], synonyms, 0);
        assert_eq!(lines.len(), 3 * 40);
        let (made, _) = both_readings(&lines, &[schema()]);
        // Two columns that may be renamed, one table, two columns that may stand in a table of their own.
        assert_eq!(made.len(), 5);
        assert_eq!(ambiguous(&pairs, &[schema()], synonyms, 0), lines);
        assert_ne!(ambiguous(&pairs, &[schema()], synonyms, 1), lines);
        let made = synthetic(&SyntheticConfig { schemas: 6, held_out: 1, ..SyntheticConfig::default() });
        let (_, both) = both_readings(&made.ambiguous_train, &made.schemas);
        assert!(both.iter().all(|pair| !pair.database.starts_with(&made.held_out[0].database)));
    }
}

//! Which readings a person chose of the questions to one schema, and what they bring forward later.
//!
//! **Method.** A choice keeps the question with the query chosen, and the names that set it apart from the readings beside it. Later the same question gets the same query first; for another
//! question on the same schema, a reading that uses preferred names instead of rejected ones comes before its neighbours. Command line and page keep the same data, each in a place of the person's own.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::difference::names;
use crate::sql::{schema::Schema, template::SchemaWords};
use vitrine_core::{findings::sha256_hex, order::sort};

/// Most choices kept of a schema; the oldest goes.
const MOST: usize = 200;

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    pub question: String,
    pub sql: String,
    /// Names it uses and others did not.
    pub preferred: Vec<String>,
    /// Names that others used and it does not.
    pub rejected: Vec<String>,
}

/// The choices made for one schema, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    pub choices: Vec<Chosen>,
}

/// Under what the choices of a schema are kept: 16 digits of the SHA-256 of its tables, columns and foreign keys. The name of the database is no part of it.
///
/// # Errors
/// What writing JSON says.
pub fn key(schema: &Schema) -> Result<String, serde_json::Error> {
    let text = serde_json::to_vec(&(&schema.tables, &schema.columns, &schema.foreign_keys))?;
    Ok(sha256_hex(&text).chars().take(16).collect())
}

impl Preferences {
    /// Keeps that `chosen` was chosen among the readings.
    pub fn choose(&mut self, question: &str, chosen: &str, readings: &[&str], words: &SchemaWords) {
        let (mut preferred, mut rejected) = (BTreeSet::new(), BTreeSet::new());
        for other in readings.iter().filter(|other| **other != chosen) {
            preferred.extend(names(chosen, other, words));
            rejected.extend(names(other, chosen, words));
        }
        let [preferred, rejected] = [preferred, rejected].map(|names| names.into_iter().collect());
        self.choices.retain(|choice| choice.question != question);
        self.choices.push(Chosen { question: question.to_owned(), sql: chosen.to_owned(), preferred, rejected });
        let from = self.choices.len().saturating_sub(MOST);
        self.choices.drain(..from);
    }

    /// Places of the readings, those of earlier choices first; the order among equals stays.
    pub fn order(&self, question: &str, readings: &[&str], words: &SchemaWords) -> Vec<usize> {
        let mut order: Vec<usize> = (0..readings.len()).collect();
        let same = self.choices.iter().find(|choice| choice.question == question);
        let score = |sql: &&str| {
            let used = names(sql, "", words);
            let counts = |list: &[String]| list.iter().filter(|name| used.contains(name)).count() as i64;
            let by_names: i64 = self.choices.iter().map(|choice| counts(&choice.preferred) - counts(&choice.rejected)).sum();
            (same.is_some_and(|choice| choice.sql == *sql), by_names)
        };
        let scores: Vec<(bool, i64)> = readings.iter().map(score).collect();
        sort(&mut order, &|a, b| scores[b].cmp(&scores[a]).then(a.cmp(&b)));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::ddl;

    #[test]
    fn a_choice_comes_first_and_its_names_come_forward() {
        let schema = ddl::read("CREATE TABLE singer (id int, name text, years_old int, birthdate text)", "d").unwrap();
        let words = SchemaWords::new(&schema);
        let readings = ["select birthdate from singer", "select years_old from singer", "select id from singer"];
        let mut kept = Preferences::default();
        assert_eq!(kept.order("how old?", &readings, &words), [0, 1, 2], "nothing chosen, nothing moved");
        kept.choose("how old?", readings[1], &readings, &words);
        assert_eq!(
            (&kept.choices[0].preferred[..], &kept.choices[0].rejected[..]),
            (&["years_old".to_owned()][..], &["birthdate".into(), "id".into()][..])
        );
        assert_eq!(kept.order("how old?", &readings, &words)[0], 1);
        // Another question: the preferred name comes forward, rejected ones go back.
        let others = ["select name, birthdate from singer", "select name from singer", "select name, years_old from singer"];
        assert_eq!(kept.order("names with ages", &others, &words), [2, 1, 0]);
        // The same question again replaces the choice; the oldest goes where there are too many.
        kept.choose("how old?", readings[0], &readings, &words);
        assert_eq!((kept.choices.len(), kept.order("how old?", &readings, &words)[0]), (1, 0));
        for number in 0..MOST {
            kept.choose(&number.to_string(), readings[0], &readings, &words);
        }
        assert!(kept.choices.len() == MOST && kept.choices.iter().all(|choice| choice.question != "how old?"));
    }

    #[test]
    fn a_schema_is_known_by_what_is_in_it() {
        let read = |text: &str, name: &str| key(&ddl::read(text, name).unwrap()).unwrap();
        let one = read("CREATE TABLE a (b int)", "one");
        assert!(one.len() == 16 && one == read("CREATE TABLE a (b int)", "two") && one != read("CREATE TABLE a (c int)", "one"));
    }
}

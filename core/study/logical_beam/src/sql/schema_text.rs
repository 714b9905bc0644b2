//! A schema as the text that a model reads: `table : col, col | table : col`.
//!
//! Columns are shuffled inside their table, so that a model cannot learn places, and for the kinds of ambiguity that change tables the tables are too; the shuffle is a
//! function of the seed. With contents a column is followed by up to three of its values. The typed form is an addition: `col[kind]`, and `*` behind a key.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, the released inputs.

use super::{rows::Value, schema::Schema};
use vitrine_core::train::rng::Stream;

/// Most values shown of a column.
pub const MOST_VALUES: usize = 3;

/// How a schema is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// Seed of the shuffle; none keeps the order.
    pub seed: Option<u64>,
    /// Whether tables are shuffled too.
    pub shuffle_tables: bool,
    /// Kinds and keys.
    pub typed: bool,
}

/// The text of a schema, names in lower case. `values` gives values of a column by its number; none are shown where it gives none.
pub fn schema_text(schema: &Schema, form: Form, mut values: impl FnMut(usize) -> Vec<Value>) -> String {
    let mut tables: Vec<usize> = (0..schema.tables.len()).collect();
    let shuffle = |items: &mut Vec<usize>, step: usize| {
        if let Some(seed) = form.seed {
            Stream::new(seed, "schema text", step as u64).shuffle(items);
        }
    };
    if form.shuffle_tables {
        shuffle(&mut tables, 0);
    }
    let mut table = |number: usize| {
        let mut columns: Vec<usize> = schema.columns_of(number).map(|(column, _)| column).collect();
        shuffle(&mut columns, number + 1);
        let column = |i: usize| {
            let mut text = schema.columns.get(i).map(|column| column.name.to_lowercase()).unwrap_or_default();
            if let Some(column) = schema.columns.get(i).filter(|_| form.typed) {
                let kind = format!("{:?}", column.kind).to_lowercase();
                text = format!("{text}[{kind}]{}", if schema.primary_keys.contains(&i) { "*" } else { "" });
            }
            let shown: Vec<String> = values(i).iter().take(MOST_VALUES).map(shown).collect();
            if shown.is_empty() { text } else { format!("{text} ({})", shown.join(", ")) }
        };
        let columns: Vec<String> = columns.into_iter().map(column).collect();
        format!("{} : {}", schema.tables[number].to_lowercase(), columns.join(", "))
    };
    tables.into_iter().map(&mut table).collect::<Vec<_>>().join(" | ")
}

/// A value: text in double quotes, on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => format!("\"{}\"", text.replace(['\n', '\r', '"'], " ")),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ddl;
    use super::*;

    #[test]
    fn tables_and_columns_with_values_in_seeded_order() {
        let schema = ddl::read("CREATE TABLE Singer (Id int PRIMARY KEY, Name text, Age int, Song text); CREATE TABLE b (x)", "d").unwrap();
        let none = |_| Vec::new();
        assert_eq!(schema_text(&schema, Form::default(), none), "singer : id, name, age, song | b : x");
        assert_eq!(
            schema_text(&schema, Form { typed: true, ..Form::default() }, none),
            "singer : id[number]*, name[text], age[number], song[text] | b : x[text]"
        );
        let values =
            |i| if i == 1 { vec![Value::Text("a\"b".into()), Value::Null, Value::Real(1.0), Value::Integer(9)] } else { Vec::new() };
        assert_eq!(schema_text(&schema, Form::default(), values), "singer : id, name (\"a b\", null, 1.0), age, song | b : x");
        let seeded = |seed| schema_text(&schema, Form { seed: Some(seed), shuffle_tables: true, ..Form::default() }, none);
        assert_eq!(seeded(1), seeded(1));
        assert!((0..20).any(|seed| seeded(seed) != seeded(1)) && (0..20).any(|seed| seeded(seed).starts_with("b : x | ")));
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split([' ', ',', '|', ':']).map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&seeded(3)), sorted(&seeded(4)), "nothing is lost");
    }
}

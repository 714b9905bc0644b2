//! Kind T: a table gets two names in place of its own.

use super::{Change, Synonyms};
use crate::sql::{
    schema::Schema,
    text::{join, split},
};

/// Behind these words stands a table.
const BEFORE_TABLES: [&str; 5] = ["from", "join", "intersect", "union", "except"];

/// One pair of readings for each table of the query that has two names, in the schema's order. A name that ends the query is not seen: so the published rule.
pub fn generate(sql: &str, schema: &Schema, synonyms: &Synonyms) -> Vec<([String; 2], Change)> {
    let tokens = split(sql);
    let mut found = Vec::new();
    for table in schema.tables.iter().map(|table| table.to_lowercase()) {
        let Some((_, names)) = synonyms.tables().find(|(name, _)| *name == table) else { continue };
        if !sql.contains(&format!(" {table} ")) && !sql.contains(&format!(" {table})")) {
            continue;
        }
        let renamed = |name: &str| {
            let mut before = "";
            let token = |token: &'_ String| {
                let replaced = *token == table && BEFORE_TABLES.contains(&before);
                before = BEFORE_TABLES.into_iter().find(|word| word == token).unwrap_or_default();
                if replaced { name.to_owned() } else { token.clone() }
            };
            join(&tokens.iter().map(token).collect::<Vec<_>>())
        };
        found.push((names.each_ref().map(|name| renamed(name)), Change::Table { table, names: names.clone() }));
    }
    found
}

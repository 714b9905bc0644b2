//! Kind C: a column of the SELECT list gets two names in place of its own.

use std::collections::BTreeSet;

use super::{Change, Synonyms};
use crate::sql::text::{aliases, first_table, join, qualified, select_list, split};

/// One pair of readings for each column of the SELECT list that has two names.
pub fn generate(sql: &str, synonyms: &Synonyms) -> Vec<([String; 2], Change)> {
    let tokens = split(sql);
    let (aliases, first) = (aliases(&tokens), first_table(&tokens).unwrap_or_default());
    // Table and column of a token: by its alias, or the first table of the query.
    let owned = |token: &'_ str| -> Option<(String, String)> {
        let (table, column) = match qualified(token) {
            Some((alias, column)) => (*aliases.get(alias)?, column),
            None => (first, token),
        };
        Some((table.to_owned(), column.to_owned()))
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (table, column) in select_list(&tokens).iter().filter_map(|token| owned(token)) {
        let Some(names) = synonyms.column(&table, &column) else { continue };
        if !seen.insert((table.clone(), column.clone())) {
            continue;
        }
        let this = Some((table.clone(), column.clone()));
        let renamed = |name: &str| {
            let token = |token: &String| match qualified(token) {
                _ if owned(token) != this => token.clone(),
                Some((alias, _)) => format!("{alias}.{name}"),
                None => name.to_owned(),
            };
            join(&tokens.iter().map(token).collect::<Vec<_>>())
        };
        found.push((names.each_ref().map(|name| renamed(name)), Change::Column { table, column, names: names.clone() }));
    }
    found
}

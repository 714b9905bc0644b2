//! Kind J: a second table holds one column once more, so the answer may be read from one table or from a join.

use super::Change;
use crate::sql::{
    schema::Schema,
    text::{first_table, join, select_list, split},
};

/// One pair of readings for each selected column that is not the key, when there are two or more.
pub fn generate(sql: &str, schema: &Schema) -> Vec<([String; 2], Change)> {
    let tokens = split(sql);
    if tokens.iter().any(|token| token == "join") {
        return Vec::new();
    }
    let Some(number) = first_table(&tokens).and_then(|table| schema.table(table)) else { return Vec::new() };
    let table = schema.tables[number].to_lowercase();
    let columns: Vec<String> = schema.columns_of(number).map(|(_, column)| column.name.to_lowercase()).collect();
    // The last one listed, if there are several.
    let mut keys = schema.primary_keys.iter().filter_map(|key| schema.columns.get(*key)).filter(|column| column.table == number);
    let Some(key) = keys.next_back().map(|column| column.name.to_lowercase()) else { return Vec::new() };
    let mut selected: Vec<&String> = Vec::new();
    for token in select_list(&tokens) {
        if columns.contains(token) && *token != key && !selected.contains(&token) {
            selected.push(token);
        }
    }
    if selected.len() < 2 {
        return Vec::new();
    }
    let pair = |column: &String| {
        let name = format!("{table}_{column}");
        let joined = format!("{table} as t1 join {name} as t2 on t1.{key} = t2.{key}");
        let token = |token: &String| match token {
            token if *token == table => joined.clone(),
            token if token == column => format!("t2.{column}"),
            token if columns.contains(token) => format!("t1.{token}"),
            token => token.clone(),
        };
        let reading = join(&tokens.iter().map(token).collect::<Vec<_>>());
        let change = Change::Join { table: table.clone(), column: column.clone(), key: key.clone(), name };
        ([sql.to_owned(), reading], change)
    };
    selected.into_iter().map(pair).collect()
}

//! Spider's `tables.json`: the schemas of many databases in one file.
//!
//! Column 0 is `*` and belongs to no table; keys count columns with it. Both kinds of primary keys are read: a list of columns, and (newer files) lists of columns in it.
//! The file comes from outside, so every number in it is checked.

use serde::Deserialize;
use thiserror::Error;

use super::schema::{Column, Kind, Schema};

/// Most tables and columns of a database: far above any that is known (Spider 26 and 352).
pub const MOST_TABLES: usize = 2_000;
pub const MOST_COLUMNS: usize = 20_000;
/// Longest name, in bytes.
pub const LONGEST_NAME: usize = 512;

/// Why a file of schemas cannot be read.
#[derive(Debug, Error)]
pub enum TablesError {
    #[error("not a file of schemas (tables.json): {0}")]
    Json(#[from] serde_json::Error),
    #[error("database {database}: {what}")]
    Database { database: String, what: String },
}

#[derive(Deserialize)]
struct Entry {
    db_id: String,
    table_names_original: Vec<String>,
    column_names_original: Vec<(i64, String)>,
    #[serde(default)]
    column_types: Vec<String>,
    #[serde(default)]
    primary_keys: Vec<OneOrMany>,
    #[serde(default)]
    foreign_keys: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(usize),
    Many(Vec<usize>),
}

/// All schemas of the file, in its order.
///
/// # Errors
/// When the text is not such a file or a number in it points nowhere.
pub fn read(text: &str) -> Result<Vec<Schema>, TablesError> {
    let entries: Vec<Entry> = serde_json::from_str(text)?;
    entries.into_iter().map(schema).collect()
}

fn schema(entry: Entry) -> Result<Schema, TablesError> {
    let database = entry.db_id.clone();
    let wrong = |what: String| TablesError::Database { database: database.clone(), what };
    let n = entry.column_names_original.len();
    if entry.table_names_original.len() > MOST_TABLES || n > MOST_COLUMNS {
        return Err(wrong(format!("more than {MOST_TABLES} tables or {MOST_COLUMNS} columns")));
    }
    let names = entry.table_names_original.iter().chain(entry.column_names_original.iter().map(|(_, name)| name));
    if let Some(long) = names.into_iter().find(|name| name.len() > LONGEST_NAME) {
        return Err(wrong(format!("a name of {} bytes; {LONGEST_NAME} are allowed", long.len())));
    }
    // What stands for `*` has no table; files list it first, and keys count it.
    let mut number = vec![None; n];
    let mut columns = Vec::with_capacity(n);
    for (i, (table, name)) in entry.column_names_original.into_iter().enumerate() {
        let Ok(table) = usize::try_from(table) else { continue };
        if table >= entry.table_names_original.len() {
            return Err(wrong(format!("column {name} is of table {table}, which is not there")));
        }
        number[i] = Some(columns.len());
        columns.push(Column { table, name, kind: kind(entry.column_types.get(i).map(String::as_str)) });
    }
    if !columns.is_sorted_by_key(|column| column.table) {
        return Err(wrong("the columns of a table do not stand together".into()));
    }
    let column = |i: usize| number.get(i).copied().flatten().ok_or_else(|| wrong(format!("a key names column {i}, which is not there")));
    let keys = entry.primary_keys.into_iter().flat_map(|key| match key {
        OneOrMany::One(key) => vec![key],
        OneOrMany::Many(keys) => keys,
    });
    Ok(Schema {
        name: entry.db_id,
        tables: entry.table_names_original,
        primary_keys: keys.map(column).collect::<Result<_, _>>()?,
        foreign_keys: entry.foreign_keys.iter().map(|(a, b)| Ok((column(*a)?, column(*b)?))).collect::<Result<_, TablesError>>()?,
        columns,
    })
}

fn kind(name: Option<&str>) -> Kind {
    match name {
        Some("text") => Kind::Text,
        Some("number") => Kind::Number,
        Some("time") => Kind::Time,
        Some("boolean") => Kind::Boolean,
        _ => Kind::Others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(columns: &str, keys: &str) -> String {
        format!(
            r#"[{{"db_id":"d","table_names_original":["A","b"],"column_names_original":{columns},"column_types":["text","number"],{keys}}}]"#
        )
    }

    #[test]
    fn columns_are_numbered_without_the_star() {
        let text = file(r#"[[-1,"*"],[0,"Id"],[1,"x"],[1,"y"]]"#, r#""primary_keys":[1,[2,3]],"foreign_keys":[[2,1]]"#);
        let schema = read(&text).unwrap().remove(0);
        assert_eq!((schema.primary_keys.clone(), schema.foreign_keys.clone()), (vec![0, 1, 2], vec![(1, 0)]));
        assert_eq!((schema.columns[0].kind, schema.table("a")), (Kind::Number, Some(0)));
        assert_eq!(schema.columns_of(1).map(|(i, c)| (i, c.name.as_str())).collect::<Vec<_>>(), [(1, "x"), (2, "y")]);
    }

    #[test]
    fn numbers_that_point_nowhere_are_one_line() {
        for (columns, keys, why) in [
            (r#"[[2,"x"]]"#, r#""primary_keys":[]"#, "table 2"),
            (r#"[[-1,"*"],[0,"x"]]"#, r#""primary_keys":[0]"#, "column 0"),
            (r#"[[0,"x"]]"#, r#""foreign_keys":[[0,9]]"#, "column 9"),
            (r#"[[1,"x"],[0,"y"]]"#, r#""primary_keys":[]"#, "together"),
            (r"[[0,7]]", r#""primary_keys":[]"#, "not a file of schemas"),
        ] {
            let error = read(&file(columns, keys)).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains('\n'), "{error}");
        }
        assert!(read(&file(&format!(r#"[[0,"{}"]]"#, "x".repeat(600)), r#""primary_keys":[]"#)).is_err());
    }
}

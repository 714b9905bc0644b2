//! The names of one database as the official evaluator sees them: lower-case, a number each, and which columns it takes for the same.
//!
//! Two columns tied by a foreign key are the same to exact-set match: each key pair joins the first group that holds either end (groups are never joined with each
//! other), and a group's columns all become its first one.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::Schema;

/// A table, a column or `*`: equal names have equal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u32);

/// `*`, the column that is all columns.
pub const ALL: Id = Id(0);

#[derive(Debug, Clone)]
struct Entry {
    /// Column name up to its first period, what grouping compares; numbers of equal names are equal.
    bare: u32,
    /// The table, when this is a column.
    table: Option<Id>,
    /// The column that stands for this one's foreign-key group.
    merged: Id,
}

/// The names of a database.
#[derive(Debug, Clone)]
pub struct Names {
    tables: BTreeMap<String, (Id, BTreeMap<String, Id>)>,
    entries: Vec<Entry>,
}

impl Names {
    /// The names of `schema`.
    pub fn new(schema: &Schema) -> Self {
        let mut entries = vec![Entry { bare: 0, table: None, merged: ALL }];
        let mut tables: BTreeMap<String, (Id, BTreeMap<String, Id>)> = BTreeMap::new();
        let mut bare_names = BTreeMap::new();
        let mut ids = Vec::with_capacity(schema.columns.len());
        let mut add = |bare, table| {
            let id = Id(entries.len() as u32);
            entries.push(Entry { bare, table, merged: id });
            id
        };
        let by_number: Vec<String> = schema.tables.iter().map(|table| table.to_lowercase()).collect();
        for table in &by_number {
            tables.entry(table.clone()).or_insert_with(|| (add(0, None), BTreeMap::new()));
        }
        for column in &schema.columns {
            let name = column.name.to_lowercase();
            let next = bare_names.len() as u32 + 1;
            let first = name.split('.').next().unwrap_or_default();
            let bare = *bare_names.entry(first.to_owned()).or_insert(next);
            // Every column's table is in range: schemas are checked where they are read.
            let Some((table, columns)) = by_number.get(column.table).and_then(|table| tables.get_mut(table)) else { continue };
            ids.push(*columns.entry(name).or_insert_with(|| add(bare, Some(*table))));
        }
        for group in groups(&schema.foreign_keys) {
            let numbered = |i: &usize| ids.get(*i).copied();
            let Some(first) = group.first().and_then(numbered) else { continue };
            for id in group.iter().filter_map(numbered) {
                if let Some(entry) = entries.get_mut(id.0 as usize) {
                    entry.merged = first;
                }
            }
        }
        Self { tables, entries }
    }

    /// The table of this (lower-case) name.
    pub fn table(&self, name: &str) -> Option<Id> {
        self.tables.get(name).map(|(id, _)| *id)
    }

    /// A table's column, both in lower case.
    pub fn column(&self, table: &str, column: &str) -> Option<Id> {
        self.tables.get(table)?.1.get(column).copied()
    }

    /// The table of a column.
    pub fn table_of(&self, column: Id) -> Option<Id> {
        self.entries.get(column.0 as usize)?.table
    }

    /// The column that stands for the foreign-key group of this one.
    pub fn merged(&self, column: Id) -> Id {
        self.entries.get(column.0 as usize).map_or(column, |entry| entry.merged)
    }

    /// Equal for columns of the same name, whatever their table.
    pub fn bare(&self, column: Id) -> u32 {
        self.entries.get(column.0 as usize).map_or(0, |entry| entry.bare)
    }
}

fn groups(keys: &[(usize, usize)]) -> Vec<BTreeSet<usize>> {
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for (a, b) in keys {
        match groups.iter_mut().find(|group| group.contains(a) || group.contains(b)) {
            Some(group) => group.extend([*a, *b]),
            None => groups.push([*a, *b].into()),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Column, Kind};
    use super::*;

    #[test]
    fn groups_take_the_first_match_and_are_never_joined() {
        assert_eq!(groups(&[(5, 1), (7, 3), (7, 5)]), [[1, 5, 7].into(), BTreeSet::from([3, 7])]);
    }

    #[test]
    fn equal_names_have_equal_numbers_and_keys_merge() {
        let column = |table, name: &str| Column { table, name: name.into(), kind: Kind::Text };
        let schema = Schema {
            tables: vec!["A".into(), "b".into()],
            columns: vec![column(0, "Id"), column(0, "ID"), column(1, "a_id"), column(1, "id")],
            foreign_keys: vec![(2, 0)],
            ..Schema::default()
        };
        let names = Names::new(&schema);
        let (a_id, b_id, key) = (names.column("a", "id").unwrap(), names.column("b", "id").unwrap(), names.column("b", "a_id").unwrap());
        assert_eq!((names.merged(key), names.merged(b_id), names.table_of(key)), (a_id, b_id, names.table("b")));
        assert_eq!(names.bare(a_id), names.bare(b_id));
        assert_ne!(names.bare(a_id), names.bare(key));
    }
}

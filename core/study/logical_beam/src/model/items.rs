//! The names of a schema as what a model chooses among: its tables, and its column names with the tables that have them.
//!
//! **Method.** A column name is one choice however many tables have it, as the text says no more; `*` is one too. What the network knows about a choice beside its name's vector
//! is counted here: whether the question says it, keys, kind, owners, and which tables and columns foreign keys tie together.

use std::collections::{BTreeMap, BTreeSet};

use super::super::sql::schema::{Kind, Schema};

/// What names often shorten.
const SHORT: [(&str, &str); 7] = [
    ("avg", "average"),
    ("min", "minimum"),
    ("max", "maximum"),
    ("num", "number"),
    ("qty", "quantity"),
    ("dept", "department"),
    ("addr", "address"),
];

/// A name in words: lower case, cut at what is no letter or digit and where a small letter is followed by a capital; usual short forms in full.
pub fn name_words(name: &str) -> Vec<String> {
    let (mut words, mut word, mut small) = (Vec::new(), String::new(), false);
    for c in name.chars() {
        if (!c.is_alphanumeric() || (small && c.is_uppercase())) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        small = c.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    for word in &mut words {
        if let Some((_, long)) = SHORT.iter().find(|(short, _)| *short == word) {
            (*long).clone_into(word);
        }
    }
    words
}

/// A word without the usual English endings, so that "singers" finds "singer".
pub fn stem(word: &str) -> String {
    let word = word.to_lowercase();
    if !word.is_ascii() || word.len() < 4 {
        return word;
    }
    let cut = |suffix: &str, least: usize| word.strip_suffix(suffix).filter(|rest| rest.len() >= least).map(str::to_owned);
    if let Some(rest) = cut("ies", 2) {
        return format!("{rest}y");
    }
    for ending in ["sses", "xes", "ches", "shes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    if !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending))
        && let Some(rest) = cut("s", 3)
    {
        return rest;
    }
    for ending in ["ing", "ed"] {
        if let Some(rest) = cut(ending, 4) {
            return rest;
        }
    }
    word
}

/// A table, or all columns of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// In lower case, as a query says it.
    pub name: String,
    pub words: Vec<String>,
    pub stems: Vec<String>,
    /// For a column name, the tables that have it; for `*` all; for a table itself.
    pub owners: Vec<usize>,
    pub primary: bool,
    pub foreign: bool,
    pub kind: Option<Kind>,
}

/// The choices of a schema: tables, then column names, of which `*` is the first.
#[derive(Debug, Clone)]
pub struct Items {
    pub items: Vec<Item>,
    pub tables: usize,
    /// Pairs of tables that a foreign key ties together, in both orders.
    adjacent: BTreeSet<(usize, usize)>,
    /// Pairs of column items likewise.
    partners: BTreeSet<(usize, usize)>,
    by_table: BTreeMap<String, usize>,
    by_column: BTreeMap<String, usize>,
}

impl Items {
    pub fn new(schema: &Schema) -> Self {
        let item = |name: &str, owners: Vec<usize>| {
            let words = name_words(name);
            let stems = words.iter().map(|word| stem(word)).collect();
            Item { name: name.to_lowercase(), words, stems, owners, primary: false, foreign: false, kind: None }
        };
        let mut items: Vec<Item> = schema.tables.iter().enumerate().map(|(i, name)| item(name, vec![i])).collect();
        let tables = items.len();
        items.push(item("*", (0..tables).collect()));
        let mut by_column = BTreeMap::from([("*".to_owned(), tables)]);
        let mut item_of = Vec::with_capacity(schema.columns.len());
        for (number, column) in schema.columns.iter().enumerate() {
            let at = *by_column.entry(column.name.to_lowercase()).or_insert_with(|| {
                items.push(item(&column.name, vec![]));
                items.len() - 1
            });
            item_of.push(at);
            if let Some(item) = items.get_mut(at) {
                if item.owners.last() != Some(&column.table) {
                    item.owners.push(column.table);
                }
                item.primary |= schema.primary_keys.contains(&number);
                item.kind = item.kind.or(Some(column.kind));
            }
        }
        let (mut adjacent, mut partners) = (BTreeSet::new(), BTreeSet::new());
        for &(a, b) in &schema.foreign_keys {
            let (Some(x), Some(y), Some(&i), Some(&j)) = (schema.columns.get(a), schema.columns.get(b), item_of.get(a), item_of.get(b))
            else {
                continue;
            };
            adjacent.extend([(x.table, y.table), (y.table, x.table)]);
            partners.extend([(i, j), (j, i)]);
            for at in [i, j] {
                if let Some(item) = items.get_mut(at) {
                    item.foreign = true;
                }
            }
        }
        let by_table = items.iter().take(tables).enumerate().rev().map(|(i, item)| (item.name.clone(), i)).collect();
        Self { items, tables, adjacent, partners, by_table, by_column }
    }

    /// Number of the item of a table's name.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.by_table.get(name).copied()
    }

    /// Number of the item of a column's name, or of `*`.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.by_column.get(name).copied()
    }

    pub fn owns(&self, table: usize, column: usize) -> bool {
        self.items.get(column).is_some_and(|item| item.owners.binary_search(&table).is_ok())
    }

    pub fn adjacent(&self, a: usize, b: usize) -> bool {
        self.adjacent.contains(&(a, b))
    }

    /// Whether a foreign key ties these column names, or they are one.
    pub fn partners(&self, a: usize, b: usize) -> bool {
        a == b || self.partners.contains(&(a, b))
    }

    /// The items of a slot for tables or for columns.
    pub fn of_tables(&self) -> std::ops::Range<usize> {
        0..self.tables
    }

    pub fn of_columns(&self) -> std::ops::Range<usize> {
        self.tables..self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sql::ddl;
    use super::*;

    #[test]
    fn names_and_words_meet() {
        assert_eq!(name_words("HomeTeam_ID2"), ["home", "team", "id2"]);
        assert_eq!(name_words("avg_age"), ["average", "age"]);
        assert_eq!(
            ["Singers", "countries", "classes", "status", "showing", "is", "ages"].map(stem),
            ["singer", "country", "class", "status", "show", "is", "age"]
        );
    }

    #[test]
    fn a_column_name_is_one_choice_with_its_tables_and_keys() {
        let ddl = "CREATE TABLE A (id int PRIMARY KEY, Name text); CREATE TABLE b (Id int, a_id int REFERENCES A(id), name text)";
        let items = Items::new(&ddl::read(ddl, "d").unwrap());
        let names: Vec<&str> = items.items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "*", "id", "name", "a_id"]);
        let (id, key) = (items.column("id").unwrap(), items.column("a_id").unwrap());
        assert_eq!((items.items[id].owners.as_slice(), items.items[2].owners.len()), (&[0, 1][..], 2));
        assert!(items.items[id].primary && items.items[key].foreign && items.partners(id, key) && items.adjacent(0, 1));
        assert!(items.owns(1, key) && !items.owns(0, key) && !items.partners(key, items.column("name").unwrap()));
    }
}

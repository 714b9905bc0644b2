//! What names mean in a query under way.
//!
//! Columns of the SELECT list come before the tables that have them, so they wait: FROM does not end before each is a column of one of its tables, and a table joins only while the waiting ones can
//! still be met. The official evaluator collects aliases once for the whole text and the last meaning wins, so an alias may get a new table only if that has all columns asked of the alias anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::ask::is_reserved;
use crate::sql::schema::Schema;

/// Tables of one FROM; more only where columns of the SELECT list still wait for theirs.
pub const MOST_TABLES: usize = 6;
/// All aliases, those with small numbers first.
const ALIASES: [&str; 20] =
    ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11", "t12", "t13", "t14", "t15", "t16", "t17", "t18", "t19", "t20"];

/// Tables with their columns, by the names that can be written bare.
#[derive(Debug, Default)]
pub struct Tables(Vec<(String, BTreeSet<String>)>);

impl Tables {
    pub fn new(schema: &Schema) -> Self {
        // The evaluator's tokenizer cuts these words in two.
        let cut = ["cannot", "gimme", "gonna", "gotta", "lemme", "wanna"];
        let bare = |name: &str| {
            let name = name.to_lowercase();
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.len() <= 60;
            (begins && word && !is_reserved(&name) && !cut.contains(&name.as_str())).then_some(name)
        };
        let tables = schema.tables.iter().enumerate().filter_map(|(number, table)| {
            let columns: BTreeSet<String> = schema.columns_of(number).filter_map(|(_, column)| bare(&column.name)).collect();
            (!columns.is_empty()).then_some((bare(table)?, columns))
        });
        Self(tables.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn number(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(table, _)| table == name)
    }

    pub fn name(&self, table: usize) -> &str {
        &self.0[table].0
    }

    pub fn columns(&self, table: usize) -> &BTreeSet<String> {
        &self.0[table].1
    }

    pub fn numbers(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }
}

/// One SELECT.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// Tables of FROM with their aliases.
    pub tables: Vec<(usize, Option<String>)>,
    /// Whether FROM is there, so that columns wait no longer.
    pub from: bool,
    bare: BTreeSet<String>,
    aliases: BTreeSet<String>,
    named: BTreeSet<usize>,
}

impl Block {
    /// Whether columns still wait for their tables.
    pub fn waits(&self) -> bool {
        !(self.bare.is_empty() && self.aliases.is_empty() && self.named.is_empty())
    }
}

/// All SELECTs around the place under way, and what aliases were used for.
#[derive(Debug, Clone)]
pub struct Scope {
    tables: Rc<Tables>,
    pub blocks: Vec<Block>,
    uses: BTreeMap<String, BTreeSet<String>>,
    means: BTreeMap<String, usize>,
}

impl Scope {
    pub fn new(tables: &Rc<Tables>) -> Self {
        Self { tables: Rc::clone(tables), blocks: vec![], uses: BTreeMap::new(), means: BTreeMap::new() }
    }

    /// Whether the table has all columns asked of the alias anywhere.
    fn serves(&self, table: usize, alias: &str) -> bool {
        self.uses.get(alias).is_none_or(|used| used.is_subset(self.tables.columns(table)))
    }

    /// Whether some table has all columns asked of the alias, and this one.
    fn can_mean(&self, alias: &str, column: &str) -> bool {
        self.tables.numbers().any(|table| self.tables.columns(table).contains(column) && self.serves(table, alias))
    }

    /// Whether a column may be written here.
    pub fn has(&self, word: &str) -> bool {
        let Some(block) = self.blocks.last() else { return false };
        match word.split_once('.') {
            None if !block.from => self.tables.numbers().any(|table| self.tables.columns(table).contains(word)),
            None => block.tables.iter().any(|(table, _)| self.tables.columns(*table).contains(word)),
            Some((owner, column)) => self.has_owned(block, owner, column),
        }
    }

    fn has_owned(&self, block: &Block, owner: &str, column: &str) -> bool {
        match self.tables.number(owner) {
            Some(table) => {
                let there = !block.from || block.tables.iter().any(|(other, alias)| *other == table && alias.is_none());
                there && self.tables.columns(table).contains(column)
            }
            None if !ALIASES.contains(&owner) => false,
            None if !block.from => self.can_mean(owner, column),
            None => {
                // The innermost meaning, and the one that the evaluator ends up with; if the alias of an outer query still waits for a table here, also the one to come.
                let here = self.blocks.iter().rev().flat_map(|block| &block.tables).find(|(_, alias)| alias.as_deref() == Some(owner));
                let last = self.means.get(owner);
                let has = |table: &usize| self.tables.columns(*table).contains(column);
                let waits = block.aliases.contains(owner);
                here.is_some_and(|(table, _)| has(table)) && last.is_some_and(has) && (!waits || self.can_mean(owner, column))
            }
        }
    }

    /// Whether a column that begins so may be written here.
    pub fn begins(&self, part: &str) -> bool {
        let Some(block) = self.blocks.last() else { return false };
        if let Some((owner, column)) = part.split_once('.') {
            return self.all_columns().any(|name| name.starts_with(column) && self.has_owned(block, owner, name));
        }
        let bare = self.all_columns().any(|name| name.starts_with(part) && self.has(name));
        let owned = |owner: &str| owner.starts_with(part) && self.all_columns().any(|name| self.has_owned(block, owner, name));
        bare || self.tables.numbers().any(|table| owned(self.tables.name(table)))
            || if block.from {
                self.blocks.iter().flat_map(|block| &block.tables).filter_map(|(_, alias)| alias.as_deref()).any(owned)
            } else {
                ALIASES.into_iter().any(|alias| self.tables.number(alias).is_none() && owned(alias))
            }
    }

    fn all_columns(&self) -> impl Iterator<Item = &str> {
        self.tables.numbers().flat_map(|table| self.tables.columns(table)).map(String::as_str)
    }

    /// A column was written.
    pub fn take(&mut self, word: &str) {
        let Some(block) = self.blocks.last_mut() else { return };
        match word.split_once('.') {
            None if !block.from => {
                block.bare.insert(word.to_owned());
            }
            None => {}
            Some((owner, column)) => match self.tables.number(owner) {
                Some(table) if !block.from => {
                    block.named.insert(table);
                }
                Some(_) => {}
                None => {
                    if !block.from {
                        block.aliases.insert(owner.to_owned());
                    }
                    self.uses.entry(owner.to_owned()).or_default().insert(column.to_owned());
                }
            },
        }
    }

    /// Whether a table may stand in FROM now.
    pub fn fits(&self, table: usize) -> bool {
        let Some(block) = self.blocks.last() else { return false };
        block.tables.len() < MOST_TABLES
            || self.meets_bare(block, table)
            || block.aliases.iter().any(|alias| self.may_be_called(table, alias))
    }

    fn meets_bare(&self, block: &Block, table: usize) -> bool {
        block.named.contains(&table) || block.bare.iter().any(|column| self.tables.columns(table).contains(column))
    }

    /// Whether the table may get this alias: behind the largest number of tables only one that waits.
    pub fn may_be_called(&self, table: usize, alias: &str) -> bool {
        let Some(block) = self.blocks.last() else { return false };
        let needed = block.tables.len() < MOST_TABLES || self.meets_bare(block, table) || block.aliases.contains(alias);
        let free = block.tables.iter().all(|(_, taken)| taken.as_deref() != Some(alias));
        needed && free && ALIASES.contains(&alias) && self.tables.number(alias).is_none() && self.serves(table, alias)
    }

    /// Aliases that the table may get.
    pub fn fitting_aliases(&self, table: usize) -> impl Iterator<Item = &'static str> {
        ALIASES.into_iter().filter(move |alias| self.may_be_called(table, alias))
    }

    /// Whether the table may stand without an alias: not where only an alias that waits lets it in.
    pub fn may_be_bare(&self, table: usize) -> bool {
        self.blocks.last().is_some_and(|block| block.tables.len() < MOST_TABLES || self.meets_bare(block, table))
    }

    /// A table was written.
    pub fn add(&mut self, table: usize, alias: Option<&str>) {
        if let Some(alias) = alias {
            self.means.insert(alias.to_owned(), table);
        }
        let columns = self.tables.columns(table);
        let Some(block) = self.blocks.last_mut() else { return };
        block.bare.retain(|column| !columns.contains(column));
        match alias {
            Some(alias) => {
                block.aliases.remove(alias);
            }
            None => {
                block.named.remove(&table);
            }
        }
        block.tables.push((table, alias.map(str::to_owned)));
    }
}

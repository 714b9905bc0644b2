//! What the text so far says about the next name: tables and aliases in scope, columns chosen, and where in the query it stands.
//!
//! **Method.** A state that reads words and fillers one by one and answers with a few flags for each table or column that could come: does the alias' table own it, does it own
//! what was selected, is it tied by a foreign key to what is there. Nested queries have a scope of their own; the last column outside is remembered for `in (select …`.

use super::{items::Items, words::Role};

/// Flags of a candidate.
pub const FLAGS: usize = 16;
/// Flags of where the question says a candidate, against what is chosen already.
pub const PLACES: usize = 4;

/// Where in the question the candidates of a slot are said, and what of it is used up.
///
/// A question names things in the order of the query more often than not, and one word seldom stands for two columns.
pub struct Places<'p> {
    /// By item; 0 for what is not said, else one more than the number of the word.
    said: &'p [usize],
    used: Vec<usize>,
    last: usize,
    /// The first place behind the last that a candidate has.
    next: usize,
}

impl<'p> Places<'p> {
    /// Of items in `range`, behind the `chosen` ones.
    pub fn new(places: &'p [usize], range: std::ops::Range<usize>, chosen: Vec<usize>) -> Self {
        let place = |item: usize| places.get(item).copied().unwrap_or(0);
        let used: Vec<usize> = chosen.into_iter().map(place).collect();
        let last = used.last().copied().unwrap_or(0);
        let next = range.map(place).filter(|&place| place > last).min().unwrap_or(0);
        Self { said: places, used, last, next }
    }

    /// Whether a candidate is said at all behind the last chosen one, next behind it, before it, or by a word that is used up.
    pub fn flags(&self, item: usize) -> [bool; PLACES] {
        let place = self.said.get(item).copied().unwrap_or(0);
        let said = place > 0;
        [said && place > self.last, said && place == self.next, said && place < self.last, said && self.used.contains(&place)]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Clause {
    #[default]
    Select,
    From,
    On,
    Where,
    Group,
    Having,
    Order,
}

#[derive(Debug, Clone, Default)]
struct Block {
    depth: usize,
    clause: Clause,
    /// Tables with the number of their alias, 0 without one.
    tables: Vec<(u8, usize)>,
    /// Columns with the number of their alias.
    columns: Vec<(u8, usize, Clause)>,
    /// Of the query before this one in a set operation.
    earlier_tables: Vec<usize>,
    earlier_columns: Vec<usize>,
}

/// The state behind a text.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    blocks: Vec<Block>,
    depth: usize,
    before: String,
    /// Alias of the column that comes.
    qualifier: u8,
    last_column: Option<usize>,
}

impl Scope {
    /// Reads a word, and the item that fills it where it is a slot for a table or column.
    pub fn read(&mut self, word: &str, role: Role, item: Option<usize>) {
        let bare = word.trim_start();
        match bare {
            "(" => self.depth += 1,
            ")" => {
                self.depth = self.depth.saturating_sub(1);
                if self.blocks.len() > 1 && self.blocks.last().is_some_and(|block| block.depth > self.depth) {
                    self.blocks.pop();
                }
            }
            "select" => self.select(),
            _ => {}
        }
        let qualifier = self.qualifier;
        if let Some(block) = self.blocks.last_mut() {
            block.clause = match bare {
                "from" | "join" => Clause::From,
                "on" => Clause::On,
                "where" => Clause::Where,
                "group" => Clause::Group,
                "having" => Clause::Having,
                "order" => Clause::Order,
                _ => block.clause,
            };
            match (role, item) {
                (Role::Slot(super::super::sql::template::Slot::Table), Some(table)) => block.tables.push((0, table)),
                (Role::Slot(super::super::sql::template::Slot::Column), Some(column)) => {
                    block.columns.push((qualifier, column, block.clause));
                    self.last_column = Some(column);
                }
                (Role::Alias(n), _) => {
                    if let Some((alias, _)) = block.tables.last_mut() {
                        *alias = n;
                    }
                }
                _ => {}
            }
        }
        self.qualifier = if let Role::Qualifier(n) = role { n } else { 0 };
        bare.clone_into(&mut self.before);
    }

    fn select(&mut self) {
        let new = Block { depth: self.depth, ..Block::default() };
        match self.blocks.last_mut() {
            Some(block) if self.before != "(" => {
                let earlier_tables = block.tables.iter().map(|(_, table)| *table).collect();
                let selected = block.columns.iter().filter(|(_, _, clause)| *clause == Clause::Select);
                let earlier_columns = selected.map(|(_, column, _)| *column).collect();
                *block = Block { earlier_tables, earlier_columns, ..new };
            }
            _ => self.blocks.push(new),
        }
    }

    /// The table behind an alias, in the nearest block that has it.
    fn aliased(&self, alias: u8) -> Option<usize> {
        self.blocks.iter().rev().flat_map(|block| block.tables.iter().rev()).find(|(other, _)| *other == alias).map(|(_, table)| *table)
    }

    /// The tables, or columns, chosen in the innermost block.
    pub fn chosen(&self, tables: bool) -> Vec<usize> {
        let Some(block) = self.blocks.last() else { return vec![] };
        if tables {
            block.tables.iter().map(|(_, table)| *table).collect()
        } else {
            block.columns.iter().map(|(_, column, _)| *column).collect()
        }
    }

    /// The last column chosen outside the innermost block.
    fn outer_column(&self) -> Option<usize> {
        let outer = self.blocks.len().checked_sub(2)?;
        self.blocks.get(outer)?.columns.last().map(|(_, column, _)| *column)
    }

    /// Flags of a column as the next one.
    pub fn column_flags(&self, items: &Items, column: usize) -> [bool; FLAGS] {
        let empty = Block::default();
        let block = self.blocks.last().unwrap_or(&empty);
        let star = items.items.get(column).is_some_and(|item| item.name == "*");
        let table = if self.qualifier > 0 { self.aliased(self.qualifier) } else { None };
        let owned = |table: usize| !star && items.owns(table, column);
        let owned_here = block.tables.iter().any(|(_, table)| owned(*table));
        let beside: Vec<usize> =
            block.columns.iter().filter(|(alias, ..)| *alias == self.qualifier).map(|(_, column, _)| *column).collect();
        let compatible = (0..items.tables).any(|table| items.owns(table, column) && beside.iter().all(|&other| items.owns(table, other)));
        let of_select = |&(_, other, clause): &(u8, usize, Clause)| other == column && clause == Clause::Select;
        let key = items.items.get(column).is_some_and(|item| item.primary || item.foreign);
        let on = block.clause == Clause::On;
        let tied = |other: Option<usize>| other.is_some_and(|other| items.partners(other, column));
        [
            table.is_some_and(owned),
            table.is_some_and(|table| !owned(table)),
            self.qualifier == 0 && !block.tables.is_empty() && owned_here,
            self.qualifier == 0 && !block.tables.is_empty() && !owned_here,
            block.columns.iter().any(|&(_, other, clause)| other == column && clause == block.clause),
            block.columns.iter().any(of_select),
            table.is_none() && block.tables.is_empty() && !beside.is_empty() && compatible,
            table.is_none() && block.tables.is_empty() && !beside.is_empty() && !compatible,
            self.last_column == Some(column),
            tied(self.last_column) && self.last_column != Some(column),
            tied(self.outer_column()),
            block.earlier_columns.contains(&column),
            star && self.before == "(",
            on && key && table.is_some_and(owned),
            on && self.before == "=" && tied(self.last_column),
            block.columns.iter().any(|&(_, other, clause)| other == column && clause == Clause::Group),
        ]
    }

    /// Flags of a table as the next one.
    pub fn table_flags(&self, items: &Items, table: usize) -> [bool; FLAGS] {
        let empty = Block::default();
        let block = self.blocks.last().unwrap_or(&empty);
        let star = |column: usize| items.items.get(column).is_some_and(|item| item.name == "*");
        // The alias that comes: the first that is used and has no table yet.
        let named = |alias: u8| block.tables.iter().any(|(other, _)| *other == alias);
        let next = block.columns.iter().map(|(alias, ..)| *alias).filter(|&alias| alias > 0 && !named(alias)).min();
        // With one table so far, a second alias comes even where no column names it.
        let ordinal = u8::try_from(block.tables.len() + 1).unwrap_or(u8::MAX);
        let aliased = block.columns.iter().any(|(alias, ..)| *alias > 0) || !block.tables.is_empty();
        let alias = if aliased { next.filter(|&next| next <= ordinal).unwrap_or(ordinal) } else { 0 };
        let wanted: Vec<usize> =
            block.columns.iter().filter(|(other, column, _)| *other == alias && !star(*column)).map(|(_, column, _)| *column).collect();
        let owns_all = wanted.iter().all(|&column| items.owns(table, column));
        let adjacent = |other: usize| items.adjacent(table, other);
        let missing = block.columns.iter().filter(|(other, column, _)| *other > 0 && !named(*other) && *other != alias && !star(*column));
        let bridges = missing
            .map(|(_, column, _)| *column)
            .any(|column| (0..items.tables).any(|other| other != table && items.owns(other, column) && adjacent(other)));
        let chosen: Vec<usize> = block.columns.iter().map(|(_, column, _)| *column).filter(|&column| !star(column)).collect();
        let owned = chosen.iter().filter(|&&column| items.owns(table, column)).count();
        let outer = self.outer_column();
        [
            !wanted.is_empty() && owns_all,
            !wanted.is_empty() && !owns_all,
            !block.tables.is_empty() && block.tables.iter().any(|(_, other)| adjacent(*other)),
            !block.tables.is_empty() && !block.tables.iter().any(|(_, other)| adjacent(*other)),
            block.tables.iter().any(|(_, other)| *other == table),
            self.blocks.iter().rev().skip(1).any(|block| block.tables.iter().any(|(_, other)| *other == table)),
            block.earlier_tables.contains(&table),
            wanted.is_empty() && bridges,
            !chosen.is_empty() && owned == chosen.len(),
            owned > 0 && owned < chosen.len(),
            chosen.is_empty(),
            outer.is_some_and(|outer| items.owns(table, outer)),
            outer.is_some_and(|outer| items.of_columns().any(|column| items.owns(table, column) && items.partners(outer, column))),
            block.tables.last().is_some_and(|(_, other)| adjacent(*other)),
            !block.columns.is_empty() && !block.columns.iter().any(|(alias, ..)| *alias > 0),
            self.blocks.len() > 1,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::sql::ddl,
        super::sql::template::SchemaWords,
        words::{role, words_of},
    };
    use super::*;

    /// The state behind a query, and the items.
    fn read(sql: &str) -> (Scope, Items) {
        let ddl = "CREATE TABLE singer (id int PRIMARY KEY, name text, age int); CREATE TABLE song (sid int, singer_id int REFERENCES singer(id), title text)";
        let schema = ddl::read(ddl, "d").unwrap();
        let (items, mut scope) = (Items::new(&schema), Scope::default());
        for one in words_of(sql, &SchemaWords::new(&schema)).unwrap().1 {
            let item =
                one.filler.as_deref().and_then(|name| if one.word.ends_with("table") { items.table(name) } else { items.column(name) });
            scope.read(&one.word, role(&one.word), item);
        }
        (scope, items)
    }

    #[test]
    fn owners_of_what_is_selected_are_seen_before_and_behind_from() {
        let (scope, items) = read("select name from");
        assert!(scope.table_flags(&items, 0)[0] && scope.table_flags(&items, 1)[1]);
        let (scope, items) = read("select t2.title, t1.name from");
        assert!(scope.table_flags(&items, 0)[0] && scope.table_flags(&items, 1)[1], "t1 comes first");
        let (scope, items) = read("select t2.title, t1.name from singer as t1 join");
        assert!(scope.table_flags(&items, 1)[0] && scope.table_flags(&items, 1)[2] && scope.table_flags(&items, 0)[4]);
        let (mut scope, items) = read("select t1.name from singer as t1 join song as t2 on t1.id =");
        scope.read(" t2.", Role::Qualifier(2), None);
        let (key, name) = (items.column("singer_id").unwrap(), items.column("name").unwrap());
        let flags = scope.column_flags(&items, key);
        assert!(flags[0] && flags[9] && flags[13] && !flags[1]);
        assert!(scope.column_flags(&items, name)[1] && scope.column_flags(&items, name)[5]);
    }

    #[test]
    fn nested_queries_have_their_own_scope_and_know_what_is_outside() {
        let (scope, items) = read("select name from singer where id in (select");
        let key = items.column("singer_id").unwrap();
        assert!(scope.column_flags(&items, key)[10] && !scope.column_flags(&items, key)[2]);
        let (scope, items) = read("select name from singer where id in (select singer_id from song) and");
        assert!(scope.column_flags(&items, items.column("age").unwrap())[2]);
        let (scope, items) = read("select name from singer intersect select");
        assert!(scope.column_flags(&items, items.column("name").unwrap())[11] && scope.table_flags(&items, 0)[6]);
    }
}

//! What exact-set match forgets about a query before it compares.
//!
//! Literals and columns on the right of conditions become nothing, nested queries stay with theirs forgotten; DISTINCT is cleared; columns that a foreign key ties
//! together become one where their own table is among the tables of the outer FROM. The branches of set operations are treated with the outer query's tables, queries
//! inside conditions keep their columns and DISTINCT, and queries in FROM keep everything, literals too.

use super::{
    names::{Id, Names},
    query::{ColumnUnit, Query, TableUnit, Term, Value, ValueUnit},
};

/// Makes a query ready for comparison.
pub fn comparable(query: &mut Query, names: &Names) {
    forget_literals(query);
    let tables: Vec<Id> = query.from.iter().filter_map(|unit| if let TableUnit::Table(id) = unit { Some(*id) } else { None }).collect();
    merge_columns(query, &Merge { tables: &tables, names });
}

fn forget_literals(query: &mut Query) {
    for terms in [&mut query.on, &mut query.having, &mut query.filter] {
        for term in terms.iter_mut().step_by(2) {
            let Term::Condition(condition) = term else { continue };
            for value in [&mut condition.first, &mut condition.second] {
                match value {
                    Value::Query(inner) => forget_literals(inner),
                    other => *other = Value::None,
                }
            }
        }
    }
    if let Some((_, branch)) = &mut query.set {
        forget_literals(branch);
    }
}

struct Merge<'a> {
    tables: &'a [Id],
    names: &'a Names,
}

impl Merge<'_> {
    fn column(&self, unit: &mut ColumnUnit) {
        unit.distinct = false;
        if self.names.table_of(unit.column).is_some_and(|table| self.tables.contains(&table)) {
            unit.column = self.names.merged(unit.column);
        }
    }

    fn value(&self, unit: &mut ValueUnit) {
        self.column(&mut unit.left);
        if let Some(right) = &mut unit.right {
            self.column(right);
        }
    }
}

fn merge_columns(query: &mut Query, merge: &Merge<'_>) {
    query.distinct = false;
    for (_, unit) in &mut query.select {
        merge.value(unit);
    }
    for terms in [&mut query.on, &mut query.filter, &mut query.having] {
        for term in terms.iter_mut().step_by(2) {
            if let Term::Condition(condition) = term {
                merge.value(&mut condition.unit);
            }
        }
    }
    for unit in &mut query.group {
        merge.column(unit);
    }
    for unit in query.order.iter_mut().flat_map(|(_, units)| units) {
        merge.value(unit);
    }
    if let Some((_, branch)) = &mut query.set {
        merge_columns(branch, merge);
    }
}

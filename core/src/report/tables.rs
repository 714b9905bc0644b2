//! Tables: real ones, with caption, headings for columns and rows, numbers set in columns, the best one marked.

use maud::{Markup, html};

use super::numbers::{count, fixed};
use super::text::{CELL, NAME, shown};
use crate::findings::{Best, Cell, Column, ColumnKind, Table};

/// Bytes from which a text gets a wider column.
const LONG_CELL: usize = 60;

/// A table panel's body. `rows` is how many rows are shown at most.
pub(super) fn table(body: &Table, caption: &Markup, rows: usize) -> Markup {
    let best: Vec<Option<f64>> = body.columns.iter().enumerate().map(|(at, column)| best(body, at, column)).collect();
    html! {
        div.scroll role="region" tabindex="0" aria-label="Table, scrolls sideways" {
            table.data {
                (wrapping(caption))
                thead { tr { @for column in &body.columns { (heading(column)) } } }
                tbody {
                    @for row in body.rows.iter().take(rows) {
                        tr { @for (at, (cell, column)) in row.iter().zip(&body.columns).enumerate() {
                            (one_cell(cell, column, at == 0, best.get(at).copied().flatten()))
                        } }
                    }
                }
            }
        }
        @if body.rows.len() > rows {
            p.note { "The first " (count(rows as u64)) " of " (count(body.rows.len() as u64)) " rows are shown; the data hold all." }
        }
        @if best.iter().any(Option::is_some) { p.note { strong.best { "Bold" } " marks the best value of a column." } }
    }
}

/// A caption as wide as what is seen of its table: it wraps there, and stays while a broad table scrolls.
pub(super) fn wrapping(words: &Markup) -> Markup {
    html! { caption { span { (words) } } }
}

fn heading(column: &Column) -> Markup {
    let number = column.kind == ColumnKind::Number;
    html! {
        th scope="col" class=(if number { "num" } else { "txt" }) {
            (shown(&column.name, NAME))
            @if !column.unit.is_empty() { " " span.unit { "(" (shown(&column.unit, 40)) ")" } }
        }
    }
}

fn one_cell(cell: &Cell, column: &Column, first: bool, best: Option<f64>) -> Markup {
    let words = match cell {
        Cell::Missing => html! { span.missing aria-label="not measured" { "–" } },
        Cell::Number(value) => {
            let number = fixed(*value, usize::from(column.digits));
            if best == Some(*value) {
                html! { strong.best { (number) } }
            } else {
                html! { (number) }
            }
        }
        Cell::Text(words) => shown(words, CELL),
    };
    let class = match cell {
        _ if column.kind == ColumnKind::Number => "num",
        Cell::Text(words) if words.len() > LONG_CELL => "txt long",
        _ => "txt",
    };
    html! {
        @if first { th scope="row" class=(class) { (words) } } @else { td class=(class) { (words) } }
    }
}

/// The best number of a column, if it is asked for and there is more than one.
fn best(body: &Table, at: usize, column: &Column) -> Option<f64> {
    let wanted = column.best?;
    let numbers: Vec<f64> = body
        .rows
        .iter()
        .filter_map(|row| match row.get(at) {
            Some(Cell::Number(value)) => Some(*value),
            _ => None,
        })
        .collect();
    if numbers.len() < 2 {
        return None;
    }
    numbers.into_iter().reduce(|a, b| match wanted {
        Best::Highest => a.max(b),
        Best::Lowest => a.min(b),
    })
}

/// A plain table of numbers under a figure: columns, rows, and how many rows there are in all.
pub(super) fn numbers(caption: &str, columns: &[Markup], rows: &[Vec<Markup>], total: usize) -> Markup {
    let all: Vec<usize> = (1..columns.len()).collect();
    mixed(caption, columns, &all, rows, total)
}

/// The same with numbers in some of the columns only.
pub(super) fn mixed(caption: &str, columns: &[Markup], numbers: &[usize], rows: &[Vec<Markup>], total: usize) -> Markup {
    let class = |at: usize| if numbers.contains(&at) { "num" } else { "txt" };
    html! {
        div.scroll role="region" tabindex="0" aria-label="Table, scrolls sideways" {
            table.data.small {
                (wrapping(&html! { (caption) }))
                thead { tr { @for (at, column) in columns.iter().enumerate() { th scope="col" class=(class(at)) { (column) } } } }
                tbody { @for row in rows { tr {
                    @for (at, cell) in row.iter().enumerate() {
                        @if at == 0 { th scope="row" class="txt" { (cell) } } @else { td class=(class(at)) { (cell) } }
                    }
                } } }
            }
        }
        @if total > rows.len() {
            p.note { "The first " (count(rows.len() as u64)) " of " (count(total as u64)) " rows are shown; the data hold all." }
        }
    }
}

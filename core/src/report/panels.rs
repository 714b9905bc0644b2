//! Panels: a heading, the figure or table, a numbered caption, and the numbers behind it.

use maud::{Markup, html};

use super::numbers::{brief, count};
use super::svg::{self, Drawing, Naming, Size};
use super::text::{self, CELL, LONG, NAME, PROSE, label, shown};
use super::{Options, tables};
use crate::findings::{Bars, Body, BranchFate, Circuit, Panel, Searches, Series};

/// Edges listed under a circuit without a script.
const LISTED_EDGES: usize = 100;
/// Values listed under a chart.
const LISTED_VALUES: usize = 300;

/// Counts figures and tables through a whole report.
#[derive(Debug, Default)]
pub(super) struct Counter {
    figures: usize,
    tables: usize,
}

/// One panel; `run` and `index` (both from 1) make its identifiers.
pub(super) fn panel(run: usize, index: usize, panel: &Panel, options: &Options, counter: &mut Counter) -> Markup {
    let id = format!("r{run}-{}", panel.id);
    let number = match &panel.body {
        Body::Table(_) => {
            counter.tables += 1;
            Some(format!("Table {}", counter.tables))
        }
        Body::Text(_) => None,
        _ => {
            counter.figures += 1;
            Some(format!("Figure {}", counter.figures))
        }
    };
    let caption = html! {
        @if let Some(number) = &number { b { (number) ". " } }
        (shown(&panel.caption, PROSE))
    };
    let title = label(&panel.title, NAME);
    html! {
        section.panel.{ (panel.body.kind()) } id=(id) aria-labelledby={ (id) "-h" } data-run=(run) data-panel=(index) {
            h3 id={ (id) "-h" } { (shown(&panel.title, NAME)) }
            (body(&id, &title, panel, &caption, options))
            p.tools hidden {
                @if !matches!(panel.body, Body::Text(_) | Body::Pictures(_)) { button type="button" data-do="csv" { "CSV" } " " }
                button type="button" data-do="json" { "JSON" }
                @if matches!(panel.body, Body::Series(_) | Body::Bars(_) | Body::Circuit(_) | Body::Searches(_)) { " " button type="button" data-do="svg" { "SVG" } }
            }
        }
    }
}

fn body(id: &str, title: &str, panel: &Panel, caption: &Markup, options: &Options) -> Markup {
    match &panel.body {
        Body::Series(body) => {
            let description = describe_series(body);
            let naming = Naming { id, title, description: &description };
            html! {
                figure {
                    @for size in Size::BOTH { (svg::series(body, size, naming)) }
                    figcaption { (caption) @if !body.band_note.is_empty() { " Shaded: " (shown(&body.band_note, NAME)) "." } }
                }
                details { summary { "The numbers" } (series_numbers(body)) }
            }
        }
        Body::Bars(body) => {
            let description = describe_bars(body);
            let naming = Naming { id, title, description: &description };
            html! {
                figure {
                    @for size in Size::BOTH { (svg::bars(body, size, naming)) }
                    figcaption {
                        (caption)
                        @if !body.band_note.is_empty() { " Whiskers: " (shown(&body.band_note, NAME)) "." }
                        @if body.groups.len().saturating_mul(body.categories.len()) > svg::MOST_BARS { " Only the first bars are drawn; the numbers below go further." }
                    }
                }
                details { summary { "The numbers" } (bar_numbers(body)) }
            }
        }
        Body::Table(body) => tables::table(body, caption, options.table_rows),
        Body::Circuit(body) => circuit(id, title, body, caption, options),
        Body::Pictures(body) => html! {
            figure.pictures {
                @for picture in &body.pictures {
                    div {
                        p { bdi { (text::lines(&picture.caption, LONG)) } }
                        img src={ "data:image/png;base64," (picture.png) } width=(picture.width) height=(picture.height) alt=(label(&picture.described, PROSE));
                    }
                }
                figcaption { (caption) }
            }
        },
        Body::Searches(body) => searches(id, title, body, caption),
        Body::Text(body) => html! {
            @for paragraph in &body.paragraphs {
                @if body.fixed_width { pre tabindex="0" { bdi { (text::lines(paragraph, LONG)) } } }
                @else { p.lines { bdi { (text::lines(paragraph, LONG)) } } }
            }
            @if !panel.caption.is_empty() { p.note { (caption) } }
        },
    }
}

fn circuit(id: &str, title: &str, body: &Circuit, caption: &Markup, options: &Options) -> Markup {
    let drawing = Drawing::new(body, options.drawn_edges);
    let description = describe_circuit(body, &drawing);
    let naming = Naming { id, title, description: &description };
    let listed = svg::strongest(body);
    let name = |names: Option<&String>| names.map_or_else(String::new, |name| label(name, NAME));
    let rows: Vec<Vec<Markup>> = listed
        .iter()
        .take(LISTED_EDGES)
        .map(|edge| {
            vec![
                html! { bdi { (name(body.writers.get(edge.writer as usize).map(|writer| &writer.name))) } },
                html! { bdi { (name(body.readers.get(edge.reader as usize).map(|reader| &reader.name))) } },
                html! { (brief(edge.weight)) },
            ]
        })
        .collect();
    let columns = [html! { "From" }, html! { "To" }, html! { (shown(&body.weight_label, 60)) }];
    html! {
        figure {
            div.scroll role="region" tabindex="0" aria-label="Circuit drawing, scrolls" { (svg::circuit(&drawing, naming)) }
            (svg::key(&drawing))
            p.readout role="status" hidden {}
            figcaption { (caption) " " (description) }
        }
        details.edges {
            summary { "The edges" }
            p.find hidden {
                label for={ (id) "-q" } { "Find edges by the names of their ends" } " "
                input id={ (id) "-q" } type="search" autocomplete="off" spellcheck="false";
                " " span.found role="status" {}
            }
            (tables::mixed("Kept edges, the strongest first", &columns, &[2], &rows, listed.len()))
        }
    }
}

fn searches(id: &str, title: &str, body: &Searches, caption: &Markup) -> Markup {
    let description = describe_searches(body);
    let naming = Naming { id, title, description: &description };
    let score = |score: Option<f64>| html! { @if let Some(score) = score { (brief(score)) } };
    let mut rows = vec![];
    for tree in &body.trees {
        for (depth, branch) in tree.rows() {
            let fate = match branch.fate {
                BranchFate::Inner => "goes on",
                BranchFate::Ended => "whole",
                BranchFate::Dropped => "dropped",
            };
            let place = branch.place.map(|place| format!(", number {} of the list", place + 1)).unwrap_or_default();
            rows.push(vec![
                html! { (shown(&tree.name, 60)) },
                html! { (depth) },
                html! { (shown(&branch.text, CELL)) },
                score(branch.score),
                html! { @if let Some(allowed) = branch.allowed { (count(allowed)) } },
                html! { (fate) (place) @if !branch.note.is_empty() { "; " (shown(&branch.note, CELL)) } },
            ]);
        }
        for (place, listed) in tree.list.iter().enumerate() {
            let readings = listed.readings.iter().map(|reading| svg::letter(*reading));
            rows.push(vec![
                html! { (shown(&tree.name, 60)) },
                html! {},
                html! { (shown(&listed.text, CELL)) },
                score(listed.score),
                html! {},
                html! { "number " (place + 1) ", " (shown(&listed.source, CELL)) @for letter in readings { ", reading " (letter) } },
            ]);
        }
    }
    let total = rows.len();
    rows.truncate(LISTED_VALUES);
    let columns = [
        html! { "Search" },
        html! { "Depth" },
        html! { "Text" },
        html! { (shown(&body.score_label, 60)) },
        html! { "May follow" },
        html! { "What became of it" },
    ];
    let cut = body.trees.iter().any(|tree| tree.branches.len() > svg::MOST_BRANCHES);
    html! {
        figure {
            @for size in Size::BOTH { (svg::searches(body, size, naming)) }
            figcaption {
                (caption)
                @if cut { " Only the first branches are drawn; the numbers below go further." }
            }
        }
        details { summary { "The branches and lists" } (tables::mixed("Branches as they are drawn, then each list", &columns, &[1, 3, 4], &rows, total)) }
    }
}

/// What the figure shows, for those who do not see it.
fn describe_searches(body: &Searches) -> String {
    let mut words = String::new();
    for tree in body.trees.iter().take(4) {
        let whole = tree.branches.iter().filter(|branch| branch.fate == BranchFate::Ended).count();
        words.push_str(&format!(
            "{}: {}, {}, a list of {}",
            label(&tree.name, 60),
            plural(tree.branches.len(), "branch", "branches"),
            plural(whole, "whole text", "whole texts"),
            tree.list.len()
        ));
        for (reading, _) in (0..).zip(&body.readings) {
            let at = tree.list.iter().position(|listed| listed.readings.contains(&reading));
            words.push_str(&match at {
                Some(at) => format!(", reading {} at number {}", svg::letter(reading), at + 1),
                None => format!(", reading {} is not in it", svg::letter(reading)),
            });
        }
        words.push_str(". ");
    }
    words.trim_end().to_owned()
}

fn describe_circuit(body: &Circuit, drawing: &Drawing<'_>) -> String {
    let totals = body.totals;
    let mut words = format!("{} of {} edges are kept", count(totals.kept), count(totals.edges));
    if totals.edges > 0 {
        let share = 100.0 * (1.0 - totals.kept as f64 / totals.edges as f64);
        words.push_str(&format!(" (sparsity {share:.2}%)"));
    }
    if (drawing.edges.len() as u64) < totals.kept {
        words.push_str(&format!("; the {} strongest are drawn", count(drawing.edges.len() as u64)));
    }
    if (drawing.kept as u64) < totals.kept {
        words.push_str(&format!("; {} are listed in the data", count(drawing.kept as u64)));
    }
    words.push('.');
    words
}

pub(super) fn describe_series(body: &Series) -> String {
    let mut words = format!("{} over {}. ", label(&body.y.label, 60), label(&body.x.label, 60));
    for line in body.lines.iter().take(12) {
        let (Some(first), Some(last)) = (line.y.first(), line.y.last()) else { continue };
        words.push_str(&format!("{}: {} at first, {} at last. ", label(&line.name, 60), brief(*first), brief(*last)));
    }
    words.trim_end().to_owned()
}

fn describe_bars(body: &Bars) -> String {
    format!(
        "{}: {} in {}.",
        label(&body.value.label, 60),
        plural(body.categories.len(), "category", "categories"),
        plural(body.groups.len(), "group", "groups")
    )
}

fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}

fn series_numbers(body: &Series) -> Markup {
    let total: usize = body.lines.iter().map(|line| line.y.len()).sum();
    let share = (LISTED_VALUES / body.lines.len().max(1)).max(1);
    let mut rows = Vec::new();
    for line in &body.lines {
        for (at, (x, y)) in line.x.iter().zip(&line.y).take(share).enumerate() {
            let interval = line.band.as_ref().and_then(|band| Some((*band.low.get(at)?, *band.high.get(at)?)));
            rows.push(vec![
                html! { bdi { (label(&line.name, NAME)) } },
                html! { (brief(*x)) },
                html! { (brief(*y)) },
                html! { @if let Some((low, high)) = interval { (brief(low)) " to " (brief(high)) } },
            ]);
        }
    }
    let columns = [html! { "Line" }, html! { (shown(&body.x.label, 60)) }, html! { (shown(&body.y.label, 60)) }, html! { "Interval" }];
    tables::numbers("The values that are drawn", &columns, &rows, total)
}

fn missing() -> Markup {
    html! { span.missing aria-label="not measured" { "–" } }
}

fn bar_numbers(body: &Bars) -> Markup {
    let columns: Vec<Markup> =
        std::iter::once(html! { "Category" }).chain(body.groups.iter().map(|group| html! { (shown(&group.name, 60)) })).collect();
    let rows: Vec<Vec<Markup>> = body
        .categories
        .iter()
        .enumerate()
        .take(LISTED_VALUES)
        .map(|(row, name)| {
            let values = body
                .groups
                .iter()
                .map(|group| group.values.get(row).copied().flatten().map_or_else(missing, |value| html! { (brief(value)) }));
            std::iter::once(html! { (shown(name, CELL)) }).chain(values).collect()
        })
        .collect();
    tables::numbers("The values that are drawn", &columns, &rows, body.categories.len())
}

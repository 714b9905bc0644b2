//! Trees of searches beside each other, and the lists they ended with.
//!
//! A tree is drawn as an outline: a branch a row, indented by its depth, joined to the one it goes on from. A row ends with the score and, where it forks, how many tokens could follow; a number in a
//! box is the place in the list below, a letter in a disc the reading that a query is. Texts that do not fit lose their middle and keep the whole as their title.

use maud::{Markup, html};

use super::super::numbers::{brief, count};
use super::super::text::{PROSE, fit, label, width};
use super::axis::FONT;
use super::legend::COLOURS;
use super::{Naming, Size, frame, n};
use crate::findings::{Branch, BranchFate, Listed, Searches, Tree};

/// Branches drawn of one tree.
pub(in crate::report) const MOST_BRANCHES: usize = 150;
/// Texts drawn of one list, and lines of one text.
const MOST_LISTED: usize = 12;
const MOST_LINES: usize = 4;
/// Size of the branches' text, height of a row and of a line, width of an indent, and the deepest one.
const TEXT: f64 = 11.0;
const ROW: f64 = 18.0;
const LINE: f64 = 14.0;
const INDENT: f64 = 10.0;
const DEEPEST: usize = 9;
const GAP: f64 = 28.0;

/// The letter of a reading.
pub(in crate::report) fn letter(reading: u32) -> char {
    char::from(b'A' + u8::try_from(reading % 26).unwrap_or(0))
}

/// Draws a panel of searches.
pub(in crate::report) fn searches(body: &Searches, size: Size, naming: Naming<'_>) -> Markup {
    let full = size.width();
    let columns = if size == Size::Wide { body.trees.len().clamp(1, 2) } else { 1 };
    let across = (full - GAP * (columns - 1) as f64) / columns as f64;
    let (key, mut top) = key(body, full);
    let mut trees = vec![];
    for row in body.trees.chunks(columns) {
        let mut bottom = top;
        for (column, tree) in row.iter().enumerate() {
            let left = column as f64 * (across + GAP);
            let (drawn, end) = one_tree(tree, left, left + across, top + 14.0);
            trees.push(drawn);
            bottom = bottom.max(end);
        }
        top = bottom + 16.0;
    }
    let content = html! { (key) @for tree in &trees { (tree) } };
    frame(size, top - 8.0, naming, &content)
}

/// What the signs mean, and where it ends.
fn key(body: &Searches, full: f64) -> (Markup, f64) {
    let mut y = 12.0;
    let mut readings = vec![];
    for (reading, words) in (0..).zip(&body.readings) {
        let lines = wrapped(words, full - 30.0, MOST_LINES);
        readings.push(html! {
            (disc(reading, 8.0, y - 4.0))
            (text("", 22.0, y, &lines))
        });
        y += LINE * lines.len() as f64 + 5.0;
    }
    let score = format!("Right: {}", label(&body.score_label, 60));
    let signs =
        [(Some("1"), "place in the list"), (None, &score), (None, "next: how many pieces could follow"), (None, "dashed: given up")];
    let (mut x, mut items) = (0.0, vec![]);
    for (boxed, words) in signs {
        let wide = width(words, FONT) + if boxed.is_some() { 22.0 } else { 0.0 };
        // Widths are estimates.
        if x > 0.0 && x + wide > 0.95 * full {
            (x, y) = (0.0, y + LINE + 3.0);
        }
        items.push(html! {
            @if let Some(place) = boxed { (place_box(place, x, y - 4.0)) }
            text.value x=(n(x + if boxed.is_some() { 20.0 } else { 0.0 })) y=(n(y)) { (words) }
        });
        x += wide + 20.0;
    }
    (html! { g.signs { @for reading in &readings { (reading) } @for item in &items { (item) } } }, y + 10.0)
}

fn one_tree(tree: &Tree, left: f64, right: f64, top: f64) -> (Markup, f64) {
    let rows = tree.rows();
    let drawn = rows.get(..MOST_BRANCHES).unwrap_or(&rows);
    let notes = wrapped(&tree.note, right - left, 2);
    let mut y = top + 6.0 + LINE * notes.len() as f64 + ROW;
    let begin = y;
    // The row of the last branch at each depth: what it goes on from stands there.
    let mut above: Vec<f64> = vec![];
    let mut branches = vec![];
    for (depth, branch) in drawn {
        above.truncate(*depth);
        branches.push(one_branch(branch, *depth, above.last().copied(), (left, right, y)));
        above.push(y);
        y += ROW;
    }
    if drawn.len() < rows.len() {
        branches.push(html! { text.value x=(n(left + 14.0)) y=(n(y + 4.0)) { "and " (count((rows.len() - drawn.len()) as u64)) " more" } });
        y += ROW;
    }
    if begin == y {
        branches.push(html! { text.value x=(n(left)) y=(n(y + 4.0)) { "nothing was written" } });
        y += ROW;
    }
    let heading = y + 12.0;
    y = heading + 20.0;
    let mut list = vec![];
    for (place, listed) in tree.list.iter().enumerate().take(MOST_LISTED) {
        let (entry, end) = one_listed(listed, place, (left, right, y));
        list.push(entry);
        y = end;
    }
    let drawing = html! {
        g.tree {
            text.name x=(n(left)) y=(n(top)) { (fit(&tree.name, 60, right - left, FONT * 1.1)) }
            (text("value", left, top + 16.0, &notes))
            @for branch in &branches { (branch) }
            text.name x=(n(left)) y=(n(heading)) {
                @if tree.list.is_empty() { "Its list is empty" } @else { "Its list" }
            }
            @for entry in &list { (entry) }
        }
    };
    (drawing, y)
}

/// A branch in its row: the way from `above`, the text, and at the right what is to be known.
fn one_branch(branch: &Branch, depth: usize, above: Option<f64>, (left, right, y): (f64, f64, f64)) -> Markup {
    let x = left + 5.0 + INDENT * depth.min(DEEPEST) as f64;
    let off = branch.fate == BranchFate::Dropped;
    let mut facts: Vec<String> = branch.score.iter().map(|score| brief((score * 100.0).round() / 100.0)).collect();
    facts.extend(branch.allowed.map(|allowed| format!("{} next", count(allowed))));
    // Of what was given up the reason says more than the score.
    let facts = if off && !branch.note.is_empty() { fit(&branch.note, 60, 0.55 * (right - x), TEXT) } else { facts.join(" · ") };
    let place = branch.place.map(|place| (place + 1).to_string());
    let end = right - width(&facts, TEXT) - 6.0;
    let end = if place.is_some() { end - 20.0 } else { end };
    // Widths are estimates.
    let room = 0.95 * (end - x - 10.0).max(20.0);
    let words = match (branch.text.trim(), branch.fate) {
        ("", BranchFate::Ended) => "(it ends here)",
        ("", _) => "(the beginning)",
        (text, _) => text,
    };
    let told = [words, branch.note.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    // The parent's row is one indent to the left, unless the deepest indent is reached.
    let way = above.map(|above| {
        let from = if depth > DEEPEST { x } else { x - INDENT };
        format!("M{} {}V{}H{}", n(from), n(above + 4.0), n(y), n(x - 3.0))
    });
    html! {
        g class=(if off { "branch off" } else { "branch" }) {
            title { (label(&told, PROSE)) }
            @if let Some(way) = &way { path.twig d=(way) {} }
            circle class=(if branch.fate == BranchFate::Ended { "knot whole" } else { "knot" }) cx=(n(x)) cy=(n(y)) r="2.8" {}
            text x=(n(x + 8.0)) y=(n(y + 4.0)) { (fit(words, 400, room, TEXT)) }
            @if let Some(place) = &place { (place_box(place, end + 3.0, y)) }
            text.value x=(n(right)) y=(n(y + 4.0)) text-anchor="end" { (facts) }
        }
    }
}

fn one_listed(listed: &Listed, place: usize, (left, right, y): (f64, f64, f64)) -> (Markup, f64) {
    let discs = 19.0 * listed.readings.len() as f64;
    let lines = wrapped(&listed.text, right - left - 22.0 - discs, MOST_LINES);
    let drawing = html! {
        g.listed {
            title { (label(&listed.text, PROSE)) }
            (place_box(&(place + 1).to_string(), left, y - 4.0))
            (text("", left + 22.0, y, &lines))
            @for (at, reading) in listed.readings.iter().enumerate() { (disc(*reading, right - 8.0 - 19.0 * at as f64, y - 4.0)) }
        }
    };
    (drawing, y + LINE * lines.len().max(1) as f64 + 5.0)
}

/// A number in a box, its left edge and middle.
fn place_box(place: &str, x: f64, y: f64) -> Markup {
    html! {
        rect.box x=(n(x)) y=(n(y - 7.0)) width="16" height="14" rx="3" {}
        text.rank x=(n(x + 8.0)) y=(n(y + 4.0)) text-anchor="middle" { (place) }
    }
}

/// The letter of a reading in a disc.
fn disc(reading: u32, x: f64, y: f64) -> Markup {
    html! {
        circle class={ "role c" (2 * reading as usize % COLOURS) } cx=(n(x)) cy=(n(y)) r="8" {}
        text.rolename x=(n(x)) y=(n(y + 3.5)) text-anchor="middle" { (letter(reading)) }
    }
}

/// Lines, one below the other.
fn text(class: &str, x: f64, y: f64, lines: &[String]) -> Markup {
    html! {
        text class=[Some(class).filter(|class| !class.is_empty())] x=(n(x)) y=(n(y)) {
            @for (at, line) in lines.iter().enumerate() { tspan x=(n(x)) y=(n(y + LINE * at as f64)) { (line) } }
        }
    }
}

/// A text in lines that fit a width, at most so many; what is left over loses its middle.
fn wrapped(text: &str, room: f64, most: usize) -> Vec<String> {
    let words = label(text, PROSE);
    let mut words = words.split_whitespace().peekable();
    let mut lines: Vec<String> = vec![];
    while words.peek().is_some() {
        if lines.len() + 1 == most {
            let rest: Vec<&str> = words.by_ref().collect();
            lines.push(fit(&rest.join(" "), 400, room, FONT));
            break;
        }
        let mut line = String::new();
        while let Some(word) = words.peek() {
            let longer = if line.is_empty() { (*word).to_owned() } else { format!("{line} {word}") };
            if !line.is_empty() && width(&longer, FONT) > room {
                break;
            }
            line = longer;
            words.next();
        }
        lines.push(fit(&line, 400, room, FONT));
    }
    lines
}

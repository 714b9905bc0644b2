//! Lines and points over a common axis.

use maud::{Markup, html};

use super::super::text::{fit, width};
use super::axis::{self, Area, FONT};
use super::legend::{COLOURS, DASHES, Sample, legend, marker};
use super::scale::Scale;
use super::{Naming, Size, frame, n};
use crate::findings::{Line, Series};

/// Lines named at their ends; more get a legend.
const MOST_DIRECT: usize = 6;
/// Corners drawn in all, shared among the lines.
const CORNERS: usize = 12_000;

/// Draws a series panel.
pub(in crate::report) fn series(body: &Series, size: Size, naming: Naming<'_>) -> Markup {
    let full = size.width();
    let direct = size == Size::Wide && body.lines.len() <= MOST_DIRECT && body.lines.iter().all(|line| !line.points_only);
    let names: Vec<String> = body.lines.iter().map(|line| fit(&line.name, 28, 174.0, FONT)).collect();
    let target = if size == Size::Wide { 6 } else { 5 };

    let all_y = body.lines.iter().flat_map(|line| {
        let band = line.band.iter().flat_map(|band| band.low.iter().chain(&band.high));
        line.y.iter().chain(band).copied()
    });
    let y = Scale::new(&body.y, all_y.chain(body.marks.iter().map(|mark| mark.value)), target, true);
    let x = Scale::new(&body.x, body.lines.iter().flat_map(|line| line.x.iter().copied()), target, false);

    let entries: Vec<_> =
        body.lines.iter().map(|line| (line.name.clone(), if line.points_only { Sample::Point } else { Sample::Line })).collect();
    let (legend, legend_height) =
        if direct || entries.is_empty() { (html! {}, 0.0) } else { legend(&entries, naming.id, 2.0, full - 2.0, 10.0) };
    let y_ticks = y.ticks(target);
    let room = if direct { names.iter().map(|name| width(name, FONT)).fold(0.0, f64::max) + 26.0 } else { 14.0 };
    let top = legend_height + 34.0;
    let area = Area {
        left: axis::widest(&y_ticks).max(12.0) + 12.0,
        right: full - room.min(200.0),
        top,
        bottom: top + if size == Size::Wide { 290.0 } else { 220.0 },
    };
    let x = x.between(area.left + 10.0, area.right - 10.0);
    let y = y.between(area.bottom, area.top);
    let x_ticks = x.ticks(if size == Size::Wide { 8 } else { 4 });
    let thin_to = (CORNERS / body.lines.len().max(1)).clamp(24, 1_200);

    let content = html! {
        (legend)
        text.axis x="2" y=(n(area.top - 16.0)) { (axis::title(&body.y, full - 4.0)) }
        (axis::vertical(area, &y, &y_ticks))
        (axis::horizontal(area, &x, &x_ticks, false))
        line.base x1=(n(area.left)) x2=(n(area.right)) y1=(n(area.bottom)) y2=(n(area.bottom)) {}
        text.axis x=(n(f64::midpoint(area.left, area.right))) y=(n(area.bottom + 40.0)) text-anchor="middle" { (axis::title(&body.x, area.right - area.left)) }
        (axis::marks_across(area, &y, &body.marks))
        @for (index, line) in body.lines.iter().enumerate() { (band(index, line, &x, &y, thin_to)) }
        @for (index, line) in body.lines.iter().enumerate() { (one_line(index, line, (&x, &y), thin_to, body.lines.len() == 1)) }
        @if direct { (end_labels(body, &names, &x, &y, area)) }
    };
    frame(size, area.bottom + 50.0, naming, &content)
}

fn one_line(index: usize, line: &Line, (x, y): (&Scale, &Scale), thin_to: usize, alone: bool) -> Markup {
    let points: Vec<(f64, f64)> = line.x.iter().zip(&line.y).map(|(at, value)| (x.place(*at), y.place(*value))).collect();
    let drawn = if line.points_only { spread(points.len(), 2_000) } else { thin(&points, thin_to) };
    // Markers tell lines apart; a long line that is alone needs none.
    let most = match points.len() {
        0..=24 => 24,
        _ if alone => 0,
        _ => 9,
    };
    let marked = if line.points_only { drawn.clone() } else { spread(points.len(), most) };
    html! {
        @if !line.points_only && points.len() > 1 {
            path class={ "line c" (index % COLOURS) " d" (index % DASHES) } d=(path(drawn.iter().filter_map(|at| points.get(*at)))) {}
        }
        @for at in marked { @if let Some((x, y)) = points.get(at) { (marker(index, *x, *y)) } }
    }
}

fn band(index: usize, line: &Line, x: &Scale, y: &Scale, thin_to: usize) -> Markup {
    let Some(band) = &line.band else { return html! {} };
    let along =
        |bounds: &[f64]| -> Vec<(f64, f64)> { line.x.iter().zip(bounds).map(|(at, value)| (x.place(*at), y.place(*value))).collect() };
    let (low, high) = (along(&band.low), along(&band.high));
    if line.points_only || low.len() < 2 {
        return html! {
            @for (low, high) in low.iter().zip(&high).take(500) {
                path class={ "whisker c" (index % COLOURS) } d={ "M" (n(low.0)) " " (n(low.1)) "V" (n(high.1)) } {}
            }
        };
    }
    let upper = thin(&high, thin_to);
    let lower = thin(&low, thin_to);
    let edge = upper.iter().filter_map(|at| high.get(*at)).chain(lower.iter().rev().filter_map(|at| low.get(*at)));
    html! { path class={ "band c" (index % COLOURS) } d={ (path(edge)) "Z" } {} }
}

/// Names at the right ends, pushed apart where lines end close together.
fn end_labels(body: &Series, names: &[String], x: &Scale, y: &Scale, area: Area) -> Markup {
    const GAP: f64 = 15.0;
    let mut places: Vec<(usize, f64, f64)> = body
        .lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((index, x.place(*line.x.last()?), y.place(*line.y.last()?))))
        .collect();
    places.sort_unstable_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
    let mut wanted: Vec<f64> = places.iter().map(|place| place.2).collect();
    let mut floor = area.top + 2.0;
    for at in &mut wanted {
        *at = at.max(floor);
        floor = *at + GAP;
    }
    let mut ceiling = area.bottom;
    for at in wanted.iter_mut().rev() {
        *at = at.min(ceiling);
        ceiling = *at - GAP;
    }
    html! {
        @for ((index, from, at), to) in places.iter().zip(&wanted) {
            @if area.right + 10.0 - from > 20.0 || (to - at).abs() > 6.0 {
                path.leader d={ "M" (n(from + 6.0)) " " (n(*at)) "L" (n(area.right + 8.0)) " " (n(*to)) } {}
            }
            text class={ "name c" (index % COLOURS) } x=(n(area.right + 12.0)) y=(n(to + 4.0)) {
                (names.get(*index).map_or("", String::as_str))
            }
        }
    }
}

fn path<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> String {
    let mut d = String::new();
    for (index, (x, y)) in points.enumerate() {
        d.push(if index == 0 { 'M' } else { 'L' });
        d.push_str(&n(*x));
        d.push(' ');
        d.push_str(&n(*y));
    }
    d
}

/// Indices that keep a long line's shape: of each stretch its first, lowest, highest and last point.
fn thin(points: &[(f64, f64)], most: usize) -> Vec<usize> {
    if points.len() <= most {
        return (0..points.len()).collect();
    }
    let stretch = points.len().div_ceil((most / 4).max(1));
    let mut kept = Vec::with_capacity(most + 4);
    for (part, chunk) in points.chunks(stretch).enumerate() {
        let by_height = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1).then(a.0.cmp(&b.0));
        let lowest = chunk.iter().enumerate().min_by(by_height).map_or(0, |(at, _)| at);
        let highest = chunk.iter().enumerate().max_by(by_height).map_or(0, |(at, _)| at);
        let mut here = [0, lowest, highest, chunk.len() - 1];
        here.sort_unstable();
        for at in here {
            let index = part * stretch + at;
            if kept.last() != Some(&index) {
                kept.push(index);
            }
        }
    }
    kept
}

/// At most `most` indices, evenly spread, with first and last.
fn spread(len: usize, most: usize) -> Vec<usize> {
    if len <= most {
        return (0..len).collect();
    }
    (0..most).map(|part| part * (len - 1) / (most - 1).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes() {
        let mut points: Vec<(f64, f64)> = (0..100_000u32).map(|at| (f64::from(at), f64::from(at % 7))).collect();
        points[54_321].1 = 1e6;
        points[12_345].1 = -1e6;
        let kept = thin(&points, 400);
        assert!(kept.len() <= 404 && kept.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(kept.contains(&54_321) && kept.contains(&12_345) && kept.contains(&0) && kept.contains(&99_999));
        assert_eq!(spread(1_000, 9).first(), Some(&0));
        assert_eq!(spread(1_000, 9).last(), Some(&999));
    }
}

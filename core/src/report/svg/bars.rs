//! Grouped bars from left to right: names keep their length, and a telephone shows as many as a wide screen.

use maud::{Markup, html};

use super::super::numbers::brief;
use super::super::text::{fit, width};
use super::axis::{self, Area, FONT};
use super::legend::{Sample, hatchings, legend, swatch};
use super::scale::Scale;
use super::{Naming, Size, frame, n};
use crate::findings::{BarGroup, Bars};

/// Bars drawn; the numbers of all stand in the table below the figure.
pub(in crate::report) const MOST_BARS: usize = 240;

/// Draws a bar panel.
pub(in crate::report) fn bars(body: &Bars, size: Size, naming: Naming<'_>) -> Markup {
    let full = size.width();
    let groups = body.groups.get(..MOST_BARS).unwrap_or(&body.groups);
    let rows = (MOST_BARS / groups.len().max(1)).max(1);
    let categories = body.categories.get(..rows).unwrap_or(&body.categories);
    let several = groups.len() > 1;
    let (bar, gap) = if several { (13.0, 3.0) } else { (18.0, 0.0) };
    let block = groups.len() as f64 * (bar + gap);
    let pattern = format!("{}-{}", naming.id, size.suffix());

    let entries: Vec<_> = groups.iter().map(|group| (group.name.clone(), Sample::Box)).collect();
    let (legend, legend_height) = if several { legend(&entries, &pattern, 2.0, full - 2.0, 10.0) } else { (html! {}, 0.0) };
    let names: Vec<String> =
        categories.iter().map(|name| fit(name, 44, if size == Size::Wide { 200.0 } else { full - 10.0 }, FONT)).collect();
    let beside = size == Size::Wide;
    let left = if beside { names.iter().map(|name| width(name, FONT)).fold(40.0, f64::max) + 14.0 } else { 4.0 };
    let head = if beside { 0.0 } else { 19.0 };
    let step = block + head + 14.0;

    let values = groups.iter().flat_map(values_of).chain(body.marks.iter().map(|mark| mark.value)).chain([0.0]);
    let target = if beside { 6 } else { 4 };
    let marks_head = if body.marks.is_empty() { 0.0 } else { 18.0 };
    let top = legend_height + marks_head + 8.0;
    let bottom = top + categories.len() as f64 * step + 2.0;
    let area = Area { left, right: full - 62.0, top, bottom };
    let x = Scale::new(&body.value, values, target, true).between(area.left, area.right);
    let zero = x.place(0.0);
    let ticks = x.ticks(target);

    let content = html! {
        (hatchings(&pattern))
        (legend)
        (axis::horizontal(area, &x, &ticks, true))
        text.axis x=(n(f64::midpoint(area.left, area.right))) y=(n(bottom + 40.0)) text-anchor="middle" { (axis::title(&body.value, area.right - area.left)) }
        @for (row, name) in names.iter().enumerate() {
            @let y = top + 7.0 + step * as_f64(row);
            @if beside {
                text.cat x=(n(left - 10.0)) y=(n(y + block / 2.0 + 3.0)) text-anchor="end" { (name) }
            } @else {
                text.cat x=(n(left)) y=(n(y + 12.0)) { (name) }
            }
            @for (index, group) in groups.iter().enumerate() {
                (one_bar(index, group, row, &pattern, &x, (y + head + as_f64(index) * (bar + gap), bar)))
            }
        }
        line.base x1=(n(zero)) x2=(n(zero)) y1=(n(top)) y2=(n(bottom)) {}
        @for mark in body.marks.iter().take(12) {
            @let at = x.place(mark.value);
            line.mark x1=(n(at)) x2=(n(at)) y1=(n(top - 4.0)) y2=(n(bottom)) {}
            @let late = at > full * 0.6;
            text.marklabel x=(n(at)) y=(n(top - 8.0)) text-anchor=(if late { "end" } else { "start" }) { (fit(&mark.label, 60, if late { at - left } else { full - at } - 6.0, FONT)) }
        }
    };
    frame(size, bottom + 50.0, naming, &content)
}

fn one_bar(index: usize, group: &BarGroup, row: usize, pattern: &str, x: &Scale, (y, high): (f64, f64)) -> Markup {
    let zero = x.place(0.0);
    let Some(value) = group.values.get(row).copied().flatten() else {
        return html! { text.value x=(n(zero + 5.0)) y=(n(y + high / 2.0 + 4.0)) { "not measured" } };
    };
    let at = x.place(value);
    let (from, to) = if at < zero { (at, zero) } else { (zero, at) };
    let interval = group.band.as_ref().and_then(|band| Some((x.place(*band.low.get(row)?), x.place(*band.high.get(row)?))));
    let right = interval.map_or(to, |(_, high)| high.max(to));
    let middle = y + high / 2.0;
    html! {
        (swatch(index, pattern, from, y, (to - from).max(0.5), high))
        @if let Some((low, high)) = interval {
            path.whisker d={ "M" (n(low)) " " (n(middle)) "H" (n(high)) "M" (n(low)) " " (n(middle - 4.0)) "v8M" (n(high)) " " (n(middle - 4.0)) "v8" } {}
        }
        text.value x=(n(right + 6.0)) y=(n(middle + 4.0)) { (brief(value)) }
    }
}

fn values_of(group: &BarGroup) -> impl Iterator<Item = f64> + '_ {
    let band = group.band.iter().flat_map(|band| band.low.iter().chain(&band.high));
    group.values.iter().flatten().chain(band).copied()
}

fn as_f64(index: usize) -> f64 {
    index as f64
}

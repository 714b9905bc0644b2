//! Which line is which: samples with names, in rows that fit the width.

use maud::{Markup, html};

use super::super::text::{fit, width};
use super::axis::FONT;
use super::n;

/// Names shown; more are counted.
const MOST: usize = 24;
/// Colours, dashes and markers in the style sheet.
pub(super) const COLOURS: usize = 7;
pub(super) const DASHES: usize = 6;
pub(super) const MARKERS: usize = 6;

/// How a sample looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// A line with its marker.
    Line,
    /// A marker alone.
    Point,
    /// A filled box.
    Box,
}

/// A legend laid out within a width: the drawing and its height.
pub(super) fn legend(entries: &[(String, Sample)], prefix: &str, left: f64, right: f64, top: f64) -> (Markup, f64) {
    const ROW: f64 = 20.0;
    const SAMPLE: f64 = 46.0;
    let mut items = Vec::new();
    let (mut x, mut y) = (left, top);
    for (index, (name, sample)) in entries.iter().take(MOST).enumerate() {
        let words = fit(name, 44, (right - left - SAMPLE).min(240.0), FONT);
        let wide = SAMPLE + width(&words, FONT) + 18.0;
        if x > left && x + wide > right {
            x = left;
            y += ROW;
        }
        items.push((index, *sample, x, y, words));
        x += wide;
    }
    if entries.len() > MOST {
        y += ROW;
    }
    let drawing = html! {
        g.legend {
            @for (index, sample, x, y, words) in &items {
                @match sample {
                    Sample::Box => (swatch(*index, prefix, *x, y - 5.0, 34.0, 11.0)),
                    Sample::Line => {
                        path class={ "line c" (index % COLOURS) " d" (index % DASHES) } d={ "M" (n(*x)) " " (n(*y)) "h38" } {}
                        (marker(*index, x + 19.0, *y))
                    }
                    Sample::Point => (marker(*index, x + 19.0, *y)),
                }
                text x=(n(x + SAMPLE)) y=(n(y + 4.0)) { (words) }
            }
            @if entries.len() > MOST { text x=(n(left)) y=(n(y + 4.0)) { "and " (entries.len() - MOST) " more" } }
        }
    };
    (drawing, y - top + ROW)
}

/// A filled box with its group's hatching.
pub(super) fn swatch(index: usize, prefix: &str, x: f64, y: f64, wide: f64, high: f64) -> Markup {
    html! {
        rect class={ "bar c" (index % COLOURS) } x=(n(x)) y=(n(y)) width=(n(wide)) height=(n(high)) {}
        @if !index.is_multiple_of(4) {
            rect x=(n(x)) y=(n(y)) width=(n(wide)) height=(n(high)) fill={ "url(#" (prefix) "-h" (index % 4) ")" } {}
        }
    }
}

/// The three hatchings of a figure; identifiers must differ between figures.
pub(super) fn hatchings(prefix: &str) -> Markup {
    html! {
        defs {
            @for (index, d) in [(1, "M0 6L6 0M-1 1L1 -1M5 7L7 5"), (2, "M0 0L6 6M-1 5L1 7M5 -1L7 1"), (3, "M3 0V6")] {
                pattern id={ (prefix) "-h" (index) } width="6" height="6" patternUnits="userSpaceOnUse" { path.hatch d=(d) {} }
            }
        }
    }
}

/// The marker of a line: circle, square, triangle, diamond, cross, plus.
pub(super) fn marker(index: usize, x: f64, y: f64) -> Markup {
    let shape = match index % MARKERS {
        0 => "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z",
        1 => "m-3.3 -3.3h6.6v6.6h-6.6z",
        2 => "m0 -4.3l4.2 7.4h-8.4z",
        3 => "m0 -4.6l4.3 4.6l-4.3 4.6l-4.3 -4.6z",
        4 => "m-3.4 -3.4l6.8 6.8m0 -6.8l-6.8 6.8",
        _ => "m-4.2 0h8.4m-4.2 -4.2v8.4",
    };
    let open = if index % MARKERS > 3 { "open " } else { "" };
    html! { path class={ "dot " (open) "c" (index % COLOURS) } d={ "M" (n(x)) " " (n(y)) (shape) } {} }
}

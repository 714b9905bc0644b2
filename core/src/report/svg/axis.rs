//! The frame of a chart: grid, ticks, axis titles and reference rules.

use maud::{Markup, html};

use super::super::text::{fit, label, width};
use super::n;
use super::scale::{Scale, Tick};
use crate::findings::{Axis, Mark, Scale as Kind};

/// The rectangle in which data are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

/// Size of all text in charts, in user units.
pub(super) const FONT: f64 = 12.0;

/// Title of an axis with its unit, within a width.
pub(super) fn title(axis: &Axis, room: f64) -> String {
    let mut tail = String::new();
    if !axis.unit.is_empty() {
        tail.push_str(&format!(" ({})", label(&axis.unit, 16)));
    }
    if axis.scale == Kind::Log {
        tail.push_str(", log scale");
    }
    let mut words = fit(&axis.label, 80, room - width(&tail, FONT), FONT);
    words.push_str(&tail);
    words
}

/// Room that the longest tick label needs.
pub(super) fn widest(ticks: &[Tick]) -> f64 {
    ticks.iter().map(|tick| width(&tick.label, FONT)).fold(0.0, f64::max)
}

/// Horizontal grid lines with labels at the left.
pub(super) fn vertical(area: Area, scale: &Scale, ticks: &[Tick]) -> Markup {
    html! {
        g.grid {
            @for tick in ticks {
                line x1=(n(area.left)) x2=(n(area.right)) y1=(n(scale.place(tick.value))) y2=(n(scale.place(tick.value))) {}
            }
        }
        g.tick text-anchor="end" {
            @for tick in ticks {
                text x=(n(area.left - 8.0)) y=(n(scale.place(tick.value) + 4.0)) { (tick.label) }
            }
        }
    }
}

/// Ticks and labels below; labels that would touch are left out.
pub(super) fn horizontal(area: Area, scale: &Scale, ticks: &[Tick], grid: bool) -> Markup {
    let mut end = f64::NEG_INFINITY;
    let mut labels = Vec::new();
    for tick in ticks {
        let (place, half) = (scale.place(tick.value), width(&tick.label, FONT) / 2.0);
        if place - half > end + 6.0 {
            labels.push((place, tick.label.as_str()));
            end = place + half;
        }
    }
    html! {
        g.(if grid { "grid" } else { "stub" }) {
            @for tick in ticks {
                @let x = n(scale.place(tick.value));
                line x1=(x) x2=(x) y1=(n(if grid { area.top } else { area.bottom })) y2=(n(area.bottom + 5.0)) {}
            }
        }
        g.tick text-anchor="middle" {
            @for (place, words) in labels { text x=(n(place)) y=(n(area.bottom + 19.0)) { (words) } }
        }
    }
}

/// Reference rules across, at their values.
pub(super) fn marks_across(area: Area, scale: &Scale, marks: &[Mark]) -> Markup {
    html! {
        @for mark in marks.iter().take(12) {
            @let y = scale.place(mark.value);
            line.mark x1=(n(area.left)) x2=(n(area.right)) y1=(n(y)) y2=(n(y)) {}
            text.marklabel x=(n(area.left + 6.0)) y=(n(if y < area.top + 16.0 { y + 14.0 } else { y - 5.0 })) { (fit(&mark.label, 60, area.right - area.left - 12.0, FONT)) }
        }
    }
}

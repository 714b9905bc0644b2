//! A circuit as a drawing: boxes by layer, edges as curves from below to above.
//!
//! Width and opacity of an edge follow the size of its weight (square root, so that weak edges stay visible); a
//! negative weight is dashed and has another colour; where circuits are compared, colour tells the set.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::numbers::brief;
use super::super::text::{label, width};
use super::circuit_layout::{Drawing, Place};
use super::legend::{COLOURS, DASHES};
use super::{Naming, n};
use crate::findings::{Edge, Node, NodeKind};

/// Draws a laid out circuit.
pub(in crate::report) fn circuit(drawing: &Drawing<'_>, naming: Naming<'_>) -> Markup {
    let (title, desc) = (format!("{}-t", naming.id), format!("{}-d", naming.id));
    let largest = drawing.edges.first().map_or(0.0, |edge| edge.weight.abs());
    html! {
        svg class="fig circuit" viewBox={ "0 0 " (n(drawing.width)) " " (n(drawing.height)) }
            width=(n(drawing.width)) height=(n(drawing.height)) role="img" aria-labelledby={ (title) " " (desc) } {
            title id=(title) { (naming.title) }
            desc id=(desc) { (naming.description) }
            (layers(drawing))
            g.edges fill="none" {
                // The strongest are drawn last, on top.
                @for edge in drawing.edges.iter().rev() { (one_edge(drawing, edge, largest)) }
            }
            (brackets(drawing))
            g.nodes {
                @for (index, (node, place)) in drawing.circuit.nodes.iter().zip(&drawing.places).enumerate() {
                    (one_node(drawing, index, node, *place))
                }
            }
        }
    }
}

/// Faint rules and numbers for the layers.
fn layers(drawing: &Drawing<'_>) -> Markup {
    let mut seen = BTreeSet::new();
    let rows: Vec<(u32, f64)> = drawing
        .circuit
        .nodes
        .iter()
        .zip(&drawing.places)
        .filter(|(node, _)| matches!(node.kind, NodeKind::Head | NodeKind::Mlp))
        .map(|(node, place)| (node.layer, if node.kind == NodeKind::Mlp { place.y + drawing.row / 2.0 } else { place.y }))
        .filter(|(layer, _)| seen.insert(*layer))
        .collect();
    html! {
        g.layer {
            @for (layer, y) in rows {
                line x1="44" x2=(n(drawing.width - 8.0)) y1=(n(y)) y2=(n(y)) {}
                text x="2" y=(n(y + 4.0)) { @if drawing.row > 50.0 { "layer " } (layer) }
            }
        }
    }
}

fn one_edge(drawing: &Drawing<'_>, edge: &Edge, largest: f64) -> Markup {
    let (Some(from), Some(to)) = (drawing.start(edge), drawing.end(edge)) else { return html! {} };
    let strength = if largest > 0.0 { (edge.weight.abs() / largest).sqrt() } else { 1.0 };
    let crowd: f64 = if drawing.edges.len() > 150 { 0.7 } else { 1.0 };
    let set = edge.set as usize;
    let class = if drawing.circuit.sets.is_empty() {
        if edge.weight < 0.0 { "edge neg".to_owned() } else { "edge pos".to_owned() }
    } else {
        format!("edge c{} d{}", set % COLOURS, set % DASHES)
    };
    html! {
        path class=(class) d=(curve(drawing, edge, from, to)) data-w=(edge.writer) data-r=(edge.reader)
            stroke-width=(n((0.7 + 2.3 * strength) * crowd.max(0.8))) stroke-opacity=(n((0.28 + 0.62 * strength) * crowd)) {}
    }
}

/// A curve that leaves upwards and arrives from below; edges within a column bow aside, so that boxes between stay free.
fn curve(drawing: &Drawing<'_>, edge: &Edge, from: Place, to: Place) -> String {
    let rise = from.y - to.y;
    let same_column = (from.x - to.x).abs() < drawing.size.0 * 0.5;
    let bow = if same_column && rise > drawing.row * 1.1 {
        let side = if (edge.writer + edge.reader).is_multiple_of(2) { 1.0 } else { -1.0 };
        side * (drawing.size.0 * 0.62 + rise * 0.06).min(drawing.size.0 * 1.3)
    } else {
        0.0
    };
    let reach = if rise > 0.0 { (rise * 0.42).max(6.0) } else { 14.0 };
    format!(
        "M{} {}C{} {} {} {} {} {}",
        n(from.x),
        n(from.y),
        n(from.x + bow),
        n(from.y - reach),
        n(to.x + bow),
        n(to.y + reach),
        n(to.x),
        n(to.y)
    )
}

/// A line below all boxes that share a key or value, where such an input is used.
fn brackets(drawing: &Drawing<'_>) -> Markup {
    let used: BTreeSet<u32> = drawing.edges.iter().map(|edge| edge.reader).collect();
    let readers = used.iter().filter_map(|index| drawing.circuit.readers.get(*index as usize));
    let spans: BTreeSet<(u32, u32)> = readers
        .filter(|reader| reader.nodes.len() > 1)
        .filter_map(|reader| Some((*reader.nodes.first()?, *reader.nodes.last()?)))
        .collect();
    let half = drawing.size.0 / 2.0;
    html! {
        g.brackets {
            @for (first, last) in spans {
                @if let (Some(a), Some(b)) = (drawing.places.get(first as usize), drawing.places.get(last as usize)) {
                    path d={ "M" (n(a.x - half)) " " (n(a.y + drawing.size.1 / 2.0 + 3.0)) "H" (n(b.x + half)) } {}
                }
            }
        }
    }
}

fn one_node(drawing: &Drawing<'_>, index: usize, node: &Node, place: Place) -> Markup {
    let wide = match node.kind {
        NodeKind::Embedding | NodeKind::Output => drawing.size.0.max(76.0),
        _ => drawing.size.0,
    };
    let off = u32::try_from(index).map_or(true, |index| !drawing.touched.contains(&index));
    let font = if drawing.size.1 < 18.0 { 9.5 } else { 11.0 };
    let mut words = label(&node.name, 24);
    if width(&words, font) > wide - 4.0 {
        words = words.rsplit_once('.').map_or_else(|| label(&node.name, 6), |(_, last)| last.to_owned());
    }
    if width(&words, font) > wide - 2.0 {
        words = String::new();
    }
    let role = node.group.map(|group| group as usize + 1);
    html! {
        g.{ "node" @if off { " off" } } data-n=(index) {
            rect.box x=(n(place.x - wide / 2.0)) y=(n(place.y - drawing.size.1 / 2.0)) width=(n(wide)) height=(n(drawing.size.1)) rx="4" {}
            text x=(n(place.x)) y=(n(place.y + font * 0.36)) text-anchor="middle" font-size=(n(font)) { (words) }
            @if let Some(role) = role {
                circle class={ "role c" ((role - 1) % COLOURS) } cx=(n(place.x + wide / 2.0)) cy=(n(place.y - drawing.size.1 / 2.0)) r="7" {}
                text.rolename x=(n(place.x + wide / 2.0)) y=(n(place.y - drawing.size.1 / 2.0 + 3.2)) text-anchor="middle" { (role) }
            }
        }
    }
}

/// The words under a drawing: how to read it.
pub(in crate::report) fn key(drawing: &Drawing<'_>) -> Markup {
    let circuit = drawing.circuit;
    let sizes = drawing.edges.iter().map(|edge| edge.weight.abs());
    let (low, high) = sizes.fold((f64::INFINITY, 0.0), |(low, high), size| (f64::min(low, size), f64::max(high, size)));
    html! {
        ul.key {
            @if circuit.sets.is_empty() {
                @for (class, words) in [("edge pos", "positive weight"), ("edge neg", "negative weight (dashed)")] {
                    @if drawing.edges.iter().any(|edge| (edge.weight < 0.0) == (class == "edge neg")) {
                        li { svg.fig.sample viewBox="0 0 34 10" aria-hidden="true" { path class=(class) d="M1 5H33" stroke-width="2.4" fill="none" {} } (words) }
                    }
                }
            } @else {
                @for (index, name) in circuit.sets.iter().enumerate().take(12) {
                    li {
                        svg.fig.sample viewBox="0 0 34 10" aria-hidden="true" { path class={ "edge c" (index % COLOURS) " d" (index % DASHES) } d="M1 5H33" stroke-width="2.4" fill="none" {} }
                        bdi { (label(name, 60)) }
                    }
                }
            }
            @for (index, name) in circuit.groups.iter().enumerate().take(24) {
                li {
                    svg.fig.sample viewBox="0 0 16 16" aria-hidden="true" {
                        circle class={ "role c" (index % COLOURS) } cx="8" cy="8" r="7" {}
                        text.rolename x="8" y="11.2" text-anchor="middle" { (index + 1) }
                    }
                    bdi { (label(name, 60)) }
                }
            }
            @if !drawing.edges.is_empty() {
                li { "wider: larger " bdi { (label(if circuit.weight_label.is_empty() { "weight" } else { &circuit.weight_label }, 60)) }
                    @if low < high { " (drawn: " (brief(low)) " to " (brief(high)) " in size)" } }
            }
        }
    }
}

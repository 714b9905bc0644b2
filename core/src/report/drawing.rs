//! A circuit's drawing outside a report: its places for pages that paint edges themselves, and the whole as one SVG file.

use serde::Serialize;

use super::{
    panels::describe_series,
    style,
    svg::{self, Drawing, Naming},
    text::{NAME, PROSE, label},
};
use crate::findings::{Circuit, Edge, NodeKind, Series};

/// Places of a circuit's drawing, in the drawing's own units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CircuitLayout {
    /// Size of the whole, of a box, and the distance of two rows.
    pub width: f64,
    pub height: f64,
    pub box_width: f64,
    pub box_height: f64,
    pub row: f64,
    /// Boxes in the order of the nodes.
    pub nodes: Vec<PlacedNode>,
    /// Where the edges of each writer start, and those of each reader end.
    pub writers: Vec<PlacedEnd>,
    pub readers: Vec<PlacedEnd>,
}

/// A box: its centre.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlacedNode {
    pub name: String,
    pub label: String,
    pub kind: NodeKind,
    pub layer: u32,
    pub group: Option<u32>,
    pub x: f64,
    pub y: f64,
}

/// One end of edges.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlacedEnd {
    pub name: String,
    /// Boxes it belongs to.
    pub nodes: Vec<u32>,
    pub x: f64,
    pub y: f64,
}

/// Lays a circuit out as reports draw it.
#[must_use]
pub fn circuit_layout(circuit: &Circuit) -> CircuitLayout {
    let drawing = Drawing::new(circuit, 0);
    let nodes = circuit.nodes.iter().zip(&drawing.places);
    let end = |name: &str, nodes: Vec<u32>, place: Option<(f64, f64)>| {
        let (x, y) = place.unwrap_or_default();
        PlacedEnd { name: name.to_owned(), nodes, x, y }
    };
    let writers = (0u32..).zip(&circuit.writers).map(|(index, writer)| {
        end(&writer.name, vec![writer.node], drawing.start(&Edge::kept(index, 0, 1.0)).map(|place| (place.x, place.y)))
    });
    let readers = (0u32..).zip(&circuit.readers).map(|(index, reader)| {
        end(&reader.name, reader.nodes.clone(), drawing.end(&Edge::kept(0, index, 1.0)).map(|place| (place.x, place.y)))
    });
    CircuitLayout {
        width: drawing.width,
        height: drawing.height,
        box_width: drawing.size.0,
        box_height: drawing.size.1,
        row: drawing.row,
        nodes: nodes
            .map(|(node, place)| PlacedNode {
                name: node.name.clone(),
                label: node.label.clone(),
                kind: node.kind,
                layer: node.layer,
                group: node.group,
                x: place.x,
                y: place.y,
            })
            .collect(),
        writers: writers.collect(),
        readers: readers.collect(),
    }
}

/// A series panel as a report draws it, for wide and for narrow screens; `id` is the prefix of its identifiers.
#[must_use]
pub fn series_svg(series: &Series, id: &str, title: &str) -> [String; 2] {
    let (title, description) = (label(title, NAME), describe_series(series));
    svg::Size::BOTH.map(|size| svg::series(series, size, Naming { id, title: &title, description: &description }).into_string())
}

/// A circuit as one SVG file in the light colours, at most `most` edges of it.
#[must_use]
pub fn circuit_svg(circuit: &Circuit, title: &str, description: &str, most: usize) -> String {
    let drawing = Drawing::new(circuit, most);
    let (title, description) = (label(title, NAME), label(description, PROSE));
    let svg = svg::circuit(&drawing, Naming { id: "circuit", title: &title, description: &description }).into_string();
    let tokens = style::TOKENS.split("@media").next().unwrap_or_default().replace("color-scheme: light dark;", "");
    let style = format!("<style>{tokens}{}</style>", style::FIGURES);
    let (open, rest) = svg.split_at(svg.find('>').map_or(0, |at| at + 1));
    format!("{}{style}{rest}\n", open.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1))
}

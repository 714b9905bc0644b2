//! Where the boxes of a circuit stand: embeddings at the bottom, layers upwards, heads across in their columns, each
//! layer's MLP at the right and half a row higher (it reads its layer's heads), the output at the top.

use std::collections::BTreeSet;

use crate::findings::{Circuit, Edge, Node, NodeKind};

/// Where one box stands: its centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct Place {
    pub x: f64,
    pub y: f64,
}

/// A laid out circuit.
#[derive(Clone, Debug)]
pub(in crate::report) struct Drawing<'a> {
    /// The circuit.
    pub circuit: &'a Circuit,
    /// Width of the drawing.
    pub width: f64,
    /// Height of the drawing.
    pub height: f64,
    /// Width and height of a box.
    pub size: (f64, f64),
    /// Distance of two rows.
    pub row: f64,
    /// Centres, in the order of the nodes.
    pub places: Vec<Place>,
    /// Edges drawn, the strongest first.
    pub edges: Vec<&'a Edge>,
    /// Kept edges that are listed.
    pub kept: usize,
    /// Boxes that a kept edge touches.
    pub touched: BTreeSet<u32>,
}

/// Kept edges from the strongest on; ties by writer and reader.
pub(in crate::report) fn strongest(circuit: &Circuit) -> Vec<&Edge> {
    let mut edges: Vec<&Edge> = circuit.edges.iter().filter(|edge| edge.kept).collect();
    edges.sort_unstable_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()).then((a.writer, a.reader).cmp(&(b.writer, b.reader))));
    edges
}

impl<'a> Drawing<'a> {
    /// Lays a circuit out, drawing at most `most` edges.
    pub(in crate::report) fn new(circuit: &'a Circuit, most: usize) -> Self {
        let mut edges = strongest(circuit);
        let kept = edges.len();
        let mut touched = BTreeSet::new();
        for edge in &edges {
            touched.extend(circuit.writers.get(edge.writer as usize).map(|writer| writer.node));
            touched.extend(circuit.readers.get(edge.reader as usize).into_iter().flat_map(|reader| &reader.nodes));
        }
        edges.truncate(most);

        let columns = |kind| circuit.nodes.iter().filter(move |node| node.kind == kind).map(|node| node.column + 1).max().unwrap_or(0);
        let (heads, mlps) = (columns(NodeKind::Head), columns(NodeKind::Mlp));
        let ends = columns(NodeKind::Embedding).max(columns(NodeKind::Output));
        let across = f64::from((heads + mlps).max(ends).max(1));
        let pitch = (640.0 / across).clamp(40.0, 104.0);
        let row = match circuit.layers {
            0..=4 => 84.0,
            5..=12 => 58.0,
            13..=24 => 46.0,
            _ => 40.0,
        };
        let (gutter, margin) = (52.0, 14.0);
        let size = (pitch * 0.74, f64::min(row * 0.42, 26.0));
        let width = gutter + across * pitch + margin;
        let bottom = margin + (f64::from(circuit.layers) + 1.3) * row + size.1;
        let middle = gutter + across * pitch / 2.0;
        let place = |node: &Node| {
            let layer_y = bottom - (f64::from(node.layer.min(circuit.layers)) + 0.9) * row - size.1 / 2.0;
            let spread = |count: u32| middle + (f64::from(node.column) - (f64::from(count) - 1.0) / 2.0) * pitch.max(88.0).min(pitch * 2.2);
            match node.kind {
                NodeKind::Embedding => Place { x: spread(columns(NodeKind::Embedding)), y: bottom - size.1 / 2.0 },
                NodeKind::Head => Place { x: gutter + (f64::from(node.column) + 0.5) * pitch, y: layer_y },
                NodeKind::Mlp => Place { x: gutter + (f64::from(heads) + f64::from(node.column) + 0.5) * pitch, y: layer_y - row / 2.0 },
                NodeKind::Output => Place { x: spread(columns(NodeKind::Output)), y: margin + size.1 / 2.0 },
            }
        };
        let places = circuit.nodes.iter().map(place).collect();
        Self { circuit, width, height: bottom + margin, size, row, places, edges, kept, touched }
    }

    /// The top of a writer's box.
    pub(in crate::report) fn start(&self, edge: &Edge) -> Option<Place> {
        let writer = self.circuit.writers.get(edge.writer as usize)?;
        let place = self.places.get(writer.node as usize)?;
        Some(Place { x: place.x, y: place.y - self.size.1 / 2.0 })
    }

    /// The bottom of a reader's box, at its port; between its boxes where it serves several.
    pub(in crate::report) fn end(&self, edge: &Edge) -> Option<Place> {
        let reader = self.circuit.readers.get(edge.reader as usize)?;
        let boxes: Vec<&Place> = reader.nodes.iter().filter_map(|node| self.places.get(*node as usize)).collect();
        let (first, last) = (boxes.first()?, boxes.last()?);
        let port = match reader.port.as_str() {
            "q" => -0.28,
            "v" => 0.28,
            _ => 0.0,
        };
        let drop = if boxes.len() > 1 { 3.0 } else { 0.0 };
        Some(Place { x: f64::midpoint(first.x, last.x) + port * self.size.0, y: first.y + self.size.1 / 2.0 + drop })
    }
}

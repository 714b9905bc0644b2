//! The circuit shown: the one opened, at a size, with switches; perhaps a second one beside it.
//!
//! Three layers, each of which can be taken off again: the opened circuit; a size, which replaces its edges by the best of its scores (cleaned of dangling ones); switches of
//! single edges. Labels and groups belong to the opened circuit and are saved with it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::InspectError;
use crate::{
    circuit::{
        Circuit, CircuitError,
        compare::Agreement,
        eap_ig, edge_list,
        native::{self, MAX_TEXT_BYTES},
        nested::{Ranking, nested, ranked_edges},
    },
    shown::picture,
};
use vitrine_core::{
    findings,
    model::{Graph, stream::Ablation},
    report::{self, CircuitLayout},
};

/// Most groups, and most nodes of one.
pub const MOST_GROUPS: usize = 64;

/// Which circuits have an edge, by the number [`Sheet::classes`] gives: neither, both, the first only, the second only.
pub const CLASSES: [&str; 4] = ["neither", "shared", "only A", "only B"];

/// A circuit on the table.
#[derive(Debug, Clone)]
pub struct Sheet {
    base: Circuit,
    ablation: Ablation,
    size: Option<usize>,
    switches: BTreeMap<usize, bool>,
    current: Circuit,
    other: Option<Circuit>,
}

/// Counts and comparison, for the words around the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Edges of the graph, of the opened circuit, and shown (effective).
    pub edges: usize,
    pub opened: usize,
    pub shown: usize,
    /// Share of the graph's edges not shown.
    pub sparsity: f64,
    pub writers: usize,
    pub readers: usize,
    pub switched: usize,
    /// The size asked for, where one is.
    pub size: Option<usize>,
    pub scored: bool,
    /// What the scores are, as the file says.
    pub score_name: String,
    pub largest_score: f32,
    /// Shown circuit against the second one.
    pub agreement: Option<Agreement>,
    pub jaccard: Option<f64>,
}

impl Sheet {
    /// Puts a circuit on the table.
    pub fn new(circuit: Circuit) -> Self {
        Self {
            current: circuit.clone(),
            base: circuit,
            ablation: Ablation::Interchange,
            size: None,
            switches: BTreeMap::new(),
            other: None,
        }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        self.base.graph()
    }

    /// The circuit as shown.
    pub fn current(&self) -> &Circuit {
        &self.current
    }

    /// Clean-up depends on what cut edges carry.
    ///
    /// # Errors
    /// As [`Sheet::set_size`].
    pub fn set_ablation(&mut self, ablation: Ablation) -> Result<(), InspectError> {
        self.ablation = ablation;
        self.build()
    }

    /// How this circuit's scores rank edges: log alphas by value, attributions by size.
    pub fn ranking(&self) -> Ranking {
        if self.score_name() == "log alpha" { Ranking::Value } else { Ranking::Magnitude }
    }

    fn score_name(&self) -> &str {
        self.base.meta.get("scores").map_or("score", String::as_str)
    }

    /// Shows the `size` best edges by score, cleaned up; `None` shows the circuit as opened.
    ///
    /// # Errors
    /// [`InspectError::NoScores`].
    pub fn set_size(&mut self, size: Option<usize>) -> Result<(), InspectError> {
        let before = std::mem::replace(&mut self.size, size);
        self.build().inspect_err(|_| self.size = before)
    }

    /// The circuit of a size, for measuring; the sheet stays as it is.
    ///
    /// # Errors
    /// [`InspectError::NoScores`].
    pub fn at_size(&self, size: usize) -> Result<Circuit, InspectError> {
        let scores = self.base.scores().ok_or(InspectError::NoScores)?;
        let mut circuits = nested(self.graph(), scores, &[size], self.ranking(), self.ablation)?;
        circuits.pop().ok_or(InspectError::NoScores)
    }

    fn build(&mut self) -> Result<(), InspectError> {
        let mut current = match self.size {
            None => self.base.clone(),
            Some(size) => {
                let sized = self.at_size(size)?;
                let mut current = self.base.clone();
                for (edge, &kept) in sized.edges().iter().enumerate() {
                    current.set_edge(edge, kept);
                }
                for node in 0..current.graph().n_writers() {
                    current.set_node(node, true);
                }
                current
            }
        };
        for (&edge, &on) in &self.switches {
            current.set_edge(edge, on);
        }
        self.current = current;
        Ok(())
    }

    /// Switches one edge. Ids outside the graph are ignored.
    pub fn switch(&mut self, edge: usize, on: bool) {
        if edge >= self.graph().n_edges() {
            return;
        }
        self.switches.remove(&edge);
        // Only what differs from the layer below is a switch.
        let unswitched = match self.size {
            None => self.base.edges().get(edge).copied(),
            Some(size) => self.at_size(size).ok().and_then(|circuit| circuit.edges().get(edge).copied()),
        };
        if unswitched != Some(on) {
            self.switches.insert(edge, on);
        }
        self.current.set_edge(edge, on);
    }

    /// Edges that are switched, ascending.
    pub fn switched(&self) -> Vec<u32> {
        self.switches.keys().map(|&edge| edge as u32).collect()
    }

    /// Puts all switches back.
    ///
    /// # Errors
    /// As [`Sheet::set_size`].
    pub fn reset_switches(&mut self) -> Result<(), InspectError> {
        self.switches.clear();
        self.build()
    }

    /// 1 for every effective edge, else 0, by edge id.
    pub fn masks(&self) -> Vec<u8> {
        self.current.effective_edges().into_iter().map(u8::from).collect()
    }

    /// Scores by edge id; empty where there are none.
    pub fn scores(&self) -> Vec<f32> {
        self.base.scores().map_or_else(Vec::new, <[f32]>::to_vec)
    }

    /// Edge ids from the best to the worst by score; empty where there are none.
    pub fn ranked(&self) -> Vec<u32> {
        let ranked = self.base.scores().and_then(|scores| ranked_edges(self.graph(), scores, self.ranking()).ok());
        ranked.unwrap_or_default().into_iter().map(|edge| edge as u32).collect()
    }

    /// Lays a second circuit beside the first, or takes it away.
    ///
    /// # Errors
    /// [`CircuitError::Shape`] for a circuit of another model.
    pub fn set_other(&mut self, other: Option<Circuit>) -> Result<(), InspectError> {
        if let Some(other) = &other {
            other.fits(self.base.shape())?;
        }
        self.other = other;
        Ok(())
    }

    /// Index into [`CLASSES`] by edge id; without a second circuit, shown edges are 2 and others 0.
    pub fn classes(&self) -> Vec<u8> {
        let a = self.current.effective_edges();
        match &self.other {
            None => a.into_iter().map(|kept| if kept { 2 } else { 0 }).collect(),
            Some(other) => a
                .into_iter()
                .zip(other.effective_edges())
                .map(|pair| match pair {
                    (false, false) => 0,
                    (true, true) => 1,
                    (true, false) => 2,
                    (false, true) => 3,
                })
                .collect(),
        }
    }

    /// The figures.
    ///
    /// # Errors
    /// None in practice: the second circuit was checked.
    pub fn summary(&self) -> Result<Summary, InspectError> {
        let counts = self.current.counts();
        let scores = self.base.scores();
        let agreement = self.other.as_ref().map(|other| self.current.agreement(other)).transpose()?;
        Ok(Summary {
            edges: counts.edges,
            opened: self.base.counts().effective,
            shown: counts.effective,
            sparsity: counts.effective_sparsity(),
            writers: self.graph().n_writers(),
            readers: self.graph().n_readers(),
            switched: self.switches.len(),
            size: self.size,
            scored: scores.is_some(),
            score_name: self.score_name().to_owned(),
            largest_score: scores.unwrap_or_default().iter().fold(0.0_f32, |most, s| most.max(s.abs())),
            agreement,
            jaccard: self.other.as_ref().map(|other| self.current.jaccard(other)).transpose()?,
        })
    }

    /// Names a node; an empty name takes the label away.
    ///
    /// # Errors
    /// [`CircuitError::TooLarge`] for a long name, [`InspectError::Refused`] for a node that is none of this graph's.
    pub fn set_label(&mut self, node: &str, label: &str) -> Result<(), InspectError> {
        self.check_node(node)?;
        check_text(label)?;
        let label = label.trim();
        for circuit in [&mut self.base, &mut self.current] {
            if label.is_empty() {
                circuit.labels.remove(node);
            } else {
                circuit.labels.insert(node.to_owned(), label.to_owned());
            }
        }
        Ok(())
    }

    /// Puts a node into a group, or (empty name) into none.
    ///
    /// # Errors
    /// As [`Sheet::set_label`]; [`InspectError::Refused`] for too many groups.
    pub fn set_group(&mut self, node: &str, group: &str) -> Result<(), InspectError> {
        self.check_node(node)?;
        check_text(group)?;
        let group = group.trim();
        if !group.is_empty() && !self.base.groups.contains_key(group) && self.base.groups.len() >= MOST_GROUPS {
            return Err(InspectError::Refused(format!("there are {MOST_GROUPS} groups already")));
        }
        for circuit in [&mut self.base, &mut self.current] {
            circuit.groups.values_mut().for_each(|nodes| nodes.retain(|name| name != node));
            if !group.is_empty() {
                let nodes = circuit.groups.entry(group.to_owned()).or_default();
                nodes.push(node.to_owned());
                nodes.sort_unstable();
            }
            circuit.groups.retain(|_, nodes| !nodes.is_empty());
        }
        Ok(())
    }

    fn check_node(&self, node: &str) -> Result<(), InspectError> {
        let graph = self.graph();
        let known = node.parse().is_ok_and(|writer| graph.writer_id(writer).is_some())
            || node.parse().is_ok_and(|reader| graph.reader_id(reader).is_some());
        if known {
            Ok(())
        } else {
            Err(InspectError::Refused(format!("`{}` is no node of this graph", node.chars().take(40).collect::<String>())))
        }
    }

    /// The shown circuit as a file: `vitrine`, `eap-ig` (which wants the model's width), `list`, `text`, `csv`, `svg`.
    ///
    /// # Errors
    /// [`InspectError::Refused`] for another format; what the format cannot hold.
    pub fn export(&self, format: &str, d_model: usize) -> Result<String, InspectError> {
        Ok(match format {
            "vitrine" => native::to_json(&self.current)?,
            "eap-ig" => eap_ig::to_json(&self.current, d_model)?,
            "list" => edge_list::to_json(&self.current),
            "text" => edge_list::to_text(&self.current),
            "csv" => edge_list::to_csv(&self.current, false),
            "svg" => {
                let summary = self.summary()?;
                let words = format!("{} of {} edges.", summary.shown, summary.edges);
                report::circuit_svg(&self.findings(), "Circuit", &words, 3000)
            }
            other => return Err(InspectError::Refused(format!("there is no format `{other}`"))),
        })
    }

    /// The circuit as findings draw it; with a second circuit, in sets.
    pub fn findings(&self) -> findings::Circuit {
        let graph = self.graph();
        let classes = self.classes();
        let shown: Vec<bool> = classes.iter().map(|&class| class > 0).collect();
        let mut drawn = picture(graph, &shown, self.base.scores(), self.score_name());
        self.name(&mut drawn);
        if self.other.is_some() {
            drawn.sets = CLASSES[1..].iter().map(|&name| name.to_owned()).collect();
            let ids = (0..classes.len()).filter(|&edge| shown[edge]);
            for (edge, id) in drawn.edges.iter_mut().zip(ids) {
                edge.set = u32::from(classes[id].saturating_sub(1));
            }
        }
        drawn
    }

    /// Labels, groups, and the graph's own names of readers.
    fn name(&self, drawn: &mut findings::Circuit) {
        let graph = self.graph();
        for (id, reader) in drawn.readers.iter_mut().enumerate() {
            reader.name = graph.reader(id).to_string();
        }
        drawn.groups = self.current.groups.keys().cloned().collect();
        for node in &mut drawn.nodes {
            node.label = self.current.labels.get(&node.name).cloned().unwrap_or_default();
            let group = self.current.groups.values().position(|nodes| nodes.contains(&node.name));
            node.group = group.and_then(|group| u32::try_from(group).ok());
        }
    }

    /// Where boxes stand and edges end; depends on the graph only.
    pub fn layout(&self) -> CircuitLayout {
        let mut drawn = picture(self.graph(), &[], None, "");
        self.name(&mut drawn);
        report::circuit_layout(&drawn)
    }
}

fn check_text(text: &str) -> Result<(), CircuitError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(CircuitError::TooLarge { what: "a label or group name (bytes)", size: text.len(), limit: MAX_TEXT_BYTES });
    }
    Ok(())
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;

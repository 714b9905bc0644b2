//! What the study shows: a comparison of methods as table, curves, picture and claim; a circuit as a picture.

use super::{
    circuit::stability::Stability,
    compare_methods::{Comparison, Repeat, WARM},
    prune::StepRecord,
};
use vitrine_core::{
    findings::{self, Axis, Best, Cell, Claim, Column, Findings, Line, Panel, Series, Source, Table, TransformerShape, Verdict},
    model::Graph,
};

/// The method's paper.
pub(super) fn own(paper: bool) -> Source {
    Source {
        paper: "Bhaskar et al., Finding Transformer Circuits with Edge Pruning (2024)".into(),
        section: String::new(),
        published: paper,
    }
}

/// With fewer held-out examples the report warns of chance.
const FEW_EXAMPLES: usize = 100;

/// Adds table, curves, circuit and claim of a comparison.
pub fn report_comparison(id: &str, on: &str, graph: &Graph, comparison: &Comparison, findings: &mut Findings) {
    let mut table = Table::new(vec![
        Column::text("method"),
        Column::number("edges asked for", 0),
        Column::number("edges kept", 0),
        Column::number("KL", 4).unit("nats").best(Best::Lowest),
        Column::number("accuracy", 3),
        Column::number("exact match", 3),
        Column::number("logit difference", 3),
        Column::number("seconds", 1),
    ]);
    let cell = |x: Option<f64>| x.map_or(Cell::Missing, Cell::Number);
    for row in &comparison.rows {
        let s = &row.scores;
        table.push(vec![
            row.method.into(),
            row.size.into(),
            row.edges.into(),
            s.kl.into(),
            cell(s.accuracy),
            cell(s.exact_match),
            cell(s.logit_difference),
            row.seconds.into(),
        ]);
    }
    for (name, size, s) in [("full model", graph.n_edges(), &comparison.full), ("everything cut", 0, &comparison.empty)] {
        table.push(vec![
            name.into(),
            size.into(),
            size.into(),
            s.kl.into(),
            cell(s.accuracy),
            cell(s.exact_match),
            cell(s.logit_difference),
            Cell::Missing,
        ]);
    }
    let [sought, judged] = comparison.examples;
    if judged < FEW_EXAMPLES {
        findings.caveats.push(format!(
            "Every figure of {on} is a mean over {judged} held-out examples (circuits were sought with {sought}): small differences between methods may be chance."
        ));
    }
    let caption = format!(
        "{judged} held-out examples, binary masks, interchange with the corrupted partner. Every method keeps its best edges, as many as leave the size asked for once dead ends are cleaned up. KL(full model ‖ circuit) at the answer; lower is more faithful."
    );
    findings.panels.push(Panel::new(format!("{id}-methods"), format!("Methods at equal edge counts: {on}"), caption, table));

    findings.panels.push(Panel::new(
        format!("{id}-curve"),
        "Faithfulness against size",
        format!("The table's circuits on {on}: KL(full model ‖ circuit) over the edges left after dangling clean-up. Lower and further left is better."),
        curve(comparison),
    ));

    for (size, history) in &comparison.histories {
        let x: Vec<f64> = history.iter().map(|r| r.step as f64).collect();
        let line = |name: &str, f: fn(&StepRecord) -> f64| Line::new(name, x.clone(), history.iter().map(f).collect());
        let series = Series {
            x: Axis::new("step", ""),
            y: Axis::new("share of edges cut", ""),
            lines: vec![line("cut in this draw", |r| r.edge_sparsity), line("target", |r| r.edge_target)],
            ..Series::default()
        };
        findings.panels.push(Panel::new(
            format!("{id}-sparsity-{size}"),
            format!("Sparsity while pruning to {size} edges"),
            "The multipliers hold the drawn masks to a rising target.",
            series,
        ));
    }
    if let (Some(circuit), Some((size, _))) = (comparison.circuits.first(), comparison.histories.first()) {
        let picture = picture(graph, circuit.edges(), circuit.scores(), "log alpha");
        findings.panels.push(Panel::new(
            format!("{id}-circuit"),
            format!("Edge Pruning's circuit of at most {size} edges"),
            "After dangling clean-up.",
            picture,
        ));
    }
    report_seeds(id, &comparison.repeats, findings);
    let best_other = |size: usize| {
        comparison
            .rows
            .iter()
            .filter(|r| r.size == size && !r.method.starts_with("Edge Pruning"))
            .map(|r| r.scores.kl)
            .fold(f64::INFINITY, f64::min)
    };
    let ours: Vec<(usize, f64, f64)> = comparison
        .rows
        .iter()
        .filter(|r| r.method.starts_with("Edge Pruning"))
        .map(|r| (r.size, r.scores.kl, best_other(r.size)))
        .collect();
    let warm = comparison.rows.iter().any(|r| r.method == WARM);
    let found: Vec<String> = ours.iter().map(|(size, ours, other)| format!("{size} edges: {ours:.4} against {other:.4} nats")).collect();
    findings.claims.push(Claim {
        id: format!("{id}-below-attribution"),
        statement: format!("At equal edge counts Edge Pruning's circuits are more faithful than EAP's and EAP-IG's, on {on}."),
        source: own(true),
        published: Some(
            "GPT-2 small, IOI at 96.6% sparsity: KL 0.25 (200 examples) against 3.47 for EAP, figures as recalled from the paper".into(),
        ),
        found: found.join("; "),
        tolerance: "lower KL at every size, against the best of EAP and EAP-IG".into(),
        verdict: Verdict::from_test(ours.iter().all(|(_, ours, other)| ours < other)),
        differs: format!("another model and data than the published ones{}", if warm { "; gates begin from EAP-IG's scores" } else { "" }),
    });
}

/// Adds how much circuits of one size agree over seeds.
fn report_seeds(id: &str, repeats: &[Repeat], findings: &mut Findings) {
    let circuits: Vec<_> = repeats.iter().map(|r| r.circuit.clone()).collect();
    let (Some(first), Ok(stability)) = (repeats.first(), Stability::of(&circuits)) else { return };
    let mut table = Table::new(vec![
        Column::number("seed", 0),
        Column::number("edges kept", 0),
        Column::number("KL", 4).unit("nats"),
        Column::number("accuracy", 3),
        Column::number("Jaccard index with the first", 3),
    ]);
    for repeat in repeats {
        let pair = Stability::of(&[first.circuit.clone(), repeat.circuit.clone()]);
        let jaccard = pair.ok().and_then(|pair| pair.summary().jaccard_mean);
        table.push(vec![
            Cell::Number(repeat.seed as f64),
            repeat.circuit.counts().kept.into(),
            repeat.scores.kl.into(),
            repeat.scores.accuracy.map_or(Cell::Missing, Cell::Number),
            jaccard.map_or(Cell::Missing, Cell::Number),
        ]);
    }
    let summary = stability.summary();
    let caption = format!(
        "Edge Pruning at {} edges with {} seeds: {} edges are in every circuit, {} in at least one; Jaccard index of two seeds {:.3} on average. What differs from seed to seed is not the model's doing.",
        first.size,
        summary.circuits,
        summary.always,
        summary.ever,
        summary.jaccard_mean.unwrap_or(1.0)
    );
    findings.panels.push(Panel::new(format!("{id}-seeds"), "The same search with other seeds", caption, table));
}

/// Every method's KL over the edges it kept.
fn curve(comparison: &Comparison) -> Series {
    let mut lines: Vec<Line> = vec![];
    for row in &comparison.rows {
        let at = lines.iter().position(|line| line.name == row.method).unwrap_or_else(|| {
            lines.push(Line::new(row.method, vec![], vec![]));
            lines.len() - 1
        });
        if let Some(line) = lines.get_mut(at) {
            line.x.push(row.edges as f64);
            line.y.push(row.scores.kl);
        }
    }
    Series { x: Axis::new("edges kept", ""), y: Axis::new("KL", "nats"), lines, ..Series::default() }
}

/// A circuit as findings draw it.
pub fn picture(graph: &Graph, kept: &[bool], weights: Option<&[f32]>, label: &str) -> findings::Circuit {
    let shape = graph.shape();
    let embeddings = (0..graph.n_embeds()).map(|id| graph.writer(id).to_string()).collect();
    let to_u32 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let shape =
        TransformerShape { embeddings, layers: to_u32(shape.n_layers), heads: to_u32(shape.n_heads), kv_heads: to_u32(shape.n_kv_heads) };
    let Some(mut circuit) = shape.circuit(label) else { return findings::Circuit::default() };
    for (edge, _) in kept.iter().enumerate().filter(|(_, k)| **k) {
        let (writer, reader) = graph.edge_ids(edge);
        let weight = weights.and_then(|w| w.get(edge)).map_or(1.0, |&w| f64::from(w));
        circuit.edges.push(findings::Edge::kept(to_u32(writer), to_u32(reader), weight));
    }
    circuit.totals.kept = circuit.edges.len() as u64;
    circuit
}

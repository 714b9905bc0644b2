//! From edge scores to circuits of any size.
//!
//! **Top n** keeps the n edges of highest score, then cleans up; taken at several n this gives nested circuits before clean-up.
//! **Greedy** grows the circuit from the output: only edges into the output or into a node that is already in may be taken, always the best
//! one, so no edge is spent on a dead end. Ties go to the lower edge id in both, so the same scores always give the same circuit.
//!
//! **Source.** Top n and greedy as in EAP-IG (Hanna et al., "Have Faith in Faithfulness", 2024) and MIB (2025).

use super::{Ablation, cleanup::clean_up};
use super::{Circuit, CircuitError, check_scores};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use vitrine_core::{model::graph::Graph, order::sort};

/// What makes an edge rank high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// A large score of either sign: edges that help and edges that hinder.
    #[default]
    Magnitude,
    /// A large positive score.
    Value,
}

impl Ranking {
    fn of(self, score: f32) -> f32 {
        match self {
            Self::Magnitude => score.abs(),
            Self::Value => score,
        }
    }
}

/// Edge ids from best to worst; equal ranks in the order of ids.
///
/// # Errors
/// [`CircuitError::Length`], [`CircuitError::NonFinite`].
pub fn ranked_edges(graph: &Graph, scores: &[f32], ranking: Ranking) -> Result<Vec<usize>, CircuitError> {
    check_scores(graph, scores)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // partial_cmp takes -0 and 0 for equal; all scores are finite, so it never fails.
    let rank = |id: usize| ranking.of(scores[id]);
    sort(&mut order, &|a, b| rank(b).partial_cmp(&rank(a)).unwrap_or(Ordering::Equal).then(a.cmp(&b)));
    Ok(order)
}

/// One circuit a size: its best edges, cleaned up. A size above the number of edges keeps all.
///
/// # Errors
/// [`CircuitError::Length`], [`CircuitError::NonFinite`].
pub fn nested(graph: &Graph, scores: &[f32], sizes: &[usize], ranking: Ranking, ablation: Ablation) -> Result<Vec<Circuit>, CircuitError> {
    let order = ranked_edges(graph, scores, ranking)?;
    let circuit = |size: &usize| Circuit::from_edges(graph, order.iter().take(*size).copied()).map(|top| clean_up(&top, ablation).0);
    sizes.iter().map(circuit).collect()
}

/// The best edges, as many of them as leave at most `size` once cleaned up: dead ends cost nothing, so methods are compared by edges that do something. `order` has edge ids from best to worst.
///
/// # Errors
/// [`CircuitError`] for another graph's edges.
pub fn filled(graph: &Graph, order: &[usize], size: usize, ablation: Ablation) -> Result<Circuit, CircuitError> {
    let of_best = |count: usize| Circuit::from_edges(graph, order.iter().take(count).copied()).map(|top| clean_up(&top, ablation).0);
    // One edge more never makes another a dead end, so what is left grows with the count.
    let (mut fits, mut too_many) = (size.min(order.len()), order.len() + 1);
    let mut best = of_best(fits)?;
    while too_many - fits > 1 {
        let middle = fits.midpoint(too_many);
        let circuit = of_best(middle)?;
        if circuit.counts().kept <= size {
            (fits, best) = (middle, circuit);
        } else {
            too_many = middle;
        }
    }
    Ok(best)
}

/// A candidate of the greedy search.
struct Candidate {
    rank: f32,
    edge: Reverse<usize>,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.partial_cmp(&other.rank).unwrap_or(Ordering::Equal).then_with(|| self.edge.cmp(&other.edge))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// The circuit of `size` edges grown from the output, cleaned up. Fewer edges where fewer can be reached.
///
/// # Errors
/// [`CircuitError::Length`], [`CircuitError::NonFinite`].
pub fn greedy(graph: &Graph, scores: &[f32], size: usize, ranking: Ranking, ablation: Ablation) -> Result<Circuit, CircuitError> {
    check_scores(graph, scores)?;
    let mut circuit = Circuit::empty(graph);
    let mut open = BinaryHeap::new();
    let mut reader_open = vec![false; graph.n_readers()];
    let mut writer_in = vec![false; graph.n_writers()];
    let mut open_reader = |reader: usize, open: &mut BinaryHeap<Candidate>| {
        if !std::mem::replace(&mut reader_open[reader], true) {
            open.extend(graph.edges_of_reader(reader).map(|edge| Candidate { rank: ranking.of(scores[edge]), edge: Reverse(edge) }));
        }
    };
    open_reader(graph.n_readers() - 1, &mut open);
    for _ in 0..size {
        let Some(Candidate { edge: Reverse(edge), .. }) = open.pop() else { break };
        circuit.set_edge(edge, true);
        let (writer, _) = graph.edge_ids(edge);
        if !std::mem::replace(&mut writer_in[writer], true) {
            for reader in graph.inputs_of_writer(writer) {
                open_reader(reader, &mut open);
            }
        }
    }
    Ok(clean_up(&circuit, ablation).0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, random_graph, random_scores};
    use super::*;
    use vitrine_core::model::graph::{EmbeddingNodes, Reader};
    use vitrine_core::train::rng::Stream;

    #[test]
    fn top_n_keeps_the_best_and_ties_go_by_id() {
        let graph = graph(1, 1, 1, EmbeddingNodes::Split);
        let mut scores = vec![0.5; 13];
        (scores[3], scores[12]) = (-2.0, 1.0);
        let order = ranked_edges(&graph, &scores, Ranking::Magnitude).unwrap();
        assert_eq!(order, [3, 12, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(ranked_edges(&graph, &scores, Ranking::Value).unwrap()[12], 3);
        assert_eq!(ranked_edges(&graph, &[0.0; 13].map(|x: f32| -x), Ranking::Value).unwrap()[0], 0);
        let circuits = nested(&graph, &scores, &[0, 1, 13, 99], Ranking::Magnitude, Ablation::Zero).unwrap();
        let kept: Vec<usize> = circuits.iter().map(|circuit| circuit.counts().kept).collect();
        assert_eq!(kept, [0, 0, 13, 13], "the best edge alone leads nowhere");
        scores[1] = f32::NAN;
        assert!(matches!(nested(&graph, &scores, &[1], Ranking::Value, Ablation::Zero), Err(CircuitError::NonFinite { .. })));
        assert!(matches!(greedy(&graph, &scores[1..], 1, Ranking::Value, Ablation::Zero), Err(CircuitError::Length { .. })));
    }

    /// Greedy by looking at every edge in every round.
    fn brute(graph: &Graph, scores: &[f32], size: usize) -> Vec<bool> {
        let mut kept = vec![false; graph.n_edges()];
        for _ in 0..size {
            let writer_in = |w: usize| (0..kept.len()).any(|e| kept[e] && graph.edge_ids(e).0 == w);
            let may = |e: &usize| {
                let (_, reader) = graph.edge_ids(*e);
                !kept[*e] && (graph.reader(reader) == Reader::ResidPost || graph.outputs_of_reader(reader).into_iter().any(writer_in))
            };
            let best = (0..kept.len()).filter(may).reduce(|best, e| if scores[e].abs() > scores[best].abs() { e } else { best });
            match best {
                Some(e) => kept[e] = true,
                None => break,
            }
        }
        kept
    }

    #[test]
    fn greedy_equals_its_definition_and_leaves_no_dead_end() {
        let mut stream = Stream::new(1, "greedy", 0);
        for _ in 0..60 {
            let graph = random_graph(&mut stream);
            // Few distinct scores, so that ties matter.
            let scores: Vec<f32> = (0..graph.n_edges()).map(|_| stream.below(5) as f32 - 2.0).collect();
            let size = stream.below(graph.n_edges().min(40) + 1);
            let got = greedy(&graph, &scores, size, Ranking::Magnitude, Ablation::Zero).unwrap();
            assert_eq!(got.edges(), brute(&graph, &scores, size));
            assert_eq!(got.counts().kept, size);
        }
    }

    #[test]
    fn top_n_circuits_nest_before_clean_up() {
        let mut stream = Stream::new(2, "nested", 0);
        let graph = graph(3, 2, 1, EmbeddingNodes::Single);
        let scores = random_scores(&graph, &mut stream);
        let sizes = [5, 20, 40, graph.n_edges()];
        let circuits = nested(&graph, &scores, &sizes, Ranking::Magnitude, Ablation::Interchange).unwrap();
        for pair in circuits.windows(2) {
            assert_eq!(pair[0].difference(&pair[1]).unwrap().counts().kept, 0, "clean-up of a larger set keeps what it kept of a smaller");
        }
        assert!(circuits.iter().zip(sizes).all(|(circuit, size)| circuit.counts().kept <= size));
    }

    #[test]
    fn filled_takes_as_many_as_leave_the_size() {
        let mut stream = Stream::new(3, "filled", 0);
        for ablation in [Ablation::Zero, Ablation::Interchange, Ablation::Mean] {
            for _ in 0..20 {
                let graph = random_graph(&mut stream);
                let order = ranked_edges(&graph, &random_scores(&graph, &mut stream), Ranking::Magnitude).unwrap();
                let size = stream.below(graph.n_edges() + 2);
                let cleaned = |count: usize| clean_up(&Circuit::from_edges(&graph, order.iter().take(count).copied()).unwrap(), ablation).0;
                let every: Vec<Circuit> = (0..=order.len()).map(cleaned).collect();
                let expected = every.iter().rfind(|circuit| circuit.counts().kept <= size).unwrap();
                assert_eq!(filled(&graph, &order, size, ablation).unwrap().edges(), expected.edges());
            }
        }
    }
}

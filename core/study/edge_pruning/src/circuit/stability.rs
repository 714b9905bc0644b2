//! How much circuits of the same task agree: over seeds, resampled data or rephrased prompts.
//!
//! **Method.** For every edge the share of circuits that select it; the Jaccard index of every pair; and the consensus circuit of edges
//! selected by at least a given share. All of it on effective edges.

use super::{Circuit, CircuitError};
use serde::Serialize;
use vitrine_core::model::graph::Graph;

/// Agreement of several circuits.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    graph: Graph,
    /// Number of circuits.
    pub circuits: usize,
    /// How many circuits select each edge id.
    pub selected: Vec<u32>,
    /// Jaccard index of circuits i < j, in the order (0,1), (0,2), …, (1,2), ….
    pub pairwise_jaccard: Vec<f64>,
}

/// A few figures of a [`Stability`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StabilitySummary {
    /// Number of circuits.
    pub circuits: usize,
    /// Edges selected by at least one.
    pub ever: usize,
    /// Edges selected by all.
    pub always: usize,
    /// Mean, smallest and largest Jaccard index of a pair; absent for one circuit.
    pub jaccard_mean: Option<f64>,
    pub jaccard_min: Option<f64>,
    pub jaccard_max: Option<f64>,
}

impl Stability {
    /// Compares circuits of one graph.
    ///
    /// # Errors
    /// [`CircuitError::NoCircuits`], [`CircuitError::Shape`].
    pub fn of(circuits: &[Circuit]) -> Result<Self, CircuitError> {
        let first = circuits.first().ok_or(CircuitError::NoCircuits)?;
        let masks = circuits
            .iter()
            .map(|circuit| circuit.fits(first.shape()).map(|()| circuit.effective_edges()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut selected = vec![0_u32; first.graph().n_edges()];
        for mask in &masks {
            selected.iter_mut().zip(mask).for_each(|(count, &kept)| *count += u32::from(kept));
        }
        let mut pairwise_jaccard = Vec::new();
        for (i, a) in masks.iter().enumerate() {
            for b in masks.iter().skip(i + 1) {
                let (both, either) =
                    a.iter().zip(b).fold((0, 0), |(both, either), (&a, &b)| (both + u32::from(a && b), either + u32::from(a || b)));
                pairwise_jaccard.push(if either == 0 { 1.0 } else { f64::from(both) / f64::from(either) });
            }
        }
        Ok(Self { graph: first.graph().clone(), circuits: circuits.len(), selected, pairwise_jaccard })
    }

    /// Share of circuits that select the edge.
    pub fn frequency(&self, edge: usize) -> f64 {
        self.selected.get(edge).map_or(0.0, |&count| f64::from(count) / self.circuits as f64)
    }

    /// Edges selected by at least this share of the circuits (0.5: at least half), and by at least one. Scores are the shares.
    ///
    /// # Errors
    /// [`CircuitError::Malformed`] for a threshold outside 0..=1.
    pub fn consensus(&self, threshold: f64) -> Result<Circuit, CircuitError> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(CircuitError::Malformed {
                place: "consensus".to_owned(),
                reason: format!("threshold {threshold} is outside 0..=1"),
            });
        }
        // Counting in whole circuits keeps thresholds such as 0.6 of 5 exact.
        let least = ((threshold * self.circuits as f64 - 1e-9).ceil() as u32).max(1);
        let edges = (0..self.selected.len()).filter(|&edge| self.selected[edge] >= least);
        let scores = (0..self.selected.len()).map(|edge| self.frequency(edge) as f32).collect();
        Circuit::from_edges(&self.graph, edges)?.with_scores(scores)
    }

    /// The figures a report shows.
    pub fn summary(&self) -> StabilitySummary {
        let of = |least: usize| self.selected.iter().filter(|&&count| count as usize >= least).count();
        let fold = |rule: fn(f64, f64) -> f64| self.pairwise_jaccard.iter().copied().reduce(rule);
        StabilitySummary {
            circuits: self.circuits,
            ever: of(1),
            always: of(self.circuits),
            jaccard_mean: fold(|a, b| a + b).map(|sum| sum / self.pairwise_jaccard.len() as f64),
            jaccard_min: fold(f64::min),
            jaccard_max: fold(f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, random_circuit};
    use super::*;
    use vitrine_core::model::graph::EmbeddingNodes;
    use vitrine_core::train::rng::Stream;

    #[test]
    fn shares_pairs_and_consensus() {
        let graph = graph(1, 1, 1, EmbeddingNodes::Split);
        let circuit = |ids: &[usize]| Circuit::from_edges(&graph, ids.iter().copied()).unwrap();
        let stability = Stability::of(&[circuit(&[0, 1, 2]), circuit(&[1, 2]), circuit(&[2, 9]), circuit(&[2]), circuit(&[1])]).unwrap();
        assert_eq!(stability.selected[..4], [1, 3, 4, 0]);
        assert_eq!(stability.frequency(1), 0.6);
        let ids = |threshold| stability.consensus(threshold).unwrap().kept_edges().collect::<Vec<_>>();
        assert_eq!((ids(0.0), ids(0.2), ids(0.6), ids(0.61), ids(1.0)), (vec![0, 1, 2, 9], vec![0, 1, 2, 9], vec![1, 2], vec![2], vec![]));
        assert!((stability.consensus(0.5).unwrap().scores().unwrap()[9] - 0.2).abs() < 1e-7);
        let summary = stability.summary();
        assert_eq!((summary.ever, summary.always, summary.jaccard_min), (4, 0, Some(0.0)));
        assert_eq!(stability.pairwise_jaccard[..2], [2.0 / 3.0, 0.25]);
        assert!(matches!(stability.consensus(1.5), Err(CircuitError::Malformed { .. })));
        assert_eq!(Stability::of(&[]), Err(CircuitError::NoCircuits));
        assert_eq!(Stability::of(&[circuit(&[1])]).unwrap().summary().jaccard_mean, None);
    }

    #[test]
    fn pairs_agree_with_the_index_of_two_circuits() {
        let mut stream = Stream::new(4, "stability", 0);
        let graph = graph(2, 2, 2, EmbeddingNodes::Single);
        let circuits: Vec<Circuit> = (0..5).map(|_| random_circuit(&graph, &mut stream)).collect();
        let expected: Vec<f64> =
            (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j))).map(|(i, j)| circuits[i].jaccard(&circuits[j]).unwrap()).collect();
        let stability = Stability::of(&circuits).unwrap();
        assert_eq!(stability.pairwise_jaccard, expected);
        assert!((stability.summary().jaccard_mean.unwrap() - expected.iter().sum::<f64>() / 10.0).abs() < 1e-12);
    }
}

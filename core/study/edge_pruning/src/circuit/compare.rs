//! Set arithmetic on circuits, and agreement with a known one.
//!
//! All of it works on *effective* edges: those whose own mask and whose writer's are on.

use super::{Circuit, CircuitError};
use serde::Serialize;

/// How well a circuit matches a truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Edges in both.
    pub shared: usize,
    /// Edges of the circuit only.
    pub extra: usize,
    /// Edges of the truth only.
    pub missing: usize,
    /// Share of the circuit's edges that are in the truth; 1 for a circuit without edges.
    pub precision: f64,
    /// Share of the truth's edges that are in the circuit; 1 for a truth without edges.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Whether the edge sets are equal.
    pub exact: bool,
}

impl Circuit {
    /// Edges of both circuits. Masks only: names and scores of `self` are not carried over.
    ///
    /// # Errors
    /// [`CircuitError::Shape`].
    pub fn intersection(&self, other: &Self) -> Result<Self, CircuitError> {
        self.combine(other, |a, b| a && b)
    }

    /// Edges of either circuit.
    ///
    /// # Errors
    /// [`CircuitError::Shape`].
    pub fn union(&self, other: &Self) -> Result<Self, CircuitError> {
        self.combine(other, |a, b| a || b)
    }

    /// Edges of this circuit that the other lacks.
    ///
    /// # Errors
    /// [`CircuitError::Shape`].
    pub fn difference(&self, other: &Self) -> Result<Self, CircuitError> {
        self.combine(other, |a, b| a && !b)
    }

    /// The result has all nodes on, since only effective edges enter.
    fn combine(&self, other: &Self, rule: fn(bool, bool) -> bool) -> Result<Self, CircuitError> {
        self.fits(other.shape())?;
        let edges = self.effective_edges().iter().zip(other.effective_edges()).map(|(&a, b)| rule(a, b)).collect();
        Ok(Self { edges, ..Self::empty(self.graph()) })
    }

    /// Shared edges over all edges of either; 1 for two circuits without edges.
    ///
    /// # Errors
    /// [`CircuitError::Shape`].
    pub fn jaccard(&self, other: &Self) -> Result<f64, CircuitError> {
        let agreement = self.agreement(other)?;
        let either = agreement.shared + agreement.extra + agreement.missing;
        Ok(if either == 0 { 1.0 } else { agreement.shared as f64 / either as f64 })
    }

    /// Precision, recall and F1 against a truth.
    ///
    /// # Errors
    /// [`CircuitError::Shape`].
    pub fn agreement(&self, truth: &Self) -> Result<Agreement, CircuitError> {
        self.fits(truth.shape())?;
        let (mut shared, mut extra, mut missing) = (0, 0, 0);
        for (ours, theirs) in self.effective_edges().into_iter().zip(truth.effective_edges()) {
            shared += usize::from(ours && theirs);
            extra += usize::from(ours && !theirs);
            missing += usize::from(!ours && theirs);
        }
        let ratio = |part: usize, all: usize| if all == 0 { 1.0 } else { part as f64 / all as f64 };
        Ok(Agreement {
            shared,
            extra,
            missing,
            precision: ratio(shared, shared + extra),
            recall: ratio(shared, shared + missing),
            f1: ratio(2 * shared, 2 * shared + extra + missing),
            exact: extra == 0 && missing == 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, random_circuit};
    use super::*;
    use std::collections::BTreeSet;
    use vitrine_core::model::graph::EmbeddingNodes;
    use vitrine_core::train::rng::Stream;

    #[test]
    fn sets_behave_like_sets_of_names() {
        let mut stream = Stream::new(1, "compare", 0);
        let graph = graph(2, 2, 1, EmbeddingNodes::Split);
        for _ in 0..100 {
            let (a, b) = (random_circuit(&graph, &mut stream), random_circuit(&graph, &mut stream));
            let names = |circuit: &Circuit| -> BTreeSet<String> {
                let on = |id: &usize| circuit.nodes()[graph.edge_ids(*id).0];
                circuit.kept_edges().filter(on).map(|id| format!("{:?}", graph.edge(id))).collect()
            };
            let (x, y) = (names(&a), names(&b));
            assert_eq!(names(&a.intersection(&b).unwrap()), &x & &y);
            assert_eq!(names(&a.union(&b).unwrap()), &x | &y);
            assert_eq!(names(&a.difference(&b).unwrap()), &x - &y);
            let (shared, either) = ((&x & &y).len() as f64, (&x | &y).len() as f64);
            if either > 0.0 {
                assert!((a.jaccard(&b).unwrap() - shared / either).abs() < 1e-12);
            }
            let agreement = a.agreement(&b).unwrap();
            assert_eq!((agreement.extra, agreement.missing), ((&x - &y).len(), (&y - &x).len()));
            if agreement.shared > 0 {
                let harmonic = 2.0 / (1.0 / agreement.precision + 1.0 / agreement.recall);
                assert!((agreement.f1 - harmonic).abs() < 1e-12);
            }
            assert!(a.agreement(&a).unwrap().exact);
        }
        let none = Circuit::empty(&graph);
        assert_eq!((none.jaccard(&none), none.agreement(&none).unwrap().f1), (Ok(1.0), 1.0));
        let other = super::super::testing::graph(2, 2, 2, EmbeddingNodes::Split);
        assert!(matches!(none.union(&Circuit::empty(&other)), Err(CircuitError::Shape { .. })));
    }
}

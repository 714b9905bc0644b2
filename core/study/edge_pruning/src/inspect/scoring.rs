//! A first circuit for any model: edges scored by attribution on the examples at hand.
//!
//! EAP-IG with the divergence from the full model as its metric, which needs no answer to be named: for a typed pair as for a task. What comes out is a circuit with a score
//! for every edge, so that it can be shown at any size; it starts with the best fiftieth of the edges.

use super::{Faithfulness, InspectError};
use crate::{
    attribution::{Attribution, AttributionMetric, score},
    circuit::{
        Circuit,
        nested::{Ranking, nested},
    },
};
use vitrine_core::lab::Lab;

/// Interpolation points, as in the published runs.
const POINTS: usize = 5;
/// Fewest edges to start with, where there are as many.
const FEWEST: usize = 12;

impl Faithfulness<'_> {
    /// Scores all edges on the prepared examples.
    ///
    /// # Errors
    /// Scores that are no numbers, device errors.
    pub fn scored(&self, lab: &mut dyn Lab) -> Result<Circuit, InspectError> {
        let problem = self.problem();
        let run = Attribution { metric: AttributionMetric::Faithfulness, points: POINTS, batch_size: 16 };
        let scores = score(problem, run, "attribution", lab)?;
        let n = problem.graph.n_edges();
        let size = (n / 50).max(FEWEST).min(n);
        let circuits = nested(&problem.graph, &scores, &[size], Ranking::Magnitude, problem.ablation)?;
        let circuit = circuits.into_iter().next().unwrap_or_else(|| Circuit::empty(&problem.graph));
        let mut circuit = circuit.with_scores(scores)?;
        let examples = self.examples();
        let facts = [
            ("method", format!("EAP-IG (divergence, m = {POINTS}), the best {size} edges")),
            ("scores", "attribution".to_owned()),
            ("examples", if examples == 1 { "one typed pair".to_owned() } else { examples.to_string() }),
        ];
        circuit.meta = facts.map(|(key, value)| (key.to_owned(), value)).into();
        Ok(circuit)
    }
}

#[cfg(test)]
mod tests {
    use vitrine_core::tensor::Device;

    use super::*;
    use crate::inspect::{Sheet, Subject};
    use vitrine_core::{formats::safetensors::SafeTensors, lab::MemoryLab, model::stream::Ablation};

    #[test]
    fn a_scored_program_finds_its_known_circuit_among_the_best_edges() {
        let config = include_str!("../../../../assets/tracr/reverse/config.json");
        let weights = include_bytes!("../../../../assets/tracr/reverse/model.safetensors");
        let subject = Subject::program(config, &SafeTensors::open(weights.as_slice()).unwrap(), &Device::flex()).unwrap();
        let mut lab = MemoryLab::new(Device::flex());
        let mut examples = Faithfulness::of_task(&subject, 64, Ablation::Interchange).unwrap();
        let circuit = examples.scored(&mut lab).unwrap();
        // tok_embeds -> a3.h0.v -> resid_post is all there is.
        for (writer, reader) in [("tok_embeds", "a3.h0.v"), ("a3.h0", "resid_post")] {
            assert!(circuit.edges()[subject.graph.edge_by_name(writer, reader).unwrap()], "{writer} {reader}");
        }
        assert!(circuit.counts().kept <= FEWEST && circuit.meta["scores"] == "attribution");
        assert!(examples.loss(&circuit.masks()).unwrap() < 1e-6, "with those two the circuit is faithful");
        // Scores allow any size, and a pair is enough.
        let mut sheet = Sheet::new(circuit);
        sheet.set_size(Some(2)).unwrap();
        let pair = Faithfulness::of_pair(&subject, "1 2 3", "3 2 1", Ablation::Interchange).unwrap();
        assert_eq!(pair.scored(&mut lab).unwrap().meta["examples"], "one typed pair");
    }
}

//! Dangling clean-up: edges that cannot change the output.
//!
//! **Rules**, repeated until nothing changes:
//! 0. an edge out of a switched-off writer carries the ablated value either way: drop it;
//! 1. an edge into a node none of whose outputs is kept leads nowhere: drop it (all ablations). A shared k or v leads somewhere if *any* head
//!    that reads it has a kept output;
//! 2. interchange only: a head or MLP with no kept input at all sees exactly its corrupted inputs and so writes exactly its corrupted output:
//!    its outgoing edges carry the same value kept or not: drop them. A head counts as without input only if its q, k and v all are; one that
//!    keeps q or k but no v stays, since the attention pattern moves other (corrupted) values.
//!
//! Rule 2 is false under zero and mean ablation (biases and norms turn nothing into something) and where embeddings are always on (they
//! reach every reader uncorrupted). It never applies to embeddings, which have no inputs because they are one.
//!
//! **Method.** Readers are numbered in the order of computation, so one descending pass settles rule 1 and one ascending pass rule 2.
//!
//! **Source.** Bhaskar et al. (2024), public code (used there for drawings only); for rule 2 the pruning of EAP-IG's public code.

use super::Circuit;
use vitrine_core::model::graph::{EmbeddingNodes, Graph};
use vitrine_core::model::stream::Ablation;

/// The circuit without edges that cannot matter, and how many were dropped. Node masks, scores and names stay.
pub fn clean_up(circuit: &Circuit, ablation: Ablation) -> (Circuit, usize) {
    let graph = circuit.graph();
    let mut edges = circuit.effective_edges();
    let inert_nodes = ablation == Ablation::Interchange && graph.shape().embedding_nodes != EmbeddingNodes::AlwaysOn;
    loop {
        let dropped = drop_dead_ends(graph, &mut edges) + if inert_nodes { drop_inert(graph, &mut edges) } else { 0 };
        if dropped == 0 {
            break;
        }
    }
    let removed = circuit.edges().iter().zip(&edges).filter(|(before, after)| before != after).count();
    (Circuit { edges, ..circuit.clone() }, removed)
}

/// Rule 1, from the output back.
fn drop_dead_ends(graph: &Graph, edges: &mut [bool]) -> usize {
    let mut has_output = vec![false; graph.n_writers()];
    let mut dropped = 0;
    for reader in (0..graph.n_readers()).rev() {
        let is_output = reader + 1 == graph.n_readers();
        let leads_on = is_output || graph.outputs_of_reader(reader).iter().any(|&writer| has_output[writer]);
        for (writer, edge) in graph.edges_of_reader(reader).enumerate() {
            if edges[edge] && leads_on {
                has_output[writer] = true;
            } else if edges[edge] {
                edges[edge] = false;
                dropped += 1;
            }
        }
    }
    dropped
}

/// Rule 2, from the embeddings on.
fn drop_inert(graph: &Graph, edges: &mut [bool]) -> usize {
    let mut has_input = vec![false; graph.n_readers()];
    // Grows with the readers: every writer a reader sees has only earlier readers as inputs.
    let mut inert: Vec<bool> = Vec::with_capacity(graph.n_writers());
    let mut dropped = 0;
    for reader in 0..graph.n_readers() {
        let range = graph.edges_of_reader(reader);
        while inert.len() < range.len() {
            let inputs = graph.inputs_of_writer(inert.len());
            inert.push(!inputs.is_empty() && !inputs.iter().any(|&input| has_input[input]));
        }
        for (writer, edge) in range.enumerate() {
            if edges[edge] && inert[writer] {
                edges[edge] = false;
                dropped += 1;
            }
            has_input[reader] |= edges[edge];
        }
    }
    dropped
}

#[cfg(test)]
#[path = "cleanup_tests.rs"]
mod tests;

//! Lists of edges: sorted, searched, and those at one node.

use super::Sheet;
use vitrine_core::{model::Graph, order::sort};

/// What a list of edges is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Size of the score; edge id without scores.
    Strength,
    /// Signed score.
    Score,
    /// Order of computation: by reader, then by writer.
    Reader,
    /// By writer, then by reader.
    Writer,
}

impl Order {
    /// From its name: `strength`, `score`, `reader`, `writer`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "strength" => Some(Self::Strength),
            "score" => Some(Self::Score),
            "reader" => Some(Self::Reader),
            "writer" => Some(Self::Writer),
            _ => None,
        }
    }
}

/// Which writers or readers a search word fits: their name, label or group contains it, in any case.
struct Hits {
    writers: Vec<bool>,
    readers: Vec<bool>,
}

impl Sheet {
    /// Edge ids in `order` (largest or first at the start, `reversed` the other way round) whose two ends fit every word of `query`; shown edges only, or `all`.
    ///
    /// A word such as `m0` fits an edge if either end fits it; `from:m0` and `to:m0` name the end. With a second circuit, its edges count as shown.
    pub fn list(&self, query: &str, order: Order, reversed: bool, all: bool) -> Vec<u32> {
        let graph = self.graph();
        let classes = self.classes();
        let words: Vec<(Hits, bool, bool)> = query.to_lowercase().split_whitespace().take(8).map(|word| self.hits(word)).collect();
        let mut found = Vec::new();
        for reader in 0..graph.n_readers() {
            for (writer, edge) in graph.edges_of_reader(reader).enumerate() {
                let fits = |(hits, from, to): &(Hits, bool, bool)| (*from && hits.writers[writer]) || (*to && hits.readers[reader]);
                if (all || classes[edge] > 0) && words.iter().all(fits) {
                    found.push(edge);
                }
            }
        }
        let score = |edge: usize| self.current().scores().map_or(0.0, |scores| scores[edge]);
        match order {
            Order::Strength => sort(&mut found, &|a, b| score(b).abs().total_cmp(&score(a).abs()).then(a.cmp(&b))),
            Order::Score => sort(&mut found, &|a, b| score(b).total_cmp(&score(a)).then(a.cmp(&b))),
            Order::Reader => {}
            Order::Writer => sort(&mut found, &|a, b| (graph.edge_ids(a).0, a).cmp(&(graph.edge_ids(b).0, b))),
        }
        if reversed {
            found.reverse();
        }
        found.into_iter().map(|edge| edge as u32).collect()
    }

    fn hits(&self, word: &str) -> (Hits, bool, bool) {
        let (word, from, to) = match (word.strip_prefix("from:"), word.strip_prefix("to:")) {
            (Some(word), _) => (word, true, false),
            (_, Some(word)) => (word, false, true),
            _ => (word, true, true),
        };
        let graph = self.graph();
        let circuit = self.current();
        // A box's label and group serve its q, k and v inputs too.
        let fits = |name: &str| {
            let node = name.strip_suffix(".q").or_else(|| name.strip_suffix(".k")).or_else(|| name.strip_suffix(".v")).unwrap_or(name);
            let named = [name, node].iter().filter_map(|name| circuit.labels.get(*name)).any(|label| label.to_lowercase().contains(word));
            let grouped =
                circuit.groups.iter().any(|(group, nodes)| group.to_lowercase().contains(word) && nodes.iter().any(|n| n == node));
            name.contains(word) || named || grouped
        };
        let hits = Hits {
            writers: (0..graph.n_writers()).map(|id| fits(&graph.writer(id).to_string())).collect(),
            readers: (0..graph.n_readers()).map(|id| fits(&graph.reader(id).to_string())).collect(),
        };
        (hits, from, to)
    }

    /// Shown edges into and out of box `node` of the drawing, strongest first.
    pub fn edges_at(&self, node: usize) -> (Vec<u32>, Vec<u32>) {
        let graph = self.graph();
        let classes = self.classes();
        let shown = |edge: &usize| classes[*edge] > 0;
        let score = |edge: usize| self.current().scores().map_or(0.0, |scores| scores[edge].abs());
        let sorted = |mut edges: Vec<usize>| {
            sort(&mut edges, &|a, b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
            edges.into_iter().map(|edge| edge as u32).collect()
        };
        // Boxes are the writers, then the output.
        let readers = if node >= graph.n_writers() { vec![graph.n_readers() - 1] } else { graph.inputs_of_writer(node) };
        let into = readers.iter().flat_map(|&reader| graph.edges_of_reader(reader)).filter(shown).collect();
        let out = readers_after(graph, node).map(|reader| graph.edges_of_reader(reader).start + node).filter(shown).collect();
        (sorted(into), sorted(out))
    }
}

/// Readers that see writer `node`; none for the output's box.
fn readers_after(graph: &Graph, node: usize) -> impl Iterator<Item = usize> + '_ {
    (0..graph.n_readers()).filter(move |&reader| graph.edges_of_reader(reader).len() > node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::{
        Circuit,
        testing::{graph, random_circuit, random_scores},
    };
    use vitrine_core::{model::graph::EmbeddingNodes, train::rng::Stream};

    #[test]
    fn lists_are_sorted_searched_and_complete() {
        let mut stream = Stream::new(1, "listing", 0);
        let graph = graph(3, 2, 1, EmbeddingNodes::Split);
        let scores = random_scores(&graph, &mut stream);
        let circuit = random_circuit(&graph, &mut stream).with_scores(scores.clone()).unwrap();
        let kept = circuit.effective_edges();
        let mut sheet = Sheet::new(circuit);
        let ids = |list: &[u32]| list.iter().map(|&e| e as usize).collect::<Vec<_>>();

        let all = ids(&sheet.list("", Order::Strength, false, true));
        assert_eq!(all.len(), graph.n_edges());
        assert!(all.windows(2).all(|pair| scores[pair[0]].abs() >= scores[pair[1]].abs()));
        let up = ids(&sheet.list("", Order::Score, true, false));
        assert_eq!(up.len(), kept.iter().filter(|k| **k).count());
        assert!(up.iter().all(|&e| kept[e]) && up.windows(2).all(|pair| scores[pair[0]] <= scores[pair[1]]));

        sheet.set_label("a1.h0", "Name Mover").unwrap();
        sheet.set_group("m2", "writers of late").unwrap();
        let by_name = |query: &str, fits: &dyn Fn(&str, &str) -> bool| {
            let expected: Vec<usize> = (0..graph.n_edges())
                .filter(|&e| {
                    let (w, r) = graph.edge(e);
                    fits(&w.to_string(), &r.to_string())
                })
                .collect();
            assert_eq!(ids(&sheet.list(query, Order::Reader, false, true)), expected, "{query}");
            assert!(!expected.is_empty());
        };
        by_name("m0", &|w, r| w == "m0" || r == "m0");
        by_name("from:m0 to:a2", &|w, r| w == "m0" && r.starts_with("a2"));
        by_name("mover", &|w, r| w == "a1.h0" || r.starts_with("a1.h0."));
        by_name("LATE", &|w, r| w == "m2" || r == "m2");
        assert!(sheet.list("nobody", Order::Writer, false, true).is_empty());
    }

    #[test]
    fn every_shown_edge_is_at_its_two_boxes() {
        let mut stream = Stream::new(2, "listing", 0);
        let graph = graph(2, 4, 2, EmbeddingNodes::Single);
        let sheet = Sheet::new(random_circuit(&graph, &mut stream));
        let kept: Vec<usize> = (0..graph.n_edges()).filter(|&e| sheet.current().effective_edges()[e]).collect();
        let at: Vec<(Vec<u32>, Vec<u32>)> = (0..=graph.n_writers()).map(|node| sheet.edges_at(node)).collect();
        for edge in kept {
            let (writer, reader) = graph.edge_ids(edge);
            let boxes = graph.outputs_of_reader(reader);
            let boxes = if boxes.is_empty() { vec![graph.n_writers()] } else { boxes };
            assert!(at[writer].1.contains(&(edge as u32)));
            assert!(boxes.iter().all(|&node| at[node].0.contains(&(edge as u32))));
            assert_eq!(at.iter().filter(|(into, _)| into.contains(&(edge as u32))).count(), boxes.len());
            assert_eq!(at.iter().filter(|(_, out)| out.contains(&(edge as u32))).count(), 1);
        }
        let empty = Sheet::new(Circuit::empty(&graph));
        assert_eq!(empty.edges_at(3), (vec![], vec![]));
    }
}

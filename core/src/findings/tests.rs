use super::*;

#[test]
fn edge_counts_match_the_published_graphs() {
    let shape = |embeddings: &[&str], layers, heads, kv_heads| TransformerShape {
        embeddings: embeddings.iter().map(|name| (*name).to_owned()).collect(),
        layers,
        heads,
        kv_heads,
    };
    for (shape, writers, readers, edges) in [
        (shape(&["tok_embeds", "pos_embeds"], 12, 12, 12), 158, 445, 32_936),
        (shape(&[], 12, 12, 12), 156, 445, 32_046),
        (shape(&["tok_embeds"], 12, 12, 12), 157, 445, 32_491),
        (shape(&[], 40, 40, 40), 1_640, 4_841, 3_872_820),
        (shape(&["tok_embeds"], 30, 9, 3), 301, 481, 70_651),
        (shape(&["tok_embeds", "pos_embeds"], 2, 1, 1), 6, 9, 32),
    ] {
        let circuit = shape.circuit("mask").expect("a real shape");
        assert_eq!((circuit.writers.len(), circuit.readers.len(), circuit.totals.edges), (writers, readers, edges));
    }
    assert!(shape(&[], 2, 9, 4).circuit("mask").is_none());
    assert!(shape(&[], u32::MAX, u32::MAX, 1).circuit("mask").is_none());
}

//! Decoding in a page: a prompt, a method with its settings, and the search as it grows.
//!
//! The method and its settings are the command line's (`decode::MethodConfig`), so page and command line find the same for the same model, prompt and seed.

use serde::Deserialize;
use serde_json::{Value, json};
use vitrine_core::{
    decode::{MethodConfig, Settings, Trace, TransformerScorer, Unconstrained, decode, trace::Node},
    formats::gguf::Gguf,
};
use vitrine_edge_pruning::inspect;
use wasm_bindgen::prelude::*;

use crate::{
    backend::Backend,
    json as text,
    search_tree::{Told, ending, shown},
    source::{Ranges, Source},
    subject::Subject,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    prompt: String,
    method: MethodConfig,
    max_tokens: usize,
    seed: u64,
}

/// A model that is decoded; the keys and values of the last prompt stay for the next method.
#[wasm_bindgen]
pub struct Decoding {
    subject: &'static inspect::Subject,
    scorer: TransformerScorer<'static>,
}

#[wasm_bindgen]
impl Decoding {
    #[wasm_bindgen(constructor)]
    pub fn new(subject: &Subject) -> Self {
        let subject = subject.inner();
        Self { subject, scorer: TransformerScorer::new(&subject.model) }
    }

    /// Searches as `asked` says (JSON) and returns what was found, with the whole tree (JSON). `watch` is handed new nodes (JSON) as they come.
    ///
    /// # Errors
    /// A prompt that cannot be read, settings out of range, and what running the model finds.
    pub fn run(&mut self, asked: &str, watch: &js_sys::Function) -> Result<String, JsError> {
        let Asked { prompt, method, max_tokens, seed } = serde_json::from_str(asked)?;
        let subject = self.subject;
        let ids = subject.encode("typed", &prompt)?;
        let settings = Settings { max_tokens, eos: subject.ends(), outputs: 0, seed, trace_cuts: true };
        let node = |node: &Node| shown(node, |id| subject.token(id));
        let mut told = Told::default();
        let mut tell = |trace: &Trace, new: usize| {
            let Some((from, nodes)) = told.settled(trace, new) else { return };
            let nodes: Vec<Value> = nodes.iter().map(node).collect();
            if let Ok(nodes) = text(&json!({ "from": from, "nodes": nodes })) {
                // A page that fails to show them does not stop the search.
                let _ = watch.call1(&JsValue::NULL, &JsValue::from_str(&nodes));
            }
        };
        let method = method.method();
        let found = decode(&*method, &mut self.scorer, &ids, &settings, &Unconstrained, &mut tell)?;
        let hypotheses: Vec<Value> = found
            .hypotheses
            .iter()
            .map(|h| {
                json!({ "node": h.node, "text": subject.text_of(&h.tokens), "ids": h.tokens, "log_prob": h.log_prob, "score": h.score,
                    "ending": ending(h.ending), "group": h.group })
            })
            .collect();
        let nodes: Vec<Value> = found.trace.nodes.iter().map(node).collect();
        text(&json!({
            "prompt": ids.iter().map(|&id| subject.token(id)).collect::<Vec<_>>(), "hypotheses": hypotheses, "forwards": found.forwards, "scored": found.scored,
            "nodes": nodes, "tree": found.trace.tree(&|id| subject.token(id)),
        }))
    }
}

#[wasm_bindgen]
impl Subject {
    /// A GGUF whose weights are also kept in its own blocks: a decoded token then costs a fraction.
    ///
    /// # Errors
    /// What is wrong with the file, or that it has no such blocks.
    #[wasm_bindgen(js_name = ggufInBlocks)]
    pub fn gguf_in_blocks(file: &Source, backend: &Backend) -> Result<Self, JsError> {
        Ok(Self::of(inspect::Subject::gguf_in_blocks(&Gguf::open(Ranges::of(file))?, &backend.0)?))
    }
}

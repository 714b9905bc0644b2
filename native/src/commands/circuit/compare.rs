//! `circuit compare` and `circuit export`.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;
use vitrine_edge_pruning::circuit::{eap_ig, edge_list, native};

use super::super::{Context, print_json};
use super::config_of;
use crate::{atomic, open};

/// Formats of circuit files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// vitrine's own JSON, which holds everything.
    Vitrine,
    /// JSON of EAP-IG: one input node, scores where there are any.
    #[default]
    EapIg,
    /// A JSON list of [writer, reader].
    List,
    /// One `writer -> reader` a line.
    Text,
    /// Kept edges with their scores, for tables.
    Csv,
}

pub fn run(model: &str, a: &Path, b: &Path, context: Context) -> Result<()> {
    let config = config_of(model)?;
    let graph = config.graph(config.default_embedding_nodes())?;
    let (a, b) = (open::circuit(a, &graph)?, open::circuit(b, &graph)?);
    let (shared, either) = (a.intersection(&b)?.counts().effective, a.union(&b)?.counts().effective);
    let (in_a, in_b, jaccard) = (a.counts().effective, b.counts().effective, a.jaccard(&b)?);
    if context.json {
        return print_json(
            &json!({"schema": "vitrine.compare/1", "a": in_a, "b": in_b, "intersection": shared, "union": either, "jaccard": jaccard}),
        );
    }
    println!("{in_a} and {in_b} edges: {shared} shared, {} only in the first, {} only in the second", in_a - shared, in_b - shared);
    println!("Jaccard index {jaccard:.4}");
    Ok(())
}

pub fn export(model: &str, circuit: &Path, format: Format, out: &Path) -> Result<()> {
    let config = config_of(model)?;
    let circuit = open::circuit(circuit, &config.graph(config.default_embedding_nodes())?)?;
    let text = match format {
        Format::Vitrine => native::to_json(&circuit)?,
        Format::EapIg => eap_ig::to_json(&circuit, config.d_model)?,
        Format::List => edge_list::to_json(&circuit),
        Format::Text => edge_list::to_text(&circuit),
        Format::Csv => edge_list::to_csv(&circuit, false),
    };
    atomic::write_file(out, text.as_bytes())
}

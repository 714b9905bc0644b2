//! A pruning run as bytes: log alphas, multipliers, both moments of each, and the step.
//!
//! The file is a safetensors file, so that other tools can read the log alphas. Loading checks counts and that every number is finite: a run must never
//! go on from silently re-initialised gates.

use std::collections::BTreeMap;

use super::{
    problem::PruneError,
    prune::{Gates, PruneConfig, PruneState},
};
use crate::{
    formats::{
        FormatError, WeightSource,
        safetensors::{SafeTensors, TensorData, write},
        weights::check_finite,
    },
    lab::LabError,
    model::Graph,
    train::adamw::Moments,
};

const FORMAT: &str = "vitrine.prune/1";

fn bad(reason: impl Into<String>) -> PruneError {
    LabError::BadCheckpoint { what: "of the gates".into(), reason: reason.into() }.into()
}

/// The state as a safetensors file; the config rides along in the metadata.
///
/// # Errors
/// [`LabError::Store`] where the file cannot be formed.
pub fn save(state: &PruneState, config: &PruneConfig) -> Result<Vec<u8>, PruneError> {
    let failed = |e: &dyn std::fmt::Display| PruneError::Lab(LabError::Store { what: "the gates".into(), reason: e.to_string() });
    let mut tensors = BTreeMap::new();
    for (group, gates) in [("edges", Some(&state.edges)), ("nodes", state.nodes.as_ref())] {
        let Some(gates) = gates else { continue };
        let mut put = |name: &str, values: &'_ [f32]| {
            tensors.insert(format!("{group}.{name}"), (vec![values.len()], values.to_vec()));
        };
        put("log_alpha", &gates.log_alpha);
        put("lambda", &gates.lambda);
        put("moments.first", &gates.moments.first);
        put("moments.second", &gates.moments.second);
        put("lambda_moments.first", &gates.lambda_moments.first);
        put("lambda_moments.second", &gates.lambda_moments.second);
    }
    let config = serde_json::to_string(config).map_err(|e| failed(&e))?;
    let metadata = BTreeMap::from([("format".into(), FORMAT.into()), ("step".into(), state.step.to_string()), ("config".into(), config)]);
    let tensors = tensors.iter().map(|(name, (shape, values))| (name.clone(), (shape.clone(), TensorData::F32(values)))).collect();
    write(&tensors, &metadata).map_err(|e| failed(&e))
}

/// Reads a state back for a graph.
///
/// # Errors
/// [`LabError::BadCheckpoint`] for another format, other counts, or numbers that are not finite.
pub fn load(bytes: &[u8], graph: &Graph) -> Result<(PruneState, PruneConfig), PruneError> {
    let format = |e: FormatError| bad(e.to_string());
    let file = SafeTensors::open(bytes).map_err(format)?;
    let metadata = file.metadata();
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(bad(format!("it is not a {FORMAT} file")));
    }
    let step = metadata.get("step").and_then(|s| s.parse().ok()).ok_or_else(|| bad("it names no step"))?;
    let config = metadata.get("config").ok_or_else(|| bad("it holds no config"))?;
    let config = serde_json::from_str(config).map_err(|e| bad(e.to_string()))?;
    let gates = |group: &str, n: usize| -> Result<Gates, PruneError> {
        let values = |name: &str, n: usize| -> Result<Vec<f32>, PruneError> {
            let name = format!("{group}.{name}");
            let values = file.read_shaped(&name, &[n]).map_err(format)?;
            check_finite(&name, &values).map_err(format)?;
            Ok(values)
        };
        let lambda = values("lambda", 2)?;
        Ok(Gates {
            log_alpha: values("log_alpha", n)?,
            lambda: [lambda[0], lambda[1]],
            moments: Moments { first: values("moments.first", n)?, second: values("moments.second", n)? },
            lambda_moments: Moments { first: values("lambda_moments.first", 2)?, second: values("lambda_moments.second", 2)? },
        })
    };
    let has_nodes = file.info("nodes.log_alpha").is_some();
    let nodes = if has_nodes { Some(gates("nodes", graph.n_writers())?) } else { None };
    Ok((PruneState { step, edges: gates("edges", graph.n_edges())?, nodes }, config))
}

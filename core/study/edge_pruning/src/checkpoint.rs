//! A pruning run as bytes: log alphas, multipliers, both moments of each, and the step.
//!
//! The file is a safetensors file, so that other tools can read the log alphas. Loading checks counts and that every number is finite: a run must never
//! go on from silently re-initialised gates. (A log alpha of minus infinity is an edge that was cut for good.) Config, logged steps and whatever a method that is made of several
//! runs has to note ride along in the metadata.

use std::collections::BTreeMap;

use super::{
    problem::PruneError,
    prune::{Gates, PruneConfig, PruneState},
};
use vitrine_core::{
    formats::{
        FormatError, WeightSource,
        safetensors::{SafeTensors, TensorData, write},
        weights::check_finite,
    },
    lab::{Lab, LabError},
    model::Graph,
    train::adamw::Moments,
};

const FORMAT: &str = "vitrine.prune/1";

fn bad(reason: impl Into<String>) -> PruneError {
    LabError::BadCheckpoint { what: "of the gates".into(), reason: reason.into() }.into()
}

/// What a checkpoint holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    pub state: PruneState,
    /// Settings of the run.
    pub config: PruneConfig,
    /// What [`save_with`] was given beside it.
    pub note: Option<String>,
}

/// The state as a safetensors file.
///
/// # Errors
/// [`LabError::Store`] where the file cannot be formed.
pub fn save(state: &PruneState, config: &PruneConfig) -> Result<Vec<u8>, PruneError> {
    save_with(state, config, None)
}

/// The same with a note of the caller's.
///
/// # Errors
/// As [`save`].
pub fn save_with(state: &PruneState, config: &PruneConfig, note: Option<&str>) -> Result<Vec<u8>, PruneError> {
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
    let history = serde_json::to_string(&state.history).map_err(|e| failed(&e))?;
    let facts = [("format", FORMAT.to_owned()), ("step", state.step.to_string()), ("config", config), ("history", history)];
    let mut metadata = BTreeMap::from(facts.map(|(name, value)| (name.to_owned(), value)));
    metadata.extend(note.map(|note| ("note".to_owned(), note.to_owned())));
    let tensors = tensors.iter().map(|(name, (shape, values))| (name.clone(), (shape.clone(), TensorData::F32(values)))).collect();
    write(&tensors, &metadata).map_err(|e| failed(&e))
}

/// Reads a state back for a graph.
///
/// # Errors
/// [`LabError::BadCheckpoint`] for another format, other counts, or numbers that are not finite.
pub fn load(bytes: &[u8], graph: &Graph) -> Result<(PruneState, PruneConfig), PruneError> {
    read(bytes, graph).map(|saved| (saved.state, saved.config))
}

/// The state that a run with these settings goes on from: the newest checkpoint of `phase`, or `start`.
///
/// # Errors
/// As [`load`]; [`LabError::BadCheckpoint`] for one that was made with other settings.
pub fn resume_or_start(
    phase: &str,
    graph: &Graph,
    start: PruneState,
    config: &PruneConfig,
    lab: &mut dyn Lab,
) -> Result<PruneState, PruneError> {
    let Some(bytes) = lab.resume(phase) else { return Ok(start) };
    let (state, earlier) = load(&bytes, graph)?;
    if earlier == *config { Ok(state) } else { Err(bad("it was made with other settings; use the same ones to go on")) }
}

/// Reads a checkpoint back for a graph, note included.
///
/// # Errors
/// As [`load`].
pub fn read(bytes: &[u8], graph: &Graph) -> Result<Saved, PruneError> {
    let format = |e: FormatError| bad(e.to_string());
    let file = SafeTensors::open(bytes).map_err(format)?;
    let metadata = file.metadata();
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(bad(format!("it is not a {FORMAT} file")));
    }
    let step = metadata.get("step").and_then(|s| s.parse().ok()).ok_or_else(|| bad("it names no step"))?;
    let config = metadata.get("config").ok_or_else(|| bad("it holds no config"))?;
    let config = serde_json::from_str(config).map_err(|e| bad(e.to_string()))?;
    let history = metadata.get("history").ok_or_else(|| bad("it holds no logged steps"))?;
    let history = serde_json::from_str(history).map_err(|e| bad(e.to_string()))?;
    let gates = |group: &str, n: usize| -> Result<Gates, PruneError> {
        let values = |name: &str, n: usize| -> Result<Vec<f32>, PruneError> {
            let name = format!("{group}.{name}");
            let values = file.read_shaped(&name, &[n]).map_err(format)?;
            check_finite(&name, &values).map_err(format)?;
            Ok(values)
        };
        let lambda = values("lambda", 2)?;
        Ok(Gates {
            log_alpha: log_alpha(&file, group, n)?,
            lambda: [lambda[0], lambda[1]],
            moments: Moments { first: values("moments.first", n)?, second: values("moments.second", n)? },
            lambda_moments: Moments { first: values("lambda_moments.first", 2)?, second: values("lambda_moments.second", 2)? },
        })
    };
    let has_nodes = file.info("nodes.log_alpha").is_some();
    let nodes = if has_nodes { Some(gates("nodes", graph.n_writers())?) } else { None };
    let state = PruneState { step, edges: gates("edges", graph.n_edges())?, nodes, history };
    Ok(Saved { state, config, note: metadata.get("note").cloned() })
}

/// Log alphas: finite, or minus infinity.
fn log_alpha(file: &impl WeightSource, group: &str, n: usize) -> Result<Vec<f32>, PruneError> {
    let name = format!("{group}.log_alpha");
    let values = file.read_shaped(&name, &[n]).map_err(|e| bad(e.to_string()))?;
    match values.iter().find(|&&a| !a.is_finite() && a != f32::NEG_INFINITY) {
        None => Ok(values),
        Some(a) => Err(bad(format!("{name} holds {a}"))),
    }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;

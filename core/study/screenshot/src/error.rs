//! What a run of the study can fail at.

use thiserror::Error;

use super::render::RenderError;
use vitrine_core::lab::LabError;

/// Why a model is not trained, read or asked.
#[derive(Debug, Error)]
pub enum ScreenshotError {
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("{0}")]
    BadConfig(String),
    #[error("{what} has no text to learn from; it takes at least {least}")]
    NoData { what: String, least: &'static str },
    #[error("the loss is not a number at step {step} of {phase}; a smaller learning rate may help")]
    NotANumber { phase: String, step: u64 },
    #[error("the model cannot be used: {0}")]
    BadModel(String),
    #[error("the device failed: {0}")]
    Device(String),
    #[error("line {line}: {reason}")]
    BadLine { line: usize, reason: String },
}

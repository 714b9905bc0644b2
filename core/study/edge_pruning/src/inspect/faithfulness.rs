//! The faithfulness of circuits over a task's examples, so that a curve over sizes is one call a point.
//!
//! References and full outputs are made once. The loss is the one circuits are trained to keep: KL(full ‖ circuit) in nats, or the squared difference of numbers.

use super::{InspectError, Subject};
use crate::{
    problem::{Problem, Ready},
    tasks::Encoded,
};
use vitrine_core::model::stream::{Ablation, Workspace};

/// Examples run at once.
const BATCH: usize = 32;

/// Prepared examples of a model.
#[derive(Debug)]
pub struct Faithfulness<'a> {
    problem: Problem<'a>,
    prepared: Vec<Ready>,
    workspace: Workspace,
}

impl<'a> Faithfulness<'a> {
    /// Up to `n` examples of the model's own task.
    ///
    /// # Errors
    /// [`InspectError::Refused`] for a model that brings no task; errors of preparing examples.
    pub fn of_task(subject: &'a Subject, n: usize, ablation: Ablation) -> Result<Self, InspectError> {
        let examples = subject.examples(n, ablation)?;
        if examples.is_empty() {
            return Err(InspectError::Refused("this model brings no examples of its own; the curve is measured on the typed pair".into()));
        }
        Self::new(subject, examples, ablation)
    }

    /// One typed pair, scored after its last token.
    ///
    /// # Errors
    /// As [`super::Contrast::new`].
    pub fn of_pair(subject: &'a Subject, clean: &str, corrupted: &str, ablation: Ablation) -> Result<Self, InspectError> {
        Self::new(subject, vec![subject.pair(clean, corrupted, |tokens| vec![tokens - 1])?], ablation)
    }

    fn new(subject: &'a Subject, examples: Vec<Encoded>, ablation: Ablation) -> Result<Self, InspectError> {
        let problem = Problem::new(&subject.model, subject.graph.clone(), examples, subject.scoring(), ablation)?;
        let prepared = problem.prepare_all(BATCH)?;
        Ok(Self { problem, prepared, workspace: Workspace::default() })
    }

    pub(super) fn problem(&self) -> &Problem<'a> {
        &self.problem
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.problem.examples.len()
    }

    /// Mean loss of the circuit of `masks` against the full model.
    ///
    /// # Errors
    /// A wrong number of masks, device errors.
    pub fn loss(&mut self, masks: &[f32]) -> Result<f64, InspectError> {
        Ok(self.problem.loss_over(&self.prepared, masks, &mut self.workspace)?)
    }
}

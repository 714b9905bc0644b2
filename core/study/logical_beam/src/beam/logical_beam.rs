//! LogicalBeam: templates of counterfactual plans, each filled with a beam that forks at schema names only, merged by places.
//!
//! The three ablations of the paper are settings: [`Stages::One`] writes queries behind the plans at once, [`Templates::Beam`] takes templates from a plain beam, and [`Fill::Beam`]
//! fills them with one.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4 and table 5.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{
    asked::{Asked, BeamError},
    infill::{Infill, Infilling},
    merge::{Candidate, Item, Merge},
    plans::{Plans, What},
    record::{Purpose, Record},
    target::Target,
};
use crate::{
    sql::{plan::Plan, template::templatise, text::normalise},
    stages::Stage,
};
use vitrine_core::decode::{Beam, EarlyStop, LengthPenalty, Unconstrained};

/// Where templates come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Templates {
    /// From the plan that the model prefers and its neighbours.
    #[default]
    Counterfactual,
    /// From a plain beam.
    Beam,
}

/// How a template is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// By a beam that keeps to the template and forks at schema names only.
    Restricted(Infill),
    /// By a plain beam.
    Beam,
}

/// How many stages write a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stages {
    /// A template, then its query.
    #[default]
    Two,
    /// The query right behind its plan.
    One,
}

/// The method with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogicalBeam {
    pub stages: Stages,
    pub templates: Templates,
    pub plans: Plans,
    pub fill: Fill,
    /// Width of the beams that fill and of the plain one.
    pub width: usize,
    /// What these beams rank ended texts by.
    pub penalty: LengthPenalty,
    /// Most templates.
    pub most: usize,
    pub merge: Merge,
}

impl Default for LogicalBeam {
    fn default() -> Self {
        Self {
            stages: Stages::Two,
            templates: Templates::Counterfactual,
            plans: Plans::default(),
            fill: Fill::Restricted(Infill::default()),
            width: 10,
            penalty: LengthPenalty::None,
            most: 5,
            merge: Merge::default(),
        }
    }
}

impl LogicalBeam {
    /// The ablation without a second stage.
    pub fn one_stage() -> Self {
        Self { stages: Stages::One, ..Self::default() }
    }

    /// The ablation with plain beams in both stages.
    pub fn plain_beams() -> Self {
        Self { templates: Templates::Beam, fill: Fill::Beam, ..Self::default() }
    }

    /// The ablation with counterfactual plans whose templates a plain beam fills.
    pub fn plain_fill() -> Self {
        Self { fill: Fill::Beam, ..Self::default() }
    }

    /// With a beam behind each plan, as the released code allows: several templates of the plan that the model prefers.
    pub fn wide_plans() -> Self {
        Self { plans: Plans { width: 3, ..Plans::default() }, ..Self::default() }
    }

    /// The list of a question.
    ///
    /// # Errors
    /// What the searches say; a template that cannot be filled is noted instead.
    pub fn decode(&self, asked: &Asked<'_>, record: &mut Record) -> Result<Vec<Candidate>, BeamError> {
        let items = match self.stages {
            Stages::One => self.planned_queries(asked, record)?,
            Stages::Two => self.filled(asked, record)?,
        };
        let beam = self.beam();
        let mut plain = vec![];
        if self.merge.plain > 0 {
            plain = asked.search(Purpose::Query, Stage::Query, (&beam, self.width), &Unconstrained, record)?;
            plain.retain(|output| output.dropped.is_none());
        }
        Ok(self.merge.merge(&plain, &items, asked.limits.k))
    }

    fn beam(&self) -> Beam {
        Beam { width: self.width, penalty: self.penalty, early_stop: EarlyStop::Certain }
    }

    fn planned_queries(&self, asked: &Asked<'_>, record: &mut Record) -> Result<Vec<Item>, BeamError> {
        // A beam goes on behind each plan: there is no second search that could.
        let plans = Plans { width: self.width, ..self.plans };
        let found = plans.decode(asked, What::Queries, record)?;
        let mut items: Vec<Item> = vec![];
        let mut seen: Vec<Plan> = vec![];
        for query in found {
            if !seen.contains(&query.plan) {
                seen.push(query.plan);
            }
            let template = seen.len() - 1;
            let rank = items.iter().filter(|item| item.template == template).count();
            items.push(Item { sql: query.text, template, rank, log_prob: query.log_prob });
        }
        Ok(items)
    }

    /// Templates with their log-probabilities.
    fn templates(&self, asked: &Asked<'_>, record: &mut Record) -> Result<Vec<(String, f64)>, BeamError> {
        let mut found: Vec<(String, f64)> = match self.templates {
            Templates::Counterfactual => {
                let planned = self.plans.decode(asked, What::Templates, record)?;
                planned.into_iter().map(|planned| (planned.text, planned.log_prob)).collect()
            }
            Templates::Beam => {
                let beam = self.beam();
                let outputs = asked.search(Purpose::FreeTemplate, Stage::Template, (&beam, self.width), &Unconstrained, record)?;
                let mut found: Vec<(String, f64)> = vec![];
                for output in outputs.iter().filter(|output| output.dropped.is_none()) {
                    match Plan::read(&output.text) {
                        Ok((_, text)) if found.iter().all(|(known, _)| *known != normalise(text)) => {
                            found.push((normalise(text), output.log_prob));
                        }
                        Ok(_) => {}
                        Err(error) => record.notes.push(format!("the plan cannot be read: {error}")),
                    }
                }
                found
            }
        };
        found.retain(|(text, _)| !text.is_empty());
        found.truncate(self.most);
        Ok(found)
    }

    fn filled(&self, asked: &Asked<'_>, record: &mut Record) -> Result<Vec<Item>, BeamError> {
        let beam = self.beam();
        let mut items = vec![];
        for (template, (text, of_template)) in self.templates(asked, record)?.into_iter().enumerate() {
            let purpose = Purpose::Fill { template, text: text.clone() };
            let restricted = match self.fill {
                Fill::Beam => None,
                Fill::Restricted(options) => match Target::new(&text, &asked.words) {
                    Ok(target) => Some(Infilling::new(&asked.lexicon, &Rc::new(target), options)),
                    Err(error) => {
                        record.notes.push(format!("`{text}` is not filled: {error}"));
                        continue;
                    }
                },
            };
            let stage = Stage::Fill(&text);
            let mut outputs = match &restricted {
                Some(infilling) => asked.search(purpose, stage, (&beam, self.width), infilling, record)?,
                None => asked.search(purpose, stage, (&beam, self.width), &Unconstrained, record)?,
            };
            for output in &mut outputs {
                if output.dropped.is_none() && restricted.is_some() && templatise(&output.text, &asked.words).text != text {
                    output.dropped = Some("it has another template".into());
                }
            }
            if let Some(run) = record.runs.last_mut() {
                run.outputs.clone_from(&outputs);
            }
            let mut seen: Vec<String> = vec![];
            for output in outputs.iter().filter(|output| output.dropped.is_none()) {
                let sql = normalise(&output.text);
                if !seen.contains(&sql) {
                    items.push(Item { sql: sql.clone(), template, rank: seen.len(), log_prob: of_template + output.log_prob });
                    seen.push(sql);
                }
            }
        }
        Ok(items)
    }
}

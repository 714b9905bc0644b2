//! Settings by name: how large a run is.
//!
//! | preset | for | the study's own models | a given model |
//! | --- | --- | --- | --- |
//! | `quick` | two CPU cores, minutes | the defaults | 200 steps of 8 examples, three sizes |
//! | `gpu` | one data-centre GPU, minutes | a longer training, more sentences, four sizes | 1000 steps of 32 examples, five sizes |
//! | `paper` | the published setting | as for a given model | 3000 steps of 32 examples, sparsity warm-up 2500, learning rates 0.8, nine sizes |
//!
//! Steps are few in `quick`, so Edge Pruning begins from EAP-IG's scores there; the others begin with all gates open, as published.
//!
//! **Source.** Bhaskar et al. 2024, section 4 and the public code, for `paper`.

use super::{problem::PruneError, prune::PruneConfig, run::StudyConfig};

/// Searches with other seeds; more say little that these do not.
const MAX_SEEDS: u64 = 64;

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Quick,
    Gpu,
    Paper,
}

impl StudyConfig {
    /// The settings of a preset; `given_model` where the user names a model, which is larger than the study's own.
    pub fn preset(preset: Preset, given_model: bool) -> Self {
        let base = Self { seeds: if given_model { 1 } else { 3 }, warm_start: preset == Preset::Quick, ..Self::default() };
        let run = |steps: u64, batch_size: usize, lr: f64| PruneConfig {
            steps,
            batch_size,
            sparsity_warm_up: steps * 5 / 6,
            lr_warm_up: steps / 15,
            lr_log_alpha: lr,
            lr_lambda: lr,
            ..base.prune.clone()
        };
        let published = vec![0.06, 0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.01, 0.005];
        match (preset, given_model) {
            (Preset::Quick, false) => base,
            (Preset::Quick, true) => {
                let prune = PruneConfig { cache_references: true, ..run(200, 8, 0.2) };
                Self { prune, sizes: vec![0.005, 0.01, 0.02], ..base }
            }
            (Preset::Gpu, false) => {
                let mut larger = Self { prune: run(1500, 64, 0.3), sizes: vec![0.02, 0.05, 0.1, 0.2], ..base };
                larger.language_model.steps = 6000;
                Self { train_examples: 1024, test_examples: 512, ..larger }
            }
            (Preset::Gpu, true) => Self { prune: run(1000, 32, 0.8), sizes: vec![0.005, 0.01, 0.02, 0.05, 0.1], ..base },
            (Preset::Paper, given) => {
                let prune = PruneConfig { lr_warm_up: 200, sparsity_warm_up: 2500, ..run(3000, 32, 0.8) };
                let own = Self { prune, sizes: published, train_examples: 200, test_examples: 1000, ..base };
                if given { own } else { Self { language_model: Self::preset(Preset::Gpu, false).language_model, ..own } }
            }
        }
    }

    /// Checks what can be checked before anything is loaded.
    ///
    /// # Errors
    /// [`PruneError::Config`] with the first setting that makes no sense.
    pub fn check(&self) -> Result<(), PruneError> {
        let bad = |text: &str| Err(PruneError::Config(text.into()));
        self.prune.check()?;
        self.rounds.prune.check()?;
        if self.sizes.is_empty() || !self.sizes.iter().all(|s| *s > 0.0 && *s <= 1.0) {
            return bad("sizes are shares of all edges, above 0 and at most 1, and at least one");
        }
        if self.train_examples == 0 || self.test_examples == 0 || self.language_model.batch_size == 0 || self.language_model.steps == 0 {
            return bad("train_examples, test_examples, language_model.batch_size and language_model.steps must be at least 1");
        }
        if !(1..=MAX_SEEDS).contains(&self.seeds) {
            return Err(PruneError::Config(format!("seeds is 1 to {MAX_SEEDS}")));
        }
        if !(self.language_model.lr.is_finite() && self.language_model.lr >= 0.0) {
            return bad("language_model.lr must be a finite number, 0 or more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_sound_grow_and_paper_is_the_published_setting() {
        for given in [false, true] {
            let [quick, gpu, paper] = [Preset::Quick, Preset::Gpu, Preset::Paper].map(|preset| StudyConfig::preset(preset, given));
            for config in [&quick, &gpu, &paper] {
                config.check().unwrap();
            }
            let work = |c: &StudyConfig| c.prune.steps * c.prune.batch_size as u64 * c.sizes.len() as u64;
            assert!(work(&quick) < work(&gpu) && work(&gpu) < work(&paper));
            let p = &paper.prune;
            assert_eq!(
                (p.steps, p.batch_size, p.sparsity_warm_up, p.lr_warm_up, p.lr_log_alpha, p.lr_lambda),
                (3000, 32, 2500, 200, 0.8, 0.8)
            );
        }
        assert_eq!(StudyConfig::preset(Preset::Quick, false), StudyConfig::default());
    }

    #[test]
    fn senseless_settings_are_refused() {
        let refused = |change: fn(&mut StudyConfig)| {
            let mut config = StudyConfig::default();
            change(&mut config);
            assert!(matches!(config.check(), Err(PruneError::Config(_))), "{config:?}");
        };
        refused(|c| c.prune.edge_target = 2.1);
        refused(|c| c.rounds.prune.edge_target = -0.1);
        refused(|c| c.sizes = vec![0.1, 0.0]);
        refused(|c| c.sizes.clear());
        refused(|c| c.sizes = vec![f64::NAN]);
        refused(|c| c.train_examples = 0);
        refused(|c| c.seeds = 0);
        refused(|c| c.language_model.lr = f64::INFINITY);
    }
}

//! Settings by name: how large a run is.
//!
//! | preset | for | pictures | models | training |
//! | --- | --- | --- | --- | --- |
//! | `quick` | two CPU cores, ten minutes | 40 patches, two letters each | encoder 3 x 96, decoders 1 x 64 and 1 x 96, 800 tokens; pages of facts, 4 x 128 | 1,000 steps of 64 texts |
//! | `gpu` | one data-centre GPU | 128 patches, Noto Sans | encoder 6 x 384, decoders 4 x 192 and 4 x 384, 8,000 tokens; the given text, 6 x 384 | 3,500 steps of 512 texts, products in bfloat16 where the device has it |
//!
//! The learning rates of `gpu` are the published ones scaled to its size by rule of thumb; they were not searched for.

use super::ExperimentConfig;
use crate::{
    ar::train::ArTraining,
    model::{ModelConfig, Precision, Tower, ar::ArConfig},
    render::RenderConfig,
    train::{finetune::FinetuneConfig, pretrain::PretrainConfig},
};

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Quick,
    Gpu,
}

impl ExperimentConfig {
    /// The settings of a preset; `precision` is what the device can do, for `gpu`.
    #[must_use]
    pub fn preset(preset: Preset, precision: Precision) -> Self {
        match preset {
            Preset::Quick => Self::default(),
            Preset::Gpu => Self {
                pretrain: PretrainConfig {
                    model: ModelConfig {
                        encoder: Tower::new(6, 384, 6),
                        pixel: Tower::new(4, 192, 6),
                        text: Tower::new(4, 384, 6),
                        ..ModelConfig::default()
                    },
                    render: RenderConfig::strip(128),
                    steps: 3500,
                    batch_size: 512,
                    lr: 1e-3,
                    lr_floor: 1e-5,
                    bytes: 300,
                    vocab: 8000,
                    checkpoint_every: 500,
                    precision,
                    ..PretrainConfig::default()
                },
                finetune: FinetuneConfig { steps: 1000, lr: 1e-4, evaluate_every: 100, precision, ..FinetuneConfig::default() },
                ar: ArTraining {
                    model: ArConfig { tower: Tower { layers: 6, width: 384, heads: 6, mlp: 1024 }, ..ArConfig::default() },
                    render: RenderConfig { end_marker: false, ..RenderConfig::strip(224) },
                    steps: 3500,
                    batch_size: 128,
                    lr: 6e-4,
                    // 128 tokens of some four letters.
                    drawn: 512,
                    text: 512,
                    vocab: 8000,
                    checkpoint_every: 500,
                    precision,
                    ..ArTraining::default()
                },
                natural: true,
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::params::{count, encoder_specs};

    #[test]
    fn the_presets_can_be_run_with_and_have_their_sizes() {
        assert_eq!(ExperimentConfig::preset(Preset::Quick, Precision::Bf16), ExperimentConfig::default());
        let gpu = ExperimentConfig::preset(Preset::Gpu, Precision::Bf16);
        gpu.check().unwrap();
        assert_eq!((gpu.pretrain.render.width, gpu.pretrain.render.height, gpu.pretrain.render.patches()), (2048, 16, 128));
        assert_eq!((gpu.pretrain.precision, gpu.finetune.precision, gpu.ar.precision), (Precision::Bf16, Precision::Bf16, Precision::Bf16));
        let encoder = count(&encoder_specs(&gpu.pretrain.model));
        assert!((10_500_000..11_500_000).contains(&encoder), "{encoder}");
    }
}

//! The study's small transformer: its shape, how it is trained, and what its circuits are searched and measured on.
//!
//! Two layers of four heads, trained for a minute on indirect-object sentences of a closed vocabulary ([`TinyIoi`]). The study trains it on the spot; pages show the one that a run left behind.

use super::{
    run::StudyError,
    tasks::{EncodeOptions, Encoded, Generator, Pair, Split, encode, tiny::SENTENCE_WORDS, tiny::TinyIoi, vocab::WordVocab},
};
use vitrine_core::{
    lab::Lab,
    model::{Transformer, TransformerConfig},
    train::language_model::{self, LanguageModelConfig},
};

/// Name of the training in progress, metrics and checkpoints.
pub const TRAINING: &str = "train the small transformer";

/// Different sentences the model is trained on.
const SENTENCES: u64 = 4096;

/// Vocabulary, sentences and seed of a small transformer.
#[derive(Debug, Clone)]
pub struct Small {
    pub vocab: WordVocab,
    pub task: TinyIoi,
    pub seed: u64,
}

impl Small {
    /// The task with this seed.
    ///
    /// # Errors
    /// As [`TinyIoi::vocab`].
    pub fn new(seed: u64) -> Result<Self, StudyError> {
        Ok(Self { vocab: TinyIoi::vocab()?, task: TinyIoi::default(), seed })
    }

    /// Words of a sentence and the beginning-of-text token.
    pub fn context(&self) -> usize {
        SENTENCE_WORDS + 1
    }

    /// The model's shape.
    pub fn config(&self) -> TransformerConfig {
        TransformerConfig {
            n_layers: 2,
            d_model: 64,
            n_heads: 4,
            n_kv_heads: 4,
            d_head: 16,
            d_mlp: 128,
            vocab_size: self.vocab.len(),
            d_out: self.vocab.len(),
            max_positions: self.context(),
            ..TransformerConfig::gpt2_small()
        }
    }

    /// Trains a fresh model; also its loss by step.
    ///
    /// # Errors
    /// Errors of training and of drawing sentences.
    pub fn train(&self, config: &LanguageModelConfig, lab: &mut dyn Lab) -> Result<(Transformer, Vec<(u64, f64)>), StudyError> {
        let mut model = Transformer::init(self.config(), self.seed, lab.device());
        let batch = config.batch_size as u64;
        let sentence = |index: u64| -> Result<Vec<u32>, StudyError> {
            let mut ids = vec![self.vocab.bos_id()];
            ids.extend(self.vocab.encode(&self.task.sentence(self.seed, index)?)?);
            Ok(ids)
        };
        // Drawn once: encoding them anew each step would take longer than the step.
        let sentences: Vec<Vec<u32>> = (0..SENTENCES).map(sentence).collect::<Result<_, _>>()?;
        let rows = |step: u64| (0..batch).map(|i| sentences[((step * batch + i) % SENTENCES) as usize].clone()).collect();
        let history = language_model::train(&mut model, config, rows, TRAINING, lab)?;
        Ok((model, history))
    }

    /// Prompt pair `index` of a split, as text.
    ///
    /// # Errors
    /// As [`Generator::example`].
    pub fn pair(&self, split: Split, index: u64) -> Result<Pair, StudyError> {
        Ok(self.task.example(self.seed, split, index)?)
    }

    /// The first `n` prompt pairs of a split, in ids.
    ///
    /// # Errors
    /// Errors of drawing and encoding.
    pub fn examples(&self, split: Split, n: u64) -> Result<Vec<Encoded>, StudyError> {
        let options = EncodeOptions { context: self.context(), vocab_size: self.vocab.len(), bos: Some(self.vocab.bos_id()) };
        let ids = |text: &str| self.vocab.encode(text).map_err(|e| e.to_string());
        (0..n).map(|i| Ok(encode(&self.pair(split, i)?, i as usize + 1, &ids, &options)?)).collect()
    }
}

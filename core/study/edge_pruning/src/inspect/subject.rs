//! What is looked at: a model, its graph, and how its tokens are written and read.
//!
//! Four kinds: a compiled program (tokens are its vocabulary's values), the study's small transformer (a closed vocabulary of words), and checkpoints with a tokenizer, as
//! a Hugging Face folder or a GGUF.

use vitrine_core::tensor::Device;

use super::InspectError;
use crate::{
    programs::Program,
    small::Small,
    tasks::{
        Encoded, Scoring, Split, TargetKind,
        encode::NumericScoring,
        tracr::{OutputKind, TracrConfig, TracrValue},
        vocab::WordVocab,
    },
};
use vitrine_core::{
    decode::config::usual_ends,
    formats::{ByteSource, WeightSource, config::ModelDescription, gguf::Gguf},
    model::{Graph, Transformer, load, stream::Ablation},
    text::tokenizer::Tokenizer,
};

/// Most tokens of a typed prompt: the disentangled stream keeps every writer for each of them.
pub const MOST_TOKENS: usize = 512;

/// Largest weights in a page, in bytes, as numbers of four bytes each: of its 4 GiB something must be left to compute with.
const MOST_PAGE_BYTES: u64 = 3 << 30;

/// How a model's tokens are written.
#[derive(Debug, Clone)]
pub enum Coding {
    /// Values of a compiled program, separated by spaces; the first token is put in front.
    Program(Box<TracrConfig>),
    /// Words of a closed vocabulary; the beginning-of-text token is put in front.
    Words(WordVocab),
    /// Text. Nothing is put in front.
    Text(Box<Tokenizer>),
}

/// A model with its graph and its words.
#[derive(Debug, Clone)]
pub struct Subject {
    pub model: Transformer,
    pub graph: Graph,
    pub coding: Coding,
}

impl Subject {
    /// A compiled program from its `config.json` and weights.
    ///
    /// # Errors
    /// [`InspectError::Program`], [`InspectError::Graph`].
    pub fn program(config: &str, weights: &dyn WeightSource, device: &Device) -> Result<Self, InspectError> {
        let Program { config, model } = Program::load(config, weights, device)?;
        Ok(Self { model, graph: config.graph()?, coding: Coding::Program(Box::new(config)) })
    }

    /// A small transformer from a Hugging Face `config.json`, weights and a closed vocabulary.
    ///
    /// # Errors
    /// [`InspectError::Format`], [`InspectError::Load`], [`InspectError::Vocab`]; [`InspectError::Refused`] where vocabulary and model differ in size.
    pub fn small(config: &[u8], weights: &dyn WeightSource, words: &str, device: &Device) -> Result<Self, InspectError> {
        let vocab = WordVocab::from_json(words)?;
        let model = loaded(&ModelDescription::from_hf_config(config)?, weights, device)?;
        if vocab.len() != model.config.vocab_size {
            let reason = format!("the vocabulary has {} words, the model {}", vocab.len(), model.config.vocab_size);
            return Err(InspectError::Refused(reason));
        }
        Self::new(model, Coding::Words(vocab))
    }

    /// A Hugging Face checkpoint: `config.json`, `tokenizer.json`, weights.
    ///
    /// # Errors
    /// [`InspectError::Format`], [`InspectError::Load`].
    pub fn checkpoint(config: &[u8], weights: &dyn WeightSource, tokenizer: &[u8], device: &Device) -> Result<Self, InspectError> {
        let tokenizer = Tokenizer::from_json(tokenizer)?;
        let model = loaded(&ModelDescription::from_hf_config(config)?, weights, device)?;
        Self::new(model, Coding::Text(Box::new(tokenizer)))
    }

    /// A GGUF with its tokenizer.
    ///
    /// # Errors
    /// [`InspectError::Format`], [`InspectError::Load`].
    pub fn gguf<S: ByteSource>(file: &Gguf<S>, device: &Device) -> Result<Self, InspectError> {
        let tokenizer = Tokenizer::from_gguf(file)?;
        let model = loaded(&ModelDescription::from_gguf(file)?, file, device)?;
        Self::new(model, Coding::Text(Box::new(tokenizer)))
    }

    /// As [`Subject::gguf`], with the weights also in the file's blocks, for decoding; see [`Transformer::keep_blocks`].
    ///
    /// # Errors
    /// As [`Subject::gguf`], and [`InspectError::Blocks`].
    pub fn gguf_in_blocks<S: ByteSource>(file: &Gguf<S>, device: &Device) -> Result<Self, InspectError> {
        let mut subject = Self::gguf(file, device)?;
        match subject.model.keep_blocks(&ModelDescription::from_gguf(file)?, file)? {
            0 => Err(InspectError::Blocks),
            _ => Ok(subject),
        }
    }

    /// A model with its tokenizer.
    ///
    /// # Errors
    /// [`InspectError::Graph`].
    pub fn text(model: Transformer, tokenizer: Tokenizer) -> Result<Self, InspectError> {
        Self::new(model, Coding::Text(Box::new(tokenizer)))
    }

    fn new(model: Transformer, coding: Coding) -> Result<Self, InspectError> {
        let graph = model.config.graph(model.config.default_embedding_nodes())?;
        Ok(Self { model, graph, coding })
    }

    /// Longest prompt, in tokens.
    pub fn most_tokens(&self) -> usize {
        let own = match &self.coding {
            Coding::Program(config) => config.max_seq_len_without_bos + 1,
            Coding::Words(_) | Coding::Text(_) => self.model.config.max_positions,
        };
        own.min(MOST_TOKENS)
    }

    /// Token ids of a prompt.
    ///
    /// # Errors
    /// [`InspectError::Empty`], [`InspectError::UnknownToken`], [`InspectError::TooLong`], and what the vocabulary or tokenizer refuses.
    pub fn encode(&self, side: &'static str, text: &str) -> Result<Vec<u32>, InspectError> {
        let ids = match &self.coding {
            Coding::Program(config) => {
                let id = |word: &str| {
                    let known =
                        config.vocab.iter().find(|(value, id)| *id != config.bos_id && *id != config.pad_id && written(value) == word);
                    known.map(|(_, id)| *id).ok_or_else(|| InspectError::UnknownToken {
                        word: word.chars().take(40).collect(),
                        known: self.input_words().join(" "),
                    })
                };
                let typed: Vec<u32> = text.split_whitespace().map(id).collect::<Result<_, _>>()?;
                if typed.is_empty() { typed } else { [vec![config.bos_id], typed].concat() }
            }
            Coding::Words(vocab) => {
                let typed = vocab.encode(text)?;
                if typed.is_empty() { typed } else { [vec![vocab.bos_id()], typed].concat() }
            }
            Coding::Text(tokenizer) => tokenizer.encode(text)?,
        };
        if ids.is_empty() {
            return Err(InspectError::Empty { side });
        }
        if ids.len() > self.most_tokens() {
            return Err(InspectError::TooLong { tokens: ids.len(), most: self.most_tokens() });
        }
        Ok(ids)
    }

    /// Tokens that end a text, as far as the vocabulary names them.
    pub fn ends(&self) -> Vec<u32> {
        match &self.coding {
            Coding::Text(tokenizer) => usual_ends(tokenizer),
            Coding::Program(_) | Coding::Words(_) => vec![],
        }
    }

    /// Tokens as one text.
    pub fn text_of(&self, ids: &[u32]) -> String {
        match &self.coding {
            Coding::Text(tokenizer) => tokenizer.decode(ids),
            Coding::Program(_) | Coding::Words(_) => ids.iter().map(|&id| self.token(id)).collect::<Vec<_>>().join(" "),
        }
    }

    /// A typed prompt pair as an example, scored after the tokens that `positions` names, given their number. It names no answers.
    ///
    /// # Errors
    /// [`InspectError::Lengths`] and what [`Subject::encode`] refuses.
    pub(super) fn pair(&self, clean: &str, corrupted: &str, positions: impl FnOnce(usize) -> Vec<usize>) -> Result<Encoded, InspectError> {
        let (clean, corrupted) = (self.encode("clean", clean)?, self.encode("corrupted", corrupted)?);
        if clean.len() != corrupted.len() {
            return Err(InspectError::Lengths { clean: clean.len(), corrupted: corrupted.len() });
        }
        let positions = positions(clean.len());
        Ok(Encoded { clean, corrupted, positions, answers: vec![], wrong: vec![], target: TargetKind::Tokens })
    }

    /// One token for people to read.
    pub fn token(&self, id: u32) -> String {
        match &self.coding {
            Coding::Program(config) if id == config.bos_id => "<bos>".to_owned(),
            Coding::Program(config) => {
                config.vocab.iter().find(|(_, known)| *known == id).map_or_else(|| format!("<id {id}>"), |(value, _)| written(value))
            }
            Coding::Words(vocab) => vocab.words().get(id as usize).cloned().unwrap_or_else(|| format!("<id {id}>")),
            Coding::Text(tokenizer) => tokenizer.token_text(id),
        }
    }

    /// What output number `index` stands for.
    pub fn output(&self, index: usize) -> String {
        let id = u32::try_from(index).unwrap_or(u32::MAX);
        match &self.coding {
            Coding::Program(config) => match &config.output_values {
                Some(values) => values.get(index).map_or_else(|| format!("<class {index}>"), written),
                None => "output".to_owned(),
            },
            Coding::Words(_) | Coding::Text(_) => self.token(id),
        }
    }

    /// Whether outputs are numbers rather than distributions.
    pub fn numeric(&self) -> bool {
        matches!(&self.coding, Coding::Program(config) if config.output_kind == OutputKind::Numerical)
    }

    /// How far outputs are from the full model's.
    pub fn scoring(&self) -> Scoring {
        match &self.coding {
            Coding::Program(config) => match config.output_kind {
                OutputKind::Categorical => Scoring::TracrCategorical,
                OutputKind::Numerical => Scoring::TracrNumeric(NumericScoring::SquaredError),
            },
            Coding::Words(_) | Coding::Text(_) => Scoring::FullVocab,
        }
    }

    /// What may be typed, where that is a short list.
    pub fn input_words(&self) -> Vec<String> {
        match &self.coding {
            Coding::Program(config) => config.input_tokens().into_iter().map(|id| self.token(id)).collect(),
            Coding::Words(vocab) => vocab.words().iter().filter(|word| !word.starts_with('<')).cloned().collect(),
            Coding::Text(_) => vec![],
        }
    }

    /// Prompt pair `index` of the model's own task, as text: clean, corrupted. `None` for models that bring no task.
    ///
    /// # Errors
    /// Errors of drawing.
    pub fn suggestion(&self, index: u64) -> Result<Option<(String, String)>, InspectError> {
        match &self.coding {
            Coding::Program(config) => {
                let examples = self.examples(64, Ablation::Interchange)?;
                let Some(example) = examples.get((index as usize * 7) % examples.len().max(1)) else { return Ok(None) };
                let text =
                    |ids: &[u32]| ids.iter().filter(|&&id| id != config.bos_id).map(|&id| self.token(id)).collect::<Vec<_>>().join(" ");
                Ok(Some((text(&example.clean), text(&example.corrupted))))
            }
            Coding::Words(vocab) => match Small::new(0) {
                Ok(small) if small.vocab == *vocab => {
                    let pair = small.pair(Split::Test, index)?;
                    Ok(Some((pair.clean, pair.corrupted)))
                }
                _ => Ok(None),
            },
            Coding::Text(_) => Ok(None),
        }
    }

    /// Up to `n` examples of the model's own task; none for models that bring none.
    ///
    /// # Errors
    /// Errors of drawing and encoding.
    pub fn examples(&self, n: usize, ablation: Ablation) -> Result<Vec<Encoded>, InspectError> {
        match &self.coding {
            Coding::Program(config) => {
                let program = Program { config: (**config).clone(), model: self.model.clone() };
                let all = program.problem(ablation, NumericScoring::SquaredError, 0)?.examples;
                // Spread over all inputs, which come in order.
                let every = all.len().div_ceil(n.max(1)).max(1);
                Ok(all.into_iter().step_by(every).collect())
            }
            Coding::Words(vocab) => match Small::new(0) {
                Ok(small) if small.vocab == *vocab => Ok(small.examples(Split::Test, n as u64)?),
                _ => Ok(vec![]),
            },
            Coding::Text(_) => Ok(vec![]),
        }
    }
}

/// Loads a model that fits: a page has 4 GiB in all, and running out ends it without a word.
fn loaded(description: &ModelDescription, weights: &dyn WeightSource, device: &Device) -> Result<Transformer, InspectError> {
    if usize::BITS == 32 {
        check_size(description, MOST_PAGE_BYTES)?;
    }
    Ok(load::load(description, weights, device)?)
}

/// Refuses a model whose weights, at four bytes each, are more than `most` bytes. The sizes are bounded, so that nothing here overflows.
fn check_size(d: &ModelDescription, most: u64) -> Result<(), InspectError> {
    let [width, heads, kv, head, mlp, layers, vocab] =
        [d.d_model, d.n_heads, d.n_kv_heads, d.d_head, d.d_mlp, d.n_layers, d.vocab_size].map(|n| n as u128);
    let tables = vocab * width * if d.tied_embeddings { 1 } else { 2 };
    let block = width * head * (2 * heads + 2 * kv) + width * mlp * if d.gated_mlp { 3 } else { 2 };
    let bytes = 4 * (tables + layers * block);
    if bytes > u128::from(most) {
        let gib = |bytes: u128| bytes as f64 / (1_u64 << 30) as f64;
        let reason = format!("this model needs {:.1} GiB for its weights; a page has {:.1}", gib(bytes), gib(most.into()));
        return Err(InspectError::Refused(reason));
    }
    Ok(())
}

/// A value as it is typed.
fn written(value: &TracrValue) -> String {
    match value {
        TracrValue::Bool(b) => b.to_string(),
        TracrValue::Int(i) => i.to_string(),
        TracrValue::Number(x) => x.to_string(),
        TracrValue::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_do_not_fit_a_page_are_refused_before_they_are_read() {
        let hf = |layers: u64, width: u64| {
            let json = serde_json::json!({"model_type": "llama", "vocab_size": 32_000, "hidden_size": width, "num_hidden_layers": layers,
                "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 4 * width, "max_position_embeddings": 64,
                "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": true});
            ModelDescription::from_hf_config(json.to_string().as_bytes()).unwrap()
        };
        let small = hf(2, 64);
        assert!(check_size(&small, MOST_PAGE_BYTES).is_ok());
        // Counted by the model itself, norms aside.
        let weights = vitrine_core::model::TransformerConfig::try_from(&small).unwrap().n_parameters() - 64 * 5;
        assert!(check_size(&small, 4 * weights as u64).is_ok() && check_size(&small, 4 * weights as u64 - 1).is_err());
        let error = check_size(&hf(40, 8192), MOST_PAGE_BYTES).unwrap_err().to_string();
        assert!(error.contains("GiB") && error.lines().count() == 1, "{error}");
        assert!(check_size(&hf(1024, 65_536), u64::MAX).is_ok());
    }
}

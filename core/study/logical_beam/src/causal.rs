//! Any causal language model as a text-to-SQL model: the question and the schema are its prompt.
//!
//! **Method.** The prompt shows the schema as text, the question, and asks for one query. A model with chat marks is asked in its chat form, others by a comment that a query follows. It
//! has the stages that write queries; for templates it was not trained.

use super::{
    sql::{
        schema::Schema,
        schema_text::{Form, schema_text},
    },
    stages::{Pieces, Reading, Stage, StageError, TextToSql},
};
use vitrine_core::{
    decode::{Scorer, TransformerScorer},
    model::Transformer,
    text::tokenizer::Tokenizer,
};

/// Names of tokens that end an answer, the preferred first.
const ENDS: [&str; 5] = ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "</s>"];

/// A language model that is asked for SQL.
pub struct Causal<'m> {
    model: &'m Transformer,
    tokenizer: &'m Tokenizer,
    pieces: Pieces,
    chat: bool,
}

impl<'m> Causal<'m> {
    /// # Errors
    /// When the vocabulary has no token that ends a text.
    pub fn new(model: &'m Transformer, tokenizer: &'m Tokenizer) -> Result<Self, StageError> {
        let end = ENDS.iter().find_map(|name| tokenizer.raw_token_id(name));
        let end = end.ok_or_else(|| StageError::Model("the model has no token that is known to end a text".into()))?;
        // Tokens that are no text on their own spell nothing: no rule about text can judge them.
        let vocab = model.unembedding().dims()[1];
        let piece = |id: u32| tokenizer.token_bytes(id).and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let mut pieces: Vec<String> = (0..vocab as u32).map(piece).collect();
        if let Some(piece) = pieces.get_mut(end as usize) {
            piece.clear();
        }
        let chat = tokenizer.raw_token_id("<|im_start|>").is_some() && tokenizer.raw_token_id("<|im_end|>") == Some(end);
        Ok(Self { model, tokenizer, pieces: Pieces { pieces, end }, chat })
    }
}

impl TextToSql for Causal<'_> {
    fn read<'a>(&'a self, question: &str, schema: &'a Schema) -> Result<Box<dyn Reading + 'a>, StageError> {
        // The names of marks in a question are words, not marks.
        let question = question.replace("<|", "< |");
        let text = format!("{}\n\nQuestion: {}", schema_text(schema, Form { typed: true, ..Form::default() }, |_| vec![]), question.trim());
        Ok(Box::new(Asked { causal: self, text }))
    }
}

struct Asked<'a> {
    causal: &'a Causal<'a>,
    text: String,
}

impl Reading for Asked<'_> {
    fn pieces(&self) -> &Pieces {
        &self.causal.pieces
    }

    fn scorer(&self, stage: Stage<'_>) -> Result<(Box<dyn Scorer + '_>, Vec<u32>), StageError> {
        let wanted = match stage {
            Stage::Query => "Answer with one SQLite query in lower case on one line, nothing else.",
            Stage::PlannedQuery => {
                "Answer on one line with the number of joins, the number of selected items and one SQLite query in lower case, like: 0 joins @ 1 selects @ select name from singer"
            }
            Stage::Template => return Err(StageError::NoStage("templates; --method one-stage and the baselines do without")),
            Stage::Fill(_) => return Err(StageError::NoStage("filling templates")),
        };
        let text = &self.text;
        let prompt = if self.causal.chat {
            format!("<|im_start|>user\nTables:\n{text}\n{wanted}<|im_end|>\n<|im_start|>assistant\n")
        } else {
            format!("-- Tables: {}\n-- {wanted}\n", text.replace('\n', "\n-- "))
        };
        let tokens = self.causal.tokenizer.encode(&prompt).map_err(|error| StageError::Model(error.to_string()))?;
        Ok((Box::new(TransformerScorer::new(self.causal.model)), tokens))
    }
}

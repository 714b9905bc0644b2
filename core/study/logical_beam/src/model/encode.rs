//! Texts as vectors, and a question beside a schema as the network's input.
//!
//! Vectors of single words and of names are computed once and kept: a schema that was read once costs nothing more.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vitrine_core::train::mat::Mat;

use super::{
    super::{sql::schema::Schema, stages::StageError},
    items::Items,
    question::{self, Linked, Value, Vectors, Word},
};
use vitrine_core::model::bert::{BertError, Sentences, unit};

/// Texts that vectors are kept of; beyond, all are forgotten.
const MOST_KEPT: usize = 200_000;

/// What makes vectors of texts. Tests have a small one without weights.
pub trait Encoder {
    fn width(&self) -> usize;

    /// A unit vector a text.
    ///
    /// # Errors
    /// What running the encoder finds.
    fn texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BertError>;

    /// The words of each text in their context, `[word, width]`.
    ///
    /// # Errors
    /// As [`Encoder::texts`].
    fn words(&self, texts: &[Vec<String>]) -> Result<Vec<Vec<f32>>, BertError>;
}

impl Encoder for Sentences {
    fn width(&self) -> usize {
        self.bert.width()
    }

    fn texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BertError> {
        self.sentences(texts)
    }

    fn words(&self, texts: &[Vec<String>]) -> Result<Vec<Vec<f32>>, BertError> {
        Sentences::words(self, texts)
    }
}

/// An encoder made of hashed letters: words with common parts are near. Needs no weights.
pub struct Letters {
    pub width: usize,
}

impl Letters {
    /// What models that read with it call it.
    pub const NAME: &'static str = "letters";

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; self.width];
        let mut add = |part: &str, by: f32| {
            let hash = part.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
            let place = (hash % self.width.max(1) as u64) as usize;
            vector[place] += if hash >> 63 == 0 { by } else { -by };
        };
        for word in text.to_lowercase().split_whitespace() {
            let stem = super::items::stem(word);
            add(&stem, 2.0);
            let letters: Vec<char> = format!("<{stem}>").chars().collect();
            letters.windows(3).for_each(|three| add(&three.iter().collect::<String>(), 1.0));
        }
        unit(vector)
    }
}

impl Encoder for Letters {
    fn width(&self) -> usize {
        self.width
    }

    fn texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BertError> {
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }

    fn words(&self, texts: &[Vec<String>]) -> Result<Vec<Vec<f32>>, BertError> {
        // A word's context is the word before it.
        let word = |(i, word): (usize, &String), words: &[String]| {
            let mut vector = self.vector(word);
            if let Some(before) = i.checked_sub(1).and_then(|i| words.get(i)) {
                vector.iter_mut().zip(self.vector(before)).for_each(|(x, y)| *x += 0.5 * y);
            }
            vector
        };
        Ok(texts.iter().map(|words| words.iter().enumerate().flat_map(|one| word(one, words)).collect()).collect())
    }
}

/// A schema's items with their vectors.
#[derive(Debug)]
pub struct EncodedSchema {
    pub items: Items,
    /// Of each name, and of each word of it.
    names: Vec<Arc<[f32]>>,
    name_words: Vec<Vec<Arc<[f32]>>>,
}

/// A question by itself: the same beside every schema.
#[derive(Debug)]
pub struct EncodedWords {
    pub words: Vec<Word>,
    pub values: Vec<Value>,
    pub value_links: Vec<f32>,
    /// The words in their context, `[word, features]`, and each alone.
    context: Vec<f32>,
    alone: Vec<Arc<[f32]>>,
}

/// A question beside a schema.
#[derive(Debug, Clone)]
pub struct EncodedQuestion {
    pub asked: Arc<EncodedWords>,
    pub linked: Linked,
}

/// Vectors with facts behind each.
fn rows<'v>(width: usize, vectors: impl Iterator<Item = &'v [f32]>, facts: &[f32], n: usize) -> Mat {
    let data = vectors.zip(facts.chunks_exact(n)).flat_map(|(vector, facts)| vector.iter().map(|x| x * 4.0).chain(facts.iter().copied()));
    Mat::of(width + n, data.collect())
}

impl EncodedQuestion {
    /// The words as the network reads them, `[word, features + WORD_FACTS]`.
    pub fn word_rows(&self) -> Mat {
        let width = self.asked.context.len() / self.asked.words.len().max(1);
        rows(width, self.asked.context.chunks_exact(width.max(1)), &self.linked.word_facts, question::WORD_FACTS)
    }

    /// The items of its schema as the network reads them, `[item, features + FACTS]`.
    pub fn item_rows(&self, schema: &EncodedSchema) -> Mat {
        let width = schema.names.first().map_or(0, |vector| vector.len());
        rows(width, schema.names.iter().map(|vector| &vector[..]), &self.linked.facts, question::FACTS)
    }
}

/// Vectors by text.
pub struct Cache {
    pub encoder: Box<dyn Encoder>,
    kept: RefCell<BTreeMap<String, Arc<[f32]>>>,
}

impl Cache {
    pub fn new(encoder: Box<dyn Encoder>) -> Self {
        Self { encoder, kept: RefCell::default() }
    }

    /// Vectors of texts, those that are new all at once.
    fn vectors(&self, texts: &[String]) -> Result<Vec<Arc<[f32]>>, StageError> {
        let mut kept = self.kept.borrow_mut();
        if kept.len() + texts.len() > MOST_KEPT {
            kept.clear();
        }
        let new: BTreeSet<&str> = texts.iter().map(String::as_str).filter(|text| !kept.contains_key(*text)).collect();
        let new: Vec<&str> = new.into_iter().collect();
        if !new.is_empty() {
            let vectors = self.encoder.texts(&new).map_err(|e| StageError::Model(e.to_string()))?;
            kept.extend(new.iter().zip(vectors).map(|(text, vector)| ((*text).to_owned(), vector.into())));
        }
        Ok(texts.iter().filter_map(|text| kept.get(text).cloned()).collect())
    }

    /// The items of a schema with their vectors.
    ///
    /// # Errors
    /// What running the encoder finds.
    pub fn schema(&self, schema: &Schema) -> Result<EncodedSchema, StageError> {
        let items = Items::new(schema);
        let names: Vec<String> = items.items.iter().map(|item| item.words.join(" ")).collect();
        let words: Vec<String> = items.items.iter().flat_map(|item| item.words.iter().cloned()).collect();
        let mut vectors = self.vectors(&[names.clone(), words].concat())?;
        let mut of_words = vectors.split_off(names.len().min(vectors.len())).into_iter();
        let name_words = items.items.iter().map(|item| of_words.by_ref().take(item.words.len()).collect()).collect();
        Ok(EncodedSchema { items, names: vectors, name_words })
    }

    /// Questions by themselves.
    ///
    /// # Errors
    /// [`StageError::EmptyQuestion`], and what running the encoder finds.
    pub fn words(&self, questions: &[&str]) -> Result<Vec<Arc<EncodedWords>>, StageError> {
        let words: Vec<Vec<Word>> = questions.iter().map(|question| question::question_words(question)).collect();
        if words.iter().any(Vec::is_empty) {
            return Err(StageError::EmptyQuestion);
        }
        let texts: Vec<Vec<String>> = words.iter().map(|words| words.iter().map(|word| word.text.clone()).collect()).collect();
        let in_context = self.encoder.words(&texts).map_err(|e| StageError::Model(e.to_string()))?;
        let width = self.encoder.width();
        let one = |(words, in_context): (Vec<Word>, Vec<f32>)| {
            let alone = self.vectors(&words.iter().map(|word| word.text.to_lowercase()).collect::<Vec<_>>())?;
            let values = question::values(&words);
            let value_links = question::value_links(&values, words.len());
            let context = in_context.chunks_exact(width).flat_map(|vector| unit(vector.to_vec())).collect();
            Ok(Arc::new(EncodedWords { words, values, value_links, context, alone }))
        };
        words.into_iter().zip(in_context).map(one).collect()
    }

    /// A question beside a schema.
    pub fn link(&self, asked: &Arc<EncodedWords>, schema: &EncodedSchema) -> EncodedQuestion {
        let compared = Vectors {
            words: asked.alone.iter().map(|vector| &vector[..]).collect(),
            names: schema.names.iter().map(|vector| &vector[..]).collect(),
            name_words: schema.name_words.iter().map(|words| words.iter().map(|vector| &vector[..]).collect()).collect(),
        };
        EncodedQuestion { asked: Arc::clone(asked), linked: question::link(&schema.items, &asked.words, &compared) }
    }
}

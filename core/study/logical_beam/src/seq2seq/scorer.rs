//! The model as a distribution over pieces, with keys and values that fork.
//!
//! **Method.** The input of a stage is read once. Each hypothesis keeps the keys and values of what it has written, so a step runs the layers that write for one piece of each. A piece has the probability of being
//! said and of being copied from each of its places, together.

use std::rc::Rc;
use vitrine_core::train::mat::Mat;

use super::{
    Seq2Seq,
    examples::{SchemaPieces, Signs, Task},
    net::{Kept, Memory, Net},
    subwords::{END, UNKNOWN},
};
use crate::{
    model::{boundary::log_add, tape::Tape},
    sql::schema::Schema,
    stages::{Pieces, Reading, Stage, StageError},
};
use vitrine_core::decode::{Scorer, ScorerError, Step};

/// Longest text, in pieces.
const LONGEST: usize = 512;

/// A question read beside a schema, in pieces.
pub struct Seq2SeqReading<'m> {
    model: &'m Seq2Seq,
    signs: Signs,
    question: Vec<u32>,
    schema: SchemaPieces,
}

impl<'m> Seq2SeqReading<'m> {
    /// # Errors
    /// [`StageError`] for an empty question or schema.
    pub fn new(model: &'m Seq2Seq, question: &str, schema: &Schema) -> Result<Self, StageError> {
        for (is_there, what) in [(!schema.tables.is_empty(), "tables"), (!schema.columns.is_empty(), "columns")] {
            if !is_there {
                return Err(StageError::EmptySchema(what));
            }
        }
        let words = &model.weights.words;
        let question = words.read(question);
        if question.is_empty() {
            return Err(StageError::EmptyQuestion);
        }
        Ok(Self { model, signs: Signs::new(words), question, schema: SchemaPieces::new(schema, words) })
    }
}

impl Reading for Seq2SeqReading<'_> {
    fn pieces(&self) -> &Pieces {
        &self.model.pieces
    }

    fn scorer(&self, stage: Stage<'_>) -> Result<(Box<dyn Scorer + '_>, Vec<u32>), StageError> {
        let weights = &self.model.weights;
        let template = if let Stage::Fill(template) = stage { weights.words.written(template) } else { vec![] };
        let input = self.signs.input(Task::of(stage), &self.question, &self.schema, &template, None);
        let net = Net { config: &weights.config };
        let mut tape = Tape::new(&weights.params);
        let memory = net.read(&mut tape, &input, std::slice::from_ref(&(0..input.len())), &mut |_, x| x);
        let take = |var| tape.value(var).clone();
        let layers = memory.layers.iter().map(|kept| [take(kept.keys), take(kept.values)]).collect();
        let copies = take(memory.copies);
        Ok((Box::new(StageScorer { model: self.model, input, layers, copies, rows: vec![] }), vec![END]))
    }
}

/// A hypothesis: keys and values of what is written, one of each layer after the other.
#[derive(Debug, Clone, Default)]
struct Row {
    written: usize,
    kept: Vec<[Vec<f32>; 2]>,
}

/// A stage of a reading.
struct StageScorer<'r> {
    model: &'r Seq2Seq,
    input: Vec<u32>,
    layers: Vec<[Mat; 2]>,
    copies: Mat,
    rows: Vec<Rc<Row>>,
}

impl StageScorer<'_> {
    /// Rows with one piece more, and the scores behind it.
    fn step(&mut self, from: &[Rc<Row>], pieces: &[u32]) -> Result<Vec<Vec<f64>>, ScorerError> {
        let config = &self.model.weights.config;
        let (net, width) = (Net { config }, config.width);
        let mut tape = Tape::new(&self.model.weights.params);
        let layers = self.layers.iter().map(|[keys, values]| Kept { keys: tape.lent(keys), values: tape.lent(values) }).collect();
        let memory = Memory { layers, copies: tape.lent(&self.copies) };
        let places: Vec<usize> = from.iter().map(|row| row.written).collect();
        let inputs = vec![0..self.input.len(); pieces.len()];
        let mut rows: Vec<Row> =
            from.iter().map(|row| Row { written: row.written + 1, kept: Vec::with_capacity(config.writers) }).collect();
        let mut past = |tape: &mut Tape<'_>, layer: usize, new: Kept| {
            let (mut spans, mut at) = (Vec::with_capacity(rows.len()), 0);
            let [mut keys, mut values] = [Vec::new(), Vec::new()];
            for (i, (row, before)) in rows.iter_mut().zip(from).enumerate() {
                let empty = [const { Vec::new() }; 2];
                let [old_keys, old_values] = before.kept.get(layer).unwrap_or(&empty);
                let whole = |old: &[f32], new: &[f32]| [old, new].concat();
                let kept = [whole(old_keys, tape.value(new.keys).row(i)), whole(old_values, tape.value(new.values).row(i))];
                keys.extend_from_slice(&kept[0]);
                values.extend_from_slice(&kept[1]);
                row.kept.push(kept);
                spans.push(at..at + row.written);
                at += row.written;
            }
            (Kept { keys: tape.given(Mat::of(width, keys)), values: tape.given(Mat::of(width, values)) }, spans)
        };
        let (words, copies) = net.write(&mut tape, (pieces, &places), (&memory, &inputs), &mut past, &mut |_, x| x);
        let copies = tape.value(copies).data.chunks_exact(self.input.len().max(1));
        let words = tape.value(words).data.chunks_exact(self.vocab_size().max(1));
        let mut scores = Vec::with_capacity(pieces.len());
        for ((words, copies), row) in words.zip(copies).zip(&rows) {
            scores.push(self.scores(words, copies).ok_or(ScorerError::NotFinite { tokens: row.written })?);
        }
        self.rows = rows.into_iter().map(Rc::new).collect();
        Ok(scores)
    }

    /// Log-probabilities of pieces; nothing where numbers are not finite.
    fn scores(&self, words: &[f32], copies: &[f32]) -> Option<Vec<f64>> {
        if words.iter().chain(copies).any(|x| !x.is_finite()) {
            return None;
        }
        let mut scores: Vec<f64> = words.iter().map(|&x| f64::from(x)).collect();
        for (&piece, &x) in self.input.iter().zip(copies) {
            let score = scores.get_mut(piece as usize)?;
            *score = log_add(*score, f64::from(x));
        }
        *scores.get_mut(UNKNOWN as usize)? = f64::NEG_INFINITY;
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let normalizer = largest + scores.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
        for x in &mut scores {
            *x -= normalizer;
        }
        Some(scores)
    }
}

impl Scorer for StageScorer<'_> {
    fn vocab_size(&self) -> usize {
        self.model.weights.words.len()
    }

    fn max_tokens(&self) -> usize {
        LONGEST
    }

    /// The prompt is the end of nothing, and what follows it.
    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError> {
        let mut scores = None;
        self.rows = vec![Rc::new(Row::default())];
        for &piece in prompt {
            let from = self.rows.clone();
            scores = self.step(&from, &[piece])?.pop();
        }
        scores.ok_or(ScorerError::EmptyPrompt)
    }

    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError> {
        let parent =
            |step: &Step| self.rows.get(step.parent).cloned().ok_or(ScorerError::Parent { row: step.parent, rows: self.rows.len() });
        let from = steps.iter().map(parent).collect::<Result<Vec<_>, _>>()?;
        let pieces: Vec<u32> = steps.iter().map(|step| step.token).collect();
        if pieces.is_empty() {
            self.rows = vec![];
            return Ok(vec![]);
        }
        self.step(&from, &pieces)
    }
}

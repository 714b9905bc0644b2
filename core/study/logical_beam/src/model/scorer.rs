//! The model as a distribution over sub-word pieces.
//!
//! **Idea.** Probabilities belong to words and names; a decoder wants them for the next piece of text. A piece has the summed probability of all words and names that go on
//! with it, given those that agree with the pieces so far, so texts have exactly the probability of their words, and the pieces of one are never asked of the network.
//!
//! **Method.** A hypothesis is the boundary at which its last word began, the symbols ([`super::boundary`]) that agree with the pieces since, and, where one of these is complete, the
//! boundary behind it: a name may end or go on. All boundaries that a step needs are computed in one batch. What no symbol goes on with can only end.

use std::rc::Rc;
use vitrine_core::train::mat::Mat;

use super::{
    super::{
        sql::{said::as_said, schema::Schema, template::Slot},
        stages::{Pieces, Reading, Stage, StageError},
    },
    SqlModel,
    boundary::{Boundary, Complete, Target, filling, log_add},
    encode::{EncodedQuestion, EncodedSchema},
    net::{Filling, Net, Spans},
    spelling::Spelling,
    tape::Tape,
    words::{BEGIN_FILL, BEGIN_PLANNED, BEGIN_QUERY, BEGIN_TEMPLATE},
};
use vitrine_core::decode::{Scorer, ScorerError, Step};

/// Longest text, in pieces.
const LONGEST: usize = 2048;

/// How a candidate is spelled without and with a space before it.
type Spelled = Option<[Rc<[u32]>; 2]>;

/// A question read beside a schema.
pub struct ModelReading<'m> {
    pub(super) model: &'m SqlModel,
    pub(super) schema: EncodedSchema,
    pub(super) question: EncodedQuestion,
    pub(super) spelling: Spelling,
    /// Words, items, and items as input: see [`super::net::Memory`].
    pub(super) memory: [Mat; 3],
    /// The decoder's first state.
    pub(super) first: Vec<f32>,
    pub(super) word_pieces: Vec<Rc<[u32]>>,
    items: Vec<Spelled>,
    values: Vec<Spelled>,
}

impl<'m> ModelReading<'m> {
    /// # Errors
    /// [`StageError`] for an empty question or schema, and what running the encoder finds.
    pub fn new(model: &'m SqlModel, question: &str, schema: &Schema) -> Result<Self, StageError> {
        for (is_there, what) in [(!schema.tables.is_empty(), "tables"), (!schema.columns.is_empty(), "columns")] {
            if !is_there {
                return Err(StageError::EmptySchema(what));
            }
        }
        let schema = model.cache.schema(schema)?;
        let asked = model.cache.words(&[question])?.pop().ok_or(StageError::EmptyQuestion)?;
        let question = model.cache.link(&asked, &schema);
        let (word_rows, item_rows) = (question.word_rows(), question.item_rows(&schema));
        let weights = &model.weights;
        let mut spelling = Spelling::new(&weights.vocabulary, &weights.fragments, model.whole_names);
        let mut spell = |said: Option<String>| -> Spelled {
            let said = said?;
            Some([false, true].map(|space| spelling.spell(&said, space).into()))
        };
        // Of tables that differ in case alone only the first can be said.
        let is_first = |i: usize, name: &str| i >= schema.items.tables || schema.items.table(name) == Some(i);
        let items =
            schema.items.items.iter().enumerate().map(|(i, item)| spell(as_said(&item.name).filter(|_| is_first(i, &item.name)))).collect();
        let values = question.asked.values.iter().map(|value| spell(Some(value.text.clone()))).collect();
        let mut tape = Tape::new(&weights.params);
        let net = Net { config: &weights.config };
        let (words, rows) = (tape.lent(&word_rows), tape.lent(&item_rows));
        let memory = net.memory(&mut tape, words, rows, &mut |_, x| x);
        let whole = |rows| std::iter::once(0..rows).collect();
        let spans = Spans { words: whole(word_rows.rows), items: whole(item_rows.rows) };
        let state = net.first(&mut tape, memory, &spans);
        let first = [state.h, state.words, state.items].iter().flat_map(|&part| tape.value(part).data.iter().copied()).collect();
        let memory = [memory.words, memory.items, memory.names].map(|part| tape.value(part).clone());
        drop(tape);
        let word_pieces = (0..weights.vocabulary.len() as u32).map(|word| Rc::from([word])).collect();
        Ok(Self { model, schema, question, spelling, memory, first, word_pieces, items, values })
    }

    /// Candidates of a kind.
    pub(super) fn candidates(&self, kind: Filling) -> usize {
        match kind {
            Filling::Table => self.schema.items.tables,
            Filling::Column => self.schema.items.items.len() - self.schema.items.tables,
            Filling::Value => self.question.asked.values.len(),
        }
    }

    /// How a candidate of a slot is spelled; nothing for one that does not fit there.
    pub(super) fn spelled(&self, slot: Slot, candidate: usize) -> Option<&[Rc<[u32]>; 2]> {
        match filling(slot) {
            (Filling::Table, _) => self.items.get(candidate)?.as_ref(),
            (Filling::Column, _) => self.items.get(self.schema.items.tables + candidate)?.as_ref(),
            (Filling::Value, is_text) => {
                self.question.asked.values.get(candidate).filter(|value| Some(value.is_text) == is_text)?;
                self.values.get(candidate)?.as_ref()
            }
        }
    }
}

impl Reading for ModelReading<'_> {
    fn pieces(&self) -> &Pieces {
        &self.spelling.pieces
    }

    fn scorer(&self, stage: Stage<'_>) -> Result<(Box<dyn Scorer + '_>, Vec<u32>), StageError> {
        let weights = &self.model.weights;
        let (begin, target) = match stage {
            Stage::Template => (BEGIN_TEMPLATE, None),
            Stage::Query => (BEGIN_QUERY, None),
            Stage::PlannedQuery => (BEGIN_PLANNED, None),
            Stage::Fill(template) => {
                (BEGIN_FILL, Some(Target::new(template, &weights.vocabulary, &Net { config: &weights.config }, &weights.params)))
            }
        };
        Ok((Box::new(StageScorer { reading: self, begin, target, rows: vec![] }), vec![self.spelling.pieces.end]))
    }
}

/// A hypothesis.
#[derive(Debug, Clone)]
struct Row {
    from: Rc<Boundary>,
    /// Symbols of `from` that agree with the pieces since.
    live: Vec<u32>,
    taken: usize,
    /// Behind the complete one among them.
    after: Option<Rc<Boundary>>,
}

impl Row {
    /// The first complete symbol, and the log-probability of all complete ones and of all live ones.
    fn complete(&self) -> (Option<u32>, f64, f64) {
        let (mut first, mut complete, mut all) = (None, f64::NEG_INFINITY, f64::NEG_INFINITY);
        for &i in &self.live {
            let symbol = &self.from.symbols[i as usize];
            if symbol.pieces.len() == self.taken {
                first = first.or(Some(i));
                complete = log_add(complete, symbol.log_prob);
            }
            all = log_add(all, symbol.log_prob);
        }
        (first, complete, all)
    }

    fn scores(&self, vocab: usize, end: u32) -> Vec<f64> {
        let mut scores = vec![f64::NEG_INFINITY; vocab];
        let (_, complete, all) = self.complete();
        let mut add = |piece: u32, p: f64| {
            if let Some(score) = scores.get_mut(piece as usize) {
                *score = log_add(*score, p);
            }
        };
        for &i in &self.live {
            let symbol = &self.from.symbols[i as usize];
            if let Some(&piece) = symbol.pieces.get(self.taken) {
                add(piece, symbol.log_prob - all);
            }
        }
        if let Some(after) = &self.after {
            after.first.iter().for_each(|&(piece, p)| add(piece, complete - all + p));
        }
        if self.live.is_empty() || all == f64::NEG_INFINITY {
            add(end, 0.0);
        }
        scores
    }

    /// Without what it knows: only the end can follow.
    fn dead(&self) -> Self {
        Self { from: Rc::clone(&self.from), live: vec![], taken: 0, after: None }
    }

    fn follow(&self, token: u32) -> Self {
        let agree = |boundary: &Boundary, live: &mut dyn Iterator<Item = u32>, at: usize| -> Vec<u32> {
            live.filter(|&i| boundary.symbols[i as usize].pieces.get(at) == Some(&token)).collect()
        };
        let live = agree(&self.from, &mut self.live.iter().copied(), self.taken);
        if !live.is_empty() {
            return Self { from: Rc::clone(&self.from), live, taken: self.taken + 1, after: None };
        }
        let Some(after) = &self.after else { return self.dead() };
        let live = agree(after, &mut (0..after.symbols.len() as u32), 0);
        Self { from: Rc::clone(after), live, taken: 1, after: None }
    }
}

/// A stage of a reading.
pub struct StageScorer<'r> {
    reading: &'r ModelReading<'r>,
    begin: usize,
    target: Option<Target>,
    rows: Vec<Row>,
}

impl StageScorer<'_> {
    /// Computes the boundaries behind complete words, and gives all rows' scores.
    fn settle(&mut self) -> Result<Vec<Vec<f64>>, ScorerError> {
        let end = self.reading.spelling.pieces.end;
        // Behind the end nothing follows.
        let complete = |row: &Row| row.complete().0.filter(|&i| row.from.symbols[i as usize].pieces[..] != [end]);
        let wanted: Vec<(usize, u32)> = self.rows.iter().enumerate().filter_map(|(i, row)| Some((i, complete(row)?))).collect();
        let texts: Vec<Complete<'_>> = wanted
            .iter()
            .filter_map(|&(row, symbol)| {
                let from = &self.rows.get(row)?.from;
                Some(Complete { from: Some((&**from, from.symbols.get(symbol as usize)?)) })
            })
            .collect();
        let found = if texts.is_empty() { vec![] } else { self.boundaries(&texts)? };
        for ((row, _), boundary) in wanted.into_iter().zip(found) {
            self.rows[row].after = Some(Rc::new(boundary));
        }
        let vocab = self.vocab_size();
        Ok(self.rows.iter().map(|row| row.scores(vocab, end)).collect())
    }

    fn boundaries(&self, texts: &[Complete<'_>]) -> Result<Vec<Boundary>, ScorerError> {
        self.reading.boundaries(self.begin, self.target.as_ref(), texts).map_err(|e| ScorerError::Device(e.to_string()))
    }
}

impl Scorer for StageScorer<'_> {
    fn vocab_size(&self) -> usize {
        self.reading.spelling.pieces.pieces.len()
    }

    fn max_tokens(&self) -> usize {
        LONGEST
    }

    /// The prompt is one token that says nothing, and what follows it.
    fn begin(&mut self, prompt: &[u32]) -> Result<Vec<f64>, ScorerError> {
        let (_, text) = prompt.split_first().ok_or(ScorerError::EmptyPrompt)?;
        let from = Rc::new(self.boundaries(&[Complete { from: None }])?.pop().ok_or(ScorerError::EmptyPrompt)?);
        let live = (0..from.symbols.len() as u32).collect();
        self.rows = vec![Row { from, live, taken: 0, after: None }];
        let mut scores = self.settle()?;
        for &token in text {
            scores = self.advance(&[Step { parent: 0, token }])?;
        }
        scores.pop().ok_or(ScorerError::EmptyPrompt)
    }

    fn advance(&mut self, steps: &[Step]) -> Result<Vec<Vec<f64>>, ScorerError> {
        let follow = |step: &Step| match self.rows.get(step.parent) {
            Some(row) => Ok(row.follow(step.token)),
            None => Err(ScorerError::Parent { row: step.parent, rows: self.rows.len() }),
        };
        self.rows = steps.iter().map(follow).collect::<Result<_, _>>()?;
        self.settle()
    }
}

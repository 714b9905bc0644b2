//! The network: one decoder over words for all stages, and a pointer that fills slots.
//!
//! **Method.** A gated recurrent cell reads the word before, the name that filled it, what it attended to, and in stage 2 a state of the rest of the template (read from its end). It attends to the
//! question's words and to the schema's names, and what comes out scores the next word. For a slot several heads point at words of the question; how those words are linked with a candidate
//! ([`super::question`]), facts of the candidate and flags of the text so far ([`super::scope`]) go through a small perceptron together with the decoder's output, and an inner product with the
//! candidate's own vector is added. Input features are those of a frozen sentence encoder.
//!
//! **Sources.** Cho et al., EMNLP 2014 (the cell); Luong et al., EMNLP 2015 (attention fed back); Vinyals et al., NeurIPS 2015 (pointing).

use std::ops::Range;
use vitrine_core::train::mat::Mat;

use serde::{Deserialize, Serialize};

use super::{
    question::{FACTS, LINKS, WORD_FACTS},
    scope::{FLAGS, PLACES},
    tape::{Links, Tape, Var},
};
use vitrine_core::train::rng::Stream;

/// Sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetConfig {
    /// Numbers of the encoder's vectors.
    pub features: usize,
    /// Words of the vocabulary.
    pub words: usize,
    /// State of the decoder and vectors that it attends to.
    pub width: usize,
    /// Of a word as input.
    pub embedding: usize,
    /// Of what stage 2 knows about the rest of its template.
    pub ahead: usize,
    pub heads: usize,
    /// Of the perceptron of slots.
    pub hidden: usize,
}

/// Largest of any size.
const MOST: usize = 8192;

impl NetConfig {
    /// The sizes of the quick model, for an encoder's vectors and a vocabulary.
    pub fn quick(features: usize, words: usize) -> Self {
        Self { features, words, width: 128, embedding: 64, ahead: 48, heads: 3, hidden: 48 }
    }

    /// Whether all sizes are in bounds.
    pub fn is_sound(&self) -> bool {
        let Self { features, words, width, embedding, ahead, heads, hidden } = *self;
        [features, words, width, embedding, ahead, heads, hidden].into_iter().all(|n| (1..=MOST).contains(&n)) && heads <= 64
    }

    /// Numbers that go into the perceptron of slots for a candidate.
    fn inputs(&self) -> usize {
        self.heads * LINKS + FACTS + FLAGS + PLACES
    }
}

/// What fills a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filling {
    Table,
    Column,
    Value,
}

impl Filling {
    pub const ALL: [Self; 3] = [Self::Table, Self::Column, Self::Value];
}

// Numbers of the parameters; those of a kind of slot begin at `SLOT + 6 * kind`.
const EMBED: usize = 0;
const NAME: usize = 1;
const WORD_W: usize = 2;
const WORD_B: usize = 3;
const ITEM_W: usize = 4;
const ITEM_B: usize = 5;
const GATE_W: usize = 6;
const GATE_B: usize = 7;
const STATE_W: usize = 8;
const STATE_B: usize = 9;
const ASK_WORDS: usize = 10;
const ASK_ITEMS: usize = 11;
const OUT_W: usize = 12;
const OUT_B: usize = 13;
const NEXT_W: usize = 14;
const NEXT_B: usize = 15;
const AHEAD_W: usize = 16;
const AHEAD_B: usize = 17;
const AHEAD_STATE: usize = 18;
const AHEAD_STATE_B: usize = 19;
const FIRST_W: usize = 20;
const FIRST_B: usize = 21;
const SLOT: usize = 22;

/// Names and shapes of the parameters, in order.
pub fn shapes(c: &NetConfig) -> Vec<(String, [usize; 2])> {
    let (d, e, a) = (c.width, c.embedding, c.ahead);
    let fixed: [(&str, [usize; 2]); SLOT] = [
        ("words", [c.words, e]),
        ("names", [c.features, e]),
        ("question.weight", [c.features + WORD_FACTS, d]),
        ("question.bias", [1, d]),
        ("schema.weight", [c.features + FACTS, d]),
        ("schema.bias", [1, d]),
        ("cell.input.weight", [e + 2 * d + a, 3 * d]),
        ("cell.input.bias", [1, 3 * d]),
        ("cell.state.weight", [d, 3 * d]),
        ("cell.state.bias", [1, 3 * d]),
        ("attend.question", [d, d]),
        ("attend.schema", [d, d]),
        ("output.weight", [3 * d, d]),
        ("output.bias", [1, d]),
        ("next.weight", [d, c.words]),
        ("next.bias", [1, c.words]),
        ("ahead.input.weight", [e, 3 * a]),
        ("ahead.input.bias", [1, 3 * a]),
        ("ahead.state.weight", [a, 3 * a]),
        ("ahead.state.bias", [1, 3 * a]),
        ("first.weight", [d, d]),
        ("first.bias", [1, d]),
    ];
    let mut all: Vec<(String, [usize; 2])> = fixed.map(|(name, shape)| (name.to_owned(), shape)).to_vec();
    for kind in ["table", "column", "value"] {
        let parts = [
            ("point", [d, c.heads * d]),
            ("candidate", [c.inputs(), c.hidden]),
            ("context", [d, c.hidden]),
            ("bias", [1, c.hidden]),
            ("score", [c.hidden, 1]),
            ("key", [d, d]),
        ];
        all.extend(parts.map(|(part, shape)| (format!("{kind}.{part}"), shape)));
    }
    all
}

/// Random parameters: normal with variance 1 over the inputs, biases and pointers at zero.
pub fn init(config: &NetConfig, seed: u64) -> Vec<Mat> {
    let one = |(name, [rows, cols]): (String, [usize; 2])| {
        let mut stream = Stream::new(seed, &name, 0);
        let scale = match name.as_str() {
            "words" => 0.3,
            _ if rows == 1 && name.ends_with("bias") => 0.0,
            _ if name.ends_with("point") || name.ends_with("key") => 0.3 / (rows as f64).sqrt(),
            _ => 1.0 / (rows as f64).sqrt(),
        };
        Mat::of(cols, (0..rows * cols).map(|_| (scale * stream.normal()) as f32).collect())
    };
    shapes(config).into_iter().map(one).collect()
}

/// What is read before decoding, for one or several questions one under the other.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// `[word, width]` and `[item, width]`.
    pub words: Var,
    pub items: Var,
    /// Items as input, and zeros in a last row: `[items + 1, embedding]`.
    pub names: Var,
}

/// State of the decoder, a row each.
#[derive(Debug, Clone, Copy)]
pub struct State {
    pub h: Var,
    pub words: Var,
    pub items: Var,
}

/// Where each row finds its question's words and its schema's items in the memory.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    pub words: Vec<Range<usize>>,
    pub items: Vec<Range<usize>>,
}

/// A slot to be filled: whose output, which candidates.
pub struct SlotRows<'a> {
    /// Row of the output, and the span of its question's words.
    pub output: usize,
    pub words: Range<usize>,
    pub links: Links<'a>,
    /// Items of the candidates in the memory; none for values.
    pub items: Option<Range<usize>>,
    /// `[candidate, FACTS + FLAGS + PLACES]`.
    pub features: Vec<f32>,
}

/// The calls of the network. `drop` scales numbers of some matrices, in training only.
pub struct Net<'n> {
    pub config: &'n NetConfig,
}

impl Net<'_> {
    /// Encoded words `[word, features + WORD_FACTS]` and names `[item, features + FACTS]` as memory.
    pub fn memory<'a>(&self, tape: &mut Tape<'a>, words: Var, items: Var, drop: &mut dyn FnMut(&mut Tape<'a>, Var) -> Var) -> Memory {
        let map = |tape: &mut Tape<'a>, x, w, b| {
            let (w, b) = (tape.param(w), tape.param(b));
            let y = tape.linear(x, w, Some(b));
            tape.tanh(y)
        };
        let (w, i) = (map(tape, words, WORD_W, WORD_B), map(tape, items, ITEM_W, ITEM_B));
        let (w, i) = (drop(tape, w), drop(tape, i));
        let vectors = {
            let (mat, features) = (tape.value(items), self.config.features);
            let data = (0..mat.rows).flat_map(|row| mat.row(row)[..features].iter().copied()).collect();
            Mat { rows: mat.rows, cols: features, data }
        };
        let vectors = tape.given(vectors);
        let name = tape.param(NAME);
        let names = tape.linear(vectors, name, None);
        let none = tape.given(Mat::zeros(1, self.config.embedding));
        Memory { words: w, items: i, names: tape.under(vec![names, none]) }
    }

    /// The state before the first word.
    pub fn first(&self, tape: &mut Tape<'_>, memory: Memory, spans: &Spans) -> State {
        let n = spans.words.len();
        let zeros = tape.given(Mat::zeros(n, self.config.width));
        let words = tape.attend(zeros, memory.words, spans.words.clone());
        let items = tape.attend(zeros, memory.items, spans.items.clone());
        let (w, b) = (tape.param(FIRST_W), tape.param(FIRST_B));
        let h = tape.linear(words, w, Some(b));
        State { h: tape.tanh(h), words, items }
    }

    /// What stage 2 knows at each word of a template about the words from there on: `[words, ahead]`.
    pub fn ahead(&self, tape: &mut Tape<'_>, template: &[usize]) -> Var {
        let (embed, w, b) = (tape.param(EMBED), tape.param(AHEAD_W), tape.param(AHEAD_B));
        let (sw, sb) = (tape.param(AHEAD_STATE), tape.param(AHEAD_STATE_B));
        let x = tape.rows(embed, template.to_vec());
        let x = tape.linear(x, w, Some(b));
        let mut h = tape.given(Mat::zeros(1, self.config.ahead));
        let mut states = vec![h; template.len()];
        for at in (0..template.len()).rev() {
            let gates = tape.linear(h, sw, Some(sb));
            let x = tape.rows(x, vec![at]);
            h = tape.gru(x, gates, h);
            states[at] = h;
        }
        tape.under(states)
    }

    /// One step of each row: the word before, the item that filled it (the last row of `names` for none), and what is ahead, `[row, ahead]`. Returns the state and the output `[row, width]`.
    pub fn step(
        &self,
        tape: &mut Tape<'_>,
        (words, fillers): (Vec<usize>, Vec<usize>),
        ahead: Var,
        state: State,
        memory: Memory,
        spans: &Spans,
    ) -> (State, Var) {
        let embed = tape.param(EMBED);
        let word = tape.rows(embed, words);
        let name = tape.rows(memory.names, fillers);
        let input = tape.add(word, name);
        let input = tape.beside(vec![input, state.words, state.items, ahead]);
        let (gw, gb, sw, sb) = (tape.param(GATE_W), tape.param(GATE_B), tape.param(STATE_W), tape.param(STATE_B));
        let x = tape.linear(input, gw, Some(gb));
        let gates = tape.linear(state.h, sw, Some(sb));
        let h = tape.gru(x, gates, state.h);
        let (ask_words, ask_items) = (tape.param(ASK_WORDS), tape.param(ASK_ITEMS));
        let q = tape.linear(h, ask_words, None);
        let words = tape.attend(q, memory.words, spans.words.clone());
        let q = tape.linear(h, ask_items, None);
        let items = tape.attend(q, memory.items, spans.items.clone());
        let all = tape.beside(vec![h, words, items]);
        let (w, b) = (tape.param(OUT_W), tape.param(OUT_B));
        let out = tape.linear(all, w, Some(b));
        (State { h, words, items }, tape.tanh(out))
    }

    /// Scores of the next word, `[row, words]`.
    pub fn next(&self, tape: &mut Tape<'_>, output: Var) -> Var {
        let (w, b) = (tape.param(NEXT_W), tape.param(NEXT_B));
        tape.linear(output, w, Some(b))
    }

    /// Scores of the candidates of slots of one kind, one under the other, `[sum of candidates, 1]`.
    pub fn slots<'a>(&self, tape: &mut Tape<'a>, kind: Filling, output: Var, memory: Memory, slots: Vec<SlotRows<'a>>) -> Var {
        let param = |part: usize| SLOT + 6 * (kind as usize) + part;
        let rows = tape.rows(output, slots.iter().map(|slot| slot.output).collect());
        let point = tape.param(param(0));
        let q = tape.linear(rows, point, None);
        let mut owner = Vec::new();
        let (mut spans, mut links, mut features, mut items) = (vec![], vec![], vec![], vec![]);
        for (i, slot) in slots.into_iter().enumerate() {
            owner.extend(std::iter::repeat_n(i, slot.links.candidates));
            spans.push(slot.words);
            links.push(slot.links);
            features.extend(slot.features);
            items.extend(slot.items.into_iter().flatten());
        }
        let pointed = tape.point(q, memory.words, spans, links);
        let features = tape.given(Mat::of(FACTS + FLAGS + PLACES, features));
        let inputs = tape.beside(vec![pointed, features]);
        let [candidate, context, bias, score, key] = [1, 2, 3, 4, 5].map(|part| tape.param(param(part)));
        let hidden = tape.linear(inputs, candidate, None);
        let of_row = tape.linear(rows, context, Some(bias));
        let of_row = tape.rows(of_row, owner.clone());
        let hidden = tape.add(hidden, of_row);
        let hidden = tape.relu(hidden);
        let scores = tape.linear(hidden, score, None);
        if items.is_empty() {
            return scores;
        }
        let keys = tape.rows(memory.items, items);
        let q = tape.linear(rows, key, None);
        let q = tape.rows(q, owner);
        let near = tape.dots(q, keys);
        let scale = vec![1.0 / (self.config.width as f32).sqrt(); tape.value(near).data.len()];
        let near = tape.scaled(near, scale);
        tape.add(scores, near)
    }
}

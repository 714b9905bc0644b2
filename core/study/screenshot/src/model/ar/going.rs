//! A line that was read and goes on token by token.
//!
//! **Method.** What attention needs of the places read so far, keys and values of every layer, is kept, so a further token costs one row instead of the whole line again: the same calls on a
//! fresh tape, with the kept rows put in front of the new one. Causal rows do not change by what comes after them, so a line can also be taken back to any of its places.

use super::{Ar, Line, Place};
use crate::model::{
    Params,
    tape::{Calls as _, Tape},
};
use vitrine_core::{decode::scorer::log_softmax, train::mat::Mat};

/// A line that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Going {
    /// Of each layer queries, keys and values, `[places, 3 width]`.
    layers: Vec<Mat>,
    /// The stream behind the last norm, `[places, width]`.
    hidden: Mat,
    positions: Vec<usize>,
    /// Places of text at the end that can be named or taken back.
    text: usize,
}

fn add(to: &mut Mat, rows: &Mat) {
    to.data.extend_from_slice(&rows.data);
    to.rows += rows.rows;
}

fn cut(mat: &mut Mat, rows: usize) {
    mat.data.truncate(rows * mat.cols);
    mat.rows = mat.rows.min(rows);
}

impl Going {
    /// Tokens of text in the line.
    #[must_use]
    pub fn text(&self) -> usize {
        self.text
    }

    /// Takes the text back to its first `text` tokens.
    pub fn back(&mut self, text: usize) {
        let places = self.positions.len() - self.text.saturating_sub(text);
        self.layers.iter_mut().for_each(|layer| cut(layer, places));
        cut(&mut self.hidden, places);
        self.positions.truncate(places);
        self.text = self.text.min(text);
    }
}

impl Ar {
    /// Reads a line.
    #[must_use]
    pub fn begin(&self, params: &Params, line: &Line<'_>) -> Going {
        let mut tape = Tape::new(&params.mats);
        let (x, turned) = self.read(&mut tape, &mut self.lay_out(std::slice::from_ref(line)), &[]);
        Going {
            layers: turned.into_iter().map(|var| tape.value(var).clone()).collect(),
            hidden: tape.value(x).clone(),
            positions: line.positions.clone(),
            text: line.text,
        }
    }

    /// Reads one more token; false where the line is as long as it can be, and nothing is read.
    pub fn go(&self, params: &Params, going: &mut Going, id: u32) -> bool {
        let position = going.positions.last().map_or(0, |last| last + 1);
        if position >= self.config.limit || id as usize >= self.config.vocab {
            return false;
        }
        let line = Line {
            picture: &[],
            places: vec![Place::Token(id as usize)],
            positions: vec![position],
            tokens: vec![],
            patches: vec![],
            text: 0,
            short: false,
        };
        let mut tape = Tape::new(&params.mats);
        let (x, turned) = self.read(&mut tape, &mut self.lay_out(&[line]), &going.layers);
        for (layer, var) in going.layers.iter_mut().zip(turned) {
            add(layer, tape.value(var));
        }
        add(&mut going.hidden, tape.value(x));
        going.positions.push(position);
        going.text += 1;
        true
    }

    /// Logits of the tokens at these places of the text and after it, `[places, vocab + image tokens]`: row 0 names the text's first token, row `text` the one after it.
    #[must_use]
    pub fn logits(&self, params: &Params, going: &Going, places: std::ops::Range<usize>) -> Mat {
        // Each place names the next one.
        let first = going.positions.len() - going.text - 1;
        let mut tape = Tape::new(&params.mats);
        let width = going.hidden.cols;
        let rows = going.hidden.data.get((first + places.start) * width..(first + places.end) * width).unwrap_or_default();
        let rows = tape.given(Mat::of(width, rows.to_vec()));
        let output = tape.param(self.tail() + 1);
        let logits = tape.linear(rows, output, None);
        tape.value(logits).clone()
    }

    /// Log-probabilities of the next token, in nats: image tokens cannot come. None for a model whose numbers are none.
    #[must_use]
    pub fn after(&self, params: &Params, going: &Going) -> Option<Vec<f64>> {
        let logits = self.logits(params, going, going.text..going.text + 1);
        log_softmax(logits.data.get(..self.config.vocab)?)
    }
}

//! What fine-tuning needs of an encoder: eyes that see pictures, and the same tower over words.

use std::ops::Range;

use super::{examples::picture, tsv::Row};
use crate::{
    ScreenshotError,
    bpe::{Bpe, END},
    model::{
        calls::{Calls, Var},
        params::{Spec, encoder_specs},
        ptp::{Picture, Ptp},
        words::WordModel,
    },
    render::{Renderer, Scratch, Screenshot},
};

/// An encoder of some kind of input.
pub trait Encoder: Sync {
    type Input: Sync;

    /// Its matrices; a head's follow.
    fn specs(&self) -> Vec<Spec>;

    /// Width of what it puts out.
    fn width(&self) -> usize;

    /// Rows of CLS and everything attended to, input by input, and where each begins and ends.
    fn read(&self, tape: &mut impl Calls, inputs: &[&Self::Input]) -> (Var, Vec<Range<usize>>);
}

impl Encoder for Ptp {
    type Input = Picture;

    fn specs(&self) -> Vec<Spec> {
        encoder_specs(&self.config)
    }

    fn width(&self) -> usize {
        self.config.encoder.width
    }

    fn read(&self, tape: &mut impl Calls, inputs: &[&Picture]) -> (Var, Vec<Range<usize>>) {
        let read = self.encode(tape, inputs);
        (read.out, read.spans)
    }
}

impl Encoder for WordModel {
    type Input = Vec<u32>;

    fn specs(&self) -> Vec<Spec> {
        self.encoder_specs()
    }

    fn width(&self) -> usize {
        self.config.encoder.width
    }

    fn read(&self, tape: &mut impl Calls, inputs: &[&Vec<u32>]) -> (Var, Vec<Range<usize>>) {
        self.encode(tape, inputs)
    }
}

/// A labelled text, as what an encoder gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled<I> {
    pub input: I,
    /// The number of a class, or a number.
    pub label: f64,
}

/// Draws rows as the encoder was taught to see, pairs with black patches between.
///
/// # Errors
/// What the renderer refuses.
pub fn draw(renderer: &Renderer, rows: &[Row]) -> Result<Vec<Labelled<Picture>>, ScreenshotError> {
    let (mut scratch, mut shot) = (Scratch::default(), Screenshot::default());
    let mut one = |row: &Row| {
        match &row.second {
            Some(second) => renderer.render_pair(row.text.as_bytes(), second.as_bytes(), &mut scratch, &mut shot)?,
            None => renderer.render_into(row.text.as_bytes(), &mut scratch, &mut shot)?,
        }
        Ok(Labelled { input: picture(&shot), label: row.label })
    };
    rows.iter().map(&mut one).collect()
}

/// Rows as tokens, cut to the first `bytes` bytes (half of them for each text of a pair), so that both kinds of encoder get the same letters.
#[must_use]
pub fn spell(bpe: &Bpe, rows: &[Row], bytes: usize) -> Vec<Labelled<Vec<u32>>> {
    let ids = |text: &str, most: usize| -> Vec<u32> {
        bpe.encode(text).iter().take_while(|token| token.end <= most).map(|token| token.id).collect()
    };
    let one = |row: &Row| {
        let input = match &row.second {
            Some(second) => [ids(&row.text, bytes / 2), vec![END], ids(second, bytes / 2)].concat(),
            None => ids(&row.text, bytes),
        };
        Labelled { input, label: row.label }
    };
    rows.iter().map(one).collect()
}

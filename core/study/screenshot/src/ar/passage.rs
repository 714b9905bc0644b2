//! What an autoregressive model learns from: a context, drawn or in words, and the text after it.

use crate::{
    ScreenshotError,
    ar::facts::{LINES, facts},
    bpe::{Bpe, END},
    model::ar::Context,
    render::{Renderer, Scratch, Screenshot},
    train::{corpus::Corpus, examples::picture},
};
use vitrine_core::train::rng::Stream;

/// Where passages come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// [`facts`]: pages and questions made by rule.
    Facts,
    /// Stretches of text, cut in two: the first `drawn` bytes are the context.
    Text { corpus: &'a Corpus, drawn: usize, text: usize },
}

/// A context in both forms, and the text after it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Passage {
    /// All patches of the drawn context, and how many are attended to.
    pub patches: Vec<f32>,
    pub attended: usize,
    /// The context in words.
    pub words: Vec<u32>,
    pub text: Vec<u32>,
    /// Which tokens of the text perplexity is measured on.
    pub counts: Vec<bool>,
}

impl Passage {
    /// Draws a context.
    ///
    /// # Errors
    /// What the renderer refuses.
    pub fn new(
        bpe: &Bpe,
        renderer: &Renderer,
        scratch: &mut Scratch,
        context: &str,
        parts: &[(Vec<u32>, bool)],
    ) -> Result<Self, ScreenshotError> {
        let mut shot = Screenshot::default();
        renderer.render_into(context.as_bytes(), scratch, &mut shot)?;
        let drawn = picture(&shot);
        Ok(Self {
            patches: drawn.patches,
            attended: drawn.attended,
            words: bpe.encode(context).iter().map(|token| token.id).collect(),
            text: parts.iter().flat_map(|(ids, _)| ids.iter().copied()).collect(),
            counts: parts.iter().flat_map(|(ids, counts)| vec![*counts; ids.len()]).collect(),
        })
    }

    /// The drawn context.
    #[must_use]
    pub fn picture(&self) -> Context<'_> {
        Context::Picture(&self.patches, self.attended)
    }
}

impl Source<'_> {
    /// The passage of one stream; `ease` is 0 for the shortest contexts and 1 for whole ones.
    ///
    /// # Errors
    /// What the renderer refuses.
    pub fn passage(
        &self,
        bpe: &Bpe,
        renderer: &Renderer,
        scratch: &mut Scratch,
        ease: f64,
        random: &mut Stream,
    ) -> Result<Passage, ScreenshotError> {
        let ids = |text: &str| -> Vec<u32> { bpe.encode(text).iter().map(|token| token.id).collect() };
        match *self {
            Self::Facts => {
                let lines = (1.0 + (LINES - 1) as f64 * ease).round() as usize;
                let (page, parts) = facts(lines, random);
                let mut parts: Vec<(Vec<u32>, bool)> = parts.iter().map(|(text, answer)| (ids(text), *answer)).collect();
                parts.push((vec![END], false));
                Passage::new(bpe, renderer, scratch, &page, &parts)
            }
            Self::Text { corpus, drawn, text } => {
                let share = |bytes: usize| ((bytes as f64 * (ease + (1.0 - ease) / LINES as f64)) as usize).max(8);
                let (drawn, text) = (share(drawn), share(text));
                let stretch = corpus.stretch(bpe, drawn + text, random);
                let mut bytes = 0;
                let split = stretch.iter().take_while(|&&id| {
                    bytes += bpe.piece(id).len();
                    bytes <= drawn
                });
                let (before, after) = stretch.split_at(split.count());
                Passage::new(bpe, renderer, scratch, bpe.decode(before).trim_start(), &[(after.to_vec(), true)])
            }
        }
    }
}

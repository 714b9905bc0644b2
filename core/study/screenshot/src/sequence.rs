//! Texts as the decoders see them: hidden words, shifted labels, and the autoregressive model's line of tokens.

use super::{
    losses::IGNORE,
    render::config::{MASK, PREFIX},
};

/// Runs of adjacent masks as one: a drawn gap does not say how many tokens it hides.
#[must_use]
pub fn collapse_masks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, piece) in text.split(MASK).enumerate() {
        if number > 0 && !out.ends_with(MASK) {
            out.push_str(MASK);
        }
        out.push_str(piece);
    }
    out
}

/// The line that is drawn for pre-training, newline tokens and prefix written out as the renderer draws them.
#[must_use]
pub fn drawn_text(text: &str) -> String {
    format!("{PREFIX}{}", collapse_masks(text).replace('\n', "//"))
}

/// What the text decoder gets for the labels of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderInputs {
    pub ids: Vec<u32>,
    pub attention: Vec<bool>,
    /// Learned positions begin at 2; 1 is that of padding.
    pub positions: Vec<usize>,
    /// The labels, with padding ignored.
    pub labels: Vec<i64>,
}

impl DecoderInputs {
    /// Labels shifted right behind `start`.
    #[must_use]
    pub fn new(labels: &[u32], start: u32, pad: u32) -> Self {
        let ids: Vec<u32> = std::iter::once(start).chain(labels.iter().copied()).take(labels.len()).collect();
        let attention: Vec<bool> = ids.iter().map(|&id| id != pad).collect();
        let mut seen = 0;
        let place = |&attended: &bool| {
            seen += usize::from(attended);
            if attended { seen + 1 } else { 1 }
        };
        let positions = attention.iter().map(place).collect();
        let labels = labels.iter().map(|&id| if id == pad { IGNORE } else { i64::from(id) }).collect();
        Self { ids, attention, positions, labels }
    }
}

/// Token numbers of the autoregressive model's line.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct ArIds {
    pub bos: u32,
    #[serde(rename = "img")]
    pub image: u32,
    #[serde(rename = "/img")]
    pub image_end: u32,
    pub patch: u32,
    #[serde(rename = "nl")]
    pub newline: u32,
}

/// BOS, `<img>`, the patches of each row and a newline token, `</img>`, the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArLayout {
    pub ids: Vec<u32>,
    pub attention: Vec<bool>,
    /// Which patch stands where a patch token does.
    pub patch: Vec<Option<usize>>,
    /// The token to predict at each position but the last; image tokens count for nothing, newline tokens do.
    pub text_target: Vec<i64>,
    /// Whether the next position is an attended patch.
    pub pixel_target: Vec<bool>,
}

impl ArLayout {
    /// The line of a picture of `rows` by `columns` patches and a text, cut at `limit` positions.
    #[must_use]
    pub fn new(rows: usize, columns: usize, attended: &[bool], text: &[u32], ids: ArIds, limit: usize) -> Self {
        let mut line: Vec<(u32, bool, Option<usize>)> = vec![(ids.bos, true, None), (ids.image, true, None)];
        for row in 0..rows {
            let patches = row * columns..(row + 1) * columns;
            line.extend(patches.map(|patch| (ids.patch, attended.get(patch).copied().unwrap_or(false), Some(patch))));
            line.push((ids.newline, true, None));
        }
        line.push((ids.image_end, true, None));
        line.extend(text.iter().map(|&id| (id, true, None)));
        line.truncate(limit);
        let counts = |&(id, ..): &(u32, bool, Option<usize>)| ![ids.bos, ids.image, ids.image_end, ids.patch].contains(&id);
        Self {
            ids: line.iter().map(|&(id, ..)| id).collect(),
            attention: line.iter().map(|&(_, attended, _)| attended).collect(),
            patch: line.iter().map(|&(.., patch)| patch).collect(),
            text_target: line.iter().skip(1).map(|next| if counts(next) { i64::from(next.0) } else { IGNORE }).collect(),
            pixel_target: line.iter().skip(1).map(|&(_, attended, patch)| attended && patch.is_some()).collect(),
        }
    }
}

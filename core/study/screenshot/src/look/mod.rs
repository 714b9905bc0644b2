//! A screenshot model looked into: what it is given of a text, what it redraws, what it reads, and where it looks.
//!
//! **Idea.** A loss says how well a model reads on average. Here one text is damaged as in pre-training, or by hand, and everything that the model makes of it is laid out: each hidden patch
//! redrawn, each token with its probability, each token's view of the picture. **Method.** One forward over one picture ([`Looker::look`]), on the tape that also trains, with the attention
//! it keeps. The pixel decoder redraws patches standardised; they are shown with mean and variance of the true patch ([`destandardised`]), which the model does not know: contrast and grey
//! are borrowed, shapes are the model's. The text is read twice: by teacher forcing (every token given the true ones before it, as the loss counts it) and freely ([`reading::free`]).
//! **Source.** Gao et al. (2024), arXiv 2402.14073; He et al., "Masked Autoencoders" (2022), for the redrawing.

pub mod picture;
pub mod reading;
pub mod stress;
pub mod words;

use serde::{Deserialize, Serialize};

use self::{
    reading::{Free, Guess},
    stress::Stress,
    words::Words,
};
use super::{
    ScreenshotError,
    losses::destandardised,
    masks::{Bookkeeping, Hide, noise},
    model::{
        file::Trained,
        params::count,
        ptp::{Encoded, Picture, Ptp},
        tape::{Calls as _, Tape},
    },
    render::{FontSources, RenderConfig, Renderer, Screenshot, Style},
    train::{examples::Damage, objective::pixel_targets},
};
use vitrine_core::train::rng::Stream;

/// Name of the stream that hidden patches are drawn from.
pub const PATCHES: &str = "studio masks";
/// Most numbers of attention that one look keeps.
const MOST_ATTENTION: usize = 1 << 27;

/// What is asked of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    pub text: String,
    /// Share of tokens behind the drawn mask.
    pub text_rate: f64,
    /// Share of patches hidden.
    pub patch_rate: f64,
    pub hide: Hide,
    pub seed: u64,
    /// Tokens masked by hand, in the place of those the seed draws; numbers that the text does not have count for nothing.
    pub masked: Option<Vec<usize>>,
    /// Patches hidden by hand, in the place of those the seed draws.
    pub hidden: Option<Vec<usize>>,
    pub stress: Stress,
    /// Whether the text is read freely too.
    pub free: bool,
}

impl Default for Asked {
    /// The published damage.
    fn default() -> Self {
        let Damage { text_rate, patch_rate, hide } = Damage::default();
        Self {
            text: String::new(),
            text_rate,
            patch_rate,
            hide,
            seed: 0,
            masked: None,
            hidden: None,
            stress: Stress::default(),
            free: true,
        }
    }
}

/// One token of the text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenSeen {
    pub id: u32,
    /// Its letters; what is no whole character is U+FFFD.
    pub text: String,
    /// Its bytes in the text.
    pub bytes: [usize; 2],
    /// Behind the drawn mask.
    pub masked: bool,
    /// In the picture, so that the model is asked for it.
    pub drawn: bool,
    /// Nats of the token given the picture and the true tokens before it; none for what was not drawn.
    pub log_prob: Option<f64>,
    /// The likeliest tokens here, best first.
    pub top: Vec<Guess>,
    /// Where the last layer of the text decoder looks when this token is to be written, mean over its heads.
    pub attention: Option<Attention>,
}

/// One patch of the picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchSeen {
    /// Bytes of the text under it, and the one after the last; of masked tokens all. Equal where there are none.
    pub bytes: [usize; 2],
    /// Tokens under it.
    pub tokens: Vec<usize>,
    pub attended: bool,
    pub hidden: bool,
    /// Squared error in deviations of the true patch; 1 is what grey all over costs. None for what is not redrawn.
    pub loss: Option<f64>,
    /// Where the encoder's last layer looks from here, mean over its heads; none for what it does not see.
    pub attention: Option<Attention>,
}

/// Shares of attention, summing to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attention {
    /// What goes to CLS.
    pub cls: f32,
    /// A share a patch; 0 for hidden ones and beyond the end.
    pub patches: Vec<f32>,
}

/// Means over what counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Means {
    /// Nats a drawn token; none without one.
    pub text: Option<f64>,
    /// Of masked tokens alone.
    pub masked: Option<f64>,
    /// Of hidden patches.
    pub pixel: Option<f64>,
}

/// Everything a model makes of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Look {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Height and width of a patch.
    pub patch: [u32; 2],
    /// Patches attended to.
    pub attended: usize,
    /// The patch of the end marker, or the number of patches.
    pub end_patch: usize,
    /// The text as it was drawn, masks written out, stress included.
    pub drawn: String,
    /// Whether all of the text found room.
    pub all_drawn: bool,
    pub tokens: Vec<TokenSeen>,
    pub patches: Vec<PatchSeen>,
    pub loss: Means,
    /// The text as the model writes it with nothing but the picture and its own words.
    pub free: Option<Free>,
    /// The undamaged text, what the encoder gets (hidden patches still in it), and the same with hidden patches redrawn: grey, `[height, width]`.
    #[serde(skip)]
    pub pictures: Pictures,
}

/// Grey pixels, `[height, width]` each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures {
    pub original: Vec<u8>,
    pub given: Vec<u8>,
    pub redrawn: Vec<u8>,
}

/// A model ready to be asked, with the eye it was trained with.
#[derive(Debug)]
pub struct Looker<'f> {
    pub trained: Trained,
    ptp: Ptp,
    renderer: Renderer,
    sources: FontSources<'f>,
}

/// Which of `n` patches pre-training would hide at this rate and seed.
#[must_use]
pub fn hidden_patches(n: usize, rate: f64, hide: Hide, seed: u64) -> Vec<bool> {
    let rate = if rate.is_finite() { rate.clamp(0.0, 1.0) } else { 0.0 };
    Bookkeeping::new(&noise(hide, n, rate, &mut Stream::new(seed, PATCHES, 0)), rate).mask
}

impl<'f> Looker<'f> {
    /// A model with fonts for its eye.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] where it learned other glyphs (unless `allow_mismatch`) or is too large to be looked into.
    pub fn new(trained: Trained, sources: FontSources<'f>, allow_mismatch: bool) -> Result<Self, ScreenshotError> {
        let config = &trained.config;
        let rows = config.patches + 1;
        let of = |layers: usize, heads: usize, queries: usize, keys: usize| {
            layers.saturating_mul(heads).saturating_mul(queries).saturating_mul(keys)
        };
        let vision = of(config.encoder.layers, config.encoder.heads, rows, rows).saturating_add(of(
            config.pixel.layers,
            config.pixel.heads,
            rows,
            rows,
        ));
        let text = of(config.text.layers, config.text.heads, config.tokens, config.tokens.saturating_add(rows));
        if vision.saturating_add(text) > MOST_ATTENTION {
            return Err(ScreenshotError::BadModel(format!(
                "{} patches and {} tokens are too many to look at",
                config.patches, config.tokens
            )));
        }
        let renderer = trained.renderer_with(&sources, allow_mismatch)?;
        Ok(Self { ptp: Ptp::new(trained.config.clone()), trained, renderer, sources })
    }

    /// The same shape, words and eye with fresh numbers: a model that has learned nothing.
    #[must_use]
    pub fn untrained(mut self, seed: u64) -> Self {
        self.trained.params = self.ptp.init(seed);
        self
    }

    /// Numbers of the model.
    #[must_use]
    pub fn numbers(&self) -> usize {
        count(&self.trained.params.specs)
    }

    /// The picture of the text alone, and what it is drawn with under stress.
    fn render(&self, text: &[u8], stress: &Stress) -> Result<Screenshot, ScreenshotError> {
        let Some(font_px) = stress.font_px else { return Ok(self.renderer.render(text)?) };
        let config = RenderConfig { style: Style::Proportional, font_px, ..self.trained.render.clone() };
        Ok(Renderer::new(config, &self.sources)?.render(text)?)
    }

    /// Looks at one text.
    ///
    /// # Errors
    /// [`ScreenshotError::BadConfig`] for rates that are none, [`ScreenshotError::BadModel`] where losses are no numbers, and what the renderer refuses.
    pub fn look(&self, asked: &Asked) -> Result<Look, ScreenshotError> {
        let share = |rate: f64| (0.0..=1.0).contains(&rate);
        if !share(asked.text_rate) || !share(asked.patch_rate) {
            return Err(ScreenshotError::BadConfig("the rates of hidden words and patches have to be 0 to 1".to_owned()));
        }
        asked.stress.check()?;
        let config = &self.ptp.config;
        let text = words::bounded(&asked.text, config.patches);
        let words = Words::new(&self.trained.bpe, text, asked);
        let original = self.renderer.render(text)?;
        let mut shot = self.render(words.drawn.as_bytes(), &asked.stress)?;
        asked.stress.on_pixels(&mut shot, asked.seed);
        let tokens = words.ends().partition_point(|&end| end <= shot.report.rendered_bytes).min(config.tokens);
        let hidden = match &asked.hidden {
            Some(own) => (0..config.patches).map(|patch| own.contains(&patch)).collect(),
            None => hidden_patches(config.patches, asked.patch_rate, asked.hide, asked.seed),
        };
        let picture = Picture { patches: shot.patches_f32(), attended: shot.report.attended, hidden };

        let mut tape = Tape::new(&self.trained.params.mats);
        let pictures = [picture];
        let encoded = self.ptp.encode(&mut tape, &pictures);
        let [picture] = pictures;
        let (losses, redrawn) = self.redraw(&mut tape, &encoded, &picture, &shot);
        let labels: Vec<u32> = words.tokens.iter().take(tokens).map(|token| token.id).collect();
        let read = reading::forced(&self.ptp, &mut tape, &encoded, &labels);
        let free = asked.free.then(|| reading::free(&self.ptp, &mut tape, &encoded, &self.trained.bpe, &read));

        let rows = encoded.rows.first().map(Vec::as_slice).unwrap_or_default();
        let whole = asked.text.len() == text.len() && shot.report.all_rendered && tokens == words.tokens.len();
        let seen = |number: usize| {
            let (token, read) = (words.tokens.get(number), read.get(number));
            let bytes = token.map_or([0; 2], |token| [token.start, token.end]);
            TokenSeen {
                id: token.map_or(0, |token| token.id),
                text: String::from_utf8_lossy(text.as_bytes().get(bytes[0]..bytes[1]).unwrap_or_default()).into_owned(),
                bytes,
                masked: words.masked.get(number).copied().unwrap_or(false),
                drawn: read.is_some(),
                log_prob: read.map(|read| read.log_prob),
                top: read
                    .map(|read| read.top.iter().map(|&(id, log_prob)| Guess::new(&self.trained.bpe, id, log_prob)).collect())
                    .unwrap_or_default(),
                attention: read.and_then(|read| spread(&read.attention, rows, config.patches)),
            }
        };
        let tokens_seen: Vec<TokenSeen> = (0..words.tokens.len()).map(seen).collect();
        let own = encoded.attention.map(|var| {
            picture::mean_heads(tape.attention_weights(var), config.encoder.heads, encoded.spans.first().map_or(0, ExactSizeIterator::len))
        });
        let patch_seen = |patch: usize| {
            let under = shot.bytes_under.get(patch).copied().unwrap_or_default();
            let (bytes, tokens) = words.under(under);
            let row = rows.get(patch).copied().flatten();
            PatchSeen {
                bytes,
                tokens,
                attended: patch < picture.attended,
                hidden: picture.hidden.get(patch).copied().unwrap_or(false),
                loss: losses.get(patch).copied().flatten(),
                attention: row.and_then(|row| own.as_ref()?.get(row)).and_then(|shares| spread(shares, rows, config.patches)),
            }
        };
        let patches = (0..config.patches).map(patch_seen).collect::<Vec<_>>();
        let loss = Means {
            text: mean(tokens_seen.iter().filter_map(|token| token.log_prob).map(|p| -p)),
            masked: mean(tokens_seen.iter().filter(|token| token.masked).filter_map(|token| token.log_prob).map(|p| -p)),
            pixel: mean(patches.iter().filter_map(|patch| patch.loss)),
        };
        if [loss.text, loss.pixel].into_iter().flatten().any(|loss| !loss.is_finite()) {
            return Err(ScreenshotError::BadModel("its numbers are so large that nothing it computes is one".to_owned()));
        }
        Ok(Look {
            width: shot.width,
            height: shot.height,
            patch: [shot.patch_height, shot.patch_width],
            attended: picture.attended,
            end_patch: shot.report.end_patch,
            drawn: words.drawn,
            all_drawn: whole,
            tokens: tokens_seen,
            patches,
            loss,
            free,
            pictures: Pictures { original: original.pixels, given: shot.pixels, redrawn },
        })
    }

    /// The loss of each hidden patch that counts, and the picture with them redrawn.
    fn redraw(&self, tape: &mut Tape<'_>, encoded: &Encoded, picture: &Picture, shot: &Screenshot) -> (Vec<Option<f64>>, Vec<u8>) {
        let length = self.ptp.config.patch_len;
        let (mut losses, mut pixels) = (vec![None; self.ptp.config.patches], shot.pixels.clone());
        let Some(redrawn) = self.ptp.redraw(tape, encoded) else { return (losses, pixels) };
        let targets = pixel_targets(std::slice::from_ref(picture), length);
        let errors = tape.squared_error(redrawn, &targets, 0.0);
        let errors = tape.value(errors).data.clone();
        for (row, (patch, error)) in picture.counted().zip(errors).enumerate() {
            if let Some(loss) = losses.get_mut(patch) {
                *loss = Some(f64::from(error));
            }
            let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
            let truth = wide(picture.patches.get(patch * length..(patch + 1) * length).unwrap_or_default());
            let values = destandardised(&wide(tape.value(redrawn).row(row)), &truth);
            picture::put(&mut pixels, shot, patch, &values);
        }
        (losses, pixels)
    }
}

/// Shares over rows of the encoder as shares over patches.
fn spread(shares: &[f32], rows: &[Option<usize>], patches: usize) -> Option<Attention> {
    let cls = *shares.first()?;
    let of = |patch: usize| rows.get(patch).copied().flatten().and_then(|row| shares.get(row)).copied().unwrap_or(0.0);
    Some(Attention { cls, patches: (0..patches).map(of).collect() })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

#[cfg(test)]
mod tests;

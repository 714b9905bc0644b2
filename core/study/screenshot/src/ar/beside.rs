//! One text after four contexts, side by side: nothing, its picture, another text's picture, the same text as words.
//!
//! **Idea.** What a picture is worth shows token by token: where the model looks something up, the true picture makes the token cheap, the wrong one and none leave it dear. **Method.** The
//! line of each context, the prompt and the target is read once; the target's tokens are scored as training's loss counts them (out of all tokens, those of pictures among them), and from
//! the end of the prompt the model writes on by itself ([`go_on_from`]). Means are over the same tokens for all contexts: those that count and that every line had room for.

use serde::{Deserialize, Serialize};

use super::go_on::{Choice, Stop, go_on_from};
use crate::{
    ScreenshotError,
    look::{
        reading::{Guess, top},
        words::bounded,
    },
    model::{
        ar::{Ar, ArConfig, Context, Line},
        file::Trained,
        params::count,
    },
    render::{FontSources, Renderer, Screenshot},
    train::examples::picture,
};

/// Most tokens that are written in one go, and most bytes of prompt and target together.
pub const MOST: usize = 4096;
/// Likeliest tokens listed at each token of the target.
const TOP: usize = 3;
/// Most numbers of attention that one line may take.
const MOST_ATTENTION: usize = 1 << 27;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// The text that came before.
    pub context: String,
    /// Another text, whose picture is the wrong one; none leaves that context out.
    pub other: Option<String>,
    /// The beginning of the text: given, not scored.
    pub prompt: String,
    /// The text that truly follows: scored. A space is put before it where the prompt ends a word and it begins one.
    pub target: String,
    /// Tokens of the target that means are taken over; all without. Numbers that it does not have count for nothing.
    pub counts: Option<Vec<usize>>,
    /// Most tokens to write.
    pub most: usize,
    pub choice: Choice,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            context: String::new(),
            other: None,
            prompt: String::new(),
            target: String::new(),
            counts: None,
            most: 32,
            choice: Choice::default(),
        }
    }
}

/// What comes before the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Nothing,
    Picture,
    /// Another text's picture.
    Wrong,
    Words,
}

/// One token of the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetToken {
    pub id: u32,
    pub text: String,
    /// Its bytes in what is scored ([`Beside::scored`]).
    pub bytes: [usize; 2],
    /// Whether means are taken over it.
    pub counts: bool,
}

/// A token of the target after one context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// Nats.
    pub log_prob: f64,
    /// The likeliest tokens here, best first.
    pub top: Vec<Guess>,
}

/// The text after one context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct After {
    pub kind: Kind,
    /// What the model writes after the prompt.
    pub continuation: String,
    pub tokens: Vec<Guess>,
    pub stop: Stop,
    /// The target's tokens, as many as the line had room for.
    pub target: Vec<Scored>,
    /// Mean nats of the tokens that count; none without one.
    pub nats: Option<f64>,
    pub perplexity: Option<f64>,
    /// This perplexity over the one after nothing.
    pub ratio: Option<f64>,
}

/// How a context was drawn.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Seen {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Height and width of a patch.
    pub patch: [u32; 2],
    /// Patches attended to.
    pub attended: usize,
    /// Bytes of the text that found room, of how many.
    pub bytes: [usize; 2],
    /// Grey, `[height, width]`.
    #[serde(skip)]
    pub pixels: Vec<u8>,
}

/// A text after each of the contexts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beside {
    /// The target as it was scored: with the space, where one was put before it.
    pub scored: String,
    pub target: Vec<TargetToken>,
    /// Tokens that means are taken over.
    pub counted: usize,
    /// Nothing, the picture, the wrong picture (where there is one), the words.
    pub after: Vec<After>,
    pub context: Seen,
    pub other: Option<Seen>,
}

/// A model ready to be asked, with the eye it was trained with.
#[derive(Debug)]
pub struct Writer {
    pub trained: Trained<ArConfig>,
    ar: Ar,
    renderer: Renderer,
}

/// The target behind a prompt: apart from it by a space where two words would become one.
fn joined(prompt: &str, target: &str) -> String {
    let ends = prompt.chars().next_back().is_some_and(|last| !last.is_whitespace());
    let begins = target.chars().next().is_some_and(char::is_alphanumeric);
    if ends && begins { format!(" {target}") } else { target.to_owned() }
}

impl Writer {
    /// A model with fonts for its eye.
    ///
    /// # Errors
    /// [`ScreenshotError::BadModel`] where it learned other glyphs (unless `allow_mismatch`), has no room for text after a picture, or is too large.
    pub fn new(trained: Trained<ArConfig>, sources: &FontSources<'_>, allow_mismatch: bool) -> Result<Self, ScreenshotError> {
        let ar = Ar { config: trained.config.clone() };
        let ArConfig { tower, limit, .. } = ar.config;
        let attention = limit.saturating_mul(limit).saturating_mul(tower.heads).saturating_mul(tower.layers);
        if attention > MOST_ATTENTION {
            return Err(ScreenshotError::BadModel(format!("{limit} places are too many to look at")));
        }
        if ar.header() >= limit {
            return Err(ScreenshotError::BadModel(format!("its {limit} places leave no room for text after a picture")));
        }
        let renderer = trained.renderer_with(sources, allow_mismatch)?;
        Ok(Self { trained, ar, renderer })
    }

    /// Numbers of the model.
    #[must_use]
    pub fn numbers(&self) -> usize {
        count(&self.trained.params.specs)
    }

    fn draw(&self, text: &str) -> Result<(Seen, Vec<f32>), ScreenshotError> {
        let shot: Screenshot = self.renderer.render(bounded(text, self.trained.render.patches()))?;
        let drawn = picture(&shot);
        let seen = Seen {
            width: shot.width,
            height: shot.height,
            patch: [shot.patch_height, shot.patch_width],
            attended: drawn.attended,
            bytes: [shot.report.rendered_bytes, text.len()],
            pixels: shot.pixels,
        };
        Ok((seen, drawn.patches))
    }

    /// Writes on, and scores the target, after each context.
    ///
    /// # Errors
    /// [`ScreenshotError::BadConfig`] for what cannot be asked, [`ScreenshotError::BadModel`] where losses are no numbers, and what the renderer refuses.
    pub fn ask(&self, asked: &Asked) -> Result<Beside, ScreenshotError> {
        asked.choice.check()?;
        if asked.most > MOST {
            return Err(ScreenshotError::BadConfig(format!("at most {MOST} tokens can be asked for")));
        }
        if asked.prompt.len() + asked.target.len() > MOST {
            return Err(ScreenshotError::BadConfig(format!("prompt and target have more than {MOST} bytes")));
        }
        let bpe = &self.trained.bpe;
        let (context, patches) = self.draw(&asked.context)?;
        let other = asked.other.as_deref().map(|text| self.draw(text)).transpose()?;
        // One more than the line can hold shows that it is cut.
        let mut words: Vec<u32> = bpe.encode(bounded(&asked.context, self.ar.config.limit)).iter().map(|token| token.id).collect();
        words.truncate(self.ar.config.limit);
        let scored = joined(&asked.prompt, &asked.target);
        let tokens = bpe.encode(&scored);
        let prompt: Vec<u32> = bpe.encode(&asked.prompt).iter().map(|token| token.id).collect();

        let mut contexts = vec![(Kind::Nothing, Context::Nothing), (Kind::Picture, Context::Picture(&patches, context.attended))];
        contexts.extend(other.as_ref().map(|(seen, patches)| (Kind::Wrong, Context::Picture(patches, seen.attended))));
        contexts.push((Kind::Words, Context::Text(&words)));
        let target: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let mut after: Vec<After> =
            contexts.into_iter().map(|(kind, context)| self.after(kind, context, &prompt, &target, asked)).collect::<Result<_, _>>()?;

        let room = after.iter().map(|after| after.target.len()).min().unwrap_or(0);
        let counts = |number: usize| number < room && asked.counts.as_ref().is_none_or(|own| own.contains(&number));
        let counted = (0..room).filter(|&number| counts(number)).count();
        for after in &mut after {
            let sum: f64 = after.target.iter().enumerate().filter(|(number, _)| counts(*number)).map(|(_, scored)| -scored.log_prob).sum();
            after.nats = (counted > 0).then(|| sum / counted as f64);
            after.perplexity = after.nats.map(f64::exp);
        }
        let nothing = after.first().and_then(|after| after.nats);
        for after in &mut after {
            after.ratio = after.nats.zip(nothing).map(|(own, nothing)| (own - nothing).exp());
        }
        let seen = |(number, token): (usize, &crate::bpe::Token)| TargetToken {
            id: token.id,
            text: String::from_utf8_lossy(scored.as_bytes().get(token.start..token.end).unwrap_or_default()).into_owned(),
            bytes: [token.start, token.end],
            counts: counts(number),
        };
        Ok(Beside {
            target: tokens.iter().enumerate().map(seen).collect(),
            scored: scored.clone(),
            counted,
            after,
            context,
            other: other.map(|(seen, _)| seen),
        })
    }

    fn after(&self, kind: Kind, context: Context<'_>, prompt: &[u32], target: &[u32], asked: &Asked) -> Result<After, ScreenshotError> {
        let (ar, params, bpe) = (&self.ar, &self.trained.params, &self.trained.bpe);
        let text: Vec<u32> = prompt.iter().chain(target).copied().collect();
        let line = Line::new(&ar.config, context, &text);
        let mut found = After {
            kind,
            continuation: String::new(),
            tokens: vec![],
            stop: Stop::Full,
            target: vec![],
            nats: None,
            perplexity: None,
            ratio: None,
        };
        if line.is_cut(prompt.len()) {
            return Ok(found);
        }
        let mut going = ar.begin(params, &line);
        let logits = ar.logits(params, &going, prompt.len()..going.text());
        for (row, &id) in target.iter().enumerate().take(logits.rows) {
            let row = logits.row(row);
            // Image tokens are never listed: enough are asked for that some remain.
            let (mut likeliest, normaliser) = top(row, TOP + row.len().saturating_sub(ar.config.vocab));
            likeliest.retain(|(id, _)| (*id as usize) < ar.config.vocab);
            likeliest.truncate(TOP);
            let log_prob = row.get(id as usize).map_or(f64::NEG_INFINITY, |&logit| f64::from(logit) - normaliser);
            if !log_prob.is_finite() {
                return Err(ScreenshotError::BadModel("its numbers are so large that nothing it computes is one".to_owned()));
            }
            found
                .target
                .push(Scored { log_prob, top: likeliest.into_iter().map(|(id, log_prob)| Guess::new(bpe, id, log_prob)).collect() });
        }
        going.back(prompt.len());
        let (written, stop) = go_on_from(ar, params, &mut going, asked.most, asked.choice);
        let ids: Vec<u32> = written.iter().map(|(id, _)| *id).collect();
        found.continuation = bpe.decode(&ids);
        found.tokens = written.into_iter().map(|(id, log_prob)| Guess::new(bpe, id, log_prob)).collect();
        found.stop = stop;
        Ok(found)
    }
}

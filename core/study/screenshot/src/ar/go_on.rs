//! Going on from a context: token by token, the likeliest or one drawn by chance.
//!
//! **Method.** The line is read once, then a row a token ([`Going`]). A temperature of 0 takes the likeliest token; above it log-probabilities are divided by it, and a token is drawn by
//! inverting the cumulative distribution in the order of ids. What is drawn at a place depends on the seed and the place alone, so that continuations after several contexts differ by what
//! the contexts say and not by chance. A token's log-probability is the model's own, whatever the temperature.

use serde::{Deserialize, Serialize};

use crate::{
    ScreenshotError,
    bpe::END,
    model::{
        Params,
        ar::{Ar, Context, Going, Line},
    },
};
use vitrine_core::{decode::scorer::log_sum_exp, train::rng::Stream};

/// Name of the stream that tokens are drawn from.
const STREAM: &str = "going on";

/// A written token and its log-probability, in nats.
pub type Written = (u32, f64);

/// How a token is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// 0 takes the likeliest.
    pub temperature: f64,
    pub seed: u64,
}

/// Why a continuation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// The model wrote the end token.
    End,
    /// As many tokens as were asked for.
    Most,
    /// The line is as long as it can be.
    Full,
}

impl Choice {
    /// # Errors
    /// A temperature that is none.
    pub fn check(&self) -> Result<(), ScreenshotError> {
        if self.temperature == 0.0 || (0.01..=10.0).contains(&self.temperature) {
            return Ok(());
        }
        Err(ScreenshotError::BadConfig("the temperature has to be 0 (the likeliest token) or 0.01 to 10".to_owned()))
    }

    /// One of the tokens with these log-probabilities, for a place.
    fn of(&self, next: &[f64], place: usize) -> usize {
        let likeliest = next.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (id, &x)| if x > best.1 { (id, x) } else { best });
        if self.temperature <= 0.0 {
            return likeliest.0;
        }
        let tempered = || next.iter().map(|x| x / self.temperature);
        let normalizer = log_sum_exp(likeliest.1 / self.temperature, tempered());
        let wanted = Stream::new(self.seed, STREAM, place as u64).uniform();
        let mut sum = 0.0;
        let found = tempered().position(|x| {
            sum += (x - normalizer).exp();
            wanted < sum
        });
        // Rounding may leave the sum a little under 1.
        found.unwrap_or(likeliest.0)
    }
}

/// At most `most` tokens after what was read, up to the end token.
pub fn go_on_from(ar: &Ar, params: &Params, going: &mut Going, most: usize, choice: Choice) -> (Vec<Written>, Stop) {
    let mut written = vec![];
    while written.len() < most {
        let Some(next) = ar.after(params, going) else { return (written, Stop::Full) };
        let id = choice.of(&next, written.len());
        written.push((id as u32, next[id]));
        if id as u32 == END {
            return (written, Stop::End);
        }
        if written.len() < most && !ar.go(params, going, id as u32) {
            return (written, Stop::Full);
        }
    }
    (written, Stop::Most)
}

/// At most `most` tokens after a context and the beginning of a text, up to the end token; none where both do not fit in a line.
#[must_use]
pub fn go_on(ar: &Ar, params: &Params, context: Context<'_>, begun: &[u32], most: usize, choice: Choice) -> (Vec<Written>, Stop) {
    let line = Line::new(&ar.config, context, begun);
    if line.is_cut(begun.len()) {
        return (vec![], Stop::Full);
    }
    go_on_from(ar, params, &mut ar.begin(params, &line), most, choice)
}

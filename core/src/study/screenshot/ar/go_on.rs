//! Going on from a context: the likeliest tokens, one by one.

use crate::study::screenshot::{
    bpe::END,
    model::{
        Params,
        ar::{Ar, Context, Line},
    },
};

/// A written token and its log-probability, in nats.
pub type Written = (u32, f64);

/// At most `most` tokens after a context and the beginning of a text, greedily, up to the end token. Every token reads the whole line again: lines are short.
#[must_use]
pub fn go_on(ar: &Ar, params: &Params, context: Context<'_>, begun: &[u32], most: usize) -> Vec<Written> {
    let mut text = begun.to_vec();
    let mut written = vec![];
    while written.len() < most {
        let line = Line::new(&ar.config, context, &text);
        if line.is_cut(text.len()) {
            break;
        }
        let Some(next) = ar.next(params, &[line]).and_then(|mut rows| rows.pop()) else { break };
        let best = next.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (id, &x)| if x > best.1 { (id, x) } else { best });
        let (id, log_prob) = (best.0 as u32, best.1);
        written.push((id, log_prob));
        if id == END {
            break;
        }
        text.push(id);
    }
    written
}

//! Greedy decoding: the likeliest token, each time.

use super::{
    Method,
    search::{DecodeError, Hypothesis, Search},
};

/// The likeliest token at each step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Greedy;

impl Method for Greedy {
    fn is_single(&self) -> bool {
        true
    }

    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError> {
        let mut live = vec![search.begin()?];
        let mut ended = vec![];
        while let Some(only) = live.first() {
            let best = search.best(only, 0, 1);
            let next = search.advance(&live, &best)?;
            live = next.live.into_iter().map(|(_, live)| live).collect();
            ended.extend(next.ended.into_iter().map(|(_, hypothesis)| hypothesis));
        }
        Ok(ended)
    }
}

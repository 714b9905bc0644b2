//! Which patches are hidden: their number, their draw, and the bookkeeping of who was where.
//!
//! **Method.** Every patch gets a noise; the patches with the least are kept. Single patches draw uniform noise. Spans (PIXEL's) are 1 to 6 patches long and stand apart by at least their own
//! length; their patches get 1 and every patch a jitter below 0.01, so that the number kept is exact whatever the spans came to.

use vitrine_core::train::rng::Stream;

/// How patches are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hide {
    Single,
    Span,
}

/// Cumulative weights of span lengths 1 to 6.
const LENGTHS: [f64; 6] = [0.2, 0.4, 0.6, 0.8, 0.9, 1.0];
/// Tries for the place of a span.
const TRIES: usize = 100;
/// Jitter stays below.
const JITTER: f64 = 0.01;

/// Patches kept of `n`.
#[must_use]
pub fn len_keep(n: usize, rate: f64) -> usize {
    (n as f64 * (1.0 - rate)) as usize
}

/// Who was where.
#[derive(Debug, Clone, PartialEq)]
pub struct Bookkeeping {
    /// Patches in ascending order of their noise.
    pub shuffle: Vec<usize>,
    /// Where each patch stands in it.
    pub restore: Vec<usize>,
    pub len_keep: usize,
    /// True for hidden patches.
    pub mask: Vec<bool>,
}

impl Bookkeeping {
    /// Keeps the patches with the least noise.
    #[must_use]
    pub fn new(noise: &[f64], rate: f64) -> Self {
        let mut shuffle: Vec<usize> = (0..noise.len()).collect();
        shuffle.sort_by(|&a, &b| noise[a].total_cmp(&noise[b]));
        let mut restore = vec![0; noise.len()];
        for (place, &patch) in shuffle.iter().enumerate() {
            restore[patch] = place;
        }
        let len_keep = len_keep(noise.len(), rate);
        let mask = restore.iter().map(|&place| place >= len_keep).collect();
        Self { shuffle, restore, len_keep, mask }
    }

    /// Patches kept, in the order of their noise.
    #[must_use]
    pub fn kept(&self) -> &[usize] {
        &self.shuffle[..self.len_keep]
    }

    /// What the decoder gets: what was encoded of kept patches (in their order), back in its places, and `hidden` elsewhere.
    #[must_use]
    pub fn decoder_sequence<T: Clone>(&self, encoded: &[T], hidden: &T) -> Vec<T> {
        self.restore.iter().map(|&place| encoded.get(place).unwrap_or(hidden).clone()).collect()
    }
}

/// Spans over `n` patches, until `wanted` are hidden or no place is found.
#[must_use]
pub fn spans(n: usize, wanted: usize, random: &mut Stream) -> Vec<bool> {
    let mut hidden = vec![false; n];
    let mut count = 0;
    while count < wanted {
        let drawn = random.uniform();
        let length = LENGTHS.iter().position(|&weight| drawn <= weight).map_or(LENGTHS.len(), |at| at + 1).min(wanted - count);
        let place = (0..TRIES).find_map(|_| {
            let start = random.below(n);
            let around = start.saturating_sub(length)..(start + 2 * length).min(n);
            (start + length <= n && !hidden[around].contains(&true)).then_some(start)
        });
        let Some(start) = place else { break };
        hidden[start..start + length].fill(true);
        count += length;
    }
    hidden
}

/// The noise of every patch.
#[must_use]
pub fn noise(hide: Hide, n: usize, rate: f64, random: &mut Stream) -> Vec<f64> {
    match hide {
        Hide::Single => (0..n).map(|_| random.uniform()).collect(),
        Hide::Span => {
            let hidden = spans(n, n - len_keep(n, rate), random);
            hidden.into_iter().map(|hidden| f64::from(u8::from(hidden)) + JITTER * random.uniform()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_as_many_are_hidden_as_asked() {
        for (seed, n, rate) in [(0, 511, 0.1), (1, 511, 0.25), (2, 40, 0.1), (3, 40, 0.5), (4, 7, 0.9), (5, 1, 0.5), (6, 0, 0.1)] {
            for hide in [Hide::Single, Hide::Span] {
                let draw = || Bookkeeping::new(&noise(hide, n, rate, &mut Stream::new(seed, "masks", 3)), rate);
                let found = draw();
                assert_eq!(found.mask.iter().filter(|&&hidden| hidden).count(), n - len_keep(n, rate), "{n} {rate}");
                assert_eq!(found, draw(), "the same seed hides the same patches");
                assert!(found.shuffle.iter().enumerate().all(|(place, &patch)| found.restore[patch] == place));
            }
        }
    }

    #[test]
    fn spans_are_short_and_stand_apart() {
        for step in 0..300 {
            let hidden = spans(511, 52, &mut Stream::new(9, "spans", step));
            assert!(hidden.iter().filter(|&&h| h).count() <= 52);
            let runs: Vec<(bool, usize)> = hidden.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
            assert!(runs.iter().all(|&(hidden, length)| !hidden || length <= 6));
            // Inside the picture the free stretch between two spans is as long as the later of them to be drawn, so at least as the shorter.
            for window in runs.windows(3).filter(|window| window[0].0) {
                assert!(window[1].1 >= window[0].1.min(window[2].1), "{window:?}");
            }
        }
    }

    /// Every patch is hidden equally often where patches are drawn one by one: within three and a half standard errors (511 patches, so three would fail now and then).
    #[test]
    fn single_patches_are_hidden_at_the_rate() {
        let (n, rate, draws) = (64, 0.25, 4000);
        let mut counts = vec![0.0; n];
        for step in 0..draws {
            let found = Bookkeeping::new(&noise(Hide::Single, n, rate, &mut Stream::new(2, "rate", step)), rate);
            counts.iter_mut().zip(&found.mask).for_each(|(count, &hidden)| *count += f64::from(u8::from(hidden)));
        }
        let error = (rate * (1.0 - rate) / draws as f64).sqrt();
        assert!(counts.iter().all(|count| (count / draws as f64 - rate).abs() < 3.5 * error));
    }
}

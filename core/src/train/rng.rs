//! Randomness as a function, not a state.
//!
//! **Idea.** Every random number is a pure function of (seed, stream name, step, index). Nothing hidden has to be saved: a resumed run,
//! another thread count or a skipped evaluation cannot shift what a later step draws.
//!
//! **Method.** (seed, name, step) are hashed to a 64-bit key (FNV-1a over the name, then SplitMix64 mixing); the numbers of the stream are SplitMix64
//! outputs of that key's counter. SplitMix64 is a bijection per step, so a stream of 2^64 numbers has no repeats.
//!
//! **Source.** Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014); Salmon et al. (2011) for the counter-based habit.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The random numbers of one (seed, name, step).
#[derive(Debug, Clone)]
pub struct Stream {
    counter: u64,
}

impl Stream {
    /// The stream of the given seed, name (what the numbers are for) and step (or example index).
    pub fn new(seed: u64, name: &str, step: u64) -> Self {
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
        let key = mix(mix(seed.wrapping_add(GOLDEN)) ^ hash);
        Self { counter: mix(key ^ mix(step.wrapping_mul(GOLDEN).wrapping_add(1))) }
    }

    /// The next 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(GOLDEN);
        mix(self.counter)
    }

    /// Uniform in the open interval (0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        ((self.u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller (one of the two, so that draws stay independent of how many are taken).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Uniform in `0..n`, without bias (multiplication and rejection); 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let reject_below = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.u64()) * u128::from(n);
            if wide as u64 >= reject_below {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// One item, uniformly; `None` from an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_functions_of_their_arguments_and_differ_in_each() {
        let take = |seed, name: &str, step| {
            (0..4)
                .map({
                    let mut s = Stream::new(seed, name, step);
                    move |_| s.u64()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(take(1, "mask", 5), take(1, "mask", 5));
        for other in [take(2, "mask", 5), take(1, "data", 5), take(1, "mask", 6)] {
            assert_ne!(take(1, "mask", 5), other);
        }
    }

    #[test]
    fn moments_and_counts_are_right() {
        let mut stream = Stream::new(3, "moments", 0);
        let n = 200_000;
        let normals: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let mut counts = [0; 7];
        for _ in 0..70_000 {
            counts[stream.below(7)] += 1;
        }
        assert!(counts.iter().all(|&c| (9_500..10_500).contains(&c)), "{counts:?}");
    }
}

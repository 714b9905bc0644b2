//! Which examples a training step draws: questions as they are, and ambiguous ones of each kind in fixed shares.

use serde::{Deserialize, Serialize};

use super::{super::sql::ambiguate::Kind, train::TrainConfig};
use vitrine_core::train::rng::Stream;

/// Shares of a batch, 0 to 1, by kind of ambiguity: columns, tables, joins, precomputed aggregates. The rest are questions as they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    pub c: f64,
    pub t: f64,
    pub j: f64,
    pub p: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { c: 0.15, t: 0.15, j: 0.14, p: 0.08 }
    }
}

impl Shares {
    /// No ambiguous questions.
    pub const NONE: Self = Self { c: 0.0, t: 0.0, j: 0.0, p: 0.0 };

    pub fn of(&self, kind: Kind) -> f64 {
        match kind {
            Kind::C => self.c,
            Kind::T => self.t,
            Kind::J => self.j,
            Kind::P => self.p,
        }
    }

    /// Reads `C=0.2,J=0.1` (kinds that are not named get 0), or `none`.
    ///
    /// # Errors
    /// What is no kind with its share.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut shares = Self::NONE;
        for part in text.split(',').map(str::trim).filter(|part| *part != "none") {
            let wrong = || format!("`{part}` is no kind (C, T, J, P) with its share, as in C=0.2");
            let (kind, share) = part.split_once('=').ok_or_else(wrong)?;
            let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong)?;
            *match Kind::from_name(kind).ok_or_else(wrong)? {
                Kind::C => &mut shares.c,
                Kind::T => &mut shares.t,
                Kind::J => &mut shares.j,
                Kind::P => &mut shares.p,
            } = share;
        }
        Ok(shares)
    }

    /// Whether all are shares, and no more than the whole together.
    pub fn is_sound(&self) -> bool {
        let all = [self.c, self.t, self.j, self.p];
        all.iter().all(|share| (0.0..=1.0).contains(share)) && all.iter().sum::<f64>() <= 1.0
    }
}

/// Examples that are drawn from by turns: all unambiguous ones, and those of each kind of ambiguity.
pub struct Pools {
    /// Numbers of the examples, and their share of a batch.
    pools: Vec<(&'static str, Vec<usize>, f64)>,
}

impl Pools {
    /// Of examples with these kinds, none for unambiguous ones.
    pub fn new(kinds: &[Option<Kind>], readings: &Shares) -> Self {
        let of = |kind: Option<Kind>| (0..kinds.len()).filter(|&i| kinds[i] == kind).collect::<Vec<usize>>();
        let mut pools = vec![("order", of(None), 1.0)];
        for (name, kind) in [("order C", Kind::C), ("order T", Kind::T), ("order J", Kind::J), ("order P", Kind::P)] {
            pools.push((name, of(Some(kind)), readings.of(kind)));
        }
        // Where there is nothing to draw from, the unambiguous ones stand in; and the other way round.
        let given: f64 = pools[1..].iter().filter(|(_, pool, _)| !pool.is_empty()).map(|(.., share)| share).sum();
        pools[0].2 = 1.0 - given;
        if pools[0].1.is_empty() {
            pools[0].1 = (0..kinds.len()).collect();
        }
        pools.retain(|(_, pool, share)| !pool.is_empty() && *share > 0.0);
        Self { pools }
    }

    /// The examples of a step, each with a coin (whether its query has its plan in front). Each pool is gone through in an order that is shuffled anew whenever it is used up.
    pub fn batch(&self, config: &TrainConfig, step: u64) -> Vec<(usize, bool)> {
        let size = config.batch_size;
        let mut coin = Stream::new(config.seed, "planned", step);
        let mut drawn = Vec::with_capacity(size);
        // Of kinds first: what their shares leave is for the first pool.
        let before = |step: u64| -> Vec<usize> {
            let all = step as usize * size;
            let mut counts: Vec<usize> = self.pools.iter().map(|(.., share)| (all as f64 * share).floor() as usize).collect();
            let kinds: usize = counts.iter().skip(1).sum();
            if let Some(first) = counts.first_mut() {
                *first = all - kinds.min(all);
            }
            counts
        };
        for (((name, pool, _), from), to) in self.pools.iter().zip(before(step)).zip(before(step + 1)) {
            let mut order: Option<(usize, Vec<usize>)> = None;
            for at in from..to {
                let epoch = at / pool.len();
                let shuffled = if let Some(order) = order.take().filter(|(of, _)| *of == epoch) {
                    order
                } else {
                    let mut all = pool.clone();
                    Stream::new(config.seed, name, epoch as u64).shuffle(&mut all);
                    (epoch, all)
                };
                drawn.push((shuffled.1[at % pool.len()], coin.uniform() < 0.5));
                order = Some(shuffled);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_every_example_comes_once_a_round() {
        let kinds: Vec<Option<Kind>> = (0..40).map(|i| if i < 30 { None } else { Some(Kind::J) }).collect();
        let shares = Shares { j: 0.25, c: 0.5, ..Shares::NONE };
        let (pools, config) = (Pools::new(&kinds, &shares), TrainConfig { batch_size: 10, ..TrainConfig::default() });
        // There is no example of kind C, so its share goes to the questions as they are.
        let drawn: Vec<usize> = (0..16).flat_map(|step| pools.batch(&config, step)).map(|(i, _)| i).collect();
        assert_eq!((drawn.len(), drawn.iter().filter(|&&i| i >= 30).count()), (160, 40));
        assert!((0..40).all(|i| drawn.iter().filter(|&&j| j == i).count() == 4), "each four times");
        assert_eq!(pools.batch(&config, 3), Pools::new(&kinds, &shares).batch(&config, 3));
        let alone = Pools::new(&kinds[30..], &Shares::NONE);
        assert_eq!(alone.batch(&config, 0).len(), 10);
    }

    #[test]
    fn shares_are_read_by_kind() {
        assert_eq!(Shares::read("C=0.2, p=0.1"), Ok(Shares { c: 0.2, p: 0.1, ..Shares::NONE }));
        assert_eq!(Shares::read("none"), Ok(Shares::NONE));
        for bad in ["", "C", "C=x", "Q=0.1", "C=1.5"] {
            assert!(Shares::read(bad).is_err(), "{bad}");
        }
        assert!(!Shares { c: 0.6, t: 0.6, ..Shares::NONE }.is_sound());
    }
}

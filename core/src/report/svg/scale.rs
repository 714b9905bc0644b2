//! From values to places, and the values worth a tick.
//!
//! Linear axes get ticks at 1, 2 or 5 times a power of ten; logarithmic ones at powers of ten, with 2 and 5 between them
//! when few powers are in sight. All arithmetic is done on halves, so that a range from the smallest to the largest
//! double does not overflow.

use super::super::numbers::{brief, fixed, scientific};
use crate::findings::{Axis, Scale as Kind};

/// Where a value lies between two places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    /// Distance of ticks that the ends were rounded to; zero where they were not.
    step: f64,
}

/// A tick: its value and its words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

impl Scale {
    /// A scale that holds all values and the axis's own range; `round` widens a linear one to whole ticks.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, target: usize, round: bool) -> Self {
        let own = axis.range.iter().flatten().copied();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.chain(own) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = if axis.scale == Kind::Log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        if axis.scale == Kind::Log {
            if low >= high {
                (low, high) = ((low / 2.0).max(f64::MIN_POSITIVE), (high * 2.0).min(f64::MAX));
            }
            return Self { kind: Kind::Log, low, high, from: 0.0, to: 1.0, step: 0.0 };
        }
        let mut chosen = 0.0;
        if low >= high {
            let pad = if low == 0.0 { 1.0 } else { low.abs() / 10.0 };
            (low, high) = ((low - pad).max(f64::MIN), (high + pad).min(f64::MAX));
        }
        if round {
            if low > 0.0 && low < high / 2.0 {
                low = 0.0;
            }
            if high < 0.0 && high > low / 2.0 {
                high = 0.0;
            }
            let step = step(low, high, target);
            if step > 0.0 {
                chosen = step;
                let fixed_low = axis.range.is_some_and(|[at, _]| at <= low);
                let fixed_high = axis.range.is_some_and(|[_, at]| at >= high);
                // A little slack, so that 0.30000000000000004 does not open another step.
                let (down, up) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
                if down.is_finite() && !fixed_low {
                    low = down.min(low);
                }
                if up.is_finite() && !fixed_high {
                    high = up.max(high);
                }
            }
        }
        Self { kind: Kind::Linear, low, high, from: 0.0, to: 1.0, step: chosen }
    }

    /// The same scale between two places.
    pub(super) fn between(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// The place of a value.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.kind {
            Kind::Linear => (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0),
            Kind::Log => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        };
        // A range of a few subnormals can divide zero by zero.
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        self.from + share * (self.to - self.from)
    }

    /// About `target` ticks inside the scale.
    pub(super) fn ticks(&self, target: usize) -> Vec<Tick> {
        match self.kind {
            Kind::Linear => {
                let step = if self.step > 0.0 { self.step } else { step(self.low, self.high, target) };
                linear_ticks(self.low, self.high, step)
            }
            Kind::Log => log_ticks(self.low, self.high, target),
        }
    }
}

fn step(low: f64, high: f64, target: usize) -> f64 {
    let raw = (high / 2.0 - low / 2.0) / target.clamp(2, 20) as f64 * 2.0;
    let unit = 10f64.powf(raw.log10().floor());
    let Some(times) = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| raw <= times * unit * (1.0 + 1e-9)) else {
        return 0.0;
    };
    let step = times * unit;
    if step.is_normal() { step } else { 0.0 }
}

fn linear_ticks(low: f64, high: f64, step: f64) -> Vec<Tick> {
    let first = (low / step - 1e-9).ceil();
    if step == 0.0 || !first.is_finite() {
        return [low, high].into_iter().map(|value| Tick { value, label: brief(value) }).collect();
    }
    let slack = step * 1e-9;
    let values = (0..30u32).map(|index| (first + f64::from(index)) * step).take_while(|value| value.is_finite() && *value <= high + slack);
    // Between -308 and 308.
    let digits = (-(step.log10() + 1e-9).floor()) as i32;
    let size = low.abs().max(high.abs());
    values
        .map(|value| {
            let value = if value.abs() < slack { 0.0 } else { value };
            let label = match usize::try_from(digits.max(0)) {
                _ if value == 0.0 => "0".to_owned(),
                Ok(digits) if digits <= 5 && size < 1e7 => fixed(value, digits),
                _ => scientific(value, 3),
            };
            Tick { value, label }
        })
        .collect()
}

fn log_ticks(low: f64, high: f64, target: usize) -> Vec<Tick> {
    // Exponents of doubles lie between -324 and 308.
    let (first, last) = ((low.log10() + 1e-9).floor() as i32, (high.log10() - 1e-9).ceil() as i32);
    let decades = usize::try_from(last - first).unwrap_or(1).max(1);
    let times: &[f64] = if decades <= 1 {
        &[1.0, 2.0, 3.0, 5.0, 7.0]
    } else if decades * 2 <= target {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let stride = decades.div_ceil(target.max(2)).max(1);
    let mut ticks = Vec::new();
    for exponent in (first..=last).step_by(stride) {
        for times in times {
            // The nearest double, read by the JSON reader: the standard library's brings 10 kB of powers into the page.
            let value = serde_json::from_str::<f64>(&format!("{times}e{exponent}")).unwrap_or(0.0);
            if value >= low * (1.0 - 1e-9) && value <= high * (1.0 + 1e-9) && value > 0.0 {
                ticks.push(Tick { value, label: brief(value) });
            }
        }
    }
    if ticks.len() < 2 {
        ticks = [low, high].into_iter().map(|value| Tick { value, label: brief(value) }).collect();
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, low: f64, high: f64) -> Vec<String> {
        Scale::new(axis, [low, high].into_iter(), 5, true).ticks(5).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let linear = Axis::new("", "");
        assert_eq!(labels(&linear, 0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&linear, -3.0, 41.0), ["−10", "0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&linear, 0.0, 70_651.0), ["0", "20,000", "40,000", "60,000", "80,000"]);
        assert_eq!(labels(&linear.clone().log(), 1.0, 10_000.0), ["1", "10", "100", "1000", "10,000"]);
        assert_eq!(labels(&linear.log(), 1e-9, 1e-6), ["10⁻⁹", "10⁻⁸", "10⁻⁷", "10⁻⁶"]);
    }

    #[test]
    fn extreme_ranges_neither_hang_nor_leave_the_figure() {
        let tiny = f64::from_bits(1);
        for (low, high) in [(f64::MIN, f64::MAX), (0.0, tiny), (1e16, 1e16 + 2.0), (tiny, f64::MAX), (5.0, 5.0), (-0.0, 0.0)] {
            for axis in [Axis::new("", ""), Axis::new("", "").log()] {
                if axis.scale == Kind::Log && low <= 0.0 {
                    continue;
                }
                let scale = Scale::new(&axis, [low, high].into_iter(), 6, true).between(10.0, 110.0);
                assert!((10.0..=110.0).contains(&scale.place(low)) && (10.0..=110.0).contains(&scale.place(high)));
                let ticks = scale.ticks(6);
                assert!((1..=31).contains(&ticks.len()), "{low} {high}: {} ticks", ticks.len());
                assert!(ticks.iter().all(|tick| tick.value.is_finite() && tick.label.chars().count() < 25), "{low} {high}: {ticks:?}");
            }
        }
    }
}

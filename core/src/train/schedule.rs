//! Schedules as pure functions of the step.

/// Linear rise from 0 over `warm_up` steps, then linear fall to 0 at `steps` (Hugging Face's "linear" schedule). `step` counts from 0.
pub fn linear_with_warm_up(step: u64, warm_up: u64, steps: u64) -> f64 {
    if step < warm_up {
        step as f64 / warm_up.max(1) as f64
    } else {
        (steps.saturating_sub(step)) as f64 / (steps.saturating_sub(warm_up)).max(1) as f64
    }
}

/// Linear rise from 0 to `target` over `warm_up` steps, then constant. `step` counts from 0.
pub fn ramp(step: u64, warm_up: u64, target: f64) -> f64 {
    if step >= warm_up { target } else { target * step as f64 / warm_up as f64 }
}

/// Linear rise from 0 to `peak` over `warm_up` steps, then half a cosine down to `floor` at `steps`. `step` counts from 0.
pub fn cosine_with_warm_up(step: u64, warm_up: u64, steps: u64, [peak, floor]: [f64; 2]) -> f64 {
    if step < warm_up {
        return peak * step as f64 / warm_up as f64;
    }
    let done = (step.min(steps) - warm_up.min(steps)) as f64 / (steps.saturating_sub(warm_up)).max(1) as f64;
    floor + (peak - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners() {
        assert_eq!([0, 5, 10, 55, 100, 200].map(|s| cosine_with_warm_up(s, 10, 100, [2.0, 1.0])), [0.0, 1.0, 2.0, 1.5, 1.0, 1.0]);
        assert_eq!([0, 100, 200, 1600, 3000].map(|s| linear_with_warm_up(s, 200, 3000)), [0.0, 0.5, 1.0, 0.5, 0.0]);
        assert_eq!([0, 1250, 2500, 2999].map(|s| ramp(s, 2500, 0.9)), [0.0, 0.45, 0.9, 0.9]);
        assert_eq!((linear_with_warm_up(0, 0, 10), ramp(0, 0, 0.5)), (1.0, 0.5));
    }
}

//! The circuit-localisation figures of the Mechanistic Interpretability Benchmark (MIB).
//!
//! **Method.** `f(k) = (m(C_k) − m(∅)) / (m(N) − m(∅))`, with m the mean logit difference, N the full model, ∅ the circuit without edges (everything
//! corrupted) and C_k a circuit with at most ⌊k·edges⌋ edges, at ten sizes k. CPR is the area under f, CMD the area under |1 − f|, both by the
//! trapezoid rule between neighbouring sizes on a linear k axis, from k = 0.001 to k = 1 as the public code integrates: nothing is added
//! for k below 0.001, so a perfect circuit has CPR 0.999 and CMD 0. The widths are those of the nominal k, not of the edges really kept.
//! ⌊k·edges⌋ is the truncated double-precision product, as there.
//!
//! **Source.** Mueller et al., "MIB: A Mechanistic Interpretability Benchmark" (2025), section 3, and its public evaluation code.

use serde::Serialize;
use thiserror::Error;

/// The sizes, as shares of all edges.
pub const SIZES: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Edges allowed at a size: the truncated product.
pub fn edges_at(size: f64, n_edges: usize) -> usize {
    (size * n_edges as f64) as usize
}

/// One point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MibPoint {
    /// Share of edges allowed.
    pub size: f64,
    /// Edges allowed.
    pub edges_allowed: usize,
    /// Edges of the circuit that was measured.
    pub edges: usize,
    /// Its metric.
    pub value: f64,
    /// Its faithfulness.
    pub f: f64,
}

/// Faithfulness over sizes and its areas.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MibCurve {
    /// The points, by size.
    pub points: Vec<MibPoint>,
    /// Circuit performance ratio: area under f (higher is better).
    pub cpr: f64,
    /// Circuit-model distance: area under |1 − f| (0 is best).
    pub cmd: f64,
    /// Plain mean of f.
    pub mean_f: f64,
}

/// Why a curve is not defined.
#[derive(Debug, Error, Clone, Copy, PartialEq)]
pub enum MibError {
    #[error(
        "the full model's metric ({full}) equals that of the empty circuit ({empty}); the task does not tell them apart, so faithfulness is undefined"
    )]
    NoRange { full: f64, empty: f64 },
    #[error("the metric of circuit {index} is not a finite number")]
    NotFinite { index: usize },
    #[error("circuit {index} has {edges} edges, but size {size} allows {allowed}")]
    TooManyEdges { index: usize, edges: usize, size: f64, allowed: usize },
    #[error("one circuit a size is needed: {got} given for {want} sizes")]
    Count { got: usize, want: usize },
}

/// The curve of circuits measured at each of [`SIZES`] in order, each as (edges, metric).
///
/// # Errors
/// [`MibError`].
pub fn curve(full: f64, empty: f64, n_edges: usize, measured: &[(usize, f64)]) -> Result<MibCurve, MibError> {
    if !full.is_finite() || !empty.is_finite() || full == empty {
        return Err(MibError::NoRange { full, empty });
    }
    if measured.len() != SIZES.len() {
        return Err(MibError::Count { got: measured.len(), want: SIZES.len() });
    }
    let mut points = Vec::with_capacity(SIZES.len());
    for (index, (&size, &(edges, value))) in SIZES.iter().zip(measured).enumerate() {
        let edges_allowed = edges_at(size, n_edges);
        if !value.is_finite() {
            return Err(MibError::NotFinite { index });
        }
        if edges > edges_allowed {
            return Err(MibError::TooManyEdges { index, edges, size, allowed: edges_allowed });
        }
        points.push(MibPoint { size, edges_allowed, edges, value, f: (value - empty) / (full - empty) });
    }
    let area = |height: &dyn Fn(&MibPoint) -> f64| -> f64 {
        points.windows(2).map(|w| (w[1].size - w[0].size) * (height(&w[0]) + height(&w[1])) / 2.0).sum()
    };
    let (cpr, cmd) = (area(&|p| p.f), area(&|p| (1.0 - p.f).abs()));
    let mean_f = points.iter().map(|p| p.f).sum::<f64>() / points.len() as f64;
    Ok(MibCurve { points, cpr, cmd, mean_f })
}

/// Binary circuits of any sizes, as (edges, metric): at each size stands the largest circuit that is allowed there (of equally large ones
/// the one with the higher metric), or the empty circuit where none is small enough. No circuit is chosen by its result otherwise.
///
/// # Errors
/// [`MibError`].
pub fn curve_of_circuits(full: f64, empty: f64, n_edges: usize, circuits: &[(usize, f64)]) -> Result<MibCurve, MibError> {
    if let Some(index) = circuits.iter().position(|circuit| !circuit.1.is_finite()) {
        return Err(MibError::NotFinite { index });
    }
    let largest = |size: f64| {
        let allowed = circuits.iter().copied().filter(|circuit| circuit.0 <= edges_at(size, n_edges));
        allowed.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).unwrap_or((0, empty))
    };
    curve(full, empty, n_edges, &SIZES.map(largest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Area by summing thin slices of the straight lines between points.
    fn brute(f: &dyn Fn(f64) -> f64) -> f64 {
        let slices = 20_000;
        SIZES
            .windows(2)
            .map(|w| {
                let step = (w[1] - w[0]) / f64::from(slices);
                let height = |x: f64| f(w[0]) + (f(w[1]) - f(w[0])) * (x - w[0]) / (w[1] - w[0]);
                (0..slices).map(|i| height(w[0] + (f64::from(i) + 0.5) * step) * step).sum::<f64>()
            })
            .sum()
    }

    #[test]
    fn areas_equal_fine_sums() {
        let f = |k: f64| (k * 40.0).sin() * 0.4 + 0.9;
        let n = 70_651;
        let measured = SIZES.map(|k| (edges_at(k, n), 1.5 + f(k) * 2.5));
        let got = curve(4.0, 1.5, n, &measured).unwrap();
        assert!((got.cpr - brute(&f)).abs() < 1e-9);
        assert!((got.cmd - brute(&|k| (1.0 - f(k)).abs())).abs() < 1e-9);
        assert_eq!(got.points[0].edges_allowed, 70);
    }

    #[test]
    fn full_is_one_and_empty_is_zero() {
        let n = 1000;
        let full = curve(3.0, -1.0, n, &SIZES.map(|k| (edges_at(k, n), 3.0))).unwrap();
        assert!((full.cpr - 0.999).abs() < 1e-12 && full.cmd == 0.0 && full.points.iter().all(|p| p.f == 1.0));
        let empty = curve(3.0, -1.0, n, &SIZES.map(|_| (0, -1.0))).unwrap();
        assert!(empty.cpr == 0.0 && (empty.cmd - 0.999).abs() < 1e-12);
    }

    #[test]
    fn circuits_stand_at_the_sizes_that_allow_them() {
        let got = curve_of_circuits(1.0, 0.0, 1000, &[(30, 0.5), (10, 0.9), (10, 0.7), (1000, 1.0)]).unwrap();
        let f: Vec<f64> = got.points.iter().map(|p| p.f).collect();
        assert_eq!(f, [0.0, 0.0, 0.0, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn undefined_curves_are_errors() {
        let flat = [(0, 1.0); 10];
        assert!(matches!(curve(1.0, 1.0, 10, &flat), Err(MibError::NoRange { .. })));
        assert_eq!(curve(2.0, 1.0, 10, &flat[1..]), Err(MibError::Count { got: 9, want: 10 }));
        assert!(matches!(curve(2.0, 1.0, 10, &[(1, 1.0); 10]), Err(MibError::TooManyEdges { index: 0, edges: 1, allowed: 0, .. })));
        assert_eq!(curve(2.0, 1.0, 10, &[(0, f64::NAN); 10]), Err(MibError::NotFinite { index: 0 }));
    }
}

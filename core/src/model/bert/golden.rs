//! Golden values of the sentence encoder MiniLM-L6, from an independent implementation in double precision of the same weights.

use super::{BertError, Sentences};
use crate::golden::Agreement;

/// Largest difference of a number of a vector and of a cosine.
const TOLERANCE: f64 = 1e-4;

const HOTEL: &str = "The hotel room was clean and quiet.";
/// Sentences with the first numbers of their vectors.
const VECTORS: [(&str, [f64; 8]); 2] = [
    ("Hello world", [-0.034_477, 0.031_023, 0.006_735, 0.026_109, -0.039_362, -0.160_302, 0.066_924, -0.006_441]),
    (HOTEL, [0.089_920, 0.023_737, 0.007_193, 0.099_814, 0.003_159, -0.043_729, 0.032_922, -0.111_063]),
];
/// Sentences with the cosine of their vector and the hotel room's.
const COSINES: [(&str, f64); 2] =
    [("Our room was tidy and there was no noise.", 0.555_534), ("The battery of this camera dies quickly.", 0.094_142)];

/// Compares token ids, vectors and cosines.
///
/// # Errors
/// When the sentences cannot be encoded.
pub fn golden(encoder: &Sentences) -> Result<Vec<Agreement>, BertError> {
    let [mut ids, mut vectors, mut cosines] = ["token ids", "sentence vectors", "cosines"].map(Agreement::of);
    ids.yes_or_no(encoder.tokens("Hello world")? == [101, 7592, 2088, 102], || "Hello world".into());
    for (text, expected) in VECTORS {
        let found = encoder.sentences(&[text])?.pop().unwrap_or_default();
        let off = expected.iter().zip(&found).map(|(e, &f)| (e - f64::from(f)).abs()).fold(0.0, f64::max);
        vectors.case(if found.len() < expected.len() { f64::NAN } else { off }, TOLERANCE, || text.into());
    }
    // All three at once: what is run beside a text must not change it.
    let all = encoder.sentences(&[HOTEL, COSINES[0].0, COSINES[1].0])?;
    for ((text, expected), vector) in COSINES.into_iter().zip(&all[1..]) {
        let cosine: f64 = all[0].iter().zip(vector).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        cosines.case((cosine - expected).abs(), TOLERANCE, || text.into());
    }
    Ok(vec![ids, vectors, cosines])
}

//! Shapes from a file: few dimensions, and a product that is checked.

use super::error::FormatError;

/// Most dimensions a tensor may have.
pub(crate) const MAX_RANK: usize = 8;

/// Number of elements of `shape`; `None` when the product leaves `u64`.
///
/// A zero dimension does not hide an overflow of the others, so the answer does not depend on order.
pub(crate) fn elements(shape: &[u64]) -> Option<u64> {
    let product = shape.iter().filter(|&&dim| dim != 0).try_fold(1u64, |product, &dim| product.checked_mul(dim))?;
    Some(if shape.contains(&0) { 0 } else { product })
}

/// `n` zeros, or an error instead of an abort when there is no memory for them.
pub(crate) fn zeros(what: impl FnOnce() -> String, n: Option<u64>) -> Result<Vec<f32>, FormatError> {
    let mut values: Vec<f32> = Vec::new();
    let room = n.and_then(|n| usize::try_from(n).ok()).filter(|&n| values.try_reserve_exact(n).is_ok());
    let Some(n) = room else {
        return Err(FormatError::invalid(what(), "no memory for its values on this machine"));
    };
    values.resize(n, 0.0);
    Ok(values)
}

/// A shape as indices of this machine.
pub(crate) fn to_usize(what: &str, shape: &[u64]) -> Result<Vec<usize>, FormatError> {
    shape
        .iter()
        .map(|&dim| usize::try_from(dim))
        .collect::<Result<_, _>>()
        .map_err(|_| FormatError::invalid(what, format!("shape {shape:?} is too large")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_seen_even_beside_a_zero() {
        assert_eq!(elements(&[]), Some(1));
        assert_eq!(elements(&[3, 4]), Some(12));
        assert_eq!(elements(&[3, 0]), Some(0));
        assert_eq!(elements(&[1 << 32, 1 << 32]), None);
        assert_eq!(elements(&[0, 1 << 32, 1 << 32]), None);
        assert_eq!(elements(&[1 << 32, 1 << 32, 0]), None);
    }
}

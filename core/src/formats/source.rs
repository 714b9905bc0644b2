//! Bytes at an offset: the only way a reader sees a file.
//!
//! A checkpoint can be larger than the memory of a browser tab, so readers never ask for the whole of
//! it. They know its length and fetch ranges: first the header, later one tensor at a time. Slices and
//! shared buffers implement the trait here; the file implementation lives in the native crate, and a
//! page wraps the blob of a file picker.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::error::FormatError;
use crate::findings::hex;

/// Random access to immutable bytes.
pub trait ByteSource {
    /// Number of bytes.
    fn len(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`FormatError::Truncated`] when the range reaches past the end, [`FormatError::Io`] when the
    /// storage fails. `buf` then holds unspecified bytes.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError>;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// SHA-256 of all bytes in lower-case hex, read a mebibyte at a time.
///
/// # Errors
/// [`FormatError::Io`] when the storage fails.
pub fn sha256(source: &dyn ByteSource) -> Result<String, FormatError> {
    const PIECE: u64 = 1 << 20;
    let mut hash = Sha256::new();
    let mut piece = vec![];
    let mut at = 0;
    while at < source.len() {
        let take = PIECE.min(source.len() - at);
        piece.resize(take as usize, 0);
        source.read_at(at, &mut piece)?;
        hash.update(&piece);
        at += take;
    }
    Ok(hex(&hash.finalize()))
}

impl ByteSource for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        let found =
            usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(buf.len())?)).and_then(|range| self.get(range));
        match found {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(FormatError::Truncated { what: "range".into(), offset, need: buf.len() as u64, len: <[u8]>::len(self) as u64 }),
        }
    }
}

impl ByteSource for Vec<u8> {
    fn len(&self) -> u64 {
        ByteSource::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        self.as_slice().read_at(offset, buf)
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<S: ByteSource + ?Sized> ByteSource for $pointer {
            fn len(&self) -> u64 {
                S::len(self)
            }

            fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
                S::read_at(self, offset, buf)
            }
        }
    )*};
}
through_pointer!(&S, Box<S>, Arc<S>);

/// Checks that `need` bytes from `offset` lie inside `source`, before anything is allocated for them.
///
/// # Errors
/// [`FormatError::Truncated`], naming `what`.
pub fn check_range(source: &(impl ByteSource + ?Sized), what: impl FnOnce() -> String, offset: u64, need: u64) -> Result<(), FormatError> {
    let len = source.len();
    match offset.checked_add(need) {
        Some(end) if end <= len => Ok(()),
        _ => Err(FormatError::Truncated { what: what(), offset, need, len }),
    }
}

/// Reads `need` bytes from `offset` into a new vector; the range is checked first.
///
/// # Errors
/// As [`check_range`] and [`ByteSource::read_at`].
pub fn read_range(source: &(impl ByteSource + ?Sized), what: impl Fn() -> String, offset: u64, need: u64) -> Result<Vec<u8>, FormatError> {
    check_range(source, &what, offset, need)?;
    let need = usize::try_from(need).map_err(|_| FormatError::invalid(what(), "larger than this machine's address space"))?;
    let mut bytes = vec![0; need];
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_pieces_are_those_of_the_whole() {
        // FIPS 180-2, appendix B.3: a million times the letter a.
        let file = vec![b'a'; 1_000_000];
        assert_eq!(sha256(&file).unwrap(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        let longer = vec![7u8; (2 << 20) + 3];
        assert_eq!(sha256(&longer).unwrap(), crate::findings::sha256_hex(&longer));
    }

    #[test]
    fn ranges_are_exact_and_bounded() {
        let shared: Arc<[u8]> = Arc::from([1u8, 2, 3, 4]);
        let mut two = [0; 2];
        shared.read_at(2, &mut two).unwrap();
        assert_eq!(two, [3, 4]);
        for offset in [3, u64::MAX - 1, u64::MAX] {
            assert!(shared.read_at(offset, &mut two).is_err());
            assert!(read_range(&shared, || "x".into(), offset, 2).is_err());
        }
        assert!(read_range(&shared, || "x".into(), 1, u64::MAX).is_err());
        assert_eq!(read_range(&&vec![9u8; 3], || "x".into(), 3, 0).unwrap(), Vec::<u8>::new());
    }
}

//! Reads a header front to back through a small window, so that ranges are all the source has to give.

use super::super::{
    error::FormatError,
    source::{ByteSource, check_range},
};

/// Bytes fetched at a time.
const WINDOW: u64 = 64 * 1024;

/// A position in a source with a read-ahead window.
pub(super) struct Cursor<'a, S: ?Sized> {
    source: &'a S,
    window: Vec<u8>,
    window_start: u64,
    position: u64,
}

impl<'a, S: ByteSource + ?Sized> Cursor<'a, S> {
    pub(super) fn new(source: &'a S) -> Self {
        Self { source, window: Vec::new(), window_start: 0, position: 0 }
    }

    /// Offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes left to the end of the file.
    pub(super) fn remaining(&self) -> u64 {
        self.source.len().saturating_sub(self.position)
    }

    /// Checks that `count` items of at least `min_bytes` each still fit in the file.
    pub(super) fn check_count(&self, what: impl FnOnce() -> String, count: u64, min_bytes: u64) -> Result<usize, FormatError> {
        let most = self.remaining() / min_bytes.max(1);
        if count > most {
            return Err(FormatError::invalid(what(), format!("says {count} entries, but the rest of the file has room for {most}")));
        }
        usize::try_from(count).map_err(|_| FormatError::invalid("count", "larger than this machine's address space"))
    }

    /// The next `len` bytes. The range is checked before memory is taken.
    pub(super) fn bytes(&mut self, what: impl Fn() -> String, len: u64) -> Result<Vec<u8>, FormatError> {
        check_range(self.source, &what, self.position, len)?;
        let len = usize::try_from(len).map_err(|_| FormatError::invalid(what(), "larger than this machine's address space"))?;
        let mut out = vec![0; len];
        self.fill(&mut out)?;
        Ok(out)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self, what: impl Fn() -> String) -> Result<[u8; N], FormatError> {
        check_range(self.source, &what, self.position, N as u64)?;
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: impl Fn() -> String) -> Result<u32, FormatError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: impl Fn() -> String) -> Result<u64, FormatError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A string: length as `u64`, then UTF-8 of at most `max` bytes.
    pub(super) fn string(&mut self, what: impl Fn() -> String, max: u64) -> Result<String, FormatError> {
        let len = self.u64(&what)?;
        FormatError::check_limit(|| format!("length of {}", what()), len, max)?;
        let bytes = self.bytes(&what, len)?;
        String::from_utf8(bytes)
            .map_err(|e| FormatError::invalid(what(), format!("not UTF-8 (byte {} of a string of {len})", e.utf8_error().valid_up_to())))
    }

    /// Fills `out` from the window; the caller has checked the range.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), FormatError> {
        let from = usize::try_from(self.position - self.window_start).ok();
        let inside = from.and_then(|from| self.window.get(from..from.checked_add(out.len())?));
        if let Some(bytes) = inside {
            out.copy_from_slice(bytes);
        } else if out.len() as u64 >= WINDOW {
            self.source.read_at(self.position, out)?;
        } else {
            let len = self.remaining().min(WINDOW) as usize;
            self.window.resize(len, 0);
            self.window_start = self.position;
            self.source.read_at(self.position, &mut self.window)?;
            let Some(bytes) = self.window.get(..out.len()) else {
                return Err(FormatError::Io("the source became shorter".into()));
            };
            out.copy_from_slice(bytes);
        }
        self.position += out.len() as u64;
        Ok(())
    }
}

//! A file of the page as core's [`ByteSource`]: ranges are asked for one by one, the file itself never enters wasm memory.
//!
//! JavaScript hands in any object with a `size` and a `read(offset, length)`. In a worker that is a `Blob` and `FileReaderSync`, in node a file descriptor, in
//! both an `ArrayBuffer`. Reading has to be synchronous, because core's readers are; that is why a worker owns the model.

use js_sys::Uint8Array;
use vitrine_core::formats::{FormatError, source::ByteSource};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const INTERFACE: &str = "
/** A file that can be read in ranges, synchronously. */
export interface Source {
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset` on. */
  read(offset: number, length: number): Uint8Array;
}";

#[wasm_bindgen]
extern "C" {
    /// The page's object.
    #[wasm_bindgen(typescript_type = "Source")]
    pub type Source;

    #[wasm_bindgen(method, getter, structural)]
    fn size(this: &Source) -> f64;

    #[wasm_bindgen(method, structural, catch)]
    fn read(this: &Source, offset: f64, length: f64) -> Result<Uint8Array, JsValue>;
}

/// A [`Source`] with its size, asked for once.
pub struct Ranges<'a> {
    source: &'a Source,
    len: u64,
}

impl<'a> Ranges<'a> {
    /// A size that is no count of bytes becomes 0.
    pub fn of(source: &'a Source) -> Self {
        // Whole numbers up to 2^53 are exact as f64, and `as` clamps the rest.
        Self { source, len: source.size() as u64 }
    }
}

impl ByteSource for Ranges<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        let need = buf.len() as u64;
        if offset.checked_add(need).is_none_or(|end| end > self.len) {
            return Err(FormatError::Truncated { what: "range".into(), offset, need, len: self.len });
        }
        let bytes = self.source.read(offset as f64, need as f64).map_err(|error| FormatError::Io(reason(&error)))?;
        if u64::from(bytes.length()) != need {
            return Err(FormatError::Io(format!("the page gave {} bytes for {need} at offset {offset}", bytes.length())));
        }
        bytes.copy_to(buf);
        Ok(())
    }
}

/// What a thrown value says.
fn reason(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => thrown.as_string().unwrap_or_else(|| "the page's reader failed".to_owned()),
    }
}

//! safetensors: a JSON header that says where each tensor lies, then the raw tensors.
//!
//! The file is `u64` header length, header, data. The reader accepts what the public reference accepts
//! and is stricter where the format's text asks for it: the header must begin with `{`, names must be
//! unique, the ranges must cover the data section exactly, without gap or overlap, and each must have
//! the size its shape and type ask for. Values of the float types come out as `f32`; integer tensors
//! are listed, and their raw bytes can be fetched. Source: the format section of the safetensors
//! repository's README and the checks of its `tensor.rs`.

mod header;
mod write;

use std::collections::BTreeMap;

use half::{bf16, f16};

pub use header::{Dtype, MAX_HEADER};
pub use write::{TensorData, write};

use super::{
    error::{FormatError, show},
    shape::zeros,
    source::{ByteSource, read_range},
    weights::{TensorInfo, WeightSource},
};
use header::Header;

/// Bytes of data converted at a time; a multiple of every element size.
const STREAM_BYTES: usize = 256 << 10;

/// An opened safetensors file.
#[derive(Debug, Clone)]
pub struct SafeTensors<S> {
    source: S,
    header: Header,
    data_start: u64,
}

impl<S: ByteSource> SafeTensors<S> {
    /// Parses the header and checks every range against the file.
    ///
    /// # Errors
    /// Any [`FormatError`]; nothing larger than a small multiple of the header is allocated.
    pub fn open(source: S) -> Result<Self, FormatError> {
        let mut length = [0; 8];
        if source.len() < 8 {
            return Err(FormatError::NotThisFormat {
                format: "safetensors",
                reason: format!("{} bytes are fewer than the length field", source.len()),
            });
        }
        source.read_at(0, &mut length)?;
        let length = u64::from_le_bytes(length);
        FormatError::check_limit(|| "safetensors header length".into(), length, MAX_HEADER)?;
        let bytes = read_range(&source, || "safetensors header".into(), 8, length)?;
        let data_start = 8 + length;
        let header = Header::parse(&bytes, source.len() - data_start)?;
        Ok(Self { source, header, data_start })
    }

    /// Element type of a tensor.
    #[must_use]
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        self.header.tensors.get(name).map(|entry| entry.dtype)
    }

    /// The raw little-endian bytes of a tensor of any type.
    ///
    /// # Errors
    /// [`FormatError::Missing`] for an unknown name, or what the source reports.
    pub fn read_bytes(&self, name: &str) -> Result<Vec<u8>, FormatError> {
        let entry = self.entry(name)?;
        read_range(&self.source, || format!("tensor {}", show(name)), self.data_start + entry.start, entry.end - entry.start)
    }

    fn entry(&self, name: &str) -> Result<&header::Entry, FormatError> {
        self.header.tensors.get(name).ok_or_else(|| FormatError::missing(format!("tensor {}", show(name))))
    }
}

impl<S: ByteSource> WeightSource for SafeTensors<S> {
    fn names(&self) -> Vec<String> {
        self.header.tensors.keys().cloned().collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.header.tensors.get(name).map(|entry| TensorInfo { dtype: entry.dtype.name().to_owned(), shape: entry.shape.clone() })
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, FormatError> {
        let entry = self.entry(name)?;
        let Some((size, convert)) = converter(entry.dtype) else {
            return Err(FormatError::UnsupportedType { tensor: show(name), dtype: entry.dtype.name().to_owned() });
        };
        let bytes = entry.end - entry.start;
        let mut values = zeros(|| format!("tensor {}", show(name)), Some(bytes / size as u64))?;
        let mut buffer = vec![0; STREAM_BYTES.min(values.len() * size)];
        let mut at = self.data_start + entry.start;
        for out in values.chunks_mut(STREAM_BYTES / size) {
            let Some(part) = buffer.get_mut(..out.len() * size) else {
                break;
            };
            self.source.read_at(at, part)?;
            convert(part, out);
            at += part.len() as u64;
        }
        Ok(values)
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        self.header.metadata.clone()
    }
}

type Converter = fn(&[u8], &mut [f32]);

/// Bytes per element and the conversion to `f32`; `None` for integers and exotic floats.
fn converter(dtype: Dtype) -> Option<(usize, Converter)> {
    Some(match dtype.name() {
        "F32" => (4, |bytes, out| {
            each(bytes, out, |b: [u8; 4]| f32::from_le_bytes(b));
        }),
        "F16" => (2, |bytes, out| {
            each(bytes, out, |b| f16::from_le_bytes(b).to_f32());
        }),
        "BF16" => (2, |bytes, out| {
            each(bytes, out, |b| bf16::from_le_bytes(b).to_f32());
        }),
        // The nearest f32; values beyond its range become infinite, as in every cast.
        "F64" => (8, |bytes, out| {
            each(bytes, out, |b| f64::from_le_bytes(b) as f32);
        }),
        _ => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], one: impl Fn([u8; N]) -> f32) {
    for (&b, o) in bytes.as_chunks::<N>().0.iter().zip(out) {
        *o = one(b);
    }
}

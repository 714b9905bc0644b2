//! GGUF, the single-file format of llama.cpp: metadata, a tensor listing, and aligned tensor data.
//!
//! The header is read front to back once, every count checked against the bytes that are left; then
//! each tensor's range is checked to lie in the file and to overlap no other. Values are dequantised a
//! few hundred kilobytes at a time straight into the result, so reading a tensor needs its `f32`s and
//! little more. ggml lists the fastest dimension first; shapes here are turned round to row-major
//! `[out, in]`, as in safetensors. Source: the GGUF description in the ggml repository (`docs/gguf.md`),
//! versions 2 and 3, little-endian.

mod cursor;
mod dequant;
mod dequant_k;
mod types;
mod value;

use std::collections::BTreeMap;

pub use dequant::dequantize;
pub use types::GgmlType;
pub use value::{Array, MAX_DEPTH, Value};

use super::{
    error::{FormatError, show},
    shape::{elements, to_usize, zeros},
    source::ByteSource,
    weights::{TensorInfo, WeightSource},
};
use cursor::Cursor;

/// Most tensors in one file.
pub const MAX_TENSORS: u64 = 100_000;
/// Most metadata entries in one file.
pub const MAX_METADATA: u64 = 65_536;
/// Longest metadata key, bytes.
pub const MAX_KEY: u64 = 65_535;
/// Longest tensor name, bytes (ggml itself stops at 63).
pub const MAX_TENSOR_NAME: u64 = 255;
/// Most dimensions of a tensor, as in ggml.
pub const MAX_DIMS: u32 = 4;
/// Largest alignment of the data section.
pub const MAX_ALIGNMENT: u64 = 1 << 20;
/// Bytes of quantised data read and dequantised at a time.
const STREAM_BYTES: usize = 256 << 10;

/// Metadata of a file, by key.
pub type Metadata = BTreeMap<String, Value>;

/// Where one tensor lies.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensor {
    /// Element type.
    pub ty: GgmlType,
    /// Row-major shape: slowest dimension first.
    pub shape: Vec<usize>,
    /// Offset in the file.
    pub offset: u64,
    /// Bytes of data.
    pub bytes: u64,
}

/// An opened GGUF file.
#[derive(Debug, Clone)]
pub struct Gguf<S> {
    source: S,
    version: u32,
    metadata: Metadata,
    tensors: BTreeMap<String, GgufTensor>,
}

impl<S: ByteSource> Gguf<S> {
    /// Parses the header and checks that every tensor lies in the file.
    ///
    /// # Errors
    /// Any [`FormatError`]; nothing larger than a small multiple of the header is allocated.
    pub fn open(source: S) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(&source);
        let magic: [u8; 4] = cursor.array(|| "GGUF magic".into())?;
        if &magic != b"GGUF" {
            return Err(FormatError::NotThisFormat { format: "GGUF", reason: format!("it starts with '{}'", magic.escape_ascii()) });
        }
        let version = cursor.u32(|| "GGUF version".into())?;
        if !matches!(version, 2 | 3) {
            let found = if matches!(version.swap_bytes(), 2 | 3) { "big-endian".to_owned() } else { version.to_string() };
            return Err(FormatError::Unsupported { what: "GGUF version".into(), found, supported: "2 and 3, little-endian".into() });
        }
        let n_tensors = cursor.u64(|| "number of tensors".into())?;
        let n_metadata = cursor.u64(|| "number of metadata entries".into())?;
        FormatError::check_limit(|| "number of tensors".into(), n_tensors, MAX_TENSORS)?;
        FormatError::check_limit(|| "number of metadata entries".into(), n_metadata, MAX_METADATA)?;

        // Shortest entry: length 8, key 1, type 4, value 1.
        cursor.check_count(|| "metadata".into(), n_metadata, 14)?;
        let mut metadata = Metadata::new();
        for i in 0..n_metadata {
            let key = cursor.string(|| format!("key of metadata entry {i}"), MAX_KEY)?;
            let value = read_entry(&mut cursor, &key)?;
            if metadata.contains_key(&key) {
                return Err(FormatError::Duplicate { what: "metadata key", name: show(&key) });
            }
            metadata.insert(key, value);
        }
        let alignment = alignment(&metadata)?;

        // Shortest entry: length 8, name 1, rank 4, type 4, offset 8.
        cursor.check_count(|| "tensor listing".into(), n_tensors, 25)?;
        let mut tensors = BTreeMap::new();
        for i in 0..n_tensors {
            let (name, tensor) = read_tensor_info(&mut cursor, i, alignment)?;
            if tensors.contains_key(&name) {
                return Err(FormatError::Duplicate { what: "tensor", name: show(&name) });
            }
            tensors.insert(name, tensor);
        }
        let data_start = cursor.position().checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
        place(&mut tensors, data_start, source.len())?;
        Ok(Self { source, version, metadata, tensors })
    }

    /// Format version of the file, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// All metadata.
    #[must_use]
    pub fn entries(&self) -> &Metadata {
        &self.metadata
    }

    /// Listing of tensors, with their types and places.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, GgufTensor> {
        &self.tensors
    }

    /// Streams a tensor's values: `each` gets consecutive pieces, in row-major order.
    fn stream(&self, name: &str, mut each: impl FnMut(&[u8], GgmlType) -> Result<(), FormatError>) -> Result<(), FormatError> {
        let tensor = self.tensor(name)?;
        let piece = STREAM_BYTES / tensor.ty.block_bytes() * tensor.ty.block_bytes();
        let mut buffer = vec![0; piece.min(usize::try_from(tensor.bytes).unwrap_or(piece))];
        let mut done = 0;
        while done < tensor.bytes {
            let now = usize::try_from(tensor.bytes - done).map_or(piece, |rest| rest.min(piece));
            let Some(part) = buffer.get_mut(..now) else {
                break;
            };
            self.source.read_at(tensor.offset + done, part)?;
            each(part, tensor.ty)?;
            done += now as u64;
        }
        Ok(())
    }

    fn tensor(&self, name: &str) -> Result<&GgufTensor, FormatError> {
        self.tensors.get(name).ok_or_else(|| FormatError::missing(format!("tensor {}", show(name))))
    }
}

impl<S: ByteSource> WeightSource for Gguf<S> {
    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.tensors.get(name).map(|tensor| TensorInfo { dtype: tensor.ty.name().to_owned(), shape: tensor.shape.clone() })
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, FormatError> {
        let tensor = self.tensor(name)?;
        let ty = tensor.ty;
        if !ty.is_readable() {
            return Err(FormatError::UnsupportedType { tensor: show(name), dtype: ty.name().to_owned() });
        }
        // The file holds these blocks (checked on opening), so this is at most 8 times their bytes.
        let blocks = tensor.bytes / ty.block_bytes() as u64;
        let mut values = zeros(|| format!("tensor {}", show(name)), blocks.checked_mul(ty.block_values() as u64))?;
        let mut done = 0;
        self.stream(name, |bytes, ty| {
            let n = bytes.len() / ty.block_bytes() * ty.block_values();
            let Some(out) = values.get_mut(done..done + n) else {
                return Err(FormatError::invalid(show(name), "more data than values"));
            };
            done += n;
            dequantize(ty, bytes, out)
        })?;
        Ok(values)
    }

    fn read_blocks(&self, name: &str) -> Result<Option<Vec<u8>>, FormatError> {
        let tensor = self.tensor(name)?;
        if tensor.ty.block_values() == 1 {
            return Ok(None);
        }
        // The file holds as many, which was checked when it was opened.
        let bytes = usize::try_from(tensor.bytes).unwrap_or(usize::MAX);
        FormatError::check_limit(|| format!("tensor {}", show(name)), tensor.bytes, isize::MAX as u64)?;
        let mut stored = Vec::with_capacity(bytes);
        self.stream(name, |bytes, _| {
            stored.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(Some(stored))
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        self.metadata.iter().map(|(key, value)| (key.clone(), value.summary())).collect()
    }
}

fn read_entry<S: ByteSource + ?Sized>(cursor: &mut Cursor<'_, S>, key: &str) -> Result<Value, FormatError> {
    if key.is_empty() {
        return Err(FormatError::invalid("metadata", "empty key"));
    }
    value::read_value(cursor, key)
}

/// `general.alignment`, 32 when absent.
fn alignment(metadata: &Metadata) -> Result<u64, FormatError> {
    let Some(value) = metadata.get("general.alignment") else {
        return Ok(32);
    };
    match value.as_u64() {
        Some(a) if a.is_power_of_two() && a <= MAX_ALIGNMENT => Ok(a),
        _ => Err(FormatError::invalid(
            "metadata 'general.alignment'",
            format!("{} is not a power of two up to {MAX_ALIGNMENT}", value.summary()),
        )),
    }
}

/// Reads one entry of the listing; the offset stays relative to the data section.
fn read_tensor_info<S: ByteSource + ?Sized>(
    cursor: &mut Cursor<'_, S>,
    index: u64,
    alignment: u64,
) -> Result<(String, GgufTensor), FormatError> {
    let name = cursor.string(|| format!("name of tensor {index}"), MAX_TENSOR_NAME)?;
    let what = || format!("tensor {}", show(&name));
    let bad = |reason: String| FormatError::invalid(what(), reason);
    let rank = cursor.u32(what)?;
    FormatError::check_limit(|| format!("rank of {}", what()), rank.into(), MAX_DIMS.into())?;
    let mut dims = Vec::with_capacity(rank as usize);
    for _ in 0..rank {
        dims.push(cursor.u64(what)?);
    }
    let id = cursor.u32(what)?;
    let offset = cursor.u64(what)?;
    let ty = GgmlType::from_id(id).ok_or_else(|| FormatError::UnsupportedType { tensor: show(&name), dtype: format!("number {id}") })?;
    if dims.contains(&0) {
        return Err(bad(format!("shape {dims:?} has a zero dimension")));
    }
    let row = dims.first().copied().unwrap_or(1);
    let per_block = ty.block_values() as u64;
    if row % per_block != 0 {
        return Err(bad(format!("rows of {row} values are not a multiple of the {per_block} values of a {} block", ty.name())));
    }
    let bytes = elements(&dims)
        .and_then(|n| (n / per_block).checked_mul(ty.block_bytes() as u64))
        .ok_or_else(|| bad(format!("the product of shape {dims:?} overflows")))?;
    if offset % alignment != 0 {
        return Err(bad(format!("offset {offset} is not a multiple of the alignment {alignment}")));
    }
    dims.reverse();
    let shape = to_usize(&what(), &dims)?;
    let tensor = GgufTensor { ty, shape, offset, bytes };
    Ok((name, tensor))
}

/// Turns relative offsets into file offsets; every range must be inside the file and free of others.
fn place(tensors: &mut BTreeMap<String, GgufTensor>, data_start: u64, file_len: u64) -> Result<(), FormatError> {
    let mut order = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let end = data_start
            .checked_add(tensor.offset)
            .and_then(|start| Some((start, start.checked_add(tensor.bytes)?)))
            .filter(|&(_, end)| end <= file_len);
        let Some((start, end)) = end else {
            return Err(FormatError::Truncated {
                what: format!("tensor {}", show(name)),
                offset: data_start.saturating_add(tensor.offset),
                need: tensor.bytes,
                len: file_len,
            });
        };
        tensor.offset = start;
        order.push((start, end, name));
    }
    order.sort_unstable();
    for pair in order.windows(2) {
        if let [(_, end, first), (start, _, second)] = pair
            && start < end
        {
            return Err(FormatError::invalid(format!("tensor {}", show(second)), format!("its data overlaps that of {}", show(first))));
        }
    }
    Ok(())
}

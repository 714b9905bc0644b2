//! Writing: the same tensors always give the same bytes.
//!
//! Wide types come first and names are sorted within a type, which is the reference's order and keeps
//! every tensor aligned to its element size; the header is padded with spaces to eight bytes.

use std::{collections::BTreeMap, fmt::Write as _};

use half::{bf16, f16};

use super::{
    super::error::{FormatError, show},
    header::{Dtype, MAX_HEADER},
};

/// Values of one tensor to write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TensorData<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    F16(&'a [f16]),
    BF16(&'a [bf16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
}

impl TensorData<'_> {
    /// Name of the type in the header and number of values.
    fn describe(&self) -> (&'static str, usize) {
        match self {
            Self::F32(v) => ("F32", v.len()),
            Self::F64(v) => ("F64", v.len()),
            Self::F16(v) => ("F16", v.len()),
            Self::BF16(v) => ("BF16", v.len()),
            Self::I32(v) => ("I32", v.len()),
            Self::I64(v) => ("I64", v.len()),
            Self::U8(v) => ("U8", v.len()),
        }
    }

    fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::F32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
            Self::F64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
            Self::F16(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
            Self::BF16(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
            Self::I32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
            Self::I64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
            Self::U8(v) => out.extend_from_slice(v),
        }
    }
}

/// Writes a safetensors file: `tensors` by name with row-major shape and values, and free metadata.
///
/// # Errors
/// [`FormatError::Invalid`] when a shape does not match its values, a tensor is called `__metadata__`
/// or has too many dimensions; [`FormatError::Limit`] when the header would be too long to be read back.
pub fn write(
    tensors: &BTreeMap<String, (Vec<usize>, TensorData<'_>)>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, FormatError> {
    let mut order = Vec::with_capacity(tensors.len());
    for (name, (shape, data)) in tensors {
        let bad = |reason: String| FormatError::invalid(format!("tensor {}", show(name)), reason);
        let (dtype, n) = data.describe();
        let dims: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
        if super::super::shape::elements(&dims) != Some(n as u64) {
            return Err(bad(format!("shape {shape:?} does not hold {n} values")));
        }
        if shape.len() > super::super::shape::MAX_RANK {
            return Err(bad(format!("{} dimensions are too many", shape.len())));
        }
        if name == "__metadata__" {
            return Err(bad("this name is reserved".into()));
        }
        let bytes = Dtype::from_name(dtype).map_or(0, |d| d.bits() as usize / 8);
        order.push((std::cmp::Reverse(bytes), dtype, name, shape, data, bytes * n));
    }
    order.sort_unstable_by_key(|&(width, dtype, name, ..)| (width, dtype, name));

    let mut header = String::from("{");
    if !metadata.is_empty() {
        let _ = write!(header, "\"__metadata__\":{}", json(metadata)?);
    }
    let mut at = 0;
    for (_, dtype, name, shape, _, bytes) in &order {
        if header.len() > 1 {
            header.push(',');
        }
        let end = at + bytes;
        let (name, shape) = (json(name)?, json(shape)?);
        let _ = write!(header, "{name}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{at},{end}]}}");
        at = end;
    }
    header.push('}');
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    let length = header.len() as u64;
    FormatError::check_limit(|| "safetensors header length".into(), length, MAX_HEADER)?;

    let mut out = Vec::with_capacity(8 + header.len() + at);
    out.extend(length.to_le_bytes());
    out.extend(header.as_bytes());
    for (.., data, _) in &order {
        data.append(&mut out);
    }
    Ok(out)
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<String, FormatError> {
    serde_json::to_string(value).map_err(|e| FormatError::invalid("safetensors header", e.to_string()))
}

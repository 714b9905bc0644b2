//! Metadata values: numbers, booleans, strings, and arrays of any of them.
//!
//! Arrays are kept as typed vectors, so a file's metadata takes a small multiple of its bytes and not
//! one tagged value per element. Arrays of arrays are read to [`MAX_DEPTH`]; no published file nests
//! at all.

use super::{
    super::error::{FormatError, show},
    super::source::ByteSource,
    cursor::Cursor,
};

/// Deepest nesting of arrays.
pub const MAX_DEPTH: usize = 4;
/// Longest metadata string, bytes.
pub const MAX_STRING: u64 = 16 << 20;

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer type.
    Unsigned(u64),
    /// Any signed integer type.
    Signed(i64),
    /// 32- or 64-bit float.
    Float(f64),
    /// Boolean.
    Bool(bool),
    /// UTF-8 string.
    String(String),
    /// Array of one element type.
    Array(Array),
}

/// An array, by element type.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Vec<String>),
    Array(Vec<Array>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl Value {
    /// As an unsigned integer, when it is one (or a non-negative signed one).
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(v) => Some(*v),
            Self::Signed(v) => u64::try_from(*v).ok(),
            _ => None,
        }
    }

    /// As a float, when it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(v) => Some(*v),
            _ => None,
        }
    }

    /// As a boolean, when it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(v) => Some(*v),
            _ => None,
        }
    }

    /// As a string, when it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(v) => Some(v),
            _ => None,
        }
    }

    /// As an array of strings, when it is one.
    #[must_use]
    pub fn as_strings(&self) -> Option<&[String]> {
        match self {
            Self::Array(Array::String(v)) => Some(v),
            _ => None,
        }
    }

    /// The value in a few words, for listings: long strings and arrays are summarised.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Unsigned(v) => v.to_string(),
            Self::Signed(v) => v.to_string(),
            Self::Float(v) => v.to_string(),
            Self::Bool(v) => v.to_string(),
            Self::String(v) => show(v),
            Self::Array(v) => format!("array of {} × {}", v.len(), v.type_name()),
        }
    }
}

impl Array {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts().0
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of the element type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (usize, &'static str) {
        match self {
            Self::U8(v) => (v.len(), "u8"),
            Self::I8(v) => (v.len(), "i8"),
            Self::U16(v) => (v.len(), "u16"),
            Self::I16(v) => (v.len(), "i16"),
            Self::U32(v) => (v.len(), "u32"),
            Self::I32(v) => (v.len(), "i32"),
            Self::F32(v) => (v.len(), "f32"),
            Self::Bool(v) => (v.len(), "bool"),
            Self::String(v) => (v.len(), "string"),
            Self::Array(v) => (v.len(), "array"),
            Self::U64(v) => (v.len(), "u64"),
            Self::I64(v) => (v.len(), "i64"),
            Self::F64(v) => (v.len(), "f64"),
        }
    }
}

/// Reads a value: its type number, then its content.
pub(super) fn read_value<S: ByteSource + ?Sized>(cursor: &mut Cursor<'_, S>, key: &str) -> Result<Value, FormatError> {
    let what = || format!("metadata {}", show(key));
    let id = cursor.u32(what)?;
    Ok(match id {
        0 => Value::Unsigned(cursor.array::<1>(what)?[0].into()),
        1 => Value::Signed(cursor.array(what).map(i8::from_le_bytes)?.into()),
        2 => Value::Unsigned(cursor.array(what).map(u16::from_le_bytes)?.into()),
        3 => Value::Signed(cursor.array(what).map(i16::from_le_bytes)?.into()),
        4 => Value::Unsigned(cursor.u32(what)?.into()),
        5 => Value::Signed(cursor.array(what).map(i32::from_le_bytes)?.into()),
        6 => Value::Float(cursor.array(what).map(f32::from_le_bytes)?.into()),
        7 => Value::Bool(read_bool(cursor.array::<1>(what)?[0], key)?),
        8 => Value::String(cursor.string(what, MAX_STRING)?),
        9 => Value::Array(read_array(cursor, key, 1)?),
        10 => Value::Unsigned(cursor.u64(what)?),
        11 => Value::Signed(cursor.array(what).map(i64::from_le_bytes)?),
        12 => Value::Float(cursor.array(what).map(f64::from_le_bytes)?),
        _ => return Err(unknown_type(key, id)),
    })
}

fn read_array<S: ByteSource + ?Sized>(cursor: &mut Cursor<'_, S>, key: &str, depth: usize) -> Result<Array, FormatError> {
    let what = || format!("metadata {}", show(key));
    FormatError::check_limit(|| format!("array nesting of {}", what()), depth as u64, MAX_DEPTH as u64)?;
    let id = cursor.u32(what)?;
    let count = cursor.u64(what)?;
    macro_rules! numbers {
        ($variant:ident, $number:ty) => {{
            const SIZE: usize = size_of::<$number>();
            let count = cursor.check_count(what, count, SIZE as u64)?;
            let bytes = cursor.bytes(what, (count * SIZE) as u64)?;
            let chunks = bytes.as_chunks::<SIZE>().0.iter();
            Array::$variant(chunks.map(|&b| <$number>::from_le_bytes(b)).collect())
        }};
    }
    Ok(match id {
        0 => numbers!(U8, u8),
        1 => numbers!(I8, i8),
        2 => numbers!(U16, u16),
        3 => numbers!(I16, i16),
        4 => numbers!(U32, u32),
        5 => numbers!(I32, i32),
        6 => numbers!(F32, f32),
        7 => {
            let count = cursor.check_count(what, count, 1)?;
            let bytes = cursor.bytes(what, count as u64)?;
            let bools = bytes.into_iter().map(|b| read_bool(b, key));
            Array::Bool(bools.collect::<Result<_, _>>()?)
        }
        8 => {
            let count = cursor.check_count(what, count, 8)?;
            let mut strings = Vec::with_capacity(count);
            for _ in 0..count {
                strings.push(cursor.string(what, MAX_STRING)?);
            }
            Array::String(strings)
        }
        9 => {
            let count = cursor.check_count(what, count, 12)?;
            let mut arrays = Vec::with_capacity(count);
            for _ in 0..count {
                arrays.push(read_array(cursor, key, depth + 1)?);
            }
            Array::Array(arrays)
        }
        10 => numbers!(U64, u64),
        11 => numbers!(I64, i64),
        12 => numbers!(F64, f64),
        _ => return Err(unknown_type(key, id)),
    })
}

fn read_bool(byte: u8, key: &str) -> Result<bool, FormatError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(FormatError::invalid(format!("metadata {}", show(key)), format!("{other} is not a boolean"))),
    }
}

fn unknown_type(key: &str, id: u32) -> FormatError {
    FormatError::invalid(format!("metadata {}", show(key)), format!("unknown value type {id}"))
}

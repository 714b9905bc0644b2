//! The JSON header: parsed with a visitor that sees every key, so that duplicates cannot hide.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::super::{
    error::{FormatError, show},
    shape::{MAX_RANK, elements, to_usize},
};

/// Longest header in bytes, as in the reference implementation.
pub const MAX_HEADER: u64 = 100_000_000;

/// Element type: its name in the header and its width in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtype(&'static (&'static str, u64));

static DTYPES: &[(&str, u64)] = &[
    ("BOOL", 8),
    ("F4", 4),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("U8", 8),
    ("I8", 8),
    ("F8_E5M2", 8),
    ("F8_E4M3", 8),
    ("F8_E8M0", 8),
    ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8),
    ("I16", 16),
    ("U16", 16),
    ("F16", 16),
    ("BF16", 16),
    ("I32", 32),
    ("U32", 32),
    ("F32", 32),
    ("C64", 64),
    ("F64", 64),
    ("I64", 64),
    ("U64", 64),
];

impl Dtype {
    /// The type of this name, such as `BF16`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        DTYPES.iter().find(|row| row.0 == name).map(Self)
    }

    /// Name in the header.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.0
    }

    /// Bits per element.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.1
    }
}

/// One tensor of the header; `start..end` counts from the begin of the data section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The checked header.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, Entry>,
}

/// What the JSON says, before any check of sizes.
#[derive(Default)]
struct Raw {
    metadata: Option<BTreeMap<String, String>>,
    tensors: BTreeMap<String, RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Header {
    /// Parses `json` and checks it against `data_len` bytes of data.
    pub(super) fn parse(json: &[u8], data_len: u64) -> Result<Self, FormatError> {
        let invalid = |reason: String| FormatError::invalid("safetensors header", reason);
        let text = std::str::from_utf8(json).map_err(|e| invalid(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
        if !text.starts_with('{') {
            return Err(FormatError::NotThisFormat { format: "safetensors", reason: "its header does not begin with '{'".into() });
        }
        let raw: Raw = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, raw) in raw.tensors {
            let entry = check_entry(&name, raw, data_len)?;
            tensors.insert(name, entry);
        }
        check_cover(&tensors, data_len)?;
        Ok(Self { metadata: raw.metadata.unwrap_or_default(), tensors })
    }
}

/// The size that shape and type ask for must be the size of the range.
fn check_entry(name: &str, raw: RawEntry, data_len: u64) -> Result<Entry, FormatError> {
    let what = || format!("tensor {}", show(name));
    let bad = |reason: String| FormatError::invalid(what(), reason);
    let dtype = Dtype::from_name(&raw.dtype).ok_or_else(|| bad(format!("unknown type {}", show(&raw.dtype))))?;
    FormatError::check_limit(|| format!("rank of {}", what()), raw.shape.len() as u64, MAX_RANK as u64)?;
    let (start, end) = raw.data_offsets;
    if start > end {
        return Err(bad(format!("its range {start}..{end} runs backwards")));
    }
    if end > data_len {
        return Err(FormatError::Truncated { what: what(), offset: start, need: end - start, len: data_len });
    }
    let shape = raw.shape;
    let bits = elements(&shape)
        .and_then(|n| n.checked_mul(dtype.bits()))
        .ok_or_else(|| bad(format!("the product of shape {shape:?} overflows")))?;
    if bits % 8 != 0 {
        return Err(bad(format!("{bits} bits of {} do not fill whole bytes", dtype.name())));
    }
    if bits / 8 != end - start {
        return Err(bad(format!("shape {shape:?} of {} needs {} bytes, but its range has {}", dtype.name(), bits / 8, end - start)));
    }
    Ok(Entry { dtype, shape: to_usize(&what(), &shape)?, start, end })
}

/// Sorted by place, the ranges must follow each other and end with the file.
fn check_cover(tensors: &BTreeMap<String, Entry>, data_len: u64) -> Result<(), FormatError> {
    let mut order: Vec<_> = tensors.iter().map(|(name, e)| (e.start, e.end, name)).collect();
    order.sort_unstable();
    let mut at = 0;
    for (start, end, name) in order {
        if start != at {
            let what = if start < at { "overlaps" } else { "leaves a gap after" };
            return Err(FormatError::invalid(
                format!("tensor {}", show(name)),
                format!("its range {start}..{end} {what} the data before it, which ends at {at}"),
            ));
        }
        at = end;
    }
    if at != data_len {
        return Err(FormatError::invalid("safetensors data", format!("the tensors cover {at} bytes, but the file has {data_len}")));
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut raw = Raw::default();
                while let Some(key) = map.next_key::<String>()? {
                    let twice = if key == "__metadata__" {
                        let value = map.next_value::<Option<UniqueStrings>>()?;
                        let value = value.map_or_else(BTreeMap::new, |unique| unique.0);
                        raw.metadata.replace(value).is_some()
                    } else if raw.tensors.contains_key(&key) {
                        true
                    } else {
                        let entry = map.next_value()?;
                        raw.tensors.insert(key.clone(), entry);
                        false
                    };
                    if twice {
                        return Err(A::Error::custom(format!("{} occurs twice", show(&key))));
                    }
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// A map of strings that refuses a key the second time.
struct UniqueStrings(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for UniqueStrings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringsVisitor;
        impl<'de> Visitor<'de> for StringsVisitor {
            type Value = UniqueStrings;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueStrings, A::Error> {
                let mut strings = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if strings.contains_key(&key) {
                        let message = format!("metadata key {} occurs twice", show(&key));
                        return Err(A::Error::custom(message));
                    }
                    strings.insert(key, value);
                }
                Ok(UniqueStrings(strings))
            }
        }
        deserializer.deserialize_map(StringsVisitor)
    }
}

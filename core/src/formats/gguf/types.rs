//! Element types of GGUF tensors: how many values a block holds and how many bytes it takes.
//!
//! Quantised types store values in blocks that share a scale; a row is a whole number of blocks. The
//! table covers every type that published files use, so that any file can be listed; only the types
//! with [`GgmlType::is_readable`] can be turned into `f32`. Source: ggml's `ggml.h` and its type traits.

/// One element type, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GgmlType(&'static Row);

#[derive(Debug, PartialEq, Eq)]
struct Row {
    id: u32,
    name: &'static str,
    block_values: u32,
    block_bytes: u32,
}

macro_rules! table {
    ($($id:literal $name:literal $values:literal $bytes:literal;)*) => {
        static TABLE: &[Row] = &[$(Row { id: $id, name: $name, block_values: $values, block_bytes: $bytes }),*];
    };
}

table! {
    0 "F32" 1 4;
    1 "F16" 1 2;
    2 "Q4_0" 32 18;
    3 "Q4_1" 32 20;
    6 "Q5_0" 32 22;
    7 "Q5_1" 32 24;
    8 "Q8_0" 32 34;
    9 "Q8_1" 32 40;
    10 "Q2_K" 256 84;
    11 "Q3_K" 256 110;
    12 "Q4_K" 256 144;
    13 "Q5_K" 256 176;
    14 "Q6_K" 256 210;
    15 "Q8_K" 256 292;
    16 "IQ2_XXS" 256 66;
    17 "IQ2_XS" 256 74;
    18 "IQ3_XXS" 256 98;
    19 "IQ1_S" 256 50;
    20 "IQ4_NL" 32 18;
    21 "IQ3_S" 256 110;
    22 "IQ2_S" 256 82;
    23 "IQ4_XS" 256 136;
    24 "I8" 1 1;
    25 "I16" 1 2;
    26 "I32" 1 4;
    27 "I64" 1 8;
    28 "F64" 1 8;
    29 "IQ1_M" 256 56;
    30 "BF16" 1 2;
    34 "TQ1_0" 256 54;
    35 "TQ2_0" 256 66;
    39 "MXFP4" 32 17;
    40 "NVFP4" 64 36;
    41 "Q1_0" 128 18;
}

impl GgmlType {
    /// The type with this number, or `None` for a number that is not in the table.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.id == id).map(Self)
    }

    /// The type with this name, such as `Q4_1`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(Self)
    }

    /// Name as ggml writes it, such as `Q4_1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Number in the file.
    #[must_use]
    pub fn id(self) -> u32 {
        self.0.id
    }

    /// Values in one block, at least 1.
    #[must_use]
    pub fn block_values(self) -> usize {
        self.0.block_values as usize
    }

    /// Bytes of one block, at least 1.
    #[must_use]
    pub fn block_bytes(self) -> usize {
        self.0.block_bytes as usize
    }

    /// Whether [`dequantize`](super::dequantize) knows this type.
    #[must_use]
    pub fn is_readable(self) -> bool {
        super::dequant::kernel(self).is_some()
    }
}

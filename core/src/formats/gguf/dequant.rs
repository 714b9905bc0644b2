//! From blocks of quantised weights back to `f32`, bit for bit as ggml's reference does it.
//!
//! A block stores small integers q and shares a scale d (a half float), in some types also an offset
//! m: the value is `d * q`, or `d * q + m`. Each kernel below handles one block of fixed size, writes a
//! fixed-size array and has no branch inside, which lets the compiler vectorise it; the order of the
//! floating-point operations is ggml's (`dequantize_row_*` of `ggml-quants.c`), so results agree in
//! every bit. The 256-value "K" types are in [`super::dequant_k`].

use half::{bf16, f16};

use super::{super::error::FormatError, dequant_k, types::GgmlType};

/// Turns whole blocks into values: `bytes` holds `n` blocks, `out` room for `n` blocks' values.
pub(super) type Kernel = fn(bytes: &[u8], out: &mut [f32]);

/// The kernel of a type, or `None` when values of that type cannot be read.
pub(super) fn kernel(ty: GgmlType) -> Option<Kernel> {
    Some(match ty.name() {
        "F32" => f32s,
        "F16" => f16s,
        "BF16" => bf16s,
        "Q8_0" => |b, o| blocks(b, o, q8_0),
        "Q4_0" => |b, o| blocks(b, o, q4_0),
        "Q4_1" => |b, o| blocks(b, o, q4_1),
        "Q5_0" => |b, o| blocks(b, o, q5_0),
        "Q5_1" => |b, o| blocks(b, o, q5_1),
        "Q4_K" => |b, o| blocks(b, o, dequant_k::q4_k),
        "Q5_K" => |b, o| blocks(b, o, dequant_k::q5_k),
        "Q6_K" => |b, o| blocks(b, o, dequant_k::q6_k),
        _ => return None,
    })
}

/// Dequantises `bytes`, a whole number of blocks of type `ty`, into `out`.
///
/// # Errors
/// [`FormatError::UnsupportedType`] for a type without a kernel, [`FormatError::Invalid`] when the
/// lengths do not fit each other.
pub fn dequantize(ty: GgmlType, bytes: &[u8], out: &mut [f32]) -> Result<(), FormatError> {
    let Some(run) = kernel(ty) else {
        return Err(FormatError::UnsupportedType { tensor: "(block data)".into(), dtype: ty.name().into() });
    };
    let n_blocks = bytes.len() / ty.block_bytes();
    if n_blocks * ty.block_bytes() != bytes.len() || n_blocks.checked_mul(ty.block_values()) != Some(out.len()) {
        return Err(FormatError::invalid(format!("{} data", ty.name()), format!("{} bytes do not hold {} values", bytes.len(), out.len())));
    }
    run(bytes, out);
    Ok(())
}

/// Walks blocks of `B` bytes and `V` values together.
fn blocks<const B: usize, const V: usize>(bytes: &[u8], out: &mut [f32], one: impl Fn(&[u8; B], &mut [f32; V])) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (rows, _) = out.as_chunks_mut::<V>();
    for (block, row) in blocks.iter().zip(rows) {
        one(block, row);
    }
}

fn f32s(bytes: &[u8], out: &mut [f32]) {
    for (&b, o) in bytes.as_chunks::<4>().0.iter().zip(out) {
        *o = f32::from_le_bytes(b);
    }
}

fn f16s(bytes: &[u8], out: &mut [f32]) {
    for (&b, o) in bytes.as_chunks::<2>().0.iter().zip(out) {
        *o = f16::from_le_bytes(b).to_f32();
    }
}

fn bf16s(bytes: &[u8], out: &mut [f32]) {
    for (&b, o) in bytes.as_chunks::<2>().0.iter().zip(out) {
        // Plain bit shift: keeps NaN payloads as ggml does.
        *o = f32::from_bits(u32::from(bf16::from_le_bytes(b).to_bits()) << 16);
    }
}

/// A half float at a fixed place of a block.
#[inline]
pub(super) fn half_at<const B: usize>(block: &[u8; B], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// `d: f16, q: [i8; 32]`.
fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (o, &q) in out.iter_mut().zip(&block[2..]) {
        *o = f32::from(q.cast_signed()) * d;
    }
}

/// `d: f16, q: [u4; 32]` with low halves first; values are `(q - 8) * d`.
fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((l, h), &q) in low.iter_mut().zip(high).zip(&block[2..]) {
        *l = (f32::from(q & 15) - 8.0) * d;
        *h = (f32::from(q >> 4) - 8.0) * d;
    }
}

/// `d: f16, m: f16, q: [u4; 32]`; values are `q * d + m`.
fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let (low, high) = out.split_at_mut(16);
    for ((l, h), &q) in low.iter_mut().zip(high).zip(&block[4..]) {
        *l = f32::from(q & 15) * d + m;
        *h = f32::from(q >> 4) * d + m;
    }
}

/// The fifth bits of a 32-value block, each already shifted to bit 4.
#[inline]
fn fifth_bits(bits: [u8; 4]) -> [u8; 32] {
    let bits = u32::from_le_bytes(bits);
    std::array::from_fn(|i| (((bits >> i) & 1) << 4) as u8)
}

/// `d: f16, high: u32, q: [u4; 32]`; values are `(q - 16) * d`.
fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let fifth = fifth_bits([block[2], block[3], block[4], block[5]]);
    for i in 0..16 {
        let q = block[6 + i];
        out[i] = (f32::from(q & 15 | fifth[i]) - 16.0) * d;
        out[i + 16] = (f32::from(q >> 4 | fifth[i + 16]) - 16.0) * d;
    }
}

/// `d: f16, m: f16, high: u32, q: [u4; 32]`; values are `q * d + m`.
fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let fifth = fifth_bits([block[4], block[5], block[6], block[7]]);
    for i in 0..16 {
        let q = block[8 + i];
        out[i] = f32::from(q & 15 | fifth[i]) * d + m;
        out[i + 16] = f32::from(q >> 4 | fifth[i + 16]) * d + m;
    }
}

//! The same sums with vectors of 512 bits: sixteen outputs at once, the same bits.

use pulp::{NullaryFnOnce, cast, x86::V4};

use super::{PANEL, Panel, Rounded};

struct Halves<'a, const R: usize>(V4, Panel<'a>, [&'a Rounded; R]);
struct Bytes<'a, const R: usize>(V4, Panel<'a>, [&'a Rounded; R]);

pub fn halves<const R: usize>(simd: V4, panel: Panel<'_>, x: [&Rounded; R]) -> [[f32; PANEL]; R] {
    simd.vectorize(Halves(simd, panel, x))
}

pub fn bytes<const R: usize>(simd: V4, panel: Panel<'_>, x: [&Rounded; R]) -> [[f32; PANEL]; R] {
    simd.vectorize(Bytes(simd, panel, x))
}

impl<const R: usize> NullaryFnOnce for Halves<'_, R> {
    type Output = [[f32; PANEL]; R];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self(simd, panel, x) = self;
        let (f, bw) = (simd.avx512f, simd.avx512bw);
        let low = f._mm512_set1_epi16(15);
        let mut sums = [f._mm512_setzero_ps(); R];
        let blocks = panel.codes.as_chunks::<256>().0;
        for (b, ((codes, scales), offsets)) in blocks.iter().zip(panel.scales).zip(panel.offsets).enumerate() {
            let mut dots = [f._mm512_setzero_si512(); R];
            for (u, codes) in codes.as_chunks::<64>().0.iter().enumerate() {
                let words = cast::<[u8; 64], _>(*codes);
                let halves = [
                    f._mm512_and_si512(words, low),
                    f._mm512_and_si512(bw._mm512_srli_epi16::<4>(words), low),
                    f._mm512_and_si512(bw._mm512_srli_epi16::<8>(words), low),
                    bw._mm512_srli_epi16::<12>(words),
                ];
                for r in 0..R {
                    for (i, half) in halves.into_iter().enumerate() {
                        let pair = f._mm512_set1_epi32(cast(x[r].pairs[b][4 * u + i]));
                        dots[r] = f._mm512_add_epi32(dots[r], bw._mm512_madd_epi16(half, pair));
                    }
                }
            }
            let (scales, offsets) = (cast(*scales), cast(*offsets));
            for r in 0..R {
                let dot = f._mm512_cvtepi32_ps(dots[r]);
                let scale = f._mm512_mul_ps(scales, f._mm512_set1_ps(x[r].scales[b]));
                sums[r] = f._mm512_add_ps(sums[r], f._mm512_mul_ps(offsets, f._mm512_set1_ps(x[r].sums[b])));
                sums[r] = f._mm512_add_ps(sums[r], f._mm512_mul_ps(dot, scale));
            }
        }
        sums.map(cast)
    }
}

impl<const R: usize> NullaryFnOnce for Bytes<'_, R> {
    type Output = [[f32; PANEL]; R];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self(simd, panel, x) = self;
        let (f, bw) = (simd.avx512f, simd.avx512bw);
        let mut sums = [f._mm512_setzero_ps(); R];
        let blocks = panel.codes.as_chunks::<512>().0;
        for (b, (codes, scales)) in blocks.iter().zip(panel.scales).enumerate() {
            let mut dots = [f._mm512_setzero_si512(); R];
            for (u, codes) in codes.as_chunks::<32>().0.iter().enumerate() {
                let codes = bw._mm512_cvtepi8_epi16(cast::<[u8; 32], _>(*codes));
                for r in 0..R {
                    let pair = f._mm512_set1_epi32(cast(x[r].pairs[b][u]));
                    dots[r] = f._mm512_add_epi32(dots[r], bw._mm512_madd_epi16(codes, pair));
                }
            }
            let scales = cast(*scales);
            for r in 0..R {
                let scale = f._mm512_mul_ps(scales, f._mm512_set1_ps(x[r].scales[b]));
                sums[r] = f._mm512_add_ps(sums[r], f._mm512_mul_ps(f._mm512_cvtepi32_ps(dots[r]), scale));
            }
        }
        sums.map(cast)
    }
}

//! eˣ and the normal distribution in `f32`, free of branches and calls, so that loops over them become vector code.
//!
//! ```text
//! exp(x) = eˣ    normal_cdf_pdf(x) = Φ(x), φ(x)    Φ(x) = erfc(−x/√2)/2    φ(x) = exp(−x²/2)/√(2π)
//! ```
//!
//! GELU is x·Φ(x) and its derivative Φ(x) + x·φ(x). Largest errors over every `f32` of the range, in units of the
//! last place of the true value:
//!
//! | | range | ulp | beyond |
//! | --- | --- | --- | --- |
//! | eˣ | −87.68 ≤ x ≤ 88.37 | 0.98 | 0 below, +∞ above |
//! | Φ(x) | −12.9 ≤ x ≤ −2 | 2.84 (relative 2.0e-7) | subnormal, then 0 from −13.25 down |
//! | | −2 ≤ x ≤ 0 | 2.12 | |
//! | | 0 ≤ x | 1.24; from 1 on 0.72 | 1 |
//! | φ(x) | −13.2 ≤ x ≤ 13.2 | 1.38 | 0 |
//!
//! eˣ = 2ⁿ·eʳ with n = round(x/ln 2), and eʳ a polynomial. Φ(−a) = R(a)·exp(−a²/2), where R falls smoothly from ½ like
//! 1/(a·√(2π)): a polynomial in a near 0, and in 1/a farther out, times 1/a. For x > 0, Φ(x) = 1 − Φ(−x). No fused
//! multiply-add is used, so the results are the same to the bit on every machine, in a vector or alone. The
//! polynomials are weighted least-squares fits at Chebyshev nodes, their coefficients rounded to `f32` one after the
//! other; `tools/fit_elementary.py` re-creates them.

use std::f32::consts::LOG2_E;

/// 1.5·2²³ + 127: y + `SHIFT` ends in the bits of round(y) + 127, which is the exponent field of 2^round(y).
const SHIFT: f32 = 12_583_039.0;
/// The first 16 bits of ln 2: its product with an exponent is exact.
const LN2_HI: f32 = 45_426.0 / 65_536.0;
/// ln 2 − `LN2_HI`.
const LN2_LO: f32 = 1.428_606_8e-6;
/// (eʳ − 1 − r)/r² for |r| ≤ 0.3467: degree 4, relative error in eʳ at most 3.7e-9.
const EXP: [f32; 5] = [
    0.499_999_88,
    0.166_665_18,
    0.041_669_65,
    0.008_368_947,
    0.001_374_532_4,
];

/// Up to this |x| Φ(−|x|) comes from `NEAR`, from it on from `FAR`.
const SEAM: f32 = 2.0;
/// Φ(−a)·exp(a²/2) in a − 1 for 0 ≤ a ≤ 2: degree 10, relative error at most 8.3e-9.
const NEAR: [f32; 11] = [
    0.261_578_3,
    -0.137_364,
    0.062_107_13,
    -0.025_085_304,
    0.009_255_555,
    -0.003_167_986_2,
    0.001_014_601_6,
    -0.000_302_607_5,
    8.822_209e-5,
    -2.909_908_1e-5,
    7.197_429e-6,
];
/// a·Φ(−a)·exp(a²/2) in 1/a − `FAR_CENTRE` for 2 ≤ a ≤ 13.28: degree 9, relative error at most 1.2e-8.
const FAR: [f32; 10] = [
    0.372_904_48,
    -0.155_503_27,
    -0.113_568_16,
    0.333_079_67,
    -0.337_722_15,
    -0.055_018_377,
    0.934_798_66,
    -1.857_621_3,
    0.718_738_9,
    2.575_867_4,
];
const FAR_CENTRE: f32 = 0.281_25;
/// |x| is cut to this, where exp(−x²/2) comes out as 0. It does from 13.25 on, where in truth it is below 2⁻¹²⁶.
const END: f32 = 13.28;

/// 1/√(2π).
const FRAC_1_SQRT_2PI: f32 = 0.398_942_3;

/// eˣ; 0 from −87.69 down, +∞ from 88.38 up, NaN for NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // At the bounds the power of two is 0 and +∞. NaN passes both.
    let x = if x < -88.0 { -88.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let t = x * LOG2_E + SHIFT;
    let n = t - SHIFT;
    (1.0 + exp_minus_1((x - n * LN2_HI) - n * LN2_LO)) * power_of_2(t)
}

/// Φ(x) and φ(x), which share the exponential; what is not used of the two costs nothing. NaN for NaN.
#[inline(always)]
pub(super) fn normal_cdf_pdf(x: f32) -> (f32, f32) {
    let a = magnitude(x);
    let (g, scale) = exp_half_square(a);
    // first + rest = R = Φ(−a)·exp(a²/2); first is exact or nearly, and R·(1 + g) is rounded once.
    let near = (a - 1.0) * horner(&NEAR, 1, a - 1.0);
    let v = 1.0 / a;
    let far = v * ((v - FAR_CENTRE) * horner(&FAR, 1, v - FAR_CENTRE));
    let (first, rest) = if a < SEAM {
        (NEAR[0], near)
    } else {
        (v * FAR[0], far)
    };
    let tail = (first + (rest + (first + rest) * g)) * scale;
    (
        if x < 0.0 { tail } else { 1.0 - tail },
        (FRAC_1_SQRT_2PI + FRAC_1_SQRT_2PI * g) * scale,
    )
}

/// |x|, at most `END`; NaN passes.
#[inline(always)]
fn magnitude(x: f32) -> f32 {
    let a = x.abs();
    if a > END { END } else { a }
}

/// (g, 2ⁿ) with (1 + g)·2ⁿ = exp(−a²/2), for 0 ≤ a ≤ `END`. h, the first 12 bits of a, has an exact square, and
/// a² = h² + (a − h)(a + h): the rounding of a² would otherwise cost up to a²/2 ulp.
#[inline(always)]
fn exp_half_square(a: f32) -> (f32, f32) {
    let h = f32::from_bits(a.to_bits() & 0xffff_f000);
    let hi = -0.5 * (h * h);
    let lo = -0.5 * ((a - h) * (a + h));
    let t = (hi + lo) * LOG2_E + SHIFT;
    let n = t - SHIFT;
    (
        exp_minus_1((hi - n * LN2_HI) + (lo - n * LN2_LO)),
        power_of_2(t),
    )
}

/// eʳ − 1 for |r| ≤ 0.3467.
#[inline(always)]
fn exp_minus_1(r: f32) -> f32 {
    r + r * r * horner(&EXP, 0, r)
}

/// 2ⁿ for t = n + `SHIFT`: 0 at n = −127, +∞ at n = 128, nonsense beyond.
#[inline(always)]
fn power_of_2(t: f32) -> f32 {
    f32::from_bits(t.to_bits() << 23)
}

/// Σ c[from + i]·xⁱ.
#[inline(always)]
fn horner<const N: usize>(c: &[f32; N], from: usize, x: f32) -> f32 {
    let mut sum = c[N - 1];
    for i in (from..N - 1).rev() {
        sum = sum * x + c[i];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far `got` is from the truth, in units of the last place an `f32` has there.
    fn ulps(got: f32, want: f64) -> f64 {
        let exponent = i32::try_from((want.abs().to_bits() >> 52) as i64 - 1023).unwrap();
        (f64::from(got) - want).abs() / 2f64.powi(exponent.max(-126) - 23)
    }

    /// Asserts at most `bound` ulp, and not much less, at every thousandth `f32` between lo and hi of one sign.
    fn sweep(
        what: &str,
        f: impl Fn(f32) -> f32,
        truth: impl Fn(f64) -> f64,
        lo: f32,
        hi: f32,
        bound: f64,
    ) {
        let (lo, hi) = (
            lo.to_bits().min(hi.to_bits()),
            lo.to_bits().max(hi.to_bits()),
        );
        let mut worst = (0.0, 0.0);
        for x in (lo..=hi).step_by(1009).chain([hi]).map(f32::from_bits) {
            let error = ulps(f(x), truth(f64::from(x)));
            assert!(error.is_finite(), "{what}({x}) = {}", f(x));
            if error > worst.0 {
                worst = (error, x);
            }
        }
        assert!(worst.0 <= bound, "{what}({}): {} ulp", worst.1, worst.0);
        assert!(
            worst.0 > 0.5 * bound,
            "{what}: {} ulp, the bound is loose",
            worst.0
        );
    }

    fn cdf(x: f32) -> f32 {
        normal_cdf_pdf(x).0
    }

    fn pdf(x: f32) -> f32 {
        normal_cdf_pdf(x).1
    }

    fn true_cdf(x: f64) -> f64 {
        0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
    }

    fn true_pdf(x: f64) -> f64 {
        libm::exp(-0.5 * x * x) / (2.0 * std::f64::consts::PI).sqrt()
    }

    const NANS: [u32; 5] = [
        0x7fc0_0000,
        0xffc0_0000,
        0x7fc0_0001,
        0xffff_ffff,
        0x7f80_0001,
    ];

    #[test]
    fn exp_is_within_an_ulp() {
        sweep("exp", exp, libm::exp, -0.0, -87.68, 0.98);
        sweep("exp", exp, libm::exp, 0.0, 88.37, 0.98);
    }

    #[test]
    fn cdf_is_within_3_ulp_in_the_lower_tail_and_2_near_0() {
        sweep("Φ", cdf, true_cdf, -2.0, -12.9, 2.84);
        sweep("Φ", cdf, true_cdf, -0.0, -2.0, 2.12);
        sweep("Φ", cdf, true_cdf, 0.0, 1.0, 1.24);
        sweep("Φ", cdf, true_cdf, 1.0, 2.0, 0.72);
        sweep("Φ", cdf, true_cdf, 2.0, 9.0, 0.55);
    }

    #[test]
    fn pdf_is_within_1_4_ulp() {
        sweep("φ", pdf, true_pdf, 0.0, 13.2, 1.38);
        sweep("φ", pdf, true_pdf, -0.0, -13.2, 1.38);
    }

    #[test]
    fn exp_at_the_edges() {
        let small = f32::from_bits(1);
        for x in [0.0, -0.0, small, -small, f32::MIN_POSITIVE, -1e-8, 1e-8] {
            assert_eq!(exp(x), 1.0, "{x}");
        }
        for x in [
            -87.7,
            -88.0,
            -88.5,
            -89.0,
            -104.0,
            -1e4,
            -1e30,
            f32::MIN,
            f32::NEG_INFINITY,
        ] {
            assert_eq!(exp(x).to_bits(), 0, "{x}");
        }
        for x in [88.38, 88.72, 89.0, 1e4, 1e30, f32::MAX, f32::INFINITY] {
            assert_eq!(exp(x), f32::INFINITY, "{x}");
        }
        for bits in NANS {
            assert!(exp(f32::from_bits(bits)).is_nan(), "{bits:x}");
        }
    }

    #[test]
    fn normal_at_the_edges() {
        let small = f32::from_bits(1);
        for x in [
            0.0,
            -0.0,
            small,
            -small,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
        ] {
            assert_eq!(normal_cdf_pdf(x), (0.5, 0.398_942_3), "{x}");
        }
        for x in [13.25, 13.28, 13.3, 14.0, 1e4, 1e30, f32::MAX, f32::INFINITY] {
            assert_eq!(normal_cdf_pdf(x), (1.0, 0.0), "{x}");
            assert_eq!(normal_cdf_pdf(-x), (0.0, 0.0), "-{x}");
        }
        for i in 0..=100 {
            let x = -12.9 - 0.0035 * i as f32;
            assert!(
                (f64::from(cdf(x)) - true_cdf(f64::from(x))).abs() < 1e-39,
                "{x}"
            );
        }
        for bits in NANS {
            let (cdf, pdf) = normal_cdf_pdf(f32::from_bits(bits));
            assert!(cdf.is_nan() && pdf.is_nan(), "{bits:x}");
        }
    }

    struct Loop<'a> {
        x: &'a [f32],
        y: &'a mut [[f32; 3]],
    }

    impl pulp::NullaryFnOnce for Loop<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            for (y, &x) in self.y.iter_mut().zip(self.x) {
                let (cdf, pdf) = normal_cdf_pdf(x);
                *y = [exp(x), cdf, pdf];
            }
        }
    }

    /// But for the payload of a NaN, which the order of two operands decides.
    #[test]
    fn a_vector_gives_the_same_bits_as_one_number() {
        let x: Vec<f32> = (0..=u32::MAX).step_by(10_007).map(f32::from_bits).collect();
        let mut y = vec![[0.0; 3]; x.len()];
        pulp::Arch::new().dispatch(Loop { x: &x, y: &mut y });
        for (&x, y) in x.iter().zip(&y) {
            let (cdf, pdf) = normal_cdf_pdf(x);
            for (one, vector) in [exp(x), cdf, pdf].iter().zip(y) {
                assert!(
                    one.to_bits() == vector.to_bits() || (one.is_nan() && vector.is_nan()),
                    "{x}: {one} {vector}"
                );
            }
        }
    }
}

//! The two number types of the engine.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use super::elementary;
use super::matrix::Spare;
use super::product::Kernel;

/// `f32` or `f64`. In `f32` the exponential and the normal distribution are branch-free, so that loops over them
/// run in vector registers; in `f64` they are `libm`'s, to the last digit.
pub trait Real:
    sealed::Sealed
    + Kernel
    + Copy
    + Default
    + Debug
    + Display
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// `f32` or `f64`.
    const NAME: &'static str;
    /// Steps of a smooth function below this take its derivatives instead of the quotient (METHOD rule 3).
    const SMALL_STEP: Self;
    /// The same for the halves of a step under RevealCancel (METHOD section 4): where the error of the
    /// midpoint, of the order of step²/24, meets that of the quotient.
    const SMALL_PART: Self;
    /// Every cut adds up to |error| ≤ BOUND · max(1, Σ|score|); METHOD section 7.
    const BOUND: f64;

    /// The nearest number of this type.
    fn of(x: f64) -> Self;
    /// The same number in `f64`.
    fn f64(self) -> f64;
    /// The same number, rounded to `f32`.
    fn f32(self) -> f32;
    /// The nearest number of this type.
    fn of_f32(x: f32) -> Self;
    /// |x|.
    fn abs(self) -> Self;
    /// √x.
    fn sqrt(self) -> Self;
    /// eˣ, to about 1 ulp.
    fn exp(self) -> Self;
    /// ln x.
    fn ln(self) -> Self;
    /// The larger of the two, where neither is NaN.
    fn max(self, other: Self) -> Self;
    /// tanh x.
    fn tanh(self) -> Self;
    /// Φ(x), the normal distribution function, and φ(x), its density.
    fn normal(self) -> (Self, Self);
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Where matrices leave their memory for the next ones.
    #[doc(hidden)]
    fn spare() -> &'static Spare<Self>;
}

mod sealed {
    /// The loops are written for these two types.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! real {
    ($t:ident, $small_step:literal, $small_part:literal, $bound:literal, $exp:path, $normal:path) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NAME: &'static str = stringify!($t);
            const SMALL_STEP: Self = $small_step;
            const SMALL_PART: Self = $small_part;
            const BOUND: f64 = $bound;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn f32(self) -> f32 {
                self as f32
            }
            fn of_f32(x: f32) -> Self {
                $t::from(x)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            fn ln(self) -> Self {
                $t::ln(self)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                if self > other { self } else { other }
            }
            fn tanh(self) -> Self {
                $t::tanh(self)
            }
            #[inline(always)]
            fn normal(self) -> (Self, Self) {
                $normal(self)
            }
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            fn spare() -> &'static Spare<Self> {
                static SPARE: Spare<$t> = Spare::new();
                &SPARE
            }
        }
    };
}

real!(
    f32,
    0.1,
    1e-2,
    1e-4,
    elementary::exp,
    elementary::normal_cdf_pdf
);
real!(f64, 2e-3, 1e-5, 1e-10, libm::exp, normal);

fn normal(x: f64) -> (f64, f64) {
    let density = libm::exp(-0.5 * x * x) * 0.398_942_280_401_432_7;
    (
        0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        density,
    )
}

//! g = f(u), element by element: GELU, its tanh form, ReLU; METHOD rule 3, *Rescale*.
//!
//! Multiplier: m_u = m_g·Δg/Δu. Where Δu is so small that the quotient loses its digits: for GELU
//! f′(ū) + φ(ū)(ū³ − 4ū)·Δu²/24 (Φ(u) + u·φ(u) is f′, φ(u)(u³ − 4u) is f‴); for the tanh form
//! Simpson's [f′(u) + 4f′(ū) + f′(u0)]/6; for ReLU f′ at Δu = 0 alone. At u0 = u it is the derivative.
//!
//! Shapes: u, g (S, F).

use super::product::View;
use super::rows::{each_row, vectorised};
use super::{Matrix, Real};
use crate::model::Activation;

/// √(2/π) and the cubic coefficient of the tanh form (Hendrycks & Gimpel 2016, section 2).
const TANH: (f64, f64) = (0.797_884_560_802_865_4, 0.044_715);

/// f(u).
#[inline(always)]
pub(crate) fn value<T: Real>(f: Activation, u: T) -> T {
    match f {
        Activation::Gelu => u * u.normal().0,
        Activation::GeluTanh => {
            let inner = T::of(TANH.0) * (u + T::of(TANH.1) * u * u * u);
            T::of(0.5) * u * (T::ONE + inner.tanh())
        }
        // This way round a NaN stays one.
        Activation::Relu => {
            if u < T::ZERO {
                T::ZERO
            } else {
                u
            }
        }
    }
}

/// f′(u); for ReLU 0 at 0.
#[inline(always)]
pub(crate) fn slope<T: Real>(f: Activation, u: T) -> T {
    match f {
        Activation::Gelu => {
            let (cdf, pdf) = u.normal();
            cdf + u * pdf
        }
        Activation::GeluTanh => {
            let half = T::of(0.5);
            let tanh = (T::of(TANH.0) * (u + T::of(TANH.1) * u * u * u)).tanh();
            let inner = T::of(TANH.0) * (T::ONE + T::of(3.0 * TANH.1) * u * u);
            half * (T::ONE + tanh) + half * u * (T::ONE - tanh * tanh) * inner
        }
        Activation::Relu => {
            if u > T::ZERO {
                T::ONE
            } else {
                T::ZERO
            }
        }
    }
}

/// Where GELU's Δg/Δu takes Φ and φ: at the middle of a small step, else at its end.
#[inline(always)]
fn gelu_point<T: Real>(u: T, u0: T) -> T {
    if is_small(u, u0) {
        T::of(0.5) * (u + u0)
    } else {
        u
    }
}

/// GELU's Δg/Δu, or its limit; `at` is [`gelu_point`].
#[inline(always)]
fn gelu_rescale<T: Real>(u: T, u0: T, at: T) -> T {
    let (d, (cdf, pdf)) = (u - u0, at.normal());
    let third = pdf * at * (at * at - T::of(4.0));
    let near = cdf + at * pdf + third * d * d * T::of(1.0 / 24.0);
    let far = (at * cdf - value(Activation::Gelu, u0)) / d;
    if is_small(u, u0) { near } else { far }
}

#[inline(always)]
fn is_small<T: Real>(u: T, u0: T) -> bool {
    (u - u0).abs() < T::SMALL_STEP
}

/// Δf/Δu of the tanh form, or its limit.
fn tanh_rescale<T: Real>(u: T, u0: T) -> T {
    let f = Activation::GeluTanh;
    if is_small(u, u0) {
        let mid = T::of(0.5) * (u + u0);
        let simpson = slope(f, u) + T::of(4.0) * slope(f, mid) + slope(f, u0);
        simpson * T::of(1.0 / 6.0)
    } else {
        (value(f, u) - value(f, u0)) / (u - u0)
    }
}

/// ReLU's Δf/Δu, or its limit.
fn relu_rescale<T: Real>(u: T, u0: T) -> T {
    let (f, d) = (Activation::Relu, u - u0);
    if d == T::ZERO {
        slope(f, u)
    } else {
        (value(f, u) - value(f, u0)) / d
    }
}

/// g for one row, or part of one.
pub fn forward<T: Real>(f: Activation, u: &[T], g: &mut [T]) {
    match f {
        Activation::Gelu => gelu_row(u, g),
        _ => g.iter_mut().zip(u).for_each(|(g, &u)| *g = value(f, u)),
    }
}

/// g (S, F).
pub fn of_rows<T: Real>(f: Activation, u: View<'_, T>) -> Matrix<T> {
    let mut g = Matrix::reused(u.rows(), u.cols());
    each_row(&mut g, |i, g| forward(f, u.row(i), g));
    g
}

/// m_g (S, F) becomes m_u in place; columns behind these stay as they are.
pub fn multiplier<T: Real>(f: Activation, u: View<'_, T>, u0: View<'_, T>, m: &mut Matrix<T>) {
    each_row(m, |i, m| {
        let (u, u0) = (u.row(i), u0.row(i));
        let m = &mut m[..u.len()];
        let each = |m: &mut [T], rescale: fn(T, T) -> T| {
            (0..m.len()).for_each(|k| m[k] *= rescale(u[k], u0[k]));
        };
        match f {
            Activation::Gelu => gelu_multiplier_row(u, u0, m),
            Activation::GeluTanh => each(m, tanh_rescale),
            Activation::Relu => each(m, relu_rescale),
        }
    });
}

vectorised! {
    fn gelu_row<'a, T: Real>(u: &'a [T], g: &'a mut [T]) -> () {
        let u = &u[..g.len()];
        for k in 0..g.len() {
            g[k] = value(Activation::Gelu, u[k]);
        }
    }
}

/// Elements of a row that are taken at a time.
const SOME: usize = 128;

vectorised! {
    fn gelu_multiplier_row<'a, T: Real>(u: &'a [T], u0: &'a [T], m: &'a mut [T]) -> () {
        let (u, u0) = (&u[..m.len()], &u0[..m.len()]);
        let mut at = [T::ZERO; SOME];
        let parts = u.chunks(SOME).zip(u0.chunks(SOME));
        for ((u, u0), m) in parts.zip(m.chunks_mut(SOME)) {
            let n = m.len();
            let (u, u0, at) = (&u[..n], &u0[..n], &mut at[..n]);
            // A loop of its own: in one, a branch would be made of the two choices by the same condition, and no vectors.
            for k in 0..n {
                at[k] = gelu_point(u[k], u0[k]);
            }
            for k in 0..n {
                m[k] *= gelu_rescale(u[k], u0[k], at[k]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions in f64, from `libm` alone.
    fn plain(f: Activation, u: f64) -> f64 {
        match f {
            Activation::Gelu => 0.5 * u * libm::erfc(-u / std::f64::consts::SQRT_2),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (u + 0.044715 * u.powi(3));
                0.5 * u * (1.0 + libm::tanh(inner))
            }
            Activation::Relu => u.max(0.0),
        }
    }

    /// ∫₀¹ f′(u0 + α·Δu) dα by 8-point Gauss–Legendre on 64 pieces, f′ by central differences of `plain`: equals
    /// Δf/Δu for any step, without its cancellation.
    fn mean_slope(f: Activation, u: f64, u0: f64) -> f64 {
        let slope = |x: f64| {
            let h = 1e-3;
            let c = |k: f64| plain(f, x + k * h) - plain(f, x - k * h);
            (672.0 * c(1.0) - 168.0 * c(2.0) + 32.0 * c(3.0) - 3.0 * c(4.0)) / (840.0 * h)
        };
        let nodes = [
            (0.183_434_642_495_649_8, 0.362_683_783_378_362),
            (0.525_532_409_916_329, 0.313_706_645_877_887_3),
            (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
            (0.960_289_856_497_536_2, 0.101_228_536_290_376_3),
        ];
        let pieces = 64;
        let mut sum = 0.0;
        for piece in 0..pieces {
            for (x, w) in nodes {
                for sign in [-1.0, 1.0] {
                    let at = (f64::from(piece) + 0.5 + 0.5 * sign * x) / f64::from(pieces);
                    sum += 0.5 * w / f64::from(pieces) * slope(u0 + at * (u - u0));
                }
            }
        }
        sum
    }

    fn ours<T: Real>(f: Activation, u: f64, u0: f64) -> (f64, f64) {
        let of = |u: f64| Matrix::from_vec(1, 1, vec![T::of(u)]);
        let (u, u0) = (of(u), of(u0));
        let mut g = [T::ZERO];
        forward(f, u.data(), &mut g);
        let mut m = Matrix::from_vec(1, 1, vec![T::of(2.0)]);
        multiplier(f, u.view(), u0.view(), &mut m);
        (g[0].f64(), m.data()[0].f64())
    }

    #[test]
    fn value_and_mean_slope_at_every_step() {
        for f in [Activation::Gelu, Activation::GeluTanh] {
            for at in -70..=70 {
                let u0 = f64::from(at) * 0.11;
                for step in [
                    0.0, 1e-9, 1e-5, 1.9e-3, 2.1e-3, 0.02, 0.09, 0.11, 1.0, -0.05, -3.0,
                ] {
                    let u = u0 + step;
                    let want = mean_slope(f, u, u0);
                    let (g, m) = ours::<f64>(f, u, u0);
                    assert!((g - plain(f, u)).abs() <= 1e-15 * (1.0 + u.abs()));
                    assert!(
                        (m - 2.0 * want).abs() < 3e-10,
                        "{f:?} {u0} {step}: {m} {}",
                        2.0 * want
                    );
                    let (u, u0) = (f64::from(u as f32), f64::from(u0 as f32));
                    let (g, m) = ours::<f32>(f, u, u0);
                    assert!(
                        (g - plain(f, u)).abs() < 2e-7 * u.abs().max(0.2),
                        "{f:?} {u}: {g}"
                    );
                    let want = mean_slope(f, u, u0);
                    assert!(
                        (m - 2.0 * want).abs() < 4e-5,
                        "f32 {f:?} {u0} {step}: {m} {}",
                        2.0 * want
                    );
                }
            }
        }
    }

    #[test]
    fn relu_takes_the_quotient_however_small_the_step() {
        for (u, u0, want) in [
            (1e-9, -1e-9, 1.0),
            (2.0, -1.0, 4.0 / 3.0),
            (0.5, 0.5, 2.0),
            (-0.5, -0.5, 0.0),
            (0.0, 0.0, 0.0),
        ] {
            let (_, m) = ours::<f64>(Activation::Relu, u, u0);
            assert!((m - want).abs() < 1e-12, "{u} {u0}: {m}");
        }
    }

    /// A row long enough for whole vectors, and for more than are taken at a time, equals the rows of one.
    #[test]
    fn a_long_row_equals_single_elements() {
        const N: usize = 2 * SOME + 37;
        let u: Vec<f32> = (0..N).map(|k| (k as f32 * 0.7).sin() * 6.0).collect();
        let mut g = vec![0.0; N];
        forward(Activation::Gelu, &u, &mut g);
        // Small steps and large ones side by side.
        let step = |k: usize| if k.is_multiple_of(3) { 1.0 } else { 0.02 };
        let u0: Vec<f32> = (0..N).map(|k| u[k] - step(k)).collect();
        let row = |x: &[f32]| Matrix::from_vec(1, x.len(), x.to_vec());
        let [ends, starts] = [&u, &u0].map(|x| row(x));
        let mut m = row(&[1.5; N]);
        multiplier(Activation::Gelu, ends.view(), starts.view(), &mut m);
        for k in 0..N {
            let mut one = [0.0];
            forward(Activation::Gelu, &u[k..=k], &mut one);
            assert!((g[k] - one[0]).abs() <= 1e-7);
            let mut one = row(&[1.5]);
            let [end, start] = [row(&u[k..=k]), row(&u0[k..=k])];
            multiplier(Activation::Gelu, end.view(), start.view(), &mut one);
            assert_eq!(m.data()[k], one.data()[0], "{k}");
        }
    }
}

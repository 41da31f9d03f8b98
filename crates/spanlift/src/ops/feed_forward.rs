//! u = yWᵀ + b, g = f(u), z = gVᵀ + c: the feed-forward block; and y to g as one step under *RevealCancel*, METHOD section 4
//! (DeepLIFT section 3.5.2).
//!
//! The step Δu of each unit is split into Δu⁺ and Δu⁻, what the inputs push up and down:
//! Δu± = ½(Δu ± |Δy||W|ᵀ). Each half's effect is the mean of acting first and acting last,
//! Δg⁺ = ½[f(u0 + Δu⁺) − f(u0)] + ½[f(u) − f(u0 + Δu⁻)], and Δg⁻ with the signs exchanged; m± = Δg±/Δu±, for
//! small halves ½[f′(u0 + ½Δu±) + f′(u0 + Δu∓ + ½Δu±)]. With M± = m_g ⊙ m±,
//! m_y = ½[(M⁺ + M⁻)W + sign(Δy) ⊙ ((M⁺ − M⁻)|W|)].
//!
//! Shapes: y, z (S, H), u, g (S, F), W (F, H), V (H, F).

use super::activation::{self, slope, value};
use super::product::View;
use super::rows::{each_row, vectorised};
use super::{Matrix, Real, linear};
use crate::model::{Activation, Linear};

/// Rows this many bytes apart, or a multiple, share their places in a processor's first cache.
const PAGE: usize = 4096;
const CACHE_LINE: usize = 64;

/// Columns for so many numbers a row: one cache line more, where a tile's rows would drive each other out of the cache.
const fn columns<T>(numbers: usize) -> usize {
    if (numbers * size_of::<T>()).is_multiple_of(PAGE) {
        numbers + CACHE_LINE / size_of::<T>()
    } else {
        numbers
    }
}

/// u (S, F) and z (S, H), by the maps (W, b) and (V, c).
pub fn forward<T: Real>(
    f: Activation,
    [intermediate, output]: [&Linear<T>; 2],
    y: &Matrix<T>,
) -> (Matrix<T>, Matrix<T>) {
    let (rows, units) = (y.rows(), intermediate.weight.outputs());
    let mut u = Matrix::reused(rows, units);
    let mut g = Matrix::reused(rows, columns::<T>(units));
    let act = |u: &[T], g: &mut [T]| activation::forward(f, u, g);
    let (weight, bias) = (&intermediate.weight, &intermediate.bias);
    let [to, _] = g.view_mut().split(units);
    weight.down_and(y.view(), bias, u.view_mut(), to, act);
    let z = linear::forward_of(output, g.view().block(0..rows, 0..units));
    g.recycle();
    (u, z)
}

/// m_g (S, F) from m_z (S, H), by the map (V, c); with columns behind that are not m_g's where rows would share their places in
/// the cache.
pub fn multiplier_of_output<T: Real>(output: &Linear<T>, m_z: &Matrix<T>) -> Matrix<T> {
    let units = output.weight.inputs();
    let mut m_g = Matrix::reused(m_z.rows(), columns::<T>(units));
    let [to, _] = m_g.view_mut().split(units);
    output.weight.back(m_z.view(), false, T::ONE, to);
    m_g
}

/// m_y (S, H) from m_g (S, F), which may have columns behind.
pub fn multiplier<T: Real>(
    f: Activation,
    linear: &Linear<T>,
    (y, u): (View<'_, T>, View<'_, T>),
    (y0, u0): (View<'_, T>, View<'_, T>),
    mut m_g: Matrix<T>,
) -> Matrix<T> {
    let (rows, hidden, units) = (y.rows(), y.cols(), u.cols());
    let size = linear.weight.absolute(); // |W|
    let mut step = Matrix::zeros(rows, hidden); // |Δy|
    each_row(&mut step, |i, step| {
        for (k, step) in step.iter_mut().enumerate() {
            *step = (y.row(i)[k] - y0.row(i)[k]).abs();
        }
    });
    let mut push = Matrix::zeros(rows, units); // |Δy||W|ᵀ, then M⁺ − M⁻
    let none = vec![T::ZERO; units];
    size.down(step.view(), &none, push.view_mut());

    // Rows of (m_g, push) become rows of (M⁺ + M⁻, M⁺ − M⁻).
    let mut difference: Vec<&mut [T]> = push.data_mut().chunks_exact_mut(units).collect();
    super::rows::each_row_with(&mut m_g, &mut difference, |i, m, push| {
        let (u, u0) = (u.row(i), u0.row(i));
        let m = &mut m[..units];
        match f {
            Activation::Gelu => gelu_row(u, u0, m, push),
            _ => reveal_cancel_row(f, u, u0, m, push),
        }
    });

    let mut m_y = Matrix::zeros(rows, hidden);
    let half = T::of(0.5);
    size.back(push.view(), false, half, m_y.view_mut());
    each_row(&mut m_y, |i, m| {
        for (k, m) in m.iter_mut().enumerate() {
            let d = y.row(i)[k] - y0.row(i)[k];
            if d < T::ZERO {
                *m = -*m;
            } else if d == T::ZERO {
                *m = T::ZERO;
            }
        }
    });
    let m_g = m_g.view().block(0..rows, 0..units);
    linear.weight.back(m_g, true, half, m_y.view_mut());
    m_y
}

vectorised! {
    /// Vector code, since it is for one function.
    fn gelu_row<'a, T: Real>(u: &'a [T], u0: &'a [T], m: &'a mut [T], push: &'a mut [T]) -> () {
        reveal_cancel_row(Activation::Gelu, u, u0, m, push);
    }
}

/// A row of (m_g, push) becomes one of (M⁺ + M⁻, M⁺ − M⁻).
#[inline(always)]
fn reveal_cancel_row<T: Real>(f: Activation, u: &[T], u0: &[T], m: &mut [T], push: &mut [T]) {
    let n = m.len();
    let (u, u0, push) = (&u[..n], &u0[..n], &mut push[..n]);
    for k in 0..n {
        let (up, down) = halves(f, u[k], u0[k], push[k]);
        push[k] = m[k] * (up - down);
        m[k] *= up + down;
    }
}

/// m⁺ and m⁻ of one unit.
#[inline(always)]
fn halves<T: Real>(f: Activation, u: T, u0: T, push: T) -> (T, T) {
    let half = T::of(0.5);
    let (up, down) = (half * (u - u0 + push), half * (u - u0 - push));
    let (f0, f1) = (value(f, u0), value(f, u));
    let (f_up, f_down) = (value(f, u0 + up), value(f, u0 + down));
    (
        part(f, u0, [up, down], (f_up - f0) + (f1 - f_down)),
        part(f, u0, [down, up], (f_down - f0) + (f1 - f_up)),
    )
}

/// m± of one half, from both steps and twice what the half does: acting first, and acting last.
#[inline(always)]
fn part<T: Real>(f: Activation, u0: T, [step, other]: [T; 2], twice: T) -> T {
    let half = T::of(0.5);
    let quotient = half * twice / step;
    let middle = half * (slope(f, u0 + half * step) + slope(f, u0 + other + half * step));
    let small = match f {
        Activation::Relu => step == T::ZERO,
        Activation::Gelu | Activation::GeluTanh => step.abs() < T::SMALL_PART,
    };
    if small { middle } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of as many units as rows that would share their places, and of one more: as the two maps one after the other, to the bit.
    fn equals_its_two_maps<T: Real>(page: usize) {
        for units in [page, page + 1] {
            let matrix = |rows: usize, cols: usize, from: f64| {
                let wave = |k: usize| T::of((from + 1.7 * k as f64).sin());
                Matrix::from_vec(rows, cols, (0..rows * cols).map(wave).collect())
            };
            let map = |outputs: usize, inputs: usize, from: f64| Linear {
                weight: Weights::of(&matrix(outputs, inputs, from)),
                bias: matrix(1, outputs, from + 0.5).data().to_vec(),
            };
            let maps = [&map(units, 5, 1.0), &map(5, units, 2.0)];
            let y = matrix(29, 5, 3.0);
            let (u, z) = forward(Activation::Gelu, maps, &y);
            let want_u = linear::forward(maps[0], &y);
            assert_eq!(u, want_u);
            let g = activation::of_rows(Activation::Gelu, want_u.view());
            assert_eq!(z, linear::forward(maps[1], &g), "{units} units");

            // The way back, beside a matrix that has no columns behind.
            let (y0, m_z) = (matrix(29, 5, 4.0), matrix(29, 5, 5.0));
            let u0 = linear::forward(maps[0], &y0);
            let m_g = multiplier_of_output(maps[1], &m_z);
            let narrow = linear::multiplier(maps[1], &m_z);
            let same = |wide: &Matrix<T>, narrow: &Matrix<T>| {
                (0..29).all(|i| wide.row(i)[..units] == *narrow.row(i))
            };
            assert!(same(&m_g, &narrow), "{units} units");
            let [m_u, narrow_u] = [&m_g, &narrow].map(|m| {
                let mut m = m.clone();
                activation::multiplier(Activation::Gelu, u.view(), u0.view(), &mut m);
                m
            });
            assert!(same(&m_u, &narrow_u) && !same(&m_u, &narrow), "{units}");
            let [m_y, narrow_y] = [m_g, narrow].map(|m| {
                let ends = [(y.view(), u.view()), (y0.view(), u0.view())];
                multiplier(Activation::Gelu, maps[0], ends[0], ends[1], m)
            });
            assert_eq!(m_y, narrow_y, "{units} units");
        }
    }

    #[test]
    fn the_block_equals_its_two_maps() {
        assert!(columns::<f32>(1024) > 1024 && columns::<f32>(1025) == 1025);
        equals_its_two_maps::<f32>(1024);
        equals_its_two_maps::<f64>(512);
    }
    use crate::ops::product::Weights;

    fn wave(n: usize, a: f64, size: f64) -> Vec<f64> {
        (0..n).map(|k| size * (a + 2.3 * k as f64).sin()).collect()
    }

    fn case(step: f64) -> (Linear<f64>, Matrix<f64>, Matrix<f64>, Matrix<f64>) {
        let (s, h, f) = (3, 5, 7);
        let y = wave(s * h, 1.0, 1.0);
        let y0 = y
            .iter()
            .zip(wave(s * h, 2.0, step))
            .map(|(y, d)| y + d)
            .collect();
        (
            Linear {
                weight: Weights::of(&Matrix::from_vec(f, h, wave(f * h, 3.0, 0.8))),
                bias: wave(f, 4.0, 0.2),
            },
            Matrix::from_vec(s, h, y),
            Matrix::from_vec(s, h, y0),
            Matrix::from_vec(s, f, wave(s * f, 5.0, 1.0)),
        )
    }

    /// Section 4 in scalars: the positive terms of every unit, then the negative, each divided out per input.
    fn plain(
        linear: &Linear<f64>,
        y: &Matrix<f64>,
        y0: &Matrix<f64>,
        m_g: &Matrix<f64>,
    ) -> Matrix<f64> {
        let weight = linear.weight.matrix();
        let gelu = |u: f64| 0.5 * u * libm::erfc(-u / std::f64::consts::SQRT_2);
        let mut m_y = Matrix::zeros(y.rows(), y.cols());
        for i in 0..y.rows() {
            for unit in 0..linear.weight.outputs() {
                let w = weight.row(unit);
                let terms: Vec<f64> = (0..y.cols())
                    .map(|k| w[k] * (y.row(i)[k] - y0.row(i)[k]))
                    .collect();
                let up: f64 = terms.iter().filter(|t| **t > 0.0).sum();
                let down: f64 = terms.iter().filter(|t| **t < 0.0).sum();
                let u0 =
                    (0..y.cols()).map(|k| w[k] * y0.row(i)[k]).sum::<f64>() + linear.bias[unit];
                let u = u0 + up + down;
                let g_up = 0.5 * (gelu(u0 + up) - gelu(u0)) + 0.5 * (gelu(u) - gelu(u0 + down));
                let g_down = 0.5 * (gelu(u0 + down) - gelu(u0)) + 0.5 * (gelu(u) - gelu(u0 + up));
                for k in 0..y.cols() {
                    let side = if terms[k] > 0.0 {
                        g_up / up
                    } else {
                        g_down / down
                    };
                    m_y.row_mut(i)[k] += m_g.row(i)[unit] * side * w[k];
                }
            }
        }
        m_y
    }

    /// f′ as in a table of derivatives, from `libm` alone.
    fn plain_slope(f: Activation, u: f64) -> f64 {
        match f {
            Activation::Gelu => {
                let density = (-0.5 * u * u).exp() / (2.0 * std::f64::consts::PI).sqrt();
                0.5 * libm::erfc(-u / std::f64::consts::SQRT_2) + u * density
            }
            Activation::GeluTanh => {
                let c = (2.0 / std::f64::consts::PI).sqrt();
                let tanh = libm::tanh(c * (u + 0.044715 * u.powi(3)));
                let inner = c * (1.0 + 3.0 * 0.044715 * u * u);
                0.5 * (1.0 + tanh) + 0.5 * u * (1.0 - tanh * tanh) * inner
            }
            Activation::Relu => panic!("no slope at 0"),
        }
    }

    /// Δg±/Δu± as ½∫₀¹ [f′(u0 + α·Δu±) + f′(u0 + Δu∓ + α·Δu±)] dα, by 8-point Gauss–Legendre on 4 pieces: equals the
    /// quotient for any step, without its cancellation.
    fn plain_part(f: Activation, u0: f64, step: f64, other: f64) -> f64 {
        let nodes = [
            (0.183_434_642_495_649_8, 0.362_683_783_378_362),
            (0.525_532_409_916_329, 0.313_706_645_877_887_3),
            (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
            (0.960_289_856_497_536_2, 0.101_228_536_290_376_3),
        ];
        let mut sum = 0.0;
        for piece in 0..4 {
            for (x, w) in nodes {
                for sign in [-1.0, 1.0] {
                    let by = step * (f64::from(piece) + 0.5 + 0.5 * sign * x) / 4.0;
                    let slopes = plain_slope(f, u0 + by) + plain_slope(f, u0 + other + by);
                    sum += 0.125 * w * 0.5 * slopes;
                }
            }
        }
        sum
    }

    /// One unit, u = y₀ + y₁ + u0, from y = 0 to y = (up, −down) for each pair of `steps`: the multipliers of the two
    /// inputs are m⁺ and m⁻. The largest distance from `plain_part`, and where.
    fn worst_part<T: Real>(f: Activation, steps: &[f64]) -> (f64, String) {
        let pairs: Vec<[T; 2]> = steps
            .iter()
            .flat_map(|&up| steps.iter().map(move |&down| [T::of(up), T::of(-down)]))
            .collect();
        let rows = pairs.len();
        let y = Matrix::from_vec(rows, 2, pairs.concat());
        let y0 = Matrix::zeros(rows, 2);
        let mut worst = (0.0, String::new());
        for at in -40..=40 {
            let u0 = f64::from(at) * 0.125;
            let unit = Linear {
                weight: Weights::of(&Matrix::from_vec(1, 2, vec![T::ONE; 2])),
                bias: vec![T::of(u0)],
            };
            let (u, u_ref) = (linear::forward(&unit, &y), linear::forward(&unit, &y0));
            let m_g = Matrix::from_vec(rows, 1, vec![T::ONE; rows]);
            let m_y = multiplier(
                f,
                &unit,
                (y.view(), u.view()),
                (y0.view(), u_ref.view()),
                m_g,
            );
            for (i, pair) in pairs.iter().enumerate() {
                let [up, down] = pair.map(T::f64);
                for (got, (step, other)) in m_y.row(i).iter().zip([(up, down), (down, up)]) {
                    let want = plain_part(f, u0, step, other);
                    let off = (got.f64() - want).abs();
                    if off > worst.0 {
                        worst = (off, format!("{u0} {step} {other}: {got} {want}"));
                    }
                }
            }
        }
        worst
    }

    /// Without the guard, or with one that is too low, the quotients of small steps are off by far more than the bound.
    #[test]
    fn each_part_keeps_its_digits_however_small() {
        let f32_steps = [1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 9e-3, 1.1e-2, 0.1, 1.0];
        let f64_steps = [1e-12, 1e-9, 1e-7, 1e-6, 9e-6, 1.1e-5, 1e-4, 1e-2, 1.0];
        for f in [Activation::Gelu, Activation::GeluTanh] {
            let (off, at) = worst_part::<f32>(f, &f32_steps);
            assert!(off < 1e-4, "f32 {f:?} {at}");
            let (off, at) = worst_part::<f64>(f, &f64_steps);
            assert!(off < 1e-9, "f64 {f:?} {at}");
        }
    }

    #[test]
    fn equals_the_scalar_form() {
        let (linear_map, y, y0, m_g) = case(0.9);
        let (u, u0) = (
            linear::forward(&linear_map, &y),
            linear::forward(&linear_map, &y0),
        );
        let got = multiplier(
            Activation::Gelu,
            &linear_map,
            (y.view(), u.view()),
            (y0.view(), u0.view()),
            m_g.clone(),
        );
        for (got, want) in got
            .data()
            .iter()
            .zip(plain(&linear_map, &y, &y0, &m_g).data())
        {
            assert!((got - want).abs() < 1e-13, "{got} {want}");
        }
    }

    #[test]
    fn shares_out_the_whole_change_and_ends_in_the_gradient() {
        for f in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
            for step in [2.0, 0.3, 1e-3] {
                let (linear_map, y, y0, m_g) = case(step);
                let (u, u0) = (
                    linear::forward(&linear_map, &y),
                    linear::forward(&linear_map, &y0),
                );
                let of = |u: &Matrix<f64>| {
                    let mut g = Matrix::zeros(u.rows(), u.cols());
                    activation::forward(f, u.data(), g.data_mut());
                    g
                };
                let (g, g0) = (of(&u), of(&u0));
                let dot = |m: &Matrix<f64>, x: &Matrix<f64>, x0: &Matrix<f64>| -> f64 {
                    m.data()
                        .iter()
                        .zip(x.data())
                        .zip(x0.data())
                        .map(|((m, x), x0)| m * (x - x0))
                        .sum()
                };
                let whole = dot(&m_g, &g, &g0);
                let m_y = multiplier(
                    f,
                    &linear_map,
                    (y.view(), u.view()),
                    (y0.view(), u0.view()),
                    m_g,
                );
                assert!(
                    (dot(&m_y, &y, &y0) - whole).abs() < 1e-11 * step,
                    "{f:?} {step}"
                );
            }
            // As the reference approaches the input, so does the multiplier the gradient.
            let (linear_map, y, y0, m_g) = case(1e-6);
            let (u, u0) = (
                linear::forward(&linear_map, &y),
                linear::forward(&linear_map, &y0),
            );
            let (to, from) = ((y.view(), u.view()), (y0.view(), u0.view()));
            let got = multiplier(f, &linear_map, to, from, m_g.clone());
            let mut m_u = m_g;
            activation::multiplier(f, u.view(), u.view(), &mut m_u);
            for (got, want) in got
                .data()
                .iter()
                .zip(linear::multiplier(&linear_map, &m_u).data())
            {
                assert!((got - want).abs() < 1e-5, "{f:?}: {got} {want}");
            }
        }
    }
}

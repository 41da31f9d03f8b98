//! g = f(yWᵀ + b) as one step under *RevealCancel*; METHOD section 4 (DeepLIFT section 3.5.2).
//!
//! The step Δu of each unit is split into Δu⁺ and Δu⁻, what the inputs push up and down:
//! Δu± = ½(Δu ± |Δy||W|ᵀ). Each half's effect is the mean of acting first and acting last,
//! Δg⁺ = ½[f(u0 + Δu⁺) − f(u0)] + ½[f(u) − f(u0 + Δu⁻)], and Δg⁻ with the signs exchanged; m± = Δg±/Δu±, for
//! small halves ½[f′(u0 + ½Δu±) + f′(u0 + Δu∓ + ½Δu±)]. With M± = m_g ⊙ m±,
//! m_y = ½[(M⁺ + M⁻)W + sign(Δy) ⊙ ((M⁺ − M⁻)|W|)].
//!
//! Shapes: y (S, H), u, g (S, F), W (F, H).

use super::activation::{slope, value};
use super::product::{Threads, multiply};
use super::rows::{each_row, vectorised};
use super::{Matrix, Real};
use crate::model::{Activation, Linear};

/// m_y (S, H) from m_g (S, F).
pub fn multiplier<T: Real>(
    f: Activation,
    linear: &Linear<T>,
    (y, u): (&Matrix<T>, &Matrix<T>),
    (y0, u0): (&Matrix<T>, &Matrix<T>),
    mut m_g: Matrix<T>,
) -> Matrix<T> {
    let (rows, hidden, units) = (y.rows(), y.cols(), u.cols());
    let mut size = linear.weight.clone(); // |W|
    each_row(&mut size, |_, w| w.iter_mut().for_each(|w| *w = w.abs()));
    let mut step = Matrix::zeros(rows, hidden); // |Δy|
    each_row(&mut step, |i, step| {
        for (k, step) in step.iter_mut().enumerate() {
            *step = (y.row(i)[k] - y0.row(i)[k]).abs();
        }
    });
    let mut push = Matrix::zeros(rows, units); // |Δy||W|ᵀ, then M⁺ − M⁻
    multiply(
        push.view_mut(),
        false,
        T::ONE,
        step.view(),
        size.view().t(),
        Threads::All,
    );

    // Rows of (m_g, push) become rows of (M⁺ + M⁻, M⁺ − M⁻).
    let mut difference: Vec<&mut [T]> = push.data_mut().chunks_exact_mut(units).collect();
    super::rows::each_row_with(&mut m_g, &mut difference, |i, m, push| {
        reveal_cancel_row(f, u.row(i), u0.row(i), m, push);
    });

    let mut m_y = Matrix::zeros(rows, hidden);
    multiply(
        m_y.view_mut(),
        false,
        T::of(0.5),
        push.view(),
        size.view(),
        Threads::All,
    );
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
    multiply(
        m_y.view_mut(),
        true,
        T::of(0.5),
        m_g.view(),
        linear.weight.view(),
        Threads::All,
    );
    m_y
}

vectorised! {
    fn reveal_cancel_row<'a, T: Real>(
        f: Activation, u: &'a [T], u0: &'a [T], m: &'a mut [T], push: &'a mut [T],
    ) -> () {
        let n = m.len();
        let (u, u0, push) = (&u[..n], &u0[..n], &mut push[..n]);
        for k in 0..n {
            let (up, down) = halves(f, u[k], u0[k], push[k]);
            push[k] = m[k] * (up - down);
            m[k] *= up + down;
        }
    }
}

/// m⁺ and m⁻ of one unit.
#[inline(always)]
fn halves<T: Real>(f: Activation, u: T, u0: T, push: T) -> (T, T) {
    let half = T::of(0.5);
    let (up, down) = (half * (u - u0 + push), half * (u - u0 - push));
    let (f0, f1) = (value(f, u0), value(f, u));
    let (f_up, f_down) = (value(f, u0 + up), value(f, u0 + down));
    let part = |step: T, other: T, alone: T, rest: T| {
        let quotient = half * ((alone - f0) + (f1 - rest)) / step;
        let middle = half * (slope(f, u0 + half * step) + slope(f, u0 + other + half * step));
        let small = match f {
            Activation::Relu => step == T::ZERO,
            Activation::Gelu | Activation::GeluTanh => step.abs() < T::SMALL_PART,
        };
        if small { middle } else { quotient }
    };
    (part(up, down, f_up, f_down), part(down, up, f_down, f_up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{activation, linear};

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
                weight: Matrix::from_vec(f, h, wave(f * h, 3.0, 0.8)),
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
        let gelu = |u: f64| 0.5 * u * libm::erfc(-u / std::f64::consts::SQRT_2);
        let mut m_y = Matrix::zeros(y.rows(), y.cols());
        for i in 0..y.rows() {
            for unit in 0..linear.weight.rows() {
                let w = linear.weight.row(unit);
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
            (&y, &u),
            (&y0, &u0),
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
                let (g, g0) = (activation::forward(f, &u), activation::forward(f, &u0));
                let dot = |m: &Matrix<f64>, x: &Matrix<f64>, x0: &Matrix<f64>| -> f64 {
                    m.data()
                        .iter()
                        .zip(x.data())
                        .zip(x0.data())
                        .map(|((m, x), x0)| m * (x - x0))
                        .sum()
                };
                let whole = dot(&m_g, &g, &g0);
                let m_y = multiplier(f, &linear_map, (&y, &u), (&y0, &u0), m_g);
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
            let got = multiplier(f, &linear_map, (&y, &u), (&y0, &u0), m_g.clone());
            let g = activation::forward(f, &u);
            let mut m_u = m_g;
            activation::multiplier(f, (&u, &g), (&u, &g), &mut m_u);
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

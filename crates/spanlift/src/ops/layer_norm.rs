//! y = γ·n + β, n = c/σ, c = x − mean(x), σ = √(mean(c²) + ε), over each row; METHOD rule 6.
//!
//! Multiplier: Δc = σ̄·Δn + n̄·Δσ and σ̄·Δσ = mean(c̄·Δc) give, with g = m_y·γ and ρ = 1/σ̄,
//! m_c = ρ·g − ρ²·mean(g·n̄)·c̄ and m_x = m_c − mean(m_c). At the reference = input it is the gradient. With σ held fixed
//! (AttnLRP) m_c = g/σ, and what comes of x alone is conserved: Σ m_x·x = Σ m_y·(y − β).
//!
//! Shapes: x, y (S, H); kept: n (S, H) and r = 1/σ (S).

use super::product::View;
use super::rows::{each_row, each_row_with, lane_sum, vectorised};
use super::{Matrix, Real, sum};
use crate::model::LayerNorm;

/// What the multiplier needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept<T> {
    /// n = (x − mean)/σ; (S, H).
    pub n: Matrix<T>,
    /// r = 1/σ; (S).
    pub r: Vec<T>,
}

/// y (S, H), and what is kept; `x` gives its memory to n.
pub fn forward<T: Real>(norm: &LayerNorm<T>, mut x: Matrix<T>) -> (Matrix<T>, Kept<T>) {
    let mut r = vec![T::ZERO; x.rows()];
    let mut y = Matrix::reused(x.rows(), x.cols());
    let mut rows: Vec<_> = rows_with(&mut x, &mut r).collect();
    each_row_with(&mut y, &mut rows, |_, y, (n, r)| {
        **r = normalise(n, norm.eps);
        scale(y, n, &norm.weight, &norm.bias);
    });
    (y, Kept { n: x, r })
}

/// The same for x = x1 + x2.
pub fn forward_of_sum<T: Real>(
    norm: &LayerNorm<T>,
    x1: &Matrix<T>,
    x2: View<'_, T>,
) -> (Matrix<T>, Kept<T>) {
    let mut n = Matrix::reused(x1.rows(), x1.cols());
    let mut r = vec![T::ZERO; x1.rows()];
    let mut y = Matrix::reused(x1.rows(), x1.cols());
    let mut rows: Vec<_> = rows_with(&mut n, &mut r).collect();
    each_row_with(&mut y, &mut rows, |i, y, (n, r)| {
        sum::of_rows(x1.row(i), x2.row(i), n);
        **r = normalise(n, norm.eps);
        scale(y, n, &norm.weight, &norm.bias);
    });
    (y, Kept { n, r })
}

/// y (S, H) once more.
pub fn again<T: Real>(norm: &LayerNorm<T>, kept: &Kept<T>) -> Matrix<T> {
    let mut y = Matrix::reused(kept.n.rows(), kept.n.cols());
    each_row(&mut y, |i, y| {
        scale(y, kept.n.row(i), &norm.weight, &norm.bias)
    });
    y
}

/// Each row with its number.
fn rows_with<'a, T: Real>(
    x: &'a mut Matrix<T>,
    r: &'a mut [T],
) -> impl Iterator<Item = (&'a mut [T], &'a mut T)> {
    let cols = x.cols().max(1);
    x.data_mut().chunks_exact_mut(cols).zip(r)
}

/// m_y (S, H) becomes m_x in place; of each kept the rows from a first one on.
pub fn multiplier<T: Real>(
    norm: &LayerNorm<T>,
    [(a, first), (a0, first0)]: [(&Kept<T>, usize); 2],
    m: &mut Matrix<T>,
) {
    each_row(m, |i, m| {
        let (i, i0) = (first + i, first0 + i);
        multiplier_row(m, &norm.weight, a.n.row(i), a0.n.row(i0), a.r[i], a0.r[i0]);
    });
}

/// The same with σ held fixed: m_x = (g − mean(g))/σ.
pub fn multiplier_fixed<T: Real>(
    norm: &LayerNorm<T>,
    (a, first): (&Kept<T>, usize),
    m: &mut Matrix<T>,
) {
    each_row(m, |i, m| fixed_row(m, &norm.weight, a.r[first + i]));
}

vectorised! {
    fn fixed_row<'a, T: Real>(m: &'a mut [T], gamma: &'a [T], r: T) -> () {
        let h = m.len();
        let gamma = &gamma[..h];
        for k in 0..h {
            m[k] = r * m[k] * gamma[k];
        }
        let mean = lane_sum([&*m], |[m]| m) * (T::ONE / T::of(h as f64));
        for k in 0..h {
            m[k] -= mean;
        }
    }
}

vectorised! {
    /// x becomes n; gives 1/σ.
    fn normalise<'a, T: Real>(x: &'a mut [T], eps: T) -> T {
        let h = x.len();
        let per = T::ONE / T::of(h as f64);
        let mean = lane_sum([&*x], |[x]| x) * per;
        for k in 0..h {
            x[k] -= mean;
        }
        let r = T::ONE / (lane_sum([&*x], |[x]| x * x) * per + eps).sqrt();
        for k in 0..h {
            x[k] *= r;
        }
        r
    }
}

vectorised! {
    fn scale<'a, T: Real>(y: &'a mut [T], n: &'a [T], gamma: &'a [T], beta: &'a [T]) -> () {
        let h = y.len();
        let (n, gamma, beta) = (&n[..h], &gamma[..h], &beta[..h]);
        for k in 0..h {
            y[k] = n[k] * gamma[k] + beta[k];
        }
    }
}

vectorised! {
    fn multiplier_row<'a, T: Real>(m: &'a mut [T], gamma: &'a [T], n: &'a [T], n0: &'a [T], r: T, r0: T) -> () {
        let h = m.len();
        let (gamma, n, n0) = (&gamma[..h], &n[..h], &n0[..h]);
        let (half, per) = (T::of(0.5), T::ONE / T::of(h as f64));
        // ρ = 1/σ̄ without the digits that 1/r + 1/r0 would lose.
        let rho = T::of(2.0) * r * r0 / (r + r0);
        let (sigma, sigma0) = (half / r, half / r0);
        let along = lane_sum([&*m, gamma, n, n0], |[m, gamma, n, n0]| m * gamma * (n + n0));
        let along = along * half * per * rho * rho;
        for k in 0..h {
            let c = n[k] * sigma + n0[k] * sigma0;
            m[k] = rho * m[k] * gamma[k] - along * c;
        }
        let mean = lane_sum([&*m], |[m]| m) * per;
        for k in 0..h {
            m[k] -= mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, a: f64, b: f64, size: f64) -> Vec<f64> {
        (0..n).map(|k| size * (a + b * k as f64).sin()).collect()
    }

    fn norm<T: Real>(h: usize) -> LayerNorm<T> {
        let of = |v: Vec<f64>| v.into_iter().map(T::of).collect();
        LayerNorm {
            weight: of(wave(h, 1.0, 2.0, 1.5)),
            bias: of(wave(h, 2.0, 5.0, 0.3)),
            eps: T::of(1e-6),
        }
    }

    /// y of one row, as the definition has it.
    fn plain(x: &[f64], norm: &LayerNorm<f64>) -> Vec<f64> {
        let h = x.len() as f64;
        let mean = x.iter().sum::<f64>() / h;
        let sigma = (x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / h + norm.eps).sqrt();
        x.iter()
            .enumerate()
            .map(|(k, x)| norm.weight[k] * (x - mean) / sigma + norm.bias[k])
            .collect()
    }

    /// m_x of one row, straight from rule 6 in c and σ.
    fn plain_multiplier(x: &[f64], x0: &[f64], m: &[f64], norm: &LayerNorm<f64>) -> Vec<f64> {
        let h = x.len() as f64;
        let parts = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / h;
            let c: Vec<f64> = x.iter().map(|x| x - mean).collect();
            let sigma = (c.iter().map(|c| c * c).sum::<f64>() / h + norm.eps).sqrt();
            (c, sigma)
        };
        let ((c, sigma), (c0, sigma0)) = (parts(x), parts(x0));
        let rho = 1.0 / (0.5 * (sigma + sigma0));
        let g: Vec<f64> = m.iter().zip(&norm.weight).map(|(m, w)| m * w).collect();
        let along = (0..x.len())
            .map(|k| g[k] * 0.5 * (c[k] / sigma + c0[k] / sigma0))
            .sum::<f64>()
            / h;
        let m_c: Vec<f64> = (0..x.len())
            .map(|k| rho * g[k] - rho * rho * along * 0.5 * (c[k] + c0[k]))
            .collect();
        let mean = m_c.iter().sum::<f64>() / h;
        m_c.iter().map(|m| m - mean).collect()
    }

    fn run<T: Real>(x: &[f64]) -> (Matrix<T>, Kept<T>) {
        forward(
            &norm(x.len()),
            Matrix::from_vec(1, x.len(), x.iter().map(|&x| T::of(x)).collect()),
        )
    }

    fn check<T: Real>(h: usize, size: f64, step: f64, bound: f64) {
        let x = wave(h, 0.3, 1.9, size);
        let x0: Vec<f64> = x
            .iter()
            .zip(wave(h, 4.0, 0.7, step))
            .map(|(x, d)| x + d)
            .collect();
        let m = wave(h, 9.0, 3.3, 1.0);
        let ((y, a), (_, a0)) = (run::<T>(&x), run::<T>(&x0));
        let norm64 = norm::<f64>(h);
        for (got, want) in y.row(0).iter().zip(plain(&x, &norm64)) {
            assert!(
                (got.f64() - want).abs() < bound * 10.0,
                "{h} {size}: {got} {want}"
            );
        }
        let mut got = Matrix::from_vec(1, h, m.iter().map(|&m| T::of(m)).collect());
        multiplier(&norm(h), [(&a, 0), (&a0, 0)], &mut got);
        let want = plain_multiplier(&x, &x0, &m, &norm64);
        // The scale of the terms that cancel: |γ·m|/σ̄.
        let top = 1.5 * 2.0 / (1.0 / a.r[0].f64() + 1.0 / a0.r[0].f64());
        for (got, want) in got.row(0).iter().zip(&want) {
            assert!(
                (got.f64() - want).abs() < bound * top * 10.0,
                "{h} {size} {step}: {got} {want}"
            );
        }
    }

    #[test]
    fn equals_the_plain_rule() {
        for h in [2, 15, 16, 24, 100, 768] {
            for size in [0.05, 1.0, 40.0] {
                for step in [0.0, 1e-4, 0.5, 30.0] {
                    check::<f64>(h, size, step, 1e-13);
                    check::<f32>(h, size, step, 3e-6);
                }
            }
        }
    }

    #[test]
    fn shares_out_the_whole_change() {
        let h = 24;
        let (x, x0, m) = (
            wave(h, 0.3, 1.9, 2.0),
            wave(h, 0.9, 2.9, 0.7),
            wave(h, 9.0, 3.3, 1.0),
        );
        let ((y, a), (y0, a0)) = (run::<f64>(&x), run::<f64>(&x0));
        let whole: f64 = (0..h).map(|k| m[k] * (y.row(0)[k] - y0.row(0)[k])).sum();
        let mut m_x = Matrix::from_vec(1, h, m);
        multiplier(&norm(h), [(&a, 0), (&a0, 0)], &mut m_x);
        let through: f64 = (0..h).map(|k| m_x.row(0)[k] * (x[k] - x0[k])).sum();
        assert!(
            (through - whole).abs() < 1e-13 && whole.abs() > 1e-2,
            "{through} {whole}"
        );
    }

    /// With σ fixed y − β is linear in x: Σ m_x·x = Σ m_y·(y − β), and m_x the slope of that linear map.
    #[test]
    fn a_fixed_sigma_conserves_all_but_the_bias() {
        for h in [2, 15, 16, 24, 100] {
            let (x, m) = (wave(h, 0.3, 1.9, 2.0), wave(h, 9.0, 3.3, 1.0));
            let norm = norm::<f64>(h);
            let (y, kept) = run::<f64>(&x);
            let mut m_x = Matrix::from_vec(1, h, m.clone());
            multiplier_fixed(&norm, (&kept, 0), &mut m_x);
            let through: f64 = m_x.row(0).iter().zip(&x).map(|(m, x)| m * x).sum();
            let whole: f64 = (0..h).map(|k| m[k] * (y.row(0)[k] - norm.bias[k])).sum();
            assert!((through - whole).abs() < 1e-12, "{h}: {through} {whole}");
            // Row j of the map: γ_j·(δ_jk − 1/h)/σ.
            for k in 0..h {
                let slope = |j: usize| {
                    norm.weight[j] * (f64::from(u8::from(j == k)) - 1.0 / h as f64) * kept.r[0]
                };
                let want: f64 = (0..h).map(|j| m[j] * slope(j)).sum();
                assert!((m_x.row(0)[k] - want).abs() < 1e-13, "{h} {k}");
            }
        }
    }

    #[test]
    fn is_the_gradient_where_input_and_reference_agree() {
        let h = 16;
        let (x, m) = (wave(h, 0.3, 1.9, 1.0), wave(h, 9.0, 3.3, 1.0));
        let (_, a) = run::<f64>(&x);
        let mut got = Matrix::from_vec(1, h, m.clone());
        multiplier(&norm(h), [(&a, 0), (&a, 0)], &mut got);
        let value = |x: &[f64]| {
            plain(x, &norm(h))
                .iter()
                .zip(&m)
                .map(|(y, m)| y * m)
                .sum::<f64>()
        };
        for k in 0..h {
            let (mut up, mut down) = (x.clone(), x.clone());
            up[k] += 1e-5;
            down[k] -= 1e-5;
            let want = (value(&up) - value(&down)) / 2e-5;
            assert!(
                (got.row(0)[k] - want).abs() < 1e-8,
                "{} {want}",
                got.row(0)[k]
            );
        }
    }
}

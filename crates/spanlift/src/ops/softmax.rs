//! p_j = exp(s_j − log Z), over each row; METHOD rule 5.
//!
//! Multiplier: with the logarithmic mean ℓ_j = (p_j − p0_j)/(ln p_j − ln p0_j) and Λ = Σ ℓ_j,
//! m_s = ℓ ⊙ (m_p − ⟨ℓ, m_p⟩/Λ). It is Rescale on exp: since Σ Δp = 0, Δlog Z = ⟨ℓ, Δs⟩/Λ exactly.
//! At p0 = p it is the softmax Jacobian.
//!
//! Shapes: rows of S key positions.

use super::Real;
use super::rows::{LANES, lane_sum, vectorised};

vectorised! {
    /// One row: the scores `s` become s − max s in place, and `p` the probabilities; gives Z = Σ exp(s − max s). From
    /// these two [`again`] makes the same p.
    ///
    /// # Panics
    ///
    /// Where the row is empty, or `p` is shorter.
    pub fn forward<'a, T: Real>(s: &'a mut [T], p: &'a mut [T]) -> T {
        let n = s.len();
        let p = &mut p[..n];
        let mut lanes = [s[0]; LANES];
        let whole = n - n % LANES;
        let mut at = 0;
        while at < whole {
            for lane in 0..LANES {
                lanes[lane] = lanes[lane].max(s[at + lane]);
            }
            at += LANES;
        }
        for lane in 0..n - whole {
            lanes[lane] = lanes[lane].max(s[whole + lane]);
        }
        let mut max = lanes[0];
        for lane in lanes {
            max = max.max(lane);
        }
        for j in 0..n {
            s[j] -= max;
            p[j] = s[j].exp();
        }
        let z = lane_sum(n, |j| p[j]);
        for j in 0..n {
            p[j] = p[j] / z;
        }
        z
    }
}

vectorised! {
    /// One row: p from s − max s and Z.
    pub fn again<'a, T: Real>(shifted: &'a [T], z: T, p: &'a mut [T]) -> () {
        let n = p.len();
        let shifted = &shifted[..n];
        for j in 0..n {
            p[j] = shifted[j].exp() / z;
        }
    }
}

/// (p − p0)/(ln p − ln p0), from both p and both ln p.
///
/// |ln p − ln p0| < 1: √p·√p0·sinh(x)/x at half the difference; the series' first term left out is below
/// 5e-17 of the sum, in f32 below 2e-8.
#[inline(always)]
fn log_mean<T: Real>(p: T, log_p: T, p0: T, log_p0: T) -> T {
    let d = log_p - log_p0;
    let x2 = T::of(0.25) * d * d;
    let mut sinh = T::ONE;
    // Nested from the last term: 1 + x²/(2·3)·(1 + x²/(4·5)·(1 + …)).
    let terms: &[f64] = if size_of::<T>() == size_of::<f32>() {
        &[42.0, 20.0, 6.0]
    } else {
        &[156.0, 110.0, 72.0, 42.0, 20.0, 6.0]
    };
    for &k in terms {
        sinh = T::ONE + x2 * T::of(1.0 / k) * sinh;
    }
    let near = p.sqrt() * p0.sqrt() * sinh;
    let far = (p - p0) / d;
    if d.abs() < T::ONE { near } else { far }
}

/// A row of one pass: p, s − max s and ln Z, so that ln p = (s − max s) − ln Z.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a, T> {
    /// p; (S).
    pub p: &'a [T],
    /// s − max s; (S).
    pub shifted: &'a [T],
    /// ln Z.
    pub log_z: T,
}

vectorised! {
    /// One row: m_p becomes m_s in place; gives ⟨ℓ, m_p⟩/Λ, the centre that was taken off. `scratch` has the
    /// row's length.
    pub fn multiplier<'a, T: Real>(
        row: Row<'a, T>,
        row0: Row<'a, T>,
        m: &'a mut [T],
        scratch: &'a mut [T],
    ) -> T {
        let n = m.len();
        let (p, shifted, log_z) = (&row.p[..n], &row.shifted[..n], row.log_z);
        let (p0, shifted0, log_z0) = (&row0.p[..n], &row0.shifted[..n], row0.log_z);
        let l = &mut scratch[..n];
        for j in 0..n {
            l[j] = log_mean(p[j], shifted[j] - log_z, p0[j], shifted0[j] - log_z0);
        }
        // In f64: where one probability is near 1, m − centre cancels, and what is lost would be multiplied by Δs.
        let total = lane_sum(n, |j| l[j].f64());
        let centre = lane_sum(n, |j| l[j].f64() * m[j].f64()) / total;
        for j in 0..n {
            m[j] = T::of(l[j].f64() * (m[j].f64() - centre));
        }
        T::of(centre)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 5 as it stands, in f64, without the series.
    fn plain(s: &[f64], s0: &[f64], m: &[f64]) -> (Vec<f64>, f64) {
        let log_p = |s: &[f64]| -> Vec<f64> {
            let max = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log_z = s.iter().map(|s| (s - max).exp()).sum::<f64>().ln();
            s.iter().map(|s| s - max - log_z).collect()
        };
        let (log_p, log_p0) = (log_p(s), log_p(s0));
        let l: Vec<f64> = log_p
            .iter()
            .zip(&log_p0)
            .map(|(&a, &b)| {
                if a == b {
                    a.exp()
                } else {
                    b.exp() * (a - b).exp_m1() / (a - b)
                }
            })
            .collect();
        let centre = l.iter().zip(m).map(|(l, m)| l * m).sum::<f64>() / l.iter().sum::<f64>();
        (
            l.iter().zip(m).map(|(l, m)| l * (m - centre)).collect(),
            centre,
        )
    }

    fn rows(n: usize, spread: f64, step: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let s: Vec<f64> = (0..n)
            .map(|j| spread * (1.0 + 7.3 * j as f64).sin())
            .collect();
        let s0 = (0..n)
            .map(|j| s[j] + step * (2.0 + 3.1 * j as f64).cos())
            .collect();
        (
            s,
            s0,
            (0..n).map(|j| (5.0 + 1.7 * j as f64).sin()).collect(),
        )
    }

    fn ours<T: Real>(s: &[f64], s0: &[f64], m: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
        let n = s.len();
        let run = |s: &[f64]| {
            let mut shifted: Vec<T> = s.iter().map(|&s| T::of(s)).collect();
            let mut p = vec![T::ZERO; n];
            let z = forward(&mut shifted, &mut p);
            let mut same = vec![T::ZERO; n];
            again(&shifted, z, &mut same);
            assert_eq!(p, same);
            (shifted, z.ln(), p)
        };
        let ((shifted, log_z, p), (shifted0, log_z0, p0)) = (run(s), run(s0));
        let mut m: Vec<T> = m.iter().map(|&m| T::of(m)).collect();
        let (row, row0) = (
            Row {
                p: &p,
                shifted: &shifted,
                log_z,
            },
            Row {
                p: &p0,
                shifted: &shifted0,
                log_z: log_z0,
            },
        );
        let centre = multiplier(row, row0, &mut m, &mut vec![T::ZERO; n]);
        let wide = |v: Vec<T>| v.into_iter().map(T::f64).collect();
        (wide(p), wide(m), centre.f64())
    }

    #[test]
    fn equals_the_plain_rule_at_every_length_spread_and_step() {
        for n in [1, 2, 15, 16, 17, 31, 200] {
            for spread in [0.1, 3.0, 60.0, 900.0] {
                for step in [0.0, 1e-7, 1e-3, 0.3, 0.99, 1.01, 5.0, 300.0] {
                    let (s, s0, m) = rows(n, spread, step);
                    let (want, centre) = plain(&s, &s0, &m);
                    let (_, got, got_centre) = ours::<f64>(&s, &s0, &m);
                    for j in 0..n {
                        assert!(
                            (got[j] - want[j]).abs() < 1e-12,
                            "{n} {spread} {step}: {} {}",
                            got[j],
                            want[j]
                        );
                    }
                    assert!((got_centre - centre).abs() < 1e-12);
                    // In f32 the scores themselves are rounded, by up to 900 · 6e-8: the plain rule takes the same.
                    let narrow =
                        |v: &[f64]| v.iter().map(|&x| f64::from(x as f32)).collect::<Vec<_>>();
                    let (want, _) = plain(&narrow(&s), &narrow(&s0), &narrow(&m));
                    let (_, got, _) = ours::<f32>(&s, &s0, &m);
                    let bound = 3e-6 + 3e-7 * (spread + step);
                    for j in 0..n {
                        assert!(
                            (got[j] - want[j]).abs() < bound,
                            "f32 {n} {spread} {step}: {} {}",
                            got[j],
                            want[j]
                        );
                    }
                }
            }
        }
    }

    /// One score far above all others: the row where a centre in f32 loses the change (it gave −0.37503).
    #[test]
    fn sharp_rows_stay_complete_in_f32() {
        let n = 16;
        let mut peak = vec![0.0; n];
        peak[3] = 2000.0;
        let m: Vec<f64> = (0..n).map(|j| if j == 3 { 0.25 } else { 0.65 }).collect();
        let ((p, got, _), (p0, ..)) = (
            ours::<f32>(&vec![0.0; n], &peak, &m),
            ours::<f32>(&peak, &vec![0.0; n], &m),
        );
        let through: f64 = (0..n).map(|j| got[j] * (0.0 - peak[j])).sum();
        let whole: f64 = (0..n).map(|j| m[j] * (p[j] - p0[j])).sum();
        assert!((whole - 0.375).abs() < 1e-6, "{whole}");
        assert!((through - whole).abs() < 2e-6, "{through} {whole}");
    }

    /// To the last digits on both sides of the change from the series to the quotient.
    #[test]
    fn the_log_mean_keeps_its_digits() {
        for step in [0.0, 1e-9, 1e-3, 0.3, 0.7, 0.99, 0.999, 1.001, 4.0] {
            for d in [step, -step] {
                let (p0, log_p0) = (0.017_f64, 0.017_f64.ln());
                let (p, log_p) = ((log_p0 + d).exp(), log_p0 + d);
                let want = if d == 0.0 { p0 } else { p0 * d.exp_m1() / d };
                let got = log_mean(p, log_p, p0, log_p0);
                assert!((got / want - 1.0).abs() < 5e-15, "{d}: {got} {want}");
                let narrow = |x: f64| x as f32;
                let got = log_mean(narrow(p), narrow(log_p), narrow(p0), narrow(log_p0));
                let off = f64::from(got) / want - 1.0;
                assert!(off.abs() < 1e-6, "f32 {d}: {got} {want}");
            }
        }
    }

    #[test]
    fn shares_out_the_whole_change_of_the_probabilities() {
        let (s, s0, m) = rows(40, 4.0, 2.5);
        let ((p, got, _), (p0, ..)) = (ours::<f64>(&s, &s0, &m), ours::<f64>(&s0, &s, &m));
        let through: f64 = (0..40).map(|j| got[j] * (s[j] - s0[j])).sum();
        let whole: f64 = (0..40).map(|j| m[j] * (p[j] - p0[j])).sum();
        assert!((through - whole).abs() < 1e-13, "{through} {whole}");
        assert!(whole.abs() > 1e-3);
    }

    #[test]
    fn is_the_softmax_jacobian_where_input_and_reference_agree() {
        let (s, _, m) = rows(9, 2.0, 0.0);
        let (p, got, _) = ours::<f64>(&s, &s, &m);
        for j in 0..9 {
            let want: f64 = (0..9)
                .map(|i| m[i] * p[i] * (f64::from(u8::from(i == j)) - p[j]))
                .sum();
            assert!((got[j] - want).abs() < 1e-15);
        }
    }
}

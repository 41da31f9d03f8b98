//! p_j = exp(s_j − log Z), over each row; METHOD rule 5.
//!
//! Multiplier: with the logarithmic mean ℓ_j = (p_j − p0_j)/(ln p_j − ln p0_j) and Λ = Σ ℓ_j,
//! m_s = ℓ ⊙ (m_p − ⟨ℓ, m_p⟩/Λ). It is Rescale on exp: since Σ Δp = 0, Δlog Z = ⟨ℓ, Δs⟩/Λ exactly.
//! At p0 = p it is the softmax Jacobian. For comparison, the mean Jacobian over the path between them: [`path_multiplier`].
//!
//! Shapes: rows of S key positions.

use super::Real;
use super::rows::{lane_max, lane_sum, vectorised};

vectorised! {
    /// One row of scores: s − max s, and the probabilities; gives Z = Σ exp(s − max s). From these two [`again`] makes the same p, to
    /// the bit: the walk shares out a change of ctx that was made with these.
    ///
    /// # Panics
    ///
    /// Where the row is empty, or another is shorter.
    pub fn forward<'a, T: Real>(s: &'a [T], shifted: &'a mut [T], p: &'a mut [T]) -> T {
        let n = s.len();
        let (shifted, p) = (&mut shifted[..n], &mut p[..n]);
        let max = lane_max([s], s[0], |[s]| s);
        for j in 0..n {
            let x = s[j] - max;
            shifted[j] = x;
            p[j] = x.exp();
        }
        let z = lane_sum([&*p], |[p]| p);
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
/// With d = ln p − ln p0: for |d| < 1 p0·(eᵈ − 1)/d, the series of which, 1 + d/2·(1 + d/3·(1 + …)), ends where the first term left
/// out is below 5e-17 of the sum, in f32 below 5e-8. With the ends exchanged it is the same but for rounding.
#[inline(always)]
fn log_mean<T: Real>(p: T, log_p: T, p0: T, log_p0: T) -> T {
    let d = log_p - log_p0;
    let mut series = T::ONE;
    // Nested from the last term. Slices, and not a range: their loops are unrolled before the rows' loop is vectorised.
    let terms: &[f64] = if size_of::<T>() == size_of::<f32>() {
        &[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]
    } else {
        &[
            18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0,
            3.0, 2.0,
        ]
    };
    for &k in terms {
        series = T::ONE + d * T::of(1.0 / k) * series;
    }
    let near = p0 * series;
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
        let total: f64 = lane_sum([&*l], |[l]| l.f64());
        let centre = lane_sum([&*l, &*m], |[l, m]| l.f64() * m.f64()) / total;
        for j in 0..n {
            m[j] = T::of(l[j].f64() * (m[j].f64() - centre));
        }
        T::of(centre)
    }
}

/// Points on the path of [`path_multiplier`] that the rule takes.
pub const POINTS: usize = 64;

/// One row: m_p becomes m_s in place, with m_s = 1/n·Σ_k J(α_k)·m_p, J the Jacobian at the scores s0 + α·Δs and α_k the middles
/// of n equal parts: p ⊙ (m_p − ⟨p, m_p⟩) at each. Gives the mean of ⟨p, m_p⟩, the centre that was taken off.
///
/// ∫J dα·Δs = Δp, so that m_s·Δs is m_p·Δp but for what the sum is off the integral, to leading order (g′(0) − g′(1))/(24·n²) with
/// g(α) = ⟨m_p, J(α)·Δs⟩ (Euler–Maclaurin). With two keys the Jacobian has one direction, along which both this integral
/// and rule 5 are Δp/Δ(s_1 − s_2): there they are the same.
pub fn path_multiplier<T: Real>(
    row: Row<'_, T>,
    row0: Row<'_, T>,
    points: usize,
    m: &mut [T],
) -> T {
    let n = m.len();
    let [mut s, mut shifted, mut p] = [(); 3].map(|()| vec![T::ZERO; n]);
    let mut sums = vec![0.0; n];
    let mut centres = 0.0;
    for k in 0..points {
        let alpha = T::of((k as f64 + 0.5) / points as f64);
        between(row.shifted, row0.shifted, alpha, &mut s);
        forward(&s, &mut shifted, &mut p);
        centres += add_jacobian(&p, m, &mut sums);
    }
    let share = 1.0 / points as f64;
    for (m, sum) in m.iter_mut().zip(sums) {
        *m = T::of(share * sum);
    }
    T::of(share * centres)
}

vectorised! {
    fn between<'a, T: Real>(s: &'a [T], s0: &'a [T], alpha: T, at: &'a mut [T]) -> () {
        let n = at.len();
        let (s, s0) = (&s[..n], &s0[..n]);
        for j in 0..n {
            at[j] = s0[j] + alpha * (s[j] - s0[j]);
        }
    }
}

vectorised! {
    /// Adds p ⊙ (m − ⟨p, m⟩) in f64; gives ⟨p, m⟩.
    fn add_jacobian<'a, T: Real>(p: &'a [T], m: &'a [T], sums: &'a mut [f64]) -> f64 {
        let n = sums.len();
        let (p, m) = (&p[..n], &m[..n]);
        // p sums to 1 but for rounding, which must not meet the size of m.
        let total: f64 = lane_sum([p], |[p]| p.f64());
        let centre = lane_sum([p, m], |[p, m]| p.f64() * m.f64()) / total;
        for j in 0..n {
            sums[j] += p[j].f64() * (m[j].f64() - centre);
        }
        centre
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

    /// s − max s, Z and p.
    fn passed<T: Real>(s: &[f64]) -> (Vec<T>, T, Vec<T>) {
        let s: Vec<T> = s.iter().map(|&s| T::of(s)).collect();
        let [mut shifted, mut p, mut same] = [(); 3].map(|()| vec![T::ZERO; s.len()]);
        let z = forward(&s, &mut shifted, &mut p);
        again(&shifted, z, &mut same);
        assert_eq!(p, same);
        (shifted, z, p)
    }

    fn ours<T: Real>(s: &[f64], s0: &[f64], m: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
        let n = s.len();
        let run = |s: &[f64]| {
            let (shifted, z, p) = passed::<T>(s);
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
                let narrow = |x: f64| x as f32;
                // And with the ends exchanged.
                for [(p, log_p), (p0, log_p0)] in
                    [[(p, log_p), (p0, log_p0)], [(p0, log_p0), (p, log_p)]]
                {
                    let got = log_mean(p, log_p, p0, log_p0);
                    assert!((got / want - 1.0).abs() < 5e-15, "{d}: {got} {want}");
                    let got = log_mean(narrow(p), narrow(log_p), narrow(p0), narrow(log_p0));
                    let off = f64::from(got) / want - 1.0;
                    assert!(off.abs() < 1e-6, "f32 {d}: {got} {want}");
                }
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

    fn path<T: Real>(s: &[f64], s0: &[f64], points: usize, m: &[f64]) -> (Vec<f64>, f64) {
        let run = |s: &[f64]| {
            let (shifted, z, p) = passed::<T>(s);
            (p, shifted, z.ln())
        };
        let ends = [run(s), run(s0)];
        let [row, row0] = ends.each_ref().map(|(p, shifted, log_z)| Row {
            p,
            shifted,
            log_z: *log_z,
        });
        let mut m: Vec<T> = m.iter().map(|&m| T::of(m)).collect();
        let centre = path_multiplier(row, row0, points, &mut m);
        (m.into_iter().map(T::f64).collect(), centre.f64())
    }

    fn probabilities(s: &[f64]) -> Vec<f64> {
        let max = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<f64> = s.iter().map(|s| (s - max).exp()).collect();
        let z: f64 = e.iter().sum();
        e.iter().map(|e| e / z).collect()
    }

    /// J·m at one point of the path, entry by entry, and ⟨p, m⟩.
    fn jacobian(s: &[f64], s0: &[f64], alpha: f64, m: &[f64]) -> (Vec<f64>, f64) {
        let at: Vec<f64> = s
            .iter()
            .zip(s0)
            .map(|(s, s0)| s0 + alpha * (s - s0))
            .collect();
        let p = probabilities(&at);
        let entry = |j: usize, i: usize| p[j] * (f64::from(u8::from(i == j)) - p[i]);
        let row = |j: usize| (0..p.len()).map(|i| entry(j, i) * m[i]).sum();
        let centre = p.iter().zip(m).map(|(p, m)| p * m).sum();
        ((0..p.len()).map(row).collect(), centre)
    }

    /// Simpson's rule on so many pairs of steps.
    fn integral(s: &[f64], s0: &[f64], m: &[f64], pairs: usize) -> Vec<f64> {
        let mut sum = vec![0.0; s.len()];
        for k in 0..=2 * pairs {
            let weight = match k {
                0 => 1.0,
                _ if k == 2 * pairs => 1.0,
                _ if k % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let at = jacobian(s, s0, k as f64 / (2 * pairs) as f64, m).0;
            sum.iter_mut()
                .zip(at)
                .for_each(|(sum, at)| *sum += weight / (6 * pairs) as f64 * at);
        }
        sum
    }

    fn apart(a: &[f64], b: &[f64]) -> f64 {
        let off = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        off.fold(0.0, f64::max)
    }

    #[test]
    fn the_path_equals_the_plain_mean_of_jacobians() {
        for n in [1, 2, 15, 16, 17, 40] {
            for spread in [0.1, 3.0, 60.0, 900.0] {
                for step in [0.0, 1e-3, 0.99, 5.0, 300.0] {
                    let (s, s0, m) = rows(n, spread, step);
                    let narrow =
                        |v: &[f64]| v.iter().map(|&x| f64::from(x as f32)).collect::<Vec<_>>();
                    for points in [1, 7, POINTS] {
                        let plain = |s: &[f64], s0: &[f64], m: &[f64]| {
                            let (mut mean, mut centre) = (vec![0.0; n], 0.0);
                            for k in 0..points {
                                let alpha = (2 * k + 1) as f64 / (2 * points) as f64;
                                let (at, own) = jacobian(s, s0, alpha, m);
                                mean.iter_mut()
                                    .zip(at)
                                    .for_each(|(mean, at)| *mean += at / points as f64);
                                centre += own / points as f64;
                            }
                            (mean, centre)
                        };
                        let (want, want_centre) = plain(&s, &s0, &m);
                        let (got, centre) = path::<f64>(&s, &s0, points, &m);
                        let off = apart(&got, &want);
                        assert!(off < 1e-12, "{n} {spread} {step} {points}: {off}");
                        assert!((centre - want_centre).abs() < 1e-12);
                        // Scores in f32 are rounded, by up to 1200 · 6e-8, at the ends and on the path.
                        let (want, _) = plain(&narrow(&s), &narrow(&s0), &narrow(&m));
                        let off = apart(&path::<f32>(&s, &s0, points, &m).0, &want);
                        let bound = 3e-6 + 3e-7 * (spread + step);
                        assert!(off < bound, "f32 {n} {spread} {step} {points}: {off}");
                    }
                }
            }
        }
    }

    /// At many points the path is its integral, which rule 5 is not.
    #[test]
    fn the_path_tends_to_its_integral() {
        let (s, s0, m) = rows(9, 2.0, 3.0);
        let exact = integral(&s, &s0, &m, 2000);
        assert!(
            apart(&exact, &integral(&s, &s0, &m, 1000)) < 1e-12,
            "the integral is exact"
        );
        let [coarse, fine] = [1000, 2000].map(|points| path::<f64>(&s, &s0, points, &m).0);
        assert!(apart(&fine, &exact) < 1e-6);
        // What falls as 1/n² taken out.
        let both = fine.iter().zip(&coarse);
        let extrapolated: Vec<f64> = both
            .map(|(fine, coarse)| (4.0 * fine - coarse) / 3.0)
            .collect();
        assert!(
            apart(&extrapolated, &exact) < 1e-12,
            "{}",
            apart(&extrapolated, &exact)
        );
        let rule_5 = ours::<f64>(&s, &s0, &m).1;
        assert!(apart(&exact, &rule_5) > 1e-2, "{}", apart(&exact, &rule_5));
    }

    /// With two keys both are Δp/Δz·(m_1 − m_2), z = s_1 − s_2.
    #[test]
    fn with_two_keys_the_path_integral_is_rule_5() {
        for (spread, step) in [(0.1, 0.5), (3.0, 0.99), (3.0, 5.0), (20.0, 9.0)] {
            let (s, s0, m) = rows(2, spread, step);
            let exact = integral(&s, &s0, &m, 4000);
            let dz = (s[0] - s[1]) - (s0[0] - s0[1]);
            let dp = probabilities(&s)[0] - probabilities(&s0)[0];
            let want = dp / dz * (m[0] - m[1]);
            assert!(want.abs() > 1e-9, "{want}");
            let rule_5 = ours::<f64>(&s, &s0, &m).1;
            for got in [&exact, &rule_5] {
                assert!(apart(got, &[want, -want]) < 1e-12, "{got:?} {want}");
            }
            let [coarse, fine] =
                [500, 1000].map(|points| apart(&path::<f64>(&s, &s0, points, &m).0, &rule_5));
            assert!(
                fine < 1e-4 && (fine - 0.25 * coarse).abs() < 1e-2 * coarse + 1e-14,
                "{fine} {coarse}"
            );
        }
    }

    /// Σ m_s·Δs − Σ m_p·Δp is (g′(0) − g′(1))/(24·n²) to leading order, with g′ = Σ_j m_j·p_j·((Δs_j − mean)² − variance), both under p.
    #[test]
    fn the_error_of_the_path_falls_as_the_square_of_its_points() {
        for (spread, step) in [(2.0, 1.0), (4.0, 6.0)] {
            let (s, s0, m) = rows(40, spread, step);
            let change: Vec<f64> = s.iter().zip(&s0).map(|(s, s0)| s - s0).collect();
            let slope = |s: &[f64]| -> f64 {
                let p = probabilities(s);
                let mean: f64 = p.iter().zip(&change).map(|(p, d)| p * d).sum();
                let square = |j: usize| (change[j] - mean).powi(2);
                let variance: f64 = (0..40).map(|j| p[j] * square(j)).sum();
                (0..40).map(|j| m[j] * p[j] * (square(j) - variance)).sum()
            };
            let leading = (slope(&s0) - slope(&s)) / 24.0;
            let (p, p0) = (probabilities(&s), probabilities(&s0));
            let whole: f64 = (0..40).map(|j| m[j] * (p[j] - p0[j])).sum();
            for points in [POINTS, 2 * POINTS, 4 * POINTS, 16 * POINTS] {
                let got = path::<f64>(&s, &s0, points, &m).0;
                let error = got.iter().zip(&change).map(|(m, d)| m * d).sum::<f64>() - whole;
                let want = leading / (points * points) as f64;
                assert!(want.abs() > 1e-10, "{want}");
                assert!(
                    (error - want).abs() < 1e-2 * want.abs(),
                    "{points}: {error} {want}"
                );
            }
        }
    }
}

//! The operations once more, from their definitions: loops over `f64`, one number after the other.

use spanlift::model::Linear;
use spanlift::ops::Matrix;

/// Rows of numbers.
pub(crate) type Rows = Vec<Vec<f64>>;

/// These rows of a matrix, these columns of each.
pub(crate) fn rows(
    matrix: &Matrix<f32>,
    rows: impl IntoIterator<Item = usize>,
    columns: std::ops::Range<usize>,
) -> Rows {
    let row = |i| matrix.row(i)[columns.clone()].iter().map(|&x| x.into());
    rows.into_iter().map(|i| row(i).collect()).collect()
}

/// A·B.
pub(crate) fn product(a: &Rows, b: &Rows) -> Rows {
    let columns = b.first().map_or(0, Vec::len);
    let one = |a: &Vec<f64>| {
        let mut sums = vec![0.0; columns];
        for (a, b) in a.iter().zip(b) {
            sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
        sums
    };
    a.iter().map(one).collect()
}

/// Aᵀ.
pub(crate) fn turned(a: &Rows) -> Rows {
    let columns = a.first().map_or(0, Vec::len);
    (0..columns)
        .map(|k| a.iter().map(|row| row[k]).collect())
        .collect()
}

/// f of each pair of numbers.
pub(crate) fn pairs(a: &Rows, b: &Rows, f: impl Fn(f64, f64) -> f64) -> Rows {
    let one = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect();
    a.iter().zip(b).map(one).collect()
}

/// f of each number.
pub(crate) fn each(a: &Rows, f: impl Fn(f64) -> f64) -> Rows {
    pairs(a, a, |a, _| f(a))
}

/// W; (outputs, inputs).
pub(crate) fn weight(linear: &Linear<f32>) -> Rows {
    let matrix = linear.weight.matrix();
    rows(&matrix, 0..matrix.rows(), 0..matrix.cols())
}

/// x·Wᵀ + b.
pub(crate) fn linear(linear: &Linear<f32>, x: &Rows) -> Rows {
    let mut y = product(x, &turned(&weight(linear)));
    for y in &mut y {
        y.iter_mut()
            .zip(&linear.bias)
            .for_each(|(y, &b)| *y += f64::from(b));
    }
    y
}

/// x·Φ(x).
pub(crate) fn gelu(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// p of a row of scores, and ln p.
pub(crate) fn softmax(s: &[f64]) -> [Vec<f64>; 2] {
    let top = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_z = top + s.iter().map(|s| (s - top).exp()).sum::<f64>().ln();
    let log_p: Vec<f64> = s.iter().map(|s| s - log_z).collect();
    [log_p.iter().map(|l| l.exp()).collect(), log_p]
}

/// m_s of a row from m_p, and the centre ⟨ℓ, m_p⟩/Λ; METHOD rule 5.
pub(crate) fn softmax_multiplier(s: &[f64], s0: &[f64], m: &[f64]) -> (Vec<f64>, f64) {
    let ([p, log_p], [p0, log_p0]) = (softmax(s), softmax(s0));
    let mean = |j: usize| match log_p[j] - log_p0[j] {
        0.0 => p[j],
        step => p0[j] * step.exp_m1() / step,
    };
    let means: Vec<f64> = (0..s.len()).map(mean).collect();
    let centre = means.iter().zip(m).map(|(l, m)| l * m).sum::<f64>() / means.iter().sum::<f64>();
    let m = means.iter().zip(m).map(|(l, m)| l * (m - centre)).collect();
    (m, centre)
}

/// n of a row, and σ.
fn normalised(x: &[f64], eps: f64) -> (Vec<f64>, f64) {
    let h = x.len() as f64;
    let mean = x.iter().sum::<f64>() / h;
    let sigma = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / h + eps).sqrt();
    (x.iter().map(|x| (x - mean) / sigma).collect(), sigma)
}

/// γ·n + β of a row.
pub(crate) fn layer_norm(x: &[f64], [gamma, beta]: [&[f32]; 2], eps: f64) -> Vec<f64> {
    let (n, _) = normalised(x, eps);
    let one = |k: usize| f64::from(gamma[k]) * n[k] + f64::from(beta[k]);
    (0..x.len()).map(one).collect()
}

/// m_x of a row from m_y; METHOD rule 6.
pub(crate) fn layer_norm_multiplier(
    [x, x0]: [&[f64]; 2],
    gamma: &[f32],
    eps: f64,
    m: &[f64],
) -> Vec<f64> {
    let h = x.len() as f64;
    let ((n, sigma), (n0, sigma0)) = (normalised(x, eps), normalised(x0, eps));
    let rho = 2.0 / (sigma + sigma0);
    let g: Vec<f64> = m
        .iter()
        .zip(gamma)
        .map(|(m, &w)| m * f64::from(w))
        .collect();
    let along = (0..x.len())
        .map(|k| g[k] * 0.5 * (n[k] + n0[k]))
        .sum::<f64>()
        / h;
    let change = |k: usize| {
        let c = 0.5 * (n[k] * sigma + n0[k] * sigma0);
        rho * g[k] - rho * rho * along * c
    };
    let m: Vec<f64> = (0..x.len()).map(change).collect();
    let mean = m.iter().sum::<f64>() / h;
    m.iter().map(|m| m - mean).collect()
}

/// m_y of a row under RevealCancel, unit by unit; METHOD section 4.
pub(crate) fn reveal_cancel(linear: &Linear<f32>, y: &[f64], y0: &[f64], m_g: &[f64]) -> Vec<f64> {
    let weight = weight(linear);
    let mut m_y = vec![0.0; y.len()];
    for (unit, w) in weight.iter().enumerate() {
        let terms: Vec<f64> = (0..y.len()).map(|k| w[k] * (y[k] - y0[k])).collect();
        let up: f64 = terms.iter().filter(|t| **t > 0.0).sum();
        let down: f64 = terms.iter().filter(|t| **t < 0.0).sum();
        let at0 = w.iter().zip(y0).map(|(w, y)| w * y).sum::<f64>() + f64::from(linear.bias[unit]);
        let effect = |step: f64, other: f64| {
            let (alone, last) = (gelu(at0 + step) - gelu(at0), gelu(at0 + step + other));
            0.5 * (alone + last - gelu(at0 + other)) / step
        };
        let (m_up, m_down) = (effect(up, down), effect(down, up));
        for k in 0..y.len() {
            let m = if terms[k] > 0.0 { m_up } else { m_down };
            m_y[k] += if terms[k] == 0.0 {
                0.0
            } else {
                m_g[unit] * m * w[k]
            };
        }
    }
    m_y
}

/// A head of attention over one sequence: q, k, v (S, D) of both passes, and m_O (S, D).
pub(crate) struct Head {
    pub(crate) qkv: [[Rows; 3]; 2],
    pub(crate) m_o: Rows,
}

/// What comes of it.
pub(crate) struct HeadBack {
    /// m_Q, m_K, m_V; (S, D).
    pub(crate) m_qkv: [Rows; 3],
    /// (S, S).
    pub(crate) pattern: Rows,
    /// (S, S).
    pub(crate) content: Rows,
}

impl Head {
    fn scores(&self, pass: usize) -> Rows {
        let [q, k, _] = &self.qkv[pass];
        let scale = 1.0 / (self.m_o[0].len() as f64).sqrt();
        each(&product(q, &turned(k)), |s| s * scale)
    }

    fn probs(&self, pass: usize) -> Rows {
        let one = |s: &Vec<f64>| {
            let [p, _] = softmax(s);
            p
        };
        self.scores(pass).iter().map(one).collect()
    }

    /// ctx of a pass; (S, D).
    pub(crate) fn ctx(&self, pass: usize) -> Rows {
        product(&self.probs(pass), &self.qkv[pass][2])
    }

    /// METHOD rules 4 and 5.
    pub(crate) fn back(&self) -> HeadBack {
        let mean = |a: &Rows, b: &Rows| pairs(a, b, |a, b| 0.5 * (a + b));
        let part = |part: usize| mean(&self.qkv[0][part], &self.qkv[1][part]);
        let (p, p0) = (self.probs(0), self.probs(1));
        let m_p = product(&self.m_o, &turned(&part(2)));
        let (s, s0) = (self.scores(0), self.scores(1));
        let (mut m_s, mut pattern) = (Vec::new(), Vec::new());
        for i in 0..s.len() {
            let (m, centre) = softmax_multiplier(&s[i], &s0[i], &m_p[i]);
            m_s.push(m);
            let one = |j: usize| (m_p[i][j] - centre) * (p[i][j] - p0[i][j]);
            pattern.push((0..s.len()).map(one).collect());
        }
        let scale = 1.0 / (self.m_o[0].len() as f64).sqrt();
        let m_s = each(&m_s, |m| m * scale);
        let change = pairs(&self.qkv[0][2], &self.qkv[1][2], |v, v0| v - v0);
        let mean_p = mean(&p, &p0);
        let carried = product(&self.m_o, &turned(&change));
        HeadBack {
            m_qkv: [
                product(&m_s, &part(1)),
                product(&turned(&m_s), &part(0)),
                product(&turned(&mean_p), &self.m_o),
            ],
            pattern,
            content: pairs(&mean_p, &carried, |p, c| p * c),
        }
    }
}

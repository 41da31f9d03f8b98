//! What is made small: of each window −½[ln p(start) + ln p(end)], p the softmax over all its tokens (Devlin et al. 2019, section 4.2).
//!
//! dLoss/d(logit of token i) = ½·(p_i − 1 at the answer's token).
//!
//! Shapes: N tokens of all windows, packed one behind the other; logits and their gradient (N, 2), start and end.

use spanlift::model::Layout;
use spanlift::ops::{Matrix, Real};

/// The sum of the windows' losses, each times `weight`, and its gradient; (N, 2).
#[must_use]
pub fn loss<T: Real>(
    logits: &Matrix<T>,
    layout: &Layout,
    answers: &[[usize; 2]],
    weight: f64,
) -> (f64, Matrix<T>) {
    let mut gradient = Matrix::zeros(logits.rows(), logits.cols());
    let mut sum = 0.0;
    for (b, answer) in answers.iter().enumerate() {
        let tokens = layout.tokens(b);
        for (side, &at) in answer.iter().enumerate() {
            let logit = |i: usize| logits.row(i)[side].f64();
            let most = tokens.clone().map(logit).fold(f64::NEG_INFINITY, f64::max);
            let z: f64 = tokens.clone().map(|i| (logit(i) - most).exp()).sum();
            let right = tokens.start + at;
            sum += 0.5 * weight * (z.ln() + most - logit(right));
            for i in tokens.clone() {
                let p = (logit(i) - most).exp() / z;
                let one = f64::from(u8::from(i == right));
                gradient.row_mut(i)[side] = T::of(0.5 * weight * (p - one));
            }
        }
    }
    (sum, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&[u32]; 2] = [&[0, 0, 1], &[0, 1]];
    const LOGITS: [f64; 10] = [0.3, -1.0, 2.0, 0.5, -0.7, 1.5, 0.0, 4.0, 1.0, -2.0];
    const ANSWERS: [[usize; 2]; 2] = [[1, 2], [0, 0]];

    fn at(logits: &[f64]) -> f64 {
        let layout = Layout::new(TOKENS);
        loss(
            &Matrix::from_vec(5, 2, logits.to_vec()),
            &layout,
            &ANSWERS,
            0.25,
        )
        .0
    }

    /// By hand: of the second window the start is ln(1 + e) − 0, the end ln(e⁴ + e⁻²) − 4.
    #[test]
    fn a_small_case_by_hand() {
        let e = f64::exp;
        let first = (e(0.3) + e(2.0) + e(-0.7)).ln() - 2.0 + (e(-1.0) + e(0.5) + e(1.5)).ln() - 1.5;
        let second = (1.0 + e(1.0)).ln() + (e(4.0) + e(-2.0)).ln() - 4.0;
        assert!((at(&LOGITS) - 0.25 * 0.5 * (first + second)).abs() < 1e-14);
    }

    #[test]
    fn its_gradient_is_its_slope() {
        let layout = Layout::new(TOKENS);
        let logits = Matrix::from_vec(5, 2, LOGITS.to_vec());
        let (_, gradient) = loss(&logits, &layout, &ANSWERS, 0.25);
        for (k, got) in gradient.data().iter().enumerate() {
            let (mut up, mut down) = (LOGITS, LOGITS);
            up[k] += 1e-5;
            down[k] -= 1e-5;
            let slope = (at(&up) - at(&down)) / 2e-5;
            assert!((got - slope).abs() < 1e-10, "{k}: {got} {slope}");
        }
    }

    #[test]
    fn logits_far_apart_do_not_overflow() {
        let layout = Layout::new([&[0, 1][..]]);
        let logits = Matrix::from_vec(2, 2, vec![1e4_f32, -1e4, -1e4, 1e4]);
        let (sum, gradient) = loss(&logits, &layout, &[[1, 0]], 1.0);
        assert_eq!(sum, 2e4);
        assert_eq!(gradient.data(), [0.5, -0.5, -0.5, 0.5]);
    }
}

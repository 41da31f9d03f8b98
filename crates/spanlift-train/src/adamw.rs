//! AdamW (Loshchilov & Hutter 2019, algorithm 2): Adam whose weight decay does not pass through its moments.
//!
//! m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η·λ·θ − η·m̂/(√v̂ + ε), with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ).

use rayon::prelude::*;
use spanlift::ops::Real;

/// Elements that a task takes at a time: sums are made of such pieces, so that they do not depend on the threads.
const PIECE: usize = 1 << 15;

/// The settings that do not change from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// λ, of what decays.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// One tensor on its way: values, gradient and moments, equally long.
#[derive(Debug)]
pub struct Moving<'a, T> {
    /// θ.
    pub values: &'a mut [T],
    /// g.
    pub gradient: &'a [T],
    /// m.
    pub first: &'a mut [T],
    /// v.
    pub second: &'a mut [T],
    /// Whether λ counts for it.
    pub decays: bool,
}

impl AdamW {
    /// Step `t`, from 1, at rate η; every gradient is taken `scale` times.
    pub fn step<T: Real>(&self, t: u64, rate: f64, scale: f64, moving: Moving<'_, T>) {
        let power = i32::try_from(t).unwrap_or(i32::MAX);
        let of = |x: f64| T::of(x);
        let (beta1, beta2) = (of(self.beta1), of(self.beta2));
        let (rest1, rest2) = (of(1.0 - self.beta1), of(1.0 - self.beta2));
        let size = of(rate / (1.0 - self.beta1.powi(power)));
        let root = of(1.0 / (1.0 - self.beta2.powi(power)).sqrt());
        let decay = if moving.decays {
            self.weight_decay
        } else {
            0.0
        };
        let (kept, eps, scale) = (of(1.0 - rate * decay), of(self.eps), of(scale));
        let pieces = moving.values.par_chunks_mut(PIECE);
        let pieces = pieces.zip(moving.gradient.par_chunks(PIECE));
        let moments = moving.first.par_chunks_mut(PIECE);
        let moments = moments.zip(moving.second.par_chunks_mut(PIECE));
        pieces
            .zip(moments)
            .for_each(|((values, gradient), (first, second))| {
                for (((x, &g), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                    let g = scale * g;
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *x = *x * kept - size * *m / (v.sqrt() * root + eps);
                }
            });
    }
}

/// The Euclidean norm of all gradients together; the same bits for any number of threads.
#[must_use]
pub fn norm<T: Real>(gradients: &[Vec<T>]) -> f64 {
    let piece = |piece: &[T]| piece.iter().map(|g| g.f64() * g.f64()).sum::<f64>();
    let of = |gradient: &Vec<T>| -> f64 {
        let pieces: Vec<f64> = gradient.par_chunks(PIECE).map(piece).collect();
        pieces.iter().sum()
    };
    gradients.iter().map(of).sum::<f64>().sqrt()
}

/// What brings gradients of this norm under `most`: at most 1.
#[must_use]
pub fn clip(norm: f64, most: f64) -> f64 {
    if norm > most { most / norm } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One number, 1, under the gradients 2, −1 and ½, each given twice too large and scaled back.
    #[test]
    fn three_steps_are_those_of_the_algorithm() {
        let adamw = AdamW {
            weight_decay: 0.5,
            ..AdamW::default()
        };
        let run = |decays: bool| {
            let (mut x, mut m, mut v) = ([1.0_f64], [0.0], [0.0]);
            for (t, g) in (1..).zip([2.0, -1.0, 0.5]) {
                let moving = Moving {
                    values: &mut x,
                    gradient: &[2.0 * g],
                    first: &mut m,
                    second: &mut v,
                    decays,
                };
                adamw.step(t, 0.1, 0.5, moving);
            }
            x[0]
        };
        // Written out: the moments and what they come to.
        let plain = |decay: f64| {
            let (mut x, mut m, mut v) = (1.0_f64, 0.0_f64, 0.0_f64);
            for (t, g) in (1..).zip([2.0_f64, -1.0, 0.5]) {
                x -= 0.1 * decay * x;
                m = 0.9 * m + 0.1 * g;
                v = 0.999 * v + 0.001 * g.powi(2);
                let (m, v) = (m / (1.0 - 0.9_f64.powi(t)), v / (1.0 - 0.999_f64.powi(t)));
                x -= 0.1 * m / (v.sqrt() + 1e-8);
            }
            x
        };
        assert!((run(true) - plain(0.5)).abs() < 1e-12);
        assert!((run(false) - plain(0.0)).abs() < 1e-12);
        assert!((run(true) - run(false)).abs() > 0.1);
    }

    /// Of several pieces, the last not whole.
    #[test]
    fn threads_do_not_matter() {
        let n = 3 * PIECE + 5;
        let wave = |from: f64| -> Vec<f32> {
            let number = |i: usize| (from + 1.3 * i as f64).sin() as f32;
            (0..n).map(number).collect()
        };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let (mut x, mut m, mut v) = (wave(0.0), vec![0.0; n], vec![0.0; n]);
                for t in 1..=2 {
                    let gradient = wave(t as f64);
                    let size = norm(std::slice::from_ref(&gradient));
                    let moving = Moving {
                        values: &mut x,
                        gradient: &gradient,
                        first: &mut m,
                        second: &mut v,
                        decays: true,
                    };
                    AdamW::default().step(t, 0.1, clip(size, 1.0), moving);
                }
                x.extend(m);
                x.extend(v);
                x.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            })
        };
        let one = run(1);
        assert_ne!(
            one[..n],
            wave(0.0).into_iter().map(f32::to_bits).collect::<Vec<_>>()[..]
        );
        for threads in [2, 3, 7] {
            assert!(run(threads) == one, "{threads}");
        }
    }

    #[test]
    fn gradients_are_clipped_to_a_norm() {
        let gradients = [vec![3.0_f32; 1], vec![0.0; PIECE + 3], vec![-4.0]];
        assert_eq!(norm(&gradients), 5.0);
        assert_eq!(clip(5.0, 1.0), 0.2);
        assert_eq!(clip(0.5, 1.0), 1.0);
        assert!(norm(&[vec![f32::NAN]]).is_nan());
    }
}

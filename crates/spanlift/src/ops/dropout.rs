//! y = x ⊙ k/(1 − p), with k 0 at a share p of the elements and 1 at the others (Srivastava et al. 2014, section 4).
//!
//! k is drawn by where an element stands and by nothing else: the walk back draws the same again, and threads do not matter.
//!
//! Shapes: x, y (S, H).

use super::rows::each_row;
use super::{Matrix, Real};

/// How elements are dropped in one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    probability: f64,
    key: u64,
}

/// One step of SplitMix64 (Steele et al. 2014): each number a well-mixed one.
#[inline(always)]
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dropout {
    /// A share `probability`, from 0 to below 1, of a pass that these numbers name.
    ///
    /// # Panics
    ///
    /// Where the probability is not from 0 to below 1.
    #[must_use]
    pub fn new(probability: f64, seed: u64, pass: u64) -> Self {
        assert!(
            (0.0..1.0).contains(&probability),
            "a probability of {probability}"
        );
        Self {
            probability,
            key: mixed(mixed(seed) ^ pass),
        }
    }

    /// x (S, H) becomes y; `place` tells this x from the others of the pass.
    pub fn apply<T: Real>(&self, place: u64, x: &mut Matrix<T>) {
        // Of 2³² numbers that many are dropped.
        let dropped = (self.probability * 4_294_967_296.0) as u64;
        let scale = T::of(1.0 / (1.0 - self.probability));
        let key = mixed(self.key ^ place);
        each_row(x, |i, x| {
            let row = mixed(key ^ i as u64);
            for (pair, x) in x.chunks_mut(2).enumerate() {
                let drawn = mixed(row.wrapping_add(pair as u64));
                for (x, drawn) in x.iter_mut().zip([drawn & 0xffff_ffff, drawn >> 32]) {
                    *x = if drawn < dropped { T::ZERO } else { *x * scale };
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ones(dropout: Dropout, place: u64) -> Matrix<f64> {
        let mut x = Matrix::from_vec(200, 101, vec![1.0; 200 * 101]);
        dropout.apply(place, &mut x);
        x
    }

    /// 20,200 elements: the share within five standard errors, and what stays makes up for what goes.
    #[test]
    fn drops_its_share_and_keeps_the_mean() {
        for p in [0.0, 0.1, 0.5, 0.9] {
            let x = ones(Dropout::new(p, 7, 3), 11);
            let n = x.data().len() as f64;
            let gone = x.data().iter().filter(|x| **x == 0.0).count() as f64 / n;
            let error = (p * (1.0 - p) / n).sqrt();
            assert!((gone - p).abs() <= 5.0 * error, "{p} {gone}");
            assert!(
                x.data()
                    .iter()
                    .all(|&x| x == 0.0 || (x - 1.0 / (1.0 - p)).abs() < 1e-12)
            );
        }
    }

    #[test]
    fn is_the_same_again_and_another_elsewhere() {
        let of = |seed, pass, place| ones(Dropout::new(0.5, seed, pass), place);
        assert_eq!(of(1, 2, 3), of(1, 2, 3));
        let one = of(1, 2, 3);
        for other in [of(2, 2, 3), of(1, 3, 3), of(1, 2, 4), of(2, 1, 3)] {
            let pairs = other.data().iter().zip(one.data());
            let share = pairs.filter(|(a, b)| a == b).count() as f64 / 20_200.0;
            // Half of the elements agree by chance.
            assert!((share - 0.5).abs() < 0.02, "{share}");
        }
        // Neighbours have nothing to do with each other.
        let x = one;
        let pairs = x
            .data()
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .count();
        assert!((pairs as f64 / 20_199.0 - 0.5).abs() < 0.02);
        let below = (1..200).filter(|&i| x.row(i)[7] == x.row(i - 1)[7]).count();
        assert!((60..140).contains(&below), "{below}");
    }
}

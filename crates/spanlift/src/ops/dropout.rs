//! y = x ⊙ k/(1 − p), with k 0 at a share p of the elements and 1 at the others (Srivastava et al. 2014, section 4).
//!
//! k is drawn by where an element stands and by nothing else: the walk back draws the same again, and threads do not matter.
//!
//! Shapes: x, y (S, H); P's rows (S).

use super::rows::each_row;
use super::{Matrix, Real};

/// What share of the elements is dropped, each from 0 to below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of hidden units: behind the embeddings, the attention and the feed-forward blocks.
    pub hidden: f64,
    /// Of P, the attention probabilities.
    pub attention: f64,
}

/// How elements are dropped in one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    rates: Rates,
    key: u64,
}

/// How P is dropped in one layer of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probs {
    rate: f64,
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

/// x becomes y where `rate` are dropped; `key` tells this row from all others.
fn drop_row<T: Real>(rate: f64, key: u64, x: &mut [T]) {
    // Of 2³² numbers that many are dropped.
    let dropped = (rate * 4_294_967_296.0) as u64;
    let scale = T::of(1.0 / (1.0 - rate));
    for (pair, x) in x.chunks_mut(2).enumerate() {
        let drawn = mixed(key.wrapping_add(pair as u64));
        for (x, drawn) in x.iter_mut().zip([drawn & 0xffff_ffff, drawn >> 32]) {
            *x = if drawn < dropped { T::ZERO } else { *x * scale };
        }
    }
}

impl Dropout {
    /// At these rates, in a pass that the two numbers name.
    ///
    /// # Panics
    ///
    /// Where a rate is not from 0 to below 1.
    #[must_use]
    pub fn new(rates: Rates, seed: u64, pass: u64) -> Self {
        for rate in [rates.hidden, rates.attention] {
            assert!((0.0..1.0).contains(&rate), "a rate of {rate}");
        }
        Self {
            rates,
            key: mixed(mixed(seed) ^ pass),
        }
    }

    /// Whether any hidden unit is.
    #[must_use]
    pub fn drops_hidden(&self) -> bool {
        self.rates.hidden > 0.0
    }

    /// x (S, H), hidden units, becomes y; `place` tells this x from the others of the pass.
    pub fn apply<T: Real>(&self, place: u64, x: &mut Matrix<T>) {
        if !self.drops_hidden() {
            return;
        }
        let key = mixed(self.key ^ place);
        each_row(x, |i, x| {
            drop_row(self.rates.hidden, mixed(key ^ i as u64), x)
        });
    }

    /// For the attention of the layer at this place; none where nothing of P is dropped.
    #[must_use]
    pub fn probs(&self, place: u64) -> Option<Probs> {
        let rate = self.rates.attention;
        (rate > 0.0).then(|| Probs {
            rate,
            key: mixed(self.key ^ place),
        })
    }
}

impl Probs {
    /// What head `head`, of those of all sequences one behind the other, has for a query (S), becomes what is left of it; and m of
    /// what is left becomes m of what was there.
    pub fn apply<T: Real>(&self, head: usize, query: usize, x: &mut [T]) {
        let key = mixed(mixed(self.key ^ head as u64) ^ query as u64);
        drop_row(self.rate, key, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Rates = Rates {
        hidden: 0.5,
        attention: 0.5,
    };

    fn ones(dropout: Dropout, place: u64) -> Matrix<f64> {
        let mut x = Matrix::from_vec(200, 101, vec![1.0; 200 * 101]);
        dropout.apply(place, &mut x);
        x
    }

    /// 20,200 elements: the share within five standard errors, and what stays makes up for what goes.
    #[test]
    fn drops_its_share_and_keeps_the_mean() {
        for p in [0.0, 0.1, 0.5, 0.9] {
            let rates = Rates {
                hidden: p,
                attention: 0.0,
            };
            let x = ones(Dropout::new(rates, 7, 3), 11);
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
        let of = |seed, pass, place| ones(Dropout::new(HALF, seed, pass), place);
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

    #[test]
    fn every_head_and_query_has_its_own() {
        let row = |pass, place, head, query| {
            let mut x = vec![1.0; 2000];
            let probs = Dropout::new(HALF, 1, pass).probs(place).unwrap();
            probs.apply(head, query, &mut x);
            x
        };
        let one = row(2, 3, 4, 5);
        assert_eq!(one, row(2, 3, 4, 5));
        assert!(one.iter().all(|&x| x == 0.0 || x == 2.0));
        let places = [
            (3, 3, 4, 5),
            (2, 4, 4, 5),
            (2, 3, 5, 5),
            (2, 3, 4, 6),
            (2, 3, 5, 4),
        ];
        for (pass, place, head, query) in places {
            let other = row(pass, place, head, query);
            let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
            // Half of them agree by chance; five standard errors.
            assert!((888..1112).contains(&same), "{same}");
        }
        let none = Rates {
            hidden: 0.5,
            attention: 0.0,
        };
        assert_eq!(Dropout::new(none, 1, 2).probs(3), None);
    }
}

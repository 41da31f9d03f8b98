//! Means with intervals: passages are resampled.
//!
//! Questions about one passage share its tokens, and often its answer: resampling questions would take them for independent
//! and make intervals too narrow. So whole passages are drawn with replacement, as many as there are; the interval of a
//! mean is that between two percentiles of the resampled means. For many passages they are the 2.5th and the 97.5th (Efron &
//! Tibshirani 1993, chapter 13); for n of them they lie further out, at Φ(−√(n/(n − 1)) t), t the 97.5th percentile of Student's
//! distribution with n − 1 degrees of freedom, as resampled means of few vary too little (expanded percentiles; Hesterberg 2015,
//! section 5.3). Fewer than [`LEAST`] passages resample to too few means for any percentile: a mean of them has no interval.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Of fewer passages a mean has no interval.
pub const LEAST: usize = 10;

/// A mean, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Questions that have the value.
    pub questions: usize,
    /// Their mean; not a number where there are none.
    pub mean: f64,
    /// Passages that those questions are about.
    pub passages: usize,
    /// The lower end of its interval of 95 %; not a number for fewer than [`LEAST`] passages.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// Of nothing.
    pub const NONE: Self = Self {
        questions: 0,
        passages: 0,
        mean: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };

    /// It has an interval.
    #[must_use]
    pub fn is_sure(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
}

/// How intervals are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How often passages are resampled.
    pub resamples: usize,
    /// What they are drawn by.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 1000,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// The means of `columns` values over some questions, each given with the number of its passage; a value that is not a
    /// number is left out of its column's mean. The same for any number of threads.
    pub fn means<'a>(
        self,
        columns: usize,
        questions: impl IntoIterator<Item = (usize, &'a [f64])>,
    ) -> Vec<Estimate> {
        let passages = Passages::new(columns, questions);
        if passages.sums.is_empty() {
            return vec![Estimate::NONE; columns];
        }
        let resampled: Vec<Vec<f64>> = (0..self.resamples)
            .into_par_iter()
            .map(|draw| passages.resampled(self.seed, draw))
            .collect();
        let all = vec![1; passages.sums.len()];
        let (counts, means) = passages.means(&all);
        let column = |c: usize| {
            let mut drawn: Vec<f64> = resampled.iter().map(|draw| draw[c]).collect();
            drawn.retain(|mean| mean.is_finite());
            drawn.sort_unstable_by(f64::total_cmp);
            let with = passages.counts.iter().filter(|counts| counts[c] > 0.0);
            let with = with.count();
            let tail = tail(with);
            let at = |p: f64| tail.map_or(f64::NAN, |tail| percentile(&drawn, (p - tail).abs()));
            Estimate {
                questions: counts[c] as usize,
                passages: with,
                mean: means[c],
                low: at(0.0),
                high: at(1.0),
            }
        };
        (0..columns).map(column).collect()
    }
}

/// The share of resampled means that lie below an interval of 95 %; none for fewer than [`LEAST`] passages.
fn tail(passages: usize) -> Option<f64> {
    if passages < LEAST {
        return None;
    }
    let n = passages as f64;
    let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let wider = student.inverse_cdf(0.975) * (n / (n - 1.0)).sqrt();
    Some(Normal::standard().cdf(-wider))
}

/// Between the neighbours of rank p·(n − 1); not a number where there are none.
#[must_use]
pub fn percentile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let rank = p.clamp(0.0, 1.0) * last as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (rank - below as f64) * (sorted[above] - sorted[below])
}

/// The sums of each passage's questions, and how many are in them, by column.
struct Passages {
    columns: usize,
    sums: Vec<Vec<f64>>,
    counts: Vec<Vec<f64>>,
}

impl Passages {
    fn new<'a>(columns: usize, questions: impl IntoIterator<Item = (usize, &'a [f64])>) -> Self {
        let mut places = std::collections::BTreeMap::new();
        let (mut sums, mut counts) = (Vec::new(), Vec::new());
        for (passage, values) in questions {
            let at = *places.entry(passage).or_insert_with(|| {
                sums.push(vec![0.0; columns]);
                counts.push(vec![0.0; columns]);
                sums.len() - 1
            });
            for (c, &value) in values.iter().take(columns).enumerate() {
                if value.is_finite() {
                    sums[at][c] += value;
                    counts[at][c] += 1.0;
                }
            }
        }
        Self {
            columns,
            sums,
            counts,
        }
    }

    /// Values and mean by column, each passage taken so often.
    fn means(&self, times: &[u32]) -> (Vec<f64>, Vec<f64>) {
        let mut sums = vec![0.0; self.columns];
        let mut counts = vec![0.0; self.columns];
        let passages = times.iter().zip(&self.sums).zip(&self.counts);
        for ((&times, of_sums), of_counts) in passages.filter(|((times, _), _)| **times > 0) {
            let times = f64::from(times);
            for c in 0..self.columns {
                sums[c] += times * of_sums[c];
                counts[c] += times * of_counts[c];
            }
        }
        let means = sums
            .iter()
            .zip(&counts)
            .map(|(sum, count)| sum / count)
            .collect();
        (counts, means)
    }

    fn resampled(&self, seed: u64, draw: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(draw as u64);
        let mut times = vec![0; self.sums.len()];
        for _ in 0..times.len() {
            let passage = rng.random_range(0..times.len());
            times[passage] += 1;
        }
        self.means(&times).1
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn questions(values: &[(usize, f64)]) -> Vec<(usize, [f64; 1])> {
        values
            .iter()
            .map(|&(passage, value)| (passage, [value]))
            .collect()
    }

    fn mean(bootstrap: Bootstrap, values: &[(usize, f64)]) -> Estimate {
        let questions = questions(values);
        let rows = questions
            .iter()
            .map(|(passage, value)| (*passage, &value[..]));
        bootstrap.means(1, rows)[0]
    }

    #[test]
    fn percentiles_lie_between_ranks() {
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 0.0), 1.0);
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    /// The mean of n independent values with standard deviation σ has an interval of ±1.96 σ/√n.
    #[test]
    fn an_interval_is_that_of_the_normal_distribution() {
        let n = 2000;
        let values: Vec<(usize, f64)> = (0..n).map(|i| (i, (i % 10) as f64)).collect();
        let estimate = mean(Bootstrap::default(), &values);
        assert_eq!(estimate.questions, n);
        assert!((estimate.mean - 4.5).abs() < 1e-12);
        let half = 1.96 * (99.0_f64 / 12.0).sqrt() / (n as f64).sqrt();
        for bound in [estimate.high - 4.5, 4.5 - estimate.low] {
            assert!((bound / half - 1.0).abs() < 0.15, "{bound} against {half}");
        }
    }

    /// Ten copies of a question in each passage say no more than one: the interval stays, where resampling questions would
    /// narrow it by √10.
    #[test]
    fn questions_of_one_passage_count_as_one() {
        let one: Vec<(usize, f64)> = (0..200).map(|i| (i, (i % 7) as f64)).collect();
        let ten: Vec<(usize, f64)> = one.iter().flat_map(|&q| [q; 10]).collect();
        let (one, ten) = (
            mean(Bootstrap::default(), &one),
            mean(Bootstrap::default(), &ten),
        );
        assert_eq!(ten.questions, 2000);
        assert!(((ten.high - ten.low) / (one.high - one.low) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_a_number_is_left_out() {
        let estimate = mean(Bootstrap::default(), &[(0, 1.0), (1, f64::NAN), (2, 3.0)]);
        assert_eq!((estimate.questions, estimate.mean), (2, 2.0));
        assert!(mean(Bootstrap::default(), &[]).mean.is_nan());
    }

    #[test]
    fn percentiles_of_few_passages_lie_further_out() {
        // Student's t with 19 degrees of freedom is 2.0930 at 97.5 %; √(20/19) · 2.0930 = 2.1474; Φ(−2.1474) = 0.01588.
        assert!((tail(20).unwrap() - 0.01588).abs() < 1e-5);
        assert!((tail(100_000).unwrap() - 0.025).abs() < 1e-5);
        assert_eq!(tail(LEAST - 1), None);
    }

    #[test]
    fn few_passages_have_no_interval() {
        let of = |passages: usize| {
            let values: Vec<(usize, f64)> = (0..90).map(|i| (i % passages, i as f64)).collect();
            mean(Bootstrap::default(), &values)
        };
        let (few, enough) = (of(LEAST - 1), of(LEAST));
        assert_eq!(
            (few.questions, few.passages, few.mean),
            (90, LEAST - 1, 44.5)
        );
        assert!(few.low.is_nan() && few.high.is_nan() && !few.is_sure());
        assert!(enough.low < 44.5 && 44.5 < enough.high && enough.is_sure());
    }

    /// Of 2,000 data sets whose mean is 0 no more than one in twenty may lie beside 0 (and a few by the luck of the draw).
    #[test]
    fn an_interval_of_ten_passages_has_the_mean() {
        let sets = 2000;
        let beside = (0..sets).filter(|&set| {
            let mut rng = ChaCha8Rng::seed_from_u64(set);
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let values: Vec<(usize, f64)> = (0..LEAST).map(|i| (i, normal())).collect();
            let found = mean(
                Bootstrap {
                    resamples: 400,
                    seed: set,
                },
                &values,
            );
            found.low > 0.0 || found.high < 0.0
        });
        let share = beside.count() as f64 / sets as f64;
        assert!(share < 0.07, "{share}");
    }

    #[test]
    fn threads_change_nothing() {
        let values: Vec<(usize, f64)> = (0..99).map(|i| (i / 2, (i * i % 17) as f64)).collect();
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| mean(Bootstrap::default(), &values))
        };
        assert_eq!(with(1), with(3));
    }
}

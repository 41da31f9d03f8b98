//! What the same clustering finds where there is nothing: matrices without clusters, each with its k chosen in the same way.
//!
//! Two kinds, and a silhouette must lie above both. *Apart*: the columns do not belong together; either the caller's own (profiles with
//! shuffled roles), or each column permuted by itself, which keeps its distribution. *Cloud*: one Gaussian with the variances of the
//! components (the null of SigClust, Liu et al. 2008). Without the second, one long cloud, which any cut halves alike every time, would pass for two clusters.

use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::Serialize;

use super::features::Features;
use super::silhouette::{by_cluster, mean};
use super::{Options, drawn};
use crate::StudyError;

/// Silhouettes of the same clustering where there are no clusters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chance {
    /// `apart` or `cloud`.
    pub kind: &'static str,
    /// Of the clusterings.
    pub clusterings: Silhouettes,
    /// Every cluster of every draw.
    #[serde(skip)]
    pub clusters: Vec<Drawn>,
}

/// A cluster of nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Its share of the rows.
    pub share: f64,
    /// Its mean silhouette.
    pub silhouette: f64,
}

impl Chance {
    /// What a cluster with this share of the rows must exceed: the largest mean silhouette of any cluster of chance at least half as large, in any
    /// draw. Smaller ones vary more, and are tight more often.
    ///
    /// It is the best of twenty clusterings, and not held further out as the clusterings' bar is, as HDBSCAN finds no cluster in most draws and
    /// one that is small and tight in a few.
    #[must_use]
    pub fn cluster_bar(&self, share: f64) -> f64 {
        let as_large = self
            .clusters
            .iter()
            .filter(|drawn| 2.0 * drawn.share >= share);
        as_large.map(|drawn| drawn.silhouette).fold(0.0, f64::max)
    }
}

/// Silhouettes, one of each draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Silhouettes {
    /// Their mean.
    pub mean: f64,
    /// The 95th percentile, linear between draws.
    pub high: f64,
    /// What a silhouette must exceed: the 95th percentile, and four standard deviations above the mean of artanh s, which keeps the bar below 1.
    ///
    /// The percentile alone lets one in twenty pass, and a study makes a dozen clusterings. A new draw lies four standard
    /// deviations, themselves of twenty draws, above their mean once in some two thousand times (Student's t).
    pub bar: f64,
}

impl Silhouettes {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        // 1 itself would be infinitely far out.
        let far: Vec<f64> = values
            .iter()
            .map(|s| s.clamp(-NEARLY, NEARLY).atanh())
            .collect();
        let middle = mean(&far);
        let squares = far.iter().map(|value| (value - middle).powi(2));
        let sd = (squares.sum::<f64>() / (far.len().max(2) - 1) as f64).sqrt();
        let high = quantile(&values, 0.95);
        Self {
            mean: mean(&values),
            high,
            bar: high.max((middle + 4.0 * sd).tanh()),
        }
    }
}

const NEARLY: f64 = 1.0 - 1e-9;

/// The streams of a seed's generator: one for each use, so that none depends on another.
pub(super) const SAMPLE: u64 = 0;
const APART: u64 = 1 << 32;
const CLOUD: u64 = 2 << 32;
pub(super) const AGAIN: u64 = 3 << 32;

/// Generator `stream` of a seed.
pub(crate) fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Both kinds. `points` are the components' scores of the rows of `features`.
pub(super) fn chances(
    features: &Features,
    points: ArrayView2<'_, f64>,
    given: &[Features],
    options: &Options,
    ks: std::ops::RangeInclusive<usize>,
) -> Result<Vec<Chance>, StudyError> {
    // Where the algorithm fails it finds nothing.
    let silhouettes = |points: ArrayView2<'_, f64>| -> (f64, Vec<Drawn>) {
        let choice = options.algorithm.choose(points, ks.clone(), options.seed);
        choice.map_or((0.0, Vec::new()), |choice| {
            let found = &choice.best;
            let of_clusters = by_cluster(&found.labels, &found.silhouettes);
            let drawn = of_clusters.iter().map(|of| Drawn {
                share: of.len() as f64 / points.nrows() as f64,
                silhouette: mean(of),
            });
            (mean(&found.silhouettes), drawn.collect())
        })
    };
    let apart = |draw: usize| -> Result<(f64, Vec<Drawn>), StudyError> {
        let stream = APART + draw as u64;
        let matrix = match given.get(draw) {
            Some(given) => {
                let rows = drawn(given.rows(), options.redrawn, options.seed, stream);
                given.select(&rows)
            }
            None => features.with(permuted(
                features.values(),
                &mut generator(options.seed, stream),
            )),
        };
        Ok(silhouettes(
            matrix.components(options.components)?.scores.view(),
        ))
    };
    let sds: Vec<f64> = points.columns().into_iter().map(|c| c.std(0.0)).collect();
    let cloud = |draw: usize| -> Result<(f64, Vec<Drawn>), StudyError> {
        let rng = &mut generator(options.seed, CLOUD + draw as u64);
        Ok(silhouettes(gaussian(points.nrows(), &sds, rng).view()))
    };
    let draws = if given.is_empty() {
        options.draws
    } else {
        given.len()
    };
    Ok(vec![
        summary("apart", draws, apart)?,
        summary("cloud", options.draws, cloud)?,
    ])
}

fn summary(
    kind: &'static str,
    draws: usize,
    draw: impl Fn(usize) -> Result<(f64, Vec<Drawn>), StudyError> + Send + Sync,
) -> Result<Chance, StudyError> {
    let drawn: Result<Vec<(f64, Vec<Drawn>)>, StudyError> =
        (0..draws).into_par_iter().map(draw).collect();
    let (clusterings, clusters): (Vec<f64>, Vec<Vec<Drawn>>) = drawn?.into_iter().unzip();
    Ok(Chance {
        kind,
        clusterings: Silhouettes::of(clusterings),
        clusters: clusters.concat(),
    })
}

/// Linear between the sorted values (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len().max(1) - 1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(&x), Some(&y)) => x + (y - x) * (at - at.floor()),
        _ => 0.0,
    }
}

/// Each column in an order of its own.
fn permuted(values: ArrayView2<'_, f64>, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let mut permuted = values.to_owned();
    for mut column in permuted.columns_mut() {
        let mut numbers = column.to_vec();
        numbers.shuffle(rng);
        for (to, from) in column.iter_mut().zip(numbers) {
            *to = from;
        }
    }
    permuted
}

/// Independent normal numbers, column by column with these standard deviations.
fn gaussian(rows: usize, sds: &[f64], rng: &mut ChaCha8Rng) -> Array2<f64> {
    Array2::from_shape_fn((rows, sds.len()), |(_, column)| {
        let z: f64 = StandardNormal.sample(rng);
        sds[column] * z
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let values: Vec<f64> = (0..=10).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.95), 9.5);
        assert_eq!(quantile(&[3.0], 0.95), 3.0);
        assert_eq!(quantile(&[], 0.95), 0.0);
    }

    #[test]
    fn a_bar_is_above_what_chance_gives_and_below_one() {
        // artanh of 0.2 and of 0.4 are 0.20273 and 0.42365: mean 0.31319, standard deviation 0.15621; tanh(0.31319 + 4 · 0.15621) = 0.73432.
        let two = Silhouettes::of(vec![0.4, 0.2]);
        assert!(
            (two.mean - 0.3).abs() < 1e-12 && (two.bar - 0.73432).abs() < 1e-4,
            "{two:?}"
        );
        let wide = Silhouettes::of(vec![-0.9, 0.0, 0.95]);
        assert!(wide.bar > wide.high && wide.bar < 1.0, "{wide:?}");
        assert_eq!(Silhouettes::of(vec![0.5; 20]).bar, 0.5);
    }

    #[test]
    fn a_cluster_is_held_against_those_that_are_as_large() {
        let drawn = |share, silhouette| Drawn { share, silhouette };
        let chance = Chance {
            kind: "cloud",
            clusterings: Silhouettes::default(),
            clusters: vec![drawn(0.6, 0.2), drawn(0.3, 0.4), drawn(0.1, 0.7)],
        };
        let bars = [0.05, 0.2, 0.5, 0.7, 1.0].map(|share| chance.cluster_bar(share));
        assert_eq!(bars, [0.7, 0.7, 0.4, 0.2, 0.2]);
    }

    #[test]
    fn permuted_columns_keep_their_numbers_and_lose_each_other() {
        let values = Array2::from_shape_fn((500, 2), |(row, _)| row as f64);
        let permuted = permuted(values.view(), &mut generator(1, 2));
        for column in permuted.columns() {
            let mut numbers = column.to_vec();
            numbers.sort_by(f64::total_cmp);
            assert_eq!(numbers, values.column(0).to_vec());
        }
        let same = permuted.rows().into_iter().filter(|row| row[0] == row[1]);
        assert!(same.count() < 10);
    }
}

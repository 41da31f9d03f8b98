//! Clusters of rows, and whether they are any.
//!
//! [`Features`] → standardised → principal components → [`Algorithm`], with k by silhouette → [`Clustering`]. An algorithm always finds clusters; so
//! each clustering is measured three ways: silhouette (`silhouette`), what comes again (`stability`), and what the same finds where there is
//! nothing (`chance`). It is [`Verdict::Structure`] only where its silhouette is above the 95th percentile of both kinds of chance and
//! [four standard deviations](Silhouettes::bar) from their mean, *and* it is stable. Each of the clusters of a structure likewise, held against the best
//! [cluster of chance that is as large](Chance::cluster_bar): of the clusters of nothing, one is always better than their mean. Of noise every cluster is noise, and so
//! is one of fewer than five rows: neighbours of a row are no kind of rows.
//!
//! ```
//! use spanlift_study::StudyError;
//! use spanlift_study::cluster::{Algorithm, Clustering, Features, Options, Verdict, cluster};
//!
//! // Two heaps, each of 40 rows around (0, 0) and (9, 9).
//! let heap = |at: f64| (0..40).map(move |i| vec![at + f64::from(i * 7 % 40) / 20.0, at + f64::from(i * 11 % 40) / 20.0]);
//! let rows: Vec<Vec<f64>> = heap(0.0).chain(heap(9.0)).collect();
//! let features = Features::new(vec!["x".to_owned(), "y".to_owned()], &rows)?;
//! let found: Clustering = cluster(&features, &Options::new(Algorithm::KMeans), &[])?;
//! assert_eq!((found.k, found.verdict), (2, Verdict::Structure));
//! assert!(found.silhouette > found.by_chance.bar);
//! # Ok::<(), StudyError>(())
//! ```

mod agreement;
mod algorithm;
mod chance;
mod features;
mod silhouette;
mod stability;
mod typical;

use std::ops::RangeInclusive;

use ndarray::Axis;
use rand::seq::index;
use serde::Serialize;

pub use agreement::adjusted_rand;
pub use algorithm::{Algorithm, Labels};
pub use chance::{Chance, Silhouettes};
pub use features::{Components, Features};
pub use typical::Effect;

pub(crate) use chance::generator;

use crate::StudyError;
use algorithm::{clusters, members, nearest};
use silhouette::{mean, silhouettes};

/// The least mean agreement of what is stable: adjusted Rand index of a clustering, Jaccard coefficient of a cluster.
///
/// A Jaccard coefficient of 0.5 or less is a cluster dissolved, and from 0.6 on one that shows a pattern (Hennig 2007 and his `clusterboot`); two
/// clusterings that share no more than their sizes have an adjusted Rand index near 0, so that 0.6 of it asks no less.
pub const STABLE: f64 = 0.6;

/// Rows of a cluster that may be structure, at least.
const FEWEST: usize = 5;

/// The most clusters that are tried.
const MOST: usize = 12;

/// So many rows there must be for each cluster.
const ROWS_EACH: usize = 4;

/// The fewest rows that are clustered.
const LEAST: usize = 10;

/// How to cluster, and how hard to look at what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Options {
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// How many clusters; by silhouette where it is none. HDBSCAN takes none.
    pub k: Option<usize>,
    /// Of all that is drawn.
    pub seed: u64,
    /// Principal components that are clustered.
    pub components: usize,
    /// Bootstrap samples that are clustered again.
    pub bootstraps: usize,
    /// Other seeds that all rows are clustered with again.
    pub seeds: usize,
    /// Draws of each kind of chance that the caller does not give.
    pub draws: usize,
    /// Rows, at most, that k is chosen on, silhouettes are taken of, and the tree of merges is made of.
    pub sample: usize,
    /// Rows, at most, of each bootstrap sample and each draw of chance.
    pub redrawn: usize,
}

/// Clusters or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Better than chance, and stable.
    Structure,
    /// Not so.
    Noise,
}

/// A clustering, measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clustering {
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// The cluster of each row, from 0, the largest first; none where it is in no cluster.
    pub labels: Labels,
    /// How many clusters there are.
    pub k: usize,
    /// Mean silhouette of each k that was tried.
    pub tried: Vec<(usize, f64)>,
    /// Rows that the silhouettes are of.
    pub sampled: usize,
    /// Rows that no algorithm placed, but the nearest centroid (agglomerative, beyond the sample).
    pub assigned: usize,
    /// Share of the variance that the components have.
    pub explained: Vec<f64>,
    /// Mean silhouette, −1 to 1.
    pub silhouette: f64,
    /// Mean adjusted Rand index to clusterings of bootstrap samples and with other seeds.
    pub stability: f64,
    /// The kinds of chance.
    pub chance: Vec<Chance>,
    /// Which of them is harder to beat: `apart` or `cloud`.
    pub harder: &'static str,
    /// Silhouettes of that kind.
    pub by_chance: Silhouettes,
    /// Whether all this is better than chance, and stable.
    pub verdict: Verdict,
    /// Each of the clusters.
    pub clusters: Vec<Cluster>,
}

/// A cluster, measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// Rows.
    pub size: usize,
    /// Mean silhouette of its rows in the sample.
    pub silhouette: f64,
    /// The silhouette that it must exceed ([`Chance::cluster_bar`] of both kinds).
    pub bar: f64,
    /// Mean best Jaccard coefficient over bootstrap samples, 0 to 1.
    pub stability: f64,
    /// Whether it is better than chance, and stable.
    pub verdict: Verdict,
    /// The rows nearest to its centre, the mean of its rows, nearest first; at most five.
    pub medoids: Vec<usize>,
    /// All columns, the largest effect first.
    pub effects: Vec<Effect>,
}

impl Verdict {
    /// Of a clustering into k, or of one of its clusters: structure is above the bar of chance, and stable.
    fn of(k: usize, silhouette: f64, bar: f64, stability: f64) -> Self {
        if k >= 2 && silhouette > bar && stability >= STABLE {
            Self::Structure
        } else {
            Self::Noise
        }
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Noise => "noise",
        }
    }
}

impl Options {
    /// Ten components, k by silhouette, twenty bootstraps, five other seeds and twenty draws of each chance, on 5,000 and 2,000 rows.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            k: None,
            seed: 0,
            components: 10,
            bootstraps: 20,
            seeds: 5,
            draws: 20,
            sample: 5_000,
            redrawn: 2_000,
        }
    }

    /// The k to try on so many rows.
    fn ks(&self, rows: usize) -> Result<RangeInclusive<usize>, StudyError> {
        if rows < LEAST {
            return Err(StudyError::Rows {
                what: "clusters",
                expected: LEAST,
                got: rows,
            });
        }
        let most = rows / ROWS_EACH;
        match self.k {
            None => Ok(2..=most.min(MOST)),
            Some(k) if (2..=most).contains(&k) => Ok(k..=k),
            Some(got) => Err(StudyError::Clusters { most, rows, got }),
        }
    }

    fn check(&self) -> Result<(), StudyError> {
        let counts = [
            ("components", self.components),
            ("bootstraps", self.bootstraps),
            ("draws", self.draws),
            ("sample", self.sample),
            ("redrawn", self.redrawn),
        ];
        if let Some((setting, got)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(StudyError::Setting {
                setting,
                expected: "at least 1",
                got: got.to_string(),
            });
        }
        match (self.algorithm, self.k) {
            (Algorithm::Hdbscan, Some(k)) => Err(StudyError::Setting {
                setting: "k",
                expected: "none, as hdbscan finds its own",
                got: k.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

/// Clusters the rows, and measures the clusters.
///
/// `chance` are matrices of the same kind with no structure between their columns; where there are none, each column is
/// permuted by itself. The result is the same for any number of threads.
///
/// # Errors
///
/// [`StudyError::Rows`] for fewer than ten rows, [`StudyError::Clusters`] for a k that is below 2 or leaves fewer than four rows each,
/// [`StudyError::Setting`], [`StudyError::Constant`], [`StudyError::Failed`] where the algorithm finds nothing for any k.
pub fn cluster(
    features: &Features,
    options: &Options,
    chance: &[Features],
) -> Result<Clustering, StudyError> {
    options.check()?;
    let n = features.rows();
    let sample = drawn(n, options.sample, options.seed, chance::SAMPLE);
    let again = drawn(n, options.redrawn, options.seed, chance::SAMPLE);
    let fewest = chance.iter().map(Features::rows).min().unwrap_or(n);
    let ks = options.ks(sample.len().min(again.len()).min(fewest))?;
    let components = features.components(options.components)?;
    let points = components.scores.view();
    let sampled = points.select(Axis(0), &sample);
    let choice = options
        .algorithm
        .choose(sampled.view(), ks.clone(), options.seed)?;
    let labels = match options.algorithm {
        _ if sample.len() == n => choice.best.labels.clone(),
        Algorithm::Agglomerative => nearest(points, &sample, &choice.best.labels),
        algorithm => algorithm.fit(points, choice.best.k, options.seed)?,
    };
    let of_sample: Labels = sample.iter().map(|&row| labels[row]).collect();
    let silhouettes = silhouettes(sampled.view(), std::slice::from_ref(&of_sample)).concat();
    let rows = points.select(Axis(0), &again);
    let kept: Labels = again.iter().map(|&row| labels[row]).collect();
    let k = clusters(&labels);
    let stable = stability::stability(rows.view(), &kept, k, options);
    let chance = chance::chances(&features.select(&again), rows.view(), chance, options, ks)?;
    let bar = |c: &&Chance| c.clusterings.bar;
    let hardest = chance.iter().max_by(|x, y| bar(x).total_cmp(&bar(y)));
    let (harder, by_chance) =
        hardest.map_or(("", Silhouettes::default()), |c| (c.kind, c.clusterings));
    let of_cluster = silhouette::by_cluster(&of_sample, &silhouettes);
    let medoids = typical::medoids(points, &labels);
    let effects = typical::effects(features.values(), &labels);
    let silhouette = mean(&silhouettes);
    let whole = Verdict::of(k, silhouette, by_chance.bar, stable.index);
    let clusters = members(&labels).into_iter().zip(medoids).zip(effects);
    let clusters = clusters
        .enumerate()
        .map(|(place, ((rows, medoids), effects))| {
            let share = rows.len() as f64 / n as f64;
            let bar = chance
                .iter()
                .map(|c| c.cluster_bar(share))
                .fold(0.0, f64::max);
            let silhouette = of_cluster.get(place).map_or(0.0, |of| mean(of));
            Cluster {
                size: rows.len(),
                silhouette,
                bar,
                stability: stable.clusters[place],
                verdict: match whole {
                    Verdict::Structure if rows.len() >= FEWEST => {
                        Verdict::of(k, silhouette, bar, stable.clusters[place])
                    }
                    _ => Verdict::Noise,
                },
                medoids,
                effects,
            }
        });
    let clusters: Vec<Cluster> = clusters.collect();
    Ok(Clustering {
        algorithm: options.algorithm,
        k,
        tried: choice.tried,
        sampled: sample.len(),
        assigned: match options.algorithm {
            Algorithm::Agglomerative => n - sample.len(),
            _ => 0,
        },
        explained: components.explained,
        silhouette,
        stability: stable.index,
        verdict: whole,
        chance,
        harder,
        by_chance,
        clusters,
        labels,
    })
}

/// At most so many of `rows` rows, in their order.
pub(crate) fn drawn(rows: usize, most: usize, seed: u64, stream: u64) -> Vec<usize> {
    if rows <= most {
        return (0..rows).collect();
    }
    let mut drawn = index::sample(&mut generator(seed, stream), rows, most).into_vec();
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, Noise, Structure};

    #[test]
    fn structure_is_above_chance_and_comes_again() {
        for (k, silhouette, stability, expected) in [
            (2, 0.31, 0.6, Structure),
            (2, 0.30, 1.0, Noise),
            (2, 0.90, 0.59, Noise),
            (1, 0.90, 1.0, Noise),
            (2, f64::NAN, 1.0, Noise),
            (2, 0.90, f64::NAN, Noise),
        ] {
            let got = Verdict::of(k, silhouette, 0.3, stability);
            assert_eq!(got, expected, "{k} {silhouette} {stability}");
        }
    }
}

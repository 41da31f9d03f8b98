//! The four algorithms, each of a crate: points in, a label of each point out.
//!
//! k-means (Lloyd 1982, k-means++ of Arthur and Vassilvitskii 2007) and Gaussian mixture (EM, full covariances) of `linfa-clustering`, agglomerative
//! (Ward 1963) of `kodama`, HDBSCAN (Campello et al. 2015) of `hdbscan-rs`.

use std::ops::RangeInclusive;

use hdbscan_rs::{Hdbscan, HdbscanParams};
use kodama::{Method, linkage};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::{GaussianMixtureModel, KMeans};
use ndarray::{Array2, ArrayView2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::Serialize;

use super::silhouette::{mean, silhouettes};
use crate::StudyError;

/// The cluster of each row, from 0; none where it is in no cluster.
pub type Labels = Vec<Option<usize>>;

/// How rows are put into clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Least squared distance to k centres.
    KMeans,
    /// k Gaussians with covariances of their own; each row belongs to the likeliest.
    Mixture,
    /// The tree of merges that add least to the squared distances (Ward), cut into k.
    Agglomerative,
    /// Dense regions, as many as there are; the rest is in no cluster.
    Hdbscan,
}

/// k-means begins this often anew, and the best is kept.
const RESTARTS: usize = 5;

/// EM ends after this many rounds, converged or not; what has not converged is no candidate.
const ROUNDS: u64 = 300;

/// Neighbours that make a point's region dense (`min_samples`).
const NEIGHBOURS: usize = 10;

/// The labels of one k, and the silhouette of each point under them.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) k: usize,
    pub(super) labels: Labels,
    pub(super) silhouettes: Vec<f64>,
}

/// The candidate with the largest mean silhouette, and that of each.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) best: Candidate,
    pub(super) tried: Vec<(usize, f64)>,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::KMeans,
        Self::Mixture,
        Self::Agglomerative,
        Self::Hdbscan,
    ];

    /// Its name: `k-means`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KMeans => "k-means",
            Self::Mixture => "mixture",
            Self::Agglomerative => "agglomerative",
            Self::Hdbscan => "hdbscan",
        }
    }

    /// Another seed may give other clusters.
    pub(super) fn is_seeded(self) -> bool {
        match self {
            Self::KMeans | Self::Mixture => true,
            Self::Agglomerative | Self::Hdbscan => false,
        }
    }

    /// Clusters the points for each k and takes the k with the largest mean silhouette, of equal ones the smallest.
    /// HDBSCAN finds its own k.
    pub(super) fn choose(
        self,
        points: ArrayView2<'_, f64>,
        ks: RangeInclusive<usize>,
        seed: u64,
    ) -> Result<Choice, StudyError> {
        let fits: Vec<Result<Labels, StudyError>> = match self {
            Self::Hdbscan => vec![dense(points)],
            Self::Agglomerative => cuts(points, ks).into_iter().map(Ok).collect(),
            Self::KMeans | Self::Mixture => ks
                .into_par_iter()
                .map(|k| self.fit(points, k, seed))
                .collect(),
        };
        let (fits, failures): (Vec<_>, Vec<_>) = fits.into_iter().partition(Result::is_ok);
        let labellings: Vec<Labels> = fits.into_iter().flatten().collect();
        let all = silhouettes(points, &labellings);
        let candidates = labellings.into_iter().zip(all);
        let candidates: Vec<Candidate> = candidates
            .map(|(labels, silhouettes)| Candidate {
                k: clusters(&labels),
                labels,
                silhouettes,
            })
            .collect();
        let tried = candidates.iter().map(|c| (c.k, mean(&c.silhouettes)));
        let tried: Vec<(usize, f64)> = tried.collect();
        let mut best: Option<(usize, f64)> = None;
        for (place, &(_, silhouette)) in tried.iter().enumerate() {
            if best.is_none_or(|(_, most)| silhouette > most) {
                best = Some((place, silhouette));
            }
        }
        match (best, failures.into_iter().next()) {
            (Some((place, _)), _) => Ok(Choice {
                best: candidates[place].clone(),
                tried,
            }),
            (None, Some(Err(error))) => Err(error),
            (None, _) => Err(self.failed("no k was tried")),
        }
    }

    /// Clusters the points into k (HDBSCAN: into as many as it finds).
    pub(super) fn fit(
        self,
        points: ArrayView2<'_, f64>,
        k: usize,
        seed: u64,
    ) -> Result<Labels, StudyError> {
        match self {
            Self::KMeans => self.centres(points, k, seed),
            Self::Mixture => self.gaussians(points, k, seed),
            Self::Agglomerative => Ok(cuts(points, k..=k).pop().unwrap_or_default()),
            Self::Hdbscan => dense(points),
        }
    }

    fn centres(
        self,
        points: ArrayView2<'_, f64>,
        k: usize,
        seed: u64,
    ) -> Result<Labels, StudyError> {
        let data = DatasetBase::from(points);
        let params = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(seed));
        let model = params
            .n_runs(RESTARTS)
            .fit(&data)
            .map_err(|e| self.failed(&e.to_string()))?;
        Ok(ordered(model.predict(&points).iter().map(|&c| Some(c))))
    }

    fn gaussians(
        self,
        points: ArrayView2<'_, f64>,
        k: usize,
        seed: u64,
    ) -> Result<Labels, StudyError> {
        let data = DatasetBase::from(points);
        let rng = Xoshiro256Plus::seed_from_u64(seed);
        let params = GaussianMixtureModel::params_with_rng(k, rng).max_n_iterations(ROUNDS);
        let model = params.fit(&data).map_err(|e| self.failed(&e.to_string()))?;
        Ok(ordered(model.predict(&points).iter().map(|&c| Some(c))))
    }

    fn failed(self, reason: &str) -> StudyError {
        StudyError::Failed {
            what: self.name(),
            reason: reason.to_owned(),
        }
    }
}

/// HDBSCAN; a cluster has at least a fiftieth of the points.
fn dense(points: ArrayView2<'_, f64>) -> Result<Labels, StudyError> {
    let size = (points.nrows() / 50).max(NEIGHBOURS);
    let mut model = Hdbscan::new(HdbscanParams {
        min_cluster_size: size,
        min_samples: Some(NEIGHBOURS.min(points.nrows())),
        ..HdbscanParams::default()
    });
    let labels = model
        .fit_predict(&points)
        .map_err(|error| Algorithm::Hdbscan.failed(&error.to_string()))?;
    Ok(ordered(labels.iter().map(|&l| usize::try_from(l).ok())))
}

/// One tree of merges, cut into each number of clusters.
fn cuts(points: ArrayView2<'_, f64>, ks: RangeInclusive<usize>) -> Vec<Labels> {
    let n = points.nrows();
    let rows: Vec<Vec<f64>> = points.rows().into_iter().map(|row| row.to_vec()).collect();
    // The upper triangle, row behind row, as `kodama` wants it; for Ward it squares and takes the root itself.
    let mut distances: Vec<f64> = (0..n)
        .into_par_iter()
        .flat_map_iter(|i| {
            let rows = &rows;
            (i + 1..n).map(move |j| distance(&rows[i], &rows[j]))
        })
        .collect();
    let tree = linkage(&mut distances, n, Method::Ward);
    ks.map(|k| {
        // The first n − k merges leave k clusters; the merge of step s is cluster n + s.
        let mut parent: Vec<usize> = (0..n + tree.len()).collect();
        for (step, merge) in tree.steps().iter().take(n.saturating_sub(k)).enumerate() {
            parent[merge.cluster1] = n + step;
            parent[merge.cluster2] = n + step;
        }
        let root = |mut at: usize| {
            while parent[at] != at {
                at = parent[at];
            }
            at
        };
        ordered((0..n).map(|i| Some(root(i))))
    })
    .collect()
}

/// Euclidean distance.
pub(super) fn distance(x: &[f64], y: &[f64]) -> f64 {
    let squares = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y));
    squares.sum::<f64>().sqrt()
}

/// How many clusters there are.
pub(super) fn clusters(labels: &[Option<usize>]) -> usize {
    labels.iter().flatten().max().map_or(0, |most| most + 1)
}

/// The rows of each cluster.
pub(super) fn members(labels: &[Option<usize>]) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); clusters(labels)];
    for (row, label) in labels.iter().enumerate() {
        if let Some(label) = label {
            members[*label].push(row);
        }
    }
    members
}

/// Clusters renamed by size, the largest 0; of equal ones first the one with the first row.
fn ordered(labels: impl Iterator<Item = Option<usize>>) -> Labels {
    let labels: Labels = labels.collect();
    let mut found: Vec<(usize, Vec<usize>)> = members(&labels).into_iter().enumerate().collect();
    found.retain(|(_, rows)| !rows.is_empty());
    found.sort_by_key(|(_, rows)| (std::cmp::Reverse(rows.len()), rows[0]));
    let mut ordered = vec![None; labels.len()];
    for (place, (_, rows)) in found.iter().enumerate() {
        for &row in rows {
            ordered[row] = Some(place);
        }
    }
    ordered
}

/// The mean of each cluster's points.
pub(super) fn centroids(points: ArrayView2<'_, f64>, labels: &[Option<usize>]) -> Array2<f64> {
    let members = members(labels);
    let mut centroids = Array2::zeros((members.len(), points.ncols()));
    for (mut centroid, rows) in centroids.rows_mut().into_iter().zip(&members) {
        if let Some(mean) = points.select(Axis(0), rows).mean_axis(Axis(0)) {
            centroid.assign(&mean);
        }
    }
    centroids
}

/// Gives every row the cluster of the nearest centroid of those of `sample`, which keep theirs.
pub(super) fn nearest(
    points: ArrayView2<'_, f64>,
    sample: &[usize],
    labels: &[Option<usize>],
) -> Labels {
    let centroids = centroids(points.select(Axis(0), sample).view(), labels);
    let centroids: Vec<Vec<f64>> = centroids.rows().into_iter().map(|c| c.to_vec()).collect();
    let mut all: Labels = (0..points.nrows())
        .into_par_iter()
        .map(|row| {
            let row = points.row(row).to_vec();
            let distances = centroids.iter().map(|centroid| distance(centroid, &row));
            distances
                .enumerate()
                .min_by(|x, y| x.1.total_cmp(&y.1))
                .map(|(cluster, _)| cluster)
        })
        .collect();
    for (&row, label) in sample.iter().zip(labels) {
        all[row] = *label;
    }
    ordered(all.into_iter())
}

//! Whether the same clusters come again, from other rows of the same kind and from other beginnings.
//!
//! Bootstrap (Hennig 2007): as many rows as there are are drawn with replacement, those drawn more than once taken once, and clustered anew into
//! as many clusters; then the two clusterings of the rows drawn are compared, as wholes by the adjusted Rand index and cluster by cluster by the
//! best Jaccard coefficient. A clustering that fails there agrees in nothing. All rows with other seeds only where the algorithm has one: the same
//! result again says nothing.

use ndarray::{ArrayView2, Axis};
use rand::RngExt;
use rayon::prelude::*;

use super::Options;
use super::agreement::{adjusted_rand, best_jaccards};
use super::algorithm::{Labels, clusters};
use super::chance::{AGAIN, generator};
use super::silhouette::mean;

/// What came of clustering again.
pub(super) struct Stability {
    /// Mean adjusted Rand index over bootstraps and seeds.
    pub(super) index: f64,
    /// Of each cluster, the mean Jaccard coefficient over the bootstraps that drew of it.
    pub(super) clusters: Vec<f64>,
}

/// Clusters again, `labels` being those of `points`.
pub(super) fn stability(
    points: ArrayView2<'_, f64>,
    labels: &[Option<usize>],
    count: usize,
    options: &Options,
) -> Stability {
    let k = clusters(labels).max(1);
    let again = |draw: usize| -> (f64, Vec<Option<f64>>) {
        let mut rng = generator(options.seed, AGAIN + draw as u64);
        let seed = rng.random();
        let n = points.nrows();
        let rows: Vec<usize> = if draw < options.bootstraps {
            let mut drawn = vec![false; n];
            for _ in 0..n {
                drawn[rng.random_range(0..n)] = true;
            }
            (0..n).filter(|&row| drawn[row]).collect()
        } else {
            (0..n).collect()
        };
        let before: Labels = rows.iter().map(|&row| labels[row]).collect();
        let drawn = points.select(Axis(0), &rows);
        match options.algorithm.fit(drawn.view(), k, seed) {
            Ok(after) => (
                adjusted_rand(&before, &after),
                best_jaccards(&before, &after),
            ),
            Err(_) => (0.0, vec![Some(0.0); count]),
        }
    };
    let seeds = if options.algorithm.is_seeded() {
        options.seeds
    } else {
        0
    };
    let draws: Vec<(f64, Vec<Option<f64>>)> = (0..options.bootstraps + seeds)
        .into_par_iter()
        .map(again)
        .collect();
    let indices: Vec<f64> = draws.iter().map(|(index, _)| *index).collect();
    let of_cluster = |cluster: usize| {
        let bootstraps = draws.iter().take(options.bootstraps);
        let found = bootstraps.filter_map(|(_, jaccards)| jaccards.get(cluster).copied().flatten());
        mean(&found.collect::<Vec<f64>>())
    };
    Stability {
        index: mean(&indices),
        clusters: (0..count).map(of_cluster).collect(),
    }
}

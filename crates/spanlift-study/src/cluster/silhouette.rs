//! How well each point lies in its cluster.
//!
//! s = (b − a) / max(a, b), from −1 to 1: a is the mean distance to the other points of its cluster, b the smallest mean distance to
//! the points of another (Rousseeuw 1987, eq. 2). As there, a point alone in its cluster has 0; so has, here, a point in no cluster
//! and every point where there are fewer than two clusters, so that an algorithm gains nothing by leaving out what does not fit.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::algorithm::{Labels, clusters, distance};

/// The silhouette of each point under each of the labellings: exact, with one pass over all pairs for all of them.
pub(super) fn silhouettes(points: ArrayView2<'_, f64>, labellings: &[Labels]) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f64>> = points.rows().into_iter().map(|row| row.to_vec()).collect();
    // Each labelling has its sums side by side, with one more for the points in no cluster.
    let counts: Vec<usize> = labellings.iter().map(|labels| clusters(labels)).collect();
    let starts: Vec<usize> = counts
        .iter()
        .scan(0, |next, k| Some(std::mem::replace(next, *next + k + 1)))
        .collect();
    let bins = counts.iter().map(|k| k + 1).sum();
    let place = |l: usize, point: usize| starts[l] + labellings[l][point].unwrap_or(counts[l]);
    let places: Vec<Vec<usize>> = (0..rows.len())
        .map(|point| (0..labellings.len()).map(|l| place(l, point)).collect())
        .collect();
    let mut sizes = vec![0usize; bins];
    for &bin in places.iter().flatten() {
        sizes[bin] += 1;
    }
    let of_point = |point: usize| -> Vec<f64> {
        let mut sums = vec![0.0; bins];
        for (other, places) in rows.iter().zip(&places) {
            let distance = distance(&rows[point], other);
            for &bin in places {
                sums[bin] += distance;
            }
        }
        let of_labelling = |l: usize| -> f64 {
            let Some(own) = labellings[l][point] else {
                return 0.0;
            };
            let (sums, sizes) = (&sums[starts[l]..], &sizes[starts[l]..]);
            if counts[l] < 2 || sizes[own] < 2 {
                return 0.0;
            }
            let a = sums[own] / (sizes[own] - 1) as f64;
            let others = (0..counts[l]).filter(|&cluster| cluster != own);
            let b = others.map(|cluster| sums[cluster] / sizes[cluster] as f64);
            let b = b.fold(f64::INFINITY, f64::min);
            let most = a.max(b);
            if most > 0.0 { (b - a) / most } else { 0.0 }
        };
        (0..labellings.len()).map(of_labelling).collect()
    };
    let by_point: Vec<Vec<f64>> = (0..rows.len()).into_par_iter().map(of_point).collect();
    (0..labellings.len())
        .map(|l| by_point.iter().map(|point| point[l]).collect())
        .collect()
}

/// The silhouettes of each cluster.
pub(super) fn by_cluster(labels: &Labels, silhouettes: &[f64]) -> Vec<Vec<f64>> {
    let mut found = vec![Vec::new(); clusters(labels)];
    for (label, silhouette) in labels.iter().zip(silhouettes) {
        if let Some(label) = label {
            found[*label].push(*silhouette);
        }
    }
    found
}

/// The mean; 0 of none.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn by_hand() {
        let points = array![[0.0], [1.0], [10.0], [12.0], [50.0]];
        let two = vec![Some(0), Some(0), Some(1), Some(1), None];
        let lone = vec![Some(0), Some(0), Some(0), Some(0), Some(1)];
        let one = vec![Some(0); 5];
        let found = silhouettes(points.view(), &[two, lone, one]);
        // Point 0: a = 1, b = (10 + 12) / 2. Point 2: a = 2, b = (10 + 9) / 2.
        let expected = [10.0 / 11.0, 9.0 / 10.0, 7.5 / 9.5, 9.5 / 11.5, 0.0];
        for (found, expected) in found[0].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        // Point 0: a = (1 + 10 + 12) / 3, b = 50.
        assert!((found[1][0] - (50.0 - 23.0 / 3.0) / 50.0).abs() < 1e-12);
        assert_eq!(found[1][4], 0.0, "alone");
        assert_eq!(found[2], [0.0; 5], "one cluster");
    }
}
